package insights

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Run is a query at work: events are given to its Workers, and then Finish gives the result.
type Run struct {
	ctx    context.Context
	query  *Query
	rows   int
	memory int64
	now    float64

	// edge is the time from before which no event is wanted any more, if the query wants the newest.
	edge atomic.Int64

	mu      sync.Mutex
	workers []*Worker
	passed  Result // what was not taken
}

// Pass counts events that were not taken as scanned, for they do not have the query's Part, or are from before its Edge.
func (r *Run) Pass(events, bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.passed.Scanned, r.passed.Bytes = r.passed.Scanned+events, r.passed.Bytes+bytes
	if !r.query.filtered {
		r.passed.Matched += events
	}
}

// Run begins to run the query. rows is how many the result has at most where the query does not say, and memory how many
// bytes it may hold of rows, or of groups: of more rows the last are left out, of more groups it fails. It ends with ctx.
func (q *Query) Run(ctx context.Context, now time.Time, rows int, memory int64) *Run {
	if q.limit > 0 {
		rows = q.limit
	}
	r := &Run{ctx: ctx, query: q, rows: rows, memory: memory, now: float64(now.UnixMilli())}
	r.edge.Store(math.MinInt64)
	return r
}

// Edge is the time from before which no event is wanted any more, in milliseconds, of a query that wants the newest.
func (r *Run) Edge() int64 { return r.edge.Load() }

// Worker takes events for one goroutine.
type Worker struct {
	run     *Run
	phase   *phase
	env     *env
	collect collector
	// Scanned are the events that were taken, Matched those of them that the first filters wanted, and Bytes the former's.
	Scanned, Matched, Bytes int64
}

// Worker makes one, for the goroutine that calls.
func (r *Run) Worker() *Worker {
	first := r.query.phases[0]
	r.mu.Lock()
	defer r.mu.Unlock()
	w := &Worker{run: r, phase: first, env: r.env(first.scope), collect: r.collector(0)}
	r.workers = append(r.workers, w)
	return w
}

// Take takes an event. The error says that the query cannot go on.
func (w *Worker) Take(e *Event) error {
	if w.run.ctx.Err() != nil { // one event may take long
		return context.Cause(w.run.ctx)
	}
	w.Scanned++
	w.Bytes += int64(len(e.Message))
	w.env.at(e)
	if !w.phase.wants(w.env) {
		return nil
	}
	w.Matched++
	return w.collect.add(w.env)
}

// wants does the phase's steps with the row that the env looks at, and says whether it is wanted.
func (p *phase) wants(e *env) bool {
	for _, step := range p.steps {
		if !step(e) {
			return false
		}
	}
	return true
}

// Field is a part of a row: a column and what it shows.
type Field struct{ Name, Value string }

// Result is what a query gives.
type Result struct {
	// Rows have the columns that they have values of, in order; those that stand for an event end with @ptr.
	Rows [][]Field
	// Scanned, Matched and Bytes are of all events, see Worker.
	Scanned, Matched, Bytes int64
	// Clipped says that rows are left out, as the others need all the memory that there may be.
	Clipped bool
}

// Finish gives the result, once no Worker takes anything any more.
func (r *Run) Finish() (Result, error) {
	result := r.passed
	all := r.collector(0)
	for _, w := range r.workers {
		result.Scanned, result.Matched, result.Bytes = result.Scanned+w.Scanned, result.Matched+w.Matched, result.Bytes+w.Bytes
		if err := all.merge(w.collect); err != nil {
			return result, err
		}
	}
	rows, clipped, err := all.rows()
	if err != nil {
		return result, err
	}
	result.Clipped = clipped
	for i := 1; i < len(r.query.phases); i++ {
		phase, collect := r.query.phases[i], r.collector(i)
		env := r.env(phase.scope)
		for _, row := range rows {
			if r.ctx.Err() != nil {
				break
			}
			env.atRow(row.values)
			if !phase.wants(env) {
				continue
			}
			if err := collect.add(env); err != nil {
				return result, err
			}
		}
		if rows, clipped, err = collect.rows(); err != nil {
			return result, err
		}
		result.Clipped = result.Clipped || clipped
	}
	if r.ctx.Err() != nil {
		return result, context.Cause(r.ctx)
	}
	last := r.query.phases[len(r.query.phases)-1].scope
	shown := last.shown
	if at, found := last.slots[pointer]; found && !last.closed && !slices.Contains(shown, at) {
		shown = append(slices.Clip(shown), at)
	}
	for _, row := range rows {
		fields := make([]Field, 0, len(shown))
		for _, slot := range shown {
			if v := row.values[slot]; v.kind != missing {
				fields = append(fields, Field{strings.ReplaceAll(last.names[slot], "`", ""), v.String()})
			}
		}
		result.Rows = append(result.Rows, fields)
	}
	return result, nil
}

// row is one that is kept: the values in the scope's slots, as far as they are needed, and what it is sorted by.
type row struct {
	values, keys []value
	bytes        int
}

// collector takes the rows of a phase and gives those with which the next one begins.
type collector interface {
	add(e *env) error
	merge(other collector) error
	rows() (rows []row, clipped bool, err error)
}

// collector makes that of a phase.
func (r *Run) collector(i int) collector {
	p := r.query.phases[i]
	memory := &budget{left: r.memory}
	if p.end == endByStats {
		return &groups{run: r, phase: p, stats: p.stats, memory: memory, byKey: map[string]*group{}}
	}
	s := &sorted{phase: p, most: r.rows, memory: r.memory, keep: i > 0 && len(p.sort) == 0, pointer: -1}
	if at, found := p.scope.slots[pointer]; found && p.scope.needed[at] {
		s.pointer = at
	}
	if p.end == endByLimit {
		s.most = min(p.limit, MostRows)
	}
	if len(p.sort) == 0 && i == 0 { // the newest come first
		s.newest = true
	}
	if i == 0 && r.query.Newest() {
		s.edge = &r.edge
	}
	if p.end == endByDedup {
		return &deduped{sorted: s, memory: memory, byKey: map[string]row{}}
	}
	return s
}

// sorted holds the rows that come first in the order that is asked for, and not many more.
type sorted struct {
	phase  *phase
	most   int
	memory int64
	newest bool // order by the events' times, the latest first
	keep   bool // leave the order as it is
	// pointer is the slot of @ptr, which orders what is equal otherwise, so that each zone has the same; -1: there is none.
	pointer int
	held    []row
	bytes   int64
	full    bool
	clip    bool
	keys    []value
	// edge is moved to the last row's time; nil: the rows are in another order.
	edge *atomic.Int64
}

func (s *sorted) add(e *env) error {
	keys := s.keysOf(e)
	if s.full && len(s.held) >= s.most { // most rows are behind all those that are wanted, and are not copied
		edge := s.held[s.most-1]
		c := s.compareKeys(keys, edge.keys)
		if c == 0 && s.pointer >= 0 {
			c = s.comparePointers(e.get(s.pointer), edge.values[s.pointer])
		}
		if s.keep || c >= 0 {
			return nil
		}
	}
	r, err := keptRow(e, keys)
	if err == nil {
		s.take(r)
	}
	return err
}

// keysOf is what the row is sorted by, in a slice that the next call uses again.
func (s *sorted) keysOf(e *env) []value {
	s.keys = s.keys[:0]
	if s.newest {
		return append(s.keys, timeOf(e))
	}
	for _, key := range s.phase.sort {
		s.keys = append(s.keys, key.by.eval(e))
	}
	return s.keys
}

// keptRow is a copy of the row that the env looks at.
func keptRow(e *env, keys []value) (row, error) {
	kept := row{values: make([]value, len(e.values)), keys: make([]value, len(keys)), bytes: 48 * (len(e.values) + len(keys) + 1)}
	for slot := range e.scope.needed {
		kept.values[slot] = e.get(slot).keep()
		if kept.bytes += len(kept.values[slot].text); kept.bytes > mostRow {
			return row{}, errRow
		}
	}
	for i, key := range keys {
		kept.keys[i] = key.keep()
		if kept.bytes += len(key.text); kept.bytes > mostRow {
			return row{}, errRow
		}
	}
	return kept, nil
}

func (s *sorted) take(r row) {
	s.held = append(s.held, r)
	s.bytes += int64(r.bytes)
	if len(s.held) >= 2*s.most+64 || s.bytes > s.memory {
		s.cut()
	}
}

func (s *sorted) compareKeys(a, b []value) int {
	if s.newest {
		return cmp.Compare(b[0].num, a[0].num)
	}
	for i, key := range s.phase.sort {
		if c := compare(a[i], b[i]); c != 0 {
			if key.descending {
				return -c
			}
			return c
		}
	}
	return 0
}

// comparePointers orders rows that are equal otherwise: as the events came, or backwards where the order is backwards.
func (s *sorted) comparePointers(a, b value) int {
	c := strings.Compare(a.text, b.text)
	if n := len(s.phase.sort); s.newest || n > 0 && s.phase.sort[n-1].descending {
		return -c
	}
	return c
}

// cut leaves the rows that come first, as many as are wanted and there is memory for.
func (s *sorted) cut() {
	if !s.keep {
		slices.SortStableFunc(s.held, func(a, b row) int {
			c := s.compareKeys(a.keys, b.keys)
			if c == 0 && s.pointer >= 0 {
				c = s.comparePointers(a.values[s.pointer], b.values[s.pointer])
			}
			return c
		})
	}
	most := min(s.most, len(s.held))
	s.bytes = 0
	for i, r := range s.held[:most] {
		if s.bytes += int64(r.bytes); i > 0 && s.bytes > s.memory/2 {
			s.most, most, s.clip = i, i, true
			s.bytes -= int64(r.bytes)
			break
		}
	}
	clear(s.held[most:])
	s.held = s.held[:most]
	s.full = most == s.most
	if s.full && s.edge != nil && most > 0 {
		at := int64(s.held[most-1].keys[0].num)
		for old := s.edge.Load(); at > old && !s.edge.CompareAndSwap(old, at); {
			old = s.edge.Load()
		}
	}
}

func (s *sorted) merge(other collector) error {
	o := other.(*sorted)
	s.clip = s.clip || o.clip
	s.most = min(s.most, o.most)
	for _, r := range o.held {
		s.take(r)
	}
	o.held = nil
	return nil
}

func (s *sorted) rows() ([]row, bool, error) {
	s.cut()
	return s.held, s.clip, nil
}
