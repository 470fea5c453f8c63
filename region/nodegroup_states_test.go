package region

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/state"
)

// Each function is tried in all statuses of EKS's model: it leads where nodegroupStatuses says, and is refused elsewhere.
func TestNodegroupTransitions(t *testing.T) {
	issue := []types.Issue{{Code: types.NodegroupIssueCodeAccessDenied}}
	type status = types.NodegroupStatus
	alive := map[status]status{"ACTIVE": "UPDATING", "DEGRADED": "UPDATING"}
	deletable := map[status]status{}
	for _, s := range []status{"CREATING", "ACTIVE", "DEGRADED", "CREATE_FAILED", "DELETE_FAILED"} {
		deletable[s] = "DELETING"
	}
	judged := func(healthy, ill status) map[status]status {
		all := map[status]status{}
		for _, s := range status("").Values() {
			all[s] = s
		}
		all["ACTIVE"], all["DEGRADED"] = healthy, ill
		return all
	}
	for name, c := range map[string]struct {
		do   func(*state.Txn, Nodegroup) error
		want map[status]status // by the status before; others are refused
	}{
		"create": {func(tx *state.Txn, g Nodegroup) error { _, err := CreateNodegroup(tx, g, began, nil); return err }, nil},
		"activate": {func(tx *state.Txn, g Nodegroup) error { _, err := ActivateNodegroup(tx, g, began); return err },
			map[status]status{"CREATING": "ACTIVE"}},
		"end an update": {func(tx *state.Txn, g Nodegroup) error { _, err := EndNodegroupUpdate(tx, g, began); return err },
			map[status]status{"UPDATING": "ACTIVE"}},
		"fail": {func(tx *state.Txn, g Nodegroup) error { _, err := FailNodegroup(tx, g, issue, began); return err },
			map[status]status{"CREATING": "CREATE_FAILED", "DELETING": "DELETE_FAILED"}},
		"judge ill": {func(tx *state.Txn, g Nodegroup) error { _, err := JudgeNodegroup(tx, g, issue, began); return err },
			judged("DEGRADED", "DEGRADED")},
		"judge healthy": {func(tx *state.Txn, g Nodegroup) error { _, err := JudgeNodegroup(tx, g, nil, began); return err },
			judged("ACTIVE", "ACTIVE")},
		"update": {func(tx *state.Txn, g Nodegroup) error {
			_, err := BeginNodegroupUpdate(tx, g, Update{ID: "u"}, began, nil)
			return err
		}, alive},
		"delete": {func(tx *state.Txn, g Nodegroup) error { _, err := DeleteNodegroup(tx, g, began, nil); return err },
			deletable},
		"forget": {func(tx *state.Txn, g Nodegroup) error { return ForgetNodegroup(tx, g) },
			map[status]status{"DELETING": ""}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, before := range status("").Values() {
				g := Nodegroup{"ID", types.Nodegroup{NodegroupName: aws.String("x"), Status: before}, &NodegroupWork{Update: &NodegroupUpdate{}}}
				m := NewMemory(func(tx *state.Txn) { g.Put(tx) })
				var err error
				change(t, m, func(tx *state.Txn) { err = c.do(tx, g) })
				want, may := c.want[before]
				if !may {
					want = before
				}
				change(t, m, func(tx *state.Txn) {
					if now, _ := Nodegroups.Get(tx, "ID/x"); now.Status != want || (err == nil) != may {
						t.Errorf("from %s: it is %q (%v), want %q", before, now.Status, err, want)
					}
				})
				if may && want != before && !slices.Contains(nodegroupStatuses[before], want) {
					t.Errorf("from %s to %s: nodegroupStatuses does not say so", before, want)
				}
			}
		})
	}
}

func TestNodegroupUpdatesEndWithTheirStatus(t *testing.T) {
	for _, errors := range [][]UpdateError{nil, {{Code: "PodEvictionFailure"}}} {
		g := Nodegroup{"ID", types.Nodegroup{NodegroupName: aws.String("x"), Status: "ACTIVE"},
			&NodegroupWork{Update: &NodegroupUpdate{ID: "u"}}}
		change(t, NewMemory(func(tx *state.Txn) { g.Put(tx) }), func(tx *state.Txn) {
			begun, err := BeginNodegroupUpdate(tx, g, Update{ID: "u"}, began, aws.Time(began.Add(time.Minute)))
			if err != nil || begun.Status != UpdateInProgress || begun.Resource != "nodegroup/x" {
				t.Fatalf("got %+v, %v", begun, err)
			}
			g, _ := Nodegroups.Get(tx, "ID/x")
			if !g.Lasts(began) || g.Lasts(began.Add(time.Minute)) {
				t.Error("it does not last as long as it has to")
			}
			g, err = EndNodegroupUpdate(tx, g, began, errors...)
			want := UpdateSuccessful
			if errors != nil {
				want = UpdateFailed
			}
			if u, _ := Updates.Get(tx, "u"); err != nil || u.Status != want || g.Work.Update != nil || g.Work.NotBefore != nil {
				t.Errorf("got the update %+v and the work %+v, %v", u, g.Work, err)
			}
		})
	}
}
