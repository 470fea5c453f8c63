package metricdata

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
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
	Names   int // bytes of the metrics' names and dimensions; 0: 128 MiB
	Points  int // 0: 500,000
	Values  int // that points tell apart, of 16 bytes each; 0: 4,000,000
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
	size   size
	names  int // bytes
	aged   time.Time
}

func (s *Store) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// Put writes data: those that fit one line of the journal all or none. They are on the disks of two zones when it returns; with
// ErrNotCopied they are on this one's.
func (s *Store) Put(ctx context.Context, data []Datum) error {
	if len(data) == 0 {
		return nil
	}
	place, _, err := s.write(data, math.MaxInt)
	if err != nil {
		return err
	}
	return s.awaitCopy(ctx, place)
}

// write appends data to the journal, line by line until they are more than most bytes. It returns where they end, and how many bytes
// they are.
func (s *Store) write(data []Datum, most int) (place logstore.Place, size int, err error) {
	for len(data) > 0 && size < most {
		event, n, err := encode(data)
		if err != nil {
			return place, size, err
		}
		if place, err = s.Log.Append(Stream, []logstore.Event{event}, nil); err != nil {
			return place, size, fmt.Errorf("put metric data: %w", err)
		}
		data, size = data[n:], size+len(event.Message)
	}
	return place, size, nil
}

func (s *Store) awaitCopy(ctx context.Context, place logstore.Place) error {
	ctx, cancel := context.WithTimeout(ctx, copyLimit)
	defer cancel()
	err := s.Log.AwaitCopy(ctx, place)
	if errors.Is(err, context.DeadlineExceeded) {
		return ErrNotCopied
	}
	return err
}

// read takes in what the copy has got since the last time. It assumes the lock.
func (s *Store) read() error {
	if s.series == nil {
		s.series, s.places = map[string]*series{}, map[string]int64{}
	}
	now := s.now()
	err := s.Log.Follow(Stream, s.places, func(e logstore.Event) {
		decode(e, func(d Datum) {
			s.add(d, now)
			s.bound() // an event can have many long names
		})
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
		one = &series{metric: d.Metric, units: map[string]*levels{}, names: namesOf(key, d.Metric)}
		s.series[key] = one
		s.names += one.names
	}
	one.latest = max(one.latest, d.Time)
	l := one.units[d.Unit]
	if l == nil {
		l = &levels{}
		one.units[d.Unit] = l
		one.names += len(d.Unit)
		s.names += len(d.Unit)
	}
	width := 1
	if d.Fine {
		width = 0
	}
	for width+1 < len(widths) && d.Time < now.Add(-keeps[width]).Unix() {
		width++
	}
	s.size.grow(l.add(d.Time, width, d.Summary))
}

// age moves what is old into wider summaries, and forgets what is too old.
func (s *Store) age(now time.Time) {
	for _, one := range s.series {
		for _, l := range one.units {
			l.age(now, &s.size)
		}
	}
	s.sweep()
}

// sweep forgets metrics without points.
func (s *Store) sweep() {
	for key, one := range s.series {
		maps.DeleteFunc(one.units, func(_ string, l *levels) bool { return l.empty() })
		if len(one.units) == 0 {
			s.forget(key, one)
		}
	}
}

func (s *Store) forget(key string, one *series) {
	one.shrink(&s.size)
	s.names -= one.names
	delete(s.series, key)
}

// bound forgets the oldest metrics, by their latest data, or the oldest points, until there are a tenth less than may be, where there
// are more.
func (s *Store) bound() {
	metrics, names := cmp.Or(s.Limits.Metrics, 50_000), cmp.Or(s.Limits.Names, 128<<20)
	if len(s.series) > metrics || s.names > names {
		keys := slices.SortedFunc(maps.Keys(s.series), func(a, b string) int { return cmp.Compare(s.series[a].latest, s.series[b].latest) })
		for _, key := range keys {
			if len(s.series) <= metrics-metrics/10 && s.names <= names-names/10 {
				break
			}
			s.forget(key, s.series[key])
		}
	}
	points, values := cmp.Or(s.Limits.Points, 500_000), cmp.Or(s.Limits.Values, 4_000_000)
	if s.size.points <= points && s.size.values <= values {
		return
	}
	var all []age
	for _, one := range s.series {
		for _, l := range one.units {
			for _, points := range l {
				for _, p := range points {
					all = append(all, age{p.time, len(p.Values)})
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b age) int { return cmp.Compare(a.time, b.time) })
	left, edge := s.size, int64(0)
	for _, p := range all {
		if left.points <= points-points/10 && left.values <= values-values/10 {
			break
		}
		left.shrink(size{1, p.values})
		edge = p.time + 1
	}
	for _, one := range s.series {
		for _, l := range one.units {
			l.forget(edge, &s.size)
		}
	}
	s.sweep()
}

// age is how old a point is, and how many values it tells apart.
type age struct {
	time   int64
	values int
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

// Metrics are those with data since a time that match, in the order of their keys. Others may ask while it looks.
func (s *Store) Metrics(since time.Time, match func(Metric) bool) ([]Metric, error) {
	found, err := s.since(since)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(found, func(_ string, m Metric) bool { return !match(m) })
	all := make([]Metric, 0, len(found))
	for _, key := range slices.Sorted(maps.Keys(found)) {
		all = append(all, found[key])
	}
	return all, nil
}

// since are the metrics with data since a time, by key.
func (s *Store) since(at time.Time) (map[string]Metric, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.read(); err != nil {
		return nil, err
	}
	found := make(map[string]Metric, len(s.series))
	for key, one := range s.series {
		if one.latest >= at.Unix() {
			found[key] = one.metric
		}
	}
	return found, nil
}
