package state

import (
	"context"
	"fmt"
	"net"
	"testing"
)

// kept are a voter's idle connections to the leader.
func kept(v *Voter) (conns []net.Conn) {
	f := &v.running().forwards
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, one := range f.idle {
		conns = append(conns, one.conn)
	}
	return conns
}

func TestForwardedChangesShareAConnection(t *testing.T) {
	r := startRegion(t)
	v := r.voters[r.followers(r.agree(t))[0]]
	put(t, v, "x", "1")
	first := kept(v)
	put(t, v, "x", "2")
	if again := kept(v); len(first) != 1 || len(again) != 1 || first[0] != again[0] {
		t.Errorf("the first change left %d connections, the second %d: want the same one", len(first), len(again))
	}
}

func TestForwardOverAConnectionThatWasCutDialsAgain(t *testing.T) {
	r := startRegion(t)
	v := r.voters[r.followers(r.agree(t))[0]]
	put(t, v, "x", "1")
	for _, conn := range kept(v) {
		conn.(*portConn).raw.Close()
	}
	put(t, v, "x", "2")
	if got := arn(v, "x"); got != "2" {
		t.Errorf("got %q, want 2", got)
	}
}

func TestForwardsGoToTheNewLeader(t *testing.T) {
	r := startRegion(t)
	old := r.agree(t)
	for _, zone := range r.followers(old) {
		put(t, r.voters[zone], zone, "before")
	}
	r.voters[old].Kill()
	leader := r.agree(t)
	for _, zone := range r.followers(old) {
		put(t, r.voters[zone], zone, "after")
	}
	for _, zone := range r.followers(old) {
		f := &r.voters[zone].running().forwards
		if zone != leader && f.zone != leader {
			t.Errorf("zone %s keeps connections to %q, want %q", zone, f.zone, leader)
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	r := startRegion(b)
	leader := r.agree(b)
	for name, zone := range map[string]string{"on the leader": leader, "forwarded": r.followers(leader)[0]} {
		b.Run(name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				n++
				if err := r.voters[zone].Update(context.Background(), func(tx *Txn) error {
					users.Put(tx, "x", user{ARN: fmt.Sprint(n)})
					return nil
				}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
