// Package etcdwrites sends an API server's writes to etcd again when they were lost with a member that died.
//
// A follower forwards a write to the leader. When that one dies, nobody answers any more: etcd waits for its own
// time-out, five seconds and twice the election, and says then that it does not know what became of the write. But all
// writes of an API server are conditions on one key's revision, and of two such writes at most one has an effect. So
// once a new leader is there, a write that is still under way is sent again, and where the second finds that the
// condition does not hold any more because the first had its effect, that one counts.
//
// A condition that a key is not there, of a creation, may hold again: once it was created and deleted. The first of two creations, if it is
// only late, would then bring back what somebody has deleted. So a creation is sent again only where the member that had it has ended, and
// not where it is paused or cut off, and what it holds may still come.
package etcdwrites

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/kubernetes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// attempts bounds how often a write is sent.
const attempts = 6

// pause before a write is sent again, times the attempts so far: a member that was let go is left out by then.
const pause = 10 * time.Millisecond

// Writes are those of one API server. The zero value is not useful: use New.
type Writes struct {
	kubernetes.Interface
	leases clientv3.Lease
	reads  clientv3.KV

	word time.Duration // how long a creation whose member has broken off is kept for the word that this one has ended

	mu        sync.Mutex
	era       era // ends when what was sent before may have been lost, and can be sent again
	creations era // ends when it is lost for good
}

// era is a time between two losses.
type era struct {
	context.Context
	end context.CancelFunc
}

func newEra() era {
	ctx, cancel := context.WithCancel(context.Background())
	return era{ctx, cancel}
}

// New returns the writes of a client.
func New(client *kubernetes.Client) *Writes {
	w := &Writes{Interface: client.Kubernetes, leases: client.Lease, reads: client.KV, word: 3 * time.Second}
	w.era, w.creations = newEra(), newEra()
	return w
}

// Lease is etcd's interface for leases, of which Grant is a write too.
func (w *Writes) Lease() clientv3.Lease { return grants{w.leases, w} }

// Lost tells that a member is gone, or is paused and answers nobody. It returns when a leader is there, and all that is under way is being
// sent again.
func (w *Writes) Lost(ctx context.Context, paused bool) {
	// Only a leader that a majority follows answers a linearizable read. With a member gone that is all of the others:
	// none of them forwards anything to the lost one any more.
	for wait := pause; ; wait = min(2*wait, time.Second) {
		_, err := w.reads.Get(ctx, "\x00", clientv3.WithCountOnly())
		if err == nil {
			break
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.era.end()
	w.era = newEra()
	if !paused {
		w.creations.end()
		w.creations = newEra()
	}
}

func (w *Writes) now(creates bool) era {
	w.mu.Lock()
	defer w.mu.Unlock()
	if creates {
		return w.creations
	}
	return w.era
}

// send does a write, again while it may have been lost. again says whether an earlier attempt may have had its effect.
func (w *Writes) send(ctx context.Context, creates bool, write func(ctx context.Context, again bool) error) error {
	for attempt := 1; ; attempt++ {
		era := w.now(creates)
		sending, cancel := context.WithCancel(ctx)
		release := context.AfterFunc(era, cancel)
		err := write(sending, attempt > 1)
		release()
		cancel()
		if err == nil || ctx.Err() != nil || attempt == attempts || era.Err() == nil && !lost(err) {
			return err
		}
		if era.Err() == nil {
			wait := time.Duration(attempt) * pause
			if creates {
				wait = w.word
			}
			select {
			case <-era.Done():
			case <-time.After(wait):
				if creates {
					return err
				}
			case <-ctx.Done():
				return err
			}
		}
	}
}

// ending are the words of members that end, or that saw their leader end.
var ending = []error{rpctypes.ErrStopped, rpctypes.ErrTimeoutDueToLeaderFail, rpctypes.ErrLeaderChanged}

// lost says whether the error leaves open what became of a write because a member, or the connection to it, ended.
func lost(err error) bool {
	var said rpctypes.EtcdError
	if errors.As(err, &said) {
		return slices.ContainsFunc(ending, func(known error) bool { return said.Error() == known.Error() })
	}
	return status.Code(err) == codes.Unavailable
}

// OptimisticPut is etcd's.
func (w *Writes) OptimisticPut(ctx context.Context, key string, value []byte, expected int64,
	opts kubernetes.PutOptions) (resp kubernetes.PutResponse, err error) {
	err = w.send(ctx, expected == 0, func(ctx context.Context, again bool) (err error) {
		asking := opts
		asking.GetOnFailure = opts.GetOnFailure || again
		if resp, err = w.Interface.OptimisticPut(ctx, key, value, expected, asking); err != nil || !again || resp.Succeeded {
			return err
		}
		if resp.KV != nil && resp.KV.ModRevision > expected && bytes.Equal(resp.KV.Value, value) {
			resp = kubernetes.PutResponse{Succeeded: true, Revision: resp.KV.ModRevision}
		} else if !opts.GetOnFailure {
			resp.KV = nil
		}
		return nil
	})
	return resp, err
}

// OptimisticDelete is etcd's. Of a write that was sent again the revision may be higher than that of the deletion.
func (w *Writes) OptimisticDelete(ctx context.Context, key string, expected int64,
	opts kubernetes.DeleteOptions) (resp kubernetes.DeleteResponse, err error) {
	err = w.send(ctx, false, func(ctx context.Context, again bool) (err error) {
		asking := opts
		asking.GetOnFailure = opts.GetOnFailure || again
		if resp, err = w.Interface.OptimisticDelete(ctx, key, expected, asking); err != nil || !again || resp.Succeeded {
			return err
		}
		if resp.KV == nil { // the key had that revision when the caller read it, and is gone
			resp.Succeeded = true
		} else if !opts.GetOnFailure {
			resp.KV = nil
		}
		return nil
	})
	return resp, err
}

// grants sends the grant of a lease again: one that is granted twice expires unused.
type grants struct {
	clientv3.Lease
	writes *Writes
}

// Grant is etcd's.
func (g grants) Grant(ctx context.Context, ttl int64) (granted *clientv3.LeaseGrantResponse, err error) {
	err = g.writes.send(ctx, false, func(ctx context.Context, _ bool) (err error) {
		granted, err = g.Lease.Grant(ctx, ttl)
		return err
	})
	return granted, err
}
