package emulator

import (
	"sync"
	"time"

	"tripod/api"
)

// eventQueue calls a function for events, in their order, from a goroutine of its own: whoever writes them to a
// terminal may be held up there, by Ctrl-S for hours, and the region must not wait for that.
type eventQueue struct {
	mu     sync.Mutex
	queue  []told
	wake   chan struct{}
	ending bool
}

// told is an event, or a place in the queue that somebody waits for.
type told struct {
	event   api.Event
	reached chan struct{}
}

// start begins to tell; a nil function is told nothing.
func (q *eventQueue) start(each func(api.Event)) {
	q.wake = make(chan struct{}, 1)
	go q.run(each) // until end, which does not wait for it: each may be held up for hours
}

func (q *eventQueue) run(each func(api.Event)) {
	for {
		q.mu.Lock()
		queue, ending := q.queue, q.ending
		q.queue = nil
		q.mu.Unlock()
		for _, next := range queue {
			if next.reached != nil {
				close(next.reached)
			} else if each != nil {
				each(next.event)
			}
		}
		if len(queue) > 0 {
			continue
		}
		if ending {
			return
		}
		<-q.wake
	}
}

func (q *eventQueue) add(event api.Event) { q.push(told{event: event}) }

func (q *eventQueue) push(next told) {
	q.mu.Lock()
	q.queue = append(q.queue, next)
	q.mu.Unlock()
	q.poke()
}

// flush returns when all events so far are told, or after a second with a listener that is held up.
func (q *eventQueue) flush() {
	reached := make(chan struct{})
	q.push(told{reached: reached})
	select {
	case <-reached:
	case <-time.After(time.Second):
	}
}

func (q *eventQueue) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// end is flush for good.
func (q *eventQueue) end() {
	q.flush()
	q.mu.Lock()
	q.ending = true
	q.mu.Unlock()
	q.poke()
}
