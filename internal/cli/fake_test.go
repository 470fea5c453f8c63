package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod/api"
	"tripod/internal/datadir"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestMain lets the test binary stand in for the background process of `up --detach`.
func TestMain(m *testing.M) {
	if os.Getenv("FAKE_UP") != "" {
		os.Exit(fakeUp(os.Args))
	}
	os.Exit(m.Run())
}

// supervisor is a fake region behind a real control socket.
type supervisor struct {
	server *http.Server

	mu     sync.Mutex
	status *api.Status
	events []api.Event
	calls  []string // "POST /v1/targets/az/b/kill?cluster="
	orders []api.FaultOrder
	answer func(w http.ResponseWriter, r *http.Request) bool
	wake   chan struct{} // closed and replaced at each event
}

// startSupervisor listens on the socket of dataDir.
func startSupervisor(dataDir string, status *api.Status) (*supervisor, error) {
	if _, err := datadir.RuntimeDir(); err != nil {
		return nil, err
	}
	path := datadir.SocketPath(dataDir)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	_ = os.Remove(path)
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	s := &supervisor{status: status, wake: make(chan struct{})}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: time.Second}
	go s.server.Serve(listener)
	return s, nil
}

func newSupervisor(t *testing.T, dataDir string, status *api.Status) *supervisor {
	t.Helper()
	s, err := startSupervisor(dataDir, status)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.server.Close() })
	return s
}

func (s *supervisor) set(change func(*supervisor)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (s *supervisor) emit(event api.Event) {
	s.set(func(s *supervisor) {
		event.Seq = uint64(len(s.events) + 1)
		if event.Time.IsZero() {
			event.Time = time.Now()
		}
		s.events = append(s.events, event)
		close(s.wake)
		s.wake = make(chan struct{})
	})
}

func (s *supervisor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.calls = append(s.calls, r.Method+" "+r.URL.RequestURI())
	answer, status := s.answer, s.status
	s.mu.Unlock()
	if answer != nil && answer(w, r) {
		return
	}
	switch {
	case r.URL.Path == "/v1/status":
		json.NewEncoder(w).Encode(status)
	case r.URL.Path == "/v1/events":
		s.serveEvents(w, r)
	case r.URL.Path == "/v1/down":
		json.NewEncoder(w).Encode(api.Event{Time: time.Now(), Type: "ZoneLost", Message: "us-east-1a stops"})
		go s.server.Shutdown(context.Background()) // not Close, which may be faster than the answer
	case strings.HasPrefix(r.URL.Path, "/v1/faults/"):
		s.takeFault(w, r)
	case strings.HasPrefix(r.URL.Path, "/v1/metrics"):
		fmt.Fprintln(w, "tripod_up 1")
	case strings.Contains(r.URL.Path, "/d/"):
		refuse(w, http.StatusNotFound, "no such zone")
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *supervisor) takeFault(w http.ResponseWriter, r *http.Request) {
	var order api.FaultOrder
	if json.NewDecoder(r.Body).Decode(&order) != nil || order.Target.Name == "nobody" {
		refuse(w, http.StatusBadRequest, "there is no such thing")
		return
	}
	s.set(func(s *supervisor) { s.orders = append(s.orders, order) })
	json.NewEncoder(w).Encode(api.FaultDone{Target: order.Target.String(), Said: "is at fault",
		Final: order.Target.Kind == api.KindSpot})
}

func (s *supervisor) serveEvents(w http.ResponseWriter, r *http.Request) {
	for sent := 0; ; {
		s.mu.Lock()
		events, wake := s.events, s.wake
		s.mu.Unlock()
		for ; sent < len(events); sent++ {
			json.NewEncoder(w).Encode(events[sent])
		}
		if r.URL.Query().Get("follow") == "" {
			return
		}
		w.(http.Flusher).Flush()
		select {
		case <-wake:
		case <-r.Context().Done():
			return
		}
	}
}

func refuse(w http.ResponseWriter, code int, sentence string) {
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(map[string]string{"error": sentence})
}

// newDataDir is an empty data directory whose control socket is the test's own.
func newDataDir(t *testing.T) string {
	t.Helper()
	runtime, err := os.MkdirTemp("/tmp", "tripod-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(runtime) })
	t.Setenv("XDG_RUNTIME_DIR", runtime)
	return t.TempDir()
}

// regionFiles are what a region leaves in its data directory.
func makeRegion(t *testing.T, dataDir string) {
	t.Helper()
	write(t, filepath.Join(dataDir, "tripod.json"),
		`{"schema":1,"region":"us-east-1","port":4566,"portBase":20000,"accountId":"000011112222"}`)
	write(t, filepath.Join(dataDir, "credentials.json"), `{"accessKeyId":"AKIATRIPOD","secretAccessKey":"se'cret",`+
		`"accountId":"000011112222","userArn":"arn:aws:iam::000011112222:user/admin"}`)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// result is what a run of the command line did.
type result struct {
	code           int
	stdout, stderr string
}

// tripod runs the command line against dataDir.
func tripod(t *testing.T, dataDir string, args ...string) result {
	t.Helper()
	return tripodWith(t, Programs{}, []string{"HOME=" + t.TempDir(), "TRIPOD_DATA_DIR=" + dataDir}, args...)
}

func tripodWith(t *testing.T, programs Programs, environ []string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	streams := IO{Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Environ: environ}
	err := Main(ctx, append([]string{"tripod"}, args...), streams, programs)
	code := Report(&stderr, err)
	return result{code, stdout.String(), stderr.String()}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		write(t, path, got)
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", name, diff)
	}
}

// eventually polls until done says so, for at most 10 seconds, and fails with what last says.
func eventually(t *testing.T, done func() bool, last func() string) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(10 * time.Second)
	for !done() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("it did not happen; last:\n%s", last())
		}
	}
}

// testStatus is a healthy region of the time 2026-01-02 03:04:05 UTC.
func testStatus() *api.Status {
	now := testNow()
	ago := func(d time.Duration) *time.Time { t := now.Add(-d); return &t }
	status := &api.Status{
		Schema: 1, Phase: api.PhaseReady, Region: "us-east-1", AccountID: "000011112222",
		DataDir: "/home/me/.local/state/tripod",
		PID:     4100, StartedAt: *ago(190 * time.Second), MemoryBytes: 871 << 20, AWSEndpoint: "http://127.0.0.1:4566",
		State: api.State{Leader: "us-east-1b", Quorum: true, Voters: 3},
		Clusters: []api.Cluster{{Name: "demo", ID: "AB", Version: "1.36", Status: "ACTIVE",
			Endpoint:   "https://127.0.0.1:26443",
			EtcdLeader: "us-east-1a", Quorum: true, EtcdMembers: 3, Controllers: "us-east-1c", Scheduler: "us-east-1c"}},
		Balancers: []api.Balancer{{Name: "aws", Address: "127.0.0.1:4566"}, {Name: "demo", Address: "127.0.0.1:26443"}},
	}
	for i, letter := range []string{"a", "b", "c"} {
		zone := api.Zone{Name: "us-east-1" + letter, ID: fmt.Sprintf("use1-az%d", i+1), State: api.StateReady,
			PID:       4200 + 10*i,
			StartedAt: ago(189 * time.Second), MemoryBytes: 280 << 20}
		for j, component := range []string{"etcd", "apiserver", "controllers"} {
			zone.Instances = append(zone.Instances, api.Instance{Target: component + "/" +
				letter, Component: component, Cluster: "demo",
				State: api.StateReady, PID: zone.PID + j + 1, StartedAt: ago(100 * time.Second), MemoryBytes: int64(40+80*j) << 20})
		}
		status.Zones = append(status.Zones, zone)
		for k := range status.Balancers {
			status.Balancers[k].Targets = append(status.Balancers[k].Targets, api.BalancerTarget{Zone: zone.Name,
				Address: fmt.Sprintf("127.0.0.1:%d", 30000+10*k+i), Healthy: true, Connections: i, Total: uint64(100 * (i + 1))})
		}
	}
	status.Zones[0].Instances[0].Leads = []string{"etcd"}
	status.Zones[2].Instances[2].Leads = []string{"kube-controller-manager", "kube-scheduler"}
	return status
}

func testNow() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

// twoZonesDown changes a status to that after `tripod kill az/b` and `tripod pause az/c`.
func twoZonesDown(status *api.Status) *api.Status {
	status.Phase = api.PhaseNoQuorum
	status.State = api.State{Voters: 1}
	cluster := &status.Clusters[0]
	cluster.EtcdLeader, cluster.Quorum, cluster.EtcdMembers, cluster.Controllers, cluster.Scheduler = "", false, 1, "", ""
	for i, state := range map[int]string{1: api.StateKilled, 2: api.StatePaused} {
		zone := &status.Zones[i]
		zone.State, zone.Reason = state, "somebody has "+state+" the zone's process group"
		if state == api.StateKilled {
			zone.PID, zone.MemoryBytes, zone.StartedAt = 0, 0, nil
		}
		for j := range zone.Instances {
			instance := &zone.Instances[j]
			instance.State, instance.Leads = state, nil
			if state == api.StateKilled {
				instance.PID, instance.MemoryBytes, instance.StartedAt = 0, 0, nil
			}
		}
		for k := range status.Balancers {
			target := &status.Balancers[k].Targets[i]
			target.Healthy, target.Reason = false, "connection refused"
		}
		status.Faults = append(status.Faults, api.Fault{Target: "az/" +
			zone.Name, Fault: state, Since: testNow().Add(-12 * time.Second)})
	}
	if status.Faults[0].Fault != api.StateKilled {
		status.Faults[0], status.Faults[1] = status.Faults[1], status.Faults[0]
	}
	status.Zones[0].Instances[1].State = api.StateUnready
	status.Zones[0].Instances[1].Reason = "/readyz answers 500: etcd failed: context deadline exceeded, which happens " +
		"while there is no leader\x1b[2J"
	return status
}
