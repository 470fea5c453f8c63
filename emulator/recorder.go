package emulator

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"tripod/api"
	"tripod/internal/series"
	"tripod/internal/sleep"
)

const (
	// recordInterval is how often metrics are recorded. The region's own cost some milliseconds each time, instances' some 100 ms each.
	recordInterval = 15 * time.Second
	// recordAtMost is how often questions have the region recorded beside that.
	recordAtMost = time.Second
	// recordTimeout is how long one instance is waited for, of which those of a zone are asked one after another.
	recordTimeout = 5 * time.Second
	// wantedFor is how long instances are recorded after the last question about them.
	wantedFor = time.Hour
	// ownPrefix is before the names of the region's own series.
	ownPrefix = "tripod_"
)

// recorder keeps the last hour of metrics for those who ask without a Prometheus. Instances have many series and do work for an
// answer: they are recorded only while somebody asks about them.
type recorder struct {
	*site
	zones   zones
	sleeper *sleeper
	gather  func() prometheus.Gatherers
	store   *series.Store

	recorded  atomic.Int64 // when the region was recorded last, in nanoseconds of Unix time
	recording sync.Mutex   // held for one record of instances
	mu        sync.Mutex
	wanted    time.Time // until when instances are recorded
}

// keep records until ctx ends.
func (r *recorder) keep(ctx context.Context) {
	var instances sync.WaitGroup
	defer instances.Wait()
	for sleep.For(ctx, recordInterval) == nil {
		if r.sleeper.asleep.Load() != nil {
			continue
		}
		r.recordRegion()
		if r.isWanted() && r.recording.TryLock() {
			instances.Go(func() { // a zone that hangs is no reason to miss the region's own
				defer r.recording.Unlock()
				r.recordInstances(ctx)
			})
		}
	}
}

func (r *recorder) recordRegion() {
	at := time.Now()
	if at.Sub(time.Unix(0, r.recorded.Load())) < recordAtMost {
		return
	}
	r.recorded.Store(at.UnixNano())
	families, err := r.gather().Gather() // what can be told comes beside an error
	r.store.Add(at, map[string]string{"job": "tripod"}, families, err == nil)
}

func (r *recorder) isWanted() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Before(r.wanted)
}

// want has instances recorded from now on. It says whether they are already.
func (r *recorder) want() (already bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	already = time.Now().Before(r.wanted)
	r.wanted = time.Now().Add(wantedFor)
	return already
}

// recordInstances records all instances, all zones at once and of each one after another. Those that do not run are down.
// recording is held.
func (r *recorder) recordInstances(ctx context.Context) {
	var zones sync.WaitGroup
	for _, z := range r.zones {
		zones.Go(func() {
			for _, i := range z.status().agent.Instances {
				r.recordInstance(ctx, z, i)
			}
		})
	}
	zones.Wait()
}

func (r *recorder) recordInstance(ctx context.Context, z *zone, i api.Instance) {
	asking, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	var families []*dto.MetricFamily
	up := false
	var text bytes.Buffer
	if z.reachable() == nil && i.State == api.StateReady &&
		z.agent().InstanceMetrics(asking, i.Component, i.Cluster, &text) == nil {
		var err error
		families, err = familiesOf(&text)
		up = err == nil
	}
	if ctx.Err() != nil || r.sleeper.drowsy.Load() {
		return // nobody has answered because nobody was asked to the end
	}
	families = slices.DeleteFunc(families, func(f *dto.MetricFamily) bool { return !worthwhile(f) })
	r.store.Add(time.Now(), map[string]string{"job": i.Component, "zone": z.name, "cluster": i.Cluster}, families, up)
}

// mostOfFamily is how many series of an instance a family may have to be recorded.
const mostOfFamily = 200

// wideFamilies are recorded however many series they have: it is them that are asked about.
var wideFamilies = []string{"apiserver_request_total", "apiserver_request_duration_seconds"}

// worthwhile says whether a family has a place in the record. Of the 10,000 to 20,000 series of an API server four fifths are
// buckets of a few histograms by resource, verb and code.
func worthwhile(f *dto.MetricFamily) bool {
	n := 0
	for _, m := range f.GetMetric() {
		n += 1 + len(m.GetHistogram().GetBucket()) + len(m.GetSummary().GetQuantile())
	}
	return n <= mostOfFamily || slices.Contains(wideFamilies, f.GetName())
}

// ask answers a question, of instances for the first time after one more record.
func (r *recorder) ask(ctx context.Context, q api.MetricsQuestion) (api.MetricsAnswer, error) {
	names, err := series.Names(q.Query)
	if err != nil {
		return api.MetricsAnswer{}, refuse("%v", err)
	}
	var notes []string
	ofRegion := func(name string) bool { return strings.HasPrefix(name, ownPrefix) }
	if r.sleeper.asleep.Load() == nil {
		if !slices.ContainsFunc(names, func(name string) bool { return !ofRegion(name) }) {
			r.recordRegion()
		} else if already := r.want(); !already {
			r.recordRegion()
			if r.recording.TryLock() { // else they are being recorded
				r.recordInstances(ctx)
				r.recording.Unlock()
			}
			notes = append(notes, "API servers, etcd members and controllers are recorded from now on: a rate of theirs has its first value in 15 s")
		}
	}
	at := q.At
	if at.IsZero() {
		at = time.Now()
	}
	answer, err := r.store.Ask(ctx, series.Question{Query: q.Query, At: at, Since: q.Since, Interval: q.Step})
	if err != nil {
		return api.MetricsAnswer{}, refuse("%v", err)
	}
	told := api.MetricsAnswer{Type: string(answer.Type), Text: answer.Text, Warnings: append(notes, answer.Warnings...)}
	if n := r.store.LeftOut(); n > 0 {
		told.Warnings = append(told.Warnings, fmt.Sprintf(
			"%d samples of the last minutes were left out, as there are %d series already: a Prometheus keeps more",
			n, series.MostSeries))
	}
	for _, s := range answer.Series {
		one := api.Series{Labels: s.Labels}
		for _, p := range s.Points {
			one.Points = append(one.Points, api.Point{At: p.At, Value: api.Number(p.Value)})
		}
		told.Series = append(told.Series, one)
	}
	return told, nil
}

// handleQuery answers a question about metrics.
func (c *control) handleQuery(w http.ResponseWriter, r *http.Request) {
	var question api.MetricsQuestion
	if !readBody(w, r, &question, "the question is no JSON of a query") {
		return
	}
	told, err := c.region.recorder.ask(r.Context(), question)
	if err != nil {
		answer(w, err)
		return
	}
	writeJSON(w, http.StatusOK, told)
}
