package emulator

import (
	"github.com/prometheus/client_golang/prometheus"

	"tripod/api"
	"tripod/internal/version"
)

var (
	build  = desc("build_info", "1, with the version of this Tripod.", "version")
	phase  = desc("phase", "1 for what the region is in: starting, ready, degraded, noQuorum, asleep or stopping.", "phase")
	memory = desc("memory_bytes", "Proportional set size of all processes of the region.")
	quorum = desc("quorum", "1 while the regional state and every cluster's etcd have a majority.")
	leader = desc("leader", "1 for the zone that leads: the regional state (its cluster is empty), or etcd, the controllers or the "+
		"scheduler of a cluster.", "cluster", "component", "zone")
	zoneUp     = desc("zone_up", "1 while the zone is ready.", "zone")
	zoneState  = desc("zone_state", "1 for the state that the zone is in.", "zone", "state")
	instanceUp = desc("instance_up", "1 while the instance is ready.", "zone", "cluster", "component")
	restarts   = desc("instance_restarts_total", "How often the zone started the instance again.", "zone", "cluster", "component")
	clusterIs  = desc("cluster_info", "1 for every cluster, with its Kubernetes version and its status.", "cluster", "version", "status")
	hasQuorum  = desc("cluster_quorum", "1 while the cluster's etcd has a majority.", "cluster")
	fault      = desc("fault", "1 for every fault in force.", "target", "fault", "cluster")
	machine    = desc("machine_pressure_ratio", "Share of the last ten seconds in which at least one process of the machine waited: for a "+
		"processor, for its disk or for memory. Linux alone tells.", "resource")
	overloaded = desc("machine_overloaded", "1 while the machine is so busy that things are late for that alone.")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("tripod_"+name, help, labels, nil)
}

// collector makes metrics of the status, when somebody asks.
type collector struct{ *observer }

func (c *collector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{build, phase, memory, quorum, leader, zoneUp, zoneState, instanceUp, restarts, clusterIs,
		hasQuorum, fault, machine, overloaded} {
		descs <- d
	}
}

func (c *collector) Collect(metrics chan<- prometheus.Metric) { collect(c.Status(), metrics) }

// collect makes metrics of a status.
func collect(s api.Status, metrics chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	is := func(yes bool) float64 {
		if yes {
			return 1
		}
		return 0
	}
	gauge(build, 1, version.Tripod())
	gauge(phase, 1, s.Phase)
	gauge(memory, float64(s.MemoryBytes))
	well := s.State.Quorum
	if s.State.Leader != "" {
		gauge(leader, 1, "", "regional-state", s.State.Leader)
	}
	for _, z := range s.Zones {
		gauge(zoneUp, is(z.State == api.StateReady), z.Name)
		gauge(zoneState, 1, z.Name, z.State)
		for _, i := range z.Instances {
			gauge(instanceUp, is(i.State == api.StateReady), z.Name, i.Cluster, i.Component)
			metrics <- prometheus.MustNewConstMetric(restarts, prometheus.CounterValue, float64(i.Restarts), z.Name, i.Cluster,
				i.Component)
			for _, leads := range i.Leads {
				gauge(leader, 1, i.Cluster, leads, z.Name)
			}
		}
	}
	for _, cluster := range s.Clusters {
		well = well && cluster.Quorum
		gauge(clusterIs, 1, cluster.Name, cluster.Version, cluster.Status)
		gauge(hasQuorum, is(cluster.Quorum), cluster.Name)
	}
	gauge(quorum, is(well))
	for _, f := range s.Faults {
		gauge(fault, 1, f.Target, f.Fault, f.Cluster)
	}
	for resource, percent := range map[string]float64{"processor": s.Machine.ProcessorPressure, "disk": s.Machine.DiskPressure,
		"memory": s.Machine.MemoryPressure} {
		if percent >= 0 {
			gauge(machine, percent/100, resource)
		}
	}
	gauge(overloaded, is(s.Machine.Trouble != ""))
}
