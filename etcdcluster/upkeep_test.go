package etcdcluster

import (
	"errors"
	"testing"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func TestAlarmOfNoSpaceStopsWritesUntilItIsDisarmed(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.start(t, 0, 1, 2)
	c.put(t, "before", "1")
	peers := c.others()
	if _, err := peers.RaiseNoSpace(t.Context(), "etcd-x"); err == nil || err.Error() != "etcd-x is no member of the cluster now" {
		t.Errorf("of nobody: %v", err)
	}
	member, err := peers.RaiseNoSpace(t.Context(), "etcd-b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.client.Put(t.Context(), "during", "2"); !errors.Is(err, rpctypes.ErrNoSpace) {
		t.Errorf("a write: %v, want that there is no space", err)
	}
	if c.get(t, "before") != "1" {
		t.Error("nothing can be read")
	}
	if raised, err := peers.HasNoSpace(t.Context(), member); err != nil || !raised {
		t.Errorf("raised: %v, %v", raised, err)
	}
	for range 2 { // again is no error
		if err := peers.Disarm(t.Context(), member); err != nil {
			t.Fatal(err)
		}
	}
	if raised, err := peers.HasNoSpace(t.Context(), member); err != nil || raised {
		t.Errorf("disarmed: %v, %v", raised, err)
	}
	c.put(t, "after", "3")
}

func TestCompactionForgetsAndDefragmentationKeeps(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1)
	c.start(t, 0)
	c.put(t, "key", "1")
	c.put(t, "key", "2")
	peers := Peers{TLS: c.tls, ClientURLs: map[string]string{"etcd-a": c.configs[0].ClientURL}}
	revision, err := peers.Compact(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.client.Get(t.Context(), "key", clientv3.WithRev(revision-1)); !errors.Is(err, rpctypes.ErrCompacted) {
		t.Errorf("an old revision: %v, want that it is compacted", err)
	}
	if err := peers.Defragment(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c.get(t, "key") != "2" {
		t.Error("the newest value is lost")
	}
}
