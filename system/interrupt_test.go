package system

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tripod/client"
)

// foreground is a `tripod up` in a terminal.
type foreground struct {
	command *exec.Cmd
	mu      sync.Mutex
	lines   []string
	said    chan struct{} // gets a token after each line
	done    chan struct{} // closed when it has exited
}

func upInForeground(t *testing.T, dir string, args ...string) *foreground {
	t.Helper()
	f := &foreground{said: make(chan struct{}, 1), done: make(chan struct{})}
	f.command = exec.Command(binary, append([]string{"--data-dir", dir, "up"}, args...)...)
	output, err := f.command.StdoutPipe()
	must(t, "make a pipe", err)
	f.command.Stderr = f.command.Stdout
	f.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(t, "run tripod up", f.command.Start())
	go func() {
		defer close(f.done)
		f.read(output)
		f.command.Wait()
	}()
	t.Cleanup(func() {
		f.command.Process.Kill()
		<-f.done
	})
	return f
}

func (f *foreground) read(output io.Reader) {
	for lines := bufio.NewScanner(output); lines.Scan(); {
		f.mu.Lock()
		f.lines = append(f.lines, lines.Text())
		f.mu.Unlock()
		select {
		case f.said <- struct{}{}:
		default:
		}
	}
}

func (f *foreground) text() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.lines, "\n")
}

// awaitLine returns when it has printed something.
func (f *foreground) awaitLine(t *testing.T, part string) {
	t.Helper()
	timeout := time.After(startTimeout)
	for !strings.Contains(f.text(), part) {
		select {
		case <-f.said:
		case <-f.done:
			if !strings.Contains(f.text(), part) {
				t.Fatalf("tripod up ended before it said %q:\n%s", part, f.text())
			}
		case <-timeout:
			t.Fatalf("tripod up did not say %q:\n%s", part, f.text())
		}
	}
}

// exit waits for its end and returns the exit code.
func (f *foreground) exit(t *testing.T, d time.Duration) int {
	t.Helper()
	select {
	case <-f.done:
		return f.command.ProcessState.ExitCode()
	case <-time.After(d):
		t.Fatalf("tripod up did not end within %v:\n%s", d, f.text())
		return -1
	}
}

// TestInterruptedStartLeavesNoProcess presses Ctrl-C at several moments of a start, each time of the region that the
// interrupt before has left.
func TestInterruptedStartLeavesNoProcess(t *testing.T) {
	t.Parallel()
	for _, moments := range [][]string{
		{"", "zone us-east-1b started", "etcd/a started", "apiserver/b is ready"},
		{"leads etcd of cluster"}, // a new region's first start, when the cluster's members form
	} {
		dir := newDir(t)
		for _, moment := range moments {
			f := upInForeground(t, dir, "--port", "0")
			if moment == "" { // as soon as there is anything at all
				eventually(t, 30*time.Second, "the start begins", func() (bool, string) {
					_, err := os.Stat(dir)
					return err == nil, "no directory"
				})
			} else {
				f.awaitLine(t, moment)
			}
			f.command.Process.Signal(os.Interrupt)
			if code := f.exit(t, 30*time.Second); code != 130 {
				t.Errorf("interrupted at %q: exit code %d, want 130:\n%s", moment, code, f.text())
			}
			noProcesses(t, dir)
		}
		r := bringUp(t, dir)
		r.await(t, 30*time.Second, "region", client.ForHealthy)
		namespace(t, r.kube(t), "complete")
		must(t, "down", r.Close(within(t, 60*time.Second)))
		noProcesses(t, dir)
	}
}

func TestSecondInterruptEndsAtOnce(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	f := upInForeground(t, dir, "--port", "0")
	f.awaitLine(t, "etcd/a is ready")
	begin := time.Now()
	f.command.Process.Signal(os.Interrupt)
	f.awaitLine(t, "stopping in order")
	f.command.Process.Signal(os.Interrupt)
	f.exit(t, 10*time.Second)
	t.Logf("it took %v", time.Since(begin).Round(time.Millisecond))
	noProcesses(t, dir)

	// Ctrl-C of a region that is up, and of a start in the background.
	f = upInForeground(t, dir, "--port", "0")
	f.awaitLine(t, "is ready: 3 zones")
	r := &testRegion{Region: &client.Region{Client: client.New(dir)}, dir: dir}
	namespace(t, r.kube(t), "complete")
	f.command.Process.Signal(os.Interrupt)
	if code := f.exit(t, 30*time.Second); code != 0 {
		t.Errorf("Ctrl-C of a region that is up: exit code %d, want 0:\n%s", code, f.text())
	}
	noProcesses(t, dir)

	ctx, cancel := context.WithCancel(context.Background())
	detached := exec.CommandContext(ctx, binary, "--data-dir", dir, "up", "--detach")
	detached.Cancel = func() error { return detached.Process.Signal(os.Interrupt) }
	must(t, "up --detach", detached.Start())
	eventually(t, 20*time.Second, "the background process starts its zones", func() (bool, string) {
		return len(processesOf(dir)) > 4, ""
	})
	cancel()
	detached.Wait()
	if code := detached.ProcessState.ExitCode(); code != 130 {
		t.Errorf("Ctrl-C of up --detach: exit code %d, want 130", code)
	}
	noProcesses(t, dir)
}
