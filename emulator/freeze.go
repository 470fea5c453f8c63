package emulator

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"tripod/internal/process"
)

// freezer stops all zones at one moment, and lets them go on.
type freezer struct {
	life  *life
	zones zones
	still sync.RWMutex // held while all zones are frozen, and to read while it is looked whether one is paused
}

// frozen is a region in which no process of a zone runs, by SIGSTOP.
type frozen struct {
	by        *freezer
	processes *process.Frozen
	since     time.Time
	once      sync.Once
	lasted    time.Duration
	err       error
}

// freezeLimit is how long processes may take to stop. A write to a slow disk has to end first.
const freezeLimit = 2 * time.Second

// freeze stops all processes of all zones at one moment, and it is nobody's fault: no pause is noticed, told or undone,
// and what was paused before stays so after. The region's own process runs on. Until thaw, which every freeze must come
// to, no verb takes effect, and a stop of the region waits; a freeze waits for the verbs that are under way.
func (r *freezer) freeze(ctx context.Context) (*frozen, error) {
	if !r.life.isUp() {
		return nil, errNotUp
	}
	for _, z := range r.zones { // nobody else holds more than one
		z.verbs.Lock()
	}
	r.still.Lock()
	f := &frozen{by: r, since: time.Now()}
	if r.life.isStopping() {
		f.unlock()
		return nil, errStopping
	}
	var agents []int
	for _, z := range r.zones {
		if child := z.status().child; child != nil {
			agents = append(agents, child.PID())
		}
	}
	waiting, cancel := context.WithTimeoutCause(ctx, freezeLimit, errors.New("they take too long"))
	defer cancel()
	processes, err := process.Freeze(waiting, agents)
	if err != nil {
		f.unlock()
		return nil, fmt.Errorf("the zones cannot be stopped for a moment: %w: try again", err)
	}
	f.processes = processes
	return f, nil
}

// thaw lets the processes go on that freeze has stopped, and says how long they stood still. Only the first call
// counts.
func (f *frozen) thaw() (time.Duration, error) {
	f.once.Do(func() {
		f.err = f.processes.Thaw()
		f.lasted = time.Since(f.since)
		f.unlock()
	})
	return f.lasted, f.err
}

// holds says whether still none of them runs.
func (f *frozen) holds() bool { return f.processes.Holds() }

func (f *frozen) unlock() {
	f.by.still.Unlock()
	for _, z := range f.by.zones {
		z.verbs.Unlock()
	}
}
