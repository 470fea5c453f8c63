package logstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"
)

// journal is what one zone wrote to one stream, or a copy of it.
type journal struct {
	stream, zone string
	dir          string
	limits       Limits

	mu       sync.Mutex
	segments []*segment // in order; empty until something is written
	mark     json.RawMessage
	grown    time.Time
	dropped  bool
}

// errDropped says that the stream was deleted meanwhile.
var errDropped = errors.New("the log stream is deleted")

// load finds the segments that are on disk.
func (j *journal) load(starts []int64) error {
	slices.Sort(starts)
	for _, start := range starts {
		s := newSegment(j.dir, j.zone, start)
		info, err := os.Stat(s.path)
		if err != nil {
			return err
		}
		s.end, s.known = start+info.Size(), false
		j.segments = append(j.segments, s)
	}
	for i := len(j.segments) - 1; i >= 0 && j.mark == nil; i-- {
		s := j.segments[i]
		mark, err := s.mend()
		if err != nil {
			return err
		}
		j.mark = mark
		if s.end > s.start { // else a crash left it behind, empty
			break
		}
	}
	return nil
}

// end is where the next batch goes.
func (j *journal) end() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.endLocked()
}

func (j *journal) endLocked() int64 {
	if len(j.segments) == 0 {
		return 0
	}
	return j.segments[len(j.segments)-1].end
}

// beginning is where a new journal begins: behind whatever this zone may have written to the stream before it lost its
// disk, at less than 10 MB/s. So the other zones take it for what follows what they have.
func beginning(now time.Time) int64 { return now.UnixMilli() * 10000 }

// write appends a batch of this zone's own and returns the journal's new end. The batch is on disk then: what other
// zones have of a journal its own zone must never lose, or it would write other bytes to the same place.
func (j *journal) write(b batch, now time.Time) (int64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if b.Mark == nil {
		b.Mark = j.mark // so that the last segment has it, whatever else is written to the stream
	}
	line, err := json.Marshal(b)
	if err != nil {
		return 0, err
	}
	if len(line) >= largestLine {
		return 0, fmt.Errorf("%d bytes of log events are more than the %d that are written at once", len(line), largestLine)
	}
	at := j.endLocked()
	if len(j.segments) == 0 {
		at = beginning(now)
	}
	if err := j.extend(append(line, '\n'), at, true); err != nil {
		return 0, err
	}
	j.segments[len(j.segments)-1].note(b)
	j.mark, j.grown = b.Mark, now
	return j.endLocked(), nil
}

// copy appends whole lines that another zone has at offset, and returns the journal's end, changed or not. after is
// where the other zone believes that this copy ends: if it does, what is between that and offset is lost to size or age
// there, and is skipped. Other lines, which are here already or come too early, change nothing.
func (j *journal) copy(lines []byte, offset, after int64, now time.Time) (int64, error) {
	if len(lines) == 0 || lines[len(lines)-1] != '\n' {
		return 0, errors.New("these are not whole lines")
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	end := j.endLocked()
	if offset != end && (offset < end || after != end) {
		return end, nil
	}
	if err := j.extend(lines, offset, false); err != nil {
		return 0, err
	}
	last := j.segments[len(j.segments)-1]
	batches(lines, offset, func(_ int64, b batch) bool { last.note(b); return true })
	j.grown = now
	return j.endLocked(), nil
}

// extend assumes the lock.
func (j *journal) extend(lines []byte, offset int64, durable bool) error {
	if j.dropped {
		return errDropped
	}
	var last *segment
	if n := len(j.segments); n > 0 {
		last = j.segments[n-1]
	}
	if last == nil || last.end != offset || last.end-last.start >= j.limits.Segment {
		if err := os.MkdirAll(j.dir, 0o700); err != nil {
			return err
		}
		last = newSegment(j.dir, j.zone, offset)
		if err := last.append(lines, durable); err != nil {
			return err
		}
		j.segments = append(j.segments, last)
		j.trimLocked(0)
		return nil
	}
	return last.append(lines, durable)
}

// trim deletes segments that are all older than the time before, in milliseconds since 1970.
func (j *journal) trim(before int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.trimLocked(before)
}

// trimLocked also deletes the oldest beyond the limit, and never the last, which knows where the journal ends.
func (j *journal) trimLocked(before int64) {
	for len(j.segments) > 1 {
		oldest := j.segments[0]
		if j.endLocked()-oldest.start <= j.limits.Journal &&
			(before == 0 || j.learn(oldest) != nil || oldest.last >= before) {
			return
		}
		if err := os.Remove(oldest.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return
		}
		j.segments = j.segments[1:]
	}
}

// learn reads a segment's times if they are not known. It assumes the lock.
func (j *journal) learn(s *segment) error {
	if s.known {
		return nil
	}
	_, err := s.mend()
	return err
}

// parts are copies of the segments that may have events from the time from up to to, in milliseconds.
func (j *journal) parts(from, to int64) (found []segment, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range j.segments {
		if err := j.learn(s); err != nil {
			return nil, fmt.Errorf("read log events: %w", err)
		}
		if s.first <= to && s.last >= from {
			found = append(found, *s)
		}
	}
	return found, nil
}

// chunk is up to most bytes of whole lines from offset on, or from the first place behind it that is still there.
func (j *journal) chunk(offset int64, most int) (lines []byte, at int64, err error) {
	j.mu.Lock()
	var from *segment
	for _, s := range j.segments {
		if s.end > offset {
			copied := *s
			from = &copied
			break
		}
	}
	j.mu.Unlock()
	if from == nil {
		return nil, 0, nil
	}
	at = max(offset, from.start)
	lines, err = from.behind(at, most)
	if err != nil {
		return nil, 0, err
	}
	return lines, at, nil
}

// follow calls fn for each batch behind a place, until fn says that it is not to go on, and returns the place behind them. What was
// deleted before it was read is passed over.
func (j *journal) follow(place int64, fn func(offset int64, b batch) bool) (int64, error) {
	for more := true; more; {
		lines, at, err := j.chunk(place, chunkSize)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it went this moment, as the oldest
		}
		if err != nil || len(lines) == 0 {
			return place, err
		}
		batches(lines, at, func(offset int64, b batch) bool {
			more = fn(offset, b)
			return more
		})
		place = at + int64(len(lines))
	}
	return place, nil
}

// drop deletes the journal.
func (j *journal) drop() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.dropped = true
	for len(j.segments) > 0 {
		if err := os.Remove(j.segments[0].path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		j.segments = j.segments[1:]
	}
	os.Remove(j.dir) // the last journal to go takes it along
	return nil
}
