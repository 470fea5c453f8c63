package nodes

import (
	"net/http"

	"tripod/nodes/resourcemetrics"
)

// Metrics answers for the zone's nodes to the resource metrics API of its own zone, and of others.
func (s *Simulator) Metrics() http.Handler { return s.metrics }

// readMetrics measures all nodes that have registered.
func (s *Simulator) readMetrics() (all []resourcemetrics.Node) {
	z := s.current()
	if z == nil {
		return nil
	}
	for _, name := range z.roster.names() {
		object := z.player.nodeNamed(name)
		if object == nil {
			continue
		}
		if reading, found := z.api.Read(name); found {
			all = append(all, resourcemetrics.Node{Name: name, Labels: object.Labels, Reading: reading})
		}
	}
	return all
}
