package emulator

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"time"

	"tripod/api"
	"tripod/internal/pki"
)

// journal is the region's event file, and who listens to it.
type journal struct {
	path     string
	callback eventQueue

	mu        sync.Mutex
	file      *os.File
	size      int64
	seq       uint64
	followers map[chan api.Event]struct{}
	closed    bool
}

// journalLimit is when the file is set aside as FILE.1, in bytes.
const journalLimit = 8 << 20

func openJournal(path string, onEvent func(api.Event)) (*journal, error) {
	j := &journal{path: path, followers: map[chan api.Event]struct{}{}}
	for _, name := range []string{path + ".1", path} {
		if err := readEvents(name, func(event api.Event) error {
			j.seq = max(j.seq, event.Seq)
			return nil
		}); err != nil {
			return nil, err
		}
	}
	if err := j.open(); err != nil {
		return nil, err
	}
	j.callback.start(onEvent)
	return j, nil
}

func (j *journal) open() (err error) {
	if j.file, err = os.OpenFile(j.path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600); err != nil {
		return err
	}
	info, err := j.file.Stat()
	if err != nil {
		return err
	}
	j.size = info.Size()
	if last := make([]byte, 1); j.size > 0 {
		if _, err := j.file.ReadAt(last, j.size-1); err == nil && last[0] != '\n' {
			j.file.WriteString("\n") // a line that a crash cut short ends here
		}
	}
	return nil
}

// readEvents calls each for the events of a file, oldest first. A file that is not there has none; a line that a crash
// cut short is skipped.
func readEvents(path string, each func(api.Event) error) error {
	file, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return readAll(file, each)
}

// readAll closes the file.
func readAll(file *os.File, each func(api.Event) error) error {
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event api.Event
		if json.Unmarshal(lines.Bytes(), &event) == nil {
			if err := each(event); err != nil {
				return err
			}
		}
	}
	return lines.Err()
}

// add numbers an event, writes it down and tells it.
func (j *journal) add(event api.Event) {
	j.mu.Lock()
	j.seq++
	event.Seq = j.seq
	if event.Time.IsZero() {
		event.Time = time.Now()
	}
	event.Time = event.Time.UTC()
	if line, err := json.Marshal(event); err == nil && !j.closed {
		if j.size > journalLimit {
			j.rotate()
		}
		n, _ := j.file.Write(append(line, '\n')) // a full disk must not stop the region
		j.size += int64(n)
	}
	for follower := range j.followers {
		select {
		case follower <- event:
		default: // it is far behind: it is let go, and asks again from where it was
			delete(j.followers, follower)
			close(follower)
		}
	}
	j.callback.add(event) // under the lock, and so in the events' order
	j.mu.Unlock()
}

// last is the number of the newest event.
func (j *journal) last() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.seq
}

// rotate assumes the lock.
func (j *journal) rotate() {
	j.file.Close()
	os.Rename(j.path, j.path+".1")
	if err := j.open(); err != nil {
		j.file, _ = os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	}
}

// copyTo copies the files to a directory, as they are between two events.
func (j *journal) copyTo(dir string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, name := range []string{j.path + ".1", j.path} {
		text, err := os.ReadFile(name)
		if os.IsNotExist(err) {
			continue
		}
		if err == nil {
			err = pki.Write(filepath.Join(dir, filepath.Base(name)), text)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// follow tells the events after since and, unless ended, those to come, until stop is closed or each fails.
func (j *journal) follow(since uint64, further bool, stop <-chan struct{}, each func(api.Event) error) error {
	for {
		follower := make(chan api.Event, 256)
		j.mu.Lock()
		if further && !j.closed {
			j.followers[follower] = struct{}{}
		} else {
			close(follower)
		}
		var files []*os.File // opened under the lock, so that a rotation cannot come between them
		for _, name := range []string{j.path + ".1", j.path} {
			if file, err := os.Open(name); err == nil {
				files = append(files, file)
			}
		}
		j.mu.Unlock()
		tell := func(event api.Event) error {
			if event.Seq <= since {
				return nil
			}
			since = event.Seq
			return each(event)
		}
		var failed error
		for _, file := range files {
			if err := readAll(file, func(event api.Event) error {
				if failed == nil {
					failed = tell(event)
				}
				return failed
			}); failed == nil {
				failed = err
			}
		}
		if failed != nil {
			j.unfollow(follower)
			return failed
		}
		again, err := j.drain(follower, stop, tell)
		if !again || err != nil || !further {
			return err
		}
	}
}

// drain tells what comes until the follower is let go, and then says whether it should come again.
func (j *journal) drain(follower chan api.Event, stop <-chan struct{}, tell func(api.Event) error) (again bool,
	err error) {
	for {
		select {
		case event, ok := <-follower:
			if !ok {
				j.mu.Lock()
				defer j.mu.Unlock()
				return !j.closed, nil
			}
			if err := tell(event); err != nil {
				j.unfollow(follower)
				return false, err
			}
		case <-stop:
			j.unfollow(follower)
			for event := range follower { // what was told before the end is still told
				if err := tell(event); err != nil {
					return false, err
				}
			}
			return false, nil
		}
	}
}

func (j *journal) unfollow(follower chan api.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, ok := j.followers[follower]; ok {
		delete(j.followers, follower)
		close(follower)
	}
}

// close lets all followers go, and returns when everything is told.
func (j *journal) close() {
	j.mu.Lock()
	j.closed = true
	for follower := range j.followers {
		delete(j.followers, follower)
		close(follower)
	}
	j.file.Close()
	j.mu.Unlock()
	j.callback.end()
}
