package logs

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"tripod/logs/logstore"
	"tripod/state"
)

// Metrics is where the values of metric filters go.
type Metrics interface {
	// Put writes values of metrics.
	Put(ctx context.Context, data []Datum) error
}

// Datum is a value of a metric.
type Datum struct {
	Namespace, Metric, Unit string
	Dimensions              map[string]string
	Time                    time.Time
	Value                   float64
}

// MetricFilters puts into metrics what the groups' metric filters find in the events that one zone writes: each event is
// written by one zone. While nothing is written nobody looks.
type MetricFilters struct {
	State  state.Viewer
	Events interface {
		Tail(ctx context.Context, t logstore.Tail)
	}
	Metrics Metrics
	Logger  *slog.Logger

	// Only the loop touches these.
	filters map[string][]*filtering // by the stream's id
	known   map[string]*filtering   // by group and filter
	minutes map[*filtering]map[int64]bool
	found   []Datum // and not put yet
}

// filtering is a filter at work.
type filtering struct {
	metricFilter
	extractor *extractor
	// made are the metrics with dimensions that the filter has made, see mostMade.
	made map[string]bool
}

const (
	// filterPause is the least time between two looks at what was written.
	filterPause = 250 * time.Millisecond
	// mostMade is of how many dimensions' values a filter makes metrics, until the zone begins anew: AWS disables one that makes 1000.
	mostMade = 1000
	// mostAtOnce is how many values are put at once.
	mostAtOnce = 1000
)

// Run works until ctx ends.
func (m *MetricFilters) Run(ctx context.Context) {
	m.known = map[string]*filtering{}
	m.Events.Tail(ctx, logstore.Tail{Own: true, Pause: filterPause, Streams: func() []string { return m.streams(ctx) },
		Show:   func(f logstore.Found) { m.show(ctx, f) },
		Looked: func() { m.looked(ctx) }})
}

// streams are those of groups with metric filters.
func (m *MetricFilters) streams(ctx context.Context) (ids []string) {
	m.filters, m.minutes = map[string][]*filtering{}, map[*filtering]map[int64]bool{}
	known := map[string]*filtering{}
	m.State.View(func(tx *state.Txn) error {
		for _, g := range groups.List(tx) {
			if len(g.MetricFilters) == 0 {
				continue
			}
			var all []*filtering
			for _, f := range g.MetricFilters {
				key := g.Name + ":" + f.Name
				one := m.known[key]
				if one == nil || !one.same(f) {
					x, err := newExtractor(ctx, f)
					if err != nil {
						continue // it was valid when it was put
					}
					one = &filtering{metricFilter: f, extractor: x, made: map[string]bool{}}
				}
				known[key] = one
				all = append(all, one)
			}
			for _, s := range inGroup(tx, g.Name) {
				ids = append(ids, s.ID)
				m.filters[s.ID] = all
			}
		}
		return nil
	})
	m.known = known
	return ids
}

// same says whether a filter was not changed.
func (f *filtering) same(other metricFilter) bool {
	return f.Pattern == other.Pattern && f.Metric == other.Metric && f.Namespace == other.Namespace && f.Value == other.Value &&
		f.Unit == other.Unit && maps.Equal(f.Dimensions, other.Dimensions) && (f.Default == nil) == (other.Default == nil) &&
		(f.Default == nil || *f.Default == *other.Default)
}

// show puts what an event's group's filters find in it.
func (m *MetricFilters) show(ctx context.Context, found logstore.Found) {
	for _, f := range m.filters[found.Stream] {
		matched, value, dimensions, ok := f.extractor.extract(found.Message)
		if f.Default != nil {
			minute := found.Time / time.Minute.Milliseconds()
			if m.minutes[f] == nil {
				m.minutes[f] = map[int64]bool{}
			}
			m.minutes[f][minute] = m.minutes[f][minute] || matched
		}
		if ok && f.allows(dimensions) {
			m.note(ctx, f, time.UnixMilli(found.Time), value, dimensions)
		}
	}
}

// allows says whether the filter may make that metric, which may be new.
func (f *filtering) allows(dimensions map[string]string) bool {
	if len(dimensions) == 0 {
		return true
	}
	key := ""
	for _, name := range slices.Sorted(maps.Keys(dimensions)) {
		key += name + "\x00" + dimensions[name] + "\x00"
	}
	if !f.made[key] && len(f.made) >= mostMade {
		return false
	}
	f.made[key] = true
	return true
}

// looked puts what a look has found, and the default values of minutes in which events came and none matched.
func (m *MetricFilters) looked(ctx context.Context) {
	for f, minutes := range m.minutes {
		for minute, matched := range minutes {
			if !matched {
				m.note(ctx, f, time.UnixMilli(minute*time.Minute.Milliseconds()), *f.Default, nil)
			}
		}
	}
	m.put(ctx)
}

func (m *MetricFilters) note(ctx context.Context, f *filtering, at time.Time, value float64, dimensions map[string]string) {
	m.found = append(m.found, Datum{Namespace: f.Namespace, Metric: f.Metric, Unit: f.Unit, Dimensions: dimensions, Time: at, Value: value})
	if len(m.found) >= mostAtOnce {
		m.put(ctx)
	}
}

func (m *MetricFilters) put(ctx context.Context) {
	if len(m.found) == 0 {
		return
	}
	if err := m.Metrics.Put(ctx, m.found); err != nil && ctx.Err() == nil {
		m.Logger.Warn("put the values that metric filters have found", "values", len(m.found), "error", err)
	}
	clear(m.found) // their dimensions are parts of messages
	m.found = m.found[:0]
}
