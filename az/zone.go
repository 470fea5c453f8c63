// Package az is one availability zone: its agent, and what the zone has for all clusters together.
package az

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"tripod/awsapi"
	"tripod/awsapi/cloudwatch/metricdata"
	"tripod/awsapi/ec2"
	"tripod/awsapi/history"
	"tripod/az/balancing"
	"tripod/az/controlplane"
	"tripod/az/gateway"
	"tripod/az/instance"
	"tripod/az/machines"
	"tripod/az/plan"
	"tripod/internal/process"
	"tripod/internal/reconcile"
	"tripod/logs/logstore"
	"tripod/nodes/ipam"
	"tripod/state"
)

// Zone is one availability zone: its agent's life as a value.
type Zone struct {
	config plan.Zone
	controlplane.Parts
	// OnReport is called for every event and every change of state. It must not block for long.
	OnReport func(Report)
	// LogLevel is optional: the level of the logger, which can be changed then.
	LogLevel *slog.LevelVar

	now       func() time.Time
	timing    controlplane.Timing
	logger    *slog.Logger
	registry  *prometheus.Registry
	gateway   *gateway.Gateway
	voter     *state.Voter
	logEvents *logstore.Store
	metrics   *metricdata.Store
	history   *history.Log
	changes   chan struct{} // coalesced: the state should be reported

	mu       sync.Mutex
	clusters map[string]*controlplane.Part // by id
	released map[string]bool               // ids of clusters whose part here is deleted, or is being
	serving  bool
	ending   bool           // no cluster is started any more
	starts   sync.WaitGroup // of clusters that were begun before

	former instance.FormerLeads // before a suspension

	telling sync.Mutex // held while a state is put together
	told    uint64     // the Seq of the last one

	running context.Context // until the zone stops
	cancel  context.CancelFunc
	wait    sync.WaitGroup
	closes  []func() // in the order of the start

	acting   awsapi.Acting // the services of which the zone runs loops
	machines *machines.Host
	pools    *ipam.Pools     // the addresses of nodes' pods
	balances *balancing.Host // the zone's load-balancer nodes
	vpc      *vpcRules
	disk     *zoneDisk
}

// New returns a zone that is not started.
func New(config plan.Zone, logger *slog.Logger) *Zone {
	return &Zone{config: config, disk: newZoneDisk(config.Disk), now: time.Now, timing: controlplane.DefaultTiming, logger: logger,
		changes: make(chan struct{}, 1), clusters: map[string]*controlplane.Part{}, released: map[string]bool{},
		pools: ipam.New(time.Now)}
}

// Start brings the zone's own parts up, those that serve all clusters, and returns; clusters follow from the regional
// state. What it started is undone when it fails.
func (z *Zone) Start(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			z.close()
			err = fmt.Errorf("zone %s: %w", z.config.Zone, err)
		}
	}()
	if err := os.MkdirAll(filepath.Join(z.config.Dir, "logs"), 0o700); err != nil {
		return err
	}
	z.registry = prometheus.NewRegistry()
	registerer := prometheus.WrapRegistererWith(prometheus.Labels{"zone": z.config.Zone}, z.registry)
	registerer.MustRegister(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	z.running, z.cancel = running, cancel
	z.vpc = &vpcRules{zone: z.config.Zone, event: z.event}
	if err := z.startGateway(registerer); err != nil {
		return fmt.Errorf("start gateway: %w", err)
	}
	if err := z.startVoter(ctx, registerer); err != nil {
		return fmt.Errorf("start regional state: %w", err)
	}
	if err := z.startLogEvents(running); err != nil {
		return fmt.Errorf("start log events: %w", err)
	}
	if err := z.startFront(running, registerer); err != nil {
		return fmt.Errorf("start AWS front: %w", err)
	}
	z.acting = z.backend().Acting()
	z.vpc.paths = ec2.NewPaths(z.acting.Network)
	z.machines = z.newMachines()
	if err := z.startBalancing(); err != nil {
		return fmt.Errorf("start the load balancers' nodes: %w", err)
	}
	if err := z.startControl(); err != nil {
		return fmt.Errorf("start control socket: %w", err)
	}
	z.mu.Lock()
	z.serving = true
	z.mu.Unlock()
	z.wait.Go(func() { reconcile.Run(running, z.loops()...) })
	return nil
}

// Stop ends the zone's clusters and then its own parts, in the reverse order of their start. The data is kept.
func (z *Zone) Stop(ctx context.Context) error {
	if z.cancel == nil {
		return nil
	}
	err := z.eachCluster(func(c *controlplane.Part) error { return c.Stop(ctx) })
	z.close()
	return err
}

// Quiesce ends all that needs a quorum of etcd, as the first half of the stop of a whole region: an API server that has
// lost its etcd waits for it in vain.
func (z *Zone) Quiesce(ctx context.Context) error {
	return z.eachCluster(func(c *controlplane.Part) error { return c.Quiesce(ctx) })
}

// eachCluster ends the reconciler, which then starts nothing more, and does something to all clusters side by side.
func (z *Zone) eachCluster(do func(*controlplane.Part) error) error {
	z.mu.Lock()
	z.ending = true
	z.mu.Unlock()
	z.starts.Wait()
	z.mu.Lock()
	clusters := make([]*controlplane.Part, 0, len(z.clusters))
	for _, cluster := range z.clusters {
		clusters = append(clusters, cluster)
	}
	z.mu.Unlock()
	errs := make([]error, len(clusters))
	var wait sync.WaitGroup
	for i, cluster := range clusters {
		wait.Go(func() { errs[i] = do(cluster) })
	}
	wait.Wait()
	return errors.Join(errs...)
}

func (z *Zone) close() {
	if z.cancel != nil {
		z.cancel()
	}
	for i := len(z.closes) - 1; i >= 0; i-- {
		z.closes[i]()
	}
	z.closes = nil
	z.wait.Wait()
}

// Run is the program `tripod internal zone CONFIG`.
func Run(ctx context.Context, args []string, parts controlplane.Parts) error {
	ctx, line, err := process.Attach(ctx)
	if err != nil {
		return err
	}
	if len(args) != 1 {
		return errors.New("usage: tripod internal zone CONFIG")
	}
	config, err := plan.Read(args[0])
	if err != nil {
		return err
	}
	level := &slog.LevelVar{}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})).With("az", config.Zone)
	zone := New(config, logger)
	zone.LogLevel = level
	zone.Parts = parts
	zone.OnReport = func(r Report) { line.Report(r) }
	if err := zone.Start(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	if context.Cause(ctx) == process.ErrOrphaned {
		os.Exit(1) // the region was killed: the zone's instances see the same of this process
	}
	stopping, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return zone.Stop(stopping)
}

// stopTimeout is how long a zone's instances may take to end in order.
const stopTimeout = 15 * time.Second
