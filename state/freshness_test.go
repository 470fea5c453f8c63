package state

import (
	"context"
	"fmt"
	"testing"
)

func TestWriteIsReadThroughEveryZoneAtOnce(t *testing.T) {
	r := startRegion(t)
	for n := range 60 {
		writer := r.peers[n%3].Zone
		want := fmt.Sprint("write ", n)
		put(t, r.voters[writer], "x", want)
		for zone, v := range r.voters {
			if got := arn(v, "x"); got != want {
				t.Fatalf("written through %s, %s reads %q, want %q", writer, zone, got, want)
			}
		}
	}
}

func TestWriteDoesNotNeedTheZonesThatAreGone(t *testing.T) {
	r := startRegion(t)
	gone := r.followers(r.agree(t))[0]
	put(t, r.voters[gone], "x", "before")
	r.voters[gone].Kill()
	for _, zone := range r.followers(gone) {
		put(t, r.voters[zone], "x", "after")
		for _, other := range r.followers(gone) {
			if got := arn(r.voters[other], "x"); got != "after" {
				t.Errorf("written through %s, %s reads %q", zone, other, got)
			}
		}
	}
	if err := r.voters[gone].Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.voters[gone].CatchUp(t.Context())
	if got := arn(r.voters[gone], "x"); got != "after" {
		t.Errorf("the zone that was gone reads %q when it has caught up", got)
	}
}

func TestFollowerOfASilentLeaderLagsUntilThereIsAnother(t *testing.T) {
	r := startRegion(t)
	leader := r.agree(t)
	cut := r.followers(leader)[0]
	if r.voters[cut].Lags() || r.voters[leader].Lags() {
		t.Error("a voter of a region that is well lags")
	}
	r.isolate(cut)
	eventually(t, func() error {
		if v := r.voters[cut]; v.Leader() == leader && !v.Lags() {
			return fmt.Errorf("%s takes %s for its leader, and its copy for new", cut, v.Leader())
		}
		return nil
	})
	r.heal()
	eventually(t, func() error {
		if v := r.voters[cut]; v.Leader() == "" || v.Lags() {
			return fmt.Errorf("%s lags still", cut)
		}
		return nil
	})
}

func TestCatchUpEndsWithNobodyToAsk(t *testing.T) {
	r := startRegion(t)
	put(t, r.voters["a"], "x", "kept")
	for _, v := range r.voters {
		v.Kill()
	}
	r.voters["b"].CatchUp(context.Background())
	if err := r.voters["b"].Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	r.voters["b"].CatchUp(context.Background())
	if got := arn(r.voters["b"], "x"); got != "kept" {
		t.Errorf("got %q, want kept", got)
	}
}
