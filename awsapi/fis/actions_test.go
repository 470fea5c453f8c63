package fis_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/fis"
	"github.com/aws/aws-sdk-go-v2/service/fis/types"

	tripodfis "tripod/awsapi/fis"
	"tripod/region"
	"tripod/state"
)

// TestInstancesAreRebootedAndTerminated at once: such an action completes with its step.
func TestInstancesAreRebootedAndTerminated(t *testing.T) {
	for action, want := range map[string]region.InstanceState{"aws:ec2:reboot-instances": region.InstanceRunning,
		"aws:ec2:terminate-instances": region.InstanceShuttingDown} {
		t.Run(action, func(t *testing.T) {
			w := newWorld(t)
			const one = "i-00000000000000001"
			w.Write(func(tx *state.Txn) {
				region.Instances.Put(tx, one, region.Instance{ID: one, Zone: "us-east-1a", State: region.InstanceRunning, Since: w.at})
			})
			in := throttling()
			in.Targets = map[string]types.CreateExperimentTemplateTargetInput{"one": {ResourceType: aws.String("aws:ec2:instance"),
				ResourceArns: []string{"arn:aws:ec2:us-east-1:" + account + ":instance/" + one}, SelectionMode: aws.String("ALL")}}
			in.Actions = map[string]types.CreateExperimentTemplateActionInput{"act": {ActionId: &action,
				Targets: map[string]string{"Instances": "one"}}}
			id := w.begin(in, "")
			for range 3 { // a step that is done again does nothing again
				w.keep()
			}
			w.is(id, types.ExperimentStatusCompleted, completed)
			w.View(func(tx *state.Txn) error {
				v, _ := region.Instances.Get(tx, one)
				if rebooted := v.Rebooted.Equal(w.at); v.State != want || rebooted != (want == region.InstanceRunning) {
					t.Errorf("the instance is %s, rebooted %v; want %s", v.State, v.Rebooted, want)
				}
				return nil
			})
		})
	}
}

// TestSpotInstancesAreInterrupted two minutes after their notice, which follows the recommendation to replace them.
func TestSpotInstancesAreInterrupted(t *testing.T) {
	w := newWorld(t)
	const one = "i-00000000000000001"
	is := func() (v region.Instance) {
		w.View(func(tx *state.Txn) error { v, _ = region.Instances.Get(tx, one); return nil })
		return v
	}
	w.Write(func(tx *state.Txn) {
		region.Instances.Put(tx, one, region.Instance{ID: one, Zone: "us-east-1a", State: region.InstanceRunning, Since: w.at,
			Launch: region.InstanceLaunch{Type: "m5.large", Spot: true}})
	})
	in := throttling()
	in.Targets = map[string]types.CreateExperimentTemplateTargetInput{"one": {ResourceType: aws.String("aws:ec2:spot-instance"),
		ResourceArns: []string{"arn:aws:ec2:us-east-1:" + account + ":instance/" + one}, SelectionMode: aws.String("ALL")}}
	in.Actions = map[string]types.CreateExperimentTemplateActionInput{"act": {ActionId: aws.String("aws:ec2:send-spot-instance-interruptions"),
		Targets: map[string]string{"SpotInstances": "one"}, Parameters: map[string]string{"durationBeforeInterruption": "PT5M"}}}
	id := w.begin(in, "")
	w.keep()
	if v := is(); !v.Rebalance.Equal(w.at) || v.Spot != nil {
		t.Errorf("it is told %+v and advised at %v", v.Spot, v.Rebalance)
	}
	w.at = w.at.Add(3 * time.Minute)
	w.keep()
	if is().Spot == nil {
		t.Error("it has no notice two minutes before")
	}
	w.at = w.at.Add(2 * time.Minute)
	w.keep()
	w.is(id, types.ExperimentStatusCompleted, completed)
}

// podsOf are a cluster's pods, which the service account may delete that is named.
type podsOf struct {
	all     []tripodfis.Pod
	account string
	deleted []string
	broken  []string // "web latency=200ms"
}

func (p *podsOf) Find(context.Context, string, string, string, string) ([]tripodfis.Pod, error) {
	return p.all, nil
}

func (p *podsOf) Delete(_ context.Context, pod tripodfis.Pod, account string, _ *int) error {
	if account != p.account {
		return tripodfis.ErrNotAllowed
	}
	p.deleted = append(p.deleted, pod.Name)
	return nil
}

func (p *podsOf) Break(_ context.Context, pod tripodfis.Pod, account, words string, _ time.Duration) error {
	if account != p.account {
		return tripodfis.ErrNotAllowed
	}
	p.broken = append(p.broken, pod.Name+" "+words)
	return nil
}

// TestPodsAreDeletedByTheirServiceAccountsRights, and not by the experiment's role alone.
func TestPodsAreDeletedByTheirServiceAccountsRights(t *testing.T) {
	for account, want := range map[string]types.ExperimentStatus{"may": types.ExperimentStatusCompleted,
		"may-not": types.ExperimentStatusFailed} {
		w := newWorld(t)
		w.Write(func(tx *state.Txn) {
			region.Clusters.Put(tx, "C", region.Cluster{ID: "C", Name: "demo", Status: region.ClusterActive})
		})
		pods := &podsOf{account: "may", all: []tripodfis.Pod{{ClusterID: "C", Namespace: "default", Name: "web", UID: "1"}}}
		in := throttling()
		in.Targets = map[string]types.CreateExperimentTemplateTargetInput{"pods": {ResourceType: aws.String("aws:eks:pod"),
			SelectionMode: aws.String("ALL"), Parameters: map[string]string{"clusterIdentifier": "demo", "namespace": "default",
				"selectorType": "labelSelector", "selectorValue": "app=web"}}}
		in.Actions = map[string]types.CreateExperimentTemplateActionInput{"delete": {ActionId: aws.String("aws:eks:pod-delete"),
			Targets: map[string]string{"Pods": "pods"}, Parameters: map[string]string{"kubernetesServiceAccount": account}}}
		id := w.begin(in, "")
		driven := *w.Front.Acting().Experiments
		driven.Pods = pods
		for range 4 {
			if _, err := driven.Keep(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		got, err := w.GetExperiment(t.Context(), &fis.GetExperimentInput{Id: &id})
		if err != nil || got.Experiment.State.Status != want || (len(pods.deleted) > 0) != (account == "may") {
			t.Errorf("by %s: %+v, %v; deleted: %v", account, got.Experiment.State, err, pods.deleted)
		}
		if code := got.Experiment.State.Error; account != "may" && (code == nil || *code.Code != "AuthorizationFailure") {
			t.Errorf("by %s: %+v", account, code)
		}
	}
}

// TestAnInstanceThatIsGoneHoldsUpNoOther: the others are started again.
func TestAnInstanceThatIsGoneHoldsUpNoOther(t *testing.T) {
	w := newWorld(t)
	ids := []string{"i-00000000000000001", "i-00000000000000002"}
	become := func(id string, to region.InstanceState) {
		w.Write(func(tx *state.Txn) {
			v, _ := region.Instances.Get(tx, id)
			v.ID, v.Zone, v.State, v.Since = id, "us-east-1a", to, w.at
			v.Launch.Type = "m5.large"
			region.Instances.Put(tx, id, v)
		})
	}
	for _, id := range ids {
		become(id, region.InstanceRunning)
	}
	in := throttling()
	in.Targets = map[string]types.CreateExperimentTemplateTargetInput{"all": {ResourceType: aws.String("aws:ec2:instance"),
		ResourceArns: []string{"arn:aws:ec2:us-east-1:" + account + ":instance/" + ids[0], "arn:aws:ec2:us-east-1:" + account + ":instance/" +
			ids[1]}, SelectionMode: aws.String("ALL")}}
	in.Actions = map[string]types.CreateExperimentTemplateActionInput{"stop": {ActionId: aws.String("aws:ec2:stop-instances"),
		Targets: map[string]string{"Instances": "all"}, Parameters: map[string]string{"startInstancesAfterDuration": "PT2M"}}}
	id := w.begin(in, "")
	w.keep()
	become(ids[0], region.InstanceTerminated)
	become(ids[1], region.InstanceStopped)
	w.at = w.at.Add(2 * time.Minute)
	w.keep()
	w.is(id, types.ExperimentStatusFailed, failed)
	w.View(func(tx *state.Txn) error {
		if v, _ := region.Instances.Get(tx, ids[1]); v.State != region.InstancePending {
			t.Errorf("the other instance is %s", v.State)
		}
		return nil
	})
}

// TestPodsAreBrokenForATime: each action in the words of api.RecordFaults, by the rights of a service account, and ended when the
// experiment is stopped.
func TestPodsAreBrokenForATime(t *testing.T) {
	for _, c := range []struct {
		id, account string
		parameters  map[string]string
		want        string
	}{
		{"aws:eks:pod-network-latency", "may", nil, "web latency=200ms,jitter=10ms"},
		{"aws:eks:pod-network-latency", "may", map[string]string{"delayMilliseconds": "50", "jitterMilliseconds": "0"}, "web latency=50ms"},
		{"aws:eks:pod-network-packet-loss", "may", map[string]string{"interface": "DEFAULT"}, "web loss=7"},
		{"aws:eks:pod-network-blackhole-port", "may", map[string]string{"port": "80", "protocol": "tcp", "trafficType": "ingress"},
			"web black-hole=80"},
		{"aws:eks:pod-network-blackhole-port", "may", map[string]string{"port": "443", "protocol": "tcp", "trafficType": "egress"},
			"web black-hole-to=443"},
		{"aws:eks:pod-cpu-stress", "may", map[string]string{"workers": "0"}, "web cpu-stress=100"},
		{"aws:eks:pod-memory-stress", "may", map[string]string{"percent": "50"}, "web memory-stress=50"},
		{"aws:eks:pod-memory-stress", "may-not", nil, ""},
	} {
		w := newWorld(t)
		w.Write(func(tx *state.Txn) {
			region.Clusters.Put(tx, "C", region.Cluster{ID: "C", Name: "demo", Status: region.ClusterActive})
		})
		pods := &podsOf{account: "may", all: []tripodfis.Pod{{ClusterID: "C", Namespace: "default", Name: "web", UID: "1"}}}
		in := throttling()
		in.Targets = map[string]types.CreateExperimentTemplateTargetInput{"pods": {ResourceType: aws.String("aws:eks:pod"),
			SelectionMode: aws.String("ALL"), Parameters: map[string]string{"clusterIdentifier": "demo", "namespace": "default",
				"selectorType": "labelSelector", "selectorValue": "app=web"}}}
		parameters := map[string]string{"kubernetesServiceAccount": c.account, "duration": "PT5M"}
		for name, value := range c.parameters {
			parameters[name] = value
		}
		in.Actions = map[string]types.CreateExperimentTemplateActionInput{"break": {ActionId: &c.id,
			Targets: map[string]string{"Pods": "pods"}, Parameters: parameters}}
		id := w.begin(in, "")
		driven := *w.Front.Acting().Experiments
		driven.Pods = pods
		keep := func() types.ExperimentStatus {
			for range 4 {
				if _, err := driven.Keep(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			got, err := w.GetExperiment(t.Context(), &fis.GetExperimentInput{Id: &id})
			if err != nil {
				t.Fatal(err)
			}
			return got.Experiment.State.Status
		}
		is := keep()
		if c.want == "" {
			if is != types.ExperimentStatusFailed || len(pods.broken) != 0 {
				t.Errorf("%s by %s: the experiment is %s, and %v", c.id, c.account, is, pods.broken)
			}
			continue
		}
		if is != types.ExperimentStatusRunning || len(pods.broken) == 0 || pods.broken[0] != c.want {
			t.Errorf("%s: the experiment is %s, and %q, want %q", c.id, is, pods.broken, c.want)
			continue
		}
		_, words, _ := strings.Cut(c.want, " ")
		fault := region.Fault{Target: "pod/default/web", ClusterID: "C", UID: "1", Fault: words, Until: time.Now().Add(time.Hour)}
		w.Write(func(tx *state.Txn) { region.Faults.Put(tx, fault.Key(), fault) })
		if _, err := w.StopExperiment(t.Context(), &fis.StopExperimentInput{Id: &id}); err != nil {
			t.Fatal(err)
		}
		if is := keep(); is != types.ExperimentStatusStopped {
			t.Errorf("%s: the experiment is %s after its stop", c.id, is)
		}
		w.View(func(tx *state.Txn) error { fault, _ = region.Faults.Get(tx, fault.Key()); return nil })
		if time.Until(fault.Until) > time.Minute {
			t.Errorf("%s: the fault lasts until %v after the stop", c.id, fault.Until)
		}
	}
}
