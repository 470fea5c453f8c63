package awsapi_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
)

// logsKeyPolicy is the guide's own: it lets CloudWatch Logs use the key for the groups whose names begin so.
func logsKeyPolicy(groups string) *string {
	return aws.String(fmt.Sprintf(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"},
		{"Effect":"Allow","Principal":{"Service":"logs.us-east-1.amazonaws.com"},
		 "Action":["kms:Encrypt*","kms:Decrypt*","kms:ReEncrypt*","kms:GenerateDataKey*","kms:Describe*"],"Resource":"*",
		 "Condition":{"ArnLike":{"kms:EncryptionContext:aws:logs:arn":"arn:aws:logs:us-east-1:111122223333:log-group:%s*"}}}]}`, groups))
}

func TestGroupsNeedTheirKeys(t *testing.T) {
	w, client := logWorld(t)
	keys := kms.New(kms.Options{Region: "us-east-1", BaseEndpoint: &w.url, HTTPClient: near,
		Credentials: provide(w.admin), RetryMaxAttempts: 1})
	key := func(policy *string) *string {
		t.Helper()
		return must[*kms.CreateKeyOutput](t)(keys.CreateKey(t.Context(), &kms.CreateKeyInput{Policy: policy})).KeyMetadata.Arn
	}
	good, foreign, plain := key(logsKeyPolicy("/aws/eks/")), key(logsKeyPolicy("/else/")), key(nil)
	said := func(group string) string {
		return "The specified KMS key does not exist or is not allowed to be used with Arn " +
			"'arn:aws:logs:us-east-1:111122223333:log-group:" + group + "'"
	}
	for _, bad := range []*string{foreign, plain, aws.String(*good + "0")} {
		_, err := client.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String(logGroup), KmsKeyId: bad})
		wantSaid(t, err, "AccessDeniedException", said(logGroup))
	}
	must[*cloudwatchlogs.CreateLogGroupOutput](t)(client.CreateLogGroup(t.Context(),
		&cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String(logGroup), KmsKeyId: good}))
	addLogStream(t, client, logGroup, "s", 3)
	read := func() error {
		_, err := client.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String(logGroup)})
		return err
	}
	if err := read(); err != nil {
		t.Error(err)
	}
	must[*kms.DisableKeyOutput](t)(keys.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: good}))
	wantSaid(t, read(), "AccessDeniedException", said(logGroup))
	_, err := client.GetLogEvents(t.Context(),
		&cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String(logGroup), LogStreamName: aws.String("s")})
	wantSaid(t, err, "AccessDeniedException", said(logGroup))
	_, err = startQuery(client, t, "fields @message", logGroup)
	wantSaid(t, err, "AccessDeniedException", said(logGroup))
	_, err = client.AssociateKmsKey(t.Context(), &cloudwatchlogs.AssociateKmsKeyInput{LogGroupName: aws.String(logGroup), KmsKeyId: good})
	wantCode(t, err, "InvalidParameterException", 400)
	must[*cloudwatchlogs.DisassociateKmsKeyOutput](t)(client.DisassociateKmsKey(t.Context(),
		&cloudwatchlogs.DisassociateKmsKeyInput{LogGroupName: aws.String(logGroup)}))
	if err := read(); err != nil {
		t.Error(err)
	}
	must[*kms.EnableKeyOutput](t)(keys.EnableKey(t.Context(), &kms.EnableKeyInput{KeyId: good}))
	must[*cloudwatchlogs.AssociateKmsKeyOutput](t)(client.AssociateKmsKey(t.Context(),
		&cloudwatchlogs.AssociateKmsKeyInput{ResourceIdentifier: aws.String(logGroupARN), KmsKeyId: good}))
	described := must[*cloudwatchlogs.DescribeLogGroupsOutput](t)(client.DescribeLogGroups(t.Context(),
		&cloudwatchlogs.DescribeLogGroupsInput{}))
	if got := aws.ToString(described.LogGroups[0].KmsKeyId); got != *good {
		t.Errorf("the group's key is %q", got)
	}
}

func TestInfrequentAccessHasQueriesAndLittleElse(t *testing.T) {
	_, client := logWorld(t)
	must[*cloudwatchlogs.CreateLogGroupOutput](t)(client.CreateLogGroup(t.Context(),
		&cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("rare"), LogGroupClass: types.LogGroupClassInfrequentAccess}))
	putLines(t, client, "rare", "s", "one")
	_, err := client.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("rare")})
	wantSaid(t, err, "InvalidOperationException",
		"The log group rare is of log-group-class INFREQUENT_ACCESS. FilterLogEvents is not supported for this log class.")
	_, err = client.GetLogEvents(t.Context(),
		&cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("rare"), LogStreamName: aws.String("s")})
	wantCode(t, err, "InvalidOperationException", 400)
	_, err = client.PutMetricFilter(t.Context(), &cloudwatchlogs.PutMetricFilterInput{LogGroupName: aws.String("rare"),
		FilterName:    aws.String("f"),
		FilterPattern: aws.String(""), MetricTransformations: []types.MetricTransformation{{MetricName: aws.String("m"),
			MetricNamespace: aws.String("n"), MetricValue: aws.String("1")}}})
	wantCode(t, err, "InvalidOperationException", 400)
	id, err := startQuery(client, t, "fields @message", "rare")
	if err != nil {
		t.Fatal(err)
	}
	if rows := rowsOf(results(t, client, id)); len(rows) != 1 || rows[0] != "@message=one" {
		t.Errorf("got %q", rows)
	}
}
