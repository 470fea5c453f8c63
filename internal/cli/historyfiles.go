package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tripod/awsapi/history"
)

// historyCall is a call and its line in the file, without the line's end.
type historyCall struct {
	record history.Record
	line   []byte
}

// historyFiles are the histories of a region's zones.
type historyFiles struct {
	dataDir string
	options historyOptions
	zones   map[string]*historyZone // by their directory's name
}

// historyZone is one zone's history: a reader of its growing file, and what it has read.
type historyZone struct {
	options historyOptions
	limit   int // how many of the last calls are kept; -1 means all
	calls   []historyCall
	log     *logReader
}

// Write takes one line of the file. A line that a crash cut short is skipped.
func (z *historyZone) Write(line []byte) (int, error) {
	text := bytes.TrimSpace(line)
	var record history.Record
	if len(text) == 0 || json.Unmarshal(text, &record) != nil || record.EventTime == "" || !z.options.wants(&record) {
		return len(line), nil
	}
	z.calls = append(z.calls, historyCall{record, bytes.Clone(text)})
	if z.limit >= 0 && len(z.calls) > 2*z.limit+1024 {
		z.calls = slices.Delete(z.calls, 0, len(z.calls)-z.limit)
	}
	return len(line), nil
}

// read reads what is there: the last calls of all zones in the order of their times.
func (f *historyFiles) read() ([]historyCall, error) {
	if err := f.find(f.options.last); err != nil {
		return nil, err
	}
	calls := f.take()
	if last := f.options.last; last >= 0 && len(calls) > last {
		calls = calls[len(calls)-last:]
	}
	return calls, nil
}

// more reads what was written since.
func (f *historyFiles) more() ([]historyCall, error) {
	for _, zone := range f.zones {
		zone.limit = -1
		if err := zone.log.reopen(); err != nil {
			return nil, err
		}
		if err := zone.log.copyLines(); err != nil {
			return nil, err
		}
	}
	// A zone that had no history before: all of it is new.
	if err := f.find(-1); err != nil {
		return nil, err
	}
	return f.take(), nil
}

// find reads the files of zones that are not known yet.
func (f *historyFiles) find(limit int) error {
	entries, err := os.ReadDir(filepath.Join(f.dataDir, "zones"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read the history: %w", err)
	}
	for _, entry := range entries {
		if _, known := f.zones[entry.Name()]; known || !entry.IsDir() {
			continue
		}
		zone, err := f.readZone(filepath.Join(f.dataDir, "zones", entry.Name()), limit)
		if err != nil {
			return fmt.Errorf("cannot read the history of %s: %w", entry.Name(), err)
		}
		if zone != nil {
			f.zones[entry.Name()] = zone
		}
	}
	return nil
}

// readZone reads a zone's files, oldest first; nil when it has none that grows.
func (f *historyFiles) readZone(dir string, limit int) (*historyZone, error) {
	zone := &historyZone{options: f.options, limit: limit}
	files := history.Files(dir)
	if len(files) == 0 || filepath.Base(files[len(files)-1]) != history.FileName {
		return nil, nil // none, or between two files of a rotation
	}
	for _, path := range files {
		file, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		log := &logReader{path: path, out: zone, file: file}
		err = log.copyLines()
		if path == files[len(files)-1] && err == nil {
			zone.log = log // stays open, to be followed
			return zone, nil
		}
		if err = errors.Join(err, log.flush(), file.Close()); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// take empties the zones' calls into one list in the order of their times.
func (f *historyFiles) take() []historyCall {
	var all []historyCall
	for _, zone := range f.zones {
		all = append(all, zone.calls...)
		zone.calls = nil
	}
	slices.SortStableFunc(all, func(a, b historyCall) int {
		if c := a.record.Time().Compare(b.record.Time()); c != 0 {
			return c
		}
		return strings.Compare(a.record.Additional.Zone, b.record.Additional.Zone)
	})
	return all
}

// close closes the files.
func (f *historyFiles) close() {
	for _, zone := range f.zones {
		zone.log.file.Close()
	}
}
