package process

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// Lifeline is a child's side of Start.
type Lifeline struct {
	mu      sync.Mutex
	reports *os.File
}

// Attach takes the pipes that Start passed to this process. The context it returns ends at SIGTERM, SIGINT or when
// the parent is gone. It fails in a process that Start did not start.
func Attach(ctx context.Context) (context.Context, *Lifeline, error) {
	life := os.NewFile(lifelineFD, "lifeline")
	// In a process that a person started, the number may be anything's: a shell's, or the Go runtime's own.
	if info, err := life.Stat(); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		return nil, nil, fmt.Errorf("this command is for Tripod's own use: run 'tripod up'")
	}
	syscall.CloseOnExec(lifelineFD)
	syscall.CloseOnExec(reportFD)
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP)
	go func() { // lives as long as the process
		sig := <-signals
		cancel(fmt.Errorf("received %s", sig))
	}()
	go func() { // lives as long as the process
		life.Read(make([]byte, 1))
		if ctx.Err() != nil {
			os.Exit(1) // it was ending already, and nobody is left to wait for that or to cut it short
		}
		cancel(ErrOrphaned)
	}()
	if log := os.Getenv(logEnv); log != "" {
		os.Unsetenv(logEnv) // it is no child's of this one
		go tendLog(log, logLook)
	}
	return ctx, &Lifeline{reports: os.NewFile(reportFD, "reports")}, nil
}

// ErrOrphaned is the cause of the end of Attach's context when the parent is gone.
var ErrOrphaned = fmt.Errorf("the parent process is gone")

// Report sends v to the parent as one line of JSON. A parent that is gone is no error: the lifeline tells.
func (l *Lifeline) Report(v any) {
	line, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("report %T: %v", v, err)) // a type of ours that JSON cannot say
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reports.Write(append(line, '\n'))
}
