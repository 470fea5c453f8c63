package state

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTransactionSeesItsOwnWrites(t *testing.T) {
	m := newTestMemory(func(tx *Txn) {
		users.Put(tx, "old", user{Name: "old"})
		users.Put(tx, "gone", user{Name: "gone"})
	})
	var got, under []string
	if err := m.Update(context.Background(), func(tx *Txn) error {
		users.Put(tx, "new", user{Name: "new"})
		users.Delete(tx, "gone")
		if _, ok := users.Get(tx, "gone"); ok {
			t.Error("a deleted record is still there")
		}
		for _, u := range users.List(tx) {
			got = append(got, u.Name)
		}
		for _, u := range users.Under(tx, "n") {
			under = append(under, u.Name)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"new", "old"}; !slices.Equal(got, want) {
		t.Errorf("List: got %v, want %v", got, want)
	}
	if want := []string{"new"}; !slices.Equal(under, want) {
		t.Errorf("Under n: got %v, want %v", under, want)
	}
}

func TestFailedTransactionWritesNothing(t *testing.T) {
	m := newTestMemory()
	for name, fn := range map[string]func(tx *Txn) error{
		"own error": func(tx *Txn) error { users.Put(tx, "x", user{}); return errTest },
		"empty key": func(tx *Txn) error { users.Put(tx, "x", user{}); users.Put(tx, "", user{}); return nil },
	} {
		if err := m.Update(context.Background(), fn); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	if err := m.View(func(tx *Txn) error { users.Put(tx, "x", user{}); return nil }); err == nil {
		t.Error("a View wrote")
	}
	if index := m.store.load().index; index != 0 {
		t.Errorf("the index moved to %d", index)
	}
}

func TestConflictRunsTheFunctionAgain(t *testing.T) {
	for name, read := range map[string]func(tx *Txn){
		"record":  func(tx *Txn) { users.Get(tx, "x") },
		"missing": func(tx *Txn) { users.Get(tx, "y") },
		"list":    func(tx *Txn) { users.List(tx) },
		"count":   func(tx *Txn) { users.Part("").Count(tx) },
	} {
		t.Run(name, func(t *testing.T) {
			m := newTestMemory(func(tx *Txn) { users.Put(tx, "x", user{}) })
			runs := 0
			if err := m.Update(context.Background(), func(tx *Txn) error {
				runs++
				read(tx)
				if runs == 1 {
					put(t, m, "x", "other")
					put(t, m, "y", "other")
				}
				users.Put(tx, "z", user{})
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if runs != 2 {
				t.Errorf("the function ran %d times, want 2", runs)
			}
		})
	}
}

func TestEndlessConflictIsReported(t *testing.T) {
	m := newTestMemory()
	err := m.Update(context.Background(), func(tx *Txn) error {
		users.Get(tx, "x")
		put(t, m, "x", "again")
		users.Put(tx, "x", user{})
		return nil
	})
	if !errors.Is(err, ErrConflict) {
		t.Errorf("got %v, want ErrConflict", err)
	}
}

func TestProposalIsAppliedOnce(t *testing.T) {
	s := newStore(testSchema)
	p := proposal{
		ID: "once", Reads: []condition{{Kind: "user", Key: "x"}},
		Writes: []recordOrDelete{{"user", "x", json.RawMessage(`{"name":"1"}`)}},
	}
	first := s.apply(5, p)
	again := s.apply(6, p)
	if first != again || first.Conflict != "" {
		t.Errorf("first outcome %+v, second %+v", first, again)
	}
	var buf bytes.Buffer
	if err := s.snapshot().write(&buf); err != nil {
		t.Fatal(err)
	}
	other := newStore(testSchema)
	if err := other.restore(&buf); err != nil {
		t.Fatal(err)
	}
	if got := other.apply(7, p); got != first {
		t.Errorf("after a restore: got %+v, want %+v", got, first)
	}
	if rec, _ := other.load().record(ref{"user", "x"}); rec.Revision != 5 {
		t.Errorf("the record was written at %d, want 5", rec.Revision)
	}
}

func TestOutcomesAreBounded(t *testing.T) {
	s := newStore(testSchema)
	for i := range uint64(3 * rememberedOutcomes) {
		s.apply(i+1, proposal{ID: fmt.Sprint(i)})
	}
	if len(s.outcomes) != rememberedOutcomes || len(s.order) != rememberedOutcomes {
		t.Errorf("got %d and %d outcomes, want %d", len(s.outcomes), len(s.order), rememberedOutcomes)
	}
}

func TestWatchCoalescesChanges(t *testing.T) {
	m := newTestMemory()
	ch, stop := m.Watch()
	put(t, m, "x", "1")
	put(t, m, "x", "2")
	<-ch
	select {
	case <-ch:
		t.Error("two signals for what one look sees")
	default:
	}
	stop()
	put(t, m, "x", "3")
	select {
	case <-ch:
		t.Error("a signal after the watch ended")
	default:
	}
}

// Every copy that applies the same log, from the start or from a snapshot in the middle, is the same as a map that the
// successful transactions wrote to.
func TestRandomTransactionsMatchAMap(t *testing.T) {
	const seed = 7
	rng := rand.New(rand.NewPCG(seed, seed))
	leader, follower := newStore(testSchema), newStore(testSchema)
	want := map[string]string{}
	for index := uint64(1); index <= 2000; index++ {
		p := proposal{ID: fmt.Sprint(rng.IntN(3000))}
		stale := false
		for range rng.IntN(3) {
			r := ref{"user", fmt.Sprint(rng.IntN(20))}
			rec, _ := leader.load().record(r)
			if rng.IntN(5) == 0 {
				rec.Revision, stale = rec.Revision+1, true
			}
			p.Reads = append(p.Reads, condition{Kind: r.kind, Key: r.key, Revision: rec.Revision})
		}
		for range 1 + rng.IntN(3) {
			w := recordOrDelete{Kind: "user", Key: fmt.Sprint(rng.IntN(20))}
			if rng.IntN(3) > 0 {
				w.Value = json.RawMessage(fmt.Sprint(index))
			}
			p.Writes = append(p.Writes, w)
		}
		_, seen := leader.outcomes[p.ID]
		out := leader.apply(index, p)
		if !seen && (out.Conflict != "") != stale {
			t.Fatalf("seed %d: index %d: conflict %q, want one: %v", seed, index, out.Conflict, stale)
		}
		for _, w := range p.Writes {
			switch {
			case seen || stale:
			case w.Value == nil:
				delete(want, w.Key)
			default:
				want[w.Key] = string(w.Value)
			}
		}
		if rng.IntN(50) == 0 {
			var buf bytes.Buffer
			if err := follower.snapshot().write(&buf); err != nil {
				t.Fatal(err)
			}
			follower = newStore(testSchema)
			if err := follower.restore(&buf); err != nil {
				t.Fatal(err)
			}
		}
		follower.apply(index, p)
	}
	got := map[string]string{}
	for key, rec := range within(leader.load().records("user", ""), "", "") {
		got[key] = string(rec.Value)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("seed %d: map and leader differ:\n%s", seed, diff)
	}
	if diff := cmp.Diff(snapshotText(t, leader), snapshotText(t, follower)); diff != "" {
		t.Errorf("seed %d: leader and follower differ:\n%s", seed, diff)
	}
}

func snapshotText(t *testing.T, s *store) string {
	t.Helper()
	var buf strings.Builder
	if err := s.snapshot().write(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

func TestConcurrentCountersLoseNothing(t *testing.T) {
	m := newTestMemory(func(tx *Txn) { counters.Put(tx, "c", counter{}) })
	const writers, each = 4, 25
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				for {
					err := m.Update(context.Background(), func(tx *Txn) error {
						c, _ := counters.Get(tx, "c")
						c.Count++
						counters.Put(tx, "c", c)
						return nil
					})
					if err == nil {
						break
					}
					if !errors.Is(err, ErrConflict) {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	m.View(func(tx *Txn) error {
		if c, _ := counters.Get(tx, "c"); c.Count != writers*each {
			t.Errorf("got %d, want %d", c.Count, writers*each)
		}
		return nil
	})
}
