package logstore

import "sync"

// broadcast wakes all that wait for something to happen once more.
type broadcast struct {
	mu   sync.Mutex
	next chan struct{} // nil while nobody waits
}

// wait is closed at the next send.
func (b *broadcast) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

func (b *broadcast) send() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}
