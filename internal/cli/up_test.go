package cli

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tripod/api"
	"tripod/client"
	"tripod/internal/options"
)

// fakeRegion is a region whose steps the test takes.
type fakeRegion struct {
	start, stop func(context.Context) error
	killed      chan struct{}
	done        chan struct{}
}

func newFakeRegion() *fakeRegion {
	nothing := func(context.Context) error { return nil }
	return &fakeRegion{start: nothing, stop: nothing, killed: make(chan struct{}), done: make(chan struct{})}
}

func (r *fakeRegion) Start(ctx context.Context) error { return r.start(ctx) }
func (r *fakeRegion) Stop(ctx context.Context) error  { return r.stop(ctx) }
func (r *fakeRegion) Kill()                           { close(r.killed) }
func (r *fakeRegion) Done() <-chan struct{}           { return r.done }

// serveFake runs serve, which is `up` without flags and signal handlers.
func serveFake(t *testing.T, region Region, signals <-chan os.Signal) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	a := &app{IO: IO{Stdout: &stdout, Stderr: &stderr}, name: "bin/tripod", dataDir: newDataDir(t)}
	err := a.serve(t.Context(), region, options.Up{Region: "us-east-1", Cluster: "demo"}, a.newProgress(), signals)
	code := Report(&stderr, err)
	return result{code, stdout.String(), stderr.String()}
}

func TestFirstInterruptStopsInOrder(t *testing.T) {
	signals := make(chan os.Signal, 1)
	region := newFakeRegion()
	region.start = func(context.Context) error { signals <- os.Interrupt; return nil }
	got := serveFake(t, region, signals)
	if !strings.Contains(got.stdout, "The region has stopped") || got.stderr != "" {
		t.Errorf("got %+v", got)
	}
}

func TestSecondInterruptKills(t *testing.T) {
	signals := make(chan os.Signal, 2)
	region := newFakeRegion()
	region.start = func(context.Context) error { signals <- os.Interrupt; return nil }
	region.stop = func(context.Context) error { signals <- os.Interrupt; <-region.killed; return nil }
	got := serveFake(t, region, signals)
	if got.code != 130 {
		t.Errorf("got %+v", got)
	}
	<-region.killed
}

func TestInterruptDuringStartUndoesIt(t *testing.T) {
	signals := make(chan os.Signal, 1)
	region := newFakeRegion()
	region.start = func(ctx context.Context) error { signals <- os.Interrupt; <-ctx.Done(); return ctx.Err() }
	got := serveFake(t, region, signals)
	if got.code != 130 || !strings.Contains(got.stderr, "stopped before the region was ready") {
		t.Errorf("got %+v", got)
	}
}

func TestUpReturnsWhenTheRegionWasTakenDown(t *testing.T) {
	region := newFakeRegion()
	region.stop = func(context.Context) error { return errors.New("stopped twice") }
	close(region.done)
	got := serveFake(t, region, nil)
	if got.code != 0 || !strings.Contains(got.stdout, "The region has stopped") {
		t.Errorf("got %+v", got)
	}
	commands := regexp.MustCompile(`(?m)^  (\S.*)$`).FindAllString(got.stdout, -1)
	if len(commands) < 4 || !strings.Contains(commands[0], `eval "$(bin/tripod env)"`) ||
		!strings.Contains(commands[len(commands)-1], "bin/tripod kill az/b") {
		t.Errorf("got the commands %q, want the last to kill a zone", commands)
	}
}

func TestFailedStartIsOneSentence(t *testing.T) {
	region := newFakeRegion()
	region.start = func(context.Context) error { return errors.New("port 4566 is taken: use --port") }
	if got := serveFake(t, region, nil); got.code != 1 || got.stderr != "tripod: port 4566 is taken: use --port\n" {
		t.Errorf("got %+v", got)
	}
}

func TestUpRefusesARegionThatRuns(t *testing.T) {
	dataDir := newDataDir(t)
	newSupervisor(t, dataDir, testStatus())
	programs := Programs{Up: func(options.Up) (Region, error) { t.Error("a region was made"); return nil, nil }}
	got := tripodWith(t, programs, []string{"TRIPOD_DATA_DIR=" + dataDir}, "up")
	if got.code != 1 || !strings.Contains(got.stderr, "a region already runs in "+dataDir+" (pid 4100)") {
		t.Errorf("got %+v", got)
	}
}

func TestUpPassesItsFlags(t *testing.T) {
	dataDir := newDataDir(t)
	var got options.Up
	programs := Programs{Up: func(options options.Up) (Region, error) { got = options; return nil, errors.New("enough") }}
	tripodWith(t, programs, nil, "--data-dir", dataDir, "up", "--port", "0", "--cluster", "none", "--kubernetes-version",
		"v1.35", "--nodes", "6", "--heal",
		"--local-ports", "8000-8999,9090", "--throttle", "--upstream", "http://127.0.0.1:5000", "--client-address",
		"203.0.113.7", "--pace", "real",
		"--sleep-after", "10m", "--references", "lenient",
		"--quota", "users=20000", "--quota", "access-entries=7", "--oidc-issuer", "https://accounts.google.com",
		"--oidc-issuer", "https://www.googleapis.com")
	if got.DataDir != dataDir || got.Port != 0 || !got.PortSet || got.Cluster != "none" ||
		got.KubernetesVersion != "1.35" || got.Nodes != 6 || !got.Heal ||
		!got.Throttle || got.Upstream != "http://127.0.0.1:5000" || got.RemoteUpstream ||
		got.ClientAddress != "203.0.113.7" ||
		!got.RealPace || got.SleepAfter != 10*time.Minute || !got.LenientReferences ||
		got.Quotas.Of("users") != 20000 || got.Quotas.Of("access-entries") != 7 || got.Quotas.Of("roles") != 1000 ||
		!slices.Equal(got.OIDCIssuers, []string{"accounts.google.com:443", "www.googleapis.com:443"}) ||
		got.Region != "us-east-1" || got.Executable == "" || got.Logger == nil || got.OnEvent == nil {
		t.Errorf("got %+v", got)
	}
	if got.LocalPorts.String() != "8000-8999,9090" {
		t.Errorf("got local ports %s", got.LocalPorts)
	}
	got.Logger.Info("early")
	makeRegion(t, dataDir)
	got.Logger.Info("late")
	if text, err := os.ReadFile(filepath.Join(dataDir, "logs", "up.log")); err == nil {
		t.Errorf("the log was closed, but got %s", text)
	}
}

func TestUpTakesTheUpstreamsKeyFromTheEnvironmentAlone(t *testing.T) {
	var got options.Up
	programs := Programs{Up: func(options options.Up) (Region, error) { got = options; return nil, errors.New("enough") }}
	const url = "http://AKIA:s3cret@127.0.0.1:5000"
	run := tripodWith(t, programs, []string{"TRIPOD_UPSTREAM=" + url}, "--data-dir", newDataDir(t), "up")
	if got.Upstream != url || strings.Contains(run.stdout+run.stderr, "s3cret") {
		t.Errorf("got %q: %+v", got.Upstream, run)
	}
	if tripodWith(t, programs, []string{"TRIPOD_UPSTREAM=" + url}, "--data-dir", newDataDir(t), "up", "--upstream",
		"http://127.0.0.1:7000"); got.Upstream != "http://127.0.0.1:7000" {
		t.Errorf("got %q, want the flag's", got.Upstream)
	}
	got = options.Up{}
	run = tripodWith(t, programs, nil, "--data-dir", newDataDir(t), "up", "--upstream", url)
	if run.code != 2 || got.Upstream != "" || !strings.Contains(run.stderr, "TRIPOD_UPSTREAM") ||
		strings.Contains(run.stdout+run.stderr, "s3cret") {
		t.Errorf("a key in the list of processes: got %+v", run)
	}
	if run = tripodWith(t, programs, []string{"TRIPOD_UPSTREAM=" + url}, "up",
		"--help"); strings.Contains(run.stdout+run.stderr, "s3cret") {
		t.Errorf("help shows it: %+v", run)
	}
}

// TestUpFindsAWSEmulator plays its files and its port; that the keys are used is upstream's test.
func TestUpFindsAWSEmulator(t *testing.T) {
	var got options.Up
	programs := Programs{Up: func(options options.Up) (Region, error) { got = options; return nil, errors.New("enough") }}
	home := t.TempDir()
	run := tripodWith(t, programs, []string{"HOME=" + home}, "--data-dir", newDataDir(t), "up", "--upstream",
		"aws-emulator")
	if run.code != 1 || strings.Count(run.stderr, "\n") != 1 ||
		!strings.Contains(run.stderr, "AWS Emulator is not there") {
		t.Errorf("got %+v", run)
	}
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	_, port, _ := strings.Cut(server.Listener.Addr().String(), ":")
	dir := filepath.Join(home, ".aws", "emulator", port)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	for name, text := range map[string]string{"ca.pem": string(ca),
		"emulator_credentials": "[default]\naws_access_key_id=AKIA\naws_secret_access_key=s3cret\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := "aws-emulator://127.0.0.1:" + port + dir
	for _, c := range []struct{ environ, args []string }{
		{nil, []string{"--upstream", "aws-emulator"}}, {nil, []string{"--upstream", "aws-emulator:" + port}},
		{[]string{"TRIPOD_UPSTREAM=aws-emulator"}, nil},
	} {
		got = options.Up{}
		run := tripodWith(t, programs, append(c.environ, "HOME="+home),
			append([]string{"--data-dir", newDataDir(t), "up"}, c.args...)...)
		if got.Upstream != want || got.AccountID != "000000000000" || strings.Contains(fmt.Sprint(got, run), "s3cret") {
			t.Errorf("%v: got %+v, %+v", c, got, run)
		}
	}
}

func TestUpSaysThatARegionKeepsItsAccount(t *testing.T) {
	dataDir := newDataDir(t)
	newSupervisor(t, dataDir, testStatus())
	for account, want := range map[string]bool{"": false, "000011112222": false, "000000000000": true} {
		var out bytes.Buffer
		a := &app{IO: IO{Stdout: &out}, dataDir: dataDir}
		a.printNext(t.Context(), options.Up{AccountID: account})
		if got := strings.Contains(out.String(), "keeps its account 000011112222"); got != want {
			t.Errorf("%q: got %s", account, out.String())
		}
	}
}

func TestUpRefusesIssuersOfItsOwnDomain(t *testing.T) {
	for _, issuer := range []string{"https://idp.tripod.internal", "https://tripod.internal:8443",
		"https://IDP.Tripod.Internal./x"} {
		if run := tripodWith(t, Programs{}, nil, "--data-dir", newDataDir(t), "up", "--oidc-issuer", issuer); run.code != 2 ||
			!strings.Contains(run.stderr, "--oidc-issuer") {
			t.Errorf("%s: got %+v", issuer, run)
		}
	}
}

func TestLogWaitsForTheMarker(t *testing.T) {
	dataDir := t.TempDir()
	log := &upLog{dataDir: dataDir}
	fmt.Fprintln(log, "early")
	if entries, _ := os.ReadDir(dataDir); len(entries) != 0 {
		t.Errorf("it wrote %v into a directory that is not Tripod's", entries)
	}
	makeRegion(t, dataDir)
	fmt.Fprintln(log, "late")
	if err := log.Close(); err != nil {
		t.Error(err)
	}
	if got := read(t, filepath.Join(dataDir, "logs", "up.log")); got != "early\nlate\n" {
		t.Errorf("got %q", got)
	}
}

// fakeUp is the background process: the test binary in the place of `tripod up`.
func fakeUp(args []string) int {
	dataDir := args[2]
	if os.Getenv("FAKE_UP") == "fail" {
		fmt.Println("some progress")
		return Report(os.Stderr, errors.New("port 4566 is taken (LocalStack uses it, too): choose another with --port"))
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	status := testStatus()
	status.Phase, status.PID = api.PhaseStarting, os.Getpid()
	region, err := startSupervisor(dataDir, status)
	if err != nil {
		return Report(os.Stderr, err)
	}
	region.emit(api.Event{Type: "ZoneStarted", Zone: "us-east-1a", Message: "of an earlier run",
		Time: time.Now().Add(-time.Hour)})
	region.emit(api.Event{Type: "ZoneStarted", Zone: "us-east-1a", Message: "us-east-1a starts with " +
		strings.Join(args[3:], " ")})
	if os.Getenv("FAKE_UP") == "ready" {
		region.emit(api.Event{Type: "RegionReady", Message: "the region is ready"})
	}
	select {
	case <-signals:
		return 130
	case <-time.After(20 * time.Second):
		return 1
	}
}

func detached(t *testing.T, dataDir, behaviour string, args ...string) result {
	t.Helper()
	programs := Programs{Up: func(options.Up) (Region, error) { return nil, errors.New("in the foreground") }}
	environ := append(os.Environ(), "FAKE_UP="+behaviour)
	return tripodWith(t, programs, environ, append([]string{"--data-dir", dataDir, "up", "--detach"}, args...)...)
}

func TestDetachedUpReturnsWhenReady(t *testing.T) {
	dataDir := newDataDir(t)
	got := detached(t, dataDir, "ready", "--port", "0", "--oidc-issuer", "https://a.example.com", "--oidc-issuer",
		"https://b.example.com")
	t.Cleanup(func() {
		if status, err := client.New(dataDir).Status(context.Background()); err == nil {
			syscall.Kill(status.PID, syscall.SIGTERM)
		}
	})
	if got.code != 0 || !strings.Contains(got.stdout, "us-east-1a starts with up --oidc-issuer=https://a.example.com "+
		"--oidc-issuer=https://b.example.com --port=0") || !strings.Contains(got.stdout, "kill az/b") {
		t.Errorf("got %+v", got)
	}
	if strings.Contains(got.stdout, "earlier run") {
		t.Errorf("an old event was shown: %s", got.stdout)
	}
	status, err := client.New(dataDir).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	group, err := syscall.Getpgid(status.PID)
	if err != nil || group != status.PID {
		t.Errorf("got group %d of process %d (%v), want its own session", group, status.PID, err)
	}
}

func TestDetachedUpRepeatsTheSentence(t *testing.T) {
	dataDir := newDataDir(t)
	got := detached(t, dataDir, "fail")
	if want := "tripod: port 4566 is taken (LocalStack uses it, too): choose another with --port\n"; got.code != 1 ||
		got.stderr != want {
		t.Errorf("got %+v, want %q", got, want)
	}
	foreign := newDataDir(t)
	write(t, filepath.Join(foreign, "precious.txt"), "mine")
	if got := detached(t, foreign, "fail"); got.code != 1 || !strings.Contains(got.stderr, "is taken") {
		t.Errorf("got %+v", got)
	}
	if entries, _ := os.ReadDir(foreign); len(entries) != 1 {
		t.Errorf("a foreign directory now holds %v", entries)
	}
}

func TestInterruptOfDetachedUpStopsTheBackground(t *testing.T) {
	dataDir := newDataDir(t)
	signals := make(chan os.Signal, 1)
	var stdout bytes.Buffer
	a := &app{IO: IO{Stdout: &stdout}, name: "tripod", dataDir: dataDir}
	child, exited := startFakeUp(t, dataDir)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := client.New(dataDir).Wait(ctx, "region", "starting"); err != nil {
		t.Fatal(err)
	}
	signals <- os.Interrupt
	err := a.awaitDetached(ctx, child, time.Now(), exited, a.newProgress(), signals)
	var exit *exitError
	if !errors.As(err, &exit) || exit.code != 130 {
		t.Errorf("got %v", err)
	}
	if alive(child.Pid) {
		t.Error("the background process is alive")
	}
}

func startFakeUp(t *testing.T, dataDir string) (*os.Process, <-chan error) {
	t.Helper()
	child, err := os.StartProcess(os.Args[0], []string{"tripod", "--data-dir", dataDir, "up"},
		&os.ProcAttr{Env: append(os.Environ(), "FAKE_UP=starting"), Files: []*os.File{nil, os.Stderr, os.Stderr}})
	if err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() {
		_, err := child.Wait()
		exited <- err
	}()
	return child, exited
}
