package emulator

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"tripod/api"
	"tripod/az"
	"tripod/az/plan"
	"tripod/internal/pressure"
	"tripod/lb"
)

// healthChecks are a balancer's defaults: of what dies or is paused the region tells it at once, and what hangs is
// found within some seconds. With fast timers it guesses at deaths after a fraction of a second, and with AWS's it is told
// nothing, and has a Network Load Balancer's defaults: a dead zone is found after 30 to 80 s, and serves again after 150.
func (p *endpoints) healthChecks(config lb.Config) lb.Config {
	config.Starved = pressure.Starved
	if p.options.FastTimers {
		config.Interval, config.Timeout, config.FirstByteDeadline, config.Starved = 250*time.Millisecond,
			300*time.Millisecond, time.Second, nil
	}
	if p.options.AWSHealthChecks {
		config.ChecksAlone, config.Interval, config.Timeout = true, 30*time.Second, 10*time.Second
		config.Thresholds, config.FirstByteDeadline, config.Starved = lb.Thresholds{Healthy: 5, Refused: 2, Failing: 2}, idleTimeout, nil
	}
	return config
}

// idleTimeout is for how long a Network Load Balancer keeps a connection on which nothing comes.
const idleTimeout = 350 * time.Second

// newAWSBalancer balances over the zones' AWS fronts.
func (p *endpoints) newAWSBalancer(listener net.Listener) *lb.Balancer {
	config := lb.Config{Name: "aws", Listener: listener, Check: lb.HTTPCheck(nil, "/healthz", "localhost", p.links.check()),
		Dial:   p.links.dial(nil),
		Wake:   p.wakeFor("the AWS endpoint"),
		Logger: p.logger.With("balancer", "aws"), Registerer: p.registry, OnChange: p.targetChanged("aws", "")}
	for i := range zoneLetters {
		config.Targets = append(config.Targets, lb.Target{Name: p.zoneName(i), Network: "unix",
			Address: plan.FrontSocket(p.zoneRunDir(i))})
	}
	return lb.New(p.healthChecks(config))
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
	// in its place
	return &tls.Config{InsecureSkipVerify: true, ServerName: "localhost",
		VerifyConnection: func(state tls.ConnectionState) error {
			// At a time when it was good: a health check of AWS's looks at no certificate.
			_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: r.pool.Load(), DNSName: "localhost",
				CurrentTime: state.PeerCertificates[0].NotBefore})
			return err
		}}
}

func (p *endpoints) newClusterBalancer(state az.ClusterState, listener *endpointListener, roots *roots) (*lb.Balancer,
	error) {
	// Without etcd's part: while etcd elects a leader, every API server's /readyz waits, and all would seem silent. An
	// API server that has lost its etcd says so itself, and clients wait out an election better than a reset.
	check := lb.HTTPCheck(roots.tls(), "/readyz?exclude=etcd&exclude=etcd-readiness", "localhost", p.links.check())
	config := lb.Config{Name: state.Name, Listener: listener, Admit: listener.admit, Check: check, Dial: p.links.dial(listener.zoneOf),
		Wake:   p.wakeFor("cluster " + state.Name),
		Logger: p.logger.With("balancer", state.Name), Registerer: p.registry,
		OnChange: p.targetChanged(state.Name, state.Name)}
	for i := range zoneLetters {
		socket := plan.APIServerSocket(p.zoneRunDir(i), state.ID)
		config.Targets = append(config.Targets, lb.Target{Name: p.zoneName(i), Network: "unix", Address: socket})
	}
	balancer := lb.New(p.healthChecks(config))
	return balancer, balancer.Start(context.Background())
}

// targetChanged makes events of what a balancer finds.
func (p *endpoints) targetChanged(balancer, cluster string) func(lb.TargetStatus) {
	return func(target lb.TargetStatus) {
		event := api.Event{Zone: target.Name, Cluster: cluster, Type: api.TargetHealthy,
			Message: fmt.Sprintf("balancer %s: %s is healthy", balancer, target.Name)}
		if cluster != "" {
			event.Target = "apiserver/" + plan.Letter(target.Name)
		} else {
			event.Target = "az/" + target.Name
		}
		if !target.Healthy {
			event.Type, event.Message = api.TargetUnhealthy, fmt.Sprintf("balancer %s: %s is not healthy: %s", balancer,
				target.Name, target.Reason)
		}
		p.emit(event)
		p.evaluate()
	}
}

// wakeFor returns what a balancer calls before it carries a client to a zone.
func (p *endpoints) wakeFor(balancer string) func(context.Context) {
	why := "a client connected to " + balancer
	return func(context.Context) { p.wake(why) }
}
