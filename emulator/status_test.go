package emulator

import (
	"testing"

	"tripod/api"
	"tripod/az"
	"tripod/az/plan"
	"tripod/internal/options"
)

func instances(zone string, states ...string) (all []api.Instance) {
	for i, state := range states {
		component := []string{"etcd", "apiserver", "controllers"}[i]
		all = append(all, api.Instance{Target: component + "/" +
			plan.Letter(zone), Component: component, Cluster: "demo", State: state, PID: 1})
	}
	return all
}

func TestQuorumOfACluster(t *testing.T) {
	const ready, paused, failed, starting = api.StateReady, api.StatePaused, api.StateFailed, api.StateStarting
	for _, c := range []struct {
		etcd    [3]string
		members int
		quorum  bool
	}{
		{[3]string{ready, ready, ready}, 3, true},
		{[3]string{ready, ready, paused}, 2, true},
		{[3]string{ready, starting, failed}, 2, true}, // one that starts has its data, and votes before it is ready
		{[3]string{ready, paused, failed}, 1, false},
		{[3]string{"", "", ""}, 0, false},
	} {
		var zones []api.Zone
		for i, state := range c.etcd {
			zone := api.Zone{Name: "us-east-1" + zoneLetters[i]}
			if state != "" {
				zone.Instances = instances(zone.Name, state)
			}
			zones = append(zones, zone)
		}
		if c.etcd[0] != "" {
			zones[0].Instances[0].Leads = []string{"etcd"}
		}
		got := describeCluster(az.ClusterState{Name: "demo", EndpointPort: 1}, zones)
		if got.EtcdMembers != c.members || got.Quorum != c.quorum {
			t.Errorf("%v: %d members, quorum %v; want %d, %v", c.etcd, got.EtcdMembers, got.Quorum, c.members, c.quorum)
		}
		if want := map[bool]string{true: "us-east-1a"}[c.quorum]; got.EtcdLeader != want {
			t.Errorf("%v: leader %q, want %q: without a quorum nobody leads", c.etcd, got.EtcdLeader, want)
		}
	}
}

func TestLeadersOfACluster(t *testing.T) {
	zones := []api.Zone{{Name: "us-east-1a", Instances: instances("us-east-1a", "ready", "ready", "ready")},
		{Name: "us-east-1b", Instances: instances("us-east-1b", "ready", "ready", "ready")}}
	zones[0].Instances[2].Leads = []string{"kube-scheduler"}
	zones[1].Instances[2].Leads = []string{"kube-controller-manager"}
	zones[1].Instances = append(zones[1].Instances, api.Instance{Component: "etcd", Cluster: "other", State: "ready",
		PID: 1, Leads: []string{"etcd"}})
	got := describeCluster(az.ClusterState{Name: "demo"}, zones)
	if got.Scheduler != "us-east-1a" || got.Controllers != "us-east-1b" || got.EtcdLeader != "" || got.EtcdMembers != 2 {
		t.Errorf("got %+v", got)
	}
}

// TestStateOfAZone goes through what a zone can be without its process.
func TestStateOfAZone(t *testing.T) {
	site := &site{options: options.Up{Region: "us-east-1"}}
	for _, c := range []struct {
		zone  *zone
		state string
		fault bool
	}{
		{&zone{}, api.StateStarting, false},
		{&zone{is: zoneStatus{down: api.StateKilled, reason: "killed by 'tripod kill'"}}, api.StateKilled, true},
		{&zone{is: zoneStatus{down: api.StateStopped}}, api.StateStopped, true},
	} {
		c.zone.site, c.zone.name = site, "us-east-1a"
		view, _, faults := c.zone.describe()
		if view.State != c.state || (len(faults) > 0) != c.fault || view.Reason != c.zone.is.reason ||
			view.Instances == nil ||
			view.ID != "use1-az1" {
			t.Errorf("got %+v, faults %v; want %s", view, faults, c.state)
		}
	}
}

func TestPausedZonePausesItsInstances(t *testing.T) {
	z := &zone{site: &site{options: options.Up{Region: "us-east-1"}}, name: "us-east-1a",
		is: zoneStatus{paused: true, agent: az.State{Serving: true,
			Instances: instances("us-east-1a", "ready", "ready", "ready")}}}
	z.is.agent.Instances[0].Leads = []string{"etcd"}
	view, _, faults := z.describe()
	for _, i := range view.Instances {
		if i.State != api.StatePaused || i.Leads != nil {
			t.Errorf("got %+v", i)
		}
	}
	if len(faults) != 1 || faults[0].Fault != api.StatePaused {
		t.Errorf("faults %+v: one cause is one fault", faults)
	}
	if z.is.agent.Instances[0].State != api.StateReady {
		t.Error("to describe the zone changes it")
	}
}
