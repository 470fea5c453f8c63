package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestWritesThroughAnyZoneReachAll(t *testing.T) {
	r := startRegion(t)
	for zone, v := range r.voters {
		put(t, v, zone, "through "+zone)
		if got, want := arn(v, zone), "through "+zone; got != want {
			t.Errorf("zone %s does not read its own write: got %q", zone, got)
		}
	}
	for _, v := range r.voters {
		for zone := range r.voters {
			wantARN(t, v, zone, "through "+zone)
		}
	}
}

func TestWriteSurvivesLossOfLeader(t *testing.T) {
	r := startRegion(t)
	leader := r.agree(t)
	put(t, r.voters[leader], "x", "before")
	r.voters[leader].Kill()
	for _, zone := range r.followers(leader) {
		wantARN(t, r.voters[zone], "x", "before")
		put(t, r.voters[zone], "y-"+zone, "after")
	}
	if next := r.agree(t); next == leader {
		t.Errorf("zone %s still leads", leader)
	}
}

func TestConcurrentUpdatesFromAllZonesLoseNothing(t *testing.T) {
	r := startRegion(t)
	const each = 8
	var wg sync.WaitGroup
	for _, v := range r.voters {
		wg.Go(func() {
			for range each {
				if err := v.Update(context.Background(), func(tx *Txn) error {
					c, _ := counters.Get(tx, "c")
					c.Count++
					counters.Put(tx, "c", c)
					return nil
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for zone, v := range r.voters {
		eventually(t, func() (err error) {
			v.View(func(tx *Txn) error {
				if c, _ := counters.Get(tx, "c"); c.Count != 3*each {
					err = fmt.Errorf("zone %s counts %d, want %d", zone, c.Count, 3*each)
				}
				return nil
			})
			return err
		})
	}
}

func TestWithoutQuorumReadsAnswerAndWritesSaySo(t *testing.T) {
	r := startRegion(t)
	put(t, r.voters["c"], "x", "kept")
	r.voters["a"].Kill()
	r.voters["b"].Kill()
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	err := r.voters["c"].Update(ctx, func(tx *Txn) error { users.Put(tx, "y", user{}); return nil })
	if !errors.Is(err, ErrNoQuorum) {
		t.Errorf("Update: got %v, want ErrNoQuorum", err)
	}
	if got := arn(r.voters["c"], "x"); got != "kept" {
		t.Errorf("View: got %q, want kept", got)
	}
	if err := r.voters["c"].Update(ctx, func(tx *Txn) error { return errTest }); !errors.Is(err, errTest) {
		t.Errorf("the function's error: got %v", err)
	}
}

func TestVoterThatRestartsAloneAnswersWithWhatItKnew(t *testing.T) {
	r := startRegion(t)
	put(t, r.voters["c"], "x", "kept")
	for _, v := range r.voters {
		v.Kill()
	}
	if err := r.voters["c"].Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := arn(r.voters["c"], "x"); got != "kept" {
		t.Errorf("got %q, want kept", got)
	}
}

func TestVoterThatWasAwayCatchesUp(t *testing.T) {
	r := startRegion(t)
	away := r.followers(r.agree(t))[0]
	r.voters[away].Kill()
	others := r.followers(away)
	put(t, r.voters[others[0]], "x", "missed")
	if err := r.voters[away].Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	wantARN(t, r.voters[away], "x", "missed")
	put(t, r.voters[away], "y", "own")
}

func TestVoterWithLostDiskReturns(t *testing.T) {
	r := startRegion(t)
	lost := r.followers(r.agree(t))[0]
	put(t, r.voters[lost], "x", "kept")
	r.voters[lost].Kill()
	if err := os.RemoveAll(filepath.Join(r.dir, lost)); err != nil {
		t.Fatal(err)
	}
	if err := r.voters[lost].Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	wantARN(t, r.voters[lost], "x", "kept")
	put(t, r.voters[lost], "y", "own")
}

func TestVoterWithLostDiskIsSentASnapshot(t *testing.T) {
	r := startRegion(t)
	leader := r.agree(t)
	lost := r.followers(leader)[0]
	r.voters[lost].Kill()
	put(t, r.voters[leader], "x", "kept")
	l := r.voters[leader].running()
	rc := l.raft.ReloadableConfig()
	rc.TrailingLogs = 0
	if err := l.raft.ReloadConfig(rc); err != nil {
		t.Fatal(err)
	}
	// Only a segment that holds nothing else is deleted: the snapshot must cover the whole log.
	eventually(t, func() error {
		l.raft.Snapshot().Error()
		if stats := l.raft.Stats(); stats["last_snapshot_index"] != stats["last_log_index"] {
			return fmt.Errorf("snapshot at %s, log at %s", stats["last_snapshot_index"], stats["last_log_index"])
		}
		return nil
	})
	if err := os.RemoveAll(filepath.Join(r.dir, lost)); err != nil {
		t.Fatal(err)
	}
	if err := r.voters[lost].Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	wantARN(t, r.voters[lost], "x", "kept")
	if snaps, err := r.voters[lost].running().disk.snapshots.List(); err != nil || len(snaps) == 0 {
		t.Errorf("the voter has no snapshot (%v)", err)
	}
	r.voters[lost].Kill()
	if err := r.voters[lost].Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := arn(r.voters[lost], "x"); got != "kept" {
		t.Errorf("after a restart from the snapshot: got %q, want kept", got)
	}
}

func TestIsolatedLeaderIsReplacedAndRejoins(t *testing.T) {
	r := startRegion(t)
	old := r.agree(t)
	others := r.followers(old)
	r.isolate(old)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	err := r.voters[old].Update(ctx, func(tx *Txn) error { users.Put(tx, "x", user{ARN: "lost"}); return nil })
	if !errors.Is(err, ErrNoQuorum) {
		t.Errorf("Update on the isolated leader: got %v, want ErrNoQuorum", err)
	}
	put(t, r.voters[others[0]], "x", "won")
	r.heal()
	wantARN(t, r.voters[old], "x", "won")
	put(t, r.voters[old], "y", "back")
}

func TestProposalSentTwiceIsAppliedOnce(t *testing.T) {
	r := startRegion(t)
	leader := r.agree(t)
	v := r.voters[r.followers(leader)[0]]
	p := proposal{ID: "twice", Writes: []recordOrDelete{{"user", "x", json.RawMessage(`{"arn":"1"}`)}}}
	first, err := v.propose(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	put(t, v, "x", "2")
	again, err := v.propose(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	if first != again {
		t.Errorf("first %+v, then %+v", first, again)
	}
	if got := arn(v, "x"); got != "2" {
		t.Errorf("the second copy was applied too: got %q", got)
	}
}

func TestStoppingLeaderHandsOver(t *testing.T) {
	r := newTestRegion(t)
	// Within this time only a hand-over can bring a new leader.
	r.timing = Timing{Heartbeat: 2 * time.Second}
	for _, p := range r.peers {
		r.voters[p.Zone] = r.voter(t, p.Zone)
	}
	r.start(t)
	leader := r.agree(t)
	// A hand-over needs a follower that has answered.
	l := r.voters[leader].running()
	if err := l.raft.VerifyLeader().Error(); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := r.voters[leader].Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if next := r.agree(t); next == leader {
		t.Errorf("zone %s still leads", leader)
	}
	if took := time.Since(begun); took >= r.timing.Heartbeat {
		t.Errorf("a new leader came after %v: it was elected, not handed over to", took)
	}
}

func TestLifecycle(t *testing.T) {
	r := newTestRegion(t)
	ctx := context.Background()
	v := r.voters["a"]
	if err := v.Stop(ctx); err != nil {
		t.Errorf("Stop before Start: %v", err)
	}
	if err := v.Update(ctx, func(tx *Txn) error { users.Put(tx, "x", user{}); return nil }); !errors.Is(err, ErrNoQuorum) {
		t.Errorf("Update before Start: got %v, want ErrNoQuorum", err)
	}
	r.start(t)
	if err := v.Start(ctx); err != nil {
		t.Errorf("Start twice: %v", err)
	}
	put(t, v, "x", "1")
	for range 2 {
		if err := v.Stop(ctx); err != nil {
			t.Errorf("Stop: %v", err)
		}
	}
	if v.Leader() != "" {
		t.Errorf("a stopped voter knows leader %q", v.Leader())
	}
	if got := arn(v, "x"); got != "1" {
		t.Errorf("a stopped voter reads %q, want 1", got)
	}
	if err := v.Start(ctx); err != nil {
		t.Fatalf("Start after Stop: %v", err)
	}
	put(t, v, "x", "2")
	v.Kill()
	v.Kill()
	done := make(chan error)
	go func() { done <- v.Start(ctx) }()
	v.Kill() // before, in the middle or after: it must neither hang nor break the next Start
	if err := <-done; err != nil {
		t.Fatalf("Start after Kill: %v", err)
	}
	if err := v.Start(ctx); err != nil {
		t.Fatalf("Start after Kill: %v", err)
	}
	put(t, v, "x", "3")
	gone, cancel := context.WithCancel(ctx)
	cancel()
	v.Kill()
	if err := v.Start(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("Start with a context that ended: got %v", err)
	}
}

func TestSecondVoterOnTheSameDirIsRefused(t *testing.T) {
	r := newTestRegion(t)
	r.start(t)
	second := r.voter(t, "a")
	err := second.Start(context.Background())
	if err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("got %v", err)
	}
	r.voters["a"].Kill()
	if err := second.Start(context.Background()); err != nil {
		t.Errorf("after the first one ended: %v", err)
	}
}

func TestNewerSchemaOnDiskIsRefused(t *testing.T) {
	r := newTestRegion(t)
	dir := filepath.Join(r.dir, "a")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "schema"), []byte("3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := r.voters["a"].Start(context.Background())
	if err == nil || !strings.Contains(err.Error(), dir+" was written by a newer Tripod (schema 3, this one knows 2)") {
		t.Errorf("got %v", err)
	}
}

func TestSetUpThatWasCutShortIsDoneAgain(t *testing.T) {
	r := startRegion(t)
	lost := r.followers(r.agree(t))[0]
	put(t, r.voters[lost], "x", "kept")
	r.voters[lost].Kill()
	if err := os.Remove(filepath.Join(r.dir, lost, "schema")); err != nil {
		t.Fatal(err)
	}
	if err := r.voters[lost].Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	wantARN(t, r.voters[lost], "x", "kept")
}

func TestFilesArePrivate(t *testing.T) {
	r := startRegion(t)
	put(t, r.voters["a"], "x", "1")
	if err := r.voters["a"].running().raft.Snapshot().Error(); err != nil {
		t.Fatal(err)
	}
	seen := 0
	err := filepath.WalkDir(filepath.Join(r.dir, "a"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		seen++
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil || seen < 9 {
		t.Errorf("walked %d files: %v", seen, err)
	}
}

func TestPeerWithoutCertificateIsRefused(t *testing.T) {
	r := startRegion(t)
	v := r.voters["a"].running()
	bare := r.client.Clone()
	bare.Certificates = nil
	p := &port{clientTLS: bare, dialRaw: v.cfg.Dial, ctx: v.ctx, conns: map[net.Conn]struct{}{}}
	l := &life{port: p}
	if leader, err := l.askLeader(context.Background(), r.peers[1].Address); err == nil {
		t.Errorf("a stranger was told that %q leads", leader)
	}
}

func TestLeaderIsReported(t *testing.T) {
	r := newTestRegion(t)
	var mu sync.Mutex
	var seen []string
	r.voters["a"].cfg.OnLeader = func(zone string) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, zone)
	}
	registry := prometheus.NewRegistry()
	r.voters["a"].cfg.Registerer = registry
	r.start(t)
	leader := r.agree(t)
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("names of metrics: %v, %v", problems, err)
	}
	families, err := registry.Gather()
	if err != nil || len(families) < 4 {
		t.Errorf("metrics: %v (%v)", families, err)
	}
	if err := r.voters["a"].Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if families, err := registry.Gather(); err != nil || len(families) != 0 {
		t.Errorf("a stopped voter has metrics: %v (%v)", families, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(seen) < 2 || seen[0] != leader || seen[len(seen)-1] != "" {
		t.Errorf("got %q, want %q first and none last", seen, leader)
	}
}

func TestWatchSeesChangesOfOtherZones(t *testing.T) {
	r := startRegion(t)
	ch, stop := r.voters["a"].Watch()
	defer stop()
	put(t, r.voters["b"], "x", "1")
	for arn(r.voters["a"], "x") != "1" {
		select {
		case <-ch:
		case <-time.After(5 * time.Second):
			t.Fatal("no signal")
		}
	}
}

func TestZonesSendBulkBesideTheState(t *testing.T) {
	r := startRegion(t)
	a, b := r.voters["a"], r.voters["b"]
	listener := b.Bulk()
	ended := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			_, err = io.Copy(conn, conn)
			conn.Close()
		}
		ended <- err
	}()
	conn, err := a.DialBulk(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "hello")
	got := make([]byte, 5)
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
	b.Kill() // cuts it, and waits for whoever has it
	if _, err := conn.Read(got); err == nil {
		t.Error("the connection outlived the voter")
	}
	<-ended
	listener.Close()
	if _, err := listener.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v after Close", err)
	}
	if _, err := a.DialBulk(t.Context(), "d"); err == nil {
		t.Error("a zone that is not there was reached")
	}
}
