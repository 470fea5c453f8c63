package lb

import (
	"github.com/prometheus/client_golang/prometheus"
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("tripod_lb_"+name, help, labels, nil)
}

var (
	descUnserved = desc("unserved_connections_total",
		"Connections that were reset because no target could be reached.")
	descConnections = desc("connections_total", "Connections carried to the target.", "target")
	descOpen        = desc("connections_open", "Connections to the target now.", "target")
	descBytes       = desc("bytes_total", "Bytes copied, counted when their direction of a connection ends.", "target",
		"direction")
	descHealthy      = desc("target_healthy", "1 if new connections go to the target.", "target")
	descDialFailures = desc("dial_failures_total", "Connections that the target did not take.", "target")
	descRetries      = desc("retries_total", "Connections that left the target for another before it had answered.",
		"target")
	descResets = desc("resets_total", "Connections that were reset because the target was found dead.", "target")
)

// collector reads the balancer's counters when it is asked: nothing is counted twice.
type collector struct{ b *Balancer }

func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descUnserved, descConnections, descOpen, descBytes, descHealthy, descDialFailures, descRetries, descResets,
	} {
		ch <- d
	}
}

func (c collector) Collect(ch chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, v int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge := func(d *prometheus.Desc, v int, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), labels...)
	}
	counter(descUnserved, c.b.unserved.Load())
	for i, s := range c.b.Snapshot() {
		t := c.b.targets[i]
		healthy := 0
		if s.Healthy {
			healthy = 1
		}
		gauge(descHealthy, healthy, t.Name)
		gauge(descOpen, s.Open, t.Name)
		counter(descConnections, t.total.Load(), t.Name)
		counter(descBytes, t.toTarget.Load(), t.Name, "to_target")
		counter(descBytes, t.toClient.Load(), t.Name, "to_client")
		counter(descDialFailures, t.dialFailures.Load(), t.Name)
		counter(descRetries, t.retries.Load(), t.Name)
		counter(descResets, t.resets.Load(), t.Name)
	}
}

// registerer adds the label that tells balancers apart. It is nil if there are no metrics.
func (b *Balancer) registerer() prometheus.Registerer {
	if b.cfg.Registerer == nil {
		return nil
	}
	return prometheus.WrapRegistererWith(prometheus.Labels{"balancer": b.cfg.Name}, b.cfg.Registerer)
}

func (b *Balancer) register() error {
	if r := b.registerer(); r != nil {
		return r.Register(collector{b})
	}
	return nil
}

func (b *Balancer) unregister() {
	if r := b.registerer(); r != nil {
		r.Unregister(collector{b})
	}
}
