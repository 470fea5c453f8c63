package emulator

import (
	"context"
	"slices"
	"sync"
	"time"

	"tripod/api"
)

// tellGateways keeps the zones' gateways from waiting for what is paused. Processes that died refuse by themselves.
func (v *supervisor) tellGateways() {
	names := []string{}
	for _, z := range v.zones {
		is := z.status()
		if is.paused {
			names = append(names, z.name)
		}
		for _, instance := range is.agent.Instances {
			if instance.State == api.StatePaused {
				names = append(names, instance.Target)
			}
		}
	}
	slices.Sort(names)
	same := slices.Equal(names, v.unreachable.swap(names)) || v.life.isStopping()
	if same {
		return
	}
	for _, z := range v.zones {
		if z.reachable() == nil {
			v.life.wait.Go(func() { v.tellGateway(z) })
		}
	}
}

// tellGateway tells the newest there is, so that orders that overtake each other do no harm.
func (v *supervisor) tellGateway(z *zone) {
	z.notice.Lock()
	defer z.notice.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := z.agent().SetUnreachable(ctx, v.unreachable.get()); err != nil {
		v.logger.Warn("tell gateway", "az", z.name, "error", err)
	}
}

// names is a list that is set and read as a whole.
type names struct {
	mu   sync.Mutex
	list []string
}

// swap sets the list and returns the one before.
func (n *names) swap(list []string) (before []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	before, n.list = n.list, list
	return before
}

func (n *names) get() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.list)
}
