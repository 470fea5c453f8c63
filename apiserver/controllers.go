package apiserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/component-base/configz"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/cmd/kube-controller-manager/app"
	kcmoptions "k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
	schedulerapp "k8s.io/kubernetes/cmd/kube-scheduler/app"
	schedoptions "k8s.io/kubernetes/cmd/kube-scheduler/app/options"
	"k8s.io/kubernetes/pkg/controller/volume/attachdetach"
	"k8s.io/kubernetes/pkg/scheduler/metrics/resources"

	"tripod/apiserver/cloud"
	"tripod/apiserver/election"
	"tripod/apiserver/launch"
	"tripod/internal/loss"
)

// Controllers is one kube-controller-manager, one kube-scheduler and one cloud-controller-manager, each active while it
// holds its lease. Upstream's programs elect themselves too, but build all they need before; here a standby is three
// lease readers, which keeps a waiting zone's process small.
type Controllers struct {
	spec      launch.Process
	manager   *kcmoptions.KubeControllerManagerOptions
	scheduler *schedoptions.Options
	cloud     *cloud.Manager

	elections []*election.Election
	standing  atomic.Bool                  // elections are made
	resources atomic.Pointer[http.Handler] // what pods request, as the scheduler tells it; nil: it does not run here

	mu    sync.Mutex
	leads []string
}

// NewControllers reads the components' flags.
func NewControllers(spec launch.Process) (*Controllers, error) {
	manager, err := kcmoptions.NewKubeControllerManagerOptions()
	if err != nil {
		return nil, fmt.Errorf("kube-controller-manager: %w", err)
	}
	flags := manager.Flags(app.KnownControllers(), app.ControllersDisabledByDefault(), app.ControllerAliases())
	manager.ParsedFlags = &flags
	if err := parse(flags, spec.Flags); err != nil {
		return nil, fmt.Errorf("kube-controller-manager: %w", err)
	}
	scheduler := schedoptions.NewOptions()
	if err := parse(*scheduler.Flags, spec.SchedulerFlags); err != nil {
		return nil, fmt.Errorf("kube-scheduler: %w", err)
	}
	if err := manager.ComponentGlobalsRegistry.Set(); err != nil {
		return nil, fmt.Errorf("kube-controller-manager: %w", err)
	}
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	return &Controllers{spec: spec, manager: manager, scheduler: scheduler, cloud: cloud.New(spec.Cloud)}, nil
}

// Run takes part in the elections until ctx ends, and then gives up what it holds. onLeads is told what this process
// leads, at the start and at every change.
func (c *Controllers) Run(ctx context.Context, onLeads func([]string)) error {
	onLeads([]string{})
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, part := range []struct {
		name, kubeconfig string
		run              func(context.Context) error
	}{
		{"kube-controller-manager", c.spec.ManagerKubeconfig, c.runManager},
		{"kube-scheduler", c.spec.SchedulerKubeconfig, c.runScheduler},
		{"cloud-controller-manager", c.spec.Cloud.Kubeconfig, c.cloud.Run},
	} {
		stands, err := election.New(part.name, part.kubeconfig, c.spec, part.run,
			func(leads bool) { c.lead(part.name, leads, onLeads) })
		if err != nil {
			return err
		}
		c.elections = append(c.elections, stands)
	}
	c.standing.Store(true)
	var wait sync.WaitGroup
	errs := make([]error, len(c.elections))
	for i, one := range c.elections {
		wait.Go(func() {
			// All write to one log: by the logger's name their lines are told apart.
			errs[i] = one.Hold(klog.NewContext(ctx, klog.LoggerWithName(klog.Background(), one.Name())))
			cancel(errs[i]) // all run, or none: the zone starts the process again
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// Lost tells that an instance of another zone is gone: what it led is free.
func (c *Controllers) Lost(_ context.Context, l loss.Loss) {
	if !l.Of("controllers") || l.Zone == c.spec.Zone || !c.standing.Load() {
		return
	}
	for _, one := range c.elections {
		one.Lost(l)
	}
}

// Suspend ends what this process leads, as all are about to be stopped, or lets it lead again.
func (c *Controllers) Suspend(ctx context.Context, s loss.Suspension) {
	if !c.standing.Load() {
		return
	}
	var wait sync.WaitGroup
	for _, one := range c.elections {
		wait.Go(func() {
			if s.Suspended {
				one.Suspend(ctx)
			} else {
				one.Resume()
			}
		})
	}
	wait.Wait()
}

// Resources answers what pods request, as the scheduler does at /metrics/resources, while it runs here.
func (c *Controllers) Resources(w http.ResponseWriter, r *http.Request) {
	if told := c.resources.Load(); told != nil {
		(*told).ServeHTTP(w, r)
		return
	}
	http.Error(w, "the scheduler does not run here", http.StatusServiceUnavailable)
}

func (c *Controllers) lead(name string, leads bool, onLeads func([]string)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leads = slices.DeleteFunc(c.leads, func(other string) bool { return other == name })
	if leads {
		c.leads = append(c.leads, name)
	}
	onLeads(append([]string{}, c.leads...)) // under the lock: an older list must not come last
}

func (c *Controllers) runManager(ctx context.Context) error {
	// Upstream looks ten times a second, which costs at rest. How long it waits for a lost node to unmount, six minutes, is upstream's.
	attachdetach.DefaultTimerConfig.ReconcilerLoopPeriod = time.Second
	configz.Delete(app.ConfigzName) // of an earlier term of this process
	config, err := c.manager.Config(ctx, app.KnownControllers(), app.ControllersDisabledByDefault(),
		app.ControllerAliases())
	if err != nil {
		return err
	}
	return app.Run(ctx, config.Complete())
}

func (c *Controllers) runScheduler(ctx context.Context) error {
	if c.scheduler.InformerName == nil {
		name, err := cache.NewInformerName("kube-scheduler")
		if err != nil {
			return err
		}
		c.scheduler.InformerName = name
	}
	configz.Delete("componentconfig") // of an earlier term of this process
	config, scheduler, err := schedulerapp.Setup(ctx, c.scheduler)
	if err != nil {
		return err
	}
	requests := resources.Handler(config.InformerFactory.Core().V1().Pods().Lister())
	c.resources.Store(&requests)
	defer c.resources.Store(nil)
	err = schedulerapp.Run(ctx, config, scheduler)
	if ctx.Err() != nil {
		return nil
	}
	return err
}
