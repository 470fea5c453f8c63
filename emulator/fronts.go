package emulator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tripod/api"
	"tripod/az/plan"
	"tripod/internal/ports"
	"tripod/lb/handover"
)

// fronts are the ports of load balancers' listeners on this machine. They do what a load balancer's name in the DNS does
// on AWS: each client comes to the node of one of the zones, which takes the connection over.
type fronts struct {
	*site
	life  *life
	links *links
	zones zones
	wake  func(why string)

	turn atomic.Uint64 // of the zones

	mu     sync.Mutex
	index  uint64
	shown  []api.LoadBalancer
	doors  map[int]*frontDoor   // by the port that they listen on
	places map[frontPlace]place // where each listener is
	closed bool
}

// frontPlace is a listener of a load balancer.
type frontPlace struct {
	balancer string // its ARN
	port     int
}

// place is where a listener is: a port of this machine, or why there is none.
type place struct {
	port    int
	trouble string
}

// frontDoor is a port of this machine. More than one listener may have it: clients that tell no name of theirs come to the
// first one.
type frontDoor struct {
	listener net.Listener
	claims   atomic.Pointer[[]claim]
}

// claim is a listener that has a door.
type claim struct {
	frontPlace
	name   string // of the load balancer, in lower case
	zones  []string
	named  bool // its clients tell by name whom they want: by HTTP or TLS
	public bool // the door has the listener's own number
}

func newFronts(site *site, life *life, links *links, zones zones) *fronts {
	return &fronts{site: site, life: life, links: links, zones: zones, doors: map[int]*frontDoor{}, places: map[frontPlace]place{}}
}

// update opens and closes doors as a copy of the regional state says. From an older copy nothing is to be learned.
func (f *fronts) update(index uint64, shown []api.LoadBalancer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || index < f.index {
		return
	}
	f.index = index
	var settled, others []func()
	var all []claim
	claims, places := map[int][]claim{}, map[frontPlace]place{}
	for i := range shown {
		b := &shown[i]
		for _, l := range b.Listeners {
			at := frontPlace{b.ARN, l.Port}
			c := claim{frontPlace: at, name: strings.ToLower(b.DNSName), zones: b.Zones, named: isNamed(l.Protocol)}
			all = append(all, c)
			admit := func() { places[at] = f.admit(claims, c, l) }
			if f.places[at].port != 0 {
				settled = append(settled, admit)
			} else {
				others = append(others, admit)
			}
		}
	}
	for _, admit := range append(settled, others...) { // who has a place keeps it
		admit()
	}
	for _, c := range all { // who tells their name by HTTP or TLS comes to it at the listener's own number, too
		if is := places[c.frontPlace].port; is != 0 && is != c.port && len(claims[c.port]) > 0 && claims[c.port][0].public {
			c.public = true
			claims[c.port] = append(claims[c.port], c)
		}
	}
	for port, door := range f.doors {
		if len(claims[port]) == 0 {
			door.listener.Close()
			delete(f.doors, port)
			continue
		}
		has := claims[port]
		door.claims.Store(&has)
	}
	for at, is := range places {
		if was := f.places[at]; was != is {
			f.tell(shown, at, is)
		}
	}
	f.places = places
	shown = slices.Clone(shown) // it is the zone's
	for i := range shown {
		shown[i].Listeners = slices.Clone(shown[i].Listeners)
		for j := range shown[i].Listeners {
			f.address(&shown[i], &shown[i].Listeners[j])
		}
	}
	f.shown = shown
}

// isNamed says whether clients of a protocol tell by name whom they want.
func isNamed(protocol string) bool {
	return slices.Contains([]string{"HTTP", "HTTPS", "TLS", "SSL"}, protocol)
}

// datagrams are the protocols that no door takes.
func datagrams(protocol string) bool {
	return slices.Contains([]string{"UDP", "QUIC", "GENEVE"}, protocol)
}

// admit gives a listener a door: that of its own number where nobody else has it, or where its clients tell by name that
// they want it; else another one. It assumes the lock.
func (f *fronts) admit(claims map[int][]claim, c claim, l api.BalancerListener) place {
	if datagrams(l.Protocol) {
		return place{trouble: l.Protocol + " is recorded only: datagrams are not carried"}
	}
	before := f.places[c.frontPlace].port
	free := func(port int) bool {
		return len(claims[port]) == 0 || c.named && port == c.port && claims[port][0].public
	}
	candidates := []int{c.port}
	if before != 0 {
		candidates = []int{before, c.port}
	}
	if c.port+otherPorts < lowestClientPort {
		for port := c.port + otherPorts; port < lowestClientPort && len(candidates) < mostCandidates; port += 100 {
			candidates = append(candidates, port)
		}
	}
	for _, port := range append(candidates, 0) {
		if port != 0 && (!free(port) || f.isOwn(port)) {
			continue
		}
		open, err := f.open(port)
		if err == nil {
			c.public = open == c.port
			claims[open] = append(claims[open], c)
			return place{port: open}
		}
		if port == 0 {
			return place{trouble: fmt.Sprintf("no port of this machine is free: %v", err)}
		}
	}
	return place{}
}

const (
	// otherPorts is the distance to the number that a listener gets whose own is not free: 10080 for 80.
	otherPorts = 10000
	// lowestClientPort is where systems take clients' ports from.
	lowestClientPort = 32768
	mostCandidates   = 100
	// mostDoors bounds the ports of this machine that load balancers have: whoever may make a Service opens one.
	mostDoors = 256
)

// isOwn says whether a port is the region's for something else.
func (f *fronts) isOwn(port int) bool {
	return slices.ContainsFunc(f.ownPorts(), func(r ports.Range) bool { return r.First <= port && port <= r.Last })
}

// open listens on a port, or on one of the system's choice for 0, unless a door does. It assumes the lock.
func (f *fronts) open(port int) (int, error) {
	if f.doors[port] != nil {
		return port, nil
	}
	if len(f.doors) >= mostDoors {
		return 0, fmt.Errorf("load balancers have %d ports already", mostDoors)
	}
	listener, err := net.Listen("tcp", loopback(port))
	if err != nil {
		return 0, err
	}
	port = listener.Addr().(*net.TCPAddr).Port
	door := &frontDoor{listener: listener}
	door.claims.Store(&[]claim{}) // until all are admitted
	f.doors[port] = door
	f.life.wait.Go(func() { f.accept(door) })
	return port, nil
}

// address says where a listener is. It assumes the lock.
func (f *fronts) address(b *api.LoadBalancer, l *api.BalancerListener) {
	is := f.places[frontPlace{b.ARN, l.Port}]
	l.Trouble = is.trouble
	if is.port == 0 {
		return
	}
	l.Address = loopback(is.port)
	scheme, usual := "", 0
	switch l.Protocol { // of other protocols there is no scheme that all tools know
	case "HTTP":
		scheme, usual = "http://", 80
	case "HTTPS":
		scheme, usual = "https://", 443
	}
	l.URL = scheme + b.DNSName
	if is.port != usual {
		l.URL += ":" + strconv.Itoa(is.port)
	}
}

// tell makes an event of where a listener is. It assumes the lock.
func (f *fronts) tell(shown []api.LoadBalancer, at frontPlace, is place) {
	for _, b := range shown {
		for _, l := range b.Listeners {
			if b.ARN != at.balancer || l.Port != at.port {
				continue
			}
			event := api.Event{Type: api.LoadBalancerOpened, Message: fmt.Sprintf("load balancer %s: port %d answers at %s", b.Name,
				at.port, loopback(is.port))}
			if is.port == 0 {
				event.Type, event.Message = api.LoadBalancerFailed, fmt.Sprintf("load balancer %s: port %d: %s", b.Name, at.port, is.trouble)
			}
			f.emit(event)
		}
	}
}

// loadBalancers are all of the region, with where they are.
func (f *fronts) loadBalancers() []api.LoadBalancer {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.shown)
}

// mostComing bounds the clients of a door that have no node yet.
const mostComing = 1024

// accept brings the clients of a door to the nodes, until it is closed.
func (f *fronts) accept(door *frontDoor) {
	coming := make(chan struct{}, mostComing)
	for {
		conn, err := door.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // out of file descriptors: others will close theirs
			continue
		}
		coming <- struct{}{}
		f.life.wait.Go(func() {
			defer func() { <-coming }()
			if !f.bring(conn, *door.claims.Load()) {
				conn.(*net.TCPConn).SetLinger(0) // nobody is there: as a host without a listener answers
			}
			conn.Close()
		})
	}
}

const (
	// helloTime is how long a client may take to say whom it wants, where that is to be asked. Where it may wait for the
	// server to speak first, as with some protocols over TCP, it is silentTime.
	helloTime  = 10 * time.Second
	silentTime = time.Second
	giveTime   = 5 * time.Second // how long a zone may take to take a client
)

// bring gives a client to a zone's node of the load balancer that it wants: one that would send it to a healthy target,
// or where no zone would, any one.
func (f *fronts) bring(conn net.Conn, claims []claim) bool {
	if len(claims) == 0 {
		return false
	}
	f.wake("a client connected to a load balancer")
	var early []byte
	chosen := claims[0]
	if len(claims) > 1 {
		wait := helloTime
		if !chosen.named {
			wait = silentTime
		}
		name, read := nameOf(conn, wait)
		early = read
		for _, c := range claims {
			if name == c.name || strings.HasSuffix(name, "."+c.name) { // a zone's node has a name of its own
				chosen = c
			}
		}
	}
	first := f.turn.Add(1)
	for _, last := range []bool{false, true} {
		for i := range f.zones {
			z := f.zones[(first+uint64(i))%uint64(len(f.zones))]
			if !slices.Contains(chosen.zones, z.name) || z.reachable() != nil || f.links.cut(z) {
				continue
			}
			ctx, cancel := context.WithTimeout(f.life.running, giveTime)
			err := handover.Give(ctx, plan.BalancersSocket(z.runDir()), conn, handover.Offer{Balancer: chosen.balancer,
				Port: chosen.port, Last: last, Early: early})
			cancel()
			if err == nil {
				return true
			}
			if !errors.Is(err, handover.ErrDeclined) {
				f.logger.Debug("hand a load balancer's client over", "az", z.name, "error", err)
			}
		}
	}
	return false
}

// stop closes all doors, for good.
func (f *fronts) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for _, door := range f.doors {
		door.listener.Close()
	}
}
