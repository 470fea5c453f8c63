package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"tripod/api"
	"tripod/internal/pressure"
)

// reminder is how often a start that goes on says what it waits for.
const reminder = 10 * time.Second

// redrawInterval is how often the lines of zones are drawn again in a terminal, for their clocks.
const redrawInterval = 100 * time.Millisecond

// parts are what a zone is made of, in the order in which they come up.
var parts = []struct{ key, name string }{
	{"etcd", "etcd"}, {"apiserver", "API server"}, {"controllers", "controllers"}, {"balancer", "balancer"},
}

// progress shows how a region comes up: in a terminal one line per zone that is updated in place, else one line per
// event. After Settle it shows events as lines in both.
type progress struct {
	out      io.Writer
	terminal bool
	width    func() int
	now      func() time.Time
	begin    time.Time

	stop chan struct{} // of the goroutines that redraw and remind; nil without one
	wait sync.WaitGroup

	mu      sync.Mutex
	zones   []*zoneProgress
	drawn   int // lines on the screen that the next drawing replaces
	settled bool
}

// zoneProgress is one zone's line.
type zoneProgress struct {
	name  string
	begin time.Time
	ready time.Time // zero until everything is ready
	// instances holds, by part and then by cluster, whether an instance is ready.
	instances map[string]map[string]bool
}

func (a *app) newProgress() *progress {
	p := &progress{
		out: a.Stdout, terminal: isTerminal(a.Stdout), now: time.Now, begin: time.Now(),
		width: func() int { width, _ := terminalSize(a.Stdout); return width },
	}
	p.stop = make(chan struct{})
	if p.terminal {
		p.wait.Go(func() {
			p.each(redrawInterval, func() {
				if p.drawn > 0 {
					p.draw()
				}
			})
		})
	}
	p.wait.Go(func() {
		p.each(reminder, func() {
			if line := p.awaited(pressure.Now()); line != "" {
				p.print(line)
			}
		})
	})
	return p
}

// each does something again and again until the region is up. do is called with the lock held.
func (p *progress) each(interval time.Duration, do func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-ticker.C:
			p.mu.Lock()
			if !p.settled {
				do()
			}
			p.mu.Unlock()
		}
	}
}

// awaited says what a start still waits for, and whether the machine is why; it is empty when nothing is missing that
// is known. The caller holds the lock.
func (p *progress) awaited(now pressure.Pressure) string {
	var zones []string
	for _, zone := range p.zones {
		var missing []string
		for _, part := range parts {
			if zone.ready.IsZero() && zone.mark(part.key) != "✓" {
				missing = append(missing, part.name)
			}
		}
		if len(missing) > 0 {
			zones = append(zones, zone.name+" ("+strings.Join(missing, ", ")+")")
		}
	}
	if len(zones) == 0 {
		return ""
	}
	line := fmt.Sprintf("%6.1fs  still waiting for %s", p.now().Sub(p.begin).Seconds(), strings.Join(zones, ", "))
	if trouble := now.String(); trouble != "" {
		line += "; the machine is busy: " + trouble
	}
	return line
}

// Close ends the drawing. It may be called more than once.
func (p *progress) Close() {
	p.Settle()
	if p.stop != nil {
		close(p.stop)
		p.wait.Wait()
		p.stop = nil
	}
}

// Settle leaves the zones' lines as they are: from now on events are lines below them.
func (p *progress) Settle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.settled && p.terminal && len(p.zones) > 0 {
		p.draw()
	}
	p.settled = true
}

// Say prints a line of its own.
func (p *progress) Say(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.print(line)
}

// Event shows an event. It is safe for concurrent use.
func (p *progress) Event(event api.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.apply(event)
	switch {
	case p.settled:
		p.print(eventLine(event, false))
	case !p.terminal:
		p.print(fmt.Sprintf("%6.1fs  %s", p.now().Sub(p.begin).Seconds(), eventText(event)))
	case loud(event.Type):
		p.print(fmt.Sprintf("%6.1fs  %s", p.now().Sub(p.begin).Seconds(), eventText(event)))
	default:
		p.draw()
	}
}

// loud says whether an event deserves a line even while the zones' lines are drawn.
func loud(kind api.EventType) bool {
	switch kind {
	case api.InstanceExited, api.ZoneLost, api.ZonePaused, api.ZoneResumed, api.ZoneFailed, api.ClusterFailed,
		api.EndpointFailed, api.EndpointOpened, api.InstancePaused, api.QuorumLost, api.QuorumRestored, api.FaultInjected,
		api.FaultCleared:
		return true
	}
	return false
}

func (p *progress) apply(event api.Event) {
	part, _, _ := strings.Cut(event.Target, "/")
	ready := false
	switch event.Type {
	case api.ZoneStarted:
		zone := p.zone(event.Zone)
		if zone != nil {
			zone.begin, zone.ready, zone.instances = p.now(), time.Time{}, map[string]map[string]bool{}
		}
		return
	case "ZoneReady":
		if zone := p.zone(event.Zone); zone != nil && zone.ready.IsZero() {
			zone.ready = p.now()
		}
		return
	case api.InstanceStarted, api.InstanceExited:
	case api.InstanceReady:
		ready = true
	case api.TargetHealthy, api.TargetUnhealthy:
		if part != "apiserver" {
			return // the AWS front's target: the zone's line is about its clusters
		}
		part, ready = "balancer", event.Type == api.TargetHealthy
	default:
		return
	}
	zone := p.zone(event.Zone)
	if zone == nil {
		return
	}
	if zone.instances[part] == nil {
		zone.instances[part] = map[string]bool{}
	}
	zone.instances[part][event.Cluster] = ready
	if zone.ready.IsZero() && zone.complete() {
		zone.ready = p.now()
	}
}

// zone finds a zone's line or adds it, in the order of names.
func (p *progress) zone(name string) *zoneProgress {
	if name == "" {
		return nil
	}
	place := len(p.zones)
	for i, zone := range p.zones {
		if zone.name == name {
			return zone
		}
		if zone.name > name && i < place {
			place = i
		}
	}
	zone := &zoneProgress{name: name, begin: p.now(), instances: map[string]map[string]bool{}}
	p.zones = append(p.zones[:place], append([]*zoneProgress{zone}, p.zones[place:]...)...)
	return zone
}

func (z *zoneProgress) complete() bool {
	for _, part := range parts {
		if z.mark(part.key) != "✓" {
			return false
		}
	}
	return true
}

// mark is a part's state in one column: · not begun, … under way, ✓ ready in all clusters.
func (z *zoneProgress) mark(part string) string {
	if len(z.instances[part]) == 0 {
		return "·"
	}
	for _, ready := range z.instances[part] {
		if !ready {
			return "…"
		}
	}
	return "✓"
}

func (z *zoneProgress) line(now time.Time) string {
	line := "  " + pad(z.name, 15)
	for _, part := range parts {
		line += "  " + z.mark(part.key) + " " + part.name
	}
	end := now
	if !z.ready.IsZero() {
		end = z.ready
	}
	return line + fmt.Sprintf("  %5.1fs", end.Sub(z.begin).Seconds())
}

// draw replaces the zones' lines on the screen. The caller holds the lock.
func (p *progress) draw() {
	var b strings.Builder
	p.erase(&b)
	for _, zone := range p.zones {
		b.WriteString(clip(zone.line(p.now()), p.width()-1) + "\n")
	}
	p.drawn = len(p.zones)
	_, _ = io.WriteString(p.out, b.String())
}

func (p *progress) erase(b *strings.Builder) {
	if p.drawn > 0 {
		fmt.Fprintf(b, "\x1b[%dA\r\x1b[J", p.drawn)
	}
	p.drawn = 0
}

// print writes a line above the zones' lines, or below the last one after Settle. The caller holds the lock.
func (p *progress) print(line string) {
	if p.settled || !p.terminal {
		fmt.Fprintln(p.out, line)
		return
	}
	var b strings.Builder
	p.erase(&b)
	b.WriteString(line + "\n")
	_, _ = io.WriteString(p.out, b.String())
	p.draw()
}
