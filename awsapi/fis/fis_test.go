package fis_test

import (
	"errors"
	"maps"
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
	"github.com/aws/smithy-go"

	"tripod/awsapi/apitest"
	"tripod/region"
	"tripod/state"
)

const (
	account = "111122223333"
	driver  = "arn:aws:iam::" + account + ":role/driver"
	victim  = "arn:aws:iam::" + account + ":role/victim"
	alarm   = "arn:aws:cloudwatch:us-east-1:" + account + ":alarm:halt"
)

type world struct {
	*apitest.World
	*fis.Client
	t  *testing.T
	at time.Time
}

// newWorld is a region with the role driver, which FIS may assume and which may do what the policy says, and the role victim.
func newWorld(t *testing.T, allowed ...string) *world {
	t.Helper()
	if allowed == nil {
		allowed = []string{"*"}
	}
	w := &world{t: t, at: time.Now().UTC().Truncate(time.Second)}
	w.World = apitest.Start(t, func(a *apitest.World) { a.Front.Now = func() time.Time { return w.at } })
	w.Write(func(tx *state.Txn) {
		region.Roles.Put(tx, "driver", region.Role{Name: "driver", ID: "AROADRIVER", ARN: driver, TrustPolicy: `{"Version":"2012-10-17",
			"Statement":{"Effect":"Allow","Principal":{"Service":"fis.amazonaws.com"},"Action":"sts:AssumeRole"}}`,
			Inline: map[string]string{"own": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["` +
				strings.Join(allowed, `","`) + `"],"Resource":"*"}}`}})
		region.Roles.Put(tx, "victim", region.Role{Name: "victim", ID: "AROAVICTIM", ARN: victim, Tags: map[string]string{"chaos": "ready"}})
	})
	w.Client = fis.NewFromConfig(w.Config("admin"))
	return w
}

// keep drives the experiments as the leading zone does, and says how soon it is to be called again.
func (w *world) keep() time.Duration {
	w.t.Helper()
	again, err := w.Front.Acting().Experiments.Keep(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return again
}

// throttling is a template that throttles calls of the victim for three minutes, after a wait of one.
func throttling() *fis.CreateExperimentTemplateInput {
	return &fis.CreateExperimentTemplateInput{
		ClientToken: aws.String("token"), Description: aws.String("throttle"), RoleArn: aws.String(driver),
		StopConditions: []types.CreateExperimentTemplateStopConditionInput{
			{Source: aws.String("aws:cloudwatch:alarm"), Value: aws.String(alarm)}},
		Targets: map[string]types.CreateExperimentTemplateTargetInput{"roles": {ResourceType: aws.String("aws:iam:role"),
			ResourceTags: map[string]string{"chaos": "ready"}, SelectionMode: aws.String("ALL")}},
		Actions: map[string]types.CreateExperimentTemplateActionInput{
			"first": {ActionId: aws.String("aws:fis:wait"), Parameters: map[string]string{"duration": "PT1M"}},
			"then": {ActionId: aws.String("aws:fis:inject-api-throttle-error"), StartAfter: []string{"first"},
				Targets: map[string]string{"Roles": "roles"}, Parameters: map[string]string{"duration": "PT3M", "service": "ec2",
					"operations": "DescribeInstances,DescribeVolumes", "percentage": "30"}},
		},
		Tags: map[string]string{"Name": "t"},
	}
}

// begin makes a template and starts an experiment of it.
func (w *world) begin(in *fis.CreateExperimentTemplateInput, mode types.ActionsMode) string {
	w.t.Helper()
	made, err := w.CreateExperimentTemplate(w.t.Context(), in)
	if err != nil {
		w.t.Fatal(err)
	}
	started, err := w.StartExperiment(w.t.Context(), &fis.StartExperimentInput{ExperimentTemplateId: made.ExperimentTemplate.Id,
		ClientToken: in.ClientToken, ExperimentOptions: &types.StartExperimentExperimentOptionsInput{ActionsMode: mode}})
	if err != nil {
		w.t.Fatal(err)
	}
	return *started.Experiment.Id
}

// is checks an experiment's state and those of its actions, in the order of their names, and returns it.
func (w *world) is(id string, want types.ExperimentStatus, actions ...types.ExperimentActionStatus) *types.Experiment {
	w.t.Helper()
	got, err := w.GetExperiment(w.t.Context(), &fis.GetExperimentInput{Id: &id})
	if err != nil {
		w.t.Fatal(err)
	}
	var states []types.ExperimentActionStatus
	for _, name := range slices.Sorted(maps.Keys(got.Experiment.Actions)) {
		states = append(states, got.Experiment.Actions[name].State.Status)
	}
	if got.Experiment.State.Status != want || !slices.Equal(states, actions) {
		w.t.Errorf("got %s (%s) with %v, want %s with %v", got.Experiment.State.Status, aws.ToString(got.Experiment.State.Reason), states,
			want, actions)
	}
	return got.Experiment
}

// throttled are the faults of calls in force, as the status shows them.
func (w *world) throttled() (faults []string) {
	w.View(func(tx *state.Txn) error {
		faults = nil
		for _, fault := range region.Faults.List(tx) {
			faults = append(faults, fault.Target+" "+fault.Fault)
		}
		return nil
	})
	return faults
}

func fails(t *testing.T, err error, code, words string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), words) {
		t.Errorf("got %v, want %s with %q", err, code, words)
	}
}

const (
	pending   = types.ExperimentActionStatusPending
	running   = types.ExperimentActionStatusRunning
	completed = types.ExperimentActionStatusCompleted
	stopped   = types.ExperimentActionStatusStopped
	cancelled = types.ExperimentActionStatusCancelled
	skipped   = types.ExperimentActionStatusSkipped
	failed    = types.ExperimentActionStatusFailed
)

// TestExperimentGoesThroughItsActions, whoever drives it: what is known between two steps stands in the records.
func TestExperimentGoesThroughItsActions(t *testing.T) {
	w := newWorld(t)
	id := w.begin(throttling(), "")
	w.is(id, types.ExperimentStatusPending, pending, pending)
	if again := w.keep(); again == 0 {
		t.Error("nobody looks at the experiment again")
	}
	w.is(id, types.ExperimentStatusRunning, running, pending)
	w.at = w.at.Add(time.Minute)
	w.keep()
	w.is(id, types.ExperimentStatusRunning, completed, running)
	want := []string{"aws/ec2:DescribeInstances throttle, 30% of role/victim", "aws/ec2:DescribeVolumes throttle, 30% of role/victim"}
	if got := w.throttled(); !slices.Equal(got, want) {
		t.Errorf("got the faults %q, want %q", got, want)
	}
	resolved, err := w.ListExperimentResolvedTargets(t.Context(), &fis.ListExperimentResolvedTargetsInput{ExperimentId: &id})
	if err != nil || len(resolved.ResolvedTargets) != 1 || resolved.ResolvedTargets[0].TargetInformation["arn"] != victim {
		t.Errorf("got %+v, %v", resolved, err)
	}
	w.at = w.at.Add(3 * time.Minute)
	w.keep()
	ended := w.is(id, types.ExperimentStatusCompleted, completed, completed)
	if got := w.throttled(); len(got) != 0 || !ended.EndTime.Equal(w.at) {
		t.Errorf("after the end at %v: %q", ended.EndTime, got)
	}
	if again := w.keep(); again != 0 {
		t.Errorf("an experiment that has ended is looked at again after %v", again)
	}
	_, err = w.StopExperiment(t.Context(), &fis.StopExperimentInput{Id: &id})
	fails(t, err, "ValidationException", "its state is completed")
}

// TestExperimentIsStoppedAndTakesItsEffectsBack by whom or what may stop it.
func TestExperimentIsStoppedAndTakesItsEffectsBack(t *testing.T) {
	for name, stop := range map[string]func(*world, string){
		"user": func(w *world, id string) {
			if _, err := w.StopExperiment(w.t.Context(), &fis.StopExperimentInput{Id: &id}); err != nil {
				w.t.Fatal(err)
			}
			w.is(id, types.ExperimentStatusStopping, completed, running)
		},
		"alarm": func(w *world, _ string) { w.alarm("ALARM") },
		"lever": func(w *world, _ string) { w.lever("engaged") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.alarm("OK")
			id := w.begin(throttling(), "")
			w.keep()
			w.at = w.at.Add(time.Minute)
			w.keep()
			if len(w.throttled()) != 2 {
				t.Fatalf("got %q", w.throttled())
			}
			stop(w, id)
			w.keep()
			w.is(id, types.ExperimentStatusStopped, completed, stopped)
			if got := w.throttled(); len(got) != 0 {
				t.Errorf("after the stop: %q", got)
			}
			if name != "lever" {
				return
			}
			next := throttling()
			next.ClientToken = aws.String("other")
			other := w.begin(next, "")
			w.keep()
			w.is(other, types.ExperimentStatusCancelled, cancelled, cancelled)
			w.lever("disengaged")
		})
	}
}

func (w *world) lever(status types.SafetyLeverStatusInput) {
	w.t.Helper()
	if _, err := w.UpdateSafetyLeverState(w.t.Context(), &fis.UpdateSafetyLeverStateInput{Id: aws.String("default"),
		State: &types.UpdateSafetyLeverStateInput{Status: status, Reason: aws.String("a test")}}); err != nil {
		w.t.Fatal(err)
	}
}

// alarm sets the alarm's state, by CloudWatch's own API.
func (w *world) alarm(to cwtypes.StateValue) {
	w.t.Helper()
	client := cloudwatch.NewFromConfig(w.Config("admin"))
	_, err := client.PutMetricAlarm(w.t.Context(), &cloudwatch.PutMetricAlarmInput{AlarmName: aws.String("halt"),
		MetricName: aws.String("Errors"), Namespace: aws.String("Shop"), Statistic: cwtypes.StatisticSum, Period: aws.Int32(60),
		EvaluationPeriods: aws.Int32(1), Threshold: aws.Float64(0.5), ComparisonOperator: cwtypes.ComparisonOperatorGreaterThanThreshold,
		Dimensions: []cwtypes.Dimension{{Name: aws.String("Zone"), Value: aws.String("a")}}})
	if err == nil {
		_, err = client.SetAlarmState(w.t.Context(), &cloudwatch.SetAlarmStateInput{AlarmName: aws.String("halt"), StateValue: to,
			StateReason: aws.String("a test")})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	got, err := client.DescribeAlarms(w.t.Context(), &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{"halt"}})
	if err != nil || len(got.MetricAlarms) != 1 || got.MetricAlarms[0].StateValue != to || *got.MetricAlarms[0].Period != 60 ||
		*got.MetricAlarms[0].Threshold != 0.5 || *got.MetricAlarms[0].AlarmArn != alarm || len(got.MetricAlarms[0].Dimensions) != 1 {
		w.t.Fatalf("got %+v, %v", got, err)
	}
}

// TestTargetPreviewAndEmptyTargets: skip-all resolves and does nothing; an empty target fails an experiment, or its actions
// are skipped.
func TestTargetPreviewAndEmptyTargets(t *testing.T) {
	w := newWorld(t)
	id := w.begin(throttling(), types.ActionsModeSkipAll)
	w.keep()
	w.is(id, types.ExperimentStatusCompleted, skipped, skipped)
	if got := w.throttled(); len(got) != 0 {
		t.Errorf("a preview does %q", got)
	}
	for mode, want := range map[types.EmptyTargetResolutionMode]func(string){
		"fail": func(id string) {
			got := w.is(id, types.ExperimentStatusFailed, cancelled, cancelled)
			if got.State.Error == nil || *got.State.Error.Code != "InvalidTarget" {
				t.Errorf("got the error %+v", got.State.Error)
			}
		},
		"skip": func(id string) { w.is(id, types.ExperimentStatusRunning, running, pending) },
	} {
		in := throttling()
		in.ClientToken = aws.String(string(mode))
		in.ExperimentOptions = &types.CreateExperimentTemplateExperimentOptionsInput{EmptyTargetResolutionMode: mode}
		in.Targets["roles"] = types.CreateExperimentTemplateTargetInput{ResourceType: aws.String("aws:iam:role"),
			ResourceTags: map[string]string{"chaos": "never"}, SelectionMode: aws.String("ALL")}
		id := w.begin(in, "")
		w.keep()
		want(id)
	}
}

// TestExperimentHasItsRolesPermissions: what its role may not do, the experiment does not do.
func TestExperimentHasItsRolesPermissions(t *testing.T) {
	w := newWorld(t, "fis:InjectApiInternalError")
	id := w.begin(throttling(), "")
	w.keep()
	w.at = w.at.Add(time.Minute)
	w.keep()
	got := w.is(id, types.ExperimentStatusFailed, completed, failed)
	if got.State.Error == nil || *got.State.Error.Code != "AuthorizationFailure" || *got.State.Error.Location != "then" ||
		!strings.Contains(*got.State.Reason, "is not authorized to perform: fis:InjectApiThrottleError") {
		t.Errorf("got %+v", got.State)
	}
	w.Write(func(tx *state.Txn) { region.Roles.Delete(tx, "driver") })
	in := throttling()
	in.ClientToken = aws.String("roleless")
	id = w.begin(in, "")
	w.keep()
	if got := w.is(id, types.ExperimentStatusFailed, cancelled, cancelled); *got.State.Error.Code != "AuthorizationFailure" {
		t.Errorf("got %+v", got.State)
	}
}

// TestStoppedInstancesAreStartedAgain when their time is over, once they have stopped.
func TestStoppedInstancesAreStartedAgain(t *testing.T) {
	w := newWorld(t)
	is := func(id string, state_ region.InstanceState) {
		w.Write(func(tx *state.Txn) {
			v, _ := region.Instances.Get(tx, id)
			v.ID, v.Zone, v.State, v.Since = id, "us-east-1a", state_, w.at
			v.Launch.Type = "m5.large"
			region.Instances.Put(tx, id, v)
		})
	}
	was := func(id string) (got region.InstanceState) {
		w.View(func(tx *state.Txn) error { v, _ := region.Instances.Get(tx, id); got = v.State; return nil })
		return got
	}
	const one, two = "i-00000000000000001", "i-00000000000000002"
	is(one, region.InstanceRunning)
	is(two, region.InstanceStopped)
	in := throttling()
	in.Targets = map[string]types.CreateExperimentTemplateTargetInput{"running": {ResourceType: aws.String("aws:ec2:instance"),
		Filters: []types.ExperimentTemplateTargetInputFilter{{Path: aws.String("State.Name"), Values: []string{"running"}},
			{Path: aws.String("Placement.AvailabilityZone"), Values: []string{"us-east-1a"}}}, SelectionMode: aws.String("PERCENT(100)")}}
	in.Actions = map[string]types.CreateExperimentTemplateActionInput{"stop": {ActionId: aws.String("aws:ec2:stop-instances"),
		Targets: map[string]string{"Instances": "running"}, Parameters: map[string]string{"startInstancesAfterDuration": "PT2M"}}}
	id := w.begin(in, "")
	w.keep()
	w.is(id, types.ExperimentStatusRunning, running)
	if was(one) != region.InstanceStopping || was(two) != region.InstanceStopped {
		t.Fatalf("got %s and %s", was(one), was(two))
	}
	w.at = w.at.Add(2 * time.Minute)
	if again := w.keep(); again == 0 || again > time.Second {
		t.Errorf("what is stopping is looked at again after %v", again)
	}
	w.is(id, types.ExperimentStatusRunning, running)
	is(one, region.InstanceStopped)
	w.keep()
	w.is(id, types.ExperimentStatusCompleted, completed)
	if was(one) != region.InstancePending || was(two) != region.InstanceStopped {
		t.Errorf("got %s and %s", was(one), was(two))
	}
}

const noSuchService = "The service parameter value is not supported for the action. Specify a valid service and try again."

// TestTemplatesThatCannotBeCarriedOutAreRefused, those of actions that Tripod does not have by name.
func TestTemplatesThatCannotBeCarriedOutAreRefused(t *testing.T) {
	w := newWorld(t)
	then := func(edit func(*types.CreateExperimentTemplateActionInput)) func(*fis.CreateExperimentTemplateInput) {
		return func(in *fis.CreateExperimentTemplateInput) {
			one := in.Actions["then"]
			edit(&one)
			in.Actions["then"] = one
		}
	}
	parameter := func(name, value string) func(*fis.CreateExperimentTemplateInput) {
		return then(func(a *types.CreateExperimentTemplateActionInput) { a.Parameters[name] = value })
	}
	id := func(id string) func(*fis.CreateExperimentTemplateInput) {
		return then(func(a *types.CreateExperimentTemplateActionInput) { a.ActionId = &id })
	}
	after := func(name string) func(*fis.CreateExperimentTemplateInput) {
		return then(func(a *types.CreateExperimentTemplateActionInput) { a.StartAfter = []string{name} })
	}
	for words, edit := range map[string]func(*fis.CreateExperimentTemplateInput){
		noSuchService: parameter("service", "s3"),
		"The operations parameter value is not supported":           parameter("operations", "DescribeMoons"),
		"The duration PT30S is not valid":                           parameter("duration", "PT30S"),
		"The percentage 101 is not valid":                           parameter("percentage", "101"),
		"The parameter moon is not valid":                           parameter("moon", "1"),
		"Tripod does not have the action aws:ebs:pause-volume-io":   id("aws:ebs:pause-volume-io"),
		"The action ID aws:moon:eclipse":                            id("aws:moon:eclipse"),
		"The action then starts after moon, which is not an action": after("moon"),
		"The action then waits for itself":                          after("then"),
		"The target moon of the action then is not defined": then(func(a *types.CreateExperimentTemplateActionInput) {
			a.Targets["Roles"] = "moon"
		}),
		"1 to 5 stop conditions": func(in *fis.CreateExperimentTemplateInput) {
			in.StopConditions = []types.CreateExperimentTemplateStopConditionInput{}
		},
		"The selection mode SOME": func(in *fis.CreateExperimentTemplateInput) {
			roles := in.Targets["roles"]
			roles.SelectionMode = aws.String("SOME")
			in.Targets["roles"] = roles
		},
	} {
		in := throttling()
		edit(in)
		_, err := w.CreateExperimentTemplate(t.Context(), in)
		fails(t, err, "ValidationException", words)
	}
	_, err := fis.NewFromConfig(w.Config("nobody")).CreateExperimentTemplate(t.Context(), throttling())
	fails(t, err, "AccessDeniedException", "fis:CreateExperimentTemplate")
	w.Allow("nobody", "fis:*", "*")
	_, err = fis.NewFromConfig(w.Config("nobody")).CreateExperimentTemplate(t.Context(), throttling())
	fails(t, err, "AccessDeniedException", "iam:PassRole")
	_, err = w.GetExperimentTemplate(t.Context(), &fis.GetExperimentTemplateInput{Id: aws.String("EXTnone")})
	fails(t, err, "ResourceNotFoundException", "EXTnone")
}

// TestTemplatesAreKeptChangedAndDeleted; the same token makes the same one, and for other parameters is a conflict.
func TestTemplatesAreKeptChangedAndDeleted(t *testing.T) {
	w := newWorld(t)
	made, err := w.CreateExperimentTemplate(t.Context(), throttling())
	if err != nil {
		t.Fatal(err)
	}
	id := made.ExperimentTemplate.Id
	if again, err := w.CreateExperimentTemplate(t.Context(), throttling()); err != nil || *again.ExperimentTemplate.Id != *id {
		t.Errorf("again: %+v, %v", again, err)
	}
	other := throttling()
	other.Description = aws.String("another")
	_, err = w.CreateExperimentTemplate(t.Context(), other)
	fails(t, err, "ConflictException", "token")
	if _, err := w.UpdateExperimentTemplate(t.Context(), &fis.UpdateExperimentTemplateInput{Id: id,
		Description: aws.String("new")}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.TagResource(t.Context(), &fis.TagResourceInput{ResourceArn: made.ExperimentTemplate.Arn,
		Tags: map[string]string{"team": "web"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.UntagResource(t.Context(), &fis.UntagResourceInput{ResourceArn: made.ExperimentTemplate.Arn,
		TagKeys: []string{"Name"}}); err != nil {
		t.Fatal(err)
	}
	got, err := w.GetExperimentTemplate(t.Context(), &fis.GetExperimentTemplateInput{Id: id})
	if err != nil || *got.ExperimentTemplate.Description != "new" || len(got.ExperimentTemplate.Actions) != 2 ||
		!maps.Equal(got.ExperimentTemplate.Tags, map[string]string{"team": "web"}) ||
		got.ExperimentTemplate.ExperimentOptions.EmptyTargetResolutionMode != "fail" {
		t.Errorf("got %+v, %v", got.ExperimentTemplate, err)
	}
	list, err := w.ListExperimentTemplates(t.Context(), &fis.ListExperimentTemplatesInput{})
	if err != nil || len(list.ExperimentTemplates) != 1 {
		t.Errorf("got %+v, %v", list, err)
	}
	if _, err := w.DeleteExperimentTemplate(t.Context(), &fis.DeleteExperimentTemplateInput{Id: id}); err != nil {
		t.Fatal(err)
	}
	_, err = w.StartExperiment(t.Context(), &fis.StartExperimentInput{ExperimentTemplateId: id, ClientToken: aws.String("x")})
	fails(t, err, "ResourceNotFoundException", *id)
}

// TestActionsAndResourceTypesAreListed, as the console and tools look for what they can do.
func TestActionsAndResourceTypesAreListed(t *testing.T) {
	w := newWorld(t)
	actions, err := w.ListActions(t.Context(), &fis.ListActionsInput{})
	if err != nil || len(actions.Actions) < 10 {
		t.Fatalf("got %+v, %v", actions, err)
	}
	for _, one := range actions.Actions {
		got, err := w.GetAction(t.Context(), &fis.GetActionInput{Id: one.Id})
		if err != nil || *got.Action.Description == "" {
			t.Errorf("%s: %+v, %v", *one.Id, got, err)
			continue
		}
		for key, target := range got.Action.Targets {
			if _, err := w.GetTargetResourceType(t.Context(), &fis.GetTargetResourceTypeInput{ResourceType: target.ResourceType}); err != nil {
				t.Errorf("%s %s: %v", *one.Id, key, err)
			}
		}
	}
}

// TestThrottledRoleMeetsTheFault: the calls of the role's sessions, and nobody else's.
func TestThrottledRoleMeetsTheFault(t *testing.T) {
	w := newWorld(t)
	in := throttling()
	one := in.Actions["then"]
	one.Parameters["percentage"], one.StartAfter = "100", nil
	in.Actions["then"] = one
	w.begin(in, "")
	w.keep()
	if _, err := ec2.NewFromConfig(w.Config("admin")).DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{}); err != nil {
		t.Errorf("an administrator's call: %v", err)
	}
}
