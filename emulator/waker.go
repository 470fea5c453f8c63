package emulator

import (
	"context"
	"time"
)

// waker lets a loop look again: when it is nudged, and at the time that the loop said the last time.
type waker struct{ wake chan struct{} }

func newWaker() waker { return waker{make(chan struct{}, 1)} }

// nudge lets the loop look soon.
func (w waker) nudge() {
	select {
	case w.wake <- struct{}{}:
	default: // it will
	}
}

// each calls look now, at each nudge, and at the time that look said the last time, until ctx ends. A zero time is none: it sleeps until
// it is nudged.
func (w waker) each(ctx context.Context, look func(context.Context) (next time.Time)) {
	for {
		var due <-chan time.Time
		if next := look(ctx); !next.IsZero() {
			due = time.After(time.Until(next))
		}
		select {
		case <-w.wake:
		case <-due:
		case <-ctx.Done():
			return
		}
	}
}
