package emulator

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"tripod/az"
	"tripod/client"
	"tripod/lb"
)

// cluster is a cluster's endpoint.
type cluster struct {
	state    az.ClusterState
	balancer *lb.Balancer // nil when the cluster is FAILED or DELETING
}

// newAWSBalancer balances over the zones' AWS fronts.
func (e *Emulator) newAWSBalancer(listener net.Listener) *lb.Balancer {
	config := lb.Config{Name: "aws", Listener: listener, Check: lb.HTTPCheck(nil, "/healthz", "localhost"),
		Interval: 250 * time.Millisecond, // a front dies with its zone, and of that the balancer is told
		Logger:   e.logger.With("balancer", "aws"), Registerer: e.registry, OnChange: e.targetChanged("aws", "")}
	for i := range zoneLetters {
		config.Targets = append(config.Targets, lb.Target{Name: e.zoneName(i), Network: "unix", Address: az.FrontSocket(e.runDir + "/" + zoneLetters[i])})
	}
	return lb.New(config)
}

// ensureClusters starts the balancers of clusters that are new here, and stops those of clusters that end. A zone's copy of the regional
// state may lag behind another's: what is DELETING or deleted for one of them stays so.
func (e *Emulator) ensureClusters(states []az.ClusterState, deleted []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopping {
		return
	}
	changed := false
	for _, state := range states {
		known := e.clusters[state.ID]
		switch {
		case e.deleted[state.ID]:
		case known == nil:
			if known = e.newCluster(state); known != nil {
				e.clusters[state.ID] = known
				changed = true
			}
		case known.state.Status != "DELETING":
			known.state = state
			if !serves(state) && known.balancer != nil {
				e.dismiss(known)
				changed = true
			}
		}
	}
	for _, id := range deleted {
		e.deleted[id] = true
		if known := e.clusters[id]; known != nil {
			e.dismiss(known)
			delete(e.clusters, id)
			changed = true
		}
	}
	if changed {
		if err := e.writeKubeconfig(e.served()); err != nil {
			go e.fail(diskError(e.dir.path, err))
		}
	}
}

// serves says whether a cluster has an endpoint.
func serves(state az.ClusterState) bool {
	return state.Status != "FAILED" && state.Status != "DELETING"
}

// newCluster is nil when the endpoint cannot be opened. It assumes the lock.
func (e *Emulator) newCluster(state az.ClusterState) *cluster {
	if !serves(state) {
		return &cluster{state: state}
	}
	balancer, err := e.newClusterBalancer(state)
	if err != nil {
		e.logger.Error("balancer", "cluster", state.Name, "error", err)
		go e.fail(fmt.Errorf("the endpoint of cluster %s cannot be opened: %w", state.Name, err))
		return nil
	}
	return &cluster{state: state, balancer: balancer}
}

// dismiss stops a cluster's balancer, which may not be waited for under the lock that its callbacks take. It assumes the lock.
func (e *Emulator) dismiss(c *cluster) {
	balancer := c.balancer
	c.balancer = nil
	if balancer == nil {
		return
	}
	e.wait.Go(func() {
		draining, cancel := context.WithTimeout(context.Background(), drainTime)
		defer cancel()
		balancer.Stop(draining)
	})
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

func (e *Emulator) newClusterBalancer(state az.ClusterState) (*lb.Balancer, error) {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(state.CACert))
	// Without etcd's part: while etcd elects a leader, every API server's /readyz waits, and all would seem silent. An API server
	// that has lost its etcd says so itself, and clients wait out an election better than a reset.
	check := lb.HTTPCheck(&tls.Config{RootCAs: pool, ServerName: "localhost"}, "/readyz?exclude=etcd&exclude=etcd-readiness", "localhost")
	config := lb.Config{Name: state.Name, Address: loopback(state.EndpointPort), Check: check,
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
