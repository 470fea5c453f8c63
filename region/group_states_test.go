package region

import (
	"context"
	"testing"
	"time"

	"tripod/state"
)

// Every state is tried from every other: what memberStates has is done, and what it has not is refused and changes
// nothing.
func TestMemberTransitions(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for from := range memberStates {
		for next := range memberStates {
			if from == noMember || next == noMember {
				continue
			}
			m := NewMemory(func(tx *state.Txn) {
				GroupMembers.Put(tx, MemberKey("g", "i-1"), GroupMember{InstanceID: "i-1", Group: "g", State: from,
					Actions: []LifecycleAction{{Hook: "h"}}})
			})
			var after GroupMember
			err := m.Update(context.Background(), func(tx *state.Txn) error {
				_, err := MoveMember(tx, "g", "i-1", next, now, nil)
				return err
			})
			m.View(func(tx *state.Txn) error { after, _ = GroupMembers.Get(tx, MemberKey("g", "i-1")); return nil })
			if allowed := from.MayBecome(next); allowed != (err == nil) || next != from && allowed != (after.State == next) {
				t.Errorf("%s -> %s: %v, and it is %s", from, next, err, after.State)
			}
			if err == nil && (len(after.Actions) > 0) != (next == MemberPendingWait || next == MemberTerminatingWait) {
				t.Errorf("%s -> %s: actions %v", from, next, after.Actions)
			}
		}
	}
}

func TestMembersComeAndGo(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	m := NewMemory(func(tx *state.Txn) { Instances.Put(tx, "i-1", Instance{ID: "i-1", State: InstanceRunning}) })
	update := func(fn func(tx *state.Txn) error) error { return m.Update(context.Background(), fn) }
	if err := update(func(tx *state.Txn) error {
		_, err := AttachInstance(tx, "a/b", "i-1", GroupMember{}, now)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	m.View(func(tx *state.Txn) error {
		v, _ := Instances.Get(tx, "i-1")
		if v.Group != "a/b" || len(MembersOf(tx, "a/b")) != 1 || len(MembersOf(tx, "a")) != 0 {
			t.Errorf("it is in %q; %v", v.Group, GroupMembers.List(tx))
		}
		return nil
	})
	if err := update(func(tx *state.Txn) error { return LeaveGroup(tx, "a/b", "i-1") }); err == nil {
		t.Error("a pending member leaves")
	}
	if err := update(func(tx *state.Txn) error {
		for _, next := range []MemberState{MemberInService, MemberDetaching, MemberDetached} {
			if _, err := MoveMember(tx, "a/b", "i-1", next, now, nil); err != nil {
				return err
			}
		}
		return LeaveGroup(tx, "a/b", "i-1")
	}); err != nil {
		t.Fatal(err)
	}
	m.View(func(tx *state.Txn) error {
		if v, _ := Instances.Get(tx, "i-1"); v.Group != "" || len(GroupMembers.List(tx)) > 0 {
			t.Errorf("it is in %q; %v", v.Group, GroupMembers.List(tx))
		}
		return nil
	})
}

func TestActionsEndByResultOrTime(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	member := func(results ...string) (m GroupMember) {
		for _, result := range results {
			m.Actions = append(m.Actions, LifecycleAction{Result: result, Default: HookAbandon, Deadline: now.Add(time.Minute)})
		}
		return m
	}
	for _, c := range []struct {
		member GroupMember
		after  time.Duration
		want   string
	}{
		{member(), 0, HookContinue}, {member(""), 0, ""}, {member(HookContinue), 0, HookContinue},
		{member(HookContinue, ""), 0, ""}, {member("", HookAbandon), 0, HookAbandon}, {member(""), time.Minute, HookAbandon},
	} {
		if got := c.member.Outcome(now.Add(c.after)); got != c.want {
			t.Errorf("%+v after %v: got %q, want %q", c.member.Actions, c.after, got, c.want)
		}
	}
}
