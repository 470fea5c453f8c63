package emulator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"tripod/api"
	"tripod/az/plan"
	"tripod/internal/link"
	"tripod/lb"
)

// linksFile holds the faults of links in the data directory: the regional state cannot, as nothing can be written there while a fault
// keeps its voters apart.
const linksFile = "links.json"

// links are the ways between the zones, and between each zone and the region's clients, with the faults on them. What crosses zones
// passes the gateway of the zone that has opened the connection, and what comes from clients a balancer: there the faults act.
type links struct {
	*faultKeeper[linkFault, link.Pairs]
	own map[route]*link.Link // those that this process' balancers use
}

// route is one direction of a link, between zones' names or api.Clients.
type route struct{ from, to string }

func (r route) reversed() route { return route{r.to, r.from} }

// linkFault is a fault of one direction, as linksFile has it.
type linkFault struct {
	From  string     `json:"from"`
	To    string     `json:"to"`
	Verb  string     `json:"verb"`
	Since time.Time  `json:"since"`
	Until *time.Time `json:"until,omitempty"`
	api.LinkFault
}

func (f linkFault) route() route { return route{f.From, f.To} }

// now says whether the fault acts at a moment, and when that changes next; zero: it does not by itself.
func (f linkFault) now(at time.Time) (acts bool, next time.Time) {
	acts = true
	if f.Flap > 0 {
		turn := at.Sub(f.Since) / f.Flap
		acts, next = turn%2 == 0, f.Since.Add((turn+1)*f.Flap)
	}
	if f.Until != nil && (next.IsZero() || f.Until.Before(next)) {
		next = *f.Until
	}
	return acts, next
}

func (f linkFault) over(at time.Time) bool { return f.Until != nil && !f.Until.After(at) }

func (f linkFault) effect() link.Effect {
	return link.Effect{Drop: f.Verb == api.Partition && !f.Reject, Reject: f.Reject, Latency: f.Latency, Jitter: f.Jitter,
		Loss: f.Loss / 100, Bandwidth: f.Bandwidth / 8, Share: f.Share / 100}
}

func newLinks(site *site, life *life, zones zones) *links {
	l := &links{faultKeeper: newFaultKeeper[linkFault, link.Pairs](site, life, zones), own: map[route]*link.Link{}}
	l.file, l.kind, l.good = linksFile, "links", l.verify
	l.show = func(faults []linkFault) []api.Fault { return shownLinks(faults, zones) }
	l.wanted = l.of
	l.send = func(ctx context.Context, z *zone, number int64, pairs link.Pairs) error {
		return z.agent().SetLinks(ctx, link.Settings{Number: number, Links: pairs})
	}
	l.here = func() {
		for r, own := range l.own {
			own.Set(l.pair(r))
		}
	}
	for _, to := range zones {
		l.own[route{api.Clients, to.name}] = link.New()
		for _, from := range zones {
			if from != to {
				l.own[route{from.name, to.name}] = link.New()
			}
		}
	}
	return l
}

// verify says what is wrong with a fault of linksFile, in an error.
func (l *links) verify(f linkFault) error {
	order := api.LinkOrder{Verb: f.Verb, Link: f.From + "-" + f.To, LinkFault: f.LinkFault}
	if err := order.Check(); err != nil {
		return err
	}
	if len(l.ends(f.From)) != 1 || len(l.ends(f.To)) != 1 || f.From == f.To {
		return fmt.Errorf("there is no link between %q and %q", f.From, f.To)
	}
	return nil
}

// order follows one of api.LinkVerbs, and returns when all zones that run act by it.
func (l *links) order(ctx context.Context, order api.LinkOrder) error {
	if err := order.Check(); err != nil {
		return refuse("%v", err)
	}
	if !l.life.isUp() {
		return errNotUp
	}
	routes, err := l.routes(order)
	if err != nil {
		return err
	}
	cleared, err := l.change(order, routes)
	if err != nil {
		return err
	}
	event := api.Event{Target: api.KindLink + "/" + order.Link, Type: api.FaultInjected}
	event.Message = event.Target + " is " + order.Words(order.Verb)
	if order.Verb == api.Heal {
		event.Type, event.Message = api.FaultCleared, event.Target+" is healed"
	}
	err = l.effect(ctx)
	if order.Verb != api.Heal || cleared {
		l.emit(event)
	}
	return err
}

// change puts faults on routes, or takes theirs away, and says whether there were any.
func (l *links) change(order api.LinkOrder, routes []route) (had bool, err error) {
	var added []linkFault
	if order.Verb != api.Heal {
		since, until := lasting(order.For)
		for _, r := range routes {
			added = append(added, linkFault{From: r.from, To: r.to, Verb: order.Verb, Since: since, Until: until, LinkFault: order.LinkFault})
		}
	}
	return l.replace(func(f linkFault) bool {
		return slices.Contains(routes, f.route()) && (order.Verb == api.Heal || order.Verb == f.Verb)
	}, added...)
}

// routes are the directions that an order is for.
func (l *links) routes(order api.LinkOrder) (routes []route, err error) {
	for i := range order.Link {
		if order.Link[i] != '-' {
			continue
		}
		from, to := l.ends(order.Link[:i]), l.ends(order.Link[i+1:])
		for _, f := range from {
			for _, t := range to {
				if f == t {
					continue
				}
				routes = append(routes, route{f, t})
				if !order.OneWay {
					routes = append(routes, route{t, f})
				}
			}
		}
		if len(routes) > 0 && (len(from) == 1 || len(to) == 1) {
			return routes, nil
		}
	}
	return nil, refuse("there is no %s/%s in %s: write two of %s, %s (for this machine's programs) and %s (for all other zones), such as "+
		"link/a-b", api.KindLink, order.Link, l.options.Region, strings.Join(zoneLetters[:], ", "), api.Clients, api.AllZones)
}

// ends are the zones, or the clients, that a word stands for.
func (l *links) ends(word string) (names []string) {
	switch z := l.zones.named(word); {
	case word == api.Clients:
		return []string{word}
	case word == api.AllZones, word == "*":
		for _, z := range l.zones {
			names = append(names, z.name)
		}
		return names
	case z != nil:
		return []string{z.name}
	}
	return nil
}

// pair is what is true now of a route, seen from where it begins.
func (l *links) pair(r route) (p link.Pair) {
	for _, f := range l.acting() {
		switch f.route() {
		case r:
			p.Out = append(p.Out, f.effect())
		case r.reversed():
			p.In = append(p.In, f.effect())
		}
	}
	return p
}

// of are the links of a zone, as its gateway has to know them.
func (l *links) of(z *zone) link.Pairs {
	pairs := link.Pairs{}
	for _, name := range append(l.ends(api.AllZones), api.Clients) {
		if p := l.pair(route{z.name, name}); name != z.name && !p.None() {
			pairs[name] = p
		}
	}
	return pairs
}

// shownLinks has the two directions of a link as one where they have the same fault.
func shownLinks(faults []linkFault, zones zones) (shown []api.Fault) {
	short := func(name string) string {
		if z := zones.named(name); z != nil {
			return plan.Letter(name)
		}
		return name
	}
	for i, f := range faults {
		same := func(g linkFault) bool {
			return g.route() == f.route().reversed() && g.Verb == f.Verb && g.Since.Equal(f.Since) && g.LinkFault == f.LinkFault
		}
		if other := slices.IndexFunc(faults, same); other >= 0 && other < i {
			continue
		} else if other < 0 {
			f.OneWay = true
		} else if f.From > f.To && f.To != api.Clients || f.From == api.Clients {
			f.From, f.To = f.To, f.From
		}
		one := api.Fault{Target: fmt.Sprintf("%s/%s-%s", api.KindLink, short(f.From), short(f.To)), Fault: f.Words(f.Verb), Since: f.Since}
		if f.Until != nil {
			one.Until = f.Until
		}
		shown = append(shown, one)
	}
	return shown
}

// dial is an lb.Config's Dial: zoneOf says in which zone a client is, by its index, and -1 for this machine's programs; nil: all are
// these.
func (l *links) dial(zoneOf func(net.Conn) int) func(context.Context, net.Conn, lb.Target) (net.Conn, error) {
	return func(ctx context.Context, client net.Conn, to lb.Target) (net.Conn, error) {
		from := api.Clients
		if zoneOf != nil && client != nil {
			if i := zoneOf(client); i >= 0 {
				from = l.zones[i].name
			}
		}
		conn, err := l.own[route{from, to.Name}].Dial(ctx, func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, to.Network, to.Address)
		})
		if errors.Is(err, link.ErrFault) && from != api.Clients {
			err = fmt.Errorf("%w: %w", lb.ErrNotTheTarget, err)
		}
		return conn, err
	}
}

// check is how health checks connect: from where clients are.
func (l *links) check() func(context.Context, lb.Target) (net.Conn, error) {
	dial := l.dial(nil)
	return func(ctx context.Context, to lb.Target) (net.Conn, error) { return dial(ctx, nil, to) }
}

// cut says whether no client reaches a zone now.
func (l *links) cut(z *zone) bool { return l.own[route{api.Clients, z.name}].Pair().Cut() }

// shut ends all connections that this process has over links.
func (l *links) shut() {
	for _, own := range l.own {
		own.Shut()
	}
}

func (c *control) handleLink(w http.ResponseWriter, r *http.Request) {
	var order api.LinkOrder
	if !readBody(w, r, &order, "the request is no JSON of a link's fault") {
		return
	}
	answer(w, c.region.Link(r.Context(), order))
}
