package sqs

import (
	"context"
	"testing"
	"time"

	"tripod/state"
)

func TestAWaitingReceiverReadsOnlyWhatHasChanged(t *testing.T) {
	m := state.NewMemory(state.NewSchema())
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	write := func(do func(*state.Txn)) {
		t.Helper()
		if err := m.Update(context.Background(), func(tx *state.Txn) error { do(tx); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	write(func(tx *state.Txn) {
		queues.Put(tx, "mine", Queue{Name: "mine"})
		queues.Put(tx, "other", Queue{Name: "other"})
	})
	w := &waiting{in: &receiveInput{QueueURL: "http://x/1/mine"}}
	look := func(at time.Time) {
		t.Helper()
		if err := m.View(func(tx *state.Txn) error { return w.look(tx, at) }); err != nil {
			t.Fatal(err)
		}
	}
	look(now)
	seen := w.seen
	if w.ready || seen == (queueMarks{}) {
		t.Fatalf("of an empty queue: %+v", w)
	}
	write(func(tx *state.Txn) { Send(tx, "other", "x", now) })
	if look(now); w.seen != seen || w.ready {
		t.Error("another queue's message wakes it")
	}
	write(func(tx *state.Txn) {
		q, _ := queues.Get(tx, "mine")
		q.send(tx, Message{Body: "x", Sent: now, VisibleAt: now.Add(time.Minute)})
		queues.Put(tx, "mine", q)
	})
	if look(now); w.ready || !w.next.Equal(now.Add(time.Minute)) {
		t.Errorf("a message that is visible later: %+v", w)
	}
	if look(now.Add(time.Minute)); !w.ready {
		t.Error("it is not visible at its time")
	}
	write(func(tx *state.Txn) { queues.Delete(tx, "mine") })
	if err := m.View(func(tx *state.Txn) error { return w.look(tx, now) }); err == nil {
		t.Error("the queue that is gone is there")
	}
}
