package emulator

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"tripod/api"
	"tripod/az"
	"tripod/az/instance"
)

// What all who read metrics may cost at once. A scrape waits for its turn, until it has taken as long as one may.
const (
	mostScrapes = 32
	scrapeTime  = 10 * time.Second // Prometheus' own default
	mostScraped = 128 << 20        // bytes of one
)

// scraper passes on the metrics of what is in zones.
type scraper struct {
	slots chan struct{}
	known knownTargets
}

func newScraper() *scraper { return &scraper{slots: make(chan struct{}, mostScrapes)} }

// handleMetrics tells the region's own.
func (c *control) handleMetrics(w http.ResponseWriter, r *http.Request) {
	promhttp.HandlerFor(c.region.gatherers(r.FormValue("zones") != "false"), promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, DisableCompression: true}).ServeHTTP(w, r)
}

func (c *control) handleNodeMetrics(w http.ResponseWriter, r *http.Request) {
	v := mux.Vars(r)
	c.scrape(w, r, r.FormValue("zone"), az.Scrape{Cluster: v["cluster"], Node: v["node"], Path: r.FormValue("path")})
}

func (c *control) handlePodMetrics(w http.ResponseWriter, r *http.Request) {
	v := mux.Vars(r)
	port, err := strconv.ParseUint(r.FormValue("port"), 10, 16)
	if err != nil {
		answer(w, refuse("port is %q: it must be one of the pod's", r.FormValue("port")))
		return
	}
	c.scrape(w, r, r.FormValue("zone"), az.Scrape{Cluster: v["cluster"], Namespace: v["namespace"], Pod: v["pod"], Port: int(port)})
}

func (c *control) handleInstanceMetrics(w http.ResponseWriter, r *http.Request) {
	v := mux.Vars(r)
	of := az.Scrape{Component: v["component"], Cluster: c.clusterOr(r.FormValue("cluster"))}
	if of.Component == api.KindZone {
		of = az.Scrape{}
	}
	c.scrape(w, r, v["zone"], of)
}

// scrape answers with metrics of something in a zone.
func (c *control) scrape(w http.ResponseWriter, r *http.Request, zoneName string, of az.Scrape) {
	z := c.region.zones.named(zoneName)
	if z == nil {
		answer(w, c.region.noZone(zoneName))
		return
	}
	if err := answers(z, of); err != nil {
		answer(w, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), scrapeTime)
	defer cancel()
	select {
	case c.scraper.slots <- struct{}{}:
		defer func() { <-c.scraper.slots }()
	case <-ctx.Done():
		answer(w, fmt.Errorf("%d other scrapes are under way, and have been for %v", mostScrapes, scrapeTime))
		return
	}
	response, err := z.agent().Scrape(ctx, of)
	if err != nil {
		answer(w, err)
		return
	}
	defer response.Body.Close()
	w.Header().Set("Content-Type", response.Header.Get("Content-Type"))
	body := http.MaxBytesReader(nil, response.Body, mostScraped)
	if part := r.FormValue("of"); part != "" {
		err = instance.CopyFamilies(w, body, func(family string) bool { return isOf(part, family) })
	} else {
		_, err = io.Copy(w, body)
	}
	if err != nil {
		panic(http.ErrAbortHandler) // what is not whole is not to be taken for that
	}
}

// answers says why something in a zone has no metrics now: a process that is paused would let everybody wait.
func answers(z *zone, of az.Scrape) error {
	if err := z.reachable(); err != nil {
		return err
	}
	for _, i := range z.status().agent.Instances {
		if of.Component != "" && i.Component == of.Component && i.Cluster == of.Cluster && i.State == api.StatePaused {
			return fmt.Errorf("%s is paused: resume it with 'tripod resume %[1]s'", i.Target)
		}
	}
	return nil
}

// isOf says whether a controllers process has a family of metrics for one of the two that it runs. What is neither's alone, such as
// go_goroutines, both have.
func isOf(part, family string) bool {
	if strings.HasPrefix(family, "scheduler_") {
		return part == api.JobScheduler
	}
	return part == api.JobController || slices.ContainsFunc(sharedPrefixes, func(prefix string) bool {
		return strings.HasPrefix(family, prefix)
	})
}

// sharedPrefixes are of families that are the process's.
var sharedPrefixes = []string{"go_", "process_", "rest_client_", "leader_election_", "kubernetes_", "hidden_metric", "registered_metric"}

// gatherers are the region's own metrics and, with the zones, those of their agents, as one.
func (e *Emulator) gatherers(withZones bool) prometheus.Gatherers {
	all := prometheus.Gatherers{e.registry}
	if !withZones {
		return all
	}
	for _, z := range e.zones {
		all = append(all, prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
			if z.reachable() != nil || e.sleeper.asleep.Load() != nil {
				return nil, nil // tripod_zone_up says so, and nobody is woken for it
			}
			return parsed(z.agent())
		}))
	}
	return all
}

func parsed(agent az.Agent) ([]*dto.MetricFamily, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var text bytes.Buffer
	if err := agent.Metrics(ctx, &text); err != nil {
		return nil, nil // it died a moment ago
	}
	return familiesOf(&text)
}

func familiesOf(text io.Reader) ([]*dto.MetricFamily, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(text)
	if err != nil {
		return nil, err
	}
	list := make([]*dto.MetricFamily, 0, len(families))
	for _, family := range families {
		list = append(list, family)
	}
	return list, nil
}
