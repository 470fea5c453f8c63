package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tripod/api"
	"tripod/internal/datadir"
)

// runtimeRoot is a short XDG_RUNTIME_DIR of the test's own.
func runtimeRoot(t *testing.T) {
	t.Helper()
	root, err := os.MkdirTemp("/tmp", "tripod-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	t.Setenv("XDG_RUNTIME_DIR", root)
}

// serve answers on the control socket of a new data directory.
func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	runtimeRoot(t)
	dataDir := t.TempDir()
	if _, err := datadir.RuntimeDir(); err != nil {
		t.Fatal(err)
	}
	path := datadir.SocketPath(dataDir)
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Second}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return dataDir
}

func TestNoRegionIsErrNotRunning(t *testing.T) {
	runtimeRoot(t)
	dataDir := t.TempDir()
	c := New(dataDir)
	_, err := c.Status(t.Context())
	for call, err := range map[string]error{
		"status": err, "log level": c.SetLogLevel(t.Context(), api.LogLevelOrder{}),
		"do": c.Do(t.Context(), "az/b", "kill", ""), "reset": c.Reset(t.Context()),
		"down":    c.Down(t.Context(), func(api.Event) {}),
		"events":  c.Events(t.Context(), 0, true, func(api.Event) error { return nil }),
		"metrics": c.Metrics(t.Context(), "", "", io.Discard),
	} {
		want := "no region is running in " + dataDir + ": start one with 'tripod up --data-dir " + dataDir + "'"
		if !errors.Is(err, ErrNotRunning) || err.Error() != want {
			t.Errorf("%s: got %v, want %s", call, err, want)
		}
	}
}

// TestRegionOutOfReachIsNotCalledAbsent: one in a container holds the lock, and its socket cannot be seen.
func TestRegionOutOfReachIsNotCalledAbsent(t *testing.T) {
	runtimeRoot(t)
	dataDir := t.TempDir()
	lock, err := os.Create(filepath.Join(dataDir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := New(dataDir).Status(t.Context()); !errors.Is(err, ErrNotRunning) ||
		strings.Contains(err.Error(), "start one") || !strings.Contains(err.Error(), "in a container") {
		t.Errorf("got %v", err)
	}
}

func TestRefusalsKeepTheirWords(t *testing.T) {
	dataDir := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.EscapedPath() != "/v1/targets/az/a%2F..%2Fb/kill" {
			t.Errorf("got the path %s", r.URL.EscapedPath())
		}
		w.WriteHeader(http.StatusConflict)
		io.WriteString(w, `{"error":"zone b is being started: wait for it"}`)
	})
	err := New(dataDir).Do(t.Context(), "az/a/../b", "kill", "")
	var refusal *APIError
	if !errors.As(err, &refusal) || refusal.Code != http.StatusConflict ||
		err.Error() != "zone b is being started: wait for it" {
		t.Errorf("got %v", err)
	}
}

func TestRegionThatDiesInTheMiddleIsNotRunning(t *testing.T) {
	dataDir := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, `{"seq":1}`)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	var got []uint64
	err := New(dataDir).Events(t.Context(), 0, true, func(event api.Event) error {
		got = append(got,
			event.Seq)
		return nil
	})
	if !errors.Is(err, ErrNotRunning) || !slices.Equal(got, []uint64{1}) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestEventsEndWithTheContext(t *testing.T) {
	dataDir := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("since") != "4" || r.URL.Query().Get("follow") != "true" {
			t.Errorf("got %s", r.URL)
		}
		fmt.Fprintln(w, `{"seq":4}{"seq":5}`)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	err := New(dataDir).Events(ctx, 4, true, func(event api.Event) error {
		if event.Seq != 5 {
			t.Errorf("got event %d", event.Seq)
		}
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func status() *api.Status {
	status := &api.Status{Phase: api.PhaseReady, Region: "us-east-1", State: api.State{Quorum: true, Voters: 3},
		Clusters:  []api.Cluster{{Name: "demo", Status: "ACTIVE", Quorum: true, EtcdMembers: 3}},
		Balancers: []api.Balancer{{Name: "demo"}}}
	for _, letter := range []string{"a", "b", "c"} {
		zone := api.Zone{Name: "us-east-1" + letter, ID: "use1-az-" + letter, State: api.StateReady,
			Instances: []api.Instance{{Target: "etcd/" + letter, Component: "etcd", Cluster: "demo", State: api.StateReady}}}
		status.Zones = append(status.Zones, zone)
		status.Balancers[0].Targets = append(status.Balancers[0].Targets, api.BalancerTarget{Zone: zone.Name, Healthy: true})
	}
	return status
}

func TestConditions(t *testing.T) {
	killed := status()
	killed.Phase, killed.Zones[1].State, killed.Faults = api.PhaseDegraded, api.StateKilled,
		[]api.Fault{{Target: "az/us-east-1b", Fault: "killed"}}
	lost := status()
	lost.Phase, lost.Clusters[0].Quorum, lost.Clusters[0].EtcdMembers = api.PhaseNoQuorum, false, 1
	broken := status()
	broken.Faults = []api.Fault{{Target: "pod/default/web-0", Fault: "crash-loop"}}
	unhealthy := status()
	unhealthy.Balancers[0].Targets[2].Healthy = false
	for _, test := range []struct {
		status  *api.Status
		target  string
		want    string
		met     bool
		missing string
	}{
		{status(), "region", "ready", true, ""},
		{status(), "region", "healthy", true, ""},
		{status(), "region", "quorum", true, ""},
		{killed, "region", "ready", false, "it is degraded"},
		{killed, "az/b", "killed", true, ""},
		{killed, "az/us-east-1b", "ready", false, "us-east-1b is killed"},
		{killed, "az/a", "healthy", true, ""},
		{broken, "region", "healthy", false, "pod/default/web-0 has the fault crash-loop"},
		{lost, "region", "noquorum", true, ""},
		{lost, "region", "quorum", false, "cluster demo has 1 of 3 etcd members and needs 2"},
		{unhealthy, "region", "healthy", false, "balancer demo finds us-east-1c unhealthy"},
		{unhealthy, "etcd/c", "healthy", true, ""},
		{status(), "apiserver/c", "ready", false, "us-east-1c has no apiserver"},
	} {
		met, missing, err := Condition{Target: test.target, For: test.want}.Check(test.status)
		if err != nil || met != test.met || !met && missing != test.missing {
			t.Errorf("%s is %s: got %v %q %v, want %v %q", test.target, test.want, met, missing, err, test.met, test.missing)
		}
	}
	for _, bad := range []Condition{{Target: "az/d", For: "ready"}, {Target: "region", For: "happy"},
		{Target: "x", For: "ready"}} {
		if _, _, err := bad.Check(status()); err == nil {
			t.Errorf("%+v is no error", bad)
		}
	}
}

func TestWaitSaysWhatWasInstead(t *testing.T) {
	dataDir := serve(t, func(w http.ResponseWriter, r *http.Request) { json.NewEncoder(w).Encode(status()) })
	ctx, cancel := context.WithCancel(t.Context())
	err := New(dataDir).WaitFor(ctx, Condition{Target: "az/b", For: "killed"}, func(string) { cancel() })
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "az/b is not killed: us-east-1b is ready") {
		t.Errorf("got %v", err)
	}
	if err := New(dataDir).Wait(t.Context(), "region", "ready"); err != nil {
		t.Error(err)
	}
}

func TestEnvironmentApplies(t *testing.T) {
	dataDir := t.TempDir()
	os.WriteFile(filepath.Join(dataDir, "tripod.json"), []byte(`{"schema":1,"region":"us-east-1","port":4566}`), 0o600)
	os.WriteFile(filepath.Join(dataDir, "credentials.json"), []byte(`{"accessKeyId":"AKIA","secretAccessKey":"s"}`), 0o600)
	current := []string{"PATH=/bin", "AWS_PROFILE=work", "AWS_REGION=eu-west-1", "AWS_ENDPOINT_URL_EKS=https://x",
		"NO_PROXY=*"}
	env, err := ReadEnvironment(dataDir, current)
	if err != nil {
		t.Fatal(err)
	}
	got := env.Apply(current)
	for _, want := range []string{"PATH=/bin", "AWS_REGION=us-east-1", "AWS_ENDPOINT_URL=http://127.0.0.1:4566",
		"NO_PROXY=*"} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s in %q", want, got)
		}
	}
	for _, entry := range got {
		if strings.HasPrefix(entry, "AWS_PROFILE=") || strings.HasPrefix(entry, "AWS_ENDPOINT_URL_") ||
			entry == "AWS_REGION=eu-west-1" {
			t.Errorf("%s is still there", entry)
		}
	}
}

func TestStartSaysWhatUpSaid(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "tripod")
	script := "#!/bin/sh\necho \"$@\"\necho 'tripod: port 4566 is taken' >&2\nexit 1\n"
	if err := os.WriteFile(binary, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	var output strings.Builder
	_, err := Start(t.Context(), Options{Binary: binary, DataDir: "/d", Cluster: "none", Nodes: -1, Output: &output})
	if err == nil || err.Error() != "port 4566 is taken" {
		t.Errorf("got %v", err)
	}
	if want := "up --detach --data-dir /d --port 0 --cluster none --nodes 0\n"; output.String() != want {
		t.Errorf("got %q, want %q", output.String(), want)
	}
}
