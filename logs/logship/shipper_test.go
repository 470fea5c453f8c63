package logship

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod/logs/logstore"
)

const streamID = "0123456789abcdef0123456789abcdef"

// world is a zone's log directory and store.
type world struct {
	path  string // of the log
	store *logstore.Store
	dir   string

	mu    sync.Mutex
	since *time.Time // nil: the type is off
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{path: filepath.Join(t.TempDir(), "audit-X.log"), dir: t.TempDir()}
	w.open(t)
	return w
}

// open opens the store again, as a zone does that starts.
func (w *world) open(t *testing.T) {
	t.Helper()
	var err error
	zone := "us-east-1a"
	if w.store, err = logstore.Open(logstore.Config{Dir: w.dir, Zone: zone, Zones: []string{zone},
		Exists: func(string) bool { return true }}); err != nil {
		t.Fatal(err)
	}
}

func (w *world) shipper(format Format) *Shipper {
	return &Shipper{
		Streams: []Stream{{Type: "audit", Name: "audit", Path: w.path, Format: format}},
		Enabled: func() (map[string]time.Time, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.since == nil {
				return nil, nil
			}
			return map[string]time.Time{"audit": *w.since}, nil
		},
		Watch:  func() (<-chan struct{}, func()) { return make(chan struct{}), func() {} },
		Ensure: func(context.Context, string) (string, error) { return streamID, nil },
		Store:  w.store, Logger: slog.New(slog.DiscardHandler),
	}
}

func (w *world) enable(since time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since = &since
}

// pass ships with a follower that knows nothing, as after a restart.
func (w *world) pass(t *testing.T, format Format) {
	t.Helper()
	s := w.shipper(format)
	if _, err := s.pass(t.Context(), time.Second, []*follower{{Shipper: s, stream: s.Streams[0]}}); err != nil {
		t.Fatal(err)
	}
}

func (w *world) messages(t *testing.T) (texts []string) {
	t.Helper()
	page, err := w.store.Find(t.Context(),
		logstore.Query{Streams: []string{streamID}, To: 1 << 45, Limit: 10000, Bytes: 1 << 30})
	found := page.Found
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		texts = append(texts, f.Message)
	}
	return texts
}

func (w *world) append(t *testing.T, text string) {
	t.Helper()
	file, err := os.OpenFile(w.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// line is an audit event of that second.
func line(second int) string {
	return fmt.Sprintf(`{"n":%d,"stageTimestamp":"%s"}`, second, at(second).Format(time.RFC3339Nano))
}

func at(second int) time.Time { return time.Unix(1764086400+int64(second), 0).UTC() }

func lines(first, n int) (texts []string) {
	for i := range n {
		texts = append(texts, line(first+i))
	}
	return texts
}

func TestShipsFromTheMomentOfEnablingAndNothingTwice(t *testing.T) {
	w := newWorld(t)
	w.append(t, strings.Join(lines(0, 50), "\n")+"\n")
	w.pass(t, Audit)
	if got := w.messages(t); len(got) != 0 {
		t.Fatalf("%d events are shipped while the type is off", len(got))
	}
	w.enable(at(30))
	w.pass(t, Audit)
	w.append(t, line(50)+"\n"+line(51)[:20]) // the last is not whole yet
	w.open(t)
	w.pass(t, Audit)
	w.append(t, line(51)[20:]+"\n")
	w.pass(t, Audit)
	w.pass(t, Audit)
	if diff := cmp.Diff(lines(30, 22), w.messages(t)); diff != "" {
		t.Error(diff)
	}
	w.enable(at(60)) // off and on again
	w.append(t, line(55)+"\n"+line(65)+"\n")
	w.pass(t, Audit)
	if got := w.messages(t); len(got) != 23 || got[22] != line(65) {
		t.Errorf("got %d events, the last %s", len(got), got[len(got)-1])
	}
}

func TestFilesThatAreSetAsideAreReadToTheirEnd(t *testing.T) {
	w := newWorld(t)
	w.enable(at(0))
	aside := func(name string) {
		t.Helper()
		if err := os.Rename(w.path, strings.Replace(w.path, ".log", "-"+name+".log", 1)); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	write := func(count int) {
		w.append(t, strings.Join(lines(n, count), "\n")+"\n")
		n += count
	}
	write(5)
	w.pass(t, Audit)
	write(5) // not read before it is set aside, nor is the whole next file
	aside("2026-11-25T16-00-00.000")
	write(5)
	aside("2026-11-25T17-00-00.000")
	write(5)
	w.open(t)
	for range 4 {
		w.pass(t, Audit)
	}
	if diff := cmp.Diff(lines(0, n), w.messages(t)); diff != "" {
		t.Error(diff)
	}
}

// TestCopiesOfTheFilesAreGoneOnWith: a restored snapshot, or a directory that was moved to another disk, has all files,
// and other inodes.
func TestCopiesOfTheFilesAreGoneOnWith(t *testing.T) {
	w := newWorld(t)
	w.enable(at(0))
	old := strings.Replace(w.path, ".log", "-2026-11-25T16-00-00.000.log", 1)
	for _, current := range []int{0, 5} { // of the second file and of the first, all but the last two lines are shipped
		w.append(t, strings.Join(lines(current, 3), "\n")+"\n")
		w.pass(t, Audit)
		w.append(t, strings.Join(lines(current+3, 2), "\n")+"\n")
		dir := t.TempDir()
		for _, path := range []*string{&old, &w.path} {
			text, err := os.ReadFile(*path)
			if os.IsNotExist(err) {
				*path = filepath.Join(dir, filepath.Base(*path))
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			*path = filepath.Join(dir, filepath.Base(*path))
			if err := os.WriteFile(*path, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		w.open(t)
		for range 3 {
			w.pass(t, Audit)
		}
		if diff := cmp.Diff(lines(0, current+5), w.messages(t)); diff != "" {
			t.Fatal(diff)
		}
		if current == 0 {
			if err := os.Rename(w.path, old); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestFileThatIsSetAsideWhileOffIsStillFoundByTime(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("x", 3000)
	var all []string
	for i := range 1500 { // some blocks
		all = append(all, fmt.Sprintf(`{"x":"%s",%s`, long, line(i)[1:]))
	}
	w.append(t, strings.Join(all[:1000], "\n")+"\n")
	if err := os.Rename(w.path, strings.Replace(w.path, ".log", "-2026-11-25T16-00-00.000.log", 1)); err != nil {
		t.Fatal(err)
	}
	w.append(t, strings.Join(all[1000:], "\n")+"\n")
	w.enable(at(700))
	for range 8 {
		w.pass(t, Audit)
	}
	if got := w.messages(t); len(got) != 800 || got[0] != all[700] {
		t.Errorf("got %d events, want 800", len(got))
	}
}

func TestRunShipsUntilItEndsAndThenOnceMore(t *testing.T) {
	w := newWorld(t)
	w.enable(at(0))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.shipper(Audit).Run(ctx)
	}()
	w.append(t, line(0)+"\n")
	for end := time.Now().Add(20 * time.Second); len(w.messages(t)) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing is shipped")
		}
	}
	w.append(t, line(1)+"\n")
	cancel()
	<-done
	if got := w.messages(t); len(got) != 2 {
		t.Errorf("got %d events, want what came before the end too", len(got))
	}
}

func TestEntriesOfKlogKeepTheirTraces(t *testing.T) {
	header := func(n int, rest string) string {
		return time.Now().Add(time.Duration(n)*time.Second-time.Minute).Format("I0102 15:04:05.000000") + "   12345 " + rest
	}
	manager := header(1, `x.go:1] "Started"`)
	scheduler := header(2, `y.go:2] "Observed a panic" logger="kube-scheduler.leader" err="x"`)
	quoting := header(3, `z.go:3] "Said" text="logger=\"kube-scheduler\""`)
	text := "left over\n" + manager + "\n" + scheduler + "\ngoroutine 1 [running]:\n\tmain.go:7\n" + quoting + "\n"
	for _, c := range []struct {
		wants func([]byte) bool
		want  []string
	}{
		{nil, []string{"left over", manager, scheduler + "\ngoroutine 1 [running]:\n\tmain.go:7", quoting}},
		{OfManager, []string{manager, quoting}},
		{OfScheduler, []string{scheduler + "\ngoroutine 1 [running]:\n\tmain.go:7"}},
	} {
		f := follower{stream: Stream{Format: Klog, Wants: c.wants}}
		position := mark{}
		var got []string
		for _, event := range f.events([]byte(text), &position) {
			got = append(got, event.Message)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestTimesOfLines(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		format Format
		line   string
		want   time.Time
	}{
		{Klog, now.Format("E0102 15:04:05.000000") + " 1 x.go:1] y", now.Truncate(time.Microsecond)},
		{Audit, `{"kind":"Event","requestReceivedTimestamp":"2026-11-25T16:30:00Z",` +
			`"stageTimestamp":"2026-11-25T16:30:01.123456Z"}`, time.Date(2026, 11, 25, 16, 30, 1, 123456e3, time.UTC)},
		{Text, `time=2026-11-25T16:30:01.123Z level=INFO msg="access granted"`,
			time.Date(2026, 11, 25, 16, 30, 1, 123e6, time.UTC)},
		{Klog, "panic: x", time.Time{}}, {Klog, "", time.Time{}}, {Audit, "{", time.Time{}},
		{Text, "time=soon x", time.Time{}},
	} {
		got, ok := c.format.Stamp([]byte(c.line))
		if !got.Equal(c.want) || ok == c.want.IsZero() {
			t.Errorf("%s: got %s", c.line, got)
		}
	}
}

func TestZoneKilledInAnyWriteLosesAndDoublesNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	w := newWorld(t)
	w.enable(at(0))
	n := 0
	for range 40 {
		count := 1 + random.IntN(5)
		w.append(t, strings.Join(lines(n, count), "\n")+"\n")
		n += count
		w.pass(t, Audit)
		files, err := filepath.Glob(filepath.Join(w.dir, streamID, "*"))
		if err != nil || len(files) != 1 {
			t.Fatalf("got files %v, %v", files, err)
		}
		text, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		before := strings.LastIndexByte(strings.TrimSuffix(string(text), "\n"), '\n') + 1 // where the last write began
		if err := os.Truncate(files[0], int64(before+random.IntN(len(text)-before+1))); err != nil {
			t.Fatal(err)
		}
		w.open(t)
		w.pass(t, Audit)
		if diff := cmp.Diff(lines(0, n), w.messages(t)); diff != "" {
			t.Fatal(diff)
		}
	}
}
