package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tripod/api"
	"tripod/client"
	"tripod/internal/datadir"
	"tripod/internal/options"
	"tripod/internal/process"
	"tripod/internal/sleep"
)

// detachPoll is how often `up --detach` looks whether the background process answers yet.
const detachPoll = 50 * time.Millisecond

// readyPoll is how often it asks for the status, in case the event was missed.
const readyPoll = 2 * time.Second

// upDetached starts the same command in a session of its own, shows its progress, and returns when the region is ready.
func (a *app) upDetached(cmd *cobra.Command, options options.Up, progress *progress, signals <-chan os.Signal) error {
	log, err := a.detachedLog(options.DataDir)
	if err != nil {
		return err
	}
	defer log.Close()
	offset, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("cannot find the end of the log: %w", err)
	}
	args := []string{"--data-dir", options.DataDir, "up"}
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		values := []string{flag.Value.String()}
		if repeated, ok := flag.Value.(pflag.SliceValue); ok {
			values = repeated.GetSlice()
		}
		for _, value := range values {
			if flag.Name != "detach" && flag.Name != "data-dir" {
				args = append(args, "--"+flag.Name+"="+value)
			}
		}
	})
	child := exec.Command(options.Executable, args...)
	child.Stdout, child.Stderr = log, log
	child.Env = a.Environ
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	begin := time.Now()
	if err := process.StartCalmly(child); err != nil {
		return fmt.Errorf("cannot start the region in the background: %w", err)
	}
	exited := make(chan error, 1)
	go func() { exited <- child.Wait() }()
	err = a.awaitDetached(cmd.Context(), child.Process, begin, exited, progress, signals)
	if errors.Is(err, errExited) && datadir.DiskFull(options.DataDir) {
		// its own log too
		return fmt.Errorf("the disk of %s is full: free some space (a region takes about 1 GB) and try again",
			options.DataDir)
	}
	if errors.Is(err, errExited) {
		return backgroundError(log.Name(), offset, err)
	}
	if err != nil {
		return err
	}
	progress.Settle()
	a.printNext(cmd.Context(), options)
	return nil
}

// detachedLog is the file that the background process writes to: up.log, except where the data directory is not
// Tripod's, so that the region itself can refuse that directory and find it untouched.
func (a *app) detachedLog(dataDir string) (*os.File, error) {
	if mayHoldLog(dataDir) {
		if log, err := openUpLog(dataDir); err == nil {
			log.Close()
			// appending: the region's own log goes to the same file
			return os.OpenFile(upLogPath(dataDir), os.O_RDWR|os.O_APPEND, 0o600)
		}
	}
	log, err := os.CreateTemp("", "tripod-up-*.log")
	if err != nil {
		return nil, fmt.Errorf("cannot make a log: %w", err)
	}
	return log, nil
}

var errExited = errors.New("the region's process ended before it was ready")

// awaitDetached returns when the region is ready; with errExited when its process has ended; or after an interrupt,
// when that has stopped it.
func (a *app) awaitDetached(ctx context.Context, child *os.Process, begin time.Time, exited <-chan error,
	progress *progress, signals <-chan os.Signal) error {
	ctx, cancel := context.WithCancel(ctx)
	ready := make(chan struct{}, 1)
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		a.followStart(ctx, begin, progress, ready)
	}()
	defer func() { cancel(); <-followed }()
	interrupts := 0
	for {
		select {
		case <-ready:
			if interrupts == 0 {
				return nil
			}
		case err := <-exited:
			if interrupts > 0 {
				return &exitError{code: 130, sentence: a.cutShortText()}
			}
			if err != nil {
				return fmt.Errorf("%w (%v)", errExited, err)
			}
			return errExited
		case <-signals:
			interrupts++
			progress.Settle()
			progress.Say("stopping in order (Ctrl-C again: at once)")
			// The background process counts interrupts as a foreground one does: the second ends it at once.
			_ = child.Signal(os.Interrupt)
		case <-ctx.Done():
			_ = child.Signal(os.Interrupt)
			<-exited
			return ctx.Err()
		}
	}
}

// followStart shows the events since begin and sends to ready once the region is ready.
func (a *app) followStart(ctx context.Context, begin time.Time, progress *progress, ready chan<- struct{}) {
	region := client.New(a.dataDir)
	events := make(chan struct{})
	go func() {
		defer close(events)
		for last := uint64(0); ctx.Err() == nil; {
			_ = region.Events(ctx, last, true, func(event api.Event) error {
				last = event.Seq
				if event.Time.Before(begin) {
					return nil // of an earlier run
				}
				progress.Event(event)
				if event.Type == api.RegionReady {
					send(ready)
				}
				return nil
			})
			sleep.For(ctx, detachPoll)
		}
	}()
	defer func() { <-events }()
	// The event is what counts. A status makes the region measure all its processes, which a start has no time for.
	for sleep.For(ctx, readyPoll); ctx.Err() == nil; sleep.For(ctx, readyPoll) {
		if status, err := region.Status(ctx); err == nil && status.Phase == api.PhaseReady {
			send(ready)
		}
	}
}

func send(ready chan<- struct{}) {
	select {
	case ready <- struct{}{}:
	default:
	}
}

// backgroundError is the sentence that the background process ended with.
func backgroundError(path string, offset int64, err error) error {
	file, openErr := os.Open(path)
	if openErr != nil {
		return err
	}
	defer file.Close()
	_, _ = file.Seek(offset, io.SeekStart)
	text, _ := io.ReadAll(io.LimitReader(file, 4<<20))
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if sentence, ok := strings.CutPrefix(lines[i], "tripod: "); ok {
			if strings.HasPrefix(path, os.TempDir()) {
				_ = os.Remove(path)
			}
			return errors.New(sentence)
		}
	}
	return fmt.Errorf("%w: see %s", err, path)
}
