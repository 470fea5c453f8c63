package series

import (
	"slices"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

const (
	// Kept is how far back a Store knows.
	Kept = time.Hour
	// MostSeries is how many series a Store has at most: new ones beyond are left out, and counted (Store.LeftOut).
	MostSeries = 30_000
	// chunkSpan is how much time is compressed, and forgotten, as one.
	chunkSpan = 10 * time.Minute
	// forgetEvery is how often what is too old is looked for: that goes through all series.
	forgetEvery = time.Minute
)

// A Store has the last hour's samples. Its methods may be called at the same time.
type Store struct {
	engine *promql.Engine

	mu                  sync.RWMutex
	named               map[string]map[uint64][]*memory // by name, and by the hash of all labels
	targets             map[string]*target              // by their labels
	count               int                             // of series
	leftOut, leftOutNow int                             // samples of the minute before, and of this one
	forgot              time.Time                       // when what is too old was looked for last
}

// target is what answers Adds, with the series that it told the last time.
type target struct {
	tells []*memory
	last  time.Time
}

// memory is one series.
type memory struct {
	labels labels.Labels
	chunks []*chunk // oldest first
	told   int64    // when it was told last, in milliseconds
}

type chunk struct {
	data     *chunkenc.XORChunk
	appender chunkenc.Appender
	from, to int64 // milliseconds
}

// New makes an empty Store.
func New() *Store {
	return &Store{engine: newEngine(), named: map[string]map[uint64][]*memory{}, targets: map[string]*target{}}
}

// Add keeps what the target with these labels says at a time: families, and that it is up. A nil map of families says that it did not
// answer. Times of one target go forwards; an Add from the past is left out.
func (s *Store) Add(at time.Time, labelsOfTarget map[string]string, families []*dto.MetricFamily, up bool) {
	told := samples(at, families)
	s.mu.Lock()
	defer s.mu.Unlock()
	from := s.target(labelsOfTarget)
	if !at.After(from.last) {
		return
	}
	from.last = at
	before := from.tells
	from.tells = make([]*memory, 0, len(before))
	builder := labels.NewBuilder(labels.EmptyLabels())
	for _, sample := range told {
		s.append(from, builder, labelsOfTarget, sample.Metric, at, float64(sample.Value))
	}
	alive := 0.0
	if up {
		alive = 1
	}
	s.append(from, builder, labelsOfTarget, model.Metric{labels.MetricName: "up"}, at, alive)
	now := at.UnixMilli()
	for _, m := range before {
		if m.told != now {
			m.append(now, stale)
		}
	}
	if at.Sub(s.forgot) >= forgetEvery {
		s.forget(now - Kept.Milliseconds())
		s.forgot, s.leftOut = at, s.leftOutNow
		s.leftOutNow = 0
	}
}

// LeftOut is how many samples of the last one to two minutes had no place, as there were MostSeries already.
func (s *Store) LeftOut() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.leftOut + s.leftOutNow
}

func samples(at time.Time, families []*dto.MetricFamily) model.Vector {
	// Families that have no sense are left out by ExtractSamples, which then has an error beside the others' samples.
	told, _ := expfmt.ExtractSamples(&expfmt.DecodeOptions{Timestamp: model.TimeFromUnixNano(at.UnixNano())}, families...)
	return told
}

func (s *Store) target(of map[string]string) *target {
	key := labels.FromMap(of).String()
	if s.targets[key] == nil {
		s.targets[key] = &target{}
	}
	return s.targets[key]
}

// append adds a sample to the series that a target's metric is.
func (s *Store) append(from *target, builder *labels.Builder, of map[string]string, metric model.Metric, at time.Time, v float64) {
	builder.Reset(labels.EmptyLabels())
	for name, text := range metric {
		builder.Set(string(name), string(text))
	}
	for name, text := range of {
		if own := builder.Get(name); own != "" {
			builder.Set("exported_"+name, own) // as Prometheus does without honor_labels
		}
		builder.Set(name, text)
	}
	m := s.memory(builder.Labels())
	if m == nil {
		s.leftOutNow++
		return
	}
	m.append(at.UnixMilli(), v)
	from.tells = append(from.tells, m)
}

// memory finds a series, or makes it. nil: there are too many.
func (s *Store) memory(of labels.Labels) *memory {
	name, hash := of.Get(labels.MetricName), of.Hash()
	for _, m := range s.named[name][hash] {
		if labels.Equal(m.labels, of) {
			return m
		}
	}
	if s.count >= MostSeries {
		return nil
	}
	if s.named[name] == nil {
		s.named[name] = map[uint64][]*memory{}
	}
	m := &memory{labels: of}
	s.named[name][hash] = append(s.named[name][hash], m)
	s.count++
	return m
}

func (m *memory) append(at int64, v float64) {
	m.told = at
	if n := len(m.chunks); n == 0 || at-m.chunks[n-1].from >= chunkSpan.Milliseconds() {
		data := chunkenc.NewXORChunk()
		appender, _ := data.Appender() // fails only for a chunk that was read from somewhere
		m.chunks = append(m.chunks, &chunk{data: data, appender: appender, from: at})
	}
	last := m.chunks[len(m.chunks)-1]
	last.appender.Append(at, v)
	last.to = at
}

// forget drops the chunks that are all older than a time, and the series and targets that have nothing left.
func (s *Store) forget(before int64) {
	for name, byHash := range s.named {
		for hash, list := range byHash {
			kept := list[:0]
			for _, m := range list {
				m.chunks = slices.DeleteFunc(m.chunks, func(c *chunk) bool { return c.to < before })
				if len(m.chunks) > 0 {
					kept = append(kept, m)
				}
			}
			s.count -= len(list) - len(kept)
			if byHash[hash] = kept; len(kept) == 0 {
				delete(byHash, hash)
			}
		}
		if len(byHash) == 0 {
			delete(s.named, name)
		}
	}
	for key, t := range s.targets {
		if t.last.UnixMilli() < before {
			delete(s.targets, key)
		}
	}
}
