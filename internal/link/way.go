package link

import (
	"net"
	"os"
	"sync"
	"time"
)

// most is how many bytes at most are under way, and one how many are delayed together: where the bandwidth is small, so much as passes
// in a quarter and in a tenth of a second. It assumes the lock.
func (w *way) most() (most, one int) {
	most, one = mostQueued, chunk
	if b := int(min(w.effect.Bandwidth, mostQueued*4)); b > 0 {
		most, one = min(most, max(b/4, segment)), min(one, max(b/10, segment))
	}
	return most, one
}

const (
	// chunk is how many bytes at most are delayed as one.
	chunk = 16 << 10
	// mostQueued is how many bytes at most are under way in a direction of a connection: as a socket's buffers are full some day,
	// the sender then waits.
	mostQueued = 512 << 10
)

// piece is what arrives together.
type piece struct {
	data []byte
	due  time.Time
	err  error // the end of the direction, where there are no bytes
}

// way is one direction of a connection. While nothing is wrong with it, bytes are read or written directly; else they go through its
// queue, which a goroutine fills or empties.
type way struct {
	index int // of the direction in the link: 0 is out

	mu      sync.Mutex
	effect  Effect
	changed chan struct{} // closed and made anew when anything below changes, or the effect
	queue   []piece
	size    int       // bytes in the queue
	last    time.Time // when the last piece of the queue is due
	running bool      // the goroutine is there
	ended   bool      // nothing more comes
	err     error     // why nothing passes any more
	// wake interrupts what reads directly now, and is nil at all other times. woken says that it was called.
	wake     func()
	woken    bool
	deadline time.Time // the user's
	armed    bool      // the connection itself has that deadline
	closing  bool      // the user has closed it
	writers  int       // who write directly now
}

func newWay(index int) *way { return &way{index: index, changed: make(chan struct{}), armed: true} }

// notify wakes who waits for a change; it assumes the lock.
func (w *way) notify() {
	close(w.changed)
	w.changed = make(chan struct{})
}

// set replaces the effect.
func (w *way) set(e Effect) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e == w.effect {
		return
	}
	w.effect = e
	w.interrupt()
	w.notify()
}

// interrupt wakes who reads directly, if somebody does. It assumes the lock.
func (w *way) interrupt() {
	if w.wake != nil && !w.woken {
		w.woken = true
		w.wake()
	}
}

// isDirect says whether bytes may pass by the queue; it assumes the lock.
func (w *way) isDirect() bool { return w.effect.None() && len(w.queue) == 0 && !w.running }

// enter notes that somebody reads directly, who is to be interrupted by wake when the effect changes. It assumes the lock.
func (w *way) enter(wake func()) { w.wake, w.woken = wake, false }

// leave ends that, and says whether it was interrupted. Then it calls restore, before whoever has interrupted goes on.
func (w *way) leave(restore func()) (woken bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	woken, w.wake, w.woken = w.woken, nil, false
	if woken {
		restore()
		w.notify()
	}
	return woken
}

// awaitLeft returns when nobody reads directly who was interrupted, or at a moment.
func (w *way) awaitLeft(until time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.woken {
		now := time.Now()
		if !now.Before(until) {
			return
		}
		w.sleep(now, until, time.Time{})
	}
}

// push puts a piece at the end of the queue. It assumes the lock.
func (w *way) push(l *Link, p piece) {
	p.due = time.Now()
	if w.effect.Bandwidth > 0 && len(p.data) > 0 {
		p.due = l.slot(w.index, len(p.data), w.effect.Bandwidth)
	}
	p.due = p.due.Add(w.effect.delay(len(p.data)))
	if p.due.Before(w.last) {
		p.due = w.last
	}
	w.last = p.due
	w.queue, w.size = append(w.queue, p), w.size+len(p.data)
	w.notify()
}

// head waits until the first piece of the queue is due, by the effect of then, and returns with the lock held. It returns nil when
// there is none and nobody fills the queue, and an error at the deadline, which is the user's where that counts.
func (w *way) head(userDeadline bool) (*piece, error) {
	w.mu.Lock()
	for {
		var deadline time.Time
		if userDeadline {
			deadline = w.deadline
		}
		now := time.Now()
		var next time.Time
		switch {
		case w.err != nil:
			return nil, w.err
		case len(w.queue) == 0 && (!w.running || !userDeadline):
			return nil, nil
		case !deadline.IsZero() && !deadline.After(now):
			return nil, os.ErrDeadlineExceeded
		case len(w.queue) > 0 && !w.effect.Drop:
			if w.effect.None() || !w.queue[0].due.After(now) {
				return &w.queue[0], nil
			}
			next = w.queue[0].due
		}
		w.sleep(now, next, deadline)
	}
}

// sleep waits for a change, or for the earlier of two moments. It assumes the lock, and gives it up meanwhile.
func (w *way) sleep(now, next, deadline time.Time) {
	if next.IsZero() || !deadline.IsZero() && deadline.Before(next) {
		next = deadline
	}
	changed := w.changed
	w.mu.Unlock()
	defer w.mu.Lock()
	if next.IsZero() {
		<-changed
		return
	}
	timer := time.NewTimer(next.Sub(now))
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	}
}

// take takes n bytes off the first piece, or the piece if that was all. It assumes the lock.
func (w *way) take(n int) {
	first := &w.queue[0]
	first.data = first.data[n:]
	w.size -= n
	if len(first.data) == 0 && first.err == nil {
		w.queue = w.queue[1:]
	}
	w.notify()
}

// fail ends the direction.
func (w *way) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
	w.queue, w.size = nil, 0
	w.interrupt()
	w.notify()
}

// setDeadline notes the user's deadline, and gives it to the connection itself while that is used directly.
func (w *way) setDeadline(t time.Time, arm func(time.Time) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadline, w.armed = t, false
	w.notify()
	if !w.isDirect() || w.woken {
		return nil
	}
	w.armed = true
	return arm(t)
}

// why is the error that a user is to see in place of one of the connection itself.
func (w *way) why(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil && w.err != nil {
		return w.err
	}
	return err
}

// refusal is the error of who uses a direction that has ended. It assumes the lock.
func (w *way) refusal() error {
	if w.err != nil {
		return w.err
	}
	return net.ErrClosed
}
