package process

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// ChildChanges returns a channel that is signalled after a child of this process was stopped by a signal, was continued or ended, until ctx ends:
// several changes at once perhaps. The system tells a parent of these, so that nobody needs to look again and again.
func ChildChanges(ctx context.Context) <-chan os.Signal {
	changes := make(chan os.Signal, 1)
	signal.Notify(changes, syscall.SIGCHLD)
	context.AfterFunc(ctx, func() { signal.Stop(changes) })
	return changes
}
