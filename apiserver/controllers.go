package apiserver

import (
	"context"
	"errors"
	"fmt"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/cmd/kube-controller-manager/app"
	kcmoptions "k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
	schedulerapp "k8s.io/kubernetes/cmd/kube-scheduler/app"
	schedoptions "k8s.io/kubernetes/cmd/kube-scheduler/app/options"

	"tripod/apiserver/launch"
)

// Controllers is one kube-controller-manager and one kube-scheduler, each active while it holds its lease. Upstream's
// programs elect themselves too, but build all they need before; here a standby is two lease readers, which keeps a
// waiting zone's process small.
type Controllers struct {
	spec      launch.Process
	manager   *kcmoptions.KubeControllerManagerOptions
	scheduler *schedoptions.Options

	mu    sync.Mutex
	leads []string
}

// ErrLostLease ends a process whose lease was taken: by upstream's design nothing of a former leader may run on.
var ErrLostLease = errors.New("the lease was lost to another zone")

// NewControllers reads both components' flags.
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
	return &Controllers{spec: spec, manager: manager, scheduler: scheduler}, nil
}

// Run takes part in both elections until ctx ends, and then gives up what it holds. onLeads is told what this process leads, at
// the start and at every change.
func (c *Controllers) Run(ctx context.Context, onLeads func([]string)) error {
	onLeads([]string{})
	var (
		wait sync.WaitGroup
		errs [2]error
	)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for i, part := range []struct {
		name, kubeconfig string
		run              func(context.Context) error
	}{
		{"kube-controller-manager", c.spec.ManagerKubeconfig, c.runManager},
		{"kube-scheduler", c.spec.SchedulerKubeconfig, c.runScheduler},
	} {
		wait.Go(func() {
			// Both write to one log: by the logger's name their lines are told apart.
			ctx := klog.NewContext(ctx, klog.LoggerWithName(klog.Background(), part.name))
			errs[i] = c.elect(ctx, part.name, part.kubeconfig, onLeads, part.run)
			cancel(errs[i]) // both run, or neither: the zone starts the process again
		})
	}
	wait.Wait()
	return errors.Join(errs[:]...)
}

// elect waits for the lease and then runs the component. It returns nil only when ctx ended.
func (c *Controllers) elect(ctx context.Context, name, kubeconfig string, onLeads func([]string), run func(context.Context) error) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	config.Timeout = launch.RenewDeadline / 2 // a request that hangs must not cost the lease
	client, err := kubernetes.NewForConfig(rest.AddUserAgent(config, "leader-election"))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	electing, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1) // why the component ended by itself
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Name: name,
		Lock: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: name},
			Client:     client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: c.spec.Zone + "_" + string(uuid.NewUUID())},
		},
		LeaseDuration: launch.LeaseDuration, RenewDeadline: launch.RenewDeadline, RetryPeriod: launch.RetryPeriod,
		ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(leading context.Context) {
				c.lead(name, onLeads)
				err := run(leading)
				if err == nil && leading.Err() == nil {
					err = errors.New("it returned although nobody stopped it")
				}
				if err != nil {
					ended <- err
					stop() // a component that failed must not keep its lease: another zone's is to take over
				}
			},
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	elector.Run(electing)
	// The component may still be winding up. As with upstream's programs, the end of the process is its end.
	if ctx.Err() != nil {
		return nil
	}
	select {
	case err := <-ended:
		return fmt.Errorf("%s: %w", name, err)
	default:
		return fmt.Errorf("%s: %w", name, ErrLostLease)
	}
}

func (c *Controllers) lead(name string, onLeads func([]string)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leads = append(c.leads, name)
	onLeads(append([]string(nil), c.leads...)) // under the lock: a shorter list must not come last
}

func (c *Controllers) runManager(ctx context.Context) error {
	config, err := c.manager.Config(ctx, app.KnownControllers(), app.ControllersDisabledByDefault(), app.ControllerAliases())
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
	config, scheduler, err := schedulerapp.Setup(ctx, c.scheduler)
	if err != nil {
		return err
	}
	err = schedulerapp.Run(ctx, config, scheduler)
	if ctx.Err() != nil {
		return nil
	}
	return err
}
