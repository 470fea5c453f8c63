package emulator

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"

	"tripod/api"
)

// shownStatus is a status as a collector.
type shownStatus api.Status

func (shownStatus) Describe(descs chan<- *prometheus.Desc) { (&collector{}).Describe(descs) }

func (t shownStatus) Collect(metrics chan<- prometheus.Metric) { collect(api.Status(t), metrics) }

func TestTheStatusIsToldAsMetrics(t *testing.T) {
	status := shownStatus{Phase: api.PhaseDegraded, MemoryBytes: 7, State: api.State{Quorum: true, Leader: "us-east-1a"},
		Zones: []api.Zone{
			{Name: "us-east-1a", State: api.StateReady, Instances: []api.Instance{{Component: "etcd", Cluster: "demo", State: api.StateReady,
				Leads: []string{"etcd"}, Restarts: 2}}},
			{Name: "us-east-1b", State: api.StateKilled}},
		Clusters: []api.Cluster{{Name: "demo", Version: "1.36", Status: "ACTIVE", Quorum: false}},
		Faults:   []api.Fault{{Target: "az/us-east-1b", Fault: "killed"}},
		Machine:  api.Machine{ProcessorPressure: 45, DiskPressure: 0, MemoryPressure: -1, Trouble: "processor pressure 45 %"}}
	if problems, err := testutil.CollectAndLint(status); err != nil || len(problems) > 0 {
		t.Errorf("names of metrics: %v, %v", problems, err)
	}
	for _, want := range []string{
		`tripod_phase{phase="degraded"} 1`, `tripod_quorum 0`, `tripod_cluster_quorum{cluster="demo"} 0`,
		`tripod_zone_up{zone="us-east-1a"} 1`, `tripod_zone_up{zone="us-east-1b"} 0`,
		`tripod_zone_state{state="killed",zone="us-east-1b"} 1`,
		`tripod_instance_restarts_total{cluster="demo",component="etcd",zone="us-east-1a"} 2`,
		`tripod_leader{cluster="demo",component="etcd",zone="us-east-1a"} 1`,
		`tripod_leader{cluster="",component="regional-state",zone="us-east-1a"} 1`,
		`tripod_fault{cluster="",fault="killed",target="az/us-east-1b"} 1`,
		`tripod_machine_pressure_ratio{resource="processor"} 0.45`, `tripod_machine_overloaded 1`,
		`tripod_cluster_info{cluster="demo",status="ACTIVE",version="1.36"} 1`,
	} {
		name, _, _ := strings.Cut(strings.Fields(want)[0], "{")
		got, err := testutil.CollectAndFormat(status, expfmt.TypeTextPlain, name)
		if err != nil || !strings.Contains(string(got), "\n"+want+"\n") {
			t.Errorf("there is no %s, but (%v)\n%s", want, err, got)
		}
	}
	pressure, err := testutil.CollectAndFormat(status, expfmt.TypeTextPlain, "tripod_machine_pressure_ratio")
	if err != nil || strings.Contains(string(pressure), `"memory"`) {
		t.Errorf("what the system does not tell has a value (%v):\n%s", err, pressure)
	}
}
