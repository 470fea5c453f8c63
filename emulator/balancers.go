package emulator

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"time"

	"tripod/az"
	"tripod/client"
	"tripod/lb"
)

// cluster is a cluster's endpoint.
type cluster struct {
	state    az.ClusterState
	balancer *lb.Balancer
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

// ensureClusters starts the balancers of clusters that are new here.
func (e *Emulator) ensureClusters(states []az.ClusterState) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopping {
		return
	}
	added := false
	for _, state := range states {
		if known, ok := e.clusters[state.ID]; ok {
			known.state = state
			continue
		}
		balancer, err := e.newClusterBalancer(state)
		if err != nil {
			e.logger.Error("balancer", "cluster", state.Name, "error", err)
			go e.fail(fmt.Errorf("the endpoint of cluster %s cannot be opened: %w", state.Name, err))
			continue
		}
		e.clusters[state.ID] = &cluster{state: state, balancer: balancer}
		added = true
	}
	if added {
		if err := e.writeKubeconfig(states); err != nil {
			go e.fail(diskError(e.dir.path, err))
		}
	}
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
		all = append(all, c.balancer)
	}
	return all
}

func (e *Emulator) clusterNamed(name string) *cluster {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.clusters {
		if c.state.Name == name {
			return c
		}
	}
	return nil
}
