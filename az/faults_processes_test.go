package az

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tripod/api"
)

// played are the processes of a cluster in zone b.
type played struct {
	dir           string
	well, damaged bool
	repairs       int
	alarm         uint64
	kept          []string
	refusal       error
}

func (p *played) BreakEtcd(damage func(string) error) error {
	p.well, p.damaged = false, true
	return damage(p.dir)
}
func (p *played) EtcdIsWell() bool    { return p.well }
func (p *played) EtcdIsDamaged() bool { return p.damaged }
func (p *played) RepairEtcd(ctx context.Context) error {
	if p.refusal == nil {
		p.repairs++
		p.well, p.damaged = true, false
	}
	return errors.Join(p.refusal, ctx.Err())
}

func (p *played) RaiseNoSpace(context.Context) (uint64, error) {
	p.alarm = 0xabc
	return p.alarm, p.refusal
}
func (p *played) HasNoSpace(_ context.Context, member uint64) (bool, error) {
	return p.alarm == member, nil
}
func (p *played) Disarm(_ context.Context, member uint64) error {
	if p.refusal == nil && p.alarm == member {
		p.alarm = 0
	}
	return p.refusal
}
func (p *played) Defragment(context.Context) error {
	p.kept = append(p.kept, "defragment")
	return p.refusal
}
func (p *played) Compact(context.Context) (int64, error) { return 42, p.refusal }

func (p *played) FollowFaults(context.Context) error {
	p.kept = append(p.kept, "followed")
	return p.refusal
}

func TestFaultsOfAnAPIServerAreSideBySide(t *testing.T) {
	w := newWorld(t)
	w.inject("apiserver/b", "latency=300ms", lasting(time.Minute))
	w.inject("apiserver/b", "clock=+20m")
	w.inject("apiserver/b", "latency=1s")
	w.inject("apiserver/b", api.FaultOverloaded)
	w.wantShown("apiserver/b clock=+20m, apiserver/b latency=1s, apiserver/b overloaded")
	w.played.refusal = errors.New("connection refused")
	w.refused("is so as soon as it does: connection refused", api.FaultVerb, "apiserver/b", api.FaultCertificateExpired)
	w.played.refusal = nil
	w.reset("apiserver/b")
	w.wantShown("")
	if len(w.played.kept) != 9 {
		t.Errorf("the API server was told %d times", len(w.played.kept))
	}
}

func TestFullEtcdIsDisarmed(t *testing.T) {
	w := newWorld(t)
	w.inject("etcd/b", api.FaultNoSpace)
	w.wantShown("etcd/b nospace")
	w.inject("etcd/b", api.FaultNoSpace, lasting(time.Minute)) // again takes the place of the first
	w.wantShown("etcd/b nospace")
	w.played.refusal = errors.New("it has no leader")
	w.refused("its alarm cannot be disarmed, which a majority of the members has to do: it has no leader", api.Reset, "etcd/b", "")
	w.refused("etcd does not do that: it has no leader", api.FaultVerb, "etcd/b", api.FaultNoSpace)
	w.played.refusal = nil
	w.reset("etcd/b")
	w.wantShown("")
	if w.played.alarm != 0 {
		t.Error("the alarm is still raised")
	}
	w.inject("etcd/b", api.FaultNoSpace)
	if w.look() != lookEvery {
		t.Error("it is not looked whether the alarm is still raised")
	}
	w.played.alarm = 0 // somebody has disarmed it
	w.look()
	w.wantShown("")
}

func TestWhatEtcdDoesOnceIsNoFaultInForce(t *testing.T) {
	w := newWorld(t)
	if done := w.inject("etcd/b", api.FaultCompact); !done.Final ||
		done.Said != "and the other members have forgotten all revisions before 42" {
		t.Errorf("done: %+v", done)
	}
	if done := w.inject("etcd/b", api.FaultDefragment); !done.Final || len(w.played.kept) != 1 {
		t.Errorf("done: %+v", done)
	}
	w.wantShown("")
}

func TestEtcdThatLostItsDataIsReplaced(t *testing.T) {
	w := newWorld(t)
	w.played.dir = filepath.Join(t.TempDir(), "etcd")
	if err := os.Mkdir(w.played.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	w.refused("this is another one", api.FaultVerb, "etcd/a", api.FaultDataLost)
	w.refused("there is no zone", api.FaultVerb, "etcd/x", api.FaultDataLost)
	w.refused("its clusters are demo", api.FaultVerb, "etcd/b", api.FaultDataLost, inCluster("other"))
	if done := w.inject("etcd/us-east-1b", api.FaultDataLost); done.Target != "etcd/b" || done.Cluster != "demo" {
		t.Errorf("done: %+v", done)
	}
	if _, err := os.Stat(w.played.dir); !os.IsNotExist(err) {
		t.Errorf("the data is still there: %v", err)
	}
	w.wantShown("etcd/b data-lost")
	w.refused("'tripod heal etcd/b' replaces it", api.FaultVerb, "etcd/b", api.FaultDataCorrupt)
	w.played.refusal = errors.New("etcd/b cannot be replaced now")
	w.refused("etcd/b cannot be replaced now", api.Reset, "etcd/b", "")
	w.wantShown("etcd/b data-lost")
	w.played.refusal = nil
	w.reset("etcd/b")
	w.wantShown("")
	if w.played.repairs != 1 {
		t.Errorf("it was replaced %d times", w.played.repairs)
	}
	w.played.well, w.played.damaged = false, true // by somebody's hand: no record tells of it
	w.reset("etcd/b")
	w.played.well = false // it is down for another reason
	w.reset("etcd/b")
	if w.played.repairs != 2 {
		t.Errorf("it was replaced %d times", w.played.repairs)
	}
}

func TestRepairGoesOnWhenNobodyWaitsForIt(t *testing.T) {
	w := newWorld(t)
	w.inject("etcd/b", api.FaultDataLost)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.repair(gone, w.played); err != nil || w.played.repairs != 1 {
		t.Errorf("replaced %d times: %v", w.played.repairs, err)
	}
}

func TestFaultsOfAZonesProcessesAreItsOwnToEnd(t *testing.T) {
	w := newWorld(t)
	w.inject("etcd/b", api.FaultDataLost, lasting(time.Minute))
	w.inject("aws/sts:*", api.FaultThrottle)
	if again, err := w.keep(t.Context(), w.isOwn); err != nil || again != lookEvery {
		t.Errorf("looked at again after %v, %v", again, err)
	}
	w.at = w.at.Add(time.Minute)
	elsewhere := *w.recordFaults
	elsewhere.letter = "c"
	if _, err := elsewhere.keep(t.Context(), elsewhere.isOwn); err != nil {
		t.Fatal(err)
	}
	w.wantShown("aws/sts:* throttle, etcd/b data-lost")
	if _, err := w.keep(t.Context(), w.isOwn); err != nil {
		t.Fatal(err)
	}
	w.wantShown("aws/sts:* throttle")
	w.inject("etcd/b", api.FaultDataLost)
	w.played.well = true // repaired by hand
	if _, err := w.keep(t.Context(), w.isOwn); err != nil {
		t.Fatal(err)
	}
	w.wantShown("aws/sts:* throttle")
}
