package emulator

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"time"

	"tripod/internal/datadir"
)

var (
	errStopping         = errors.New("the region is stopping: start it again with 'tripod up'")
	errStoppedMeanwhile = errors.New("the region was stopped while it started")
	errNotUp            = errors.New("the region is not up yet: wait for it with 'tripod wait region --for=ready'")
)

// life is how far a region is between its start and its end. Whoever starts a process or a goroutine of the region's
// does it through life, so that the stop finds it.
type life struct {
	started time.Time
	running context.Context // ends when the region begins to stop, by cancel
	cancel  context.CancelFunc
	wait    sync.WaitGroup // the region's goroutines
	up      chan struct{}  // closed when all zones were ready for the first time
	failedC chan struct{}  // closed when the start cannot succeed
	quiet   chan struct{}  // closed when all but the control socket is stopped

	mu       sync.Mutex
	stopping bool
	starting sync.WaitGroup // starts of processes that have begun before stopping was set
	failed   error          // why the start cannot succeed
}

func newLife() *life {
	running, cancel := context.WithCancel(context.Background())
	return &life{running: running, cancel: cancel, up: make(chan struct{}), failedC: make(chan struct{}),
		quiet: make(chan struct{})}
}

// beginStart asks for the start of a process, which the caller ends with starting.Done. It is false when the region
// stops: a stop that begins now waits for this start, and then finds the process.
func (l *life) beginStart() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopping {
		return false
	}
	l.starting.Add(1)
	return true
}

// beginStop returns when no process is being started, and none will be.
func (l *life) beginStop() {
	l.mu.Lock()
	l.stopping = true
	l.mu.Unlock()
	l.starting.Wait()
}

func (l *life) isStopping() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stopping
}

func (l *life) isUp() bool { return isClosed(l.up) }

// setUp says that the start has succeeded.
func (l *life) setUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.up)
}

// fail ends a start that cannot succeed. Once the region is up, faults are what it is for.
func (l *life) fail(dataDir string, err error) {
	if datadir.DiskFull(dataDir) {
		err = diskError(dataDir, syscall.ENOSPC) // the cause of whatever it was
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed == nil && !l.stopping && !l.isUp() {
		l.failed = err
		close(l.failedC)
	}
}

// awaitUp returns when everything serves, or something failed for good.
func (l *life) awaitUp(ctx context.Context) error {
	select {
	case <-l.up:
		return nil
	case <-l.failedC:
		return l.failed
	case <-l.quiet:
		return errStoppedMeanwhile
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
