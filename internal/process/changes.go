package process

import (
	"os"
	"os/signal"
	"syscall"
)

// ChildChanges returns a channel that is signalled after a child of this process was stopped by a signal, was continued
// or ended, several changes at once perhaps, and a function that ends it. The system tells a parent of these, so that
// nobody needs to look again and again.
func ChildChanges() (<-chan struct{}, func()) {
	signals, changes, ended := make(chan os.Signal, 1), make(chan struct{}, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGCHLD)
	go func() {
		defer close(changes)
		for {
			select {
			case <-signals:
				select {
				case changes <- struct{}{}:
				default: // one is to be taken yet
				}
			case <-ended:
				return
			}
		}
	}()
	return changes, func() {
		signal.Stop(signals)
		close(ended)
		for range changes { // until the goroutine has ended
		}
	}
}
