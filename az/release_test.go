package az

import (
	"context"
	"testing"
	"time"

	"tripod/az/plan"
	"tripod/region"
	"tripod/state"
)

func TestNoteOfADeletedClusterStaysUntilEveryZoneHasSigned(t *testing.T) {
	began := time.Now()
	store := region.NewMemory(func(tx *state.Txn) {
		finish(tx, region.Cluster{ID: "GONE", Name: "gone", DeletedAt: &began, Released: []string{"us-east-1a"}}, 3)
		finish(tx, region.Cluster{ID: "LEFT", Name: "left", DeletedAt: &began, Released: []string{"us-east-1a", "us-east-1b", "us-east-1c"}}, 3)
	})
	notes := func() (ids []string) {
		store.View(func(tx *state.Txn) error {
			for _, note := range region.Deleted.List(tx) {
				ids = append(ids, note.ID)
			}
			return nil
		})
		return ids
	}
	for _, step := range []struct {
		zone string
		left int
	}{{"us-east-1b", 1}, {"us-east-1b", 1}, {"us-east-1c", 0}, {"us-east-1c", 0}} {
		z := New(plan.Zone{Zone: step.zone, Peers: []plan.Peer{{Zone: "us-east-1a"}, {Zone: "us-east-1b"}, {Zone: "us-east-1c"}}}, quiet())
		if err := store.Update(context.Background(), func(tx *state.Txn) error { z.signOffLate(tx, "GONE"); return nil }); err != nil {
			t.Fatal(err)
		}
		if got := notes(); len(got) != step.left {
			t.Errorf("after %s has signed there are notes of %v, want %d", step.zone, got, step.left)
		}
	}
}
