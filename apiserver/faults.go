package apiserver

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	flowcontrol "k8s.io/api/flowcontrol/v1"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"
	genericapiserver "k8s.io/apiserver/pkg/server"
	utilflowcontrol "k8s.io/apiserver/pkg/util/flowcontrol"
	flowcontrolrequest "k8s.io/apiserver/pkg/util/flowcontrol/request"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"

	"tripod/apiserver/launch"
	"tripod/internal/sleep"
)

// faults are what is wrong with an API server on purpose.
type faults struct {
	control utilflowcontrol.Interface // priority and fairness of all requests
	latency atomic.Int64              // how much later each request is begun, in nanoseconds

	mu     sync.Mutex
	serves bool // the configuration of priority and fairness is there
	now    launch.Faults
	lift   func() // ends the load; nil: there is none
}

// newFaults makes those of an API server that is about to be made.
func newFaults(config *app.Config, now launch.Faults) *faults {
	f := &faults{control: config.KubeAPIs.ControlPlane.Generic.FlowControl}
	f.set(now)
	outermost := &config.Aggregator.GenericConfig.Config
	build := outermost.BuildHandlerChainFunc
	outermost.BuildHandlerChainFunc = func(next http.Handler, c *genericapiserver.Config) http.Handler {
		return f.delay(build(next, c))
	}
	return f
}

// set makes it so.
func (f *faults) set(now launch.Faults) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = now
	f.latency.Store(int64(now.Latency))
	f.bear()
}

// begin says that the API server serves: a load before would not get into the priority levels that it is for.
func (f *faults) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.serves = true
	f.bear()
}

// bear begins or ends the load. It assumes the lock.
func (f *faults) bear() {
	loaded := f.now.Overloaded && f.serves
	switch {
	case loaded && f.lift == nil:
		f.lift = load(f.control)
	case !loaded && f.lift != nil:
		f.lift()
		f.lift = nil
	}
}

// delay begins each request later.
func (f *faults) delay(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if latency := time.Duration(f.latency.Load()); latency > 0 && sleep.For(r.Context(), latency) != nil {
			return // its client has gone
		}
		next.ServeHTTP(w, r)
	})
}

// Flows of a load, each with so many requests: more in all than an API server has seats, and as many in each as its queues take.
const (
	loadFlows = 20
	loadEach  = 50
)

// load takes all seats of the priority levels of ordinary users and of service accounts, global-default and workload-low, by
// requests that priority and fairness takes for real ones, and that last until lift. Others wait in the queues behind them, are
// refused with 429 when their time there is over, and are told when to try again. Other levels go on: nodes, controllers, leader
// elections, and whoever is exempt.
func load(control utilflowcontrol.Interface) (lift func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	for flow := range loadFlows {
		name := fmt.Sprintf("load-%d", flow)
		for _, one := range []*user.DefaultInfo{
			{Name: "tripod:" + name, Groups: []string{user.AllAuthenticated}},
			{Name: serviceaccount.MakeUsername("tripod-load", name),
				Groups: append(serviceaccount.MakeGroupNames("tripod-load"), user.AllAuthenticated)},
		} {
			for range loadEach {
				wait.Go(func() { occupy(ctx, control, one) })
			}
		}
	}
	return func() {
		cancel()
		wait.Wait()
	}
}

// occupy has a seat, or waits for one, until ctx ends.
func occupy(ctx context.Context, control utilflowcontrol.Interface, one user.Info) {
	digest := utilflowcontrol.RequestDigest{User: one, RequestInfo: &request.RequestInfo{IsResourceRequest: true, Path: "/api/v1/pods",
		Verb: "list", APIPrefix: "api", APIVersion: "v1", Resource: "pods"}}
	for ctx.Err() == nil {
		control.Handle(ctx, digest, func(*flowcontrol.FlowSchema, *flowcontrol.PriorityLevelConfiguration, string) {},
			func() flowcontrolrequest.WorkEstimate { return flowcontrolrequest.WorkEstimate{InitialSeats: 1} },
			func(bool) {}, func() { <-ctx.Done() })
		_ = sleep.For(ctx, time.Second) // it was refused, as the queues are full
	}
}
