package az

import (
	"errors"
	"strings"
	"testing"
	"time"

	"tripod/api"
	"tripod/awsapi"
	"tripod/awsapi/ec2"
	"tripod/az/controlplane"
	"tripod/az/zonetest"
	"tripod/nodes/podlife"
	"tripod/region"
	"tripod/state"
)

const (
	webPod   = "/api/v1/namespaces/default/pods/web-0"
	nodeName = "ip-10-0-0-10.ec2.internal"
	nodePath = "/api/v1/nodes/" + nodeName
	first    = "i-00000000000000001"
	second   = "i-00000000000000002"
)

// world is a region of one cluster with a node and a pod, at a time.
type world struct {
	*recordFaults
	t       *testing.T
	memory  *state.Memory
	objects *zonetest.Objects
	at      time.Time
	events  []api.Event
	played  *played
}

func newWorld(t *testing.T, clusters ...string) *world {
	t.Helper()
	if clusters == nil {
		clusters = []string{"demo"}
	}
	w := &world{t: t, at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), played: &played{well: true}}
	w.objects = zonetest.NewObjects(map[string]map[string]string{webPod: nil, nodePath: nil})
	t.Cleanup(w.objects.Close)
	w.memory = region.NewMemory(func(tx *state.Txn) {
		for _, name := range clusters {
			region.Clusters.Put(tx, "ID-"+name, region.Cluster{ID: "ID-" + name, Name: name, Status: region.ClusterActive})
		}
	})
	vpc := ec2.VPC{AccountID: "000000000000", Region: "us-east-1", Zones: []string{"us-east-1a", "us-east-1b", "us-east-1c"}}
	w.recordFaults = &recordFaults{region: "us-east-1", state: w.memory, network: &ec2.Service{VPC: vpc, State: w.memory},
		operation: awsapi.Backend{}.CheckOperation,
		objects: func(string) (controlplane.Objects, error) {
			return controlplane.Objects{URL: w.objects.URL, Client: w.objects.Client()}, nil
		},
		letter: "b", processes: func(string) (processes, error) { return w.played, nil },
		event: func(e api.Event) { w.events = append(w.events, e) }, now: func() time.Time { return w.at }}
	return w
}

// launch puts an instance there that runs and is a node of the first cluster.
func (w *world) launch(id, name string, edit ...func(*region.Instance)) {
	w.t.Helper()
	v := region.Instance{ID: id, Zone: "us-east-1a", DNSName: name, State: region.InstanceRunning, Since: w.at,
		Launch: region.InstanceLaunch{Type: "m5.large"},
		Boot:   region.Boot{At: w.at, Joined: w.at, ClusterID: "ID-demo", Cluster: "demo"}}
	for _, change := range edit {
		change(&v)
	}
	w.update(func(tx *state.Txn) { region.Instances.Put(tx, id, v) })
}

func (w *world) update(change func(tx *state.Txn)) {
	w.t.Helper()
	if err := w.memory.Update(w.t.Context(), func(tx *state.Txn) error { change(tx); return nil }); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) instance(id string) (v region.Instance) {
	w.memory.View(func(tx *state.Txn) error { v, _ = region.Instances.Get(tx, id); return nil })
	return v
}

// orderOf is one for a target, as it is typed.
func orderOf(text, fault string, edit ...func(*api.FaultOrder)) api.FaultOrder {
	kind, name, _ := strings.Cut(text, "/")
	o := api.FaultOrder{Target: api.Target{Kind: kind, Name: name}, Fault: fault}
	for _, change := range edit {
		change(&o)
	}
	return o
}

func (w *world) inject(text, fault string, edit ...func(*api.FaultOrder)) api.FaultDone {
	w.t.Helper()
	done, err := w.begin(w.t.Context(), orderOf(text, fault, edit...))
	if err != nil {
		w.t.Fatalf("%s %s: %v", text, fault, err)
	}
	return done
}

func (w *world) reset(text string, edit ...func(*api.FaultOrder)) {
	w.t.Helper()
	if _, err := w.end(w.t.Context(), orderOf(text, "", edit...)); err != nil {
		w.t.Fatalf("reset %s: %v", text, err)
	}
}

// refused checks that an order is refused, with a part of the sentence.
func (w *world) refused(want, verb, text, fault string, edit ...func(*api.FaultOrder)) {
	w.t.Helper()
	do := w.begin
	if verb == api.Reset {
		do = w.end
	}
	_, err := do(w.t.Context(), orderOf(text, fault, edit...))
	if refused := (*Refusal)(nil); !errors.As(err, &refused) || !strings.Contains(err.Error(), want) {
		w.t.Errorf("%s %s %s: %v, want the refusal %q", verb, text, fault, err, want)
	}
}

// shown are the faults in force, as "target fault".
func (w *world) shown() string {
	var shown []string
	w.memory.View(func(tx *state.Txn) error {
		for _, fault := range faultsIn(tx) {
			shown = append(shown, fault.Target+" "+fault.Fault)
		}
		return nil
	})
	return strings.Join(shown, ", ")
}

func (w *world) wantShown(want string) {
	w.t.Helper()
	if got := w.shown(); got != want {
		w.t.Errorf("in force: %q, want %q", got, want)
	}
}

// look is one turn of the loop.
func (w *world) look() time.Duration {
	w.t.Helper()
	again, err := w.keep(w.t.Context(), everything)
	if err != nil {
		w.t.Fatal(err)
	}
	return again
}

func inCluster(name string) func(*api.FaultOrder) {
	return func(o *api.FaultOrder) { o.Cluster = name }
}
func lasting(d time.Duration) func(*api.FaultOrder) { return func(o *api.FaultOrder) { o.For = d } }

func TestEveryKindOfRecordFaultIsDoneAndUndone(t *testing.T) {
	kept := 0
	for _, fault := range api.RecordFaults {
		if fault.Region {
			continue
		}
		kept++
		kind := recordFaultKinds[fault.Kind]
		if kind.begin == nil || kind.named == nil || kind.undo == nil && kind.clear == nil {
			t.Errorf("nothing does %s, or takes it back", fault.Kind)
		}
	}
	if len(recordFaultKinds) != kept {
		t.Errorf("%d kinds are done, %d are listed", len(recordFaultKinds), kept)
	}
}

// TestPodFaultsAreThoseThatKubeletsPlay: the list of them for people, in package api, knows no Kubernetes.
func TestPodFaultsAreThoseThatKubeletsPlay(t *testing.T) {
	for _, text := range []string{"crash-loop", "exit=3", "oom-kill", "image-pull", "not-ready", "slow-start", "slow-start=5s",
		"crash-loop,not-ready", "exit", "exit=300", "exit=x", "slow-start=x", "oom-kill=1", "nothing", ","} {
		ours, theirs := orderOf("pod/default/web-0", text).Check(), podlife.ParseFault(text)
		if (ours == nil) != (theirs == nil) {
			t.Errorf("%q: the command says %v, a kubelet %v", text, ours, theirs)
		}
	}
	if faultAnnotation != podlife.AnnotationFault {
		t.Errorf("kubelets read %s", podlife.AnnotationFault)
	}
}

func TestUpdateFailsUntilReset(t *testing.T) {
	w := newWorld(t)
	w.inject("update/demo", "")
	w.wantShown("update/demo to fail")
	w.reset("update/demo")
	w.wantShown("")
	w.refused(`there is no cluster "other" in us-east-1: its clusters are demo`, "fault", "update/other", "")
	w.refused(`there is no cluster "other"`, api.Reset, "update/other", "")
}

func TestCapacityIsLimitedByTypeAndFreedAtOnce(t *testing.T) {
	w := newWorld(t)
	large := func(o *api.FaultOrder) { o.InstanceType = "m5.large" }
	if done := w.inject("capacity/b", "", large, lasting(time.Minute)); done.Target != "capacity/us-east-1b" ||
		!strings.Contains(done.Said, "at most 0 m5.large") {
		t.Errorf("done %+v", done)
	}
	w.inject("capacity/us-east-1b", "", func(o *api.FaultOrder) { o.Instances = 2 })
	w.wantShown("capacity/us-east-1b at most 2 instances, capacity/us-east-1b at most 0 m5.large")
	capacities := func() (all []region.Capacity) {
		w.memory.View(func(tx *state.Txn) error { all = region.Capacities.List(tx); return nil })
		return all
	}
	if all := capacities(); len(all) != 2 || all[0] != (region.Capacity{Zone: "us-east-1b", Instances: 2}) ||
		all[1] != (region.Capacity{Zone: "us-east-1b", Type: "m5.large"}) {
		t.Errorf("capacities %+v", all)
	}
	if again := w.look(); again != time.Minute {
		t.Errorf("it is looked again after %v", again)
	}
	w.at = w.at.Add(time.Minute)
	w.look()
	w.wantShown("capacity/us-east-1b at most 2 instances")
	if all := capacities(); len(all) != 1 || len(w.events) != 1 || w.events[0].Type != api.FaultCleared {
		t.Errorf("after a minute: %+v, %+v", all, w.events)
	}
	w.reset("capacity/b")
	w.reset("capacity/b")
	w.wantShown("")
	if all := capacities(); len(all) != 0 {
		t.Errorf("after the reset: %+v", all)
	}
	w.refused(`there is no zone "d" in us-east-1: its zones are a, b, c`, "fault", "capacity/d", "")
	w.refused(`there is no zone "d"`, api.Reset, "capacity/d", "")
	w.refused(`no instance type "m5.huge"`, "fault", "capacity/b", "", func(o *api.FaultOrder) { o.InstanceType = "m5.huge" })
}

func TestSpotInstanceIsToldAndNothingTakesThatBack(t *testing.T) {
	w := newWorld(t)
	w.refused(`there is no instance or node "`+first+`": there are no spot instances`, "fault", "spot/"+first, "")
	spot := func(v *region.Instance) { v.Launch.Spot = true }
	w.launch(first, nodeName, spot)
	w.launch(second, "ip-10-0-0-11.ec2.internal")
	w.refused("instance "+second+" is on demand, and EC2 takes back spot instances only: the spot instances are "+first,
		"fault", "spot/"+second, "")
	w.inject("spot/"+first, "", func(o *api.FaultOrder) { o.Rebalance = true })
	if v := w.instance(first); v.Rebalance.IsZero() || v.Spot != nil {
		t.Errorf("after the recommendation: %+v", v)
	}
	w.wantShown("")
	w.refused("notices and recommendations stay", api.Reset, "spot/"+first, "")

	done := w.inject("spot/"+nodeName, "", func(o *api.FaultOrder) { o.Action = "stop" })
	if done.Target != "spot/"+first || !done.Final || done.Said != "is told that EC2 will stop it at 03:06:05 UTC" {
		t.Errorf("done %+v", done)
	}
	if v := w.instance(first); v.Spot == nil || v.Spot.Action != "stop" || !v.Spot.At.Equal(w.at.Add(2*time.Minute)) {
		t.Errorf("told %+v", v.Spot)
	}
	w.inject("spot/"+first, "") // it was told
	w.refused("told already that EC2 will stop it", "fault", "spot/"+first, "", func(o *api.FaultOrder) { o.Action = "terminate" })
	w.refused("EC2 takes nothing back", api.Reset, "spot/"+first, "")
	w.at = w.at.Add(3 * time.Minute)
	w.look() // its zone is late
	w.wantShown("spot/" + first + " to stop")
	w.launch(first, nodeName, spot, func(v *region.Instance) { v.State = region.InstanceStopping })
	w.look()
	w.wantShown("")
	w.refused("IncorrectInstanceState", "fault", "spot/"+first, "")
}

func TestPodHasItsFaultUntilReset(t *testing.T) {
	w := newWorld(t)
	if done := w.inject("pod/default/web-0", "crash-loop, not-ready"); done.Cluster != "demo" ||
		done.Said != "has the fault crash-loop,not-ready" {
		t.Errorf("done %+v", done)
	}
	w.wantShown("pod/default/web-0 crash-loop,not-ready")
	if got := w.objects.Annotation(webPod, faultAnnotation); got != "crash-loop,not-ready" {
		t.Errorf("the annotation is %q", got)
	}
	if again := w.look(); again != lookEvery {
		t.Errorf("it is looked again after %v", again)
	}
	w.inject("pod/default/web-0", "oom-kill")
	w.wantShown("pod/default/web-0 oom-kill")
	w.reset("pod/default/web-0", inCluster("demo"))
	w.wantShown("")
	if got := w.objects.Annotation(webPod, faultAnnotation); got != "" {
		t.Errorf("after the reset it is %q", got)
	}
	w.objects.Make(webPod, map[string]string{faultAnnotation: "oom-kill"}) // by somebody's manifest
	w.reset("pod/default/web-0")
	if got := w.objects.Annotation(webPod, faultAnnotation); got != "" {
		t.Errorf("of a manifest, after the reset it is %q", got)
	}
}

func TestPodThatIsNotThereIsRefused(t *testing.T) {
	w := newWorld(t)
	w.refused(`there is no pod "web-1" in namespace default of cluster demo: its pods are web-0`,
		"fault", "pod/default/web-1", "oom-kill")
	w.refused(`in namespace kube-system of cluster demo: it has none`, "fault", "pod/kube-system/x", "oom-kill")
	w.refused(`there is no pod "web-1"`, api.Reset, "pod/default/web-1", "")
	w.refused("is no fault of a pod", "fault", "pod/default/web-0", "sulk")
	w.wantShown("")
	w = newWorld(t, "demo", "second")
	w.refused("say in which by --cluster: demo, second", "fault", "pod/default/web-0", "oom-kill")
	w.refused(`there is no cluster "third"`, "fault", "pod/default/web-0", "oom-kill", inCluster("third"))
	for _, cluster := range []string{"demo", "second"} {
		w.inject("pod/default/web-0", "oom-kill", inCluster(cluster))
	}
	w.refused("has faults in several clusters: say in which by --cluster: demo, second", api.Reset, "pod/default/web-0", "")
	w.reset("pod/default/web-0", inCluster("second"))
	w.reset("pod/default/web-0") // the only one left
	w.wantShown("")
}

// TestFaultOfAnObjectEnds: by its time, with the object, when somebody else has changed it, and with the cluster.
func TestFaultOfAnObjectEnds(t *testing.T) {
	for name, end := range map[string]func(*world){
		"time":       func(w *world) { w.at = w.at.Add(30 * time.Second) },
		"deleted":    func(w *world) { w.objects.Delete(webPod) },
		"another":    func(w *world) { w.objects.Make(webPod, map[string]string{faultAnnotation: "oom-kill"}) },
		"unfaulted":  func(w *world) { w.objects.Make(webPod, nil) },
		"no cluster": func(w *world) { w.update(func(tx *state.Txn) { region.Clusters.Delete(tx, "ID-demo") }) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.inject("pod/default/web-0", "oom-kill", lasting(30*time.Second))
			w.at = w.at.Add(28 * time.Second)
			if again := w.look(); again != 2*time.Second {
				t.Errorf("it is looked again after %v", again)
			}
			w.wantShown("pod/default/web-0 oom-kill")
			end(w)
			w.look()
			w.wantShown("")
			if len(w.events) != 1 || w.events[0].Type != api.FaultCleared || w.events[0].Target != "pod/default/web-0" {
				t.Errorf("told %+v", w.events)
			}
			if name == "time" && w.objects.Annotation(webPod, faultAnnotation) != "" {
				t.Error("the annotation is still there")
			}
		})
	}
}

// TestUnreachableAPIServerIsNoRefusal: another zone's may answer, and the record of a fault stays.
func TestUnreachableAPIServerIsNoRefusal(t *testing.T) {
	w := newWorld(t)
	w.inject("pod/default/web-0", "oom-kill", lasting(time.Second))
	w.objects.Close()
	var refused *Refusal
	if _, err := w.begin(t.Context(), orderOf("pod/default/web-0", "crash-loop")); err == nil || errors.As(err, &refused) ||
		!strings.Contains(err.Error(), "pod/default/web-0: the API server does not answer") {
		t.Errorf("got %v", err)
	}
	w.at = w.at.Add(time.Minute)
	if _, err := w.keep(t.Context(), everything); err == nil || len(w.events) != 0 {
		t.Errorf("the loop says %v and tells %+v", err, w.events)
	}
	w.wantShown("pod/default/web-0 oom-kill")
}

func TestNodeIsAtFault(t *testing.T) {
	w := newWorld(t, "demo", "second")
	w.launch(first, nodeName)
	if done := w.inject("node/"+nodeName, "pressure=disk"); done.Said != "is short of disk" || done.Cluster != "demo" {
		t.Errorf("done %+v: its instance says whose node it is", done)
	}
	w.inject("node/"+first, "not-ready")
	w.wantShown("node/" + nodeName + " not-ready, node/" + nodeName + " pressure=disk")
	if w.objects.Annotation(nodePath, pressureAnnotation) != "disk" ||
		w.objects.Annotation(nodePath, faultAnnotation) != kubeletStopped {
		t.Error("the annotations are not there")
	}
	w.reset("node/" + nodeName)
	w.wantShown("")
	if w.objects.Annotation(nodePath, pressureAnnotation)+w.objects.Annotation(nodePath, faultAnnotation) != "" {
		t.Error("the annotations are still there")
	}
	w.refused("say in which by --cluster", "fault", "node/none", "not-ready")
	w.refused(`there is no node "none" in cluster second: its nodes are `+nodeName, "fault", "node/none", "not-ready",
		inCluster("second"))
	w.refused(`there is no node "none" with an instance: the instances are `+first+" ("+nodeName+")", "fault", "node/none", "stop")
}

func TestInstanceOfANodeIsTerminatedStoppedAndImpaired(t *testing.T) {
	w := newWorld(t)
	w.launch(first, nodeName)
	w.inject("node/"+nodeName, "impair")
	if v := w.instance(first); !v.Impaired.Equal(w.at) {
		t.Errorf("impaired since %v", v.Impaired)
	}
	w.look()
	w.wantShown("node/" + nodeName + " impair")
	w.reset("node/" + first)
	if v := w.instance(first); !v.Impaired.IsZero() {
		t.Error("it is still impaired")
	}

	w.inject("node/"+first, "stop", lasting(time.Minute))
	if v := w.instance(first); v.State != region.InstanceStopping {
		t.Errorf("it is %s", v.State)
	}
	w.refused("is stopping already, and takes no impair", "fault", "node/"+first, "impair")
	w.look()
	w.wantShown("node/" + nodeName + " stop")
	w.update(func(tx *state.Txn) { region.EndStop(tx, first, w.at) })
	w.at = w.at.Add(time.Minute)
	w.look()
	if v := w.instance(first); v.State != region.InstancePending {
		t.Errorf("after its time it is %s", v.State)
	}
	w.wantShown("")

	w.inject("node/"+first, "stop")
	w.update(func(tx *state.Txn) { region.EndStop(tx, first, w.at); region.StartInstance(tx, first, w.at) })
	w.look() // somebody else has started it
	w.wantShown("")

	if done := w.inject("node/"+first, "terminate"); !done.Final || w.instance(first).State != region.InstanceShuttingDown {
		t.Errorf("%+v: it is %s", done, w.instance(first).State)
	}
	w.refused("is shutting-down already", "fault", "node/"+first, "terminate")
	w.wantShown("")
}

// TestInstanceThatStopsIsStartedWhenItHasStopped: a reset waits for that.
func TestInstanceThatStopsIsStartedWhenItHasStopped(t *testing.T) {
	w := newWorld(t)
	w.launch(first, nodeName)
	w.inject("node/"+first, "stop")
	done := make(chan error, 1)
	go func() { _, err := w.end(t.Context(), orderOf("node/"+first, "")); done <- err }()
	select {
	case err := <-done:
		t.Fatalf("it did not wait: %v", err)
	case <-time.After(10 * time.Millisecond):
	}
	w.update(func(tx *state.Txn) { region.EndStop(tx, first, w.at) })
	if err := <-done; err != nil || w.instance(first).State != region.InstancePending {
		t.Errorf("%v; it is %s", err, w.instance(first).State)
	}
}

func everything(region.Fault) bool { return true }
