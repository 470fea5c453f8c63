package autoscaling

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tripod/awsapi/ec2"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// fakeEC2 launches and terminates records. What a zone has of a type may be bounded.
type fakeEC2 struct {
	launched int
	capacity map[string]int // by zone, or zone/type; none: there is no end of it
	refuses  error          // of every launch
	last     ec2.LaunchRequest
	tags     map[string]map[string]string
	during   func() // is called while a launch is under way; nil: nothing
}

func (f *fakeEC2) Launch(tx *state.Txn, want ec2.LaunchRequest, now time.Time) ([]region.Instance, error) {
	f.last = want
	if f.during != nil {
		f.during()
	}
	if f.refuses != nil {
		return nil, f.refuses
	}
	zone := want.Zone
	if want.SubnetID != "" {
		zone = "us-east-1" + want.SubnetID[len(want.SubnetID)-1:] // subnets are called after their zones here
	}
	kind := want.Type
	if kind == "" {
		kind = "m5.large"
	}
	for _, place := range []string{zone, zone + "/" + kind} {
		if most, bounded := f.capacity[place]; bounded && f.alive(tx, zone, kind) >= most {
			return nil, &wire.Error{Code: "InsufficientInstanceCapacity", Status: http.StatusInternalServerError,
				Message: fmt.Sprintf("We currently do not have sufficient %s capacity in the Availability Zone you requested (%s).",
					kind, zone)}
		}
	}
	f.launched++
	id := fmt.Sprintf("i-%04d", f.launched)
	v, err := region.LaunchInstance(tx, region.Instance{ID: id, Zone: zone, SubnetID: want.SubnetID, Group: want.Group,
		Requester: want.Requester, Launch: region.InstanceLaunch{Type: kind, ImageID: "ami-1", Spot: want.Spot,
			TemplateID: want.Template.ID, TemplateName: want.Template.Name, TemplateVersion: want.Template.Version}}, now)
	f.SetTags(tx, id, want.Tags)
	return []region.Instance{v}, err
}

func (f *fakeEC2) alive(tx *state.Txn, zone, kind string) (n int) {
	for _, v := range region.InstancesByZone.Of(zone).List(tx) {
		if _, byType := f.capacity[zone+"/"+kind]; v.State.Alive() && (!byType || v.Launch.Type == kind) {
			n++
		}
	}
	return n
}

func (f *fakeEC2) Terminate(tx *state.Txn, ids []string, reason region.StateReason, now time.Time) error {
	for _, id := range ids {
		if _, err := region.TerminateInstance(tx, id, reason, now); err != nil {
			return err
		}
	}
	return nil
}

func (f *fakeEC2) TagsOf(_ *state.Txn, id string) map[string]string { return f.tags[id] }

func (f *fakeEC2) SetTags(_ *state.Txn, id string, given map[string]string) {
	if f.tags[id] == nil {
		f.tags[id] = map[string]string{}
	}
	maps.Copy(f.tags[id], given)
}

// world is a region in memory with a service whose clock is the test's.
type world struct {
	*Service
	*state.Memory
	ec2   *fakeEC2
	clock time.Time
	again time.Time // when the group last stepped wants to be woken
	t     *testing.T
}

// newWorld has one group, g, over three zones, changed by edit.
func newWorld(t *testing.T, edit func(*region.AutoScalingGroup)) *world {
	t.Helper()
	w := &world{Memory: region.NewMemory(), ec2: &fakeEC2{capacity: map[string]int{}, tags: map[string]map[string]string{}},
		clock: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), t: t}
	zones := []string{"us-east-1a", "us-east-1b", "us-east-1c"}
	w.Service = &Service{State: w.Memory, Instances: w.ec2, Now: func() time.Time { return w.clock },
		Network: &ec2.Service{VPC: ec2.VPC{AccountID: iam.DefaultAccountID, Region: "us-east-1", Zones: zones}, State: w.Memory}}
	g := region.AutoScalingGroup{Name: "g", ARN: "arn:g", Min: 0, Max: 10, Zones: zones, HealthCheckType: "EC2",
		Template: &region.TemplateRef{ID: "lt-1", Name: "lt", Version: "1"}}
	edit(&g)
	w.write(func(tx *state.Txn) { region.AutoScalingGroups.Put(tx, g.Name, g) })
	return w
}

func (w *world) write(edit func(*state.Txn)) {
	w.t.Helper()
	if err := w.Update(context.Background(), func(tx *state.Txn) error { edit(tx); return nil }); err != nil {
		w.t.Fatal(err)
	}
}

// edit changes the group g.
func (w *world) edit(change func(*region.AutoScalingGroup)) {
	w.t.Helper()
	w.write(func(tx *state.Txn) {
		g, _ := region.AutoScalingGroups.Get(tx, "g")
		change(&g)
		region.AutoScalingGroups.Put(tx, "g", g)
	})
}

// step steps the group once.
func (w *world) step() {
	w.t.Helper()
	w.write(func(tx *state.Txn) {
		var err error
		if w.again, err = w.Step(tx, "g", w.clock); err != nil {
			w.t.Fatal(err)
		}
	})
}

// settle steps the group, and has its instances do what follows by itself, until nothing changes at this time.
func (w *world) settle() {
	w.t.Helper()
	for range 100 {
		before := w.index()
		w.step()
		w.write(func(tx *state.Txn) {
			for _, v := range region.Instances.List(tx) {
				switch v.State {
				case region.InstancePending:
					region.RunInstance(tx, v.ID, w.clock)
				case region.InstanceShuttingDown:
					region.EndTermination(tx, v.ID, w.clock)
				}
			}
		})
		if w.index() == before {
			return
		}
	}
	w.t.Fatalf("it does not come to rest: %s", w.describe())
}

func (w *world) index() (n uint64) {
	w.View(func(tx *state.Txn) error { n = tx.Index(); return nil })
	return n
}

// pass lets time pass, and settles.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	w.clock = w.clock.Add(d)
	w.settle()
}

func (w *world) group() (g region.AutoScalingGroup) {
	w.View(func(tx *state.Txn) error { g, _ = region.AutoScalingGroups.Get(tx, "g"); return nil })
	return g
}

func (w *world) members() (all []region.GroupMember) {
	w.View(func(tx *state.Txn) error { all = region.MembersOf(tx, "g"); return nil })
	return all
}

func (w *world) instance(id string) (v region.Instance) {
	w.View(func(tx *state.Txn) error { v, _ = region.Instances.Get(tx, id); return nil })
	return v
}

func (w *world) activities() (all []region.ScalingActivity) {
	w.View(func(tx *state.Txn) error { all = region.ActivitiesOf(tx, "g"); return nil })
	return all
}

// describe is the group in a line: members with their states, zones and types.
func (w *world) describe() string {
	var parts []string
	for _, m := range w.members() {
		v := w.instance(m.InstanceID)
		parts = append(parts, fmt.Sprintf("%s %s %s", m.InstanceID, v.Zone[len("us-east-1"):], m.State))
	}
	return strings.Join(parts, ", ")
}

// zones are how many members in service each zone has, such as "a2 b1 c1".
func (w *world) zones() string {
	count := map[string]int{}
	for _, m := range w.members() {
		if m.State == region.MemberInService {
			count[w.instance(m.InstanceID).Zone[len("us-east-1"):]]++
		}
	}
	var parts []string
	for _, zone := range slices.Sorted(maps.Keys(count)) {
		parts = append(parts, fmt.Sprintf("%s%d", zone, count[zone]))
	}
	return strings.Join(parts, " ")
}

func (w *world) want(what, got, want string) {
	w.t.Helper()
	if got != want {
		w.t.Errorf("%s: got %s, want %s (%s)", what, got, want, w.describe())
	}
}

// impair marks all instances of a zone as lost, as the zone's outage does.
func (w *world) impair(zone string) {
	w.t.Helper()
	w.write(func(tx *state.Txn) {
		region.ZoneOutages.Put(tx, zone, region.ZoneOutage{Zone: zone, Since: w.clock})
		for _, v := range region.InstancesByZone.Of(zone).List(tx) {
			region.ImpairInstance(tx, v.ID, w.clock)
		}
	})
}
