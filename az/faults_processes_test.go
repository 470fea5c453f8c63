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
