package emulator

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"tripod/api"
	"tripod/az"
	"tripod/az/plan"
	"tripod/internal/pressure"
	"tripod/lb"
	"tripod/region"
)

// cluster is a cluster's endpoint.
type cluster struct {
	state    az.ClusterState
	balancer *lb.Balancer           // nil when the cluster is FAILED or DELETING, and while the endpoint cannot be opened
	gate     *gate                  // the balancer's listener
	granted  *region.EndpointAccess // what is in effect
	trouble  string                 // why it cannot
	roots    *roots                 // of the API servers, for the health check

	reporting bool // a zone is being told
	// creation names the stages of the cluster's creation that have been told, until all are; nil at all other times. Whoever judges has it.
	creation map[string]bool
}

// healthChecks are a balancer's defaults: of what dies or is paused the region tells it at once, and what hangs is found within some seconds. With fast
// timers it guesses at deaths after a fraction of a second.
func (e *Emulator) healthChecks(config lb.Config) lb.Config {
	config.Starved = pressure.Starved
	if e.options.FastTimers {
		config.Interval, config.Timeout, config.FirstByteDeadline, config.Starved = 250*time.Millisecond, 300*time.Millisecond, time.Second, nil
	}
	return config
}

// newAWSBalancer balances over the zones' AWS fronts.
func (e *Emulator) newAWSBalancer(listener net.Listener) *lb.Balancer {
	config := lb.Config{Name: "aws", Listener: listener, Check: lb.HTTPCheck(nil, "/healthz", "localhost"), Wake: e.wakeFor("the AWS endpoint"),
		Logger: e.logger.With("balancer", "aws"), Registerer: e.registry, OnChange: e.targetChanged("aws", "")}
	for i := range zoneLetters {
		config.Targets = append(config.Targets, lb.Target{Name: e.zoneName(i), Network: "unix", Address: plan.FrontSocket(e.runDir + "/" + zoneLetters[i])})
	}
	return lb.New(e.healthChecks(config))
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
	gone, changed := maps.Clone(e.clusters), false
	for _, state := range states {
		delete(gone, state.ID)
		known := e.clusters[state.ID]
		if known == nil {
			known = &cluster{}
			if state.Status == region.ClusterCreating {
				known.creation = map[string]bool{}
			}
			e.clusters[state.ID] = known
		}
		if known.state.CACert != state.CACert && known.balancer != nil {
			known.roots.set(state.CACert)
			changed = true // the kubeconfig has it too
		}
		known.state = state
	}
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
	return state.Status.Runs()
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
	c.balancer, c.gate, c.granted, c.trouble = nil, nil, nil, ""
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

// roots are the certificate authorities of a cluster, which change when one follows another.
type roots struct{ pool atomic.Pointer[x509.CertPool] }

func (r *roots) set(text string) {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(text))
	r.pool.Store(pool)
}

// tls verifies servers named localhost by the authorities of now.
func (r *roots) tls() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", VerifyConnection: func(state tls.ConnectionState) error { // in its place
		_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: r.pool.Load(), DNSName: "localhost"})
		return err
	}}
}

func (e *Emulator) newClusterBalancer(state az.ClusterState, gate *gate, roots *roots) (*lb.Balancer, error) {
	// Without etcd's part: while etcd elects a leader, every API server's /readyz waits, and all would seem silent. An API server
	// that has lost its etcd says so itself, and clients wait out an election better than a reset.
	check := lb.HTTPCheck(roots.tls(), "/readyz?exclude=etcd&exclude=etcd-readiness", "localhost")
	config := lb.Config{Name: state.Name, Listener: gate, Admit: gate.admit, Check: check, Wake: e.wakeFor("cluster " + state.Name),
		Logger: e.logger.With("balancer", state.Name), Registerer: e.registry, OnChange: e.targetChanged(state.Name, state.Name)}
	for i := range zoneLetters {
		socket := plan.APIServerSocket(filepath.Join(e.runDir, zoneLetters[i]), state.ID)
		config.Targets = append(config.Targets, lb.Target{Name: e.zoneName(i), Network: "unix", Address: socket})
	}
	balancer := lb.New(e.healthChecks(config))
	return balancer, balancer.Start(context.Background())
}

// targetChanged makes events of what a balancer finds.
func (e *Emulator) targetChanged(balancer, cluster string) func(lb.TargetStatus) {
	return func(target lb.TargetStatus) {
		event := api.Event{Zone: target.Name, Cluster: cluster, Type: api.TargetHealthy,
			Message: fmt.Sprintf("balancer %s: %s is healthy", balancer, target.Name)}
		if cluster != "" {
			event.Target = "apiserver/" + plan.Letter(target.Name)
		} else {
			event.Target = "az/" + target.Name
		}
		if !target.Healthy {
			event.Type, event.Message = api.TargetUnhealthy, fmt.Sprintf("balancer %s: %s is not healthy: %s", balancer, target.Name, target.Reason)
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
