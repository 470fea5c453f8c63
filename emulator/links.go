package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
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
	*site
	life  *life
	zones zones
	own   map[route]*link.Link // those that this process' balancers use
	wake  chan struct{}        // lets the keeper look again

	asleep func() bool // the region's processes stand still, and can be told nothing

	telling sync.Mutex        // held while the zones are told
	told    map[string]string // what each zone knows, by its name; those are not there of which that is not sure
	number  int64             // of the newest settings; higher than those of earlier starts

	mu     sync.Mutex
	faults []linkFault
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

func (f linkFault) effect() link.Effect {
	return link.Effect{Drop: f.Verb == api.Partition && !f.Reject, Reject: f.Reject, Latency: f.Latency, Jitter: f.Jitter,
		Loss: f.Loss / 100, Bandwidth: f.Bandwidth / 8, Share: f.Share / 100}
}

func newLinks(site *site, life *life, zones zones) *links {
	l := &links{site: site, life: life, zones: zones, own: map[route]*link.Link{}, wake: make(chan struct{}, 1),
		told: map[string]string{}, number: time.Now().UnixNano(), asleep: func() bool { return false }}
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

// open reads what was in force when the region ran last.
func (l *links) open() error {
	text, err := os.ReadFile(l.dir.file(linksFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(text, &l.faults)
	}
	for _, f := range l.faults {
		order := api.LinkOrder{Verb: f.Verb, Link: f.From + "-" + f.To, LinkFault: f.LinkFault}
		if err == nil {
			err = order.Check()
		}
		if err == nil && (len(l.ends(f.From)) != 1 || len(l.ends(f.To)) != 1 || f.From == f.To) {
			err = fmt.Errorf("there is no link between %q and %q", f.From, f.To)
		}
	}
	if err != nil {
		return fmt.Errorf("%s is damaged: delete it, and the faults of links are gone: %w", l.dir.file(linksFile), cause(err))
	}
	return nil
}

// keep ends the faults whose time is over, lets those flap that do, and tells zones that could not be told before, until ctx ends. It
// sleeps while there is nothing of that.
func (l *links) keep(ctx context.Context) {
	for {
		next := l.settle(ctx)
		var due <-chan time.Time
		if !next.IsZero() {
			due = time.After(time.Until(next))
		}
		select {
		case <-l.wake:
		case <-due:
		case <-ctx.Done():
			return
		}
	}
}

// retryTelling is how soon a zone is told again that did not answer.
const retryTelling = 2 * time.Second

// settle brings all in line with this moment, and says when to look again.
func (l *links) settle(ctx context.Context) (next time.Time) {
	if l.asleep() {
		return next // it is woken when the region is
	}
	at := time.Now()
	l.mu.Lock()
	var ended []linkFault
	l.faults = slices.DeleteFunc(l.faults, func(f linkFault) bool {
		over := f.Until != nil && !f.Until.After(at)
		if over {
			ended = append(ended, f)
		}
		return over
	})
	for _, f := range l.faults {
		if _, then := f.now(at); !then.IsZero() && (next.IsZero() || then.Before(next)) {
			next = then
		}
	}
	if len(ended) > 0 {
		if err := l.save(); err != nil {
			l.logger.Warn("save the faults of links", "error", err)
		}
	}
	l.mu.Unlock()
	if l.tell(ctx) != nil && (next.IsZero() || next.After(at.Add(retryTelling))) {
		next = at.Add(retryTelling)
	}
	for _, f := range shownLinks(ended, l.zones) {
		l.emit(api.Event{Target: f.Target, Type: api.FaultCleared, Message: fmt.Sprintf("the fault of %s, %s, is over: its time has come",
			f.Target, f.Fault)})
	}
	return next
}

// nudge lets the keeper look whether all zones know.
func (l *links) nudge() {
	select {
	case l.wake <- struct{}{}:
	default: // it will
	}
}

// save writes the faults down. It assumes the lock.
func (l *links) save() error { return l.dir.writeJSON(linksFile, l.faults) }

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

// effect tells the zones, and has the keeper look after what has changed.
func (l *links) effect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, verbTimeout)
	defer cancel()
	err := l.tell(ctx)
	l.nudge()
	return err
}

// change puts faults on routes, or takes theirs away, and says whether there were any.
func (l *links) change(order api.LinkOrder, routes []route) (had bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := slices.Clone(l.faults)
	l.faults = slices.DeleteFunc(l.faults, func(f linkFault) bool {
		return slices.Contains(routes, f.route()) && (order.Verb == api.Heal || order.Verb == f.Verb)
	})
	had = len(l.faults) < len(before)
	if order.Verb != api.Heal {
		since := time.Now().UTC().Truncate(time.Millisecond)
		for _, r := range routes {
			f := linkFault{From: r.from, To: r.to, Verb: order.Verb, Since: since, LinkFault: order.LinkFault}
			if order.For > 0 {
				until := since.Add(order.For)
				f.Until = &until
			}
			l.faults = append(l.faults, f)
		}
	}
	if err := l.save(); err != nil {
		l.faults = before
		return false, err
	}
	return had, nil
}

// clear heals all links.
func (l *links) clear(ctx context.Context) error {
	l.mu.Lock()
	before := l.faults
	l.faults = nil
	var err error
	if len(before) > 0 {
		if err = l.save(); err != nil {
			l.faults = before
		}
	}
	l.mu.Unlock()
	if err != nil || len(before) == 0 {
		return err
	}
	err = l.effect(ctx)
	l.emit(api.Event{Type: api.FaultCleared, Message: "all links are healed"})
	return err
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

// pair is what is true now of a route, seen from where it begins. While the region starts all links are well: it would not come up.
func (l *links) pair(r route) (p link.Pair) {
	if !l.life.isUp() {
		return p
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	at := time.Now()
	for _, f := range l.faults {
		if acts, _ := f.now(at); !acts || f.Until != nil && !f.Until.After(at) {
			continue
		}
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

// atStart is of, for a zone that is about to start.
func (l *links) atStart(z *zone) link.Settings {
	l.telling.Lock()
	defer l.telling.Unlock()
	pairs := l.of(z)
	l.told[z.name] = pairs.String()
	l.number++
	return link.Settings{Number: l.number, Links: pairs}
}

// tell puts in force what is true now: in this process, and in all zones that serve. Others are told when they do.
func (l *links) tell(ctx context.Context) error {
	if l.asleep() {
		return nil
	}
	l.telling.Lock()
	defer l.telling.Unlock()
	for r, own := range l.own {
		own.Set(l.pair(r))
	}
	var told sync.WaitGroup
	errs := make([]error, len(l.zones))
	texts := make([]string, len(l.zones))
	for i, z := range l.zones {
		pairs := l.of(z)
		texts[i] = pairs.String()
		if z.reachable() != nil || !z.status().agent.Serving || texts[i] == l.told[z.name] {
			texts[i] = ""
			continue
		}
		delete(l.told, z.name) // one that answers late may have heard
		l.number++
		settings := link.Settings{Number: l.number, Links: pairs}
		told.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			if err := z.agent().SetLinks(ctx, settings); err != nil {
				errs[i] = fmt.Errorf("zone %s does not answer: what was asked for is so elsewhere, and there as soon as it answers: %w", z.name, err)
			}
		})
	}
	told.Wait()
	for i, z := range l.zones {
		if texts[i] != "" && errs[i] == nil {
			l.told[z.name] = texts[i]
		}
	}
	return errors.Join(errs...)
}

// shown are the faults in force, as the status has them: the two directions of a link as one where they have the same.
func (l *links) shown() []api.Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	return shownLinks(l.faults, l.zones)
}

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
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, mostBody)).Decode(&order); err != nil {
		answer(w, refuse("the request is no JSON of a link's fault: %v", err))
		return
	}
	answer(w, c.region.Link(r.Context(), order))
}
