package az

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tripod/region"
	"tripod/state"
)

func TestEndpointReportEndsItsOwnUpdateOnly(t *testing.T) {
	lost := region.ClusterIssue{Code: "Ec2SubnetNotFound", Message: "another one"}
	for name, c := range map[string]struct {
		report  EndpointReport
		status  region.ClusterStatus
		pending string
		issues  []region.ClusterIssue
		update  region.UpdateStatus
	}{
		"in effect":      {EndpointReport{UpdateID: "new"}, "ACTIVE", "", []region.ClusterIssue{lost}, "Successful"},
		"an older one's": {EndpointReport{UpdateID: "old"}, "UPDATING", "new", []region.ClusterIssue{lost}, "InProgress"},
		"in trouble":     {EndpointReport{Trouble: "taken"}, "UPDATING", "new", []region.ClusterIssue{lost, {Code: unreachable, Message: "taken"}}, "InProgress"},
	} {
		t.Run(name, func(t *testing.T) {
			store := region.NewMemory(func(tx *state.Txn) { region.Updates.Put(tx, "new", region.Update{ID: "new", Status: "InProgress"}) })
			record := region.Cluster{Status: "UPDATING", Access: &region.EndpointAccess{UpdateID: "new"},
				Issues: []region.ClusterIssue{lost, {Code: unreachable, Message: "before"}}}
			var update region.Update
			if err := store.Update(context.Background(), func(tx *state.Txn) error {
				c.report.note(tx, &record)
				update, _ = region.Updates.Get(tx, "new")
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if record.Status != c.status || record.Access.UpdateID != c.pending || update.Status != c.update {
				t.Errorf("the cluster is %s, waits for %q, and the update is %s", record.Status, record.Access.UpdateID, update.Status)
			}
			if diff := cmp.Diff(c.issues, record.Issues); diff != "" {
				t.Error(diff)
			}
		})
	}
}
