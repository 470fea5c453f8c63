// Package process runs child processes that must not outlive their parent, and finds and ends those that did.
package process

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// lifelineFD is where a child finds the pipe that its parent holds open. Pdeathsig follows the thread that forked,
// which Go may retire, and macOS has none; a pipe that reads EOF when the last writer is gone works everywhere.
const lifelineFD = 3

// reportFD is where a child writes its reports, one JSON value a line.
const reportFD = 4

// Spec says what to run.
type Spec struct {
	Name string   // for errors, such as "etcd/a"
	Path string   // the executable
	Args []string // without the program's name
	Env  []string // added to the parent's environment
	// file that takes stdout and stderr, appended to, 0600; a child that calls Attach sets it aside when it is large
	Log string
	// Leader makes the child the leader of a process group of its own; otherwise it stays in its parent's.
	Leader bool
	// OnReport is called for each line the child writes with Report, from one goroutine. May be nil.
	OnReport func(json.RawMessage)
}

// Child is a running process. Its zero value is not useful: use Start.
type Child struct {
	spec    Spec
	cmd     *exec.Cmd
	life    *os.File // closing it tells the child to end
	started time.Time
	log     fs.FileInfo // the log's file when this run began
	offset  int64       // where this run's output starts in that file

	done chan struct{} // closed once the process is reaped and its reports are read
	err  error         // why it ended; read after done
}

// Start runs the program. It returns as soon as the process exists.
func Start(spec Spec) (*Child, error) {
	log, err := openLog(spec.Log)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	defer log.Close()
	offset, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	logInfo, err := log.Stat()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	lifeRead, lifeWrite, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	defer lifeRead.Close()
	reportRead, reportWrite, err := os.Pipe()
	if err != nil {
		lifeWrite.Close()
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	defer reportWrite.Close()

	cmd := exec.Command(spec.Path, spec.Args...)
	cmd.Env = append(append(os.Environ(), spec.Env...), logEnv+"="+spec.Log)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{lifeRead, reportWrite}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: spec.Leader}
	c := &Child{spec: spec, cmd: cmd, life: lifeWrite, log: logInfo, offset: offset, done: make(chan struct{}),
		started: time.Now()}
	if err := StartCalmly(cmd); err != nil {
		lifeWrite.Close()
		reportRead.Close()
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	go c.wait(reportRead)
	return c, nil
}

// wait reaps the process. A grandchild may hold the report pipe open longer than the child lives, so it is not read to
// its end.
func (c *Child) wait(reports *os.File) {
	var readers sync.WaitGroup
	readers.Go(func() {
		lines := bufio.NewScanner(reports)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if c.spec.OnReport != nil {
				c.spec.OnReport(append(json.RawMessage(nil), lines.Bytes()...))
			}
		}
		io.Copy(io.Discard, reports) // behind a line that is too long: the child must not hang on a full pipe
	})
	err := c.cmd.Wait()
	reports.SetReadDeadline(time.Now().Add(100 * time.Millisecond)) // what it wrote before it died is still read
	readers.Wait()
	reports.Close()
	c.life.Close()
	c.err = &ExitError{Name: c.spec.Name, Status: describe(c.cmd.ProcessState, err), LastLines: c.lastLines(50),
		Success: err == nil}
	close(c.done)
}

// PID of the process; for a Leader also the id of its group.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// StartedAt is when the process was started.
func (c *Child) StartedAt() time.Time { return c.started }

// Done is closed when the process is reaped.
func (c *Child) Done() <-chan struct{} { return c.done }

// Err says why the process ended, as an *ExitError. It blocks until Done.
func (c *Child) Err() error { <-c.done; return c.err }

// Signal sends sig to the process, or to its whole group when it leads one. A process that has ended is no error.
func (c *Child) Signal(sig syscall.Signal) error {
	if c.ended() {
		return nil // its number may be another's by now
	}
	err := error(nil)
	if c.spec.Leader {
		err = syscall.Kill(-c.PID(), sig)
	} else {
		err = c.cmd.Process.Signal(sig) // knows whether it was reaped
	}
	if err != nil && !errors.Is(err, syscall.ESRCH) && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s to %s: %w", sig, c.spec.Name, err)
	}
	return nil
}

func (c *Child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// Kill ends the process (a leader's whole group) with SIGKILL and returns when it is reaped.
func (c *Child) Kill() {
	c.Signal(syscall.SIGKILL)
	<-c.done
}

// Stop asks the process to end, by SIGTERM, and kills it when ctx ends first: that is an error. A leader ends its
// group's other processes itself; what it leaves behind is killed. A process that has ended is no error.
func (c *Child) Stop(ctx context.Context) error {
	if c.ended() {
		return nil
	}
	c.cmd.Process.Signal(syscall.SIGTERM)
	c.Signal(syscall.SIGCONT) // a paused process could not hear
	select {
	case <-c.done:
	case <-ctx.Done():
		c.Kill()
		return fmt.Errorf("stop %s: it did not end in time and was killed", c.spec.Name)
	}
	if c.spec.Leader {
		syscall.Kill(-c.PID(), syscall.SIGKILL) // what its leader left behind
	}
	return nil
}

// lastLines returns up to n lines that this run wrote last.
func (c *Child) lastLines(n int) []string {
	f, err := os.Open(c.spec.Log)
	if err != nil {
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil
	}
	offset := c.offset
	if !os.SameFile(info, c.log) {
		offset = 0 // the run has set its first file aside
	}
	from := max(offset, info.Size()-8<<10)
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return nil
	}
	text, _ := io.ReadAll(io.LimitReader(f, 8<<10))
	if len(strings.TrimSpace(string(text))) == 0 {
		return nil
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if from > offset && len(lines) > 1 {
		lines = lines[1:] // the first is not whole
	}
	return lines[max(0, len(lines)-n):]
}

// ExitError says how a process ended and what it wrote last.
type ExitError struct {
	Name      string
	Status    string // "exit status 1", "signal: killed"
	LastLines []string
	Success   bool // exit status 0
}

func (e *ExitError) Error() string {
	last := ""
	if n := len(e.LastLines); n > 0 {
		last = e.LastLines[n-1]
	}
	for _, line := range e.LastLines {
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			last = line // what follows is where, not why
			break
		}
	}
	if last = strings.TrimPrefix(sentenceOf(strings.TrimSpace(last)), "tripod: "); last != "" {
		last = ": " + last
	}
	return fmt.Sprintf("%s ended (%s)%s", e.Name, e.Status, last)
}

// sentenceOf is what a line says that zap, etcd's logger, has written as JSON; others it leaves as they are.
func sentenceOf(line string) string {
	var said struct{ Msg, Error string }
	if json.Unmarshal([]byte(line), &said) != nil || said.Msg == "" {
		return line
	}
	if said.Error == "" {
		return said.Msg
	}
	return said.Msg + ": " + said.Error
}

func describe(state *os.ProcessState, err error) string {
	if state != nil {
		return state.String()
	}
	return err.Error()
}
