package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tripod/api"
	"tripod/client"
	"tripod/internal/datadir"
	"tripod/internal/options"
)

// TestRegion is the life of one region: each step begins where the one before ended.
func TestRegion(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "region")
	r := newRegion(t, dir, func(o *options.Up) {
		o.Cluster, o.Nodes, o.MetricsAddress, o.ControlAddress = "demo", 0, "127.0.0.1:0", "127.0.0.1:0"
	})
	r.start(t)
	if s := r.Status(); s.Phase != api.PhaseReady || !s.State.Quorum || s.State.Voters != 3 || s.State.Leader == "" ||
		len(s.Faults) != 0 {
		t.Fatalf("after Start: %+v", s)
	}
	for _, step := range []struct {
		name string
		run  func(*testing.T, *testRegion)
	}{
		{"status", testStatus}, {"kubeconfig", testKubeconfig}, {"control address", testControlAddress}, {"a Prometheus", testPrometheus},
		{"files are the user's alone", testFileModes}, {"a question about metrics", testQuery},
		{"the level of a log", testLogLevel},
		{"a killed zone stays down", testKilledZone}, {"a zone killed by somebody else is noticed", testForeignKill},
		{"two zones down", testNoQuorum}, {"a paused zone", testPausedZone},
		{"a zone paused by somebody else is noticed", testForeignPause},
		{"faults that have a time", testSpans},
		{"an instance", testInstance}, {"an update", testRecordFaults}, {"an experiment", testExperiment},
		{"orders that make no sense", testBadOrders},
		{"the data directory is held", testHeld},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.run(t, r) }) {
			return
		}
	}
	t.Run("restart keeps everything", func(t *testing.T) { testRestart(t, r) })
}

func testStatus(t *testing.T, r *testRegion) {
	s := r.Status()
	for i, z := range s.Zones {
		letter := zoneLetters[i]
		if z.Name != "us-east-1"+letter || z.ID != fmt.Sprintf("use1-az%d", i+1) || z.PID == 0 || z.MemoryBytes == 0 ||
			len(z.Instances) != 3 {
			t.Errorf("zone %d: %+v", i, z)
		}
		for n, component := range []string{"etcd", "apiserver", "controllers"} {
			if instance := z.Instances[n]; instance.Target != component+"/"+letter || instance.State != api.StateReady ||
				instance.PID == 0 || instance.MemoryBytes == 0 {
				t.Errorf("instance %+v", instance)
			}
		}
	}
	if len(s.Clusters) != 1 || s.Clusters[0].Name != "demo" || s.Clusters[0].EtcdLeader != "us-east-1a" ||
		s.Clusters[0].EtcdMembers != 3 || !s.Clusters[0].Quorum {
		t.Errorf("clusters %+v", s.Clusters)
	}
	if len(s.Balancers) != 2 || s.Balancers[0].Name != "aws" || s.Balancers[1].Name != "demo" ||
		"https://"+s.Balancers[1].Address != s.Clusters[0].Endpoint {
		t.Errorf("balancers %+v", s.Balancers)
	}
	response, err := http.Get(s.AWSEndpoint + "/healthz")
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("the AWS endpoint: %v %v", response, err)
	}
	response.Body.Close()
}

// testRecordFaults: what is no process is at fault by whichever zone lives, and a reset takes all back that can be.
func testRecordFaults(t *testing.T, r *testRegion) {
	do := func(verb, text string) (api.FaultDone, error) {
		kind, name, _ := strings.Cut(text, "/")
		return r.Fault(t.Context(), verb, api.FaultOrder{Target: api.Target{Kind: kind, Name: name}})
	}
	for _, target := range []string{"update/demo", "capacity/b", "capacity/us-east-1c"} {
		if _, err := do("fault", target); err != nil {
			t.Fatalf("%s: %v", target, err)
		}
	}
	if faults := r.Status().Faults; len(faults) != 3 || faults[0].Target != "update/demo" || faults[0].Since.IsZero() ||
		faults[1].Target != "capacity/us-east-1b" {
		t.Errorf("got faults %+v", faults)
	}
	told := func(kind api.EventType, target string) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return slices.ContainsFunc(r.events, func(e api.Event) bool { return e.Type == kind && e.Target == target })
	}
	events := func() any { r.mu.Lock(); defer r.mu.Unlock(); return slices.Clone(r.events) }
	eventually(t, "the fault is told", func() bool { return told(api.FaultInjected, "capacity/us-east-1c") }, events)
	if done, err := do("reset", "capacity/c"); err != nil || done.Target != "capacity/us-east-1c" {
		t.Errorf("reset: %+v, %v", done, err)
	}
	eventually(t, "its end is told", func() bool { return told(api.FaultCleared, "capacity/us-east-1c") }, events)
	for want, ask := range map[string][2]string{
		`there is no cluster "other" in us-east-1: its clusters are demo`: {"fault", "update/other"},
		"write update/CLUSTER, capacity/ZONE":                             {"fault", "moon/b"},
		"say which behind it":                                             {"fault", "pod/default/web"},
		"update/demo takes no dance":                                      {"dance", "update/demo"},
		`there is no zone "d"`:                                            {"reset", "capacity/d"},
	} {
		var refused refusal
		if _, err := do(ask[0], ask[1]); !errors.As(err, &refused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", ask, err, want)
		}
	}
	if err := r.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if faults := r.Status().Faults; len(faults) != 0 {
		t.Errorf("after a reset: %+v", faults)
	}
}

func testKubeconfig(t *testing.T, r *testRegion) {
	text, err := os.ReadFile(r.dir.file("kubeconfig"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Current  string `json:"current-context"`
		Clusters []struct {
			Name    string
			Cluster struct {
				Server string
				CA     []byte `json:"certificate-authority-data"`
			}
		}
		Users []struct {
			Name string
			User struct {
				Exec struct {
					APIVersion, Command, InteractiveMode string
					Args                                 []string
				}
			}
		}
		Contexts []struct {
			Name    string
			Context struct{ Cluster, User string }
		}
	}
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	arn := "arn:aws:eks:us-east-1:" + r.dir.marker.AccountID + ":cluster/demo"
	if config.Current != arn || len(config.Clusters) != 1 || len(config.Users) != 1 || len(config.Contexts) != 1 ||
		config.Clusters[0].Name != arn || config.Users[0].Name != arn || config.Contexts[0].Name != arn ||
		config.Contexts[0].Context.Cluster != arn || config.Contexts[0].Context.User != arn {
		t.Fatalf("%s", text)
	}
	if c := config.Clusters[0].Cluster; c.Server != r.Status().Clusters[0].Endpoint ||
		!strings.HasPrefix(string(c.CA), "-----BEGIN CERTIFICATE") {
		t.Errorf("%s", text)
	}
	exec := config.Users[0].User.Exec
	if want := []string{"--data-dir", r.dir.path, "token", "--cluster", "demo"}; !slices.Equal(exec.Args, want) ||
		exec.Command != os.Args[0] || exec.InteractiveMode != "Never" {
		t.Errorf("%+v", exec)
	}
}

func testFileModes(t *testing.T, r *testRegion) {
	for _, dir := range []string{r.dir.path, r.runDir} {
		filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
			if err != nil || info.Mode().Perm()&0o077 != 0 && info.Mode()&os.ModeSocket == 0 {
				t.Errorf("%s: %v, %v", path, info.Mode(), err)
			}
			return nil
		})
	}
	agents, err := filepath.Glob(r.dir.file("zones", "*", "agent.json"))
	if err != nil || len(agents) != 3 {
		t.Fatal(agents, err)
	}
}

func testKilledZone(t *testing.T, r *testRegion) {
	before := pids(api.Status{Zones: r.Status().Zones[1:2]})
	r.do(t, "kill", "az/b")
	gone(t, before)
	s := r.Status()
	if z := s.Zones[1]; z.State != api.StateKilled || z.PID != 0 || z.Reason == "" || s.Phase != api.PhaseDegraded ||
		!s.State.Quorum {
		t.Errorf("when kill returns: %s %+v", s.Phase, z)
	}
	if len(s.Faults) != 1 || s.Faults[0].Target != "az/us-east-1b" || s.Faults[0].Fault != api.StateKilled ||
		time.Since(s.Faults[0].Since) > time.Minute {
		t.Errorf("faults %+v", s.Faults)
	}
	r.do(t, "kill", "az/us-east-1b") // again is no error
	if err := r.Do(t.Context(), api.Order{Target: api.Target{Kind: "etcd", Name: "b"}, Verb: "kill"}); err == nil ||
		!strings.Contains(err.Error(), "tripod start az/us-east-1b") {
		t.Errorf("an order to a zone that is down: %v", err)
	}
	r.do(t, "start", "az/b")
	r.awaitPhase(t, api.PhaseReady)
}

func testForeignKill(t *testing.T, r *testRegion) {
	before := pids(api.Status{Zones: r.Status().Zones[2:]})
	syscall.Kill(before[0], syscall.SIGKILL) // the agent alone: its group goes with it
	eventually(t, "the zone is lost", func() bool { return r.Status().Zones[2].State == api.StateKilled },
		func() any { return r.Status().Zones[2] })
	gone(t, before)
	if z := r.Status().Zones[2]; !strings.Contains(z.Reason, "signal: killed") {
		t.Errorf("reason %q", z.Reason)
	}
	reset(t, r)
}

// reset is `tripod reset`: all is well when it returns.
func reset(t *testing.T, r *testRegion) {
	t.Helper()
	if err := r.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := r.Status(); s.Phase != api.PhaseReady || len(s.Faults) != 0 {
		t.Errorf("when reset returns: %+v", s)
	}
}

func testNoQuorum(t *testing.T, r *testRegion) {
	r.do(t, "kill", "az/a")
	r.do(t, "stop", "az/b")
	s := r.Status()
	if s.Phase != api.PhaseNoQuorum || s.State.Quorum || s.State.Voters != 1 || s.Clusters[0].Quorum ||
		s.Zones[1].State != api.StateStopped {
		t.Errorf("with one zone left: %+v", s)
	}
	eventually(t, "the loss is told", func() bool { return r.told("QuorumLost", "") }, func() any { return r.Status() })
	reset(t, r)
	if !r.told("QuorumRestored", "") {
		t.Error("the return of the quorum was not told")
	}
}

func testPausedZone(t *testing.T, r *testRegion) {
	r.do(t, "pause", "az/b")
	r.do(t, "pause", "az/b")
	s := r.Status()
	if s.Zones[1].State != api.StatePaused || s.Phase != api.PhaseDegraded || len(s.Faults) != 1 ||
		s.Zones[1].Instances[0].State != api.StatePaused {
		t.Errorf("when pause returns: %s %+v %+v", s.Phase, s.Zones[1], s.Faults)
	}
	eventually(t, "the balancers let it go", func() bool { return !r.Status().Balancers[1].Targets[1].Healthy },
		func() any { return r.Status().Balancers })
	if err := r.Do(t.Context(), api.Order{Target: api.Target{Kind: "etcd", Name: "b"}, Verb: "kill"}); err == nil ||
		!strings.Contains(err.Error(), "tripod resume az/us-east-1b") {
		t.Errorf("an order to a paused zone: %v", err)
	}
	r.do(t, "resume", "az/b")
	r.do(t, "resume", "az/b")
	r.awaitPhase(t, api.PhaseReady)
	r.do(t, "pause", "az/c")
	r.do(t, "kill", "az/c") // a paused zone can be killed
	reset(t, r)
}

func testForeignPause(t *testing.T, r *testRegion) {
	group := r.Status().Zones[0].PID
	syscall.Kill(-group, syscall.SIGSTOP)
	eventually(t, "paused", func() bool { return r.Status().Zones[0].State == api.StatePaused },
		func() any { return r.Status().Zones[0] })
	syscall.Kill(-group, syscall.SIGCONT)
	r.awaitPhase(t, api.PhaseReady)
}

func testInstance(t *testing.T, r *testRegion) {
	r.do(t, "stop", "apiserver/b")
	instance := func() api.Instance { return r.Status().Zones[1].Instances[1] }
	eventually(t, "stopped", func() bool { return instance().State == api.StateStopped }, func() any { return instance() })
	if s := r.Status(); len(s.Faults) != 1 || s.Faults[0].Target != "apiserver/b" ||
		s.Faults[0].Fault != api.StateStopped {
		t.Errorf("faults %+v", s.Faults)
	}
	r.do(t, "start", "apiserver/b")
	r.awaitPhase(t, api.PhaseReady)
	before := instance()
	r.do(t, "kill", "apiserver/us-east-1b")
	eventually(t, "replaced", func() bool {
		i := instance()
		return i.State == api.StateReady && i.PID != before.PID && i.Restarts == before.Restarts+1
	},
		func() any { return instance() })
	r.awaitPhase(t, api.PhaseReady)
}

func testBadOrders(t *testing.T, r *testRegion) {
	for _, c := range []struct{ kind, name, verb, cluster, want string }{
		{"az", "d", "kill", "", `there is no zone "d"`},
		{"az", "b", "dance", "", `there is no verb "dance"`},
		{"node", "b", "kill", "", `there is no target type "node"`},
		{"etcd", "b", "kill", "other", `there is no cluster "other"`},
	} {
		err := r.Do(t.Context(), api.Order{Target: api.Target{Kind: c.kind, Name: c.name}, Verb: c.verb, Cluster: c.cluster})
		if !errors.As(err, new(refusal)) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func testHeld(t *testing.T, r *testRegion) {
	other := newRegion(t, r.dir.path, nil)
	err := other.Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("another Tripod (pid %d)", os.Getpid())) {
		t.Errorf("a second region in the same directory: %v", err)
	}
	if s := r.Status(); s.Phase != api.PhaseReady {
		t.Errorf("the first one suffers: %s", s.Phase)
	}
}

func testRestart(t *testing.T, r *testRegion) {
	before := r.Status()
	follower := make(chan error, 1)
	connection := client.New(r.dir.path)
	go func() {
		follower <- connection.Events(context.Background(), 0, true, func(api.Event) error { return nil })
	}()
	kubeconfig, _ := os.ReadFile(r.dir.file("kubeconfig"))
	started := time.Now()
	r.shutDown(t)
	if took := time.Since(started); took > 25*time.Second {
		t.Errorf("the stop took %s", took)
	}
	r.shutDown(t) // twice is no error
	select {
	case <-follower:
	case <-time.After(5 * time.Second):
		t.Error("who follows the events is not let go")
	}
	gone(t, pids(before))
	if !isClosed(r.Done()) {
		t.Error("Done is open after Stop")
	}
	if err := r.Start(t.Context()); err == nil {
		t.Error("a region that was stopped starts again: its Stop would do nothing")
	}
	for _, left := range []string{datadir.SocketPath(r.dir.path), r.dir.file("agents.json")} {
		if _, err := os.Lstat(left); err == nil {
			t.Errorf("left behind: %s", left)
		}
	}

	again := newRegion(t, r.dir.path, nil)
	again.start(t)
	after := again.awaitPhase(t, api.PhaseReady)
	if after.AWSEndpoint != before.AWSEndpoint || after.AccountID != before.AccountID || len(after.Clusters) != 1 ||
		after.Clusters[0].ID != before.Clusters[0].ID || after.Clusters[0].Endpoint != before.Clusters[0].Endpoint ||
		after.Clusters[0].Status != "ACTIVE" {
		t.Errorf("before: %+v\nafter: %+v", before, after)
	}
	if text, _ := os.ReadFile(again.dir.file("kubeconfig")); string(text) != string(kubeconfig) {
		t.Error("the kubeconfig is another one")
	}
	again.Kill()
	eventually(t, "everything is killed", func() bool { return len(pids(again.Status())) == 0 },
		func() any { return again.Status() })
}
