package system

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/fis"
	"github.com/aws/aws-sdk-go-v2/service/fis/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tripod/api"
)

// TestExperimentSurvivesLossOfLeaderZone: an experiment of Fault Injection Service throttles an operation for one role, goes
// on when the zone that drives it is killed, and is ended by an alarm: then its effects are gone.
func TestExperimentSurvivesLossOfLeaderZone(t *testing.T) {
	t.Parallel()
	r := startRegion(t)
	admin := r.awsClients(t, awsHTTP)
	trust := func(principal string) *string {
		return aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":` + principal + `,"Action":"sts:AssumeRole"}}`)
	}
	role := func(name, principal, policy string) *string {
		made, err := admin.iam.CreateRole(within(t, time.Minute), &iam.CreateRoleInput{RoleName: &name,
			AssumeRolePolicyDocument: trust(principal)})
		must(t, "CreateRole "+name, err)
		_, err = admin.iam.PutRolePolicy(within(t, time.Minute), &iam.PutRolePolicyInput{RoleName: &name, PolicyName: aws.String("own"),
			PolicyDocument: &policy})
		must(t, "PutRolePolicy "+name, err)
		return made.Role.Arn
	}
	all := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
	driver := role("driver", `{"Service":"fis.amazonaws.com"}`, all)
	victim := role("victim", `{"AWS":"arn:aws:iam::111122223333:root"}`, all)
	session, err := admin.sts.AssumeRole(within(t, time.Minute), &sts.AssumeRoleInput{RoleArn: victim, RoleSessionName: aws.String("story")})
	must(t, "AssumeRole", err)
	throttled := r.awsClientsWith(t, awsHTTP, api.Credentials{AccessKeyID: *session.Credentials.AccessKeyId,
		SecretAccessKey: *session.Credentials.SecretAccessKey, SessionToken: *session.Credentials.SessionToken})

	_, err = admin.alarms.PutMetricAlarm(within(t, time.Minute), &cloudwatch.PutMetricAlarmInput{AlarmName: aws.String("halt"),
		MetricName: aws.String("Errors"), Namespace: aws.String("Shop"), Statistic: cwtypes.StatisticSum, Period: aws.Int32(60),
		EvaluationPeriods: aws.Int32(1), Threshold: aws.Float64(1), ComparisonOperator: cwtypes.ComparisonOperatorGreaterThanThreshold})
	must(t, "PutMetricAlarm", err)
	template, err := admin.experiments.CreateExperimentTemplate(within(t, time.Minute), &fis.CreateExperimentTemplateInput{
		ClientToken: aws.String("story"), Description: aws.String("throttle"), RoleArn: driver,
		StopConditions: []types.CreateExperimentTemplateStopConditionInput{{Source: aws.String("aws:cloudwatch:alarm"),
			Value: aws.String("arn:aws:cloudwatch:us-east-1:111122223333:alarm:halt")}},
		Targets: map[string]types.CreateExperimentTemplateTargetInput{
			"roles": {ResourceType: aws.String("aws:iam:role"), ResourceArns: []string{*victim}, SelectionMode: aws.String("ALL")},
			"pods": {ResourceType: aws.String("aws:eks:pod"), SelectionMode: aws.String("ALL"), Parameters: map[string]string{
				"clusterIdentifier": "demo", "namespace": "default", "selectorType": "labelSelector", "selectorValue": "app=web"}}},
		Actions: map[string]types.CreateExperimentTemplateActionInput{
			"throttle": {ActionId: aws.String("aws:fis:inject-api-throttle-error"), Targets: map[string]string{"Roles": "roles"},
				Parameters: map[string]string{"duration": "PT12H", "service": "ec2", "operations": "DescribeInstances"}},
			"delete": {ActionId: aws.String("aws:eks:pod-delete"), Targets: map[string]string{"Pods": "pods"},
				Parameters: map[string]string{"kubernetesServiceAccount": "fis", "gracePeriodSeconds": "0"}}}})
	must(t, "CreateExperimentTemplate", err)
	r.webPod(t)
	for _, made := range []string{"serviceaccount fis", "role fis --verb=delete --resource=pods",
		"rolebinding fis --role=fis --serviceaccount=default:fis"} {
		r.kubectl(t, append([]string{"create"}, strings.Fields(made)...)...)
	}
	started, err := admin.experiments.StartExperiment(within(t, time.Minute), &fis.StartExperimentInput{ClientToken: aws.String("story"),
		ExperimentTemplateId: template.ExperimentTemplate.Id})
	must(t, "StartExperiment", err)
	id := started.Experiment.Id

	isThrottled := func(services awsServices) (bool, string) {
		_, err := services.ec2.DescribeInstances(within(t, 20*time.Second), &ec2.DescribeInstancesInput{},
			func(o *ec2.Options) { o.RetryMaxAttempts = 1 })
		var e smithy.APIError
		return errors.As(err, &e) && e.ErrorCode() == "RequestLimitExceeded", fmt.Sprint(err)
	}
	eventually(t, 20*time.Second, "the role is throttled", func() (bool, string) { return isThrottled(throttled) })
	if other, text := isThrottled(admin); other {
		t.Errorf("the administrator is throttled, too: %s", text)
	}
	if shown := r.status(t).Faults; !slices.ContainsFunc(shown, func(f api.Fault) bool {
		return f.Target == "aws/ec2:DescribeInstances" && f.Fault == "throttle, 100% of role/victim"
	}) {
		t.Errorf("the status shows the faults %+v", shown)
	}
	eventually(t, 20*time.Second, "the pod is deleted", func() (bool, string) {
		pods, err := r.kube(t).CoreV1().Pods("default").List(within(t, 20*time.Second), metav1.ListOptions{LabelSelector: "app=web"})
		return err == nil && len(pods.Items) == 0, fmt.Sprint(err)
	})

	leader := letter(r.status(t).State.Leader)
	r.do(t, "kill", "az/"+leader)
	if is, text := isThrottled(throttled); !is {
		t.Errorf("after the loss of zone %s the role is not throttled: %s", leader, text)
	}
	_, err = admin.alarms.SetAlarmState(within(t, time.Minute), &cloudwatch.SetAlarmStateInput{AlarmName: aws.String("halt"),
		StateValue: cwtypes.StateValueAlarm, StateReason: aws.String("the story's")})
	must(t, "SetAlarmState", err)
	eventually(t, 20*time.Second, "the alarm has stopped the experiment", func() (bool, string) {
		got, err := admin.experiments.GetExperiment(within(t, 20*time.Second), &fis.GetExperimentInput{Id: id})
		if err != nil {
			return false, err.Error()
		}
		return got.Experiment.State.Status == types.ExperimentStatusStopped, fmt.Sprint(got.Experiment.State.Status,
			aws.ToString(got.Experiment.State.Reason))
	})
	if is, text := isThrottled(throttled); is {
		t.Errorf("after the experiment the role is still throttled: %s", text)
	}
}

// webPod makes a pod with the label app=web, and waits until it runs.
func (r *testRegion) webPod(t *testing.T) {
	t.Helper()
	kube := r.kube(t)
	eventually(t, time.Minute, "a pod is made", func() (bool, string) {
		_, err := kube.CoreV1().Pods("default").Create(within(t, 20*time.Second), &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "web", Labels: map[string]string{"app": "web"}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "nginx"}}}}, metav1.CreateOptions{})
		return err == nil, fmt.Sprint(err)
	})
	eventually(t, time.Minute, "the pod runs", func() (bool, string) {
		pod, err := kube.CoreV1().Pods("default").Get(within(t, 20*time.Second), "web", metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		return pod.Status.Phase == corev1.PodRunning, string(pod.Status.Phase)
	})
}
