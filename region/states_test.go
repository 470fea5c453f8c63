package region

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/go-cmp/cmp"

	"tripod/state"
)

// ways are statuses by the status from which a function leads to them.
type ways = map[ClusterStatus]ClusterStatus

var (
	began    = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	zones    = []string{"us-east-1a", "us-east-1b", "us-east-1c"}
	statuses = []ClusterStatus{noCluster, ClusterCreating, ClusterActive, ClusterUpdating, ClusterDeleting, ClusterFailed}
)

// change runs fn in a transaction.
func change(t *testing.T, m *state.Memory, fn func(tx *state.Txn)) {
	t.Helper()
	if err := m.Update(context.Background(), func(tx *state.Txn) error {
		fn(tx)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// stored are a cluster and an update as they are now.
func stored(t *testing.T, m *state.Memory, id, updateID string) (c Cluster, u Update) {
	t.Helper()
	if err := m.View(func(tx *state.Txn) error {
		c, _ = Clusters.Get(tx, id)
		u, _ = Updates.Get(tx, updateID)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return c, u
}

// in is a region with the cluster ID, demo, of that status; with noCluster it is empty.
func in(status ClusterStatus) (*state.Memory, Cluster) {
	cluster := Cluster{ID: "ID", Name: "demo", Version: "1.36", Status: status}
	switch status {
	case noCluster:
		return NewMemory(), cluster
	case ClusterDeleting:
		cluster.DeletedAt, cluster.Released = &began, zones[:2]
	case ClusterUpdating:
		cluster.Access = &EndpointAccess{UpdateID: "old"}
	}
	return NewMemory(func(tx *state.Txn) {
		Clusters.Put(tx, cluster.ID, cluster)
		ClusterIDs.Put(tx, cluster.Name, cluster.ID)
		Updates.Put(tx, "old", Update{ID: "old", ClusterID: "ID", Status: UpdateInProgress})
	}), cluster
}

// Every function that changes a cluster's status does so from the statuses that are named here, and leaves the cluster
// alone in all others.
func TestClusterTransitions(t *testing.T) {
	refused := func(err error) bool { return errors.As(err, new(*RefusedError)) }
	for _, f := range []struct {
		name string
		from ways
		do   func(tx *state.Txn, c Cluster) (did bool, err error)
	}{
		{"CreateCluster", ways{noCluster: ClusterCreating}, func(tx *state.Txn, c Cluster) (bool, error) {
			_, err := CreateCluster(tx, c, nil)
			return err == nil, err
		}},
		{"CreateCluster with issues", ways{noCluster: ClusterFailed}, func(tx *state.Txn, c Cluster) (bool, error) {
			c.Issues = []ClusterIssue{{Code: "ResourceLimitExceeded"}}
			_, err := CreateCluster(tx, c, nil)
			return err == nil, err
		}},
		{"ActivateCluster", ways{ClusterCreating: ClusterActive}, func(tx *state.Txn, c Cluster) (bool, error) {
			did, err := ActivateCluster(tx, c.ID, began)
			return did, errors.Join(err, errUnless(did))
		}},
		{"BeginRollout", ways{ClusterActive: ClusterUpdating}, func(tx *state.Txn, c Cluster) (bool, error) {
			_, err := BeginRollout(tx, c, Update{ID: "new", ClusterID: c.ID}, Rollout{To: "1.37"}, nil)
			return err == nil, err
		}},
		{"BeginAccessChange", ways{ClusterActive: ClusterUpdating}, func(tx *state.Txn, c Cluster) (bool, error) {
			_, err := BeginAccessChange(tx, c, Update{ID: "new", ClusterID: c.ID}, nil)
			return err == nil, err
		}},
		{"ReportEndpoint", ways{ClusterUpdating: ClusterActive}, func(tx *state.Txn, c Cluster) (bool, error) {
			_, ended := ReportEndpoint(tx, c.ID, "", "old")
			return ended.ID != "", errUnless(ended.ID != "")
		}},
		{"DeleteCluster", ways{ClusterActive: ClusterDeleting, ClusterFailed: ClusterDeleting},
			func(tx *state.Txn, c Cluster) (bool, error) {
				_, err := DeleteCluster(tx, c, began, nil)
				return err == nil, err
			}},
		{"ReleaseCluster by the last zone", ways{ClusterDeleting: noCluster}, func(tx *state.Txn, c Cluster) (bool, error) {
			deleted, _, err := ReleaseCluster(tx, c.ID, Release{Zone: zones[2], Zones: len(zones), Now: began})
			return deleted.ID != "", errors.Join(err, errUnless(deleted.ID != ""))
		}},
	} {
		for _, from := range statuses {
			t.Run(fmt.Sprintf("%s from %q", f.name, from), func(t *testing.T) {
				m, cluster := in(from)
				var did bool
				var err error
				change(t, m, func(tx *state.Txn) { did, err = f.do(tx, cluster) })
				want, allowed := f.from[from]
				if !allowed {
					want = from
				}
				got, _ := stored(t, m, "ID", "")
				if got.Status != want || did != allowed || (err == nil) != allowed {
					t.Errorf("it is %q, and the function says %t (%v), want %q", got.Status, did, err, want)
				}
				if allowed && !from.MayBecome(want) {
					t.Errorf("clusterStatuses does not say that %q follows %q", want, from)
				}
				if !allowed && !refused(err) && !errors.Is(err, errNothingDone) {
					t.Errorf("got %v, want a RefusedError", err)
				}
			})
		}
	}
}

var errNothingDone = errors.New("nothing was done")

func errUnless(did bool) error {
	if did {
		return nil
	}
	return errNothingDone
}

// What may follow a status is done by one of the functions above; each status has an entry.
func TestEveryStatusHasAnEntry(t *testing.T) {
	for _, status := range append(types.ClusterStatus("").Values(), "") {
		_, known := clusterStatuses[ClusterStatus(status)]
		// PENDING is a connected cluster's, which is no record here.
		if want := status != types.ClusterStatusPending; known != want {
			t.Errorf("%q has an entry: %t, want %t", status, known, want)
		}
	}
	if len(clusterStatuses) != len(statuses) {
		t.Errorf("there are %d statuses, and the tests know %d", len(clusterStatuses), len(statuses))
	}
	for status, want := range map[ClusterStatus][3]bool{ // runs, has an endpoint, passes
		ClusterCreating: {true, false, true}, ClusterActive: {true, true, false}, ClusterUpdating: {true, true, true},
		ClusterDeleting: {false, true, true}, ClusterFailed: {false, false, false},
	} {
		if got := [3]bool{status.Runs(), status.HasEndpoint(), status.Passes()}; got != want {
			t.Errorf("%s runs, has an endpoint, passes: got %v, want %v", status, got, want)
		}
	}
}

func TestCreationIndexesAndAdmits(t *testing.T) {
	m := NewMemory()
	change(t, m, func(tx *state.Txn) {
		entry := AccessEntry{ClusterID: "ID", PrincipalARN: "arn:me"}
		if _, err := CreateCluster(tx, Cluster{ID: "ID", Name: "demo"}, &entry); err != nil {
			t.Error(err)
		}
		if c, found := ClusterNamed(tx, "demo"); !found || c.ID != "ID" {
			t.Errorf("by name it is %+v", c)
		}
		if _, found := AccessEntries.Get(tx, "ID/arn:me"); !found {
			t.Error("its creator has no access entry")
		}
		if _, err := CreateCluster(tx, Cluster{ID: "OTHER", Name: "demo"}, nil); err == nil {
			t.Error("its name is given twice")
		}
	})
}

func TestCreationLasts(t *testing.T) {
	end := began.Add(time.Minute)
	m := NewMemory(func(tx *state.Txn) {
		Clusters.Put(tx, "ID", Cluster{ID: "ID", Status: ClusterCreating, NotBefore: &end})
	})
	change(t, m, func(tx *state.Txn) {
		for _, step := range []struct {
			now  time.Time
			want bool
		}{{began, false}, {end, true}, {end, false}} {
			if did, err := ActivateCluster(tx, "ID", step.now); did != step.want || err != nil {
				t.Errorf("at %v: got %t, %v, want %t", step.now, did, err, step.want)
			}
		}
	})
}

func TestEndpointReportEndsItsOwnUpdateOnly(t *testing.T) {
	lost := ClusterIssue{Code: "Ec2SubnetNotFound", Message: "another one"}
	trouble := ClusterIssue{Code: EndpointUnreachable, Message: "taken"}
	for name, c := range map[string]struct {
		trouble, updateID string
		status            ClusterStatus
		pending           string
		issues            []ClusterIssue
		update            UpdateStatus
	}{
		"in effect":      {"", "new", ClusterActive, "", []ClusterIssue{lost}, UpdateSuccessful},
		"an older one's": {"", "old", ClusterUpdating, "new", []ClusterIssue{lost}, UpdateInProgress},
		"in trouble":     {"taken", "", ClusterUpdating, "new", []ClusterIssue{lost, trouble}, UpdateInProgress},
	} {
		t.Run(name, func(t *testing.T) {
			m := NewMemory(func(tx *state.Txn) {
				Updates.Put(tx, "new", Update{ID: "new", Status: UpdateInProgress})
				Clusters.Put(tx, "ID", Cluster{ID: "ID", Status: ClusterUpdating, Access: &EndpointAccess{UpdateID: "new"},
					Issues: []ClusterIssue{lost, {Code: EndpointUnreachable, Message: "before"}}})
			})
			change(t, m, func(tx *state.Txn) { ReportEndpoint(tx, "ID", c.trouble, c.updateID) })
			cluster, update := stored(t, m, "ID", "new")
			if cluster.Status != c.status || update.Status != c.update {
				t.Errorf("the cluster is %s, and the update %s", cluster.Status, update.Status)
			}
			if cluster.Access.UpdateID != c.pending || cluster.EndpointTrouble() != c.trouble {
				t.Errorf("it waits for %q, and has trouble %q", cluster.Access.UpdateID, cluster.EndpointTrouble())
			}
			if diff := cmp.Diff(c.issues, cluster.Issues); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDeletionTakesWhatBelongsToTheCluster(t *testing.T) {
	seed := func(tx *state.Txn, id string) {
		Clusters.Put(tx, id, Cluster{ID: id, Name: id, Status: ClusterActive})
		Nodegroups.Put(tx, id+"/x", Nodegroup{ClusterID: id})
		FargateProfiles.Put(tx, id+"/x", FargateProfile{ClusterID: id})
		FargateMachines.Put(tx, id+"/x", FargateMachine{ClusterID: id})
		Addons.Put(tx, id+"/x", Addon{ClusterID: id})
		Capabilities.Put(tx, id+"/x", Capability{ClusterID: id})
		AccessEntries.Put(tx, id+"/x", AccessEntry{ClusterID: id, ARN: "arn"})
		PodIdentityAssociations.Put(tx, id+"/x", PodIdentityAssociation{ClusterID: id})
		IdentityProviders.Put(tx, id+"/x", IdentityProvider{ClusterID: id})
		DeprecatedReadings.Put(tx, DeprecatedReadingKey(id, "us-east-1a"), DeprecatedReading{})
		InsightsRefreshes.Put(tx, id, InsightsRefresh{})
		Updates.Put(tx, "of "+id, Update{ID: "of " + id, ClusterID: id})
	}
	m := NewMemory(func(tx *state.Txn) { seed(tx, "ID"); seed(tx, "OTHER") })
	change(t, m, func(tx *state.Txn) {
		c, _ := Clusters.Get(tx, "ID")
		c, err := DeleteCluster(tx, c, began, nil)
		if err != nil || c.Status != ClusterDeleting || !c.DeletedAt.Equal(began) {
			t.Errorf("got %+v, %v", c, err)
		}
	})
	change(t, m, func(tx *state.Txn) {
		for kind, n := range map[string]int{
			"nodegroups": len(Nodegroups.List(tx)), "profiles": len(FargateProfiles.List(tx)),
			"machines":     len(FargateMachines.List(tx)),
			"addons":       len(Addons.List(tx)),
			"capabilities": len(Capabilities.List(tx)), "entries": len(AccessEntries.List(tx)),
			"identities": len(PodIdentityAssociations.List(tx)), "providers": len(IdentityProviders.List(tx)),
			"readings":  len(DeprecatedReadings.List(tx)),
			"refreshes": len(InsightsRefreshes.List(tx)), "updates": len(Updates.List(tx)),
		} {
			if n != 1 {
				t.Errorf("%d %s are left, want the other cluster's", n, kind)
			}
		}
	})
}

// The last zone deletes the record; a zone that is down is waited for, and finds a note when it returns.
func TestZonesReleaseADeletedCluster(t *testing.T) {
	lasts := began.Add(time.Hour)
	says := func(zone int, after time.Duration) Release { return Release{Zone: zones[zone], Now: began.Add(after)} }
	leads := func(zone int, after time.Duration) Release {
		return Release{Zone: zones[zone], Now: began.Add(after), Leads: true}
	}
	for name, c := range map[string]struct {
		notBefore *time.Time
		steps     []Release
		deletedBy int // the number of the step; -1: none
		notes     int
	}{
		"by all":            {nil, []Release{says(0, 0), says(1, 0), says(2, 0)}, 2, 0},
		"one says so twice": {nil, []Release{says(0, 0), says(0, 0), says(1, 0)}, -1, 0},
		"too early":         {&lasts, []Release{says(0, 0), says(1, 0), says(2, 0)}, -1, 0},
		"without one that is down": {nil,
			[]Release{says(0, 0), leads(1, deletionPatience), leads(1, deletionPatience+1)}, 2, 1},
		"who does not lead waits": {nil, []Release{says(0, 0), says(1, time.Minute)}, -1, 0},
		"one of three waits":      {nil, []Release{leads(0, time.Minute)}, -1, 0},
		"it returns":              {nil, []Release{says(0, 0), leads(1, time.Minute), says(2, time.Hour)}, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			m := NewMemory(func(tx *state.Txn) {
				Clusters.Put(tx, "ID", Cluster{
					ID: "ID", Name: "demo", Status: ClusterDeleting, DeletedAt: &began, NotBefore: c.notBefore,
				})
				ClusterIDs.Put(tx, "demo", "ID")
				Updates.Put(tx, "late", Update{ID: "late", ClusterID: "ID"})
			})
			deletedBy := -1
			for i, step := range c.steps {
				step.Zones = len(zones)
				change(t, m, func(tx *state.Txn) {
					deleted, over, err := ReleaseCluster(tx, "ID", step)
					if _, left := Clusters.Get(tx, "ID"); over == left || err != nil {
						t.Errorf("step %d: the record is left: %t, and the zone has done all: %t (%v)", i, left, over, err)
					}
					if deleted.ID != "" {
						deletedBy = i
					}
				})
			}
			change(t, m, func(tx *state.Txn) {
				if notes := len(Deleted.List(tx)); deletedBy != c.deletedBy || notes != c.notes {
					t.Errorf("step %d deleted it, and there are %d notes, want %d and %d", deletedBy, notes, c.deletedBy, c.notes)
				}
				_, found := ClusterNamed(tx, "demo")
				if left := c.deletedBy < 0; found != left || Updates.Part("").Empty(tx) == left {
					t.Error("its name or its updates do not go with it")
				}
			})
		})
	}
}

func TestUpdatesEndOnce(t *testing.T) {
	all := []UpdateStatus{UpdateInProgress, UpdateSuccessful, UpdateFailed, UpdateCancelled}
	for _, from := range all {
		for _, to := range all[1:] {
			m := NewMemory(func(tx *state.Txn) { Updates.Put(tx, "u", Update{ID: "u", Status: from}) })
			var ended Update
			change(t, m, func(tx *state.Txn) { ended = endUpdate(tx, "u", to) })
			want := from
			if from == UpdateInProgress {
				want = to
			}
			if _, got := stored(t, m, "", "u"); got.Status != want || (ended.ID != "") != (from == UpdateInProgress) {
				t.Errorf("from %s to %s: it is %s, and the answer %+v", from, to, got.Status, ended)
			}
		}
	}
	m := NewMemory()
	change(t, m, func(tx *state.Txn) {
		if ended := endUpdate(tx, "gone", UpdateSuccessful); ended.ID != "" || !Updates.Part("").Empty(tx) {
			t.Errorf("one that was deleted is back: %+v", ended)
		}
		shown := RecordUpdate(tx, Update{ID: "r"})
		if kept, _ := Updates.Get(tx, "r"); shown.Status != UpdateInProgress || kept.Status != UpdateSuccessful {
			t.Errorf("one that is done at once is shown as %s and kept as %s", shown.Status, kept.Status)
		}
	})
}

// lifeOf tries everything with one kind of resource in all statuses of EKS's model.
func lifeOf[T any, S ~string](
	t *testing.T, r ResourceStates[T, S], make func(S) T, all []S, changeable, deletable []S,
) {
	t.Helper()
	for _, status := range all {
		m := NewMemory(func(tx *state.Txn) { r.table.Put(tx, "ID/x", make(status)) })
		change(t, m, func(tx *state.Txn) {
			if _, err := r.Create(tx, make("")); err == nil {
				t.Errorf("%s: one that is %s is made again", r.kind, status)
			}
			update, err := r.Change(tx, make(""), Update{ID: "u"})
			want := slices.Contains(changeable, status)
			if (err == nil) != want || want && update.Resource != r.kind+"/x" {
				t.Errorf("%s: a change of one that is %s: %+v, %v", r.kind, status, update, err)
			}
			if kept, _ := r.stored(tx, "ID/x"); kept != status {
				t.Errorf("%s: a change made one that was %s %s", r.kind, status, kept)
			}
			gone, err := r.Delete(tx, make(status))
			_, _, shown := r.of(&gone)
			want = slices.Contains(deletable, status)
			if (err == nil) != want || want && *shown != r.deleting || r.table.Part("").Empty(tx) != want {
				t.Errorf("%s: the deletion of one that is %s: %s, %v", r.kind, status, *shown, err)
			}
		})
	}
	change(t, NewMemory(), func(tx *state.Txn) {
		if _, err := r.Change(tx, make(""), Update{ID: "u"}); err == nil {
			t.Errorf("%s: one that is not there was changed", r.kind)
		}
		if _, err := r.Delete(tx, make("")); err == nil {
			t.Errorf("%s: one that is not there was deleted", r.kind)
		}
		made, err := r.Create(tx, make(""))
		_, _, shown := r.of(&made)
		if kept, found := r.stored(tx, "ID/x"); err != nil || !found || kept != r.made || *shown != r.creating {
			t.Errorf("%s: a new one is kept as %s and shown as %s (%v)", r.kind, kept, *shown, err)
		}
	})
}

func TestResourceTransitions(t *testing.T) {
	x := aws.String("x")
	active := []types.NodegroupStatus{"ACTIVE"}
	addon, capability := []types.AddonStatus{"ACTIVE"}, []types.CapabilityStatus{"ACTIVE"}
	lifeOf(t, NodegroupStates, func(s types.NodegroupStatus) Nodegroup {
		return Nodegroup{ClusterID: "ID", Nodegroup: types.Nodegroup{NodegroupName: x, Status: s}}
	}, types.NodegroupStatus("").Values(), active, active)
	lifeOf(t, AddonStates, func(s types.AddonStatus) Addon {
		return Addon{"ID", types.Addon{AddonName: x, Status: s}}
	}, types.AddonStatus("").Values(), addon, addon)
	lifeOf(t, CapabilityStates, func(s types.CapabilityStatus) Capability {
		return Capability{"ID", types.Capability{CapabilityName: x, Status: s}}
	}, types.CapabilityStatus("").Values(), capability, capability)
}
