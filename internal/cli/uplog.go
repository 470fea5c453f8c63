package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"tripod/internal/datadir"
	"tripod/internal/process"
)

// upLogPath is the supervisor's log.
func upLogPath(dataDir string) string { return filepath.Join(dataDir, "logs", "up.log") }

// openUpLog opens the supervisor's log at its end and makes the directories above.
func openUpLog(dataDir string) (*process.Log, error) {
	path := upLogPath(dataDir)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the directory of the logs: %w", err)
	}
	file, err := process.OpenLog(path)
	if err != nil {
		return nil, fmt.Errorf("cannot open the supervisor's log: %w", err)
	}
	return file, nil
}

// mayHoldLog says whether dataDir is Tripod's, empty or not there: nothing is to be written into anybody else's.
func mayHoldLog(dataDir string) bool {
	if datadir.CheckOwner(dataDir) != nil {
		return false
	}
	if _, err := os.Stat(filepath.Join(dataDir, "tripod.json")); err == nil {
		marker, err := datadir.ReadMarker(dataDir)
		return err == nil && marker.Schema <= datadir.Schema
	}
	entries, err := os.ReadDir(dataDir)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	// A start that failed early leaves these.
	return !slices.ContainsFunc(entries, func(entry os.DirEntry) bool {
		return entry.Name() != "logs" &&
			entry.Name() != "lock"
	})
}

// upLog is the supervisor's log, opened at the first line after the region has made the directory its own; lines
// before that are kept in memory.
type upLog struct {
	dataDir string

	mu     sync.Mutex
	file   *process.Log
	early  []byte
	closed bool
}

// Write keeps or writes one line. A log that cannot be written must not stop the region: it never fails.
func (l *upLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil && !l.closed {
		if _, err := os.Stat(filepath.Join(l.dataDir, "tripod.json")); err == nil {
			l.file, _ = openUpLog(l.dataDir)
		}
	}
	if l.file == nil {
		if len(l.early) < 64<<10 {
			l.early = append(l.early, line...)
		}
		return len(line), nil
	}
	_, _ = l.file.Write(append(l.early, line...))
	l.early = nil
	return len(line), nil
}

// Close closes the file.
func (l *upLog) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}
