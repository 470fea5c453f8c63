package lb

import "net"

// leg is a flow's way to one target.
type leg struct {
	f    *flow
	t    *target
	gen  uint64 // of the target when it was picked
	conn net.Conn
}

// attach makes the leg known to its target, so that it is cut when the target dies. It refuses if the target has gone
// down since it was picked.
func (f *flow) attach(l *leg) bool {
	b, t := f.b, l.t
	b.mu.Lock()
	defer b.mu.Unlock()
	if t.held != "" || t.gen != l.gen && !t.up {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.killed {
		return false
	}
	f.leg = l
	t.legs[l] = struct{}{}
	t.total.Add(1)
	return true
}

func (f *flow) detach(l *leg) {
	_ = l.conn.Close()
	b, t := f.b, l.t
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(t.legs, l)
	if len(t.legs) == 0 && t.drained != nil {
		close(t.drained)
		t.drained = nil
	}
	f.mu.Lock()
	f.leg = nil
	f.mu.Unlock()
}

// cut takes the client off a target that was found dead: to another target if nothing has happened yet, else by a
// reset, so that it notices at once rather than after its own time-outs.
func (l *leg) cut() {
	f := l.f
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.leg != l: // it has moved on by itself
	case f.committed:
		f.abort(l)
	default:
		reset(l.conn)
	}
}
