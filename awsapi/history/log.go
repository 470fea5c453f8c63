package history

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// defaultLimit is when a file is set aside, in bytes, and keep how many of those set aside are kept.
	defaultLimit = 64 << 20
	keep         = 2
	// defaultQueue is how many records may wait for the disk.
	defaultQueue = 4096
	// flushInterval is how long a record may wait in memory: little, so that `tripod history -f` shows a call at once, and
	// enough that a busy zone writes many with one system call.
	flushInterval = 100 * time.Millisecond
	bufferSize    = 256 << 10
)

// Config says where and how a Log writes.
type Config struct {
	// Path is the file; its directory exists. Older files stand beside it as PATH.1 and PATH.2.
	Path string
	// Zone is written into notices of lost records.
	Zone string
	// Limit is the size in bytes at which the file is set aside; 0 means 64 MiB.
	Limit int64
	// Queue is how many records may wait; 0 means 4096.
	Queue int
	// Logger hears once when the disk fails, and once when it works again; nil means none.
	Logger *slog.Logger
	// Registerer gets the counter of lost records; nil means none.
	Registerer prometheus.Registerer
}

// Log is a zone's history. Its methods may be called by several goroutines; a nil Log takes records and forgets them.
type Log struct {
	config Config
	lines  chan []byte
	lost   atomic.Uint64 // not yet told in the file
	losses prometheus.Counter

	mu     sync.RWMutex // held for reading while a line is put into the channel, for writing while it is closed
	closed bool
	done   chan struct{}

	// What follows belongs to the writing goroutine.
	file    *os.File
	size    int64
	pending []byte // lines not written yet
	records uint64 // how many they are
	failing bool
}

// Open opens or makes the file (mode 0600) and begins to write. Close ends it.
func Open(config Config) (*Log, error) {
	if config.Limit == 0 {
		config.Limit = defaultLimit
	}
	if config.Queue == 0 {
		config.Queue = defaultQueue
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Log{config: config, lines: make(chan []byte, config.Queue), done: make(chan struct{})}
	l.losses = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "tripod_aws_history_lost_total",
		Help: "Calls that are missing in the zone's history, because the disk was full or slower than the calls.",
	})
	if config.Registerer != nil {
		if err := config.Registerer.Register(l.losses); err != nil &&
			!errors.As(err, new(prometheus.AlreadyRegisteredError)) {
			return nil, fmt.Errorf("open history: %w", err)
		}
	}
	if err := l.open(); err != nil {
		return nil, fmt.Errorf("open history: %w", err)
	}
	go l.run()
	return l, nil
}

// Append takes a record; it is in the file within a second. It never waits: with the queue full, or after Close, the
// record is lost and counted.
func (l *Log) Append(record Record) {
	if l == nil {
		return
	}
	line, err := record.line()
	if err != nil {
		l.lose(1)
		return
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		l.lose(1)
		return
	}
	select {
	case l.lines <- line:
	default:
		l.lose(1)
	}
}

// Close writes what is waiting and closes the file. Closing again does nothing.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.lines)
	}
	l.mu.Unlock()
	<-l.done
	return nil
}

func (l *Log) lose(n uint64) {
	l.lost.Add(n)
	l.losses.Add(float64(n))
}

func (l *Log) run() {
	defer close(l.done)
	ticker := time.NewTicker(flushInterval)
	defer ticker.Stop()
	for {
		select {
		case line, open := <-l.lines:
			if !open {
				l.flush()
				if l.file != nil {
					l.file.Close()
				}
				return
			}
			l.pending = append(l.pending, line...)
			l.records++
			if len(l.pending) >= bufferSize {
				l.flush()
			}
		case <-ticker.C:
			l.flush()
		}
	}
}

// flush writes what is pending, after a notice of what was lost before. What the disk does not take is lost: it must
// not pile up in memory.
func (l *Log) flush() {
	lost := l.lost.Load()
	if lost > 0 && !l.failing || lost > 0 && len(l.pending) > 0 {
		if notice, err := l.notice(lost).line(); err == nil {
			l.pending = append(notice, l.pending...)
		}
	}
	if len(l.pending) == 0 {
		return
	}
	err := l.write()
	switch {
	case err != nil:
		l.lose(l.records)
		if !l.failing {
			l.config.Logger.Error("cannot write the history of calls: calls go on, but are missing in it until the "+
				"disk has room", "error", err)
		}
	default:
		l.lost.Add(-lost)
		if l.failing {
			l.config.Logger.Info("the history of calls is written again")
		}
	}
	l.failing = err != nil
	l.pending, l.records = l.pending[:0], 0
}

func (l *Log) write() error {
	if l.size > 0 && l.size+int64(len(l.pending)) > l.config.Limit {
		l.rotate()
	}
	if l.file == nil {
		if err := l.open(); err != nil {
			return err
		}
	}
	n, err := l.file.Write(l.pending)
	if err == nil {
		l.size += int64(n)
		return nil
	}
	// A part of it may stand there: take it back, or the next line would be appended to half of one.
	if n > 0 && l.file.Truncate(l.size) != nil {
		l.size += int64(n)
	}
	return err
}

// open ends a line that a crash cut short.
func (l *Log) open() error {
	file, err := os.OpenFile(l.config.Path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return err
	}
	if !info.Mode().IsRegular() {
		file.Close()
		return fmt.Errorf("%s is not a regular file", l.config.Path)
	}
	l.file, l.size = file, info.Size()
	if last := make([]byte, 1); l.size > 0 {
		if _, err := file.ReadAt(last, l.size-1); err == nil && last[0] != '\n' {
			if n, err := file.WriteString("\n"); err == nil {
				l.size += int64(n)
			}
		}
	}
	return nil
}

// rotate sets the file aside. Where that fails the file just grows on. A file that was set aside, and after which no
// new one could be opened, is not set aside again: each time would drop the oldest.
func (l *Log) rotate() {
	if l.file == nil {
		return
	}
	for i := keep; i > 1; i-- {
		os.Rename(Older(l.config.Path, i-1), Older(l.config.Path, i))
	}
	if os.Rename(l.config.Path, Older(l.config.Path, 1)) == nil {
		l.file.Close()
		l.file, l.size = nil, 0
	}
}

func (l *Log) notice(lost uint64) Record {
	record := Record{EventSource: "tripod", EventName: "HistoryRecordsLost", EventType: "AwsServiceEvent", ReadOnly: true,
		UserIdentity: Identity{Type: "AWSService"}, Additional: Additional{Zone: l.config.Zone, Lost: lost}}
	record.SetTime(time.Now())
	return record
}

// Older is the name of the n-th file before the one in path.
func Older(path string, n int) string { return fmt.Sprintf("%s.%d", path, n) }

// Files are the files of one zone's history that are there, oldest first; the last is the one that grows.
func Files(zoneDir string) []string {
	path := filepath.Join(zoneDir, FileName)
	var files []string
	for i := keep; i >= 0; i-- {
		name := path
		if i > 0 {
			name = Older(path, i)
		}
		if _, err := os.Stat(name); err == nil {
			files = append(files, name)
		}
	}
	return files
}
