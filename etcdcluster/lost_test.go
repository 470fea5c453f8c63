package etcdcluster

import (
	"slices"
	"sync"
	"testing"
)

// patientTimers let nobody guess at a leader's death as long as a test waits for another one.
var patientTimers = Timers{Heartbeat: 500, Election: 10000}

// kill ends a member as SIGKILL does: it hands nothing over.
func (c *trio) kill(i int) {
	m := c.members[i]
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cancel()
	m.watcher.Wait()
	m.etcd.Server.HardStop()
	m.etcd.Close()
	m.etcd = nil
}

// TestToldLossOfLeaderNeedsNoTimeOut, whoever of the survivors goes first.
func TestToldLossOfLeaderNeedsNoTimeOut(t *testing.T) {
	t.Parallel()
	for _, ranks := range [][2]int{{0, 1}, {1, 0}} {
		c := newCluster(t, 3)
		for i := range c.members {
			c.configs[i].Timers = patientTimers
			c.renew(i)
		}
		c.start(t, 0, 1, 2)
		lost := c.leader(t, 0, 1, 2)
		c.put(t, "before", "1")
		c.kill(lost)
		left := slices.DeleteFunc([]int{0, 1, 2}, func(i int) bool { return i == lost })
		var told sync.WaitGroup
		for i, member := range left {
			told.Go(func() { c.members[member].Lost(t.Context(), c.configs[lost].Name, ranks[i]) })
		}
		told.Wait()
		c.leader(t, left...)
		c.put(t, "after", "2")
	}
}
