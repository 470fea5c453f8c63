package logstore

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Limits are sizes in bytes.
type Limits struct {
	// Segment is when a journal goes on in a new file. 0 means 1 MiB.
	Segment int64
	// Journal is what is kept of what one zone wrote to one stream; the oldest goes first. 0 means 32 MiB.
	Journal int64
}

// Config says what a Store is.
type Config struct {
	// Dir is the store's directory; it is made when something is written.
	Dir string
	// Zone is this zone's name and Zones all zones' in the same order everywhere, at most ten.
	Zone  string
	Zones []string
	// Exists says whether a stream with that id is meant to be: copies of others are refused.
	Exists func(stream string) bool
	// Limits may be zero.
	Limits Limits
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Logger may be nil.
	Logger *slog.Logger
}

// Store is one zone's copy of all log events. Its methods may be called by several goroutines.
type Store struct {
	config Config

	mu       sync.Mutex
	journals map[string]map[string]*journal // by stream and zone
	copied   map[string]int64               // how far another zone has this zone's own journals, by stream

	written, taken, brought broadcast // this zone's own lines, another zone's lines, own lines to another zone
}

// Open reads what is in the directory.
func Open(config Config) (*Store, error) {
	if config.Limits.Segment == 0 {
		config.Limits.Segment = 1 << 20
	}
	if config.Limits.Journal == 0 {
		config.Limits.Journal = 32 << 20
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Store{config: config, journals: map[string]map[string]*journal{}, copied: map[string]int64{}}
	files, err := filepath.Glob(filepath.Join(config.Dir, "*", "*"))
	if err != nil {
		return nil, fmt.Errorf("open log events: %w", err)
	}
	starts := map[*journal][]int64{}
	for _, file := range files {
		stream := filepath.Base(filepath.Dir(file))
		zone, start, ok := parseSegmentName(filepath.Base(file))
		if ok && slices.Contains(config.Zones, zone) {
			j := s.journal(stream, zone)
			starts[j] = append(starts[j], start)
		}
	}
	for j, its := range starts {
		if err := j.load(its); err != nil {
			return nil, fmt.Errorf("open log events: %w", err)
		}
	}
	return s, nil
}

// journal is the zone's journal of a stream, made if there is none.
func (s *Store) journal(stream, zone string) *journal {
	s.mu.Lock()
	defer s.mu.Unlock()
	byZone := s.journals[stream]
	if byZone == nil {
		byZone = map[string]*journal{}
		s.journals[stream] = byZone
	}
	if byZone[zone] == nil {
		byZone[zone] = &journal{stream: stream, zone: zone, dir: filepath.Join(s.config.Dir, stream), limits: s.config.Limits}
	}
	return byZone[zone]
}

// journalsOf are a stream's journals in the order of the zones.
func (s *Store) journalsOf(stream string) (found []*journal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, zone := range slices.Sorted(maps.Keys(s.journals[stream])) {
		found = append(found, s.journals[stream][zone])
	}
	return found
}

// all are the journals of all streams.
func (s *Store) all() (found []*journal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, byZone := range s.journals {
		for _, j := range byZone {
			found = append(found, j)
		}
	}
	return found
}

// Place is where a batch of this zone ends.
type Place struct {
	Stream string
	End    int64
}

// Append writes events to this zone's part of the stream: all or none. mark, which may be nil, is kept with them: how
// far the writer has read its source. When Append returns, the events are on this zone's disk and other zones are being
// told.
func (s *Store) Append(stream string, events []Event, mark any) (Place, error) {
	b := batch{Ingested: s.config.Now().UnixMilli(), Events: events}
	if mark != nil {
		text, err := json.Marshal(mark)
		if err != nil {
			return Place{}, fmt.Errorf("append log events: %w", err)
		}
		b.Mark = text
	}
	end, err := s.journal(stream, s.config.Zone).write(b, s.config.Now())
	if err != nil {
		return Place{}, fmt.Errorf("append log events: %w", err)
	}
	s.written.send()
	return Place{stream, end}, nil
}

// Mark reads the mark of this zone's last batch in the stream into mark, and says whether there is one.
func (s *Store) Mark(stream string, mark any) bool {
	j := s.journal(stream, s.config.Zone)
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.mark != nil && json.Unmarshal(j.mark, mark) == nil
}

// Extent is what a stream has.
type Extent struct {
	// First and Last are the times of the earliest and the latest event, and Ingested when the last was written, in
	// milliseconds; all are 0 in an empty stream.
	First, Last, Ingested int64
	// Bytes are what is stored of it.
	Bytes int64
}

// Extent tells what the stream has.
func (s *Store) Extent(stream string) (e Extent) {
	for _, j := range s.journalsOf(stream) {
		j.mu.Lock()
		for i, part := range j.segments {
			e.Bytes += part.end - part.start
			if i > 0 && i < len(j.segments)-1 || j.learn(part) != nil || part.last < part.first {
				continue // events come about in the order of their times: the ends tell
			}
			if e.First == 0 || part.first < e.First {
				e.First = part.first
			}
			e.Last, e.Ingested = max(e.Last, part.last), max(e.Ingested, part.ingested)
		}
		j.mu.Unlock()
	}
	return e
}

// Trim deletes files of the stream all of whose events are from before that time.
func (s *Store) Trim(stream string, before time.Time) {
	for _, j := range s.journalsOf(stream) {
		j.trim(before.UnixMilli())
	}
}

// Drop deletes the stream's events. It must be gone from what Exists knows before.
func (s *Store) Drop(stream string) error {
	for _, j := range s.journalsOf(stream) {
		if err := j.drop(); err != nil {
			return fmt.Errorf("delete log events: %w", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.journals, stream)
	delete(s.copied, stream)
	return nil
}

// validStream says whether an id is fit for a directory's name.
func validStream(id string) bool {
	return len(id) == 32 && strings.Trim(id, "0123456789abcdef") == ""
}
