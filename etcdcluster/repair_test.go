package etcdcluster

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"tripod/internal/sleep"
)

// damaged is a cluster of three that has some keys, and of which one member's data is damaged.
func damaged(t *testing.T, damage func(string) error) *trio {
	t.Helper()
	c := newCluster(t, 3)
	c.start(t, 0, 1, 2)
	for i := range 10 {
		c.put(t, fmt.Sprintf("before-%d", i), "1")
	}
	c.kill(1)
	if err := damage(c.configs[1].Dir); err != nil {
		t.Fatal(err)
	}
	c.put(t, "during", "2")
	return c
}

// refuses checks that the damaged member does not start, with a part of the reason.
func (c *trio) refuses(t *testing.T, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := c.renew(1).Start(ctx); err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("the member started: %v, want %q", err, want)
	}
}

// others are all members but the damaged one.
func (c *trio) others() Peers {
	return Peers{TLS: c.tls, ClientURLs: map[string]string{"etcd-a": c.configs[0].ClientURL, "etcd-c": c.configs[2].ClientURL}}
}

// same checks that all members have the same data, that of the test.
func (c *trio) same(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	newest, err := c.client.Get(ctx, "before-0")
	if err != nil {
		t.Fatal(err)
	}
	hashes := map[uint32]bool{}
	for _, config := range c.configs {
		one, err := clientv3.New(clientv3.Config{Endpoints: []string{config.ClientURL}, TLS: c.tls})
		if err != nil {
			t.Fatal(err)
		}
		defer one.Close()
		if all, err := one.Get(ctx, "", clientv3.WithFromKey()); err != nil || all.Count != 12 { // up to what is committed
			t.Errorf("%s has %v, %v, want 12 keys", config.Name, all, err)
		}
		hash, err := one.HashKV(ctx, config.ClientURL, newest.Header.Revision)
		if err != nil {
			t.Fatal(err)
		}
		hashes[hash.Hash] = true
	}
	if len(hashes) != 1 {
		t.Errorf("the members' hashes are %v", hashes)
	}
}

// standing is what a cluster says of a member of a name.
type standing struct {
	id      uint64 // 0: it is no member
	learner bool
}

func standingOf(t *testing.T, peers Peers, name string) (s standing) {
	t.Helper()
	err := peers.with(t.Context(), func(ctx context.Context, client *clientv3.Client) error {
		list, err := client.MemberList(ctx)
		if err != nil {
			return err
		}
		for _, one := range list.Members {
			if one.Name == name {
				s = standing{one.ID, one.IsLearner}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDamagedMemberIsReplaced(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		damage func(string) error
		want   string
	}{
		"lost":    {LoseData, "its data is lost, and without it it must not be member"},
		"corrupt": {CorruptData, "crc mismatch"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trio := damaged(t, c.damage)
			trio.refuses(t, c.want)
			peers, here := trio.others(), trio.configs[1].Members["etcd-b"]
			before := standingOf(t, peers, "etcd-b")
			if err := peers.CheckServe(t.Context()); err != nil || before.id == 0 {
				t.Fatalf("before: %v, %v", before, err)
			}
			var said []string
			say := func(text string) { said = append(said, text) }
			wipe := func() error { return os.RemoveAll(trio.configs[1].Dir) }
			for range 2 { // as after a break in the middle
				if err := peers.Replace(t.Context(), here, say, wipe); err != nil {
					t.Fatal(err)
				}
			}
			started := make(chan error)
			go func() { started <- trio.renew(1).Start(t.Context()) }()
			if err := peers.Promote(t.Context(), here, say, func() error { return nil }); err != nil {
				t.Fatal(err)
			}
			if err := <-started; err != nil {
				t.Fatal(err)
			}
			trio.put(t, "after", "3")
			trio.same(t)
			if after := standingOf(t, peers, "etcd-b"); after.id == before.id || after.learner || len(said) < 5 {
				t.Errorf("after: %v; said %q", after, said)
			}
		})
	}
}

// TestLostMemberIsRepairedByHand, with etcd's own client and nothing of Tripod's.
func TestLostMemberIsRepairedByHand(t *testing.T) {
	t.Parallel()
	c := damaged(t, LoseData)
	c.refuses(t, "'tripod heal etcd/b'")
	list, err := c.client.MemberList(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, member := range list.Members {
		if member.Name == "etcd-b" {
			if _, err := c.client.MemberRemove(t.Context(), member.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.refuses(t, "it was removed from the cluster: add it as a learner")
	var learner uint64
	untilDone(t, "add a learner", func(ctx context.Context) error { // the others have to have been connected for some time
		added, err := c.client.MemberAddAsLearner(ctx, []string{c.configs[1].Members["etcd-b"]})
		if err == nil {
			learner = added.Member.ID
		}
		return err
	})
	started := make(chan error)
	go func() { started <- c.renew(1).Start(t.Context()) }()
	untilDone(t, "promote it", func(ctx context.Context) error {
		_, err := c.client.MemberPromote(ctx, learner)
		return err
	})
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	c.put(t, "after", "3")
	c.same(t)
}

// untilDone does it again and again until it is no error, for 30 seconds.
func untilDone(t *testing.T, what string, do func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		err := do(ctx)
		if err == nil {
			return
		}
		if sleep.For(ctx, 50*time.Millisecond) != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// TestLostMemberThatIsAloneDoesNotBegin a cluster of its own.
func TestLostMemberThatIsAloneDoesNotBegin(t *testing.T) {
	t.Parallel()
	c := damaged(t, LoseData)
	c.kill(0)
	c.kill(2)
	c.refuses(t, "no other member answers that knows whether it was added anew")
	if err := c.others().CheckServe(t.Context()); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("the others serve: %v", err)
	}
}
