package kubeletapi

import (
	"container/heap"
	"time"
)

// schedule has the pods whose logs are to be looked at, the first one first: a heap.
type schedule []*podLog

func (s schedule) Len() int           { return len(s) }
func (s schedule) Less(i, j int) bool { return s[i].at.Before(s[j].at) }

func (s schedule) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].place, s[j].place = i, j
}

func (s *schedule) Push(x any) {
	p := x.(*podLog)
	p.place = len(*s)
	*s = append(*s, p)
}

func (s *schedule) Pop() any {
	last := (*s)[len(*s)-1]
	(*s)[len(*s)-1] = nil
	*s = (*s)[:len(*s)-1]
	last.place, last.at = -1, time.Time{}
	return last
}

// schedule has a pod looked at by then. It assumes the lock.
func (f *logFiles) schedule(p *podLog, at time.Time) {
	switch {
	case p.place < 0:
		p.at = at
		heap.Push(&f.due, p)
	case at.Before(p.at):
		p.at = at
		heap.Fix(&f.due, p.place)
	default:
		return
	}
	if p.place == 0 {
		select {
		case f.wake <- struct{}{}:
		default: // it wakes already
		}
	}
}

// take are the pods that are to be looked at now.
func (f *logFiles) take(now time.Time) (pods []*podLog) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.due) > 0 && !f.due[0].at.After(now) {
		pods = append(pods, heap.Pop(&f.due).(*podLog))
	}
	return pods
}

// next is when there is something to do again; false: only when something happens.
func (f *logFiles) next() (time.Time, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.due) == 0 {
		return time.Time{}, false
	}
	return f.due[0].at, true
}

// forget drops what is known of a pod. It assumes the lock.
func (f *logFiles) forget(p *podLog) {
	if p.place >= 0 {
		heap.Remove(&f.due, p.place)
	}
	delete(f.pods, p.uid)
}
