package etcdcluster

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"tripod/internal/sleep"
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

// TestWrongWordOfALossLosesNothing: the leader that is called lost lives, is asked and answers. Two are told at once, again and again, so
// that leaders change under the writes.
func TestWrongWordOfALossLosesNothing(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	for i := range c.members {
		c.configs[i].Timers = patientTimers
		c.renew(i)
	}
	c.start(t, 0, 1, 2)
	c.leader(t, 0, 1, 2)
	c.put(t, "count", "0")
	telling, stop := context.WithCancel(t.Context())
	var tellers, writers sync.WaitGroup
	for i, member := range c.members {
		tellers.Go(func() {
			for n := i; telling.Err() == nil; n++ {
				for other := range c.leads {
					if c.leads[other].Load() && other != i {
						member.Lost(telling, c.configs[other].Name, n%2)
					}
				}
				sleep.For(telling, 100*time.Millisecond)
			}
		})
	}
	var acknowledged, unknown atomic.Int64
	patience := time.Now().Add(time.Minute)
	for range 3 {
		writers.Go(func() {
			for n := 0; n < 5 || acknowledged.Load() == 0 && time.Now().Before(patience); n++ { // elections take long on a busy machine
				if done, err := c.increment(t.Context()); err != nil {
					unknown.Add(1)
				} else if done {
					acknowledged.Add(1)
				}
			}
		})
	}
	writers.Wait()
	stop()
	tellers.Wait()
	counted, err := strconv.ParseInt(c.get(t, "count"), 10, 64)
	if err != nil || counted < acknowledged.Load() || counted > acknowledged.Load()+unknown.Load() {
		t.Errorf("%d writes count, of %d acknowledged and %d of unknown outcome (%v)", counted, acknowledged.Load(), unknown.Load(), err)
	}
	if acknowledged.Load() == 0 {
		t.Error("nothing was acknowledged")
	}
}

// increment counts one up from what it reads; done is false where another has counted meanwhile.
func (c *trio) increment(ctx context.Context) (done bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	read, err := c.client.Get(ctx, "count")
	if err != nil {
		return false, nil // it has written nothing
	}
	was := read.Kvs[0]
	n, err := strconv.ParseInt(string(was.Value), 10, 64)
	if err != nil {
		return false, err
	}
	written, err := c.client.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision("count"), "=", was.ModRevision)).
		Then(clientv3.OpPut("count", strconv.FormatInt(n+1, 10))).Commit()
	return err == nil && written.Succeeded, err
}
