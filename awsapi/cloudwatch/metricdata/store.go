package metricdata

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"tripod/logs/logstore"
)

// Log is where the data are written, and read again: logstore.Store.
type Log interface {
	Append(stream string, events []logstore.Event, mark any) (logstore.Place, error)
	AwaitCopy(ctx context.Context, place logstore.Place) error
	Follow(stream string, places map[string]int64, fn func(logstore.Event)) error
}

// Limits bound what a zone that is asked has in memory; the oldest goes first.
type Limits struct {
	Metrics int // 0: 50,000
	Points  int // 0: 500,000
}

// ErrNotCopied says that the data are on this zone's disk alone.
var ErrNotCopied = errors.New("no other zone has taken the metric data")

const (
	// copyLimit is how long Put waits for another zone to have the data too.
	copyLimit = 3 * time.Second
	// ageEvery is how often summaries are looked at for their age, while somebody asks.
	ageEvery = time.Minute
)

// Store is a zone's copy of the data of all metrics. Its methods may be called by several goroutines.
type Store struct {
	Log Log
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Limits may be zero.
	Limits Limits

	mu     sync.Mutex
	places map[string]int64 // how far the copy is read, by zone
	series map[string]*series
	points int
	aged   time.Time
}

func (s *Store) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// Put writes data, all or none. They are on the disks of two zones when it returns; with ErrNotCopied they are on this one's.
func (s *Store) Put(ctx context.Context, data []Datum) error {
	if len(data) == 0 {
		return nil
	}
	event, err := encode(data)
	if err != nil {
		return err
	}
	place, err := s.Log.Append(Stream, []logstore.Event{event}, nil)
	if err != nil {
		return fmt.Errorf("put metric data: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, copyLimit)
	defer cancel()
	if err := s.Log.AwaitCopy(ctx, place); errors.Is(err, context.DeadlineExceeded) {
		return ErrNotCopied
	} else if err != nil {
		return err
	}
	return nil
}

// read takes in what the copy has got since the last time. It assumes the lock.
func (s *Store) read() error {
	if s.series == nil {
		s.series, s.places = map[string]*series{}, map[string]int64{}
	}
	now := s.now()
	err := s.Log.Follow(Stream, s.places, func(e logstore.Event) {
		decode(e, func(d Datum) { s.add(d, now) })
		s.bound()
	})
	if err != nil {
		return fmt.Errorf("read metric data: %w", err)
	}
	if now.Sub(s.aged) >= ageEvery {
		s.aged = now
		s.age(now)
	}
	return nil
}

// add assumes the lock.
func (s *Store) add(d Datum, now time.Time) {
	if d.Time < now.Add(-keeps[len(keeps)-1]).Unix() {
		return
	}
	key := d.Metric.Key()
	one := s.series[key]
	if one == nil {
		one = &series{metric: d.Metric, units: map[string]*levels{}}
		s.series[key] = one
	}
	one.latest = max(one.latest, d.Time)
	l := one.units[d.Unit]
	if l == nil {
		l = &levels{}
		one.units[d.Unit] = l
	}
	width := 1
	if d.Fine {
		width = 0
	}
	for width+1 < len(widths) && d.Time < now.Add(-keeps[width]).Unix() {
		width++
	}
	if l.add(d.Time, width, d.Summary) {
		s.points++
	}
}

// age moves what is old into wider summaries, and forgets what is too old.
func (s *Store) age(now time.Time) {
	for _, one := range s.series {
		for _, l := range one.units {
			s.points += l.age(now)
		}
	}
	s.sweep()
}

// sweep forgets metrics without points.
func (s *Store) sweep() {
	for key, one := range s.series {
		maps.DeleteFunc(one.units, func(_ string, l *levels) bool { return l.empty() })
		if len(one.units) == 0 {
			delete(s.series, key)
		}
	}
}

// bound forgets the oldest tenth of the metrics, by their latest data, or of the points, where there are more than may be.
func (s *Store) bound() {
	if most := cmp.Or(s.Limits.Metrics, 50_000); len(s.series) > most {
		var latest []int64
		for _, one := range s.series {
			latest = append(latest, one.latest)
		}
		slices.Sort(latest)
		edge, left := latest[len(latest)/10], len(latest)/10+1
		for key, one := range s.series {
			if one.latest <= edge && left > 0 {
				left--
				for _, l := range one.units {
					s.points -= l.count()
				}
				delete(s.series, key)
			}
		}
	}
	if most := cmp.Or(s.Limits.Points, 500_000); s.points > most {
		var times []int64
		for _, one := range s.series {
			for _, l := range one.units {
				for _, points := range l {
					for _, p := range points {
						times = append(times, p.time)
					}
				}
			}
		}
		slices.Sort(times)
		edge := times[len(times)/10] + 1
		for _, one := range s.series {
			for _, l := range one.units {
				s.points -= l.forget(edge)
			}
		}
		s.sweep()
	}
}

func (l *levels) count() (n int) {
	for _, points := range l {
		n += len(points)
	}
	return n
}

// Points are the summaries of a metric's periods in the order of time, by unit. With a unit it is of that unit alone.
func (s *Store) Points(m Metric, unit string, span Span) (map[string][]Point, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.read(); err != nil {
		return nil, err
	}
	found := map[string][]Point{}
	one := s.series[m.Key()]
	if one == nil || span.Period <= 0 {
		return found, nil
	}
	for name, l := range one.units {
		if unit != "" && name != unit {
			continue
		}
		sums := map[int64]*Summary{}
		l.points(span, sums)
		for _, at := range slices.Sorted(maps.Keys(sums)) {
			found[name] = append(found[name], Point{at, *sums[at]})
		}
	}
	return found, nil
}

// Merged is Points of all units together, or of one.
func (s *Store) Merged(m Metric, unit string, span Span) ([]Point, error) {
	byUnit, err := s.Points(m, unit, span)
	if err != nil {
		return nil, err
	}
	sums := map[int64]Summary{}
	for _, name := range slices.Sorted(maps.Keys(byUnit)) {
		for _, p := range byUnit[name] {
			sum := sums[p.Time]
			sum.Merge(p.Summary)
			sums[p.Time] = sum
		}
	}
	var all []Point
	for _, at := range slices.Sorted(maps.Keys(sums)) {
		all = append(all, Point{at, sums[at]})
	}
	return all, nil
}

// Metrics are those with data since a time that match, in the order of their keys.
func (s *Store) Metrics(since time.Time, match func(Metric) bool) ([]Metric, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.read(); err != nil {
		return nil, err
	}
	found := map[string]Metric{}
	for key, one := range s.series {
		if one.latest >= since.Unix() && match(one.metric) {
			found[key] = one.metric
		}
	}
	all := make([]Metric, 0, len(found))
	for _, key := range slices.Sorted(maps.Keys(found)) {
		all = append(all, found[key])
	}
	return all, nil
}
