package logstore

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestTailShowsWhatComesFromNowOn: of streams that are wanted, of this zone's own or of all zones, each event once.
func TestTailShowsWhatComesFromNowOn(t *testing.T) {
	a, b := open(t, t.TempDir(), 0, small), open(t, t.TempDir(), 1, small)
	link(t, a, b)
	write(t, a, streamA, 100, 5)
	eventually(t, b, numbered(100, 5))
	var mu sync.Mutex
	seen := map[string][]string{}
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	follow := func(name string, s *Store, own bool) {
		ready := make(chan struct{})
		var once sync.Once
		wait.Go(func() {
			s.Tail(ctx, Tail{Own: own, Pause: time.Millisecond,
				Streams: func() []string { once.Do(func() { close(ready) }); return []string{streamA} },
				Show: func(f Found) {
					mu.Lock()
					defer mu.Unlock()
					seen[name] = append(seen[name], f.Message)
				}})
		})
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) { // until it follows
			write(t, s, streamB, 1, 1)
			select {
			case <-ready:
				return
			default:
			}
			if time.Now().After(end) {
				t.Fatal("nobody follows")
			}
		}
	}
	follow("a's own", a, true)
	follow("in b", b, false)
	follow("b's own", b, true)
	write(t, a, streamA, 105, 20)
	write(t, b, streamA, 125, 1)
	want := map[string][]string{"a's own": numbered(105, 20), "in b": numbered(105, 21), "b's own": numbered(125, 1)}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		mu.Lock()
		got := map[string][]string{}
		for name, messages := range seen {
			got[name] = slices.Sorted(slices.Values(messages))
		}
		mu.Unlock()
		if fmt.Sprint(got) == fmt.Sprint(want) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
	cancel()
	wait.Wait()
}

// TestChunksAreWholeLinesOfTheirSize: as many lines as fit, and one that is longer all alone.
func TestChunksAreWholeLinesOfTheirSize(t *testing.T) {
	s := open(t, t.TempDir(), 0, Limits{})
	for _, size := range []int{100, 100, 5000, 100, 100} {
		if _, err := s.Append(streamA, []Event{{Time: 1, Message: strings.Repeat("x", size)}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	j := s.journalsOf(streamA)[0]
	var got []int
	for place := int64(0); place < j.end(); {
		lines, at, err := j.chunk(place, 1000)
		if err != nil || len(lines) == 0 || lines[len(lines)-1] != '\n' {
			t.Fatalf("%d bytes from %d on: %v", len(lines), place, err)
		}
		got, place = append(got, bytes.Count(lines, []byte("\n"))), at+int64(len(lines))
	}
	if want := []int{2, 1, 2}; !slices.Equal(got, want) {
		t.Errorf("chunks have %d lines, want %d", got, want)
	}
}
