package instance

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"tripod/api"
	"tripod/internal/loss"
	"tripod/internal/process"
)

// watched is an instance of the test's, and what it told.
type watched struct {
	*Instance

	mu     sync.Mutex
	role   string // what its process plays from the next start on
	starts []time.Time
	events []api.Event
}

// supervised runs an instance until the end of the test.
func supervised(t *testing.T, role string, edit func(*Config)) *watched {
	t.Helper()
	w := &watched{role: role}
	dir := shortDir(t)
	i := &Config{
		Component: "controllers", Zone: "us-east-1a", ClusterID: "0123456789ABCDEF0123456789ABCDEF", ClusterName: "demo",
		Logger: slog.New(slog.DiscardHandler), OnChange: func() {}, OnLoss: func(loss.Loss) {},
	}
	i.Prepare = func() (process.Spec, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.starts = append(w.starts, time.Now())
		if w.role == "" {
			return process.Spec{}, errors.New("the disk is full")
		}
		return process.Spec{Name: i.Target(), Path: os.Args[0], Args: []string{"internal", w.role},
			Log: filepath.Join(dir, "log")}, nil
	}
	i.OnEvent = func(e api.Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.events = append(w.events, e)
	}
	if edit != nil {
		edit(i)
	}
	w.Instance = New(*i)
	go w.Supervise(t.Context())
	t.Cleanup(func() { w.shutDown(t) })
	return w
}

func (w *watched) shutDown(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := w.End(ctx); err != nil {
		t.Errorf("end: %v", err)
	}
	<-w.done
}

func (w *watched) plays(role string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.role = role
}

// told are the types of its events so far.
func (w *watched) told() (types []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		types = append(types, string(e.Type))
	}
	return types
}

func (w *watched) starting() []time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.starts)
}

func (w *watched) await(t *testing.T, state string) api.Instance {
	t.Helper()
	eventually(t, "state "+state, func() bool { return w.Status().State == state }, func() any { return w.Status() })
	return w.Status()
}

// quickly makes the pauses between restarts short, for this test.
func quickly(t *testing.T, pauses ...time.Duration) {
	was := restartPauses
	restartPauses = pauses
	t.Cleanup(func() { restartPauses = was })
}

func TestInstanceTellsThatItIsReadyAndWhatItLeads(t *testing.T) {
	w := supervised(t, "controllers", nil)
	status := w.await(t, api.StateReady)
	if status.PID == 0 || status.StartedAt == nil || status.Restarts != 0 || status.Target != "controllers/a" ||
		status.Cluster != "demo" || status.FaultSince != nil {
		t.Errorf("status %+v", status)
	}
	if want := []string{"kube-controller-manager", "kube-scheduler"}; !slices.Equal(status.Leads, want) {
		t.Errorf("leads %v, want %v", status.Leads, want)
	}
	eventually(t, "its events", func() bool { return len(w.told()) == 4 }, func() any { return w.told() })
	if want := []string{"InstanceStarted", "InstanceReady", "LeaderChanged", "LeaderChanged"}; !slices.Equal(w.told(),
		want) {
		t.Errorf("events %v, want %v", w.told(), want)
	}
}

func TestKilledInstanceIsReplacedAtOnce(t *testing.T) {
	quickly(t, 0, time.Hour) // a pause would be one for ever
	w := supervised(t, "apiserver", nil)
	before := w.await(t, api.StateReady)
	w.Kill()
	if process.Paused(before.PID) || syscall.Kill(before.PID, 0) == nil {
		t.Error("the process is still there when kill returns")
	}
	eventually(t, "another process",
		func() bool { s := w.Status(); return s.State == api.StateReady && s.PID != before.PID },
		func() any { return w.Status() })
	if after := w.Status(); after.Restarts != 1 || after.Reason != "" {
		t.Errorf("status %+v", after)
	}
	if !slices.Contains(w.told(), "InstanceExited") {
		t.Errorf("nobody was told of its death: %v", w.told())
	}
}

func TestRenewedInstanceIsPreparedAnew(t *testing.T) {
	entered, release := make(chan struct{}, 9), make(chan struct{})
	w := supervised(t, "apiserver", func(i *Config) {
		prepare := i.Prepare
		i.Prepare = func() (process.Spec, error) {
			entered <- struct{}{}
			<-release
			return prepare()
		}
	})
	<-entered
	if err := w.Renew(t.Context()); err != nil { // while it is prepared: what that says is out of date
		t.Error(err)
	}
	close(release)
	before := w.await(t, api.StateReady)
	if n := len(w.starting()); n != 2 {
		t.Errorf("it was prepared %d times, want again after it was renewed", n)
	}
	if err := w.Renew(t.Context()); err != nil {
		t.Error(err)
	}
	after := w.await(t, api.StateReady)
	if after.PID == before.PID || after.Restarts != 0 || slices.Contains(w.told(), "InstanceExited") {
		t.Errorf("renewed it is %+v, was %+v, and told %v", after, before, w.told())
	}
}

func TestInstanceThatDiesAgainAndAgainIsGivenTime(t *testing.T) {
	quickly(t, 0, 40*time.Millisecond, 80*time.Millisecond)
	w := supervised(t, "fail", nil)
	eventually(t, "five starts", func() bool { return len(w.starting()) >= 5 }, func() any { return w.told() })
	starts := w.starting()
	for n, least := range []time.Duration{0, 40 * time.Millisecond, 80 * time.Millisecond, 80 * time.Millisecond} {
		if pause := starts[n+1].Sub(starts[n]); pause < least {
			t.Errorf("start %d came %s after the one before, want at least %s", n+2, pause, least)
		}
	}
	status := w.await(t, api.StateFailed)
	if want := "controllers/a ended (exit status 3): it cannot be"; status.Reason != want {
		t.Errorf("reason %q, want %q", status.Reason, want)
	}
	w.plays("apiserver")
	if status := w.await(t, api.StateReady); status.Reason != "" {
		t.Errorf("it is ready, and yet %q", status.Reason)
	}
}

func TestInstanceThatCannotBePreparedIsTriedAgain(t *testing.T) {
	quickly(t, 0, 10*time.Millisecond)
	w := supervised(t, "", nil)
	if status := w.await(t, api.StateFailed); status.Reason != "the disk is full" {
		t.Errorf("reason %q", status.Reason)
	}
	w.plays("apiserver")
	w.await(t, api.StateReady)
}

func TestStoppedInstanceStaysStoppedUntilItIsStarted(t *testing.T) {
	w := supervised(t, "apiserver", nil)
	before := w.await(t, api.StateReady)
	if err := w.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	status := w.Status()
	if status.State != api.StateStopped || status.PID != 0 || status.FaultSince == nil || len(status.Leads) > 0 {
		t.Errorf("when stop returns: %+v", status)
	}
	w.Kill() // what does not run cannot be killed, and is not an error
	if err := w.Stop(t.Context()); err != nil {
		t.Errorf("to stop it twice: %v", err)
	}
	if err := w.Resume(); err != nil {
		t.Errorf("to resume what does not run: %v", err)
	}
	if err := w.Pause(); err == nil || !strings.Contains(err.Error(), "tripod start controllers/a") {
		t.Errorf("to pause what does not run: %v", err)
	}
	if n := len(w.starting()); n != 1 {
		t.Errorf("it was started %d times", n)
	}
	w.Start()
	after := w.await(t, api.StateReady)
	if after.PID == before.PID || after.Restarts != 0 {
		t.Errorf("after the start: %+v", after)
	}
	if slices.Contains(w.told(), "InstanceExited") {
		t.Errorf("a stop was told as a death: %v", w.told())
	}
}

// TestStartRightAfterStop: what was asked for is no crash, however soon the next order comes.
func TestStartRightAfterStop(t *testing.T) {
	w := supervised(t, "apiserver", nil)
	for range 5 {
		w.await(t, api.StateReady)
		if err := w.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.Start()
	}
	if status := w.await(t, api.StateReady); status.Restarts != 0 {
		t.Errorf("a stop counts as a crash: %+v, %v", status, w.told())
	}
}

func TestStopEndsThePauseBetweenRestarts(t *testing.T) {
	quickly(t, time.Hour)
	w := supervised(t, "fail", nil)
	w.await(t, api.StateFailed)
	if err := w.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.await(t, api.StateStopped)
	w.plays("apiserver")
	w.Start() // at once, not after the hour
	w.await(t, api.StateReady)
}

func TestDeafInstanceIsKilledWhenItsTimeIsUp(t *testing.T) {
	w := supervised(t, "deaf", nil)
	w.await(t, api.StateReady)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := w.Stop(ctx); err == nil || !strings.Contains(err.Error(), "was killed") {
		t.Errorf("stop: %v", err)
	}
	w.await(t, api.StateStopped)
}

func TestPausedInstance(t *testing.T) {
	w := supervised(t, "controllers", nil)
	before := w.await(t, api.StateReady)
	eventually(t, "it leads", func() bool { return len(w.Status().Leads) > 0 }, func() any { return w.Status() })
	for range 2 {
		if err := w.Pause(); err != nil {
			t.Fatal(err)
		}
	}
	status := w.Status()
	if status.State != api.StatePaused || status.FaultSince == nil || status.PID != before.PID {
		t.Errorf("when pause returns: %+v", status)
	}
	if len(status.Leads) > 0 {
		t.Errorf("a paused instance leads %v: others lead by now", status.Leads)
	}
	for range 2 {
		if err := w.Resume(); err != nil {
			t.Fatal(err)
		}
	}
	if status := w.Status(); status.State != api.StateReady || status.FaultSince != nil || status.Restarts != 0 ||
		status.PID != before.PID {
		t.Errorf("when resume returns: %+v", status)
	}
	told := w.told()
	if got := told[len(told)-2:]; !slices.Equal(got, []string{"InstancePaused", "InstanceResumed"}) {
		t.Errorf("events %v", told)
	}
}

// TestDeposedInstanceNeverGoesOn, whoever would let it: others act in its place.
func TestDeposedInstanceNeverGoesOn(t *testing.T) {
	for _, byVerb := range []bool{true, false} {
		var lost atomic.Int32
		w := supervised(t, "controllers", func(c *Config) {
			c.Deposed = true
			c.OnLoss = func(loss.Loss) { lost.Add(1) }
		})
		before := w.await(t, api.StateReady)
		if err := w.Pause(); err != nil {
			t.Fatal(err)
		}
		if byVerb {
			if err := w.Resume(); err != nil {
				t.Fatal(err)
			}
		} else {
			syscall.Kill(before.PID, syscall.SIGCONT)
			w.ObservePause()
		}
		eventually(t, "another one runs", func() bool {
			now := w.Status()
			return now.PID != 0 && now.PID != before.PID && now.State != api.StatePaused
		}, func() any { return w.Status() })
		if status := w.Status(); status.Restarts != 0 || lost.Load() != 1 {
			t.Errorf("it counts as a crash: %+v, told %d times", status, lost.Load())
		}
	}
}

func TestPauseBySomebodyElseIsNoticed(t *testing.T) {
	w := supervised(t, "apiserver", nil)
	status := w.await(t, api.StateReady)
	syscall.Kill(status.PID, syscall.SIGSTOP)
	eventually(t, "seen as paused", func() bool { w.ObservePause(); return w.Status().State == api.StatePaused },
		func() any { return w.Status() })
	if err := w.Reset(); err != nil {
		t.Fatal(err)
	}
	w.await(t, api.StateReady)
}

func TestPausedInstanceCanBeKilledAndStopped(t *testing.T) {
	w := supervised(t, "apiserver", nil)
	before := w.await(t, api.StateReady)
	if err := w.Pause(); err != nil {
		t.Fatal(err)
	}
	w.Kill()
	eventually(t, "another process",
		func() bool { s := w.Status(); return s.State == api.StateReady && s.PID != before.PID },
		func() any { return w.Status() })
	if err := w.Pause(); err != nil {
		t.Fatal(err)
	}
	if err := w.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.await(t, api.StateStopped)
	if err := w.Reset(); err != nil {
		t.Fatal(err)
	}
	w.await(t, api.StateReady)
}

func TestInstanceWaitsForTheOneBeforeIt(t *testing.T) {
	first := supervised(t, "mute", nil)
	second := supervised(t, "controllers", func(i *Config) { i.After = first.Instance })
	eventually(t, "the first runs", func() bool { return first.Status().PID != 0 }, func() any { return first.Status() })
	if status := second.Status(); status.State != api.StateStarting || status.PID != 0 ||
		status.Reason != "waits for controllers/a" {
		t.Errorf("while it waits: %+v", status)
	}
	first.plays("apiserver")
	first.Kill()
	second.await(t, api.StateReady)
	if !first.Ready() {
		t.Error("the first is not ready")
	}
}

func TestEndWhileItWaits(t *testing.T) {
	first := supervised(t, "mute", nil)
	for range 20 { // at any moment of its start
		w := supervised(t, "apiserver", nil)
		w.shutDown(t)
		waiting := supervised(t, "apiserver", func(i *Config) { i.After = first.Instance })
		waiting.shutDown(t)
		if len(waiting.starting()) > 0 {
			t.Fatal("what waited was started")
		}
	}
}

func TestReportThatCannotBeReadIsLeftOut(t *testing.T) {
	w := supervised(t, "apiserver", nil)
	w.await(t, api.StateReady)
	w.reported([]byte(`"words"`))
	w.await(t, api.StateReady)
}

// TestNobodyWaitsForAStartButOrders: a start takes as long as the machine is busy. That of the test waits for a
// reader of its log.
func TestNobodyWaitsForAStartButOrders(t *testing.T) {
	pipe := filepath.Join(shortDir(t), "log")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	var starts atomic.Int32
	w := supervised(t, "apiserver", func(i *Config) {
		prepare := i.Prepare
		i.Prepare = func() (process.Spec, error) {
			spec, err := prepare()
			if starts.Add(1) == 1 {
				spec.Log = pipe
			}
			return spec, err
		}
	})
	eventually(t, "the start", func() bool {
		w.Instance.mu.Lock()
		defer w.Instance.mu.Unlock()
		return w.Instance.starting != nil
	}, func() any { return w.told() })
	if status := w.Status(); status.State != api.StateStarting || status.PID != 0 || w.Running() ||
		w.Ready() {
		t.Errorf("while it starts: %+v", status)
	}
	w.ObservePause()
	stopped := make(chan error)
	go func() { stopped <- w.Stop(t.Context()) }()
	eventually(t, "the order", func() bool { return !w.Wanted() }, func() any { return w.Status() })
	select {
	case <-stopped:
		t.Error("the order to stop it did not wait to see whether there is a process")
	default:
	}
	reader, err := os.Open(pipe)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	w.await(t, api.StateStopped)
	w.Start()
	w.await(t, api.StateReady)
}

func TestProcessIsToldOrPreparedAnew(t *testing.T) {
	w := supervised(t, "apiserver", func(i *Config) { i.Socket = filepath.Join(shortDir(t), "s") })
	w.await(t, api.StateReady)
	if err := w.Tell(t.Context(), "/v1/faults", "late"); err == nil || !strings.Contains(err.Error(), "controllers/a does not answer") {
		t.Errorf("without a socket: %v", err)
	}
	listener, err := net.Listen("unix", w.Socket)
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan string, 1)
	server := &http.Server{Handler: http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		told <- r.URL.Path + " " + string(body)
		answer.WriteHeader(http.StatusNoContent)
	})}
	go server.Serve(listener)
	defer server.Close()
	if err := w.Tell(t.Context(), "/v1/faults", "late"); err != nil {
		t.Fatal(err)
	}
	if got := <-told; got != `/v1/faults "late"` {
		t.Errorf("it was told %s", got)
	}
	if err := w.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Tell(t.Context(), "/v1/faults", "late"); err != nil { // its successor has it from Prepare
		t.Error(err)
	}
}
