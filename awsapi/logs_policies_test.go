package awsapi_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// route53Policy lets a service write, as the API reference's example does.
const route53Policy = `{"Version":"2012-10-17","Statement":[{"Sid":"Route53LogsToCloudWatchLogs","Effect":"Allow",` +
	`"Principal":{"Service":["route53.amazonaws.com"]},"Action":"logs:PutLogEvents","Resource":"*"}]}`

func TestResourcePoliciesOfTheAccountAreKeptByName(t *testing.T) {
	_, client := logWorld(t)
	put := func(name, document string) error {
		_, err := client.PutResourcePolicy(t.Context(), &cloudwatchlogs.PutResourcePolicyInput{PolicyName: &name, PolicyDocument: &document})
		return err
	}
	for i := range 10 {
		if err := put(fmt.Sprintf("p%d", i), route53Policy); err != nil {
			t.Fatal(err)
		}
	}
	wantSaid(t, put("q", route53Policy), "LimitExceededException", "Resource limit exceeded.")
	if err := put("p3", route53Policy+" "); err != nil {
		t.Errorf("one of them cannot be changed: %v", err)
	}
	wantSaid(t, put("p4", `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`), "InvalidParameterException",
		"The policy document is not valid: statement 1 of the policy: a statement of a resource's policy needs a Principal.")
	var names string
	for token := (*string)(nil); ; {
		page := must[*cloudwatchlogs.DescribeResourcePoliciesOutput](t)(client.DescribeResourcePolicies(t.Context(),
			&cloudwatchlogs.DescribeResourcePoliciesInput{Limit: aws.Int32(3), NextToken: token}))
		for _, p := range page.ResourcePolicies {
			names += *p.PolicyName + " "
			if p.PolicyScope != types.PolicyScopeAccount || p.LastUpdatedTime == nil ||
				*p.PolicyName == "p3" && *p.PolicyDocument != route53Policy+" " {
				t.Errorf("got %+v", p)
			}
		}
		if token = page.NextToken; token == nil {
			break
		}
	}
	if names != "p0 p1 p2 p3 p4 p5 p6 p7 p8 p9 " {
		t.Errorf("got %q", names)
	}
	remove := func(name string) error {
		_, err := client.DeleteResourcePolicy(t.Context(), &cloudwatchlogs.DeleteResourcePolicyInput{PolicyName: &name})
		return err
	}
	if err := remove("p3"); err != nil {
		t.Error(err)
	}
	wantSaid(t, remove("p3"), "ResourceNotFoundException", "Policy with name [p3] does not exist.")
}

// TestAResourcePolicyOfAGroupIsChangedByWhoKnowsItsRevision, and goes with its group.
func TestAResourcePolicyOfAGroupIsChangedByWhoKnowsItsRevision(t *testing.T) {
	_, client := logWorld(t)
	addLogStream(t, client, logGroup, "s", 1)
	described := must[*cloudwatchlogs.DescribeLogGroupsOutput](t)(client.DescribeLogGroups(t.Context(), &cloudwatchlogs.DescribeLogGroupsInput{
		LogGroupNamePrefix: aws.String(logGroup)}))
	arn := described.LogGroups[0].LogGroupArn
	put := func(name string, revision *string) (*string, error) {
		out, err := client.PutResourcePolicy(t.Context(), &cloudwatchlogs.PutResourcePolicyInput{PolicyName: &name, ResourceArn: arn,
			PolicyDocument: aws.String(route53Policy), ExpectedRevisionId: revision})
		if err != nil {
			return nil, err
		}
		return out.RevisionId, nil
	}
	first, err := put("p", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = put("p", nil)
	wantSaid(t, err, "InvalidParameterException", "expectedRevisionId is required: the log group has a resource policy.")
	_, err = put("q", first)
	wantSaid(t, err, "LimitExceededException", "A log group has one resource policy, and this one has p.")
	second, err := put("p", first)
	if err != nil {
		t.Fatal(err)
	}
	_, err = put("p", first)
	wantSaid(t, err, "OperationAbortedException", "The resource policy has another revision than the one that was expected: describe it, "+
		"and try again.")
	shown := func() []types.ResourcePolicy {
		return must[*cloudwatchlogs.DescribeResourcePoliciesOutput](t)(client.DescribeResourcePolicies(t.Context(),
			&cloudwatchlogs.DescribeResourcePoliciesInput{PolicyScope: types.PolicyScopeResource})).ResourcePolicies
	}
	if got := shown(); len(got) != 1 || *got[0].RevisionId != *second || *got[0].ResourceArn != *arn {
		t.Errorf("got %+v", got)
	}
	_, err = client.DeleteResourcePolicy(t.Context(), &cloudwatchlogs.DeleteResourcePolicyInput{ResourceArn: arn, ExpectedRevisionId: first})
	wantSaid(t, err, "OperationAbortedException", "The resource policy has another revision than the one that was expected: describe it, "+
		"and try again.")
	if _, err := client.DeleteLogGroup(t.Context(), &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: aws.String(logGroup)}); err != nil {
		t.Fatal(err)
	}
	if got := shown(); len(got) != 0 {
		t.Errorf("the group is gone, and its policy is there: %+v", got)
	}
}
