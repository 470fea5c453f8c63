package emulator

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tripod/api"
)

func newJournal(t *testing.T, path string) *journal {
	t.Helper()
	j, err := openJournal(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.close)
	return j
}

func add(j *journal, n int) {
	for i := range n {
		j.add(api.Event{Type: "Test", Message: fmt.Sprint("event ", i)})
	}
}

// numbers are the sequence numbers that a follower without an end is told.
func numbers(t *testing.T, j *journal, since uint64) (all []uint64) {
	t.Helper()
	if err := j.follow(since, false, nil, func(e api.Event) error { all = append(all, e.Seq); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

// upTo is from+1, from+2, ... to.
func upTo(from, to uint64) (all []uint64) {
	for n := from + 1; n <= to; n++ {
		all = append(all, n)
	}
	return all
}

func TestEventsAreNumberedOverTheLifeOfTheDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	j := newJournal(t, path)
	add(j, 3)
	j.close()
	j.close() // twice is no error
	j = newJournal(t, path)
	add(j, 2)
	if got, want := numbers(t, j, 0), upTo(0, 5); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := numbers(t, j, 3), upTo(3, 5); !slices.Equal(got, want) {
		t.Errorf("since 3: got %v, want %v", got, want)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestLineThatACrashCutShortIsLeftOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	j := newJournal(t, path)
	add(j, 2)
	j.close()
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	file.WriteString(`{"seq":3,"message":"cut sh`)
	file.Close()
	j = newJournal(t, path)
	add(j, 1)
	if got, want := numbers(t, j, 0), upTo(0, 3); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestEventsAreFoundInTheFileSetAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	j := newJournal(t, path)
	add(j, 2)
	j.size = journalLimit + 1
	add(j, 2) // the first of them goes into a new file
	if text, err := os.ReadFile(path + ".1"); err != nil || strings.Count(string(text), "\n") != 2 {
		t.Errorf("set aside: %s, %v", text, err)
	}
	if got, want := numbers(t, j, 1), upTo(1, 4); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	os.Remove(path)
	if j := newJournal(t, path); j.seq != 2 {
		t.Errorf("the numbers go on behind %d, want 2", j.seq)
	}
}

// TestFollowerMissesNothing though it comes late, is slow, and the file is set aside meanwhile.
func TestFollowerMissesNothing(t *testing.T) {
	j := newJournal(t, filepath.Join(t.TempDir(), "events.jsonl"))
	add(j, 10)
	const last = 3000
	var writer sync.WaitGroup
	writer.Go(func() {
		for n := range last - 10 {
			add(j, 1)
			if n == 1000 {
				j.mu.Lock()
				j.size = journalLimit + 1
				j.mu.Unlock()
			}
		}
	})
	stop := make(chan struct{})
	var got []uint64
	err := j.follow(0, true, stop, func(e api.Event) error {
		if got = append(got, e.Seq); len(got) == 20 {
			writer.Wait() // far behind: it is let go and comes again
		}
		if e.Seq == last {
			close(stop)
		}
		return nil
	})
	if err != nil || !slices.Equal(got, upTo(0, last)) {
		t.Errorf("%d events, %v", len(got), err)
	}
	if len(j.followers) != 0 {
		t.Error("a follower that stopped is still told")
	}
}

func TestFollowerEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	failure := errors.New("the client is gone")
	for name, end := range map[string]func(j *journal, stop chan struct{}){
		"when it is stopped":        func(_ *journal, stop chan struct{}) { close(stop) },
		"when the journal is":       func(j *journal, _ chan struct{}) { j.close() },
		"when it cannot be told to": func(j *journal, _ chan struct{}) { j.add(api.Event{Type: "Fail"}) },
	} {
		j := newJournal(t, path)
		stop, ended, told := make(chan struct{}), make(chan error, 1), make(chan struct{}, 100)
		go func() {
			ended <- j.follow(j.seq, true, stop, func(e api.Event) error {
				told <- struct{}{}
				if e.Type == "Fail" {
					return failure
				}
				return nil
			})
		}()
		eventually(t, "it follows", func() bool { j.mu.Lock(); defer j.mu.Unlock(); return len(j.followers) == 1 },
			func() any { return "" })
		add(j, 1)
		<-told
		end(j, stop)
		select {
		case err := <-ended:
			if err != nil && !errors.Is(err, failure) {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("%s: it goes on", name)
		}
		j.close()
		if got := numbers(t, j, 0); len(got) == 0 {
			t.Errorf("%s: a closed journal has no past", name)
		}
	}
}

func TestEventsAreToldInTheirOrder(t *testing.T) {
	var told []uint64 // one call at a time: without a lock of its own
	j, err := openJournal(filepath.Join(t.TempDir(), "events.jsonl"), func(e api.Event) { told = append(told, e.Seq) })
	if err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() { add(j, 50) })
	}
	writers.Wait()
	j.close() // returns when all is told
	if !slices.Equal(told, upTo(0, 400)) {
		t.Errorf("told %v", told)
	}
}

// A terminal that is held up by Ctrl-S must not hold up the region.
func TestBlockedListenerBlocksNobody(t *testing.T) {
	release := make(chan struct{})
	j, err := openJournal(filepath.Join(t.TempDir(), "events.jsonl"), func(api.Event) { <-release })
	if err != nil {
		t.Fatal(err)
	}
	add(j, 100)
	close(release)
	j.close()
}
