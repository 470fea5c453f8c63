package fis_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/fis"
	"github.com/aws/aws-sdk-go-v2/service/fis/types"

	"tripod/region"
	"tripod/state"
)

const (
	one = "i-00000000000000001"
	two = "i-00000000000000002"
)

// become gives an instance a state.
func (w *world) become(id string, to region.InstanceState) {
	w.Write(func(tx *state.Txn) {
		v, _ := region.Instances.Get(tx, id)
		v.ID, v.Zone, v.State, v.Since, v.Launch.Type = id, "us-east-1a", to, w.at, "m5.large"
		region.Instances.Put(tx, id, v)
	})
}

func (w *world) stateOf(id string) (is region.InstanceState) {
	w.View(func(tx *state.Txn) error { v, _ := region.Instances.Get(tx, id); is = v.State; return nil })
	return is
}

// may lets the experiment's role do what the statements say.
func (w *world) may(statements ...string) {
	w.Write(func(tx *state.Txn) {
		role, _ := region.Roles.Get(tx, "driver")
		role.Inline = map[string]string{"own": `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`}
		region.Roles.Put(tx, "driver", role)
	})
}

// onInstances is a template of one action on instances.
func onInstances(token, action string, parameters map[string]string, ids ...string) *fis.CreateExperimentTemplateInput {
	in := throttling()
	in.ClientToken = &token
	var arns []string
	for _, id := range ids {
		arns = append(arns, "arn:aws:ec2:us-east-1:"+account+":instance/"+id)
	}
	in.Targets = map[string]types.CreateExperimentTemplateTargetInput{"all": {ResourceType: aws.String("aws:ec2:instance"),
		ResourceArns: arns, SelectionMode: aws.String("ALL")}}
	in.Actions = map[string]types.CreateExperimentTemplateActionInput{"act": {ActionId: &action,
		Targets: map[string]string{"Instances": "all"}, Parameters: parameters}}
	return in
}

// failsWith checks that an experiment has failed at its only action, and how.
func (w *world) failsWith(id, code, words string) {
	w.t.Helper()
	got := w.is(id, types.ExperimentStatusFailed, failed)
	if got.State.Error == nil || *got.State.Error.Code != code || *got.State.Error.Location != "act" ||
		!strings.Contains(*got.State.Reason, words) {
		w.t.Errorf("got %s %+v, want %s with %q", *got.State.Reason, got.State.Error, code, words)
	}
}

// TestRolesAreHeldToTheirConditions: a role that may stop only instances with a tag, of a type or by a name stops no others.
func TestRolesAreHeldToTheirConditions(t *testing.T) {
	for name, statement := range map[string]string{
		"tag": `"Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/chaos":"ready"}}`,
		"ec2": `"Resource":"*","Condition":{"StringEquals":{"ec2:ResourceTag/chaos":"ready","ec2:InstanceType":"m5.large",` +
			`"ec2:AvailabilityZone":"us-east-1a","ec2:Region":"us-east-1"},"Bool":{"aws:ViaAWSService":"false"}}`,
		"arn": `"Resource":"arn:aws:ec2:*:*:instance/` + one + `"`,
	} {
		w := newWorld(t)
		w.may(`{"Effect":"Allow","Action":["ec2:StopInstances","ec2:StartInstances"],` + statement + `}`)
		w.become(one, region.InstanceRunning)
		w.become(two, region.InstanceRunning)
		if _, err := ec2.NewFromConfig(w.Config("admin")).CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: []string{one},
			Tags: []ec2types.Tag{{Key: aws.String("chaos"), Value: aws.String("ready")}}}); err != nil {
			t.Fatal(err)
		}
		id := w.begin(onInstances("both", "aws:ec2:stop-instances", nil, one, two), "")
		w.keep()
		w.failsWith(id, "AuthorizationFailure", "is not authorized to perform: ec2:StopInstances on resource: arn:aws:ec2:us-east-1:"+account+
			":instance/"+two+" because no identity-based policy allows the ec2:StopInstances action")
		if w.stateOf(one) != region.InstanceRunning || w.stateOf(two) != region.InstanceRunning {
			t.Errorf("%s: the instances are %s and %s", name, w.stateOf(one), w.stateOf(two))
		}
		id = w.begin(onInstances("one", "aws:ec2:stop-instances", nil, one), "")
		w.keep()
		w.is(id, types.ExperimentStatusCompleted, completed)
		if w.stateOf(one) != region.InstanceStopping {
			t.Errorf("%s: the instance that may be stopped is %s", name, w.stateOf(one))
		}
	}
}

// TestEC2RefusesExperimentsAsItDoesPeople, and then none of an action's instances is changed.
func TestEC2RefusesExperimentsAsItDoesPeople(t *testing.T) {
	w := newWorld(t)
	w.become(one, region.InstanceRunning)
	w.become(two, region.InstanceRunning)
	client := ec2.NewFromConfig(w.Config("admin"))
	for _, in := range []*ec2.ModifyInstanceAttributeInput{
		{InstanceId: aws.String(two), DisableApiStop: &ec2types.AttributeBooleanValue{Value: aws.Bool(true)}},
		{InstanceId: aws.String(two), DisableApiTermination: &ec2types.AttributeBooleanValue{Value: aws.Bool(true)}},
	} {
		if _, err := client.ModifyInstanceAttribute(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	for action, words := range map[string]string{"aws:ec2:stop-instances": "may not be stopped. Modify its 'disableApiStop'",
		"aws:ec2:terminate-instances": "may not be terminated. Modify its 'disableApiTermination'"} {
		id := w.begin(onInstances(action, action, nil, one, two), "")
		w.keep()
		w.failsWith(id, "DependentServiceFailure", "OperationNotPermitted: The instance '"+two+"' "+words)
		if w.stateOf(one) != region.InstanceRunning {
			t.Errorf("%s: the other instance is %s", action, w.stateOf(one))
		}
	}
}

// TestInstancesWithoutRoomAreNotStartedAgain: the action fails by EC2's own error.
func TestInstancesWithoutRoomAreNotStartedAgain(t *testing.T) {
	w := newWorld(t)
	w.become(one, region.InstanceRunning)
	id := w.begin(onInstances("one", "aws:ec2:stop-instances", map[string]string{"startInstancesAfterDuration": "PT1M"}, one), "")
	w.keep()
	w.become(one, region.InstanceStopped)
	w.Write(func(tx *state.Txn) { region.LimitCapacity(tx, region.Capacity{Zone: "us-east-1a", Type: "m5.large"}) })
	w.at = w.at.Add(time.Minute)
	w.keep()
	w.failsWith(id, "DependentServiceFailure", "InsufficientInstanceCapacity: We currently do not have sufficient m5.large capacity")
	if w.stateOf(one) != region.InstanceStopped {
		t.Errorf("the instance is %s", w.stateOf(one))
	}
}

// TestNodesAreTerminatedByRightsOnEachOfThem, and not on all instances.
func TestNodesAreTerminatedByRightsOnEachOfThem(t *testing.T) {
	const arn = "arn:aws:eks:us-east-1:" + account + ":nodegroup/demo/blue/1"
	for _, may := range []string{one, two} {
		w := newWorld(t)
		w.may(`{"Effect":"Allow","Action":"eks:DescribeNodegroup","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"web"}}}`,
			`{"Effect":"Allow","Action":"ec2:TerminateInstances","Resource":"arn:aws:ec2:us-east-1:`+account+`:instance/`+may+`"}`)
		w.become(one, region.InstanceRunning)
		w.Write(func(tx *state.Txn) {
			region.Clusters.Put(tx, "C", region.Cluster{ID: "C", Name: "demo", Status: region.ClusterActive, Version: "1.36"})
			v, _ := region.Instances.Get(tx, one)
			v.Group = "asg"
			region.Instances.Put(tx, one, v)
			region.Nodegroups.Put(tx, "C/blue", region.Nodegroup{Nodegroup: ekstypes.Nodegroup{NodegroupArn: aws.String(arn),
				NodegroupName: aws.String("blue"), ClusterName: aws.String("demo"), Tags: map[string]string{"team": "web"},
				Resources: &ekstypes.NodegroupResources{AutoScalingGroups: []ekstypes.AutoScalingGroup{{Name: aws.String("asg")}}}}})
		})
		in := onInstances("t", "aws:eks:terminate-nodegroup-instances", map[string]string{"instanceTerminationPercentage": "50"})
		in.Targets["all"] = types.CreateExperimentTemplateTargetInput{ResourceType: aws.String("aws:eks:nodegroup"), ResourceArns: []string{arn},
			SelectionMode: aws.String("ALL")}
		act := in.Actions["act"]
		act.Targets = map[string]string{"Nodegroups": "all"}
		in.Actions["act"] = act
		id := w.begin(in, "")
		w.keep()
		if may == one {
			w.is(id, types.ExperimentStatusCompleted, completed)
		} else {
			w.failsWith(id, "AuthorizationFailure", "ec2:TerminateInstances on resource: arn:aws:ec2:us-east-1:"+account+":instance/"+one)
		}
		if is := w.stateOf(one); (is == region.InstanceShuttingDown) != (may == one) {
			t.Errorf("the node is %s", is)
		}
	}
}
