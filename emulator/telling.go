package emulator

import (
	"sync"
	"time"

	"tripod/api"
)

// telling calls a function for events, in their order, from a goroutine of its own: whoever writes them to a terminal may be
// held up there, by Ctrl-S for hours, and the region must not wait for that.
type telling struct {
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
func (t *telling) start(each func(api.Event)) {
	t.wake = make(chan struct{}, 1)
	go t.run(each) // until end
}

func (t *telling) run(each func(api.Event)) {
	for {
		t.mu.Lock()
		queue, ending := t.queue, t.ending
		t.queue = nil
		t.mu.Unlock()
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
		<-t.wake
	}
}

func (t *telling) add(event api.Event) { t.push(told{event: event}) }

func (t *telling) push(next told) {
	t.mu.Lock()
	t.queue = append(t.queue, next)
	t.mu.Unlock()
	t.poke()
}

// flush returns when all events so far are told, or after a second with a listener that is held up.
func (t *telling) flush() {
	reached := make(chan struct{})
	t.push(told{reached: reached})
	select {
	case <-reached:
	case <-time.After(time.Second):
	}
}

func (t *telling) poke() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// end is flush for good.
func (t *telling) end() {
	t.flush()
	t.mu.Lock()
	t.ending = true
	t.mu.Unlock()
	t.poke()
}
