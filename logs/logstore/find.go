package logstore

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"math"
	"slices"
	"strings"
)

// Query says which events are wanted. Found are those of the streams from the time From up to To, in milliseconds, both
// included, behind After and before Before where these are set, that Match.
type Query struct {
	Streams       []string
	From, To      int64
	After, Before *Key
	// Match may be nil. It is called by one goroutine. Where it takes long it must heed the search's context itself, and
	// may say anything once that has ended.
	Match func(stream string, e Event) bool
	// Last asks for the last events and not the first.
	Last bool
	// Limit is how many events are wanted at most, and Bytes how long their messages may be in all; one is found however
	// long it is.
	Limit, Bytes int
	// Enough says whether a search for the first events has taken long enough: it then ends where it can be gone on with,
	// with what was found by then, which may be nothing. Nil means never.
	Enough func() bool
}

// Page are the events that a search found, in the order of their keys.
type Page struct {
	Found []Found
	// More says that there are more, or may be; behind End, which is nil otherwise, or before the first that was found
	// where the last ones were asked for.
	More bool
	End  *Key
}

// part is a segment to be searched.
type part struct {
	segment
	stream string
	zone   int
}

// Find searches this zone's copy, until ctx ends: that is an error then, the context's cause.
func (s *Store) Find(ctx context.Context, q Query) (Page, error) {
	if q.After != nil {
		q.From = max(q.From, q.After.Time)
	}
	if q.Before != nil {
		q.To = min(q.To, q.Before.Time)
	}
	parts, err := s.parts(ctx, q)
	if err != nil {
		return Page{}, err
	}
	c := collection{query: q}
	for i, p := range parts {
		if c.closed(p.segment) {
			c.more = true
			break // what follows is all beyond it too
		}
		if i > 0 && q.leadsOn(p.first) && q.Enough() {
			return c.upTo(p.first), context.Cause(ctx)
		}
		text, err := p.read()
		if errors.Is(err, fs.ErrNotExist) {
			continue // too old or too much, since a moment
		}
		if err != nil {
			return Page{}, err
		}
		number := streamNumber(p.stream)
		new(reader).batches(text, p.start, func(offset int64, b batch) bool {
			for i, event := range b.Events {
				if event.Time >= q.From && event.Time <= q.To {
					c.add(Found{Event: event, Stream: p.stream, Ingested: b.Ingested,
						Key: Key{Time: event.Time, Stream: number, Zone: p.zone, Offset: offset, Index: i}})
				}
				if ctx.Err() != nil {
					return false
				}
			}
			return true
		})
		if ctx.Err() != nil {
			return Page{}, context.Cause(ctx)
		}
	}
	c.cut()
	page := Page{Found: c.found, More: c.more}
	if n := len(c.found); c.more && n > 0 {
		page.End = &c.found[n-1].Key
	}
	if q.Last {
		slices.Reverse(page.Found)
	}
	return page, nil
}

// leadsOn says whether a search that ends when all from before that time is searched comes further than the one before
// it, or never ends.
func (q Query) leadsOn(time int64) bool {
	return q.Enough != nil && !q.Last && time > q.From && (q.After == nil || lastBefore(time).Compare(*q.After) > 0)
}

// lastBefore is behind all keys of events from before the time, and of no others.
func lastBefore(time int64) *Key {
	return &Key{Time: time - 1, Stream: mostStream, Zone: mostZone, Offset: mostOffset, Index: mostIndex}
}

// upTo is the page of what was found from before that time, when all from before it is searched.
func (c *collection) upTo(time int64) Page {
	c.cut()
	if c.full && c.edge < time {
		return Page{Found: c.found, More: true, End: &c.found[len(c.found)-1].Key}
	}
	found := slices.DeleteFunc(c.found, func(f Found) bool { return f.Time >= time })
	return Page{Found: found, More: true, End: lastBefore(time)}
}

// parts are the segments that a query must look at, in the order in which it finds: by their first events, or backwards
// by their last.
func (s *Store) parts(ctx context.Context, q Query) (parts []part, err error) {
	for _, stream := range q.Streams {
		for _, j := range s.journalsOf(stream) {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			segments, err := j.parts(q.From, q.To)
			if err != nil {
				return nil, err
			}
			for _, one := range segments {
				parts = append(parts, part{one, stream, slices.Index(s.config.Zones, j.zone)})
			}
		}
	}
	slices.SortFunc(parts, func(a, b part) int {
		if q.Last {
			return cmp.Compare(b.last, a.last)
		}
		return cmp.Compare(a.first, b.first)
	})
	return parts, nil
}

// collection holds the events that a query wants, and not many more, whatever comes.
type collection struct {
	query Query
	found []Found
	bytes int
	more  bool
	// full says that found has all that may be asked for; edge is the time of the outermost.
	full bool
	edge int64
}

func (c *collection) add(f Found) {
	q := c.query
	switch {
	case q.After != nil && f.Key.Compare(*q.After) <= 0, q.Before != nil && f.Key.Compare(*q.Before) >= 0:
		return
	case q.Match != nil && !q.Match(f.Stream, f.Event):
		return
	}
	f.Message = strings.Clone(f.Message) // it may be a part of a file's text
	c.found = append(c.found, f)
	c.bytes += size(f)
	if len(c.found) > 2*q.Limit || c.bytes > 2*q.Bytes+math.MaxUint16 {
		c.cut()
	}
}

// closed says that no event of the segment can be among those wanted.
func (c *collection) closed(s segment) bool {
	if len(c.found) >= c.query.Limit || c.bytes >= c.query.Bytes {
		c.cut()
	}
	return c.full && (c.query.Last && s.last < c.edge || !c.query.Last && s.first > c.edge)
}

// cut sorts what was found and leaves what is wanted.
func (c *collection) cut() {
	slices.SortFunc(c.found, func(a, b Found) int {
		if c.query.Last {
			return b.Key.Compare(a.Key)
		}
		return a.Key.Compare(b.Key)
	})
	bytes := 0
	for i, f := range c.found {
		bytes += size(f)
		if i == c.query.Limit || i > 0 && bytes > c.query.Bytes {
			c.found, bytes, c.more = c.found[:i:i], bytes-size(f), true
			break
		}
	}
	c.bytes = bytes
	c.full = c.more || len(c.found) >= c.query.Limit
	if n := len(c.found); n > 0 {
		c.edge = c.found[n-1].Time
	}
}

// size is what an event counts of an answer's bytes: CloudWatch adds 26 to its message.
func size(f Found) int { return len(f.Message) + 26 }
