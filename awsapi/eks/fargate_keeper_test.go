package eks_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	service "tripod/awsapi/eks"
	"tripod/nodes/object"
	"tripod/region"
	"tripod/state"
)

// fakeFargate is a cluster as Fargate sees it.
type fakeFargate struct {
	mu       sync.Mutex
	pods     map[string]object.FargatePod // by UID
	nodes    map[string]object.Node
	admitted bool
	mapped   map[string]bool
	events   []string
	forced   []string
	// finalized are the names of pods that stay when they are deleted.
	finalized map[string]bool
}

func newFakeFargate() *fakeFargate {
	return &fakeFargate{pods: map[string]object.FargatePod{}, nodes: map[string]object.Node{}, mapped: map[string]bool{}}
}

func (f *fakeFargate) Pods(context.Context) ([]object.FargatePod, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Values(f.pods)), nil
}

func (f *fakeFargate) Nodes(context.Context) ([]object.Node, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Values(f.nodes)), nil
}

func (f *fakeFargate) Admit(context.Context) error { f.admitted = true; return nil }

func (f *fakeFargate) Bind(_ context.Context, pod object.FargatePod, node string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.pods[pod.UID]
	p.Node = node
	f.pods[pod.UID] = p
	return nil
}

func (f *fakeFargate) Tell(_ context.Context, pod object.FargatePod, event object.FargateEvent) error {
	f.events = append(f.events, pod.Name+": "+event.Message)
	return nil
}

func (f *fakeFargate) DeletePod(_ context.Context, pod object.FargatePod, force bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if force {
		f.forced = append(f.forced, pod.Name)
	}
	if f.finalized[pod.Name] {
		pod.Ending = true
		f.pods[pod.UID] = pod
		return nil
	}
	delete(f.pods, pod.UID)
	return nil
}

func (f *fakeFargate) DeleteNode(_ context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.nodes, name)
	return nil
}

func (f *fakeFargate) MapRole(_ context.Context, arn string) error { f.mapped[arn] = true; return nil }

func (f *fakeFargate) UnmapRole(_ context.Context, arn string) error {
	delete(f.mapped, arn)
	return nil
}

// fargateWorld is a region whose Fargate profiles act in a fake cluster, by a clock of its own.
type fargateWorld struct {
	*world
	t       *testing.T
	now     time.Time
	cluster *fakeFargate
	keeper  *service.FargateKeeper
	// boots says whether a machine's kubelet registers.
	boots func(region.FargateMachine) bool
}

func newFargateWorld(t *testing.T, mode string) *fargateWorld {
	w := &fargateWorld{world: newWorld(t, mode), t: t, now: time.Now().UTC().Truncate(time.Millisecond), cluster: newFakeFargate()}
	w.keeper = fargateKeeper(w.world, w.cluster, func() time.Time { return w.now })
	w.boots = func(region.FargateMachine) bool { return true }
	return w
}

func fargateKeeper(w *world, cluster *fakeFargate, now func() time.Time) *service.FargateKeeper {
	return &service.FargateKeeper{ClusterID: clusterID, Cluster: cluster, Service: &service.Service{Region: vpc.Region,
		AccountID: vpc.AccountID, VPC: vpc, State: w.state, Probes: service.Probes{Now: now}}}
}

func (w *fargateWorld) machines() (all []region.FargateMachine) {
	w.state.View(func(tx *state.Txn) error { all = region.FargateMachines.List(tx); return nil })
	return all
}

// round lets everything that can happen now happen once.
func (w *fargateWorld) round() {
	w.t.Helper()
	if _, err := w.keeper.Keep(ctx); err != nil {
		w.t.Fatal(err)
	}
	w.cluster.mu.Lock()
	defer w.cluster.mu.Unlock()
	for _, m := range w.machines() {
		if !m.Starts.After(w.now) && w.boots(m) {
			w.cluster.nodes[m.Name] = object.Node{Name: m.Name, InstanceID: m.InstanceID(), Ready: true}
		}
	}
}

// until lets time pass until something holds, for so long at most.
func (w *fargateWorld) until(what string, most time.Duration, holds func() bool) {
	w.t.Helper()
	for end := w.now.Add(most); ; w.now = w.now.Add(100 * time.Millisecond) {
		w.round()
		if holds() {
			return
		}
		if w.now.After(end) {
			w.t.Fatalf("%s: not after %v; pods %v, machines %+v, events %q", what, most, w.cluster.pods, w.machines(), w.cluster.events)
		}
	}
}

// profile makes an ACTIVE profile of the namespace web.
func (w *fargateWorld) profile(name string, change func(*eks.CreateFargateProfileInput)) {
	w.t.Helper()
	in := &eks.CreateFargateProfileInput{ClusterName: aws.String("demo"), FargateProfileName: &name,
		PodExecutionRoleArn: aws.String(role), Selectors: []types.FargateProfileSelector{{Namespace: aws.String("web")}}}
	if change != nil {
		change(in)
	}
	must(w.CreateFargateProfile(ctx, in))(w.t)
	w.until("the profile is ACTIVE", time.Second, func() bool { return w.status(name) == types.FargateProfileStatusActive })
}

func (w *fargateWorld) status(name string) (status types.FargateProfileStatus) {
	w.state.View(func(tx *state.Txn) error {
		p, _ := region.FargateProfiles.Get(tx, clusterID+"/"+name)
		status = p.Status
		return nil
	})
	return status
}

// pod makes a pod of Fargate's scheduler.
func (w *fargateWorld) pod(name string, change func(*object.FargatePod)) {
	p := object.FargatePod{Namespace: "web", Name: name, UID: "uid-" + name, Profile: "f", Owner: "owner",
		Size: object.FargateSize{MilliCPU: 250, MemoryMiB: 512, DiskGiB: 20}, Created: w.now}
	if change != nil {
		change(&p)
	}
	w.cluster.pods[p.UID] = p
}

func (w *fargateWorld) bound(names ...string) func() bool {
	return func() bool {
		for _, name := range names {
			if w.cluster.pods["uid-"+name].Node == "" {
				return false
			}
		}
		return true
	}
}

func (w *fargateWorld) write(fn func(tx *state.Txn)) {
	w.t.Helper()
	if err := w.state.Update(ctx, func(tx *state.Txn) error { fn(tx); return nil }); err != nil {
		w.t.Fatal(err)
	}
}

func (w *fargateWorld) zones() map[string]int {
	zones := map[string]int{}
	for _, m := range w.machines() {
		zones[m.Zone]++
	}
	return zones
}

func TestEachPodOnFargateHasAMachineWhileItLives(t *testing.T) {
	w := newFargateWorld(t, "API")
	w.profile("f", nil)
	if !w.cluster.admitted {
		t.Error("a profile is ACTIVE that no new pod falls to")
	}
	for _, name := range []string{"a", "b", "c"} {
		w.pod(name, nil)
	}
	w.until("the pods are bound", 5*time.Second, w.bound("a", "b", "c"))
	if zones := w.zones(); len(zones) != 3 {
		t.Errorf("three pods of one controller are in %v, want one in each zone", zones)
	}
	for _, m := range w.machines() {
		if !strings.HasPrefix(m.Name, "fargate-ip-10-0-") || m.RoleARN != role || m.Version == "" || len(m.TaskID) != 43 {
			t.Errorf("machine %+v", m)
		}
		if w.cluster.pods[m.PodUID].Node != m.Name {
			t.Errorf("the pod %s is on %s, want %s", m.Pod, w.cluster.pods[m.PodUID].Node, m.Name)
		}
	}
	delete(w.cluster.pods, "uid-a")
	w.until("a's node goes with it", 5*time.Second, func() bool { return len(w.machines()) == 2 && len(w.cluster.nodes) == 2 })
	if len(w.cluster.events) > 0 {
		t.Errorf("events %q", w.cluster.events)
	}
}

func TestPodsThatFargateCannotRunAreTold(t *testing.T) {
	w := newFargateWorld(t, "API")
	w.profile("f", nil)
	w.pod("privileged", func(p *object.FargatePod) { p.Refused = "Pod not supported on Fargate: x" })
	w.pod("unlabelled", func(p *object.FargatePod) { p.Profile = "" })
	w.pod("misnamed", func(p *object.FargatePod) { p.Profile = "g" })
	w.until("events", 5*time.Second, func() bool { return len(w.cluster.events) >= 3 })
	start := w.now
	w.until("time passes", time.Minute, func() bool { return w.now.Sub(start) > 30*time.Second })
	slices.Sort(w.cluster.events)
	want := []string{"misnamed: Misconfigured Fargate Profile: the cluster has no fargate profile g",
		"privileged: Pod not supported on Fargate: x", "unlabelled: Misconfigured Fargate Profile: the pod has no label " +
			"eks.amazonaws.com/fargate-profile, since no profile selected it when it was created"}
	if !slices.Equal(w.cluster.events, want) || len(w.machines()) > 0 {
		t.Errorf("events %q, want %q once each; machines %v", w.cluster.events, want, w.machines())
	}
}

func TestPodsOnFargateWaitForCapacity(t *testing.T) {
	w := newFargateWorld(t, "API")
	w.profile("f", nil)
	limit := func(zone string, n int) {
		w.write(func(tx *state.Txn) { region.LimitCapacity(tx, region.Capacity{Zone: zone, Instances: n}) })
	}
	for _, zone := range vpc.Zones {
		limit(zone, 0)
	}
	w.pod("a", nil)
	const told = "a: Fargate capacity is unavailable at this time. Please try again later or in a different availability zone."
	w.until("it is told", time.Second, func() bool { return slices.Equal(w.cluster.events, []string{told}) })
	limit("us-east-1b", 1)
	w.until("it is bound", 10*time.Second, w.bound("a"))
	if zones := w.zones(); zones["us-east-1b"] != 1 {
		t.Errorf("it is in %v", zones)
	}
}

func TestALostZonesPodsAreReplaced(t *testing.T) {
	w := newFargateWorld(t, "API")
	w.profile("f", nil)
	for _, name := range []string{"a", "b", "c"} {
		w.pod(name, nil)
	}
	w.until("the pods are bound", 5*time.Second, w.bound("a", "b", "c"))
	out := w.machines()[0]
	w.write(func(tx *state.Txn) {
		region.ZoneOutages.Put(tx, out.Zone, region.ZoneOutage{Zone: out.Zone, Since: w.now})
	})
	w.boots = func(m region.FargateMachine) bool { return m.Zone != out.Zone }
	w.pod("early", nil)
	w.until("new pods do without the zone", 3*time.Second, w.bound("early"))
	if len(w.cluster.forced) > 0 || len(w.machines()) != 4 {
		t.Errorf("%v were deleted before the zone was given up", w.cluster.forced)
	}
	w.until("its pod is given up", 10*time.Second, func() bool { return len(w.cluster.forced) > 0 })
	w.until("its node goes", 5*time.Second, func() bool { return len(w.cluster.nodes) == 3 })
	if want := []string{out.Pod}; !slices.Equal(w.cluster.forced, want) {
		t.Errorf("%v were deleted, want %v", w.cluster.forced, want)
	}
	w.pod("successor", nil)
	w.until("its controller's next pod is bound", 5*time.Second, w.bound("successor"))
	if w.zones()[out.Zone] != 0 {
		t.Errorf("machines are in %v, and %s is out", w.zones(), out.Zone)
	}
}

func TestAPodThatAFinalizerKeepsIsNotDeletedWithoutPause(t *testing.T) {
	w := newFargateWorld(t, "API")
	w.profile("f", nil)
	w.pod("a", nil)
	w.until("it is bound", 5*time.Second, w.bound("a"))
	w.cluster.finalized = map[string]bool{"a": true}
	zone := w.machines()[0].Zone
	w.write(func(tx *state.Txn) { region.ZoneOutages.Put(tx, zone, region.ZoneOutage{Zone: zone, Since: w.now}) })
	start := w.now
	w.until("time passes", time.Minute, func() bool { return w.now.Sub(start) > 30*time.Second })
	if n := len(w.cluster.forced); n < 2 || n > 6 {
		t.Errorf("it was deleted %d times in half a minute, want once in five seconds", n)
	}
}

func TestMachinesThatDoNotJoinAreReplaced(t *testing.T) {
	w := newFargateWorld(t, "API")
	w.profile("f", nil)
	w.boots = func(region.FargateMachine) bool { return false }
	w.pod("a", nil)
	w.until("it is given up", 2*time.Minute, func() bool { return len(w.cluster.events) > 0 })
	if want := "a: Pod provisioning timed out (will retry) for pod: web/a"; w.cluster.events[0] != want {
		t.Errorf("got %q, want %q", w.cluster.events[0], want)
	}
	w.until("another is launched", 10*time.Second, func() bool { return len(w.machines()) == 1 })
	w.write(func(tx *state.Txn) {
		m := w.machines()[0]
		region.NoteFargateMachine(tx, clusterID, m.Name, "Unable to register node with API server: Unauthorized", true)
	})
	w.until("the role is blamed", 30*time.Second, func() bool { return len(w.cluster.events) > 1 })
	if want := "a: Misconfigured Fargate Profile: fargate profile f blocked for new launches due to: Pod execution role is not " +
		"found in auth config or does not have all required permissions for launching fargate pods."; w.cluster.events[1] != want {
		t.Errorf("got %q, want %q", w.cluster.events[1], want)
	}
	w.write(func(tx *state.Txn) { region.Roles.Delete(tx, "worker") })
	w.until("the lack of the role is told", 2*time.Minute, func() bool {
		return strings.HasSuffix(w.cluster.events[len(w.cluster.events)-1], "due to: Failed to assume PodExecutionRole; Please make "+
			"sure the role exists and trusts the eks-fargate-pods.amazonaws.com service principal")
	})
}

func TestADeletedProfileTakesItsPodsAlong(t *testing.T) {
	for _, mode := range []string{"API", "CONFIG_MAP"} {
		w := newFargateWorld(t, mode)
		w.profile("f", nil)
		entry := func() (found bool) {
			w.state.View(func(tx *state.Txn) error {
				_, found = region.AccessEntries.Get(tx, clusterID+"/"+role)
				return nil
			})
			return found
		}
		if w.cluster.mapped[role] != (mode == "CONFIG_MAP") || entry() != (mode == "API") {
			t.Errorf("%s: aws-auth %v, access entry %v", mode, w.cluster.mapped, entry())
		}
		w.pod("a", nil)
		w.pod("waits", func(p *object.FargatePod) { p.Refused = "x" })
		w.pod("other", func(p *object.FargatePod) { p.Profile = "g" })
		w.until("it is bound", 5*time.Second, w.bound("a"))
		gone := must(w.DeleteFargateProfile(ctx, &eks.DeleteFargateProfileInput{ClusterName: aws.String("demo"),
			FargateProfileName: aws.String("f")}))(t).FargateProfile
		if gone.Status != types.FargateProfileStatusDeleting {
			t.Errorf("%s: it is %s", mode, gone.Status)
		}
		w.until("the profile is gone", 10*time.Second, func() bool { return w.status("f") == "" })
		if left := slices.Collect(maps.Keys(w.cluster.pods)); !slices.Equal(left, []string{"uid-other"}) || len(w.machines()) > 0 {
			t.Errorf("%s: %v and %v are left", mode, left, w.machines())
		}
		if w.cluster.mapped[role] || entry() {
			t.Errorf("%s: the role may still join: aws-auth %v, access entry %v", mode, w.cluster.mapped, entry())
		}
	}
}

func TestOneFargateProfileAtATimeIsCreatedOrDeleted(t *testing.T) {
	w := newFargateWorld(t, "API")
	create := func(name string) error {
		_, err := w.CreateFargateProfile(ctx, &eks.CreateFargateProfileInput{ClusterName: aws.String("demo"),
			FargateProfileName: &name, PodExecutionRoleArn: aws.String(role),
			Selectors: []types.FargateProfileSelector{{Namespace: aws.String("web")}}})
		return err
	}
	remove := func(name string) error {
		_, err := w.DeleteFargateProfile(ctx, &eks.DeleteFargateProfileInput{ClusterName: aws.String("demo"),
			FargateProfileName: &name})
		return err
	}
	refused := func(err error, verb, name, other, status string) {
		t.Helper()
		want := fmt.Sprintf("ResourceInUseException: Cannot %s Fargate Profile %s because cluster demo currently has Fargate "+
			"profile %s in status %s", verb, name, other, status)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	w.profile("f", nil)
	if err := create("g"); err != nil {
		t.Fatal(err)
	}
	refused(create("h"), "create", "h", "g", "CREATING")
	refused(remove("f"), "delete", "f", "g", "CREATING")
	w.until("the second one is ACTIVE", time.Second, func() bool { return w.status("g") == types.FargateProfileStatusActive })
	if err := remove("f"); err != nil {
		t.Fatal(err)
	}
	refused(remove("g"), "delete", "g", "f", "DELETING")
	refused(remove("f"), "delete", "f", "f", "DELETING")
	refused(create("h"), "create", "h", "f", "DELETING")
	w.until("the first one is gone", time.Second, func() bool { return w.status("f") == "" })
	entries := must(w.ListAccessEntries(ctx, &eks.ListAccessEntriesInput{ClusterName: aws.String("demo")}))(t).AccessEntries
	if !slices.Contains(entries, role) {
		t.Errorf("the other profile's role has lost its access entry: %v", entries)
	}
}
