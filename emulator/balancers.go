package emulator

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"tripod/az"
	"tripod/client"
	"tripod/lb"
	"tripod/region"
)

// cluster is a cluster's endpoint.
type cluster struct {
	state    az.ClusterState
	balancer *lb.Balancer // nil when the cluster is FAILED or DELETING, and while the endpoint cannot be opened
	gate     *gate        // the balancer's listener
	trouble  string       // why it cannot

	reporting bool // a zone is being told
	// creation names the stages of the cluster's creation that have been told, until all are; nil at all other times. Whoever judges has it.
	creation map[string]bool
}

// checkInterval is how often a balancer asks a target for its health. Of what dies or is paused it is told; what hangs is found within a second, and to ask
// more often is a good part of what an idle region costs.
const checkInterval = 250 * time.Millisecond

// newAWSBalancer balances over the zones' AWS fronts.
func (e *Emulator) newAWSBalancer(listener net.Listener) *lb.Balancer {
	config := lb.Config{Name: "aws", Listener: listener, Check: lb.HTTPCheck(nil, "/healthz", "localhost"),
		Interval: checkInterval,
		Logger:   e.logger.With("balancer", "aws"), Registerer: e.registry, OnChange: e.targetChanged("aws", "")}
	for i := range zoneLetters {
		config.Targets = append(config.Targets, lb.Target{Name: e.zoneName(i), Network: "unix", Address: az.FrontSocket(e.runDir + "/" + zoneLetters[i])})
	}
	return lb.New(config)
}

// ensureClusters starts the balancers of clusters that are new in a copy of the regional state, and stops those of clusters that end. A zone's copy may
// be older than another's, by its index: from such a one nothing is to be learned.
func (e *Emulator) ensureClusters(index uint64, states []az.ClusterState) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopping || index < e.index {
		return
	}
	e.index = index
	gone := maps.Clone(e.clusters)
	for _, state := range states {
		delete(gone, state.ID)
		known := e.clusters[state.ID]
		if known == nil {
			known = &cluster{}
			if state.Status == "CREATING" {
				known.creation = map[string]bool{}
			}
			e.clusters[state.ID] = known
		}
		known.state = state
	}
	changed := false
	for id, c := range gone { // first: a new cluster may have the port of an old one
		changed = e.dismiss(c) || changed
		delete(e.clusters, id)
	}
	if e.openEndpoints() || changed {
		e.keepKubeconfig()
	}
}

// serves says whether a cluster has an endpoint.
func serves(state az.ClusterState) bool {
	return state.Status != "FAILED" && state.Status != "DELETING"
}

// openEndpoints opens and closes what the clusters' states ask for, and says whether an endpoint came or went. It assumes the lock.
func (e *Emulator) openEndpoints() (changed bool) {
	settled := true
	for _, c := range e.clusters {
		if !serves(c.state) {
			changed = e.dismiss(c) || changed
			continue
		}
		trouble := ""
		if c.balancer == nil {
			err := e.openEndpoint(c)
			if changed = changed || err == nil; err != nil {
				trouble = fmt.Sprintf("the endpoint of cluster %s cannot be opened: %v; it is tried again every second", c.state.Name, err)
			}
		}
		if c.balancer != nil {
			if err := c.grant(c.state.Access); err != nil {
				trouble = fmt.Sprintf("the private endpoint of cluster %s cannot be opened: %v; it is tried again every second", c.state.Name, err)
			}
		}
		e.tellTrouble(c, trouble)
		known := e.report(c)
		settled = settled && trouble == "" && known
	}
	if !settled && !e.retrying {
		e.retrying = true
		time.AfterFunc(endpointRetry, e.openAgain)
	}
	return changed
}

// endpointRetry is how soon it is tried again to open an endpoint whose port somebody else had, or to tell the zones of one.
const endpointRetry = time.Second

func (e *Emulator) openAgain() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.retrying = false
	if !e.stopping && e.openEndpoints() {
		e.keepKubeconfig()
	}
}

// openEndpoint assumes the lock.
func (e *Emulator) openEndpoint(c *cluster) error {
	gate := e.newGate(c.state)
	if err := gate.open(); err != nil {
		return err
	}
	balancer, err := e.newClusterBalancer(c.state, gate)
	if err != nil {
		gate.Close()
		return err
	}
	c.gate, c.balancer = gate, balancer
	return nil
}

func (e *Emulator) newGate(state az.ClusterState) *gate {
	address, _ := netip.ParseAddr(e.options.ClientAddress) // empty: the zero address, of which no CIDR knows
	return &gate{
		publicAddress: loopback(state.EndpointPort), privateAddress: loopback(privatePort(e.dir.marker.PortBase, state.EndpointPort)),
		socket: az.EndpointSocket(e.zones[0].runDir, state.ID), client: address, now: time.Now,
		refused: func(reason string, connections int) {
			e.emit(client.Event{Cluster: state.Name, Type: "EndpointRefused",
				Message: fmt.Sprintf("the endpoint of cluster %s refused %d connection(s): %s", state.Name, connections, reason)})
		},
	}
}

// grant puts an access into effect: whom it does not admit any more is cut off.
func (c *cluster) grant(access region.EndpointAccess) error {
	err := c.gate.setAccess(access)
	c.balancer.ResetClients(func(conn net.Conn) bool { return !c.gate.stands(conn) })
	return err
}

// tellTrouble makes events of what the endpoint's trouble becomes. It assumes the lock.
func (e *Emulator) tellTrouble(c *cluster, trouble string) {
	switch {
	case trouble == c.trouble:
		return
	case trouble != "":
		e.emit(client.Event{Cluster: c.state.Name, Type: "EndpointFailed", Message: trouble})
	default:
		e.emit(client.Event{Cluster: c.state.Name, Type: "EndpointOpened", Message: "the endpoint of cluster " + c.state.Name + " is open"})
	}
	c.trouble = trouble
}

// report has the zones write down what they do not know of a cluster's endpoint. It says whether they know all; they tell by their states. It assumes
// the lock.
func (e *Emulator) report(c *cluster) (known bool) {
	told := az.EndpointReport{Trouble: c.trouble}
	early := c.state.NotBefore != nil && time.Now().Before(*c.state.NotBefore)
	if c.trouble == "" && !early {
		told.UpdateID = c.state.Access.UpdateID
	}
	if told.UpdateID == "" && told.Trouble == c.state.Trouble {
		return c.state.Access.UpdateID == ""
	}
	if !c.reporting {
		c.reporting = true
		id := c.state.ID
		e.wait.Go(func() {
			e.sendReport(id, told)
			e.mu.Lock()
			defer e.mu.Unlock()
			c.reporting = false
		})
	}
	return false
}

// sendReport tells the first zone that takes it.
func (e *Emulator) sendReport(id string, report az.EndpointReport) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, z := range e.zones {
		if z.reachable() != nil {
			continue
		}
		err := az.Call(ctx, z.runDir, "POST", "/v1/clusters/"+id+"/endpoint", report, nil)
		if err == nil {
			return
		}
		e.logger.Warn("tell of an endpoint", "az", z.name, "error", err)
	}
}

// keepKubeconfig writes the file anew. It assumes the lock.
func (e *Emulator) keepKubeconfig() {
	if err := e.writeKubeconfig(e.served()); err != nil {
		go e.fail(diskError(e.dir.path, err))
	}
}

// dismiss stops a cluster's balancer, which may not be waited for under the lock that its callbacks take, and says whether it had one. It assumes
// the lock.
func (e *Emulator) dismiss(c *cluster) bool {
	balancer := c.balancer
	c.balancer, c.gate, c.trouble = nil, nil, ""
	if balancer == nil {
		return false
	}
	e.wait.Go(func() {
		draining, cancel := context.WithTimeout(context.Background(), drainTime)
		defer cancel()
		balancer.Stop(draining)
	})
	return true
}

// served are the clusters that have an endpoint, in the order of their names. It assumes the lock.
func (e *Emulator) served() (states []az.ClusterState) {
	for _, c := range e.clusters {
		if c.balancer != nil {
			states = append(states, c.state)
		}
	}
	slices.SortFunc(states, func(a, b az.ClusterState) int { return strings.Compare(a.Name, b.Name) })
	return states
}

func (e *Emulator) newClusterBalancer(state az.ClusterState, gate *gate) (*lb.Balancer, error) {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(state.CACert))
	// Without etcd's part: while etcd elects a leader, every API server's /readyz waits, and all would seem silent. An API server
	// that has lost its etcd says so itself, and clients wait out an election better than a reset.
	check := lb.HTTPCheck(&tls.Config{RootCAs: pool, ServerName: "localhost"}, "/readyz?exclude=etcd&exclude=etcd-readiness", "localhost")
	config := lb.Config{Name: state.Name, Listener: gate, Admit: gate.admit, Check: check, Interval: checkInterval,
		Logger: e.logger.With("balancer", state.Name), Registerer: e.registry, OnChange: e.targetChanged(state.Name, state.Name)}
	for i := range zoneLetters {
		config.Targets = append(config.Targets, lb.Target{Name: e.zoneName(i), Address: az.APIServerAddress(state.EndpointPort, i)})
	}
	balancer := lb.New(config)
	return balancer, balancer.Start(context.Background())
}

// targetChanged makes events of what a balancer finds.
func (e *Emulator) targetChanged(balancer, cluster string) func(lb.TargetStatus) {
	return func(target lb.TargetStatus) {
		event := client.Event{Zone: target.Name, Cluster: cluster, Type: "TargetHealthy",
			Message: fmt.Sprintf("balancer %s: %s is healthy", balancer, target.Name)}
		if cluster != "" {
			event.Target = "apiserver/" + az.Letter(target.Name)
		} else {
			event.Target = "az/" + target.Name
		}
		if !target.Healthy {
			event.Type, event.Message = "TargetUnhealthy", fmt.Sprintf("balancer %s: %s is not healthy: %s", balancer, target.Name, target.Reason)
		}
		e.emit(event)
		e.evaluate()
	}
}

// balancers of the region: the AWS endpoint's first.
func (e *Emulator) balancers() []*lb.Balancer {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := []*lb.Balancer{e.aws}
	for _, c := range e.clusters {
		if c.balancer != nil {
			all = append(all, c.balancer)
		}
	}
	return all
}

// clusterNamed returns a copy; found is false when there is no such cluster.
func (e *Emulator) clusterNamed(name string) (named cluster, found bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.clusters {
		if c.state.Name == name {
			return *c, true
		}
	}
	return cluster{}, false
}
