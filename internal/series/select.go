package series

import (
	"context"
	"math"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/annotations"
)

// stale is the value that ends a series, of which the engine knows.
var stale = math.Float64frombits(value.StaleNaN)

// Querier gives the engine the samples between two times, in milliseconds.
func (s *Store) Querier(from, to int64) (storage.Querier, error) { return querier{s, from, to}, nil }

type querier struct {
	store    *Store
	from, to int64
}

func (q querier) Close() error { return nil }

// Select finds the series that have all of the matchers.
func (q querier) Select(_ context.Context, sorted bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	var found []*memory
	q.store.mu.RLock()
	for name, byHash := range q.store.named {
		if !matchesName(name, matchers) {
			continue
		}
		for _, list := range byHash {
			for _, m := range list {
				if matches(m.labels, matchers) {
					found = append(found, m)
				}
			}
		}
	}
	q.store.mu.RUnlock()
	if sorted {
		slices.SortFunc(found, func(a, b *memory) int { return labels.Compare(a.labels, b.labels) })
	}
	return &set{querier: q, rest: found}
}

func matchesName(name string, matchers []*labels.Matcher) bool {
	for _, m := range matchers {
		if m.Name == labels.MetricName && !m.Matches(name) {
			return false
		}
	}
	return true
}

func matches(of labels.Labels, matchers []*labels.Matcher) bool {
	for _, m := range matchers {
		if !m.Matches(of.Get(m.Name)) {
			return false
		}
	}
	return true
}

// LabelValues and LabelNames are asked by nobody here: the engine's functions that would are switched off.
func (q querier) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

func (q querier) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

// set goes through series that were found.
type set struct {
	querier querier
	now     *memory
	rest    []*memory
}

func (s *set) Next() bool {
	if len(s.rest) == 0 {
		return false
	}
	s.now, s.rest = s.rest[0], s.rest[1:]
	return true
}

func (s *set) At() storage.Series { return past{s.querier, s.now} }

func (s *set) Err() error                        { return nil }
func (s *set) Warnings() annotations.Annotations { return nil }

// past is one series between a querier's times. It is unpacked only while the engine goes through it.
type past struct {
	querier querier
	of      *memory
}

func (p past) Labels() labels.Labels { return p.of.labels }

func (p past) Iterator(again chunkenc.Iterator) chunkenc.Iterator {
	return promql.NewStorageSeries(promql.Series{Metric: p.of.labels, Floats: p.points()}).Iterator(again)
}

// points are a copy: the series goes on meanwhile.
func (p past) points() []promql.FPoint {
	p.querier.store.mu.RLock()
	defer p.querier.store.mu.RUnlock()
	var points []promql.FPoint
	for _, c := range p.of.chunks {
		if c.to < p.querier.from || c.from > p.querier.to {
			continue
		}
		for at := c.data.Iterator(nil); at.Next() == chunkenc.ValFloat; {
			if t, v := at.At(); t >= p.querier.from && t <= p.querier.to {
				points = append(points, promql.FPoint{T: t, F: v})
			}
		}
	}
	return points
}
