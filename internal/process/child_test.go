package process

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestChildEndsWhenItIsAskedTo(t *testing.T) {
	child, reports := run(t, "serve", nil)
	if got, want := pidOf(t, reports), child.PID(); got != want {
		t.Fatalf("report of process %d, want %d", got, want)
	}
	if err := child.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	var exit *ExitError
	if !errors.As(child.Err(), &exit) || !exit.Success || !slices.Equal(exit.LastLines,
		[]string{"goodbye: received terminated"}) {
		t.Errorf("it ended so: %+v", child.Err())
	}
	if err := child.Stop(t.Context()); err != nil {
		t.Errorf("to stop it twice: %v", err)
	}
	if err := child.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("to signal what has ended: %v", err)
	}
	child.Kill()
}

func TestStopReachesPausedChild(t *testing.T) {
	child, reports := run(t, "serve", leader)
	pidOf(t, reports)
	if err := child.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "paused", func() bool { return Paused(child.PID()) })
	if err := child.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestStopKillsChildThatDoesNotListen(t *testing.T) {
	child, reports := run(t, "deaf", nil)
	pidOf(t, reports)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err := child.Stop(ctx)
	if got, want := child.Err().(*ExitError).Status, "signal: killed"; got != want {
		t.Errorf("status %q, want %q", got, want)
	}
	if err == nil || !strings.Contains(err.Error(), "did not end in time") {
		t.Errorf("Stop: %v", err)
	}
}

func TestExitErrorTellsStatusAndLastLines(t *testing.T) {
	child, _ := run(t, "fail", nil)
	var exit *ExitError
	if !errors.As(child.Err(), &exit) {
		t.Fatalf("error is %T", child.Err())
	}
	if got, want := exit.Error(), "etcd/a ended (exit status 3): the disk is full"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if want := []string{"first line", "tripod: the disk is full"}; !slices.Equal(exit.LastLines, want) {
		t.Errorf("last lines %q, want %q", exit.LastLines, want)
	}
}

func TestExitErrorOfEtcdIsASentence(t *testing.T) {
	for line, want := range map[string]string{
		`{"level":"fatal","msg":"failed to commit tx","error":"input/output error","stacktrace":"a.b\n"}`: "failed to commit tx: input/output error",
		`{"level":"fatal","msg":"it is over"}`: "it is over",
		`{"no": "log"}`:                        `{"no": "log"}`,
	} {
		got := (&ExitError{Name: "etcd/a", Status: "exit status 1", LastLines: []string{line}}).Error()
		if want = "etcd/a ended (exit status 1): " + want; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestExitErrorOfPanicSaysWhyNotWhere(t *testing.T) {
	child, _ := run(t, "panic", nil)
	if got, want := child.Err().Error(), "etcd/a ended (exit status 2): panic: out of ideas"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestExitErrorIsOfThisRunAlone(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(log, []byte("the run before: all is lost\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	child, reports := run(t, "serve", func(s *Spec) { s.Log = log })
	pidOf(t, reports)
	child.Kill()
	if got, want := child.Err().Error(), "etcd/a ended (signal: killed)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLastLinesAreWholeAndFew(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	text := strings.Repeat("a line that is neither short nor long\n", 1000) + "the end\n"
	if err := os.WriteFile(log, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	lines := (&Child{spec: Spec{Log: log}}).lastLines(500)
	if len(lines) < 100 || len(lines) > 300 || lines[0] != "a line that is neither short nor long" ||
		lines[len(lines)-1] != "the end" {
		t.Errorf("%d lines, first %q, last %q", len(lines), lines[0], lines[len(lines)-1])
	}
}

func TestEveryReportOfAChildThatEndedIsHeard(t *testing.T) {
	child, reports := run(t, "last words", nil)
	<-child.Done()
	if got, want := len(reports), 100; got != want {
		t.Errorf("heard %d reports, want %d", got, want)
	}
}

func TestReportTooLongDoesNotHangTheChild(t *testing.T) {
	child, _ := run(t, "chatty", nil)
	select {
	case <-child.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the child hangs on its report")
	}
}

func TestChildEndsWithItsParent(t *testing.T) {
	for _, own := range []string{"", "yes"} {
		t.Run("leads a group: "+own, func(t *testing.T) {
			parent, reports := run(t, "parent", func(s *Spec) { s.Env = append(s.Env, "TRIPOD_TEST_LEADER="+own) })
			grandchild := identify(t, pidOf(t, reports))
			if !grandchild.Alive() {
				t.Fatal("the grandchild does not run")
			}
			parent.cmd.Process.Kill() // the parent alone, as the out-of-memory killer does
			eventually(t, "the grandchild ends with its parent", func() bool { return !grandchild.Alive() })
		})
	}
}

func TestKillTakesTheWholeGroup(t *testing.T) {
	parent, reports := run(t, "parent", leader)
	grandchild := identify(t, pidOf(t, reports))
	if group, err := syscall.Getpgid(grandchild.PID); err != nil || group != parent.PID() {
		t.Fatalf("the grandchild is in group %d (%v), want its parent's, %d", group, err, parent.PID())
	}
	if err := parent.Signal(syscall.SIGSTOP); err != nil { // nobody of the group can act on its own
		t.Fatal(err)
	}
	eventually(t, "the grandchild is paused with its group", func() bool { return Paused(grandchild.PID) })
	parent.Kill()
	eventually(t, "the grandchild is killed with its group", func() bool { return !grandchild.Alive() })
}

func TestPauseIsSeen(t *testing.T) {
	child, reports := run(t, "serve", nil)
	pidOf(t, reports)
	if Paused(child.PID()) {
		t.Error("a running process counts as paused")
	}
	child.Signal(syscall.SIGSTOP)
	eventually(t, "paused", func() bool { return Paused(child.PID()) })
	child.Signal(syscall.SIGCONT)
	eventually(t, "resumed", func() bool { return !Paused(child.PID()) })
	child.Kill()
	if Paused(child.PID()) {
		t.Error("a process that is gone counts as paused")
	}
}

func TestStartSaysWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	for name, spec := range map[string]Spec{
		"program": {Name: "etcd/a", Path: filepath.Join(dir, "none"), Log: filepath.Join(dir, "log")},
		"log":     {Name: "etcd/a", Path: os.Args[0], Log: filepath.Join(dir, "none", "log")},
	} {
		if _, err := Start(spec); !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "start etcd/a: ") {
			t.Errorf("without its %s: %v", name, err)
		}
	}
}

func TestAttachRefusesAProcessThatStartDidNotStart(t *testing.T) {
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for name, extra := range map[string][]*os.File{"nothing": nil, "a file": {file}} {
		log := filepath.Join(t.TempDir(), "log")
		out, err := os.Create(log)
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		process, err := os.StartProcess(os.Args[0], os.Args[:1], &os.ProcAttr{
			Env: []string{childEnv + "=serve"}, Files: append([]*os.File{nil, out, out}, extra...)})
		if err != nil {
			t.Fatal(err)
		}
		state, err := process.Wait()
		text, _ := os.ReadFile(log)
		if err != nil || state.ExitCode() != 2 || !strings.Contains(string(text), "run 'tripod up'") {
			t.Errorf("with %s on the lifeline's descriptor: %v %v %s", name, state, err, text)
		}
	}
}

func TestLogIsPrivateAndAppendedTo(t *testing.T) {
	child, _ := run(t, "fail", nil)
	<-child.Done()
	again, err := Start(child.spec)
	if err != nil {
		t.Fatal(err)
	}
	<-again.Done()
	info, err := os.Stat(child.spec.Log)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := info.Mode().Perm(), os.FileMode(0o600); got != want {
		t.Errorf("mode %o, want %o", got, want)
	}
	text, _ := os.ReadFile(child.spec.Log)
	if got := strings.Count(string(text), "the disk is full"); got != 2 {
		t.Errorf("the log has %d runs, want 2", got)
	}
}

func TestReportIsOneLineOfJSON(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	line := &Lifeline{reports: write}
	line.Report(map[string]string{"a": "b\nc"})
	write.Close()
	var got map[string]string
	if err := json.NewDecoder(read).Decode(&got); err != nil || got["a"] != "b\nc" {
		t.Errorf("got %v, %v", got, err)
	}
}
