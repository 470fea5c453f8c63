package emulator

import (
	"context"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"tripod/api"
	"tripod/az/plan"
)

// askTargetsTime is how long a zone is waited for that is to tell what it has.
const askTargetsTime = 2 * time.Second

// knownTargets are the nodes and pods that zones told of last, by zone and cluster: what is of a zone that is down is down, and has not
// gone.
type knownTargets struct {
	mu    sync.Mutex
	zones map[string]map[string]api.Scraped
}

// take keeps what a zone tells. It says nothing of clusters whose nodes it has not started yet.
func (k *knownTargets) take(zone string, told map[string]api.Scraped) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.zones == nil {
		k.zones = map[string]map[string]api.Scraped{}
	}
	if k.zones[zone] == nil {
		k.zones[zone] = map[string]api.Scraped{}
	}
	maps.Copy(k.zones[zone], told)
}

// of is what a zone has of a cluster.
func (k *knownTargets) of(zone, cluster string) api.Scraped {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.zones[zone][cluster]
}

// keep forgets clusters that are there no more.
func (k *knownTargets) keep(clusters []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, told := range k.zones {
		maps.DeleteFunc(told, func(cluster string, _ api.Scraped) bool { return !slices.Contains(clusters, cluster) })
	}
}

// handleTargets is the HTTP service discovery of a Prometheus.
func (c *control) handleTargets(w http.ResponseWriter, r *http.Request) {
	job := mux.Vars(r)["job"]
	if !slices.Contains(api.PrometheusJobs, job) {
		answer(w, refuse("there is no job %q: the jobs are %q", job, api.PrometheusJobs))
		return
	}
	var clusters []string
	for _, one := range c.region.endpoints.sorted() {
		if one.state.Status.Runs() {
			clusters = append(clusters, one.state.Name)
		}
	}
	if job == api.JobKubelet || job == api.JobPods {
		c.askZones(r.Context())
		c.scraper.known.keep(clusters)
	}
	t := &targets{groups: []api.TargetGroup{}, address: r.Host}
	if job == api.JobRegion {
		t.add("tripod", "/metrics", label{"__param_zones", "false"})
		for _, z := range c.region.zones {
			t.add(api.KindZone+"/"+plan.Letter(z.name), "/metrics/az/"+z.name, label{"zone", z.name})
		}
	}
	for _, cluster := range clusters {
		if job == api.JobState {
			t.add(api.KubeState+"/"+cluster, "/metrics/"+api.KubeState+"/"+cluster, label{"cluster", cluster})
		}
		for _, z := range c.region.zones {
			t.ofZone(job, cluster, z.name, c.scraper.known.of(z.name, cluster))
		}
	}
	writeJSON(w, http.StatusOK, t.groups)
}

// askZones has those that can hear tell what they have.
func (c *control) askZones(ctx context.Context) {
	if c.region.sleeper.asleep.Load() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askTargetsTime)
	defer cancel()
	var wait sync.WaitGroup
	for _, z := range c.region.zones {
		if z.reachable() != nil {
			continue
		}
		wait.Go(func() {
			told, err := z.agent().Scraped(ctx)
			if err == nil { // else it died a moment ago
				c.scraper.known.take(z.name, told)
			}
		})
	}
	wait.Wait()
}

// targets are those of one job, which are all at one address.
type targets struct {
	groups  []api.TargetGroup
	address string
}

type label struct{ name, value string }

// add adds what is at a path of the control API. Its instance is named as people name it: in its metrics the address would tell nothing.
func (t *targets) add(instance, path string, labels ...label) {
	group := api.TargetGroup{Targets: []string{t.address}, Labels: map[string]string{
		"instance": instance, "__metrics_path__": api.ControlRoot + path}}
	for _, l := range labels {
		group.Labels[l.name] = l.value
	}
	t.groups = append(t.groups, group)
}

// ofZone adds what a zone has of a cluster.
func (t *targets) ofZone(job, cluster, zone string, has api.Scraped) {
	is := []label{{"cluster", cluster}, {"zone", zone}}
	process := func(component string, more ...label) {
		more = append(more, label{"component", component}, label{"__param_cluster", cluster})
		t.add(component+"/"+plan.Letter(zone), "/metrics/"+component+"/"+zone, append(more, is...)...)
	}
	switch job {
	case api.JobAPIServer, api.JobEtcd:
		process(job)
	case api.JobController, api.JobScheduler:
		process("controllers", label{"__param_of", job})
	case api.JobKubelet:
		for _, n := range has.Nodes {
			for _, path := range api.KubeletMetrics {
				t.add(n.Address, "/metrics/node/"+cluster+"/"+n.Name, append(is, label{"node", n.Name}, label{"metrics_path", path},
					label{"__param_path", path}, label{"__param_zone", zone})...)
			}
		}
	case api.JobPods:
		for _, p := range has.Pods {
			for _, port := range p.Ports {
				text := strconv.Itoa(port)
				t.add(net.JoinHostPort(p.Address, text), "/metrics/pod/"+cluster+"/"+p.Namespace+"/"+p.Name, append(is,
					label{"namespace", p.Namespace}, label{"pod", p.Name}, label{"node", p.Node}, label{"__param_port", text},
					label{"__param_zone", zone})...)
			}
		}
	}
}
