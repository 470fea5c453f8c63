package instance

import (
	"slices"
	"sync"
	"time"
)

// sameLeader is how long after a suspension the leader of before is no news.
const sameLeader = 30 * time.Second

// FormerLeads are what led before a suspension: that it leads again is no news.
type FormerLeads struct {
	mu    sync.Mutex
	leads []string
	until time.Time // zero: no end is known yet
}

// Note keeps what leads now, as a suspension begins.
func (f *FormerLeads) Note(leads ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.leads, f.until = leads, time.Time{}
}

// Forget says that the suspension is over: soon a leader is news again.
func (f *FormerLeads) Forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.until = time.Now().Add(sameLeader)
}

// Returns says whether that led before the suspension, and forgets it.
func (f *FormerLeads) Returns(what string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.Index(f.leads, what)
	if i < 0 || !f.until.IsZero() && time.Now().After(f.until) {
		return false
	}
	f.leads = slices.Delete(f.leads, i, i+1)
	return true
}
