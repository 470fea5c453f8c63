// Package reconcile runs loops that make something as it should be: each at its start, after everything that may have
// changed it, at a time that it names itself, and again after a failure. A loop that has nothing to do costs nothing.
package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"
)

// Now is returned by a Do that is to be called again at once.
const Now time.Duration = 1

// ErrDone is returned by a Do that has nothing left to do, ever: its loop ends.
var ErrDone = errors.New("done")

// Loop is one reconcile loop.
type Loop struct {
	// Key says what the loop does and for what, such as "change the control plane of demo". It is the message of its
	// log's lines.
	Key string
	// Watch returns a channel that is signalled after changes, several at once perhaps, and a function that ends it.
	// nil: nothing wakes the loop but its own times.
	Watch func() (<-chan struct{}, func())
	// Do makes it so. It is called by one goroutine at a time, and can be called at any moment: it looks at how things
	// are, and not at what has woken it. again is when it is to be called though nothing has changed; 0: then it need
	// not be. A failure is logged, and Do is called again after a pause, or when something has changed.
	Do func(ctx context.Context) (again time.Duration, err error)
	// Pauses are those after failures.
	Pauses Pauses
	Logger *slog.Logger
}

// Pauses begin with First, double with each failure up to Most, and begin anew after a success. Empty means 1 s and 1
// min. Each is shortened by up to a quarter, so that the zones, which fail at the same time, do not try again at the
// same time.
type Pauses struct{ First, Most time.Duration }

// after is the pause after that many failures in a row; random is in [0, 1).
func (p Pauses) after(failures int, random float64) time.Duration {
	if p == (Pauses{}) {
		p = Pauses{First: time.Second, Most: time.Minute}
	}
	pause := p.First
	for n := 1; n < failures && pause < p.Most; n++ {
		pause *= 2
	}
	pause = min(pause, p.Most)
	return pause - time.Duration(random*float64(pause)/4)
}

// Run runs the loop until ctx ends or Do returns ErrDone.
func (l Loop) Run(ctx context.Context) {
	var changes <-chan struct{}
	if l.Watch != nil {
		var end func()
		changes, end = l.Watch()
		defer end()
	}
	wait := time.NewTimer(time.Hour)
	defer wait.Stop()
	said := "" // the failure that the log has told of
	for failures := 0; ctx.Err() == nil; {
		again, err := l.do(ctx)
		switch {
		case errors.Is(err, ErrDone) || ctx.Err() != nil:
			return
		case err != nil:
			failures++
			again = max(Now, l.Pauses.after(failures, rand.Float64()))
			if said != err.Error() { // the same one again and again would fill the log
				said = err.Error()
				l.Logger.Warn(l.Key, "error", err)
			}
		case failures > 0:
			l.Logger.Info(l.Key+": it works again", "failures", failures)
			failures, said = 0, ""
		}
		var due <-chan time.Time
		if again > 0 {
			wait.Reset(again)
			due = wait.C
		} else {
			wait.Stop()
		}
		select {
		case <-changes:
		case <-due:
		case <-ctx.Done():
		}
	}
}

// do is Do, of which a panic is a failure like others: one loop's mistake must not end a zone, and with the lead pass on
// to the next one. The log has the stack.
func (l Loop) do(ctx context.Context) (again time.Duration, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
			l.Logger.Error(l.Key+": this is a mistake in Tripod, please report it", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	return l.Do(ctx)
}

// Run runs loops side by side, and returns when all have ended.
func Run(ctx context.Context, loops ...Loop) {
	var all sync.WaitGroup
	for _, loop := range loops {
		all.Go(func() { loop.Run(ctx) })
	}
	all.Wait()
}
