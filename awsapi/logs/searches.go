package logs

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"tripod/logs/insights"
	"tripod/logs/logstore"
	"tripod/state"
)

const (
	// atOnce is how many queries a zone runs at once: one already uses all that a zone should take of the machine.
	atOnce = 2
	// queryMemory is how many bytes of rows or groups a query may hold while it runs, and heldMemory how many of results are
	// kept in all; a result that is gone is found again when somebody asks.
	queryMemory, heldMemory = 48 << 20, 64 << 20
	// lookAgain is how often a running query looks whether it was stopped.
	lookAgain = 250 * time.Millisecond
)

// searches are the queries that this zone runs, and the results that it has. A query runs where it was started, and in any
// other zone once that is asked for the results: all have the events.
type searches struct {
	mu      sync.Mutex
	byID    map[string]*search
	ended   []*search // in the order in which they ended
	held    int64
	running chan struct{} // as many as run
}

// search is one query in this zone.
type search struct {
	id    string
	began chan struct{} // closed when it runs
	done  chan struct{} // closed when it has ended
	// result and status are set when it has ended.
	result insights.Result
	status types.QueryStatus
	bytes  int64
}

// of is the zone's search for a query, begun by run if there is none.
func (s *searches) of(id string, begin func(*search)) (found *search, fresh bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID == nil {
		s.byID, s.running = map[string]*search{}, make(chan struct{}, atOnce)
	}
	if found = s.byID[id]; found != nil {
		return found, false
	}
	found = &search{id: id, began: make(chan struct{}), done: make(chan struct{})}
	s.byID[id] = found
	begin(found)
	return found, true
}

// end keeps a search's result, and forgets the oldest where all are too large.
func (s *searches) end(one *search) {
	for _, row := range one.result.Rows {
		for _, field := range row {
			one.bytes += int64(len(field.Value)) + 32
		}
	}
	close(one.done)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended, s.held = append(s.ended, one), s.held+one.bytes
	for len(s.ended) > 1 && (s.held > heldMemory || len(s.ended) > mostQueries) {
		oldest := s.ended[0]
		s.ended, s.held = s.ended[1:], s.held-oldest.bytes
		delete(s.byID, oldest.id)
	}
}

// search is this zone's search for the query, which begins if there is none here.
func (s *Service) search(q query) (found *search, fresh bool) {
	return s.searches.of(q.ID, func(one *search) {
		s.background(func(ctx context.Context) { s.runSearch(ctx, q, one) })
	})
}

// background does something beside the call, until the zone ends.
func (s *Service) background(do func(context.Context)) {
	if s.Background != nil {
		s.Background(do)
		return
	}
	go do(context.Background())
}

// The reasons for which a search ends early.
var (
	errStopped = errors.New("the query is stopped")
	errTimeout = errors.New("the query took too long")
)

func (s *Service) runSearch(ctx context.Context, q query, one *search) {
	defer s.searches.end(one)
	one.status = types.QueryStatusFailed
	select {
	case s.searches.running <- struct{}{}:
	case <-ctx.Done():
		return
	}
	defer func() { <-s.searches.running }()
	close(one.began)
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, queryTime, errTimeout)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var looking sync.WaitGroup
	looking.Go(func() { s.heedStop(ctx, q.ID, stop) })
	result, err := s.find(ctx, q)
	stop(nil)
	looking.Wait()
	switch {
	case err == nil:
		one.status, one.result = types.QueryStatusComplete, result
	case errors.Is(err, errStopped):
		one.status = types.QueryStatusCancelled
	case errors.Is(err, errTimeout):
		one.status = types.QueryStatusTimeout
	}
	if errors.Is(err, context.Canceled) {
		return // the zone ends: another one finds the rows
	}
	// Without a quorum only this zone knows; the others find the rows when they are asked.
	ending, cancelEnding := context.WithTimeout(context.WithoutCancel(ctx), copyLimit)
	defer cancelEnding()
	_ = s.State.Update(ending, func(tx *state.Txn) error {
		if record, found := queries.Get(tx, q.ID); found && record.Status == "" {
			record.Status, record.Duration, record.Bytes = string(one.status), time.Since(began), float64(result.Bytes)
			queries.Put(tx, q.ID, record)
		}
		return nil
	})
}

// heedStop ends a search when somebody has stopped its query, in whatever zone.
func (s *Service) heedStop(ctx context.Context, id string, stop func(error)) {
	ticker := time.NewTicker(lookAgain)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		s.State.View(func(tx *state.Txn) error {
			if record, found := queries.Get(tx, id); !found || record.Status == string(types.QueryStatusCancelled) {
				stop(errStopped)
			}
			return nil
		})
	}
}

// source is a group's stream that is searched.
type source struct{ group, stream string }

// find runs a query over this zone's events: those that were written until it was started, so that each zone finds the same.
func (s *Service) find(ctx context.Context, q query) (insights.Result, error) {
	parsed, err := insights.Parse(q.Text)
	if err != nil {
		return insights.Result{}, err
	}
	rows := insights.StandardRows
	if q.Limit > 0 {
		rows = int(q.Limit)
	}
	run := parsed.Run(ctx, q.CreatedAt, rows, queryMemory)
	for _, group := range q.Groups {
		scan := logstore.Scan{Written: q.CreatedAt.UnixMilli(), Passed: run.Pass}
		if logstore.Plain(parsed.Part()) {
			scan.Part = parsed.Part()
		}
		if parsed.Newest() {
			scan.Edge = run.Edge
		}
		sources := map[string]source{}
		s.State.View(func(tx *state.Txn) error {
			g, found := groups.Get(tx, group)
			if !found {
				return nil // deleted since
			}
			scan.From, scan.To = s.span(g, &q.From, q.To)
			for _, one := range inGroup(tx, group) {
				scan.Streams = append(scan.Streams, one.ID)
				sources[one.ID] = source{s.AccountID + ":" + group, one.Name}
			}
			return nil
		})
		err := s.Events.Scan(ctx, scan, func() func(logstore.Found) error {
			worker := run.Worker()
			var at logstore.Found
			event := insights.Event{Pointer: func() string { return pointerTo(at) }}
			return func(f logstore.Found) error {
				at = f
				from := sources[f.Stream]
				event.Time, event.Ingested, event.Message = f.Time, f.Ingested, f.Message
				event.Stream, event.Log = from.stream, from.group
				return worker.Take(&event)
			}
		})
		if err != nil {
			return insights.Result{}, err
		}
	}
	return run.Finish()
}

// pointerTo is an event's @ptr: its key and its stream's id, in the order of the events.
func pointerTo(f logstore.Found) string { return f.Key.String() + f.Stream }

// atPointer undoes pointerTo.
func atPointer(text string) (key logstore.Key, stream string, ok bool) {
	const digits = 56
	if len(text) != digits+32 {
		return logstore.Key{}, "", false
	}
	key, ok = logstore.ParseKey(text[:digits])
	return key, text[digits:], ok
}
