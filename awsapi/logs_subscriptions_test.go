package awsapi_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const (
	lambdaARN   = "arn:aws:lambda:us-east-1:111122223333:function:ship"
	firehoseARN = "arn:aws:firehose:us-east-1:111122223333:deliverystream/ship"
	shipperARN  = "arn:aws:iam::111122223333:role/shipper"
)

func TestSubscriptionFiltersAreKeptAsAskedFor(t *testing.T) {
	_, client := logWorld(t)
	addLogStream(t, client, logGroup, "s", 1)
	put := func(in cloudwatchlogs.PutSubscriptionFilterInput) error {
		in.LogGroupName = aws.String(logGroup)
		_, err := client.PutSubscriptionFilter(t.Context(), &in)
		return err
	}
	if err := errors.Join(
		put(cloudwatchlogs.PutSubscriptionFilterInput{FilterName: aws.String("b"), FilterPattern: aws.String(""),
			DestinationArn: aws.String(lambdaARN)}),
		put(cloudwatchlogs.PutSubscriptionFilterInput{FilterName: aws.String("a"), FilterPattern: aws.String("old"),
			DestinationArn: aws.String(lambdaARN)}),
	); err != nil {
		t.Fatal(err)
	}
	before := must[*cloudwatchlogs.DescribeSubscriptionFiltersOutput](t)(client.DescribeSubscriptionFilters(t.Context(),
		&cloudwatchlogs.DescribeSubscriptionFiltersInput{LogGroupName: aws.String(logGroup)}))
	wantSaid(t, put(cloudwatchlogs.PutSubscriptionFilterInput{FilterName: aws.String("c"),
		FilterPattern: aws.String(""), DestinationArn: aws.String(lambdaARN)}),
		"LimitExceededException", "Resource limit exceeded.")
	// One of them is changed: it keeps its time.
	if err := put(cloudwatchlogs.PutSubscriptionFilterInput{FilterName: aws.String("a"),
		FilterPattern:  aws.String(`{ $.verb = "delete" }`),
		DestinationArn: aws.String(firehoseARN), RoleArn: aws.String(shipperARN),
		Distribution:     types.DistributionRandom,
		EmitSystemFields: []string{"@aws.account"}, FieldSelectionCriteria: aws.String(`@aws.region = "us-east-1"`),
		ApplyOnTransformedLogs: true}); err != nil {
		t.Fatal(err)
	}
	pages := cloudwatchlogs.NewDescribeSubscriptionFiltersPaginator(client,
		&cloudwatchlogs.DescribeSubscriptionFiltersInput{LogGroupName: aws.String(logGroup), Limit: aws.Int32(1)})
	var got []types.SubscriptionFilter
	for pages.HasMorePages() {
		got = append(got,
			must[*cloudwatchlogs.DescribeSubscriptionFiltersOutput](t)(pages.NextPage(t.Context())).SubscriptionFilters...)
	}
	want := []types.SubscriptionFilter{
		{FilterName: aws.String("a"), LogGroupName: aws.String(logGroup),
			FilterPattern: aws.String(`{ $.verb = "delete" }`), DestinationArn: aws.String(firehoseARN),
			RoleArn: aws.String(shipperARN), Distribution: types.DistributionRandom,
			EmitSystemFields:       []string{"@aws.account"},
			FieldSelectionCriteria: aws.String(`@aws.region = "us-east-1"`), ApplyOnTransformedLogs: true,
			CreationTime: before.SubscriptionFilters[0].CreationTime},
		{FilterName: aws.String("b"), LogGroupName: aws.String(logGroup), FilterPattern: aws.String(""),
			DestinationArn: aws.String(lambdaARN),
			Distribution:   types.DistributionByLogStream, CreationTime: before.SubscriptionFilters[1].CreationTime},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(types.SubscriptionFilter{})); diff != "" {
		t.Error(diff)
	}
	if out := must[*cloudwatchlogs.DescribeSubscriptionFiltersOutput](t)(client.DescribeSubscriptionFilters(t.Context(),
		&cloudwatchlogs.DescribeSubscriptionFiltersInput{LogGroupName: aws.String(logGroup),
			FilterNamePrefix: aws.String("b")})); len(out.SubscriptionFilters) != 1 {
		t.Errorf("by prefix: got %d", len(out.SubscriptionFilters))
	}
	remove := func(name string) error {
		_, err := client.DeleteSubscriptionFilter(t.Context(),
			&cloudwatchlogs.DeleteSubscriptionFilterInput{LogGroupName: aws.String(logGroup), FilterName: &name})
		return err
	}
	if err := remove("a"); err != nil {
		t.Fatal(err)
	}
	wantSaid(t, remove("a"), "ResourceNotFoundException", "The specified subscription filter does not exist.")
}

// wantSaid checks code and sentence of an error.
func wantSaid(t *testing.T, err error, code, sentence string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code || api.ErrorMessage() != sentence {
		t.Errorf("got %v, want %s: %s", err, code, sentence)
	}
}

func TestSubscriptionFiltersAreRefusedAsInAWS(t *testing.T) {
	w, client := logWorld(t)
	addLogStream(t, client, logGroup, "s", 0)
	must[*cloudwatchlogs.CreateLogGroupOutput](t)(client.CreateLogGroup(t.Context(),
		&cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("rare"),
			LogGroupClass: types.LogGroupClassInfrequentAccess}))
	for _, c := range []struct{ group, pattern, destination, role, code, sentence string }{
		{"nope", "", lambdaARN, "", "ResourceNotFoundException", "The specified log group does not exist."},
		{"rare", "", lambdaARN, "", "ValidationException",
			"This operation is only supported on the Standard log class."},
		{logGroup, "", lambdaARN, shipperARN, "InvalidParameterException",
			"destinationArn for vendor lambda cannot be used with roleArn"},
		{logGroup, "", firehoseARN, "", "InvalidParameterException",
			"destinationArn for vendor firehose cannot be used without roleArn"},
		{logGroup, "", "arn:aws:kinesis:us-east-1:111122223333:stream/s", "", "InvalidParameterException",
			"destinationArn for vendor kinesis cannot be used without roleArn"},
		{logGroup, "", "arn:aws:sns:us-east-1:111122223333:topic", "", "InvalidParameterException",
			"PutSubscriptionFilter operation cannot work with destinationArn for vendor sns"},
		{logGroup, "[a, a]", lambdaARN, "", "InvalidParameterException", ""},
		{logGroup, "", "nonsense", "", "InvalidParameterException", "Invalid destinationArn: nonsense"},
	} {
		in := &cloudwatchlogs.PutSubscriptionFilterInput{LogGroupName: &c.group, FilterName: aws.String("f"),
			FilterPattern: &c.pattern, DestinationArn: &c.destination}
		if c.role != "" {
			in.RoleArn = &c.role
		}
		_, err := client.PutSubscriptionFilter(t.Context(), in)
		if c.sentence == "" {
			wantCode(t, err, c.code, 400)
			continue
		}
		wantSaid(t, err, c.code, c.sentence)
	}
	_, err := client.DescribeSubscriptionFilters(t.Context(),
		&cloudwatchlogs.DescribeSubscriptionFiltersInput{LogGroupName: aws.String("rare")})
	wantSaid(t, err, "ValidationException", "This operation is only supported on the Standard log class.")
	_, err = w.logs(w.powerless).PutSubscriptionFilter(t.Context(),
		&cloudwatchlogs.PutSubscriptionFilterInput{LogGroupName: aws.String(logGroup),
			FilterName: aws.String("f"), FilterPattern: aws.String(""), DestinationArn: aws.String(lambdaARN)})
	wantCode(t, err, "AccessDeniedException", 400)
}
