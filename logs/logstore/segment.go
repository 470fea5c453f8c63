package logstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// segment is one file of a journal. Its name tells where in the journal it begins.
type segment struct {
	path       string
	start, end int64

	known       bool  // the times below are
	first, last int64 // the earliest and the latest event's time
	ingested    int64 // the latest batch's
	events      int64 // how many there are, and how long their messages are
	bytes       int64
}

// segmentName is the file of the zone's journal that begins there.
func segmentName(zone string, start int64) string { return fmt.Sprintf("%s-%018d", zone, start) }

// parseSegmentName undoes segmentName.
func parseSegmentName(name string) (zone string, start int64, ok bool) {
	dash := strings.LastIndexByte(name, '-')
	if dash <= 0 {
		return "", 0, false
	}
	start, err := strconv.ParseInt(name[dash+1:], 10, 64)
	return name[:dash], start, err == nil && start >= 0
}

func newSegment(dir, zone string, start int64) *segment {
	return &segment{path: filepath.Join(dir, segmentName(zone, start)), start: start, end: start, known: true,
		first: math.MaxInt64, last: math.MinInt64}
}

// note takes a batch into account that was appended.
func (s *segment) note(b batch) {
	s.ingested = max(s.ingested, b.Ingested)
	s.events += int64(len(b.Events))
	for _, event := range b.Events {
		s.bytes += int64(len(event.Message))
		s.first, s.last = min(s.first, event.Time), max(s.last, event.Time)
	}
}

// append writes whole lines to the segment's file. What did not get there in full is taken back.
func (s *segment) append(lines []byte, durable bool) error {
	file, err := os.OpenFile(s.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.Write(lines)
	if err == nil && durable {
		err = file.Sync()
	}
	if err != nil {
		file.Truncate(s.end - s.start) // the next open would do it too
		return err
	}
	s.end += int64(len(lines))
	return nil
}

// read is the segment's text up to end.
func (s segment) read() (string, error) {
	file, err := os.Open(s.path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	var text strings.Builder // it makes a string without a copy of all
	text.Grow(int(s.end - s.start))
	if _, err := io.CopyN(&text, file, s.end-s.start); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return text.String(), nil
}

// behind is the segment's text from offset of the journal on: whole lines of up to most bytes, or one line where that is longer.
func (s segment) behind(offset int64, most int) ([]byte, error) {
	file, err := os.Open(s.path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	left := s.end - offset
	for size := min(left, int64(most)); ; size = min(left, 2*size) {
		text := make([]byte, size)
		n, err := file.ReadAt(text, offset-s.start)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		text = text[:n]
		end := bytes.LastIndexByte(text, '\n')
		if size > int64(most) {
			end = bytes.IndexByte(text, '\n')
		}
		if end >= 0 || size == left || int64(n) < size {
			return text[:end+1], nil
		}
	}
}

// batches calls fn for every batch of the text, as reader.batches does.
func batches(text []byte, start int64, fn func(offset int64, b batch) bool) {
	new(reader).batches(string(text), start, fn)
}

// mend cuts off a line that a crash left unfinished, learns the times, and returns the last mark.
func (s *segment) mend() (mark json.RawMessage, err error) {
	text, err := os.ReadFile(s.path)
	if err != nil {
		return nil, err
	}
	whole := bytes.LastIndexByte(text, '\n') + 1
	if whole < len(text) {
		if err := os.Truncate(s.path, int64(whole)); err != nil {
			return nil, err
		}
	}
	s.end, s.known, s.first, s.last = s.start+int64(whole), true, math.MaxInt64, math.MinInt64
	s.ingested, s.events, s.bytes = 0, 0, 0
	batches(text[:whole], s.start, func(_ int64, b batch) bool {
		s.note(b)
		if b.Mark != nil {
			mark = bytes.Clone(b.Mark)
		}
		return true
	})
	return mark, nil
}
