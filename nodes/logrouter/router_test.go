package logrouter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"tripod/nodes/podlogs"
)

func logOf(pod string) podlogs.Name {
	return podlogs.Name{Namespace: "shop", Pod: pod, UID: "uid-" + pod, Container: "app", ContainerID: "containerd://0123"}
}

// sink is an output that can be away.
type sink struct {
	mu      sync.Mutex
	away    error
	seen    map[string]int // by log
	batches int
	last    Record
	hang    bool // it takes what is sent, and does not say so
}

func (s *sink) Send(ctx context.Context, records []Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away != nil {
		return s.away
	}
	s.batches++
	for _, r := range records {
		s.seen[r.body.Kubernetes.PodName+"/"+r.body.Log]++
		s.last = r
	}
	if s.hang {
		return context.Canceled
	}
	return nil
}

// told is what was taken last, and how often a line was.
func (s *sink) told(line string) (last Record, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, s.seen[line]
}

// lines is how many lines came.
func (s *sink) lines() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

func (s *sink) set(away error, hang bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away, s.hang = away, hang
}

type world struct {
	dir   string
	files *podlogs.Node
	out   Output
	log   bytes.Buffer
}

// start runs a router, until stop is called.
func (w *world) start(t *testing.T) (r *Router, stop func()) {
	t.Helper()
	r = &Router{Node: "n1", Files: w.files, State: filepath.Join(w.dir, "router", "sent.json"), Output: w.out,
		Logger: slog.New(slog.NewTextHandler(&w.log, nil)),
		Describe: func(name podlogs.Name, k *Kubernetes) {
			if name.Pod != "gone" {
				k.Labels, k.ContainerImage = map[string]string{"app": "shop"}, "shop:1"
			}
		}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); r.Run(ctx) }()
	stop = func() { cancel(); <-ended }
	t.Cleanup(stop)
	return r, stop
}

func newWorld(t *testing.T, out Output) *world {
	dir := t.TempDir()
	return &world{dir: dir, out: out, files: podlogs.NewNode(filepath.Join(dir, "root"),
		podlogs.Limits{Size: 1 << 20, Files: 50, Budget: 1 << 30}, nil)}
}

func (w *world) write(t *testing.T, r *Router, pod string, from, to int) {
	t.Helper()
	var lines []podlogs.Line
	for i := from; i < to; i++ {
		lines = append(lines, podlogs.Line{At: time.Now().Add(time.Duration(i-from) * time.Nanosecond), Text: fmt.Sprint("line ", i)})
	}
	if err := w.files.Write(logOf(pod), lines); err != nil {
		t.Fatal(err)
	}
	r.Wrote(logOf(pod))
}

// 100,000 lines, a router that is killed again and again, and an output that is away at times: none is lost, and what comes twice was
// under way at a kill.
func TestNoLineIsLostOverKills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &sink{seen: map[string]int{}}
		w := newWorld(t, out)
		r, stop := w.start(t)
		const all, step = 100_000, 1000
		kills := 0
		for i := 0; i < all; i += step {
			w.write(t, r, fmt.Sprint("web-", i/step%3), i, i+step)
			time.Sleep(300 * time.Millisecond)
			switch i / step % 10 {
			case 1:
				out.set(errors.New("away"), false)
			case 6:
				out.set(nil, false)
			case 8: // it is killed after the output has taken what it does not know to be taken
				out.set(nil, true)
				time.Sleep(2 * time.Second)
				stop()
				out.set(nil, false)
				kills++
				r, stop = w.start(t)
			}
		}
		time.Sleep(time.Minute)
		stop()
		twice := 0
		for _, n := range out.seen {
			twice += n - 1
		}
		if len(out.seen) != all || twice > kills*mostRecords {
			t.Errorf("of %d lines %d came, %d twice", all, len(out.seen), twice)
		}
		if got := w.log.String(); !strings.Contains(got, "away") || strings.Count(got, "level=WARN") > 2*kills {
			t.Errorf("the log says\n%.1000s", got)
		}
	})
}

// What a pod says before its machine goes is sent where there is time for it, also when its files have gone.
func TestTheRestIsSentWhereThereIsTime(t *testing.T) {
	for _, test := range []struct {
		time  time.Duration
		under bool
		err   error
		want  int
	}{
		{5 * time.Second, false, nil, 10}, {5 * time.Second, true, nil, 10}, {5 * time.Second, false, errors.New("away"), 0}, {0, false, nil, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			out := &sink{seen: map[string]int{}}
			out.set(test.err, false)
			w := newWorld(t, out)
			r, stop := w.start(t)
			if test.time > 0 {
				r.Rest = func() (context.Context, context.CancelFunc) {
					return context.WithTimeout(context.Background(), test.time)
				}
			}
			w.write(t, r, "web", 0, 5)
			if test.under { // the first lines are being sent again and again
				out.set(errors.New("busy"), false)
				time.Sleep(1500 * time.Millisecond)
				out.set(test.err, false)
			}
			w.write(t, r, "web", 5, 10)
			synctest.Wait()
			if err := w.files.Remove("uid-web"); err != nil {
				t.Fatal(err)
			}
			stop()
			if got := out.lines(); got != test.want {
				t.Errorf("within %v, with %v: %d lines came, want %d", test.time, test.err, got, test.want)
			}
		})
	}
}

func TestRecordsAreNamedAsFluentBitNamesThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &sink{seen: map[string]int{}}
		w := newWorld(t, out)
		r, stop := w.start(t)
		line := podlogs.Line{At: time.Now(), Stderr: true, Text: `{"level":"info"}`}
		if err := w.files.Write(logOf("web"), []podlogs.Line{line}); err != nil {
			t.Fatal(err)
		}
		r.Wrote(logOf("web"))
		time.Sleep(2 * time.Second)
		want := `{"time":"2000-01-01T00:00:00.000000000Z","stream":"stderr","_p":"F","log":"{\"level\":\"info\"}",` +
			`"log_processed":{"level":"info"},"kubernetes":{"pod_name":"web","namespace_name":"shop","pod_id":"uid-web",` +
			`"labels":{"app":"shop"},"host":"n1","container_name":"app","docker_id":"0123","container_image":"shop:1"}}`
		last, _ := out.told("")
		if got := string(last.JSON()); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if want := "application.var.log.containers.web_shop_app-0123.log"; last.Tag != want {
			t.Errorf("tag %s", last.Tag)
		}
		w.write(t, r, "gone", 0, 1) // a pod that has gone, with its files
		synctest.Wait()
		if err := w.files.Remove("uid-gone"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if _, times := out.told("gone/line 0"); times != 1 {
			t.Errorf("the last words of a pod that has gone came %d times", times)
		}
		if r.Counts.Read.Load() != 2 || r.Counts.Sent.Load() != 2 {
			t.Errorf("read %d, sent %d", r.Counts.Read.Load(), r.Counts.Sent.Load())
		}
		stop()
	})
}

func TestTheFileOutputAppends(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	about := describe(logOf("web"), "n1")
	for i := range 2 {
		one := record(podlogs.Line{At: time.Unix(1, 0), Text: fmt.Sprint(i, "\n\xff")}, "tag", &about)
		if err := (File{Dir: dir, Node: "n1"}).Send(t.Context(), []Record{one}); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "n1.jsonl"))
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	var got struct{ Log string }
	if err != nil || len(lines) != 2 || json.Unmarshal([]byte(lines[1]), &got) != nil || got.Log != "1\n\ufffd" {
		t.Errorf("%v: %s", err, text)
	}
}

// logsEndpoint is CloudWatch Logs, as far as a router calls it.
type logsEndpoint struct {
	mu     sync.Mutex
	denied bool
	refuse string // the end of a stream's name that is refused
	old    int32  // so many of each batch are too old
	there  map[string]bool
	events map[string][]string // by group and stream
	full   string              // the end of a group's name to which a call fails once
	days   int                 // of PutRetentionPolicy
	bad    string              // an operation whose parameters are refused once
	raced  bool                // another makes the group at the same time
}

func (l *logsEndpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var in struct {
		LogGroupName, LogStreamName string
		LogEvents                   []struct{ Message string }
		RetentionInDays             int
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		panic(err)
	}
	fail := func(kind string) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"__type":%q,"message":"User: arn is not authorized to perform: logs:PutLogEvents"}`, kind)
	}
	name, size := in.LogGroupName+"|"+in.LogStreamName, 0
	switch _, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); {
	case l.denied:
		fail("AccessDeniedException")
	case l.full != "" && strings.HasSuffix(in.LogGroupName, l.full):
		l.full = ""
		fail("AccessDeniedException")
	case operation == l.bad:
		l.bad = ""
		fail("InvalidParameterException")
	case operation == "CreateLogStream" && !l.there[in.LogGroupName+"|"]:
		l.there[in.LogGroupName+"|"] = l.raced
		fail("ResourceNotFoundException")
	case operation == "PutRetentionPolicy":
		l.days = in.RetentionInDays
	case len(in.LogStreamName) > 512, l.refuse != "" && strings.HasSuffix(name, l.refuse):
		fail("InvalidParameterException")
	case operation == "PutLogEvents" && !l.there[name]:
		fail("ResourceNotFoundException")
	case operation == "PutLogEvents":
		for _, e := range in.LogEvents {
			if size += len(e.Message) + 26; size > 1<<20 {
				fail("InvalidParameterException")
				return
			}
		}
		for _, e := range in.LogEvents {
			l.events[name] = append(l.events[name], e.Message)
		}
		if l.old > 0 {
			fmt.Fprintf(w, `{"rejectedLogEventsInfo":{"tooOldLogEventEndIndex":%d}}`, l.old)
			return
		}
		fmt.Fprint(w, "{}")
	case l.there[name]:
		fail("ResourceAlreadyExistsException")
	default:
		l.there[name] = true
	}
}

// toEndpoint is CloudWatch Logs with that endpoint, until the test ends.
func toEndpoint(t *testing.T, endpoint *logsEndpoint) CloudWatch {
	endpoint.there, endpoint.events = map[string]bool{}, map[string][]string{}
	server := httptest.NewServer(endpoint)
	t.Cleanup(server.Close)
	return CloudWatch{Cluster: "demo", Node: "n1", Client: cloudwatchlogs.New(cloudwatchlogs.Options{Region: "us-east-1",
		BaseEndpoint: aws.String(server.URL), Credentials: credentials.NewStaticCredentialsProvider("A", "B", "C"), RetryMaxAttempts: 1})}
}

// A name that is too long is cut, as is an event, and not in the midst of a character.
func TestCloudWatchTakesLongNamesAndLines(t *testing.T) {
	endpoint := &logsEndpoint{}
	out := toEndpoint(t, endpoint)
	out.Node = strings.Repeat("n", 253)
	about := describe(logOf("web"), "n1")
	tag := strings.Repeat("t", 400)
	for shift := range 3 { // a character of three bytes is at the cut in any way
		long := strings.Repeat("x", shift) + strings.Repeat("\u20ac", 1<<19)
		if err := out.Send(t.Context(), []Record{record(podlogs.Line{At: time.Unix(1, 0), Text: long}, tag, &about)}); err != nil {
			t.Fatal(err)
		}
	}
	bad := podlogs.Line{At: time.Unix(1, 0), Text: "{\"a\":\"" + strings.Repeat("\xffa", 135_000) + "\"}"} // three bytes come of one
	if err := out.Send(t.Context(), []Record{record(bad, tag, &about)}); err != nil {
		t.Fatal(err)
	}
	events := endpoint.events["/aws/containerinsights/demo/application|"+(out.Node + "-" + tag)[:512]]
	if len(events) != 4 || len(events[0]) < mostEventBytes-eventOverhead-3 || strings.Contains(events[0], "\ufffd") {
		t.Errorf("%d events came", len(events))
	}
}

// One stream is refused for good: its records are dropped and counted, and what else is in the batch arrives once.
func TestWhatIsRefusedHoldsUpNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &refusing{sink: sink{seen: map[string]int{}}, pod: "bad"}
		w := newWorld(t, out)
		r, stop := w.start(t)
		w.write(t, r, "bad", 0, 10)
		w.write(t, r, "web", 0, 20)
		time.Sleep(time.Minute)
		came := out.lines()
		if came != 20 || r.Counts.Sent.Load() != 20 || r.Counts.Dropped.Load() != 10 || r.Counts.Retried.Load() != 0 {
			t.Errorf("%d came; sent %d, dropped %d, retried %d", came, r.Counts.Sent.Load(), r.Counts.Dropped.Load(),
				r.Counts.Retried.Load())
		}
		stop()
		if got := w.log.String(); strings.Count(got, "logs are dropped") != 1 || !strings.Contains(got, "records=10") {
			t.Errorf("the log says\n%s", got)
		}
	})
}

// refusing is a sink that never takes a pod's records.
type refusing struct {
	sink
	pod string
}

func (s *refusing) Send(ctx context.Context, records []Record) error {
	taken := slices.DeleteFunc(slices.Clone(records), func(r Record) bool { return r.body.Kubernetes.PodName == s.pod })
	if err := s.sink.Send(ctx, taken); err != nil || len(taken) == len(records) {
		return err
	}
	return &Refused{len(records) - len(taken), errors.New("no")}
}

func TestCloudWatchLeavesOutWhatItsServiceRefuses(t *testing.T) {
	endpoint := &logsEndpoint{refuse: "-bad"}
	out := toEndpoint(t, endpoint)
	about := describe(logOf("web"), "n1")
	var records []Record
	for i, tag := range []string{"bad", "good", "bad", "good"} {
		records = append(records, record(podlogs.Line{At: time.Unix(int64(i), 0), Text: "x"}, tag, &about))
	}
	var refused *Refused
	err := out.Send(t.Context(), records)
	if !errors.As(err, &refused) || refused.Records != 2 || !strings.Contains(err.Error(), "stream n1-bad: ") ||
		len(endpoint.events["/aws/containerinsights/demo/application|n1-good"]) != 2 {
		t.Errorf("%v: %v", err, endpoint.events)
	}
	endpoint.refuse, endpoint.old = "", 1 // of each of two batches
	if err := out.Send(t.Context(), records); !errors.As(err, &refused) || refused.Records != 2 ||
		!strings.Contains(err.Error(), "too old") {
		t.Errorf("of what is too old: %v", err)
	}
}

// A pod's annotations of 250 KB are not in each of its records, and what is of them counts in a batch.
func TestRecordsOfALargePodAreBounded(t *testing.T) {
	about := describe(logOf("web"), "n1")
	about.Labels = map[string]string{"app": "shop", "tripod.internal/of": "mine"}
	about.Annotations = map[string]string{"tripod.internal/logs": "hello", "long": strings.Repeat("x", mostValue+1), "short": "y"}
	about.ContainerImage = strings.Repeat("i", 1<<20)
	had := maps.Clone(about.Annotations)
	annotations := about.Annotations
	about.bound()
	if !maps.Equal(about.Annotations, map[string]string{"short": "y"}) || len(about.Labels) != 2 || !maps.Equal(annotations, had) {
		t.Errorf("%v %v", about.Labels, about.Annotations)
	}
	for i := range 1000 {
		about.Annotations[fmt.Sprint("a", i)] = strings.Repeat("x", 250)
	}
	if about.bound(); about.size() > mostMetadata+mostValue+2000 || about.Labels["app"] != "shop" {
		t.Errorf("a description has %d bytes", about.size())
	}
	w := newWorld(t, nil)
	r := &Router{Node: "n1", Files: w.files, Logger: slog.New(slog.DiscardHandler),
		Describe: func(_ podlogs.Name, k *Kubernetes) { *k = about }}
	w.write(t, r, "web", 0, mostRecords)
	sources := map[podlogs.Name]*source{}
	r.open(sources, nil, logOf("web"))
	records, more := r.gather(sources)
	size := 0
	for _, one := range records {
		size += len(one.JSON())
	}
	if !more || size > mostBytes+mostBytes/4 || size < mostBytes/2 {
		t.Errorf("a batch has %d records of %d bytes", len(records), size)
	}
	sources[podlogs.Name{Namespace: "shop", Pod: "web", UID: "uid-web", Container: "app"}].tail.Close()
}

func TestTheFileOutputSetsFilesAside(t *testing.T) {
	dir := t.TempDir()
	about := describe(logOf("web"), "n1")
	for i := range 7 {
		one := record(podlogs.Line{At: time.Unix(1, 0), Text: fmt.Sprint("line ", i)}, "tag", &about)
		if err := (File{Dir: dir, Node: "n1", Size: 1}).Send(t.Context(), []Record{one}); err != nil {
			t.Fatal(err)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1+fileAside {
		t.Errorf("%v, %v", files, err)
	}
	for name, want := range map[string]string{"n1.jsonl": "line 6", "n1.jsonl.1": "line 5", "n1.jsonl.3": "line 3"} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %s, %v", name, text, err)
		}
	}
}

func TestCloudWatchHasTheGroupsOfContainerInsights(t *testing.T) {
	endpoint := &logsEndpoint{}
	out := toEndpoint(t, endpoint)
	var records []Record
	for _, pod := range []string{"web", "aws-node-1"} {
		about := describe(logOf(pod), "n1")
		about.Labels = map[string]string{"a": "b"}
		for i := range 12_000 {
			records = append(records, record(podlogs.Line{At: time.Unix(int64(i), 0), Text: fmt.Sprint(i)}, "tag", &about))
		}
	}
	if err := out.Send(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"/aws/containerinsights/demo/application|n1-tag": 12_000,
		"/aws/containerinsights/demo/dataplane|n1-tag": 12_000} {
		got := endpoint.events[name]
		if len(got) != want || !strings.Contains(got[want-1], `"log":"11999"`) || strings.Contains(got[0], "labels") {
			t.Errorf("%s has %d events, not %d", name, len(got), want)
		}
	}
	endpoint.denied = true
	if err := out.Send(t.Context(), records[:1]); err == nil || !strings.Contains(err.Error(), "AccessDenied") ||
		!strings.Contains(err.Error(), "/aws/containerinsights/demo/application") {
		t.Errorf("without the permission: %v", err)
	}
}
