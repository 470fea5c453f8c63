package logstore

import (
	"context"
	"errors"
	"io/fs"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
)

// Scan says which events are to be seen: all of the streams from the time From up to To, in milliseconds, both included,
// that were written up to Written, which 0 leaves open.
type Scan struct {
	Streams           []string
	From, To, Written int64
	// Part is a text that the messages have which are wanted. Files that do not have it are passed over: Passed is told how many events
	// they have that are to be seen, and how long their messages are, by several goroutines. It holds no character that JSON writes in
	// another way, see Plain. Empty: all are wanted.
	Part string
	// Edge is a time from before which no event is wanted any more: it may grow while others are shown, and files that are all older
	// are passed over. Nil: all times are wanted. With it the newest files come first.
	Edge   func() int64
	Passed func(events, bytes int64)
	// Workers is how many goroutines search at once; 0 means as many as there are processors, at most 4.
	Workers int
}

// Scan shows events of this zone's copy, in no order: visitor makes what sees them, for each goroutine, and what that says
// ends the search. A message may be a part of a text that is much longer: who keeps it clones it. The error is what a visitor
// said, or the context's cause.
func (s *Store) Scan(ctx context.Context, scan Scan, visitor func() func(Found) error) error {
	parts, err := s.parts(ctx, Query{Streams: scan.Streams, From: scan.From, To: scan.To, Last: scan.Edge != nil})
	if err != nil {
		return err
	}
	workers := scan.Workers
	if workers == 0 {
		workers = min(runtime.GOMAXPROCS(0), 4)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(workers, len(parts)) {
		visit := visitor()
		wait.Go(func() {
			var lines reader
			for {
				i := int(next.Add(1)) - 1
				if i >= len(parts) || ctx.Err() != nil {
					return
				}
				if err := lines.scan(ctx, parts[i], scan, visit); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	wait.Wait()
	return context.Cause(ctx)
}

// scan shows the events of a part.
func (r *reader) scan(ctx context.Context, p part, scan Scan, visit func(Found) error) error {
	if scan.Edge != nil && p.last < scan.Edge() && scan.holds(p.segment) {
		scan.Passed(p.events, p.bytes)
		return nil
	}
	text, err := p.read()
	if errors.Is(err, fs.ErrNotExist) {
		return nil // too old or too much, since a moment
	}
	if err != nil {
		return err
	}
	if scan.Part != "" && scan.holds(p.segment) && !strings.Contains(text, scan.Part) {
		scan.Passed(p.events, p.bytes)
		return nil
	}
	seen, number := 0, streamNumber(p.stream)
	r.batches(text, p.start, func(offset int64, b batch) bool {
		if scan.Written != 0 && b.Ingested > scan.Written {
			return true
		}
		for i, event := range b.Events {
			if event.Time < scan.From || event.Time > scan.To {
				continue
			}
			if seen++; seen%lookEvery == 0 && ctx.Err() != nil {
				err = context.Cause(ctx)
				return false
			}
			if err = visit(Found{Event: event, Stream: p.stream, Ingested: b.Ingested,
				Key: Key{Time: event.Time, Stream: number, Zone: p.zone, Offset: offset, Index: i}}); err != nil {
				return false
			}
		}
		return true
	})
	return err
}

// holds says whether all events of a segment are to be seen.
func (s Scan) holds(of segment) bool {
	return of.first >= s.From && of.last <= s.To && (s.Written == 0 || of.ingested <= s.Written)
}

// Plain says whether a text stands in files as it is, wherever a message has it.
func Plain(text string) bool {
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' || strings.IndexByte(`"\<>&`, c) >= 0 {
			return false
		}
	}
	return true
}

// lookEvery is after how many events a search looks whether it is still wanted.
const lookEvery = 256
