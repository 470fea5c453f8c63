package logrouter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
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
		Describe: func(name podlogs.Name) (Kubernetes, bool) {
			k := describe(name, "n1")
			k.Labels, k.ContainerImage = map[string]string{"app": "shop"}, "shop:1"
			return k, name.Pod != "gone"
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
		if got := string(out.last.JSON()); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if want := "application.var.log.containers.web_shop_app-0123.log"; out.last.Tag != want {
			t.Errorf("tag %s", out.last.Tag)
		}
		w.write(t, r, "gone", 0, 1) // a pod that has gone, with its files
		synctest.Wait()
		if err := w.files.Remove("uid-gone"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if out.seen["gone/line 0"] != 1 {
			t.Errorf("the last words of a pod that has gone are lost: %v", out.seen)
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
	there  map[string]bool
	events map[string][]string // by group and stream
	calls  int
}

func (l *logsEndpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	var in struct {
		LogGroupName, LogStreamName string
		LogEvents                   []struct{ Message string }
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		panic(err)
	}
	fail := func(kind string) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"__type":%q,"message":"User: arn is not authorized to perform: logs:PutLogEvents"}`, kind)
	}
	name := in.LogGroupName + "|" + in.LogStreamName
	switch _, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); {
	case l.denied:
		fail("AccessDeniedException")
	case operation == "PutLogEvents" && !l.there[name]:
		fail("ResourceNotFoundException")
	case operation == "PutLogEvents":
		for _, e := range in.LogEvents {
			l.events[name] = append(l.events[name], e.Message)
		}
		fmt.Fprint(w, "{}")
	case l.there[name]:
		fail("ResourceAlreadyExistsException")
	default:
		l.there[name] = true
	}
}

func TestCloudWatchHasTheGroupsOfContainerInsights(t *testing.T) {
	endpoint := &logsEndpoint{there: map[string]bool{}, events: map[string][]string{}}
	server := httptest.NewServer(endpoint)
	defer server.Close()
	out := CloudWatch{Cluster: "demo", Node: "n1", Client: cloudwatchlogs.New(cloudwatchlogs.Options{Region: "us-east-1",
		BaseEndpoint: aws.String(server.URL), Credentials: credentials.NewStaticCredentialsProvider("A", "B", "C"), RetryMaxAttempts: 1})}
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
