package emulator

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/fis"
	"github.com/aws/aws-sdk-go-v2/service/fis/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"tripod/api"
	"tripod/internal/datadir"
	"tripod/internal/sdkclient"
)

// testExperiment: a reset stops an experiment that would break the region anew, also where a zone is down when it is asked for.
func testExperiment(t *testing.T, r *testRegion) {
	key, err := datadir.ReadCredentials(r.dir.path)
	if err != nil {
		t.Fatal(err)
	}
	config := aws.Config{Region: r.options.Region, BaseEndpoint: aws.String(r.Status().AWSEndpoint),
		HTTPClient: sdkclient.New(&http.Transport{}, time.Minute),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: key.AccessKeyID, SecretAccessKey: key.SecretAccessKey}, nil
		})}
	users, experiments := iam.NewFromConfig(config), fis.NewFromConfig(config)
	role, err := users.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("driver"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"fis.amazonaws.com"},"Action":"sts:AssumeRole"}}`)})
	if err == nil {
		_, err = users.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: aws.String("driver"), PolicyName: aws.String("all"),
			PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)})
	}
	if err != nil {
		t.Fatal(err)
	}
	made, err := experiments.CreateExperimentTemplate(t.Context(), &fis.CreateExperimentTemplateInput{ClientToken: aws.String("t"),
		Description: aws.String("throttle"), RoleArn: role.Role.Arn,
		StopConditions: []types.CreateExperimentTemplateStopConditionInput{{Source: aws.String("none")}},
		Targets: map[string]types.CreateExperimentTemplateTargetInput{"roles": {ResourceType: aws.String("aws:iam:role"),
			ResourceArns: []string{*role.Role.Arn}, SelectionMode: aws.String("ALL")}},
		Actions: map[string]types.CreateExperimentTemplateActionInput{
			"now": {ActionId: aws.String("aws:fis:inject-api-throttle-error"), Targets: map[string]string{"Roles": "roles"},
				Parameters: map[string]string{"duration": "PT12H", "service": "ec2", "operations": "DescribeInstances"}},
			"later": {ActionId: aws.String("aws:fis:wait"), StartAfter: []string{"now"}, Parameters: map[string]string{"duration": "PT1H"}}}})
	if err != nil {
		t.Fatal(err)
	}
	started, err := experiments.StartExperiment(t.Context(), &fis.StartExperimentInput{ClientToken: aws.String("t"),
		ExperimentTemplateId: made.ExperimentTemplate.Id})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the experiment throttles", func() bool { return len(r.Status().Faults) == 1 }, func() any { return r.Status().Faults })
	by, err := r.Fault(t.Context(), api.FaultVerb, api.FaultOrder{Target: api.Target{Kind: api.KindAWS, Name: "eks:*"}, Fault: "latency=1ms"})
	if err != nil {
		t.Fatal(by, err)
	}
	r.do(t, "kill", "az/a")
	reset(t, r)
	got, err := experiments.GetExperiment(t.Context(), &fis.GetExperimentInput{Id: started.Experiment.Id})
	if err != nil || got.Experiment.State.Status != types.ExperimentStatusStopped ||
		*got.Experiment.State.Reason != "Experiment stopped by tripod reset." ||
		got.Experiment.Actions["now"].State.Status != types.ExperimentActionStatusStopped ||
		got.Experiment.Actions["later"].State.Status != types.ExperimentActionStatusCancelled {
		t.Errorf("after the reset: %+v, %v", got, err)
	}
}
