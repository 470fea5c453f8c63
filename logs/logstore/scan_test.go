package logstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLinesAreReadAsEncodingJSONReadsThem(t *testing.T) {
	mark := json.RawMessage(`{"file":"a\"b","ev":[1,{"t":2}],"n":-3}`)
	for _, b := range []batch{
		{Ingested: 5, Events: []Event{{Time: 1, Message: "plain"}, {Time: -2, Message: ""}}},
		{Ingested: 5, Mark: mark, Events: []Event{{Time: 1, Message: "a\"b\\c\n\t\r\x01<&> \u2028 é 💥 \xff\xfe \\"}}},
		{Ingested: 5, Mark: json.RawMessage("7"), Events: []Event{{Time: 1, Message: `\"},{"t":5,"m":"x`}}},
		{Ingested: 5, Mark: json.RawMessage(`"m"`), Events: []Event{{Time: 1, Message: strings.Repeat(`\`, 7)}}},
		{Ingested: 5, Events: []Event{}},
	} {
		line, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		var want batch
		if err := json.Unmarshal(line, &want); err != nil {
			t.Fatal(err)
		}
		var r reader
		got, ok := r.read(string(line))
		if diff := cmp.Diff(want, got); !ok || diff != "" {
			t.Errorf("%s: %t %s", line, ok, diff)
		}
		if _, plain := r.plain(string(line)); !plain && len(b.Events) > 0 {
			t.Errorf("%s is not read quickly", line)
		}
		for cut := range line { // whatever a broken disk leaves of it
			if broken := string(line[:cut]); !json.Valid([]byte(broken)) {
				if _, ok := r.read(broken); ok {
					t.Fatalf("%s is read", broken)
				}
			}
		}
	}
}

func TestScanShowsEveryEventOnce(t *testing.T) {
	s := open(t, t.TempDir(), 0, small)
	write(t, s, streamA, 100, 100)
	write(t, s, streamB, 150, 100)
	scan := Scan{Streams: []string{streamA, streamB}, From: 120, To: 180, Workers: 3}
	var mu sync.Mutex
	var got []Found
	err := s.Scan(t.Context(), scan, func() func(Found) error {
		return func(f Found) error {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, f)
			return nil
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, func(a, b Found) int { return a.Key.Compare(b.Key) })
	want, err := s.Find(t.Context(), Query{Streams: scan.Streams, From: scan.From, To: scan.To, Limit: 1000, Bytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Found, got); diff != "" {
		t.Error(diff)
	}
	stop := errors.New("enough")
	if err := s.Scan(t.Context(), scan, func() func(Found) error { return func(Found) error { return stop } }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Scan(ctx, scan, func() func(Found) error { return func(Found) error { return nil } }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	scan.Written = 1
	later := func() func(Found) error { return func(f Found) error { return fmt.Errorf("%v was written later", f) } }
	if err := s.Scan(t.Context(), scan, later); err != nil {
		t.Error(err)
	}
}

// TestScanPassesOverFilesWithoutThePart, and counts what they have as if it had shown it.
func TestScanPassesOverFilesWithoutThePart(t *testing.T) {
	s := open(t, t.TempDir(), 0, small)
	for i := range 200 {
		text := fmt.Sprintf("line \"n%dx\" <of> many", i)
		if _, err := s.Append(streamA, []Event{{Time: int64(i), Message: text}, {Time: int64(i), Message: "\n"}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	look := func(scan Scan) (shown, passed, bytes int64, hit bool) {
		var mu sync.Mutex
		scan.Streams = []string{streamA}
		scan.Passed = func(events, size int64) {
			mu.Lock()
			defer mu.Unlock()
			passed, bytes = passed+events, bytes+size
		}
		if err := s.Scan(t.Context(), scan, func() func(Found) error {
			return func(f Found) error {
				mu.Lock()
				defer mu.Unlock()
				shown, bytes = shown+1, bytes+int64(len(f.Message))
				hit = hit || f.Message == `line "n77x" <of> many`
				return nil
			}
		}); err != nil {
			t.Fatal(err)
		}
		return shown, passed, bytes, hit
	}
	all, none, size, _ := look(Scan{To: 1000})
	shown, passed, bytes, hit := look(Scan{To: 1000, Part: "n77x"})
	if none != 0 || shown == 0 || passed == 0 || shown+passed != all || bytes != size || !hit {
		t.Errorf("%d events of %d bytes are shown without a part; with it %d, and %d are passed over, of %d bytes; found: %t", all, size, shown,
			passed, bytes, hit)
	}
	if _, passed, _, hit := look(Scan{From: 77, To: 77, Part: "n77x"}); passed != 0 || !hit {
		t.Errorf("of files that are not searched as a whole %d events are passed over; found: %t", passed, hit)
	}
	if _, passed, _, _ := look(Scan{To: 1000, Written: 1, Part: "n77x"}); passed != 0 {
		t.Errorf("of files that were written later %d events are passed over", passed)
	}
}

// TestScanShowsTheNewestFilesFirstWhereThereIsAnEdge, and passes over those before it.
func TestScanShowsTheNewestFilesFirstWhereThereIsAnEdge(t *testing.T) {
	s := open(t, t.TempDir(), 0, small)
	write(t, s, streamA, 100, 100)
	edge, shown, passed, first := int64(math.MinInt64), int64(0), int64(0), int64(0)
	scan := Scan{Streams: []string{streamA}, To: 1000, Workers: 1, Edge: func() int64 { return edge },
		Passed: func(events, _ int64) { passed += events }}
	if err := s.Scan(t.Context(), scan, func() func(Found) error {
		return func(f Found) error {
			if shown++; shown == 1 {
				first = f.Time
			}
			edge = 190
			return nil
		}
	}); err != nil {
		t.Fatal(err)
	}
	if shown+passed != 100 || passed == 0 || first < 150 {
		t.Errorf("%d events are shown and %d passed over; the first one is of %d", shown, passed, first)
	}
}

// TestTextsOfALineStayWhenTheNextAreRead: those that needed decoding, too.
func TestTextsOfALineStayWhenTheNextAreRead(t *testing.T) {
	var r reader
	var got, want []string
	for i := range 1000 {
		text := strings.Repeat(fmt.Sprintf("\"%d\"\n", i), 1+i%50)
		line, err := json.Marshal(batch{Events: []Event{{Message: text}, {Message: text + "<"}}})
		if err != nil {
			t.Fatal(err)
		}
		b, ok := r.plain(string(line))
		if !ok {
			t.Fatalf("%s is not read quickly", line)
		}
		got, want = append(got, b.Events[0].Message, b.Events[1].Message), append(want, text, text+"<")
	}
	if !slices.Equal(got, want) {
		t.Error("texts have changed")
	}
}
