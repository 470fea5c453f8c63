package awsapi_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"tripod/awsapi"
	"tripod/awsapi/quota"
)

func TestQuotasAreThoseOfTheRegion(t *testing.T) {
	ctx := t.Context()
	w := newWorld(t, func(f *awsapi.Front) { f.Quotas = quota.Quotas{quota.Users: 4, quota.AccessEntries: 1} })
	clusters := w.eks(w.admin)
	users := iam.New(iam.Options{Region: "us-east-1", BaseEndpoint: &w.url, HTTPClient: near, Credentials: provide(w.admin),
		RetryMaxAttempts: 1})
	create := func(name string) (*iam.CreateUserOutput, error) {
		return users.CreateUser(ctx, &iam.CreateUserInput{UserName: &name})
	}
	enter := func(arn *string) error {
		_, err := clusters.CreateAccessEntry(ctx, &eks.CreateAccessEntryInput{ClusterName: aws.String("demo"),
			PrincipalArn: arn})
		return err
	}
	third, err := create("third") // admin and powerless are there
	if err != nil {
		t.Fatal(err)
	}
	fourth, err := create("fourth")
	if err != nil {
		t.Fatal(err)
	}
	_, err = create("fifth")
	wantCode(t, err, "LimitExceeded", 409)
	if err := enter(third.User.Arn); err != nil {
		t.Fatal(err)
	}
	wantCode(t, enter(fourth.User.Arn), "ResourceLimitExceededException", 400)
	summary, err := users.GetAccountSummary(ctx, &iam.GetAccountSummaryInput{})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int32{"Users": 4, "UsersQuota": 4, "RolesQuota": 1000, "Roles": 0} {
		if got := summary.SummaryMap[name]; got != want {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
	if _, err := users.DeleteUser(ctx, &iam.DeleteUserInput{UserName: aws.String("fourth")}); err != nil {
		t.Fatal(err)
	}
	if _, err := create("fifth"); err != nil {
		t.Errorf("there is room again, but got %v", err)
	}
}
