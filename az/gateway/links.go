package gateway

import (
	"maps"
	"net"
	"slices"

	"tripod/api"
	"tripod/internal/link"
)

// link is the one to another zone or to api.Clients, and nil for this zone: what stays there crosses none.
func (g *Gateway) link(zone string) *link.Link {
	if zone == g.config.Zone {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.links[zone] == nil {
		g.links[zone] = link.New()
		if g.stopped {
			g.links[zone].Shut()
		}
	}
	return g.links[zone]
}

// CrossFromClients puts a client's connection on the link between the zone and the region's clients.
func (g *Gateway) CrossFromClients(client net.Conn) net.Conn { return g.link(api.Clients).Take(client) }

// SetLinks replaces what is wrong with the links to other zones and to api.Clients, by their names.
// Of those that are not there nothing is. Settings that are
// older than the last ones are ignored: orders overtake each other.
func (g *Gateway) SetLinks(settings link.Settings) {
	g.setting.Lock()
	defer g.setting.Unlock()
	if settings.Number < g.settings {
		return
	}
	g.settings = settings.Number
	faults := settings.Links
	g.mu.Lock()
	known := slices.Collect(maps.Keys(g.links))
	g.mu.Unlock()
	for zone := range faults {
		if !slices.Contains(known, zone) {
			known = append(known, zone)
		}
	}
	for _, zone := range known {
		if l := g.link(zone); l != nil {
			l.Set(faults[zone])
		}
	}
}
