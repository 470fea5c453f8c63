package podhttp

import (
	"container/list"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Bounds of what is kept of requests.
const (
	mostLines = 100     // of a pod
	mostLine  = 512     // bytes
	mostBytes = 8 << 20 // of all pods' lines together
	lineCost  = 64      // bytes of a line beside its text
	rateSpan  = 10 * time.Second
)

// Line is a request that a pod has answered, in the combined log format of web servers.
type Line struct {
	Container string
	Text      string
	At        time.Time // when it was answered
}

// Traffic is what a pod has answered since it answers.
type Traffic struct {
	Requests  uint64
	PerSecond float64 // lately
	In, Out   uint64  // bytes
}

// Requests are those that pods have answered: numbers for as long as a pod lives, and each one's last lines, as long as
// there is room.
type Requests struct {
	now  func() time.Time
	tell func(types.UID, Line) // nil: nobody is told

	mu        sync.Mutex
	pods      map[types.UID]*served
	byUse     *list.List // of *served, which have lines; the front has answered last
	bytes     int
	followers map[types.UID]*followers // of pods that have some
}

// followers wait for a pod's next request.
type followers struct {
	count int
	next  chan struct{} // closed then
}

type served struct {
	lines   []Line
	bytes   int
	element *list.Element
	Traffic
	span            time.Time // when the current span began
	current, before uint64    // requests of the current span, and of the one before
}

// NewRequests returns one that has none.
func NewRequests() *Requests {
	return &Requests{now: time.Now, pods: map[types.UID]*served{}, byUse: list.New(), followers: map[types.UID]*followers{}}
}

// Tell has f told of each line, of all pods: it must be quick and may not ask for requests. It is for the time before the first one.
func (r *Requests) Tell(f func(pod types.UID, l Line)) { r.tell = f }

// add notes a request that has been answered now, and the bytes of its connection.
func (r *Requests) add(uid types.UID, l Line, in, out int64) {
	l.Text = l.Text[:min(len(l.Text), mostLine)]
	r.mu.Lock()
	defer r.mu.Unlock()
	l.At = r.now() // with the lock: whoever has read up to a time has missed nothing
	s := r.pods[uid]
	if s == nil {
		s = &served{}
		r.pods[uid] = s
	}
	s.In += uint64(in)
	s.Out += uint64(out)
	s.turn(l.At)
	s.Requests++
	s.current++
	s.lines = append(s.lines, l)
	r.grow(s, len(l.Text)+lineCost)
	if len(s.lines) > mostLines {
		r.grow(s, -len(s.lines[0].Text)-lineCost)
		s.lines = append(s.lines[:0], s.lines[1:]...)
	}
	if s.element == nil {
		s.element = r.byUse.PushFront(s)
	}
	r.byUse.MoveToFront(s.element)
	for r.bytes > mostBytes {
		r.dropLines(r.byUse.Back().Value.(*served))
	}
	if r.tell != nil {
		r.tell(uid, l)
	}
	if f := r.followers[uid]; f != nil {
		close(f.next)
		f.next = make(chan struct{})
	}
}

func (r *Requests) grow(s *served, by int) {
	s.bytes += by
	r.bytes += by
}

func (r *Requests) dropLines(s *served) {
	r.grow(s, -s.bytes)
	s.lines = nil
	if s.element != nil {
		r.byUse.Remove(s.element)
		s.element = nil
	}
}

// transferred counts the last bytes of a connection to a pod, if that has answered a request.
func (r *Requests) transferred(uid types.UID, in, out int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.pods[uid]; s != nil {
		s.In += uint64(in)
		s.Out += uint64(out)
	}
}

// turn begins a new span when the current one is over.
func (s *served) turn(now time.Time) {
	switch elapsed := now.Sub(s.span); {
	case elapsed >= 2*rateSpan:
		s.span, s.before, s.current = now, 0, 0
	case elapsed >= rateSpan:
		s.span, s.before, s.current = s.span.Add(rateSpan), s.current, 0
	}
}

// Traffic is what the pod has answered until now.
func (r *Requests) Traffic(uid types.UID, now time.Time) Traffic {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.pods[uid]
	if s == nil {
		return Traffic{}
	}
	s.turn(now)
	elapsed := now.Sub(s.span).Seconds()
	s.PerSecond = (float64(s.current) + float64(s.before)*max(0, 1-elapsed/rateSpan.Seconds())) / rateSpan.Seconds()
	return s.Traffic
}

// Follow waits for a pod's requests until end is called: what next returns is closed at the next one.
func (r *Requests) Follow(uid types.UID) (next func() <-chan struct{}, end func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.followers[uid]
	if f == nil {
		f = &followers{next: make(chan struct{})}
		r.followers[uid] = f
	}
	f.count++
	next = func() <-chan struct{} {
		r.mu.Lock()
		defer r.mu.Unlock()
		return f.next
	}
	return next, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if f.count--; f.count == 0 {
			delete(r.followers, uid)
		}
	}
}

// Lines are a container's last ones.
func (r *Requests) Lines(uid types.UID, container string) []Line {
	r.mu.Lock()
	defer r.mu.Unlock()
	var lines []Line
	if s := r.pods[uid]; s != nil {
		for _, l := range s.lines {
			if l.Container == container {
				lines = append(lines, l)
			}
		}
	}
	return lines
}

// Forget drops a pod that has gone.
func (r *Requests) Forget(uid types.UID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.pods[uid]; s != nil {
		r.dropLines(s)
		delete(r.pods, uid)
	}
}
