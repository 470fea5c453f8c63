package state

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// model is the users of a state as a plain map: what the tree, its indexes and the conditions are held against.
type model map[string]modelUser

type modelUser struct {
	revision uint64
	groups   []string
}

// step is one thing that a random transaction does.
type step struct {
	kind   string // get, list, fewer, put, delete
	key    string // of a record, or the prefix of a part
	group  string // where not empty, the part is this group
	groups []string
	n      int
}

func randomStep(rng *rand.Rand) step {
	key := func() string { return fmt.Sprintf("%c/%d", 'a'+rune(rng.IntN(3)), rng.IntN(8)) }
	group := func() string { return fmt.Sprintf("g%d", rng.IntN(4)) }
	s := step{kind: []string{"get", "list", "fewer", "put", "put", "delete"}[rng.IntN(6)]}
	switch s.kind {
	case "get", "delete":
		s.key = key()
	case "put":
		s.key = key()
		for range rng.IntN(3) {
			s.groups = append(s.groups, group())
		}
	default:
		s.n = rng.IntN(6)
		if rng.IntN(2) == 0 {
			s.group = group()
		} else {
			s.key = key()[:1+rng.IntN(3)] // all of a table has a condition of its own, which is older and wider
		}
	}
	return s
}

func (s step) part() Part[user] {
	if s.group != "" {
		return usersByGroup.Of(s.group)
	}
	return users.Part(s.key)
}

// run does the step in a transaction, and says what it saw.
func (s step) run(tx *Txn) string {
	switch s.kind {
	case "get":
		u, found := users.Get(tx, s.key)
		return fmt.Sprint(found, u.Groups)
	case "list":
		out := ""
		for key, u := range s.part().After(tx, "") {
			out += fmt.Sprint(key, u.Groups)
		}
		return out
	case "fewer":
		return fmt.Sprint(s.part().Fewer(tx, s.n))
	case "put":
		users.Put(tx, s.key, user{Name: s.key, Groups: s.groups})
	case "delete":
		users.Delete(tx, s.key)
	}
	return ""
}

// simulate does the steps on the model: saw is what they must see, and read all that this depends on.
func (m model) simulate(steps []step) (saw, read []string, after model) {
	after = maps.Clone(m)
	wrote := map[string]bool{}
	for _, s := range steps {
		in := func(key string, u modelUser) bool {
			return s.group != "" && slices.Contains(u.groups, s.group) || s.group == "" && strings.HasPrefix(key, s.key)
		}
		out := ""
		switch s.kind {
		case "get":
			u, found := after[s.key]
			out = fmt.Sprint(found, u.groups)
			if !wrote[s.key] {
				read = append(read, fmt.Sprint(s.key, m[s.key].revision))
			}
		case "list":
			for _, key := range slices.Sorted(maps.Keys(after)) {
				if in(key, after[key]) {
					out += fmt.Sprint(key, after[key].groups)
				}
			}
			for _, key := range slices.Sorted(maps.Keys(m)) {
				if in(key, m[key]) {
					read = append(read, fmt.Sprint(key, m[key].revision))
				}
			}
		case "fewer":
			n := 0
			for key, u := range after {
				if in(key, u) {
					n++
				}
			}
			out = fmt.Sprint(n < s.n)
			read = append(read, out)
			for _, key := range slices.Sorted(maps.Keys(wrote)) { // whether they were there counts
				if s.group != "" || strings.HasPrefix(key, s.key) {
					read = append(read, fmt.Sprint(key, m[key].revision))
				}
			}
		case "put":
			after[s.key], wrote[s.key] = modelUser{groups: s.groups}, true
		case "delete":
			delete(after, s.key)
			wrote[s.key] = true
		}
		saw = append(saw, out)
	}
	return saw, read, after
}

// write is the model after the writes of a transaction that was applied at that index.
func (m model) write(index uint64, p proposal) {
	for _, w := range p.Writes {
		var u user
		if w.Value == nil {
			delete(m, w.Key)
		} else if err := json.Unmarshal(w.Value, &u); err == nil {
			m[w.Key] = modelUser{index, u.Groups}
		}
	}
}

// transact runs the steps on the store's present state.
func transact(s *store, id int, steps []step) (saw []string, p proposal, err error) {
	tx := newTxn(s)
	for _, one := range steps {
		saw = append(saw, one.run(tx))
	}
	return saw, newProposal(fmt.Sprint(id), tx), tx.err
}

// Random transactions see what the model says, conflict where what they would see has changed, and do not where nothing
// that they read has. What was once a state stays as it was, and a copy that is restored in between decides alike.
func TestRandomPartsMatchAModel(t *testing.T) {
	const seed = 11
	rng := rand.New(rand.NewPCG(seed, seed))
	s, follower, m := newStore(testSchema), newStore(testSchema), model{}
	old, conflicts, index := map[string]*snapshot{}, 0, uint64(0)
	random := func() (steps []step) {
		for range 1 + rng.IntN(4) {
			steps = append(steps, randomStep(rng))
		}
		return steps
	}
	apply := func(p proposal) outcome {
		index++
		if a, b := s.apply(index, p), follower.apply(index, p); a != b {
			t.Fatalf("seed %d: at %d the leader decides %+v, the follower %+v", seed, index, a, b)
		}
		return s.outcomes[p.ID]
	}
	for round := range 5_000 {
		steps := random()
		saw, p, err := transact(s, 2*round, steps)
		want, read, _ := m.simulate(steps)
		if err != nil || !slices.Equal(saw, want) {
			t.Fatalf("seed %d: round %d: %+v saw %q (%v), want %q", seed, round, steps, saw, err, want)
		}
		for range rng.IntN(3) {
			_, other, _ := transact(s, 2*round+1, random())
			other.ID, other.Reads = fmt.Sprint(index, "other"), nil
			apply(other)
			m.write(index, other)
		}
		out := apply(p)
		wantNow, readNow, _ := m.simulate(steps)
		switch {
		case out.Conflict == "" && !slices.Equal(want, wantNow):
			t.Fatalf("seed %d: round %d: %+v was applied, though it saw %q and would see %q", seed, round, steps, want, wantNow)
		case out.Conflict != "" && slices.Equal(read, readNow):
			t.Fatalf("seed %d: round %d: %+v met a conflict (%s), though nothing that it read has changed", seed, round, steps,
				out.Conflict)
		case out.Conflict == "":
			m.write(index, p)
		default:
			conflicts++
		}
		if rng.IntN(250) == 0 {
			old[snapshotText(t, s)] = s.snapshot()
			follower = newStore(testSchema)
			if err := follower.restore(strings.NewReader(snapshotText(t, s))); err != nil {
				t.Fatal(err)
			}
		}
	}
	if conflicts < 500 {
		t.Errorf("seed %d: only %d conflicts: the test tests little", seed, conflicts)
	}
	for want, state := range old {
		var got bytes.Buffer
		if err := state.write(&got); err != nil || got.String() != want {
			t.Errorf("seed %d: an old state has changed (%v):\n%s", seed, err, cmp.Diff(want, got.String()))
		}
	}
	matchIndexes(t, s, follower)
}

// matchIndexes compares the indexes of a store with those that its records make.
func matchIndexes(t *testing.T, stores ...*store) {
	t.Helper()
	for _, s := range stores {
		for kind, table := range s.load().tables {
			fresh := testSchema.newTable(kind)
			for key, rec := range within(table.records, "", "") {
				fresh.put(key, rec)
			}
			for name, index := range table.indexes {
				if diff := cmp.Diff(maps.Collect(within(fresh.indexes[name], "", "")),
					maps.Collect(within(index, "", ""))); diff != "" {
					t.Errorf("the index %s of %s differs from its records:\n%s", name, kind, diff)
				}
			}
		}
	}
}

// The tree finds and counts as a sorted list does, also when it is large.
func TestTreeMatchesASortedList(t *testing.T) {
	const seed = 5
	rng := rand.New(rand.NewPCG(seed, seed))
	tr, plain := new(tree), map[string]record{}
	for i := range 20_000 {
		key := fmt.Sprintf("%03d", rng.IntN(3000))
		if rng.IntN(5) < 2 {
			tr.Delete(key)
			delete(plain, key)
		} else {
			plain[key] = record{Revision: uint64(i)}
			tr.Set(key, plain[key])
		}
		if i%500 == 0 {
			tr = tr.Copy()
		}
	}
	keys := slices.Sorted(maps.Keys(plain))
	for _, prefix := range []string{"", "0", "12", "123", "2999", "9", "x"} {
		var want []string
		for _, key := range keys {
			if strings.HasPrefix(key, prefix) {
				want = append(want, key)
			}
		}
		var got []string
		for key, rec := range within(tr, prefix, "") {
			if rec.Revision != plain[key].Revision {
				t.Errorf("seed %d: %s is of %d, want %d", seed, key, rec.Revision, plain[key].Revision)
			}
			got = append(got, key)
		}
		if !slices.Equal(got, want) || countWithin(tr, prefix) != len(want) {
			t.Errorf("seed %d: under %q there are %d and %d counted, want %d", seed, prefix, len(got), countWithin(tr, prefix),
				len(want))
		}
	}
}
