// Package election has a process stand for the lease of a Kubernetes component, and run the component while it holds it. A holder that is
// known to be gone is not waited for: its lease is released on its behalf.
package election

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"

	"tripod/apiserver/launch"
	"tripod/internal/loss"
	"tripod/internal/sleep"
)

// Election is this process's part in the election of one component.
type Election struct {
	name     string // the component's and its lease's
	identity string // ZONE_UUID: an instance of the component that is lost is known by its zone
	timing   launch.LeaseTiming
	leases   coordination.LeasesGetter
	run      func(context.Context) error // the component, until its context ends
	leads    func(bool)                  // is told when this process begins and ceases to lead

	losses  chan loss.Loss
	leading atomic.Bool

	mu        sync.Mutex
	suspended chan struct{}      // closed by resume; nil unless suspended
	led       bool               // when it was suspended last
	cancel    context.CancelFunc // ends the candidacy under way
	idle      chan struct{}      // closed when that one has ended; nil before the first
}

// headStart is how long one that did not lead stays away after a suspension, so that the leader of before leads again.
const headStart = 2 * time.Second

// New joins nothing yet.
func New(name, kubeconfig string, spec launch.Process, run func(context.Context) error,
	leads func(bool)) (*Election, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	config.Timeout = spec.Lease.Renew / 2 // a request that hangs must not cost the lease
	client, err := kubernetes.NewForConfig(rest.AddUserAgent(config, "leader-election"))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &Election{name: name, identity: spec.Zone + "_" + string(uuid.NewUUID()), timing: spec.Lease,
		leases: client.CoordinationV1(),
		run:    run, leads: leads, losses: make(chan loss.Loss, 8)}, nil
}

// Name is the component's.
func (e *Election) Name() string { return e.name }

// Lost tells that another zone's instance is gone. It does not wait.
func (e *Election) Lost(l loss.Loss) {
	select {
	case e.losses <- l:
	default: // so many at once that the lease's own time decides
	}
}

// Hold stands for the lease, runs the component while it is held, and stands again when it was lost, until ctx ends.
// The error is the component's: one that failed takes its process along.
func (e *Election) Hold(ctx context.Context) error {
	for ctx.Err() == nil {
		standing, ended := e.begin(ctx)
		if standing == nil {
			continue
		}
		err := e.stand(standing)
		failed := err != nil && standing.Err() == nil
		ended()
		if failed {
			return fmt.Errorf("%s: %w", e.name, err)
		}
	}
	return nil
}

// begin returns the context of a new candidacy, and what is to be called at its end; or nil after a wait.
func (e *Election) begin(ctx context.Context) (standing context.Context, ended func()) {
	e.mu.Lock()
	if suspended, led := e.suspended, e.led; suspended != nil {
		e.mu.Unlock()
		select {
		case <-suspended:
			if !led {
				sleep.For(ctx, headStart)
			}
		case <-ctx.Done():
		}
		return nil, nil
	}
	defer e.mu.Unlock()
	standing, cancel := context.WithCancel(ctx)
	idle := make(chan struct{})
	e.cancel, e.idle = cancel, idle
	return standing, func() {
		cancel()
		close(idle)
	}
}

// Suspend gives the lease up and stands for it no more before resume: a controller that was stopped for long would take
// for dead all that was stopped with it. It returns when the component has ended, or ctx has.
func (e *Election) Suspend(ctx context.Context) {
	e.mu.Lock()
	if e.suspended == nil {
		e.suspended, e.led = make(chan struct{}), e.leading.Load()
	}
	cancel, idle := e.cancel, e.idle
	e.mu.Unlock()
	if idle == nil {
		return
	}
	cancel()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}

// Resume lets it stand again.
func (e *Election) Resume() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.suspended != nil {
		close(e.suspended)
		e.suspended = nil
	}
}

// stand is one candidacy. It returns when the lease was held and lost, and the component has ended; or when the lease
// was released on behalf of a holder that is gone, so that a new candidacy need not wait.
func (e *Election) stand(ctx context.Context) error {
	logger := klog.FromContext(ctx)
	electing, stop := context.WithCancel(ctx)
	defer stop()
	began := make(chan struct{})
	ended := make(chan error, 1)
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Name: e.name,
		Lock: watchedLock{&resourcelock.LeaseLock{LeaseMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem,
			Name: e.name}, Client: e.leases,
			LockConfig: resourcelock.ResourceLockConfig{Identity: e.identity}}, began, stop},
		LeaseDuration: e.timing.Duration, RenewDeadline: e.timing.Renew, RetryPeriod: e.timing.Retry,
		ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(leading context.Context) {
				close(began)
				e.leading.Store(true)
				e.leads(true)
				err := e.run(leading)
				if err == nil && leading.Err() == nil {
					err = errors.New("it returned although nobody stopped it")
				}
				ended <- err
				stop() // a component that failed must not keep its lease: another zone's is to take over
			},
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return err
	}
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if e.awaitLoss(electing, began) {
			stop() // the elector has its own idea of when the lease ends; the next one has none
		}
	})
	elector.Run(electing)
	stop()
	waiting.Wait()
	select {
	case <-began:
	default:
		if ctx.Err() == nil && elector.IsLeader() { // it was stopped between the lease and the component
			logger.Info("the lease came with the news of a loss", "component", e.name)
		}
		return nil
	}
	err = <-ended // nothing of a former leader may run on
	e.leading.Store(false)
	e.leads(false)
	if err == nil && ctx.Err() == nil {
		logger.Info("the lease was lost; standing again", "component", e.name)
	}
	return err
}

// watchedLock stops a leader as soon as it reads that another one has the lease, as after a pause. Upstream's elector
// goes on for its whole renew deadline, ten seconds, in which two would lead.
type watchedLock struct {
	resourcelock.Interface
	began <-chan struct{} // closed once this process leads
	stop  func()
}

// Get is resourcelock.Interface's.
func (l watchedLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.Interface.Get(ctx)
	if err == nil && record.HolderIdentity != "" && record.HolderIdentity != l.Identity() {
		select {
		case <-l.began:
			l.stop()
		default:
		}
	}
	return record, raw, err
}

// awaitLoss waits for the news that the holder of the lease is gone, and releases it. It returns false when this
// process begins to lead, or stops.
func (e *Election) awaitLoss(ctx context.Context, began <-chan struct{}) bool {
	for {
		select {
		case l := <-e.losses:
			if e.release(ctx, l) {
				return true
			}
		case <-began:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// release gives up the lease on behalf of its holder, when that one is the instance that is lost. It says whether the
// lease is free.
func (e *Election) release(ctx context.Context, l loss.Loss) bool {
	for end := time.Now().Add(e.timing.Duration); time.Now().Before(end) &&
		ctx.Err() == nil; sleep.For(ctx, 100*time.Millisecond) {
		lease, err := e.leases.Leases(metav1.NamespaceSystem).Get(ctx, e.name, metav1.GetOptions{})
		if err != nil {
			continue // etcd may have no leader at the moment, or this zone's API server was lost too
		}
		holder := lease.Spec.HolderIdentity
		if holder == nil || *holder == "" {
			return true
		}
		if !strings.HasPrefix(*holder, l.Zone+"_") || livesSince(l.At, lease) {
			return false
		}
		released := lease.DeepCopy()
		released.Spec.HolderIdentity, released.Spec.LeaseDurationSeconds = new(""), new(int32(1)) // as client-go does
		if _, err := e.leases.Leases(metav1.NamespaceSystem).Update(ctx, released, metav1.UpdateOptions{}); err == nil {
			klog.FromContext(ctx).Info("released the lease of an instance that is gone", "component", e.name, "holder", *holder)
			return true
		}
	}
	return false
}

// livesSince says that a lease's holder has begun, or has renewed it, after that time: news that come late, or are wrong, must not take the
// lease from one that runs. All processes of the region have one clock.
func livesSince(at time.Time, lease *coordinationv1.Lease) bool {
	for _, sign := range []*metav1.MicroTime{lease.Spec.AcquireTime, lease.Spec.RenewTime} {
		if sign != nil && sign.Time.After(at) {
			return true
		}
	}
	return false
}
