package lb

import "sync"

// notices keeps changes in order on their way to OnChange, without a lock held and without a goroutine of its own.
type notices struct {
	mu         sync.Mutex
	queue      []TargetStatus
	delivering bool
}

func (n *notices) add(s TargetStatus) {
	n.mu.Lock()
	n.queue = append(n.queue, s)
	n.mu.Unlock()
}

// deliver hands out what is queued, unless somebody does so already: then it is done there.
func (n *notices) deliver(to func(TargetStatus)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.delivering {
		return
	}
	n.delivering = true
	for len(n.queue) > 0 {
		s := n.queue[0]
		n.queue = n.queue[1:]
		if to != nil {
			n.mu.Unlock()
			to(s)
			n.mu.Lock()
		}
	}
	n.delivering = false
}
