package state

import (
	"time"

	"github.com/hashicorp/raft"
	"github.com/prometheus/client_golang/prometheus"
)

var (
	leaderDesc  = describe("leader", "1 if this zone's voter leads the regional state.")
	termDesc    = describe("term", "Raft term of the regional state.")
	commitDesc  = describe("commit_index", "Last log index known to be committed.")
	appliedDesc = describe("applied_index", "Last change that this zone's copy has.")
	contactDesc = describe("last_contact_seconds", "Time since this voter last heard the other one: "+
		"on the leader each follower, on a follower the leader.", "voter")
	recordsDesc = describe("records", "Records in this zone's copy.", "kind")
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("tripod_region_"+name, help, labels, nil)
}

// metrics reads the voter when it is scraped.
type metrics struct{ life *life }

var _ prometheus.Collector = metrics{}

// Describe sends the fixed descriptions.
func (metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{leaderDesc, termDesc, commitDesc, appliedDesc, contactDesc, recordsDesc} {
		ch <- d
	}
}

// Collect sends the present values.
func (m metrics) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	r, now := m.life.raft, m.life.voter.store.load()
	leads := r.State() == raft.Leader
	if leads {
		gauge(leaderDesc, 1)
		for _, p := range m.life.cfg.Peers {
			if at := m.life.transport.lastHeard(raft.ServerID(p.Zone)); !at.IsZero() {
				gauge(contactDesc, time.Since(at).Seconds(), p.Zone)
			}
		}
	} else {
		gauge(leaderDesc, 0)
		if leader := m.life.voter.Leader(); leader != "" && leader != m.life.cfg.Zone {
			gauge(contactDesc, time.Since(r.LastContact()).Seconds(), leader)
		}
	}
	gauge(termDesc, float64(r.CurrentTerm()))
	gauge(commitDesc, float64(r.CommitIndex()))
	gauge(appliedDesc, float64(now.index))
	for kind, t := range now.tables {
		gauge(recordsDesc, float64(t.records.Len()), kind)
	}
}
