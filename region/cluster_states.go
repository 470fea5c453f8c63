package region

import (
	"fmt"
	"slices"
	"time"

	"tripod/state"
)

// ClusterStatus is where a cluster is in its life, in EKS's words.
type ClusterStatus string

// The statuses of a cluster. What is special about each, and what may follow it, says clusterStatuses.
const (
	ClusterCreating ClusterStatus = "CREATING"
	ClusterActive   ClusterStatus = "ACTIVE"
	ClusterUpdating ClusterStatus = "UPDATING"
	ClusterDeleting ClusterStatus = "DELETING"
	ClusterFailed   ClusterStatus = "FAILED"

	// noCluster is that of a cluster which is not there: before it is made and after it is deleted. No record has it.
	noCluster ClusterStatus = ""
)

// clusterStatuses are all statuses: what may follow each, and what it means to those who do not care which one it is. A
// new status is an entry here, and functions for the ways to it and from it.
//
//	CreateCluster          none -> CREATING, or FAILED where there are issues
//	ActivateCluster        CREATING -> ACTIVE
//	BeginRollout           ACTIVE -> UPDATING, until AdvanceRollout finds that all zones are through: -> ACTIVE
//	BeginAccessChange      ACTIVE -> UPDATING, until ReportEndpoint says that it is in effect: -> ACTIVE
//	DeleteCluster          ACTIVE, FAILED -> DELETING
//	ReleaseCluster         DELETING -> none, with the last zone
var clusterStatuses = map[ClusterStatus]struct {
	next    []ClusterStatus
	stopped bool // zones do not run the cluster: it never came to be, or it is deleted
	hidden  bool // nobody is told an endpoint, an authority or an issuer yet
	settled bool // nothing is under way, after which another status follows by itself
}{
	noCluster:       {next: []ClusterStatus{ClusterCreating, ClusterFailed}},
	ClusterCreating: {next: []ClusterStatus{ClusterActive}, hidden: true},
	ClusterActive:   {next: []ClusterStatus{ClusterUpdating, ClusterDeleting}, settled: true},
	ClusterUpdating: {next: []ClusterStatus{ClusterActive}},
	ClusterFailed:   {next: []ClusterStatus{ClusterDeleting}, stopped: true, hidden: true, settled: true},
	ClusterDeleting: {next: []ClusterStatus{noCluster}, stopped: true},
}

// Runs says whether zones have to run a cluster that has the status.
func (s ClusterStatus) Runs() bool { return !clusterStatuses[s].stopped }

// HasEndpoint says whether a cluster that has the status shows its endpoint, its certificate authority and its issuer.
func (s ClusterStatus) HasEndpoint() bool { return !clusterStatuses[s].hidden }

// Passes says whether something is under way, after which the cluster has another status.
func (s ClusterStatus) Passes() bool { return !clusterStatuses[s].settled }

// MayBecome says whether a cluster that has the status may get the other one next.
func (s ClusterStatus) MayBecome(next ClusterStatus) bool {
	return slices.Contains(clusterStatuses[s].next, next)
}

// RefusedError is the answer to a transition that there is not. Nothing was written.
type RefusedError struct {
	What     string // such as "cluster demo"
	From, To string // statuses; "": it is not there
}

// Error implements error.
func (e *RefusedError) Error() string {
	name := func(status string) string {
		if status == "" {
			return "not there"
		}
		return status
	}
	return fmt.Sprintf("%s is %s, and cannot be %s next", e.What, name(e.From), name(e.To))
}

func (c *Cluster) become(next ClusterStatus) error {
	if !c.Status.MayBecome(next) {
		return &RefusedError{"cluster " + c.Name, string(c.Status), string(next)}
	}
	c.Status = next
	return nil
}

// CreateCluster writes the record of a new cluster, which the zones then bring up, and the access entry of its creator
// (nil: it has none). A cluster with Issues is one that failed: no zone runs it. The answer is the cluster as EKS shows
// it at once, CREATING and without issues in any case. A name or an ID that is taken is refused.
func CreateCluster(tx *state.Txn, cluster Cluster, creator *AccessEntry) (answer Cluster, err error) {
	for _, there := range []func() (Cluster, bool){
		func() (Cluster, bool) { return Clusters.Get(tx, cluster.ID) },
		func() (Cluster, bool) { return ClusterNamed(tx, cluster.Name) },
	} {
		if other, found := there(); found {
			return cluster, &RefusedError{"cluster " + other.Name, string(other.Status), string(ClusterCreating)}
		}
	}
	first := ClusterCreating
	if len(cluster.Issues) > 0 {
		first = ClusterFailed
	}
	cluster.Status = noCluster
	if err := cluster.become(first); err != nil {
		return cluster, err
	}
	Clusters.Put(tx, cluster.ID, cluster)
	ClusterIDs.Put(tx, cluster.Name, cluster.ID)
	if creator != nil {
		AccessEntries.Put(tx, cluster.ID+"/"+creator.PrincipalARN, *creator)
	}
	cluster.Status, cluster.Issues = ClusterCreating, nil
	return cluster, nil
}

// ActivateCluster ends the creation of a cluster that serves. It says whether it did: not where another zone was first,
// where the cluster is deleted since, or where its creation has to last.
func ActivateCluster(tx *state.Txn, id string, now time.Time) (activated bool, err error) {
	cluster, found := Clusters.Get(tx, id)
	if !found || cluster.Status != ClusterCreating || cluster.Lasts(now) {
		return false, nil
	}
	if err := cluster.become(ClusterActive); err != nil {
		return false, err
	}
	Clusters.Put(tx, id, cluster)
	return true, nil
}

// BeginAccessChange writes a cluster with another Access, which its endpoint is to have, and the update that asks for
// it. The update is under way until ReportEndpoint says otherwise, and not before notBefore (nil: at any time).
func BeginAccessChange(tx *state.Txn, cluster Cluster, update Update, notBefore *time.Time) (Update, error) {
	if err := cluster.become(ClusterUpdating); err != nil {
		return Update{}, err
	}
	access := cluster.EndpointAccess()
	access.UpdateID = update.ID
	cluster.Access, cluster.NotBefore = &access, notBefore
	Clusters.Put(tx, cluster.ID, cluster)
	return beginUpdate(tx, update), nil
}

// EndpointUnreachable is EKS's code of the issue that a cluster has whose endpoint is not there.
const EndpointUnreachable = "ClusterUnreachable"

// EndpointTrouble is why the cluster's endpoint is not there; empty: it is, as far as is known.
func (c Cluster) EndpointTrouble() string {
	for _, issue := range c.Issues {
		if issue.Code == EndpointUnreachable {
			return issue.Message
		}
	}
	return ""
}

// ReportEndpoint notes why a cluster's endpoint cannot be opened (empty: it is open), and that the access which an
// update asked for is in effect (empty: none new is). It returns the cluster, a zero one when it is gone, and the
// update that has ended by this, if one has.
func ReportEndpoint(tx *state.Txn, id, trouble, updateID string) (cluster Cluster, ended Update) {
	cluster, found := Clusters.Get(tx, id)
	if !found {
		return Cluster{}, Update{}
	}
	isTrouble := func(i ClusterIssue) bool { return i.Code == EndpointUnreachable }
	cluster.Issues = slices.DeleteFunc(cluster.Issues, isTrouble)
	if trouble != "" {
		cluster.Issues = append(cluster.Issues, ClusterIssue{Code: EndpointUnreachable, Message: trouble})
	}
	if updateID != "" && cluster.Access != nil && cluster.Access.UpdateID == updateID {
		cluster.Access.UpdateID = ""
		cluster.endUpdating()
		ended = endUpdate(tx, updateID, UpdateSuccessful)
	}
	Clusters.Put(tx, id, cluster)
	return cluster, ended
}

// endUpdating lets an update end. A cluster that has another status keeps it.
func (c *Cluster) endUpdating() {
	if c.Status == ClusterUpdating {
		c.Status = ClusterActive
	}
}

// DeleteCluster begins the deletion of a cluster, which lasts until notBefore at least (nil: as long as it takes). What
// belongs to it goes at once, its endpoint closes, and each zone ends its part: see ReleaseCluster. It returns the
// cluster as it is then.
func DeleteCluster(tx *state.Txn, cluster Cluster, now time.Time, notBefore *time.Time) (Cluster, error) {
	if err := cluster.become(ClusterDeleting); err != nil {
		return cluster, err
	}
	cluster.DeletedAt, cluster.NotBefore = &now, notBefore
	Clusters.Put(tx, cluster.ID, cluster)
	forgetParts(tx, cluster.ID)
	return cluster, nil
}

// forgetParts deletes all records that belong to a cluster, but for those of other AWS services: its key in KMS, its
// zonal shifts.
func forgetParts(tx *state.Txn, id string) {
	forgetUnder(tx, Nodegroups, id)
	forgetUnder(tx, FargateProfiles, id)
	forgetUnder(tx, FargateMachines, id)
	forgetUnder(tx, Addons, id)
	forgetUnder(tx, Capabilities, id)
	forgetUnder(tx, AccessEntries, id)
	forgetUnder(tx, PodIdentityAssociations, id)
	forgetUnder(tx, IdentityProviders, id)
	forgetUnder(tx, DeprecatedReadings, id)
	InsightsRefreshes.Delete(tx, id)
	forgetUpdates(tx, id)
}

// forgetUnder deletes a cluster's records of a table whose keys begin with its ID.
func forgetUnder[T any](tx *state.Txn, table state.Table[T], id string) {
	for key := range table.Part(id+"/").KeysAfter(tx, "") {
		table.Delete(tx, key)
	}
}

// deletionPatience is how long the deletion of a cluster waits for a zone that is down. That one finds out when it
// returns.
const deletionPatience = 10 * time.Second

// Release says that a zone has nothing of a cluster any more.
type Release struct {
	Zone  string
	Zones int  // how many the region has
	Leads bool // the zone leads the regional state: it is the one that may give up on zones that are down
	Now   time.Time
}

// ReleaseCluster notes that a zone has ended and deleted its part of a cluster. The last zone to do so deletes the
// record; the leading one does when a zone that is down lets the others wait, and leaves a note for that one. over says
// that the zone has nothing more to do; deleted is the cluster that this call deleted, if it did.
func ReleaseCluster(tx *state.Txn, id string, by Release) (deleted Cluster, over bool, err error) {
	cluster, found := Clusters.Get(tx, id)
	if !found {
		signDeletedCluster(tx, id, by)
		return Cluster{}, true, nil
	}
	if !cluster.Status.MayBecome(noCluster) {
		return Cluster{}, false, &RefusedError{"cluster " + cluster.Name, string(cluster.Status), string(noCluster)}
	}
	if !slices.Contains(cluster.Released, by.Zone) {
		cluster.Released = append(cluster.Released, by.Zone)
		Clusters.Put(tx, id, cluster)
	}
	if !by.mayFinish(cluster) {
		return Cluster{}, false, nil
	}
	Clusters.Delete(tx, id)
	ClusterIDs.Delete(tx, cluster.Name)
	forgetUpdates(tx, id)
	note := DeletedCluster{ID: id, Name: cluster.Name, DeletedAt: *cluster.DeletedAt, Released: cluster.Released}
	keepNote(tx, note, by.Zones)
	return cluster, true, nil
}

func (by Release) mayFinish(cluster Cluster) bool {
	switch {
	case cluster.Lasts(by.Now):
		return false
	case len(cluster.Released) == by.Zones:
		return true
	}
	waited := cluster.DeletedAt != nil && by.Now.Sub(*cluster.DeletedAt) > deletionPatience
	return waited && len(cluster.Released) > by.Zones/2 && by.Leads
}

// signDeletedCluster notes the release of a zone for which the others have not waited.
func signDeletedCluster(tx *state.Txn, id string, by Release) {
	note, found := Deleted.Get(tx, id)
	if !found {
		return
	}
	if !slices.Contains(note.Released, by.Zone) {
		note.Released = append(note.Released, by.Zone)
	}
	keepNote(tx, note, by.Zones)
}

// keepNote writes down that a cluster is deleted for as long as there are zones that have to know it.
func keepNote(tx *state.Txn, note DeletedCluster, zones int) {
	if len(note.Released) == zones {
		Deleted.Delete(tx, note.ID)
		return
	}
	Deleted.Put(tx, note.ID, note)
}
