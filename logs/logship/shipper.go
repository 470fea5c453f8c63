package logship

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"tripod/logs/logstore"
)

// Stream is one log stream and where its events come from.
type Stream struct {
	// Type is EKS's log type that switches it on, such as "audit".
	Type string
	// Name is the log stream's.
	Name string
	// Path is the log file.
	Path   string
	Format Format
	// Wants says which entries of the file are this stream's; nil means all. What bears no time goes with the entry
	// before.
	Wants func(text []byte) bool
}

// Shipper writes one cluster's logs in one zone to their streams.
type Shipper struct {
	Streams []Stream
	// Enabled are the log types that are on, and since when.
	Enabled func() (map[string]time.Time, error)
	// Watch gives a channel that is signalled when that may have changed, and a function that ends it.
	Watch func() (<-chan struct{}, func())
	// Ensure makes a stream if it is not there and returns its id.
	Ensure func(ctx context.Context, stream string) (id string, err error)
	Store  Store
	Logger *slog.Logger
}

// Store takes the events: logstore.Store.
type Store interface {
	Append(stream string, events []logstore.Event, mark any) (logstore.Place, error)
	Mark(stream string, mark any) bool
}

const (
	// look is how often files are looked at while a type is on: a size is asked for, and no more while nothing came.
	look = time.Second
	// passLimit is how long a pass may wait for streams to be made, and farewell the last one; shipping itself waits for
	// nobody.
	passLimit, farewell = 10 * time.Second, time.Second
)

// Run ships until ctx ends, and then once more what is there.
func (s *Shipper) Run(ctx context.Context) {
	changes, cancel := s.Watch()
	defer cancel()
	followers := make([]*follower, len(s.Streams))
	for i, stream := range s.Streams {
		followers[i] = &follower{Shipper: s, stream: stream}
	}
	failing := false
	for {
		limit := passLimit
		if ctx.Err() != nil {
			limit = farewell
		}
		on, err := s.pass(context.WithoutCancel(ctx), limit, followers)
		if err != nil && !failing {
			s.Logger.Warn("ship logs: it is tried again every second", "error", err)
		}
		failing = err != nil
		if ctx.Err() != nil {
			return
		}
		var tick <-chan time.Time
		if on || err != nil {
			tick = time.After(look)
			select { // changes of the regional state are many, and a second is soon enough
			case <-tick:
			case <-ctx.Done():
			}
			continue
		}
		select {
		case <-changes:
		case <-ctx.Done():
		}
	}
}

// pass ships what is new of all types that are on, and says whether any is.
func (s *Shipper) pass(ctx context.Context, limit time.Duration, followers []*follower) (on bool, err error) {
	enabled, err := s.Enabled()
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for _, f := range followers {
		since, wanted := enabled[f.stream.Type]
		if !wanted {
			f.known = false
			continue
		}
		on = true
		if shipErr := f.ship(ctx, since); shipErr != nil && err == nil {
			err = fmt.Errorf("%s: %w", f.stream.Name, shipErr)
		}
	}
	return on, err
}

// mark is what stands with the events of a stream.
type mark struct {
	// Since is when the type was switched on. Switched off and on again, it begins anew.
	Since time.Time `json:"since"`
	Place
	// Last is the time of the last entry, and Wanted says whether it was this stream's.
	Last   time.Time `json:"last"`
	Wanted bool      `json:"wanted"`
}

// follower reads the file of one stream.
type follower struct {
	*Shipper
	stream Stream
	known  bool // at is right
	at     mark
}

// ship writes all that is new.
func (f *follower) ship(ctx context.Context, since time.Time) error {
	id, err := f.Ensure(ctx, f.stream.Name) // each time: somebody may have deleted it
	if err != nil {
		return err
	}
	if !f.known || !f.at.Since.Equal(since) {
		if err := f.find(id, since); err != nil {
			return err
		}
	}
	for {
		lines, to, err := read(f.stream.Path, f.at.Place)
		if err != nil {
			return err
		}
		if len(lines) == 0 {
			f.at.Place = to
			return nil
		}
		next := f.at
		next.Place = to
		events := f.events(lines, &next)
		if len(events) > 0 {
			if _, err := f.Store.Append(id, events, next); err != nil {
				return err
			}
		}
		f.at = next
	}
}

// find learns where to go on.
func (f *follower) find(id string, since time.Time) error {
	var at mark
	if !f.Store.Mark(id, &at) || !at.Since.Equal(since) {
		place, err := begin(f.stream.Path, since, f.stream.Format.Stamp)
		if err != nil {
			return err
		}
		at = mark{Since: since, Place: place, Last: since.Add(-time.Nanosecond)}
	}
	at.Place = again(f.stream.Path, at.Place)
	f.at, f.known = at, true
	return nil
}

// events are those of the lines that are this stream's and not from before its type was switched on.
func (f *follower) events(lines []byte, at *mark) (events []logstore.Event) {
	for _, one := range f.stream.Format.entries(lines, at.Last) {
		if one.stamped && f.stream.Wants != nil {
			at.Wanted = f.stream.Wants(one.text)
		}
		at.Last = one.when
		if one.when.Before(at.Since) || f.stream.Wants != nil && !at.Wanted {
			continue
		}
		events = append(events, logstore.Event{Time: one.when.UnixMilli(),
			Message: strings.ToValidUTF8(string(one.text), "\ufffd")})
	}
	return events
}

// schedulerName is how the lines of the scheduler are known in the log that it shares with the controller manager:
// their logger's name.
var schedulerName = []byte(`logger="kube-scheduler`)

// OfScheduler says whether an entry of the controllers' log is the scheduler's.
func OfScheduler(text []byte) bool {
	head, _, _ := bytes.Cut(text, []byte("\n"))
	return bytes.Contains(head, schedulerName)
}

// OfManager says whether an entry of the controllers' log is the controller manager's.
func OfManager(text []byte) bool { return !OfScheduler(text) }
