package apiserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/spf13/pflag"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/component-base/logs"
	"k8s.io/component-base/metrics/legacyregistry"
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // client-go's metrics, as the upstream programs have them
	_ "k8s.io/component-base/metrics/prometheus/version"
	"k8s.io/klog/v2"

	"tripod/apiserver/launch"
	"tripod/internal/loglevel"
	"tripod/internal/loss"
	"tripod/internal/process"
	"tripod/internal/tell"
)

// RunServer is the program `tripod internal apiserver CONFIG`.
func RunServer(ctx context.Context, args []string) error {
	return run(ctx, args, func(ctx context.Context, spec launch.Process, line *process.Lifeline, news *news) error {
		server, err := New(ctx, spec)
		if err != nil {
			return err
		}
		news.to(server.Lost, func(context.Context, loss.Suspension) {})
		fault := server.Fault
		news.fault.Store(&fault)
		return server.Run(ctx, func() {
			line.Report(launch.Report{Ready: true})
			settle()
		})
	})
}

// settle goes over from a quick start, for which the environment's GOGC is high, to a small process: a region is nine
// of them on somebody's laptop, and memory is worth more to it than a little processor time.
func settle() {
	debug.SetGCPercent(50)
	debug.FreeOSMemory()
}

// RunControllers is the program `tripod internal controllers CONFIG`.
func RunControllers(ctx context.Context, args []string) error {
	return run(ctx, args, func(ctx context.Context, spec launch.Process, line *process.Lifeline, news *news) error {
		controllers, err := NewControllers(spec)
		if err != nil {
			return err
		}
		news.to(controllers.Lost, controllers.Suspend)
		var resources http.Handler = http.HandlerFunc(controllers.Resources)
		news.resources.Store(&resources)
		return controllers.Run(ctx, func(leads []string) { line.Report(launch.Report{Ready: true, Leads: leads}) })
	})
}

// news passes on what the zone's agent tells, once there is somebody who can use it.
type news struct {
	lost      atomic.Pointer[func(context.Context, loss.Loss)]
	suspended atomic.Pointer[func(context.Context, loss.Suspension)]
	fault     atomic.Pointer[func(launch.Faults)] // of an API server
	resources atomic.Pointer[http.Handler]        // of the controllers
}

func (n *news) to(lost func(context.Context, loss.Loss), suspended func(context.Context, loss.Suspension)) {
	n.lost.Store(&lost)
	n.suspended.Store(&suspended)
}

// handler serves what the agent tells on a socket that has the process's metrics, too.
func (n *news) handler(metrics http.Handler) http.Handler {
	routes := http.NewServeMux()
	routes.Handle("/", metrics)
	routes.HandleFunc("GET "+launch.SchedulerResourcesPath, func(w http.ResponseWriter, r *http.Request) {
		if told := n.resources.Load(); told != nil {
			(*told).ServeHTTP(w, r)
			return
		}
		http.NotFound(w, r)
	})
	always := func(launch.Faults) bool { return true }
	routes.HandleFunc("POST "+launch.FaultsPath, tell.Take(always, func(_ context.Context, now launch.Faults) error {
		told := n.fault.Load()
		if told == nil {
			return errors.New("it takes no faults now")
		}
		(*told)(now)
		return nil
	}))
	return loss.Handler(routes, func(ctx context.Context, l loss.Loss) {
		if told := n.lost.Load(); told != nil {
			(*told)(ctx, l)
		}
	}, func(ctx context.Context, s loss.Suspension) {
		if told := n.suspended.Load(); told != nil {
			(*told)(ctx, s)
		}
	})
}

func run(ctx context.Context, args []string,
	body func(context.Context, launch.Process, *process.Lifeline, *news) error) error {
	ctx, line, err := process.Attach(ctx)
	if err != nil {
		return err
	}
	if len(args) != 1 {
		return errors.New("usage: tripod internal apiserver|controllers CONFIG")
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	var spec launch.Process
	if err := json.Unmarshal(text, &spec); err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	// The gateway's socket is named by its name alone, which is all that a client reads of it when the gateway refuses to
	// dial a webhook.
	if err := os.Chdir(filepath.Dir(spec.MetricsSocket)); err != nil {
		return err
	}
	listener, err := process.ListenUnix(spec.MetricsSocket)
	if err != nil {
		return err
	}
	news := &news{}
	told := loglevel.Handler(news.handler(legacyregistry.Handler()), setLogLevel)
	metrics := &http.Server{Handler: told, ReadHeaderTimeout: 10 * time.Second}
	go metrics.Serve(listener)
	defer metrics.Close()
	defer klog.Flush()

	// A zone that is dead takes its instances along; one that stops lets them drain.
	context.AfterFunc(ctx, func() {
		if context.Cause(ctx) == process.ErrOrphaned {
			klog.Flush()
			os.Exit(1)
		}
	})
	err = body(ctx, spec, line, news)
	if ctx.Err() != nil {
		return nil // what a component says while it is stopped is no failure
	}
	return err
}

// setLogLevel says how much this process logs from now on.
func setLogLevel(l loglevel.Level) error {
	v, err := l.Verbosity()
	if err == nil {
		_, err = logs.GlogSetter(v)
	}
	return err
}

// parse reads upstream flags. The components' own commands do it too, but each of them installs a signal handler and
// applies the logging configuration, and two in one process panic.
func parse(named cliflag.NamedFlagSets, args []string) error {
	flags := pflag.NewFlagSet("flags", pflag.ContinueOnError)
	for _, set := range named.FlagSets {
		flags.AddFlagSet(set)
	}
	return flags.Parse(args)
}
