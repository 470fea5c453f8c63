package system

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tripod/client"
)

// TestDamagedEtcdMembersAreReplaced, by the verb and by hand, and no acknowledged write is lost.
func TestDamagedEtcdMembersAreReplaced(t *testing.T) {
	t.Parallel()
	r := startRegion(t)
	entries := keepWriting(t, r, "journal")
	entries.goesOn(t, 20, 30*time.Second)

	// The log of the member that leads is corrupt: etcd refuses it, and the cluster goes on with two.
	leader := letter(r.cluster(t).EtcdLeader)
	r.fault(t, "etcd/"+leader, "data-corrupt")
	r.await(t, 20*time.Second, "etcd/"+leader, "failed")
	entries.goesOn(t, 20, 20*time.Second)
	eventually(t, 20*time.Second, "the status says why", func() (bool, string) {
		reason := r.instance(t, "etcd/"+leader).Reason
		return strings.Contains(reason, "crc mismatch"), reason
	})
	stdout, stderr, code := tripod(t, r.dir, "heal", "etcd/"+leader)
	if code != 0 || !strings.Contains(stdout, "is removed from the cluster\n") || !strings.Contains(stdout, "it has caught up, and votes\n") {
		t.Fatalf("heal: %d, %s%s", code, stdout, stderr)
	}
	r.await(t, 20*time.Second, "region", client.ForHealthy)
	entries.goesOn(t, 20, 20*time.Second)

	// The data of b is lost. It stays so over a restart of the region, which comes up without the member.
	r.fault(t, "etcd/b", "data-lost")
	entries.goesOn(t, 20, 20*time.Second)
	stdout, stderr, code = tripod(t, r.dir, "fault", "etcd/b", "data-lost")
	if code != 1 || !strings.Contains(stderr, "etcd/b has damaged data already") {
		t.Errorf("the same again: %d, %s%s", code, stdout, stderr)
	}
	entries.stop()
	must(t, "down", r.Close(within(t, 60*time.Second)))
	r = bringUp(t, r.dir)
	if got := r.instance(t, "etcd/b").Reason; !strings.Contains(got, "its data is lost") {
		t.Errorf("after the restart etcd/b is not at fault: %q", got)
	}
	replaceByHand(t, r)
	r.await(t, 30*time.Second, "region", client.ForHealthy) // so the fault is over, too
	entries.verify(t)
	r.wantSameEtcd(t)
	fullDatabaseTakesNoWrites(t, r)
}

// fullDatabaseTakesNoWrites, whichever member's it is, until the alarm is disarmed; etcd's other upkeep harms nobody.
func fullDatabaseTakesNoWrites(t *testing.T, r *testRegion) {
	t.Helper()
	ctx := within(t, 60*time.Second)
	maps := r.kube(t).CoreV1().ConfigMaps("default")
	r.fault(t, "etcd/b", "compact")
	r.fault(t, "etcd/b", "defragment")
	r.fault(t, "etcd/b", "nospace", "--for", "1h")
	_, err := maps.Create(ctx, configMap("full", "1"), metav1.CreateOptions{})
	if err == nil || !strings.Contains(err.Error(), "etcdserver: mvcc: database space exceeded") {
		t.Errorf("a write into a full database: %v", err)
	}
	_, err = maps.List(ctx, metav1.ListOptions{})
	must(t, "read from a full database", err)
	if faults := r.status(t).Faults; len(faults) != 1 || faults[0].Target != "etcd/b" || faults[0].Fault != "nospace" ||
		faults[0].Until == nil {
		t.Errorf("in force: %+v", faults)
	}
	r.heal(t, "etcd/b")
	_, err = maps.Create(ctx, configMap("full", "1"), metav1.CreateOptions{})
	must(t, "write after the alarm", err)
	r.await(t, 20*time.Second, "region", client.ForHealthy)
}

// fault breaks something by the command.
func (r *testRegion) fault(t testing.TB, args ...string) {
	t.Helper()
	must(t, "break it", command(t, r, append([]string{"fault"}, args...)...))
}

// replaceByHand does what docs/faults.md says, with etcd's own client.
func replaceByHand(t *testing.T, r *testRegion) {
	t.Helper()
	ctx := within(t, 60*time.Second)
	store := openEtcd(t, filepath.Join(r.clusterDir(t, "us-east-1a"), "pki"), etcdAddress(t, r, 0))
	list, err := store.MemberList(ctx)
	must(t, "list the members", err)
	var peers []string
	for _, member := range list.Members {
		if member.Name == "etcd-b" {
			peers = member.PeerURLs
			_, err := store.MemberRemove(ctx, member.ID)
			must(t, "remove the member", err)
		}
	}
	var learner uint64
	eventually(t, 30*time.Second, "a learner is added", func() (bool, string) {
		added, err := store.MemberAddAsLearner(ctx, peers)
		if err == nil {
			learner = added.Member.ID
		}
		return err == nil, fmt.Sprint(err)
	})
	eventually(t, 30*time.Second, "the learner is promoted", func() (bool, string) {
		_, err := store.MemberPromote(ctx, learner)
		return err == nil, fmt.Sprint(err)
	})
}
