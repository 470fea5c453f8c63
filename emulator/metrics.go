package emulator

import (
	"bytes"
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"tripod/api"
	"tripod/az"
)

var (
	zoneUp     = prometheus.NewDesc("tripod_zone_up", "1 while the zone is ready.", []string{"zone"}, nil)
	instanceUp = prometheus.NewDesc("tripod_instance_up", "1 while the instance is ready.",
		[]string{"zone", "cluster", "component"}, nil)
	restarts = prometheus.NewDesc("tripod_instance_restarts_total", "How often the zone started the instance again.",
		[]string{"zone", "cluster", "component"}, nil)
	memory = prometheus.NewDesc("tripod_memory_bytes", "Proportional set size of all processes of the region.", nil,
		nil)
	quorum = prometheus.NewDesc("tripod_quorum", "1 while the regional state and every cluster's etcd have a "+
		"majority.", nil, nil)
	fault = prometheus.NewDesc("tripod_fault", "1 for every fault in force.", []string{"target", "fault", "cluster"},
		nil)
)

// collector makes metrics of the status, when somebody asks.
type collector struct{ *observer }

func (c *collector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{zoneUp, instanceUp, restarts, memory, quorum, fault} {
		descs <- d
	}
}

func (c *collector) Collect(metrics chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	is := func(yes bool) float64 {
		if yes {
			return 1
		}
		return 0
	}
	s := c.Status()
	well := s.State.Quorum
	for _, z := range s.Zones {
		gauge(zoneUp, is(z.State == api.StateReady), z.Name)
		for _, i := range z.Instances {
			gauge(instanceUp, is(i.State == api.StateReady), z.Name, i.Cluster, i.Component)
			metrics <- prometheus.MustNewConstMetric(restarts, prometheus.CounterValue, float64(i.Restarts), z.Name, i.Cluster,
				i.Component)
		}
	}
	for _, cluster := range s.Clusters {
		well = well && cluster.Quorum
	}
	gauge(memory, float64(s.MemoryBytes))
	gauge(quorum, is(well))
	for _, f := range s.Faults {
		gauge(fault, 1, f.Target, f.Fault, f.Cluster)
	}
}

// gatherers are the region's own metrics and those of its zones' agents, as one.
func (e *Emulator) gatherers() prometheus.Gatherers {
	all := prometheus.Gatherers{e.registry}
	for _, z := range e.zones {
		all = append(all, prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
			if z.reachable() != nil || e.sleeper.asleep.Load() != nil {
				return nil, nil // tripod_zone_up says so, and nobody is woken for it
			}
			return scrape(z.agent())
		}))
	}
	return all
}

func scrape(agent az.Agent) ([]*dto.MetricFamily, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var text bytes.Buffer
	if err := agent.Metrics(ctx, &text); err != nil {
		return nil, nil // it died a moment ago
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(&text)
	if err != nil {
		return nil, err
	}
	list := make([]*dto.MetricFamily, 0, len(families))
	for _, family := range families {
		list = append(list, family)
	}
	return list, nil
}
