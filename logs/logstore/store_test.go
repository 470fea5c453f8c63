package logstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	streamA = "0123456789abcdef0123456789abcdef"
	streamB = "fedcba9876543210fedcba9876543210"
)

var zones = []string{"us-east-1a", "us-east-1b", "us-east-1c"}

// small makes a few events span several files.
var small = Limits{Segment: 200, Journal: 1 << 20}

func open(t *testing.T, dir string, zone int, limits Limits) *Store {
	t.Helper()
	s, err := Open(Config{Dir: dir, Zone: zones[zone], Zones: zones, Exists: func(string) bool { return true },
		Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// write appends one event a call, at times first, first+1, ...
func write(t *testing.T, s *Store, stream string, first, n int) (place Place) {
	t.Helper()
	for i := range n {
		var err error
		if place, err = s.Append(stream, []Event{{Time: int64(first + i), Message: fmt.Sprint("event ", first+i)}},
			first+i); err != nil {
			t.Fatal(err)
		}
	}
	return place
}

// messages are those that a query finds.
func messages(t *testing.T, s *Store, q Query) (texts []string, more bool) {
	t.Helper()
	if q.To == 0 {
		q.To = 1 << 40
	}
	if q.Limit == 0 {
		q.Limit = 10000
	}
	if q.Bytes == 0 {
		q.Bytes = 1 << 20
	}
	page, err := s.Find(t.Context(), q)
	found, more := page.Found, page.More
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		texts = append(texts, f.Message)
	}
	return texts, more
}

func numbered(first, n int) (texts []string) {
	for i := range n {
		texts = append(texts, fmt.Sprint("event ", first+i))
	}
	return texts
}

func TestEventsSurviveReopeningAndTornLines(t *testing.T) {
	dir := t.TempDir()
	write(t, open(t, dir, 0, small), streamA, 100, 20)
	files, _ := filepath.Glob(filepath.Join(dir, streamA, "*"))
	if len(files) < 3 {
		t.Fatalf("20 events are in %d files: the test wants several", len(files))
	}
	last := files[len(files)-1]
	file, err := os.OpenFile(last, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	file.WriteString(`{"in":1,"ev":[{"t":1,"m":"half of`)
	file.Close()
	if info, _ := os.Stat(last); info.Mode().Perm() != 0o600 {
		t.Errorf("%s has mode %s", last, info.Mode())
	}
	s := open(t, dir, 0, small)
	var mark int
	if !s.Mark(streamA, &mark) || mark != 119 {
		t.Errorf("the mark is %d, want 119", mark)
	}
	write(t, s, streamA, 120, 5)
	got, _ := messages(t, open(t, dir, 0, small), Query{Streams: []string{streamA}})
	if diff := cmp.Diff(numbered(100, 25), got); diff != "" {
		t.Error(diff)
	}
}

func TestMarkOutlivesWhatOthersWriteToTheStream(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 0, small)
	write(t, s, streamA, 1, 1)
	for i := range 20 {
		if _, err := s.Append(streamA, []Event{{Time: int64(i), Message: "a user's"}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	var mark int
	if !open(t, dir, 0, small).Mark(streamA, &mark) || mark != 1 {
		t.Errorf("the mark is %d, want 1", mark)
	}
}

func TestPagesInBothDirectionsHaveEveryEventOnce(t *testing.T) {
	s := open(t, t.TempDir(), 0, small)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 300 { // not in the order of their times, several of one millisecond, in two streams
		stream := []string{streamA, streamB}[i%2]
		if _, err := s.Append(stream, []Event{{Time: 1000 + int64(random.IntN(50)), Message: fmt.Sprint(i)}},
			nil); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := s.Find(t.Context(), Query{Streams: []string{streamA, streamB}, To: 5000, Limit: 1000, Bytes: 1 << 20})
	all := whole.Found
	if err != nil || len(all) != 300 {
		t.Fatalf("got %d events, %v", len(all), err)
	}
	for _, last := range []bool{false, true} {
		var pages []Found
		q := Query{Streams: []string{streamA, streamB}, To: 5000, Limit: 7, Bytes: 1 << 20, Last: last}
		for more := true; more; {
			found, err := s.Find(t.Context(), q)
			page := found.Found
			if more = found.More; err != nil || len(page) > 7 {
				t.Fatalf("%d events, %v", len(page), err)
			}
			if last {
				pages, q.Before = append(append([]Found{}, page...), pages...), &page[0].Key
			} else {
				pages, q.After = append(pages, page...), &page[len(page)-1].Key
			}
		}
		if diff := cmp.Diff(all, pages); diff != "" {
			t.Errorf("last=%t: %s", last, diff)
		}
	}
}

// TestSearchThatTookLongEnoughGoesOnWhereItEnded: every page ends as soon as it may, and together they have every event
// once, in order.
func TestSearchThatTookLongEnoughGoesOnWhereItEnded(t *testing.T) {
	s := open(t, t.TempDir(), 0, small)
	random := rand.New(rand.NewPCG(3, 4))
	for i := range 600 { // files overlap in their times
		stream := []string{streamA, streamB}[i%2]
		if _, err := s.Append(stream, []Event{{Time: 1000 + int64(i/2) + int64(random.IntN(20)), Message: fmt.Sprint(i)}},
			nil); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := s.Find(t.Context(), Query{Streams: []string{streamA, streamB}, To: 5000, Limit: 1000, Bytes: 1 << 20})
	if err != nil || len(whole.Found) != 600 || whole.More {
		t.Fatalf("got %d events, %v", len(whole.Found), err)
	}
	for _, match := range []func(string, Event) bool{nil,
		func(_ string, e Event) bool { return strings.HasSuffix(e.Message, "7") }} {
		var want, got []Found
		for _, f := range whole.Found {
			if match == nil || match("", f.Event) {
				want = append(want, f)
			}
		}
		q := Query{Streams: []string{streamA, streamB}, To: 5000, Limit: 50, Bytes: 1 << 20, Match: match,
			Enough: func() bool { return true }}
		pages, empty := 0, 0
		for {
			page, err := s.Find(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			if pages++; len(page.Found) == 0 {
				empty++
			}
			got = append(got, page.Found...)
			if !page.More {
				break
			}
			if q.After != nil && page.End.Compare(*q.After) <= 0 {
				t.Fatalf("page %d ends at %v, where it began", pages, page.End)
			}
			if parsed, ok := ParseKey(page.End.String()); !ok || parsed != *page.End {
				t.Fatalf("%v is no key's text", page.End)
			}
			q.After = page.End
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if pages < 10 {
			t.Errorf("got %d pages, %d of them empty: they do not end early", pages, empty)
		}
	}
}

func TestSearchEndsWithItsContext(t *testing.T) {
	s := open(t, t.TempDir(), 0, Limits{})
	var events []Event
	for i := range 1000 {
		events = append(events, Event{Time: int64(i), Message: "x"})
	}
	if _, err := s.Append(streamA, events, nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	asked := 0
	q := Query{Streams: []string{streamA}, To: 5000, Limit: 10, Bytes: 1 << 20,
		Match: func(string, Event) bool { asked++; cancel(); return false }}
	if _, err := s.Find(ctx, q); !errors.Is(err, context.Canceled) || asked != 1 {
		t.Errorf("got %v after %d events", err, asked)
	}
	if _, err := s.Find(ctx, q); !errors.Is(err, context.Canceled) || asked != 1 {
		t.Errorf("got %v after %d events", err, asked)
	}
}

func TestAnswersAreBounded(t *testing.T) {
	s := open(t, t.TempDir(), 0, Limits{})
	for i := range 10 {
		s.Append(streamA, []Event{{Time: int64(i), Message: strings.Repeat("x", 1000)}}, nil)
	}
	if got, more := messages(t, s, Query{Streams: []string{streamA}, Bytes: 3200}); len(got) != 3 || !more {
		t.Errorf("got %d events, more=%t; want 3 and more", len(got), more)
	}
	if got, more := messages(t, s, Query{Streams: []string{streamA}, Bytes: 10}); len(got) != 1 || !more {
		t.Errorf("got %d events, more=%t; want 1 and more", len(got), more)
	}
}

func TestTheOldestGoesBeyondTheLimitAndTheAge(t *testing.T) {
	s := open(t, t.TempDir(), 0, Limits{Segment: 200, Journal: 1000})
	write(t, s, streamA, 1000, 100)
	if e := s.Extent(streamA); e.Bytes > 1300 || e.Last != 1099 || e.First < 1080 {
		t.Errorf("got %+v", e)
	}
	s.Trim(streamA, time.UnixMilli(5000))
	if got, _ := messages(t, s, Query{Streams: []string{streamA}}); len(got) == 0 || len(got) > 6 {
		t.Errorf("%d events are left, want the last file's", len(got))
	}
	if err := s.Drop(streamA); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(s.config.Dir, streamA)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory of a dropped stream is there: %v", err)
	}
}

func TestKeysAreTextInTheSameOrder(t *testing.T) {
	a := Key{Time: 1764088200123, Stream: streamNumber(streamA), Zone: 2, Offset: 31 << 20, Index: 9999}
	if got, ok := ParseKey(a.String()); !ok || got != a || len(a.String()) != 56 {
		t.Errorf("%s is read as %+v", a, got)
	}
	for _, b := range []Key{{Time: a.Time + 1}, {Time: a.Time, Stream: a.Stream + 1},
		{Time: a.Time, Stream: a.Stream, Zone: 2, Offset: a.Offset, Index: 10000}} {
		if a.Compare(b) >= 0 || a.String() >= b.String() {
			t.Errorf("%s is not before %s", a, b)
		}
	}
	for _, bad := range []string{"", "1", a.String() + "1", strings.Replace(a.String(), "1", "x", 1)} {
		if _, ok := ParseKey(bad); ok {
			t.Errorf("%q is taken for a key", bad)
		}
	}
}

// link lets one zone bring the other what it has, until the function is called.
func link(t *testing.T, from, to *Store) (cut func()) {
	t.Helper()
	server := httptest.NewServer(to.Handler())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		from.Replicate(ctx, to.config.Zone, func(ctx context.Context) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, "tcp", server.Listener.Addr().String())
		})
	}()
	cut = func() { cancel(); <-done; server.Close() }
	t.Cleanup(cut)
	return cut
}

// eventually polls until the store has those events of streamA.
func eventually(t *testing.T, s *Store, want []string) {
	t.Helper()
	var got []string
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if got, _ = messages(t, s, Query{Streams: []string{streamA}}); cmp.Equal(want, got) {
			return
		}
	}
	t.Fatalf("zone %s never had it: %s", s.config.Zone, cmp.Diff(want, got))
}

func TestCopiesAreTheSameInEveryZone(t *testing.T) {
	a, b := open(t, t.TempDir(), 0, small), open(t, t.TempDir(), 1, small)
	write(t, a, streamA, 100, 30) // before they know each other
	link(t, a, b)
	link(t, b, a)
	place := write(t, a, streamA, 130, 10)
	write(t, b, streamA, 140, 10)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := a.AwaitCopy(ctx, place); err != nil {
		t.Fatal(err)
	}
	eventually(t, a, numbered(100, 50))
	eventually(t, b, numbered(100, 50))
	for _, q := range []Query{{Streams: []string{streamA}, To: 1000, Limit: 100, Bytes: 1 << 20}} {
		inA, _ := a.Find(t.Context(), q)
		inB, _ := b.Find(t.Context(), q)
		if diff := cmp.Diff(inA, inB); diff != "" {
			t.Errorf("keys and times differ: %s", diff)
		}
	}
}

func TestZoneThatWasAwayCatchesUpAlsoBehindWhatIsGone(t *testing.T) {
	limits := Limits{Segment: 200, Journal: 1000}
	a, b := open(t, t.TempDir(), 0, limits), open(t, t.TempDir(), 1, limits)
	cut := link(t, a, b)
	write(t, a, streamA, 100, 3)
	eventually(t, b, numbered(100, 3))
	cut()
	write(t, a, streamA, 103, 100)
	link(t, a, b)
	want, _ := messages(t, a, Query{Streams: []string{streamA}})
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		got, _ := messages(t, b, Query{Streams: []string{streamA}})
		if len(got) >= len(want) && cmp.Equal(want, got[len(got)-len(want):]) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("got %v, want its end to be %v", got, want)
		}
	}
}

func TestWhatALostZoneBroughtToOneReachesTheOther(t *testing.T) {
	a, b, c := open(t, t.TempDir(), 0, small), open(t, t.TempDir(), 1, small), open(t, t.TempDir(), 2, small)
	cut := link(t, a, b)
	write(t, a, streamA, 100, 20)
	eventually(t, b, numbered(100, 20))
	cut() // zone a is lost before it reached c
	link(t, b, c)
	eventually(t, c, numbered(100, 20))
}

func TestZoneThatLostItsDiskIsFollowed(t *testing.T) {
	a, b := open(t, t.TempDir(), 0, small), open(t, t.TempDir(), 1, small)
	cut := link(t, a, b)
	write(t, a, streamA, 100, 10)
	eventually(t, b, numbered(100, 10))
	cut()
	emptied := open(t, t.TempDir(), 0, small)
	link(t, emptied, b)
	write(t, emptied, streamA, 110, 5)
	eventually(t, b, numbered(100, 15))
}

func TestLinesThatAreThereAlreadyChangeNothing(t *testing.T) {
	a, b := open(t, t.TempDir(), 0, small), open(t, t.TempDir(), 1, small)
	write(t, a, streamA, 100, 20)
	source, copied := a.journal(streamA, zones[0]), b.journal(streamA, zones[0])
	random, first := rand.New(rand.NewPCG(3, 4)), source.segments[0].start
	for range 500 { // whatever is sent again or out of order
		lines, at, err := source.chunk(first+random.Int64N(source.end()-first), 1+random.IntN(300))
		if err != nil {
			t.Fatal(err)
		}
		if cutAt := bytes.IndexByte(lines, '\n'); cutAt < 0 || !wholeAt(source, at) {
			continue // a sender always begins at a line, since it begins where the other ends
		}
		if _, err := copied.copy(lines, at, at, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	for copied.end() < source.end() {
		lines, at, _ := source.chunk(copied.end(), 100)
		if _, err := copied.copy(lines, at, copied.end(), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, b, numbered(100, 20))
}

// wholeAt says whether a line begins there.
func wholeAt(j *journal, at int64) bool {
	for _, s := range j.segments {
		if text, err := s.read(); err == nil && at >= s.start && at < s.end {
			return at == s.start || text[at-s.start-1] == '\n'
		}
	}
	return false
}

func TestStrangeLinesAreRefused(t *testing.T) {
	s := open(t, t.TempDir(), 0, small)
	s.config.Exists = func(stream string) bool { return stream == streamA }
	for path, want := range map[string]int{
		"/lines?zone=us-east-1b&at=0&after=0&stream=" + streamB: http.StatusNotFound,
		// nobody but this zone writes its own
		"/lines?zone=us-east-1a&at=0&after=0&stream=" + streamA:                  http.StatusBadRequest,
		"/lines?zone=us-east-1d&at=0&after=0&stream=" + streamA:                  http.StatusBadRequest,
		"/lines?zone=us-east-1b&at=-1&after=0&stream=" + streamA:                 http.StatusBadRequest,
		"/lines?zone=us-east-1b&at=0&after=0&stream=../../../../../etc/passwd":   http.StatusBadRequest,
		"/lines?zone=us-east-1b&at=0&after=0&stream=" + strings.Repeat("..", 16): http.StatusBadRequest,
	} {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, strings.NewReader("{}\n")))
		if w.Code != want {
			t.Errorf("%s: got %d, want %d", path, w.Code, want)
		}
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w,
		httptest.NewRequest(http.MethodPost, "/lines?zone=us-east-1b&at=0&after=0&stream="+streamA,
			strings.NewReader("{}\nhalf")))
	if w.Code == http.StatusOK {
		t.Error("half a line was taken")
	}
}

// TestLineThatOthersWouldNotTakeIsNotWritten, and what is written after it is there.
func TestLineThatOthersWouldNotTakeIsNotWritten(t *testing.T) {
	s := open(t, t.TempDir(), 0, small)
	write(t, s, streamA, 100, 1)
	end := s.journal(streamA, zones[0]).end()
	if _, err := s.Append(streamA, []Event{{Time: 101, Message: strings.Repeat("x", largestLine)}}, nil); err == nil {
		t.Error("a line was written that is too long for other zones")
	}
	if got := s.journal(streamA, zones[0]).end(); got != end {
		t.Errorf("the journal has grown from %d to %d", end, got)
	}
	write(t, s, streamA, 101, 1)
	eventually(t, s, numbered(100, 2))
}

// TestStreamThatIsRefusedDoesNotHoldUpTheOthers: one round brings them all.
func TestStreamThatIsRefusedDoesNotHoldUpTheOthers(t *testing.T) {
	a, b := open(t, t.TempDir(), 0, small), open(t, t.TempDir(), 1, small)
	const streams = 20
	for i := range streams {
		write(t, a, fmt.Sprintf("%032x", i), 100, 1)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("stream") == fmt.Sprintf("%032x", 0) {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		b.Handler().ServeHTTP(w, r)
	}))
	defer server.Close()
	peer := peer{store: a, zone: server.Listener.Addr().String(), client: server.Client()}
	if _, err := peer.round(t.Context()); err == nil || !strings.Contains(err.Error(), "400 Bad Request") {
		t.Errorf("the round ends with %v", err)
	}
	for i := range streams {
		want := min(i, 1)
		if got, _ := messages(t, b, Query{Streams: []string{fmt.Sprintf("%032x", i)}}); len(got) != want {
			t.Errorf("of stream %d the zone has %d events, want %d", i, len(got), want)
		}
	}
}
