package emulator

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tripod/api"
	"tripod/apiserver/launch"
	"tripod/az"
	"tripod/az/controlplane"
	"tripod/etcdcluster"
	"tripod/internal/options"
	"tripod/internal/process"
)

// brokenEnv makes zones' agents die at their start, or never serve.
const brokenEnv = "TRIPOD_TEST_ZONES"

// TestMain lets the test binary be a region's processes: real agents of zones, and processes of clusters that report as
// the real ones do.
func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[1] == "internal" {
		if err := play(os.Args[2], os.Args[3:]); err != nil {
			fmt.Fprintln(os.Stderr, "tripod:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	runtime, err := os.MkdirTemp("/tmp", "emu") // short: sockets are below it
	if err != nil {
		panic(err)
	}
	os.Setenv("XDG_RUNTIME_DIR", runtime)
	// the race detector lets each process, children too, linger for a second at its end
	os.Setenv("GORACE", "atexit_sleep_ms=0")
	code := m.Run()
	os.RemoveAll(runtime)
	os.Exit(code)
}

func play(role string, args []string) error {
	if role == "zone" {
		switch os.Getenv(brokenEnv) {
		case "die":
			return fmt.Errorf("the disk is on fire")
		case "hang":
			ctx, _, err := process.Attach(context.Background())
			if err == nil {
				<-ctx.Done()
			}
			return err
		}
		return az.Run(context.Background(), args, controlplane.Parts{})
	}
	ctx, line, err := process.Attach(context.Background())
	if err != nil {
		return err
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	report := launch.Report{Ready: true}
	switch role {
	case "etcd":
		var config etcdcluster.Config
		if err := json.Unmarshal(text, &config); err != nil {
			return err
		}
		if config.Name == "etcd-a" {
			report.Leads = []string{"etcd"}
		}
	case "apiserver":
		if err := serveReadyz(text); err != nil {
			return err
		}
	}
	line.Report(report)
	<-ctx.Done()
	return nil
}

// serveReadyz answers health checks where an API server would.
func serveReadyz(config []byte) error {
	var p launch.Process
	if err := json.Unmarshal(config, &p); err != nil {
		return err
	}
	flags := map[string]string{}
	for _, f := range p.Flags {
		name, value, _ := strings.Cut(f, "=")
		flags[name] = value
	}
	cert, err := tls.LoadX509KeyPair(flags["--tls-cert-file"], flags["--tls-private-key-file"])
	if err != nil {
		return err
	}
	settings := &tls.Config{Certificates: []tls.Certificate{cert}}
	port, err := tls.Listen("tcp", "127.0.0.1:"+flags["--secure-port"], settings)
	if err != nil {
		return err
	}
	socket, err := process.ListenUnix(p.Socket)
	if err != nil {
		return err
	}
	for _, listener := range []net.Listener{port, tls.NewListener(socket, settings)} {
		go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }))
	}
	return nil
}

// testRegion is a region and what it told.
type testRegion struct {
	*Emulator
	mu     sync.Mutex
	events []api.Event
}

// newRegion is not started. It is stopped at the end of the test.
func newRegion(t *testing.T, dir string, edit func(*options.Up)) *testRegion {
	t.Helper()
	r := &testRegion{}
	options := options.Up{DataDir: dir, Region: "us-east-1", Cluster: "none", KubernetesVersion: "1.36",
		Executable: os.Args[0],
		Logger:     slog.New(slog.DiscardHandler), LogLevel: &slog.LevelVar{}, OnEvent: func(e api.Event) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.events = append(r.events, e)
		}}
	if edit != nil {
		edit(&options)
	}
	r.Emulator = New(options)
	t.Cleanup(func() { r.shutDown(t) })
	return r
}

func (r *testRegion) shutDown(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := r.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func (r *testRegion) start(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := r.Start(ctx); err != nil {
		t.Fatalf("start: %v\n%s", err, logs(r.options.DataDir))
	}
}

// logs are what the agents of a region wrote.
func logs(dir string) (all string) {
	files, _ := filepath.Glob(filepath.Join(dir, "zones", "*", "logs", "az.log"))
	for _, file := range files {
		text, _ := os.ReadFile(file)
		all += file + ":\n" + string(text)
	}
	return all
}

func (r *testRegion) do(t *testing.T, verb, target string) {
	t.Helper()
	kind, name, _ := strings.Cut(target, "/")
	if err := r.Do(t.Context(), api.Order{Target: api.Target{Kind: kind, Name: name}, Verb: verb}); err != nil {
		t.Fatalf("%s %s: %v", verb, target, err)
	}
}

// told says whether there was an event of that type about the zone.
func (r *testRegion) told(kind api.EventType, zone string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Type == kind && (zone == "" || e.Zone == zone) {
			return true
		}
	}
	return false
}

func (r *testRegion) awaitPhase(t *testing.T, phase string) api.Status {
	t.Helper()
	eventually(t, "phase "+phase, func() bool { return r.Status().Phase == phase }, func() any { return r.Status() })
	return r.Status()
}

// pids of all processes of the region but this one.
func pids(s api.Status) (all []int) {
	for _, z := range s.Zones {
		if z.PID != 0 {
			all = append(all, z.PID)
		}
		for _, i := range z.Instances {
			if i.PID != 0 {
				all = append(all, i.PID)
			}
		}
	}
	return all
}

// gone checks that none of the processes runs any more.
func gone(t *testing.T, pids []int) {
	t.Helper()
	for _, pid := range pids {
		if id, err := process.Identify(pid); err == nil && id.Alive() {
			t.Errorf("process %d is still there", pid)
		}
	}
}

func eventually(t *testing.T, what string, holds func() bool, state func() any) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s; at the end: %+v", what, state())
		}
	}
}

// busyPort is a port that is taken until the end of the test.
func busyPort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().(*net.TCPAddr).Port
}
