package chaos

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tripod/api"
	"tripod/client"
)

// fake is a region with a cluster that holds ConfigMaps, nodes and pods, and whose bugs are planted.
type fake struct {
	t   *testing.T
	dir string

	mu      sync.Mutex
	did     []string          // "kill az/b"
	on      map[string]func() // what happens with an order, under the lock
	refuses string            // a verb that is refused
	sick    bool              // the region does not become healthy
	version int
	objects map[string]configMap
	history []watchEvent
	changed chan struct{}
	down    bool              // the API server answers with 503
	lists   map[string]string // answers of other paths
	aws     string            // the AWS endpoint's URL
	audit   []string          // events of the audit log; nil: it is off
	// lose has a write be acknowledged and not kept; twice has its event come twice.
	lose, twice func(n int) bool
	// gone has a watch end with 410 where it is at a version.
	gone func(version int) bool
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{t: t, dir: t.TempDir(), objects: map[string]configMap{}, changed: make(chan struct{}), lists: map[string]string{}}
	server := httptest.NewTLSServer(http.HandlerFunc(f.serve))
	t.Cleanup(server.Close)
	endpoint := httptest.NewServer(http.HandlerFunc(f.serveLogs))
	t.Cleanup(endpoint.Close)
	f.aws = endpoint.URL
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	arn := "arn:aws:eks:us-east-1:111122223333:cluster/demo"
	for name, content := range map[string]any{
		"tripod.json":      map[string]any{"schema": 1, "region": "us-east-1", "accountId": "111122223333", "port": 4566},
		"credentials.json": map[string]any{"accessKeyId": "AKIA", "secretAccessKey": "secret"},
		"kubeconfig": map[string]any{
			"clusters": []any{map[string]any{"name": arn, "cluster": map[string]any{"server": server.URL, "certificate-authority-data": ca}}},
			"users": []any{map[string]any{"name": arn, "user": map[string]any{"exec": map[string]any{"command": "echo",
				"args": []string{`{"status":{"token":"t"}}`}}}}}},
	} {
		text, err := json.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(f.dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// serveLogs answers FilterLogEvents, by the words of its pattern that name a client.
func (f *fake) serveLogs(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var in struct {
		LogGroupName, FilterPattern string
		StartTime, EndTime          int64
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || r.Header.Get("X-Amz-Target") != "Logs_20140328.FilterLogEvents" ||
		!strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ") {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if f.audit == nil || in.LogGroupName != "/aws/eks/demo/cluster" {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"__type": "ResourceNotFoundException"}`)
		return
	}
	type event struct {
		Message string `json:"message"`
	}
	out := struct {
		Events []event `json:"events"`
	}{}
	for _, text := range f.audit {
		var e struct {
			auditEvent
			ResponseStatus struct{ Code int }
		}
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			panic(err)
		}
		at := e.Received.UnixMilli()
		wanted := strings.Contains(in.FilterPattern, fmt.Sprintf("$.userAgent = %q", e.UserAgent)) ||
			in.FilterPattern == failures && e.ResponseStatus.Code >= 500
		if wanted && at >= in.StartTime && at <= in.EndTime {
			out.Events = append(out.Events, event{text})
		}
	}
	json.NewEncoder(w).Encode(out)
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, configMaps), "/")
	object, found := f.objects[name]
	var sent configMap
	_ = json.NewDecoder(r.Body).Decode(&sent)
	switch {
	case f.down:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case r.Header.Get("Authorization") != "Bearer t":
		w.WriteHeader(http.StatusUnauthorized)
		return
	case !strings.HasPrefix(r.URL.Path, configMaps):
		if text, found := f.lists[r.URL.Path]; found {
			fmt.Fprint(w, text)
			return
		}
		fmt.Fprint(w, "{}")
		return
	case r.URL.Query().Get("watch") == "true":
		f.watch(w, r)
		return
	case r.Method == http.MethodPost:
		name, object = sent.Metadata.Name, sent
	case !found:
		w.WriteHeader(http.StatusNotFound)
		return
	case r.Method == http.MethodDelete:
		delete(f.objects, name)
		return
	case r.Method == http.MethodPatch && sent.Metadata.ResourceVersion != object.Metadata.ResourceVersion:
		w.WriteHeader(http.StatusConflict)
		return
	case r.Method == http.MethodPatch:
		before := object
		object.Data = sent.Data
		if n, _ := strconv.Atoi(sent.Data["counter"]); f.lose != nil && f.lose(n) {
			object.Metadata.ResourceVersion = "lost"
			_ = json.NewEncoder(w).Encode(object)
			f.objects[name] = before
			return
		}
	}
	if r.Method != http.MethodGet {
		f.version++
		object.Metadata.ResourceVersion = strconv.Itoa(f.version)
		f.objects[name] = object
		event := watchEvent{Type: "MODIFIED"}
		event.Object.configMap = object
		f.history = append(f.history, event)
		if n, _ := strconv.Atoi(object.Data["counter"]); f.twice != nil && f.twice(n) {
			f.history = append(f.history, event)
		}
		close(f.changed)
		f.changed = make(chan struct{})
	}
	_ = json.NewEncoder(w).Encode(object)
}

// watch answers with the events after a version until the client goes.
func (f *fake) watch(w http.ResponseWriter, r *http.Request) {
	after, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	name := strings.TrimPrefix(r.URL.Query().Get("fieldSelector"), "metadata.name=")
	sent := 0
	for r.Context().Err() == nil {
		for ; sent < len(f.history); sent++ {
			event := f.history[sent]
			if n, _ := strconv.Atoi(event.Object.Metadata.ResourceVersion); n > after && event.Object.Metadata.Name == name {
				if f.gone != nil && f.gone(n) {
					fmt.Fprintln(w, `{"type":"ERROR","object":{"code":410}}`)
					return
				}
				_ = json.NewEncoder(w).Encode(event)
			}
		}
		w.(http.Flusher).Flush()
		changed := f.changed
		f.mu.Unlock()
		select {
		case <-changed:
		case <-r.Context().Done():
		}
		f.mu.Lock()
	}
}

func (f *fake) DataDir() string { return f.dir }

func (f *fake) Status(context.Context) (*api.Status, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := &api.Status{AWSEndpoint: f.aws, Phase: api.PhaseReady, Region: "us-east-1", AccountID: "111122223333",
		State: api.State{Quorum: true, Voters: 3}, Clusters: []api.Cluster{{Name: "demo", Version: "1.36",
			EtcdLeader: "us-east-1b", Controllers: "us-east-1c",
			Quorum: true, EtcdMembers: 3}}}
	for _, letter := range zones {
		s.Zones = append(s.Zones, api.Zone{Name: "us-east-1" + letter, State: api.StateReady})
	}
	if f.sick {
		s.Phase = api.PhaseDegraded
	}
	return s, nil
}

func (f *fake) do(order string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.did = append(f.did, order)
	if happens := f.on[order]; happens != nil {
		happens()
	}
	if verb, _, _ := strings.Cut(order, " "); verb == f.refuses {
		return &client.APIError{Code: 409, Message: "no"}
	}
	return nil
}

func (f *fake) orders() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.did, ", ")
}

func (f *fake) DoFor(_ context.Context, target, verb, _ string, span time.Duration) error {
	kind, _, _ := strings.Cut(target, "/")
	if found, _ := api.FindVerb(verb); (found.CheckSpan(kind, time.Second) == nil) != (span > 0) {
		return fmt.Errorf("%s %s for %v: the region is to take it back by itself if nobody does", verb, target, span)
	}
	return f.do(verb + " " + target)
}

func (f *fake) Link(_ context.Context, o api.LinkOrder) error {
	return f.do(o.Verb + " link/" + o.Link)
}

func (f *fake) Fault(_ context.Context, o api.FaultOrder) (*api.FaultDone, error) {
	return nil, f.do("fault " + o.Target.String() + " " + o.Fault)
}

func (f *fake) Reset(context.Context) error { return f.do("reset") }

func (f *fake) Query(_ context.Context, q api.MetricsQuestion) (*api.MetricsAnswer, error) {
	answer := &api.MetricsAnswer{Type: "vector"}
	if q.Query == "1" {
		answer.Type = "scalar"
	} else if status, _ := f.Status(context.Background()); status != nil && status.Phase == api.PhaseReady {
		answer.Series = []api.Series{{}}
	}
	return answer, nil
}

func (f *fake) Events(context.Context, uint64, bool, func(api.Event) error) error { return nil }

func (f *fake) WaitFor(ctx context.Context, c client.Condition, _ func(string)) error {
	status, _ := f.Status(ctx)
	if met, missing, _ := c.Check(status); !met {
		<-ctx.Done()
		return fmt.Errorf("%s is not %s: %s", c.Target, c.For, missing)
	}
	return nil
}
