package gateway

import "github.com/prometheus/client_golang/prometheus"

var (
	openDesc = prometheus.NewDesc("tripod_gateway_open_connections", "Connections through the zone's gateway now, by destination zone.",
		[]string{"to"}, nil)
	healthyDesc = prometheus.NewDesc("tripod_gateway_link_healthy", "1 while nothing is wrong with the zone's link to another one.",
		[]string{"to"}, nil)
)

// openConnections counts when it is asked.
type openConnections struct{ gateway *Gateway }

func (openConnections) Describe(descs chan<- *prometheus.Desc) {
	descs <- openDesc
	descs <- healthyDesc
}

func (o openConnections) Collect(metrics chan<- prometheus.Metric) {
	g := o.gateway
	open, healthy := map[string]float64{}, map[string]float64{}
	g.mu.Lock()
	for t := range g.open {
		open[t.Zone]++
	}
	for zone, l := range g.links {
		healthy[zone] = 0
		if l.Pair().None() {
			healthy[zone] = 1
		}
	}
	g.mu.Unlock()
	for desc, values := range map[*prometheus.Desc]map[string]float64{openDesc: open, healthyDesc: healthy} {
		for zone, value := range values {
			metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, zone)
		}
	}
}
