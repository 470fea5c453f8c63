package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

const (
	// LogMost is the size in bytes from which a log is set aside, and asideMost how many of those that were are kept. A
	// region writes some ten logs a cluster.
	LogMost   = 8 << 20
	asideMost = 2
	// logLook is how often a process looks at the size of its log.
	logLook = 10 * time.Second
	// logEnv tells a child where its log is, which it sets aside itself.
	logEnv = "TRIPOD_INTERNAL_LOG"
	// asideTime stands in the names of logs that were set aside, NAME-TIME.log, as the API server's audit log has it: they
	// sort by their times.
	asideTime = "2006-01-02T15-04-05.000"
)

var asideName = regexp.MustCompile(`-[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}-[0-9]{2}\.[0-9]{3}$`)

// LogFiles are the files of a log that are there, oldest first: those that were set aside, and the one of that path if
// it is there.
func LogFiles(path string) (files []string) {
	extension := filepath.Ext(path)
	base := strings.TrimSuffix(filepath.Base(path), extension)
	entries, err := os.ReadDir(filepath.Dir(path)) // sorted, so by their times
	if err != nil {
		return nil
	}
	there := false
	for _, entry := range entries {
		name := entry.Name()
		there = there || name == filepath.Base(path)
		if stem := strings.TrimSuffix(name, extension); stem != name && asideName.ReplaceAllString(stem, "") == base &&
			stem != base {
			files = append(files, filepath.Join(filepath.Dir(path), name))
		}
	}
	if there {
		files = append(files, path)
	}
	return files
}

// IsAside says whether a log file is one that was set aside.
func IsAside(path string) bool {
	return asideName.MatchString(strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)))
}

// setAside gives the log of that path another name, and deletes the oldest of its kind beyond asideMost. Who writes to
// it goes on writing to the same file, until it opens the path again.
func setAside(path string, now time.Time) error {
	extension := filepath.Ext(path)
	stem := strings.TrimSuffix(path, extension)
	for {
		aside := stem + "-" + now.UTC().Format(asideTime) + extension
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			if err := os.Rename(path, aside); err != nil {
				return err
			}
			break
		}
		now = now.Add(time.Millisecond)
	}
	files := LogFiles(path)
	for _, old := range files[:max(0, len(files)-asideMost)] { // the path is not there at this moment
		os.Remove(old)
	}
	return nil
}

// openLog opens a log at its end, and sets it aside first when it is large: a process that never lives long does so
// only here.
func openLog(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > LogMost {
		setAside(path, time.Now()) // at worst it goes on growing
	}
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// Log is a log file that this process writes, and sets aside when it is large. Several goroutines may write.
type Log struct {
	path string

	mu   sync.Mutex
	file *os.File
	size int64
}

// OpenLog opens a log at its end, 0600.
func OpenLog(path string) (*Log, error) {
	file, err := openLog(path)
	if err != nil {
		return nil, err
	}
	l := &Log{path: path, file: file}
	if info, err := file.Stat(); err == nil {
		l.size = info.Size()
	}
	return l, nil
}

func (l *Log) Write(lines []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size > LogMost {
		if file, err := again(l.path); err == nil {
			// Where the process' own output goes to the same log, as in the background, it goes on in the new one.
			lead(l.file, file)
			l.file.Close()
			l.file, l.size = file, 0
		}
	}
	n, err := l.file.Write(lines)
	l.size += int64(n)
	return n, err
}

// Close closes the file. To write afterwards is an error.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}

// again sets the log aside and opens a new one.
func again(path string) (*os.File, error) {
	if err := setAside(path, time.Now()); err != nil {
		return nil, err
	}
	file, err := openLog(path)
	if err != nil {
		return nil, fmt.Errorf("open %s again: %w", path, err)
	}
	return file, nil
}

// lead makes the process' standard output and error, each if it is the file from, write to the file to. A write goes to
// one or the other, and none is lost.
func lead(from, to *os.File) {
	old, err := from.Stat()
	if err != nil {
		return
	}
	for _, output := range []*os.File{os.Stdout, os.Stderr} { // old was read before, as from may be one of them
		if info, err := output.Stat(); err == nil && os.SameFile(info, old) {
			duplicate(int(to.Fd()), int(output.Fd()))
		}
	}
}

// tendLog sets the log aside that is this process' output, whenever it is large. It lives as long as the process.
func tendLog(path string, every time.Duration) {
	for range time.Tick(every) {
		info, err := os.Stderr.Stat()
		if err != nil || info.Size() <= LogMost {
			continue
		}
		if named, err := os.Stat(path); err != nil || !os.SameFile(named, info) {
			continue // somebody else has moved it
		}
		if file, err := again(path); err == nil {
			lead(os.Stderr, file)
			file.Close()
		}
	}
}
