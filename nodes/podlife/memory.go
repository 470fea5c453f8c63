package podlife

import (
	"maps"
	"time"
)

// Memory is what a kubelet knows of a pod beyond its status, and forgets when it starts anew.
type Memory struct {
	Ending *ending

	mount, sandbox retry
	asking         retry // for what is not known
	containers     map[string]containerMemory
}

// ending is why a pod's containers are stopped, other than by the deletion of its object.
type ending struct {
	since           time.Time // when it began; zero: not yet
	reason, message string    // of the pod's status
	disruption      bool      // the condition DisruptionTarget is to say so
	grace           *int64    // seconds; nil: the pod's own
}

// containerMemory is of one container.
type containerMemory struct {
	until  time.Time // when what is being done ends: a pull, or a creation
	pulled bool      // the image is there: what is being done is the creation

	started  time.Time // exactly, of the run that the status shows
	ready    time.Time // when the startup probe had succeeded
	stopping time.Time // when it began to be stopped, to be restarted
	killing  string    // why: the event's message was sent

	pulls     retry // of its image
	config    retry // of its configuration
	base      int32 // restarts before the last run that was long enough to forget them
	backedOff int32 // the failed pull whose back-off was told
	told      int32 // the restart whose back-off was told
	probes    [3]probeMemory
}

// retry counts failures of one kind.
type retry struct {
	failed int       // in a row
	next   time.Time // when it is tried again
	since  time.Time // the first failure
}

func (m *Memory) clone() *Memory {
	if m == nil {
		return &Memory{}
	}
	c := *m
	c.containers = maps.Clone(m.containers)
	if m.Ending != nil {
		e := *m.Ending
		c.Ending = &e
	}
	return &c
}

// tidy is what is worth to be kept, or nil.
func (m *Memory) tidy() *Memory {
	for name, c := range m.containers {
		if c == (containerMemory{}) {
			delete(m.containers, name)
		}
	}
	if len(m.containers) == 0 {
		m.containers = nil
		if m.Ending == nil && m.mount == (retry{}) && m.sandbox == (retry{}) && m.asking == (retry{}) {
			return nil
		}
	}
	return m
}

// of is what is known of a container.
func (m *Memory) of(container string) containerMemory { return m.containers[container] }

func (m *Memory) put(container string, c containerMemory) {
	if c == (containerMemory{}) {
		delete(m.containers, container)
		return
	}
	if m.containers == nil {
		m.containers = map[string]containerMemory{}
	}
	m.containers[container] = c
}

// fail counts one more failure and says when to try again: after first, doubling up to most.
func (r *retry) fail(now time.Time, first, most time.Duration) {
	if r.failed == 0 {
		r.since = now
	}
	r.next = now.Add(doubled(first, most, r.failed))
	r.failed++
}

// doubled is first, doubled n times, at most most.
func doubled(first, most time.Duration, n int) time.Duration {
	for ; n > 0 && first < most; n-- {
		first *= 2
	}
	return min(first, most)
}
