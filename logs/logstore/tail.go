package logstore

import (
	"context"
	"slices"
	"time"
)

// Tail says which events are followed as they come to this zone's copy.
type Tail struct {
	// Streams are those that are wanted; it is asked at every look. What came to a stream before it was wanted is not shown.
	Streams func() []string
	// Own leaves out what other zones wrote.
	Own bool
	// Pause is the least time between two looks: while nothing comes nobody looks.
	Pause time.Duration
	// Show sees an event, whose message is a part of a longer text. Events of one zone and stream come in their order.
	Show func(Found)
	// Looked is called after each look; nil means nothing.
	Looked func()
}

// journalName is which journal it is.
type journalName struct{ stream, zone string }

// Tail follows events from now on, until ctx ends.
func (s *Store) Tail(ctx context.Context, t Tail) {
	written, taken := s.written.wait(), s.taken.wait()
	places := map[journalName]int64{}
	for _, j := range s.all() {
		places[journalName{j.stream, j.zone}] = j.end()
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-written:
		case <-taken:
		}
		written, taken = s.written.wait(), s.taken.wait()
		if t.Own {
			taken = nil
		}
		s.look(ctx, t, places)
		if t.Looked != nil {
			t.Looked()
		}
		pause := time.NewTimer(t.Pause)
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
	}
}

// look shows what came since the last look.
func (s *Store) look(ctx context.Context, t Tail, places map[journalName]int64) {
	wanted := map[string]bool{}
	for _, stream := range t.Streams() {
		wanted[stream] = true
	}
	there := make(map[journalName]bool, len(places))
	for _, j := range s.all() {
		name := journalName{j.stream, j.zone}
		there[name] = true
		if !wanted[j.stream] || t.Own && j.zone != s.config.Zone {
			places[name] = j.end()
			continue
		}
		number, zone := streamNumber(j.stream), slices.Index(s.config.Zones, j.zone)
		place, err := j.follow(places[name], func(offset int64, b batch) bool {
			for i, event := range b.Events {
				t.Show(Found{Event: event, Stream: j.stream, Ingested: b.Ingested,
					Key: Key{Time: event.Time, Stream: number, Zone: zone, Offset: offset, Index: i}})
			}
			return ctx.Err() == nil
		})
		if err != nil {
			s.config.Logger.Warn("follow log events", "stream", j.stream, "error", err)
		}
		places[name] = place
	}
	for name := range places {
		if !there[name] {
			delete(places, name) // the stream is deleted
		}
	}
}
