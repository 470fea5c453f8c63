package state

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
)

func putUser(tx *Txn, key string, groups ...string) {
	users.Put(tx, key, user{Name: key, Groups: groups})
}

func TestOnlyWhatChangesAPartIsAConflict(t *testing.T) {
	prefix := func(tx *Txn) { users.Part("a/").List(tx) }
	group := func(tx *Txn) { usersByGroup.Of("team").List(tx) }
	below4, below2 := func(tx *Txn) { users.Part("a/").Fewer(tx, 4) }, func(tx *Txn) { users.Part("a/").Fewer(tx, 2) }
	empty := func(tx *Txn) { usersByGroup.Of("nobody").Empty(tx) }
	for _, one := range []struct {
		name        string
		read, write func(*Txn)
		conflicts   bool
	}{
		{"prefix: a record beside it", prefix, func(tx *Txn) { putUser(tx, "b/1"); putUser(tx, "a"); putUser(tx, "a0") },
			false},
		{"prefix: a new record", prefix, func(tx *Txn) { putUser(tx, "a/3") }, true},
		{"prefix: a changed record", prefix, func(tx *Txn) { putUser(tx, "a/1", "other") }, true},
		{"prefix: a deleted record", prefix, func(tx *Txn) { users.Delete(tx, "a/1") }, true},
		{"prefix: one goes, one comes", prefix, func(tx *Txn) { users.Delete(tx, "a/1"); putUser(tx, "a/3") }, true},
		{"prefix: nothing there that is deleted", prefix, func(tx *Txn) { users.Delete(tx, "a/3") }, false},
		{"empty prefix part: a record beside it", func(tx *Txn) { users.Part("z/").List(tx) },
			func(tx *Txn) { putUser(tx, "b/1") }, false},
		{"empty prefix part: a new record", func(tx *Txn) { users.Part("z/").List(tx) },
			func(tx *Txn) { putUser(tx, "z/1") }, true},
		{"group: a record of another", group, func(tx *Txn) { putUser(tx, "b/1", "other"); users.Delete(tx, "a/2") }, false},
		{"group: a new record", group, func(tx *Txn) { putUser(tx, "b/1", "team") }, true},
		{"group: a record that comes", group, func(tx *Txn) { putUser(tx, "a/2", "other", "team") }, true},
		{"group: a record that leaves", group, func(tx *Txn) { putUser(tx, "a/1", "other") }, true},
		{"group: a changed record", group,
			func(tx *Txn) { users.Put(tx, "a/1", user{Name: "a/1", ARN: "new", Groups: []string{"team"}}) }, true},
		{"fewer: one more that fits", below4, func(tx *Txn) { putUser(tx, "a/3") }, false},
		{"fewer: two more, of which one does not fit", below4, func(tx *Txn) { putUser(tx, "a/3"); putUser(tx, "a/4") },
			true},
		{"fewer: one less", below4, func(tx *Txn) { users.Delete(tx, "a/1") }, false},
		{"not fewer: one more", below2, func(tx *Txn) { putUser(tx, "a/3") }, false},
		{"not fewer: one less", below2, func(tx *Txn) { users.Delete(tx, "a/1") }, true},
		{"empty group: others", empty, func(tx *Txn) { putUser(tx, "b/1", "other") }, false},
		{"empty group: one comes", empty, func(tx *Txn) { putUser(tx, "a/2", "nobody") }, true},
		{"count: a changed record", func(tx *Txn) { users.Part("a/").Count(tx) },
			func(tx *Txn) { putUser(tx, "a/1", "other") }, false},
		{"count: one less", func(tx *Txn) { users.Part("a/").Count(tx) }, func(tx *Txn) { users.Delete(tx, "a/1") }, true},
		{"page: a record before it", func(tx *Txn) {
			for range users.Part("a/").After(tx, "a/1") {
				break
			}
		}, func(tx *Txn) { putUser(tx, "a/0") }, true}, // the whole part is the condition, however little of it was read
	} {
		t.Run(one.name, func(t *testing.T) {
			m := newTestMemory(func(tx *Txn) { putUser(tx, "a/1", "team"); putUser(tx, "a/2"); putUser(tx, "b/9", "others") })
			runs := 0
			if err := m.Update(context.Background(), func(tx *Txn) error {
				if runs++; runs == 1 {
					one.read(tx)
					if err := m.Update(context.Background(), func(tx *Txn) error { one.write(tx); return nil }); err != nil {
						t.Error(err)
					}
				}
				counters.Put(tx, "done", counter{})
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if want := map[bool]int{false: 1, true: 2}[one.conflicts]; runs != want {
				t.Errorf("the function ran %d times, want %d", runs, want)
			}
		})
	}
}

func TestPartsShowOwnWrites(t *testing.T) {
	m := newTestMemory(func(tx *Txn) {
		putUser(tx, "a/1", "team")
		putUser(tx, "a/2", "team")
		putUser(tx, "a/3")
		putUser(tx, "b/1", "team")
	})
	names := func(users []user) (names []string) {
		for _, u := range users {
			names = append(names, u.Name)
		}
		return names
	}
	if err := m.Update(context.Background(), func(tx *Txn) error {
		users.Delete(tx, "a/1")
		putUser(tx, "a/2", "other")
		putUser(tx, "a/3", "team")
		putUser(tx, "a/0", "team")
		team, a := usersByGroup.Of("team"), users.Part("a/")
		if got, want := names(team.List(tx)), []string{"a/0", "a/3", "b/1"}; !slices.Equal(got, want) {
			t.Errorf("the group: got %v, want %v", got, want)
		}
		if got, want := names(a.List(tx)), []string{"a/0", "a/2", "a/3"}; !slices.Equal(got, want) {
			t.Errorf("the prefix: got %v, want %v", got, want)
		}
		if got, want := slices.Collect(a.KeysAfter(tx, "a/0")), []string{"a/2", "a/3"}; !slices.Equal(got, want) {
			t.Errorf("the prefix behind a/0: got %v, want %v", got, want)
		}
		if got, want := slices.Collect(team.KeysAfter(tx, "a/3")), []string{"b/1"}; !slices.Equal(got, want) {
			t.Errorf("the group behind a/3: got %v, want %v", got, want)
		}
		if got := team.Count(tx); got != 3 {
			t.Errorf("the group counts %d, want 3", got)
		}
		if a.Fewer(tx, 3) || !a.Fewer(tx, 4) || !users.Part("z").Empty(tx) {
			t.Error("the prefix does not have three records, or another has some")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := m.View(func(tx *Txn) error {
		if got, want := names(usersByGroup.Of("team").List(tx)), []string{"a/0", "a/3", "b/1"}; !slices.Equal(got, want) {
			t.Errorf("the group afterwards: got %v, want %v", got, want)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// A transaction that added a record itself leaves room for as many fewer of others.
func TestLimitHoldsAmongThoseWhoCreateAtOnce(t *testing.T) {
	r := startRegion(t)
	const limit, writers = 10, 9
	errs := make(chan error)
	for i := range writers {
		v := r.voters[r.peers[i%len(r.peers)].Zone]
		go func() {
			errs <- func() error {
				for j := range limit {
					if err := v.Update(context.Background(), func(tx *Txn) error {
						putUser(tx, fmt.Sprintf("u/%d-%d", i, j))
						if !users.Part("u/").Fewer(tx, limit+1) {
							return errTest
						}
						return nil
					}); err != nil {
						return err
					}
				}
				return nil
			}()
		}()
	}
	for range writers {
		if err := <-errs; err != errTest {
			t.Errorf("got %v, want the limit", err)
		}
	}
	for zone, v := range r.voters {
		eventually(t, func() (err error) {
			v.View(func(tx *Txn) error {
				if n := users.Part("u/").Count(tx); n != limit {
					err = fmt.Errorf("zone %s has %d records, want %d", zone, n, limit)
				}
				return nil
			})
			return err
		})
	}
}

func TestUnknownIndexIsAnError(t *testing.T) {
	m := newTestMemory()
	if err := m.View(func(tx *Txn) error {
		NewIndex(users, "nonsense", func(user) []string { return nil }).Of("x").List(tx)
		return nil
	}); err == nil {
		t.Error("an index that is not kept was read")
	}
}

func TestRecordThatCannotBeReadIsInNoGroup(t *testing.T) {
	s := newStore(testSchema)
	s.apply(1, proposal{ID: "1", Writes: []recordOrDelete{{"user", "x", json.RawMessage(`{"name":7}`)}}})
	s.apply(2, proposal{ID: "2", Writes: []recordOrDelete{{"user", "x", json.RawMessage(`{"name":"x","groups":["g"]}`)}}})
	if n := countWithin(s.load().records("user", "group"), ""); n != 1 {
		t.Errorf("the index has %d places, want 1", n)
	}
}
