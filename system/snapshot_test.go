package system

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tripod/api"
)

// TestSnapshotIsTheRegionAtOneMoment saves a region in the middle of writes, which notices nothing, and makes another
// directory's region of it.
func TestSnapshotIsTheRegionAtOneMoment(t *testing.T) {
	t.Parallel()
	r := startRegion(t)
	populate(t, r)
	counted := someAccess(t, r)
	before := r.remember(t)
	entries := keepWriting(t, r, "journal")
	entries.goesOn(t, 50, 30*time.Second)

	t.Log("save")
	file := filepath.Join(filepath.Dir(r.dir), "story.tripod")
	last, acked := r.lastEvent(t), entries.count()
	saved, err := r.SaveSnapshot(within(t, 60*time.Second), api.SnapshotRequest{Name: "story", File: file},
		func(api.SnapshotProgress) {})
	must(t, "save a snapshot", err)
	t.Logf("%d KiB; the region stood still for %.0f ms", saved.Bytes>>10, saved.PauseMillis)
	ackedAfter := entries.count()
	entries.goesOn(t, 50, 30*time.Second)
	r.quietBut(t, last, "SnapshotSaved")
	if _, stderr, code := tripod(t, r.dir, "snapshot", "save", "story", file); code != 1 ||
		!strings.Contains(stderr, "choose another name, or replace it with --force") {
		t.Errorf("a second snapshot of the name: exit code %d, said %q", code, stderr)
	}
	entries.verify(t)

	t.Log("restore beside it")
	dir := newDir(t)
	if _, stderr, code := tripod(t, dir, "snapshot", "restore", file); code != 0 {
		t.Fatalf("restore: %s", stderr)
	}
	if _, stderr, code := tripod(t, dir, "up", "-d"); code != 1 ||
		!strings.Contains(stderr, "the region in "+r.dir+" runs and has the same ports as the one in "+dir) {
		t.Errorf("up beside the region that was saved: exit code %d, said %q", code, stderr)
	}
	must(t, "down", r.Close(within(t, 60*time.Second)))
	began := time.Now()
	restored := bringUp(t, dir)
	maps.DeleteFunc(before.Files, func(name, _ string) bool { return name == "kubeconfig" }) // which names the directory
	got := restored.remember(t)
	delete(got.Files, "kubeconfig")
	if !cmp.Equal(before, got) {
		t.Errorf("the snapshot changed (- before, + now):\n%s", cmp.Diff(before, got))
	}
	restored.hasPrefixOf(t, entries, acked, ackedAfter)
	wantAccess(t, restored, counted)
	nodesRenew(t, restored.kube(t), 3, began)
	again := keepWriting(t, restored, "afterwards")
	again.goesOn(t, 20, 30*time.Second)
	again.verify(t)

	t.Log("save it when it is down, and put it back")
	must(t, "down", restored.Close(within(t, 60*time.Second)))
	if _, stderr, code := tripod(t, dir, "snapshot", "save", "down", file, "--force"); code != 0 {
		t.Fatalf("save: %s", stderr)
	}
	if _, stderr, code := tripod(t, dir, "snapshot", "restore", file, "--force"); code != 0 {
		t.Fatalf("restore: %s", stderr)
	}
	restored = bringUp(t, dir)
	if n := len(restored.entryNames(t, "afterwards")); n < 20 {
		t.Errorf("%d of the entries that were written before the second save are there", n)
	}
}

// quietBut checks that since the event with that number nothing has happened but events of that type.
func (r *testRegion) quietBut(t *testing.T, since uint64, but api.EventType) {
	t.Helper()
	must(t, "read the events", r.Events(within(t, 10*time.Second), since, false, func(event api.Event) error {
		// A machine under load can make a target silent for its balancer, and a leader for the others.
		if !slices.Contains([]api.EventType{but, api.LeaderChanged, api.TargetUnhealthy, api.TargetHealthy}, event.Type) {
			t.Errorf("a snapshot was saved, and this was told: %+v", event)
		}
		return nil
	}))
}

// entryNames are the journal's entries that the region has, in the order of their numbers.
func (r *testRegion) entryNames(t *testing.T, ns string) (names []string) {
	t.Helper()
	list, err := r.kube(t).CoreV1().ConfigMaps(ns).List(within(t, 30*time.Second), metav1.ListOptions{})
	must(t, "list the journal", err)
	for _, item := range list.Items {
		if strings.HasPrefix(item.Name, "entry-") {
			names = append(names, item.Name)
		}
	}
	slices.Sort(names)
	return names
}

// hasPrefixOf checks that the region has the journal's first entries and no later ones: all that were acknowledged
// before the save began, and none that were begun after it had ended.
func (r *testRegion) hasPrefixOf(t *testing.T, entries *journal, acked, ackedAfter int) {
	t.Helper()
	names := r.entryNames(t, "journal")
	for n, name := range names {
		if want := fmt.Sprintf("entry-%06d", n); name != want {
			t.Fatalf("the snapshot has %s, and not %s before it", name, want)
		}
	}
	if len(names) < acked || len(names) > ackedAfter+1 {
		t.Errorf("the snapshot has %d entries; %d were acknowledged before it began, and %d when it had ended", len(names),
			acked, ackedAfter)
	}
	t.Logf("%d entries acknowledged before, %d in the snapshot, %d after", acked, len(names), ackedAfter)
}

// countedWrite finds the write of someAccess in the audit log.
const countedWrite = `{ $.verb = "create" && $.objectRef.name = "counted" && $.responseStatus.code = 201 }`

// someAccess makes a user with access to the cluster, and a write that is in the audit log, and returns how often it is
// there.
func someAccess(t *testing.T, r *testRegion) (counted int) {
	t.Helper()
	services, ctx := r.awsClients(t, awsHTTP), within(t, 60*time.Second)
	_, err := services.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("ada")})
	must(t, "CreateUser", err)
	_, err = services.eks.CreateAccessEntry(ctx,
		&eks.CreateAccessEntryInput{ClusterName: aws.String("demo"), PrincipalArn: adaIn(r, t)})
	must(t, "CreateAccessEntry", err)
	setLogging(t, services, true, ekstypes.LogTypeAudit)
	_, err = r.kube(t).CoreV1().ConfigMaps("default").Create(ctx, configMap("counted", "1"), metav1.CreateOptions{})
	must(t, "create a config map", err)
	eventually(t, 30*time.Second, "the write is in the audit log", func() (bool, string) {
		counted = r.countWrites(t)
		return counted > 0, "it is not"
	})
	return counted
}

func adaIn(r *testRegion, t *testing.T) *string {
	return aws.String("arn:aws:iam::" + r.status(t).AccountID + ":user/ada")
}

// countWrites says how often the write of someAccess is in the audit log.
func (r *testRegion) countWrites(t *testing.T) int {
	t.Helper()
	out, err := r.logsIn(t, "a").FilterLogEvents(within(t, 10*time.Second),
		&cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String(demoLogs), FilterPattern: aws.String(countedWrite)})
	if err != nil { // there is no group before the first zone ships
		return 0
	}
	return len(out.Events)
}

// wantAccess looks for what someAccess has made, in the regional state, the history and the log events.
func wantAccess(t *testing.T, r *testRegion, counted int) {
	t.Helper()
	services, ctx := r.awsClients(t, awsHTTPS), within(t, 60*time.Second)
	if _, err := services.eks.DescribeAccessEntry(ctx,
		&eks.DescribeAccessEntryInput{ClusterName: aws.String("demo"), PrincipalArn: adaIn(r, t)}); err != nil {
		t.Errorf("the access entry: %v", err)
	}
	stdout, stderr, code := tripod(t, r.dir, "history", "-n", "-1", "--service", "iam", "--mutating", "-o", "json")
	if code != 0 || !strings.Contains(stdout, `"CreateUser"`) {
		t.Errorf("the history of calls: exit code %d %s %s", code, stdout, stderr)
	}
	// Everything that is written now is shipped behind what is there: when this is, nothing was shipped twice before it.
	_, err := r.kube(t).CoreV1().ConfigMaps("default").Create(ctx, configMap("counted-too", "1"), metav1.CreateOptions{})
	must(t, "create a config map", err)
	pattern := strings.Replace(countedWrite, `"counted"`, `"counted-too"`, 1)
	eventually(t, 30*time.Second, "the log events go on", func() (bool, string) {
		out, err := r.logsIn(t, "a").FilterLogEvents(ctx,
			&cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String(demoLogs), FilterPattern: &pattern})
		if err != nil {
			return false, err.Error()
		}
		return len(out.Events) == 1, fmt.Sprintf("%d events", len(out.Events))
	})
	if got := r.countWrites(t); got != counted {
		t.Errorf("a write is %d times in the audit log, and was %d times before", got, counted)
	}
}

// TestRegionKilledWhileItStandsStillLeavesNothing: the zones cannot see that the region's process is gone, as they are
// stopped.
func TestRegionKilledWhileItStandsStillLeavesNothing(t *testing.T) {
	t.Parallel()
	r := bringUp(t, newDir(t), "--nodes", "0")
	status := r.status(t)
	for _, zone := range status.Zones {
		must(t, "SIGSTOP", syscall.Kill(-zone.PID, syscall.SIGSTOP))
	}
	eventually(t, 5*time.Second, "all zones stand still", func() (bool, string) {
		for _, p := range processesOf(r.dir) {
			if p.pid != status.PID && state(p.pid) != 'T' {
				return false, p.String()
			}
		}
		return true, ""
	})
	must(t, "SIGKILL", syscall.Kill(status.PID, syscall.SIGKILL))
	noProcesses(t, r.dir)
	stdout, stderr, code := tripod(t, r.dir, "snapshot", "save", "after",
		filepath.Join(filepath.Dir(r.dir), "after.tripod"))
	if code != 0 || !strings.Contains(stdout, "it was down") {
		t.Errorf("save what is left: exit code %d %s", code, stderr)
	}
	stdout, _, code = tripod(t, r.dir, "snapshot", "--snapshot-dir", filepath.Dir(r.dir), "list", "-o", "json")
	var listed []api.Snapshot
	if err := json.Unmarshal([]byte(stdout), &listed); code != 0 || err != nil || len(listed) != 1 ||
		listed[0].Clusters[0] != (api.SnapshotCluster{Name: "demo", Version: "1.36", Status: "ACTIVE"}) {
		t.Errorf("list: exit code %d %s", code, stdout)
	}
	bringUp(t, r.dir)
}
