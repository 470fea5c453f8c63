package chaos

import (
	"context"
	"net/http"
	"time"

	"tripod/client/chaos/report"
)

// censusEvery is how often nodes and pods are counted, from the API servers' caches.
const censusEvery = 2 * time.Second

// ready is 1 of what is Ready.
func (c conditions) ready() int {
	if met, _ := c.is("Ready"); met {
		return 1
	}
	return 0
}

// countAll counts what is well until ctx ends, and notes it where it has changed.
func (r *run) countAll(ctx context.Context) {
	calls := r.kube.client(false)
	for {
		begin := time.Now()
		if census, ok := r.count(within(ctx, censusEvery), calls); ok && ctx.Err() == nil {
			if all := r.report.Census; len(all) > 0 {
				census.At = all[len(all)-1].At
			}
			if all := r.report.Census; len(all) == 0 || all[len(all)-1] != census {
				census.At = begin
				r.report.Census = append(all, census)
			}
		}
		if pause(ctx, censusEvery) != nil {
			return
		}
	}
}

func (r *run) count(ctx context.Context, calls *http.Client) (c report.Census, ok bool) {
	status, err := r.region.Status(ctx)
	if err != nil {
		return c, false
	}
	for _, balancer := range status.Balancers {
		if balancer.Name == r.experiment.Cluster {
			for _, target := range balancer.Targets {
				if target.Healthy {
					c.Endpoints++
				}
			}
		}
	}
	var nodes struct{ Items []node }
	var pods struct{ Items []pod }
	for path, into := range map[string]any{"/api/v1/nodes?resourceVersion=0": &nodes, "/api/v1/pods?resourceVersion=0": &pods} {
		if err := r.kube.do(ctx, calls, http.MethodGet, path, nil, into); err != nil {
			if all := r.report.Census; len(all) > 0 { // nobody knows now: as far as is known
				c.Nodes, c.Pods = all[len(all)-1].Nodes, all[len(all)-1].Pods
			}
			return c, true
		}
	}
	for _, one := range nodes.Items {
		c.Nodes += one.ready()
	}
	for _, one := range pods.Items {
		c.Pods += one.ready()
	}
	r.forecast.look(pods.Items)
	return c, true
}
