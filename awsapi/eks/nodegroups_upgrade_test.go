package eks_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	service "tripod/awsapi/eks"
	"tripod/nodes/image"
	"tripod/region"
)

const excluded = "node.kubernetes.io/exclude-from-external-load-balancers"

// upgrade is a node group of the release before in a world, and an update of it to the newest one.
func (w *nodeWorld) createOld(size int32, change func(*eks.CreateNodegroupInput)) {
	before, _ := image.Of("AL2023_x86_64_STANDARD", "1.36", "")
	w.create(size, func(in *eks.CreateNodegroupInput) {
		in.ReleaseVersion = aws.String(strings.Replace(before.Release, image.ReleaseDate, image.PreviousDate, 1))
		if change != nil {
			change(in)
		}
	})
}

func (w *nodeWorld) upgrade(force bool) *string {
	w.t.Helper()
	return must(w.UpdateNodegroupVersion(ctx, &eks.UpdateNodegroupVersionInput{ClusterName: aws.String("demo"),
		NodegroupName: aws.String("workers"), Force: force}))(w.t).Update.Id
}

func TestUpgradeReplacesAllNodesAndReturnsToItsSize(t *testing.T) {
	w := newNodeWorld(t, "API", service.Pace{})
	w.createOld(3, nil)
	old, release := w.instances(), *w.describe().ReleaseVersion
	for name := range old {
		w.cluster.pods[name] = []string{"web"}
	}
	id := w.upgrade(false)
	most, excludedAll, fewest := 0, 0, 99
	w.until("it is ACTIVE again", 2*time.Minute, func() bool {
		most = max(most, w.group().Desired)
		labelled, ready := 0, 0
		for name, n := range w.cluster.nodes {
			if n.Ready && !n.Unschedulable {
				ready++
			}
			if _, was := old[name]; was && n.Labels[excluded] == "true" && n.Unschedulable {
				labelled++
			}
		}
		excludedAll, fewest = max(excludedAll, labelled), min(fewest, ready)
		if w.record().Status == "UPDATING" && *w.describe().ReleaseVersion != release {
			t.Errorf("it has its new release before the update is over")
		}
		return w.record().Status == types.NodegroupStatusActive
	})
	if most != 9 || excludedAll != 3 || fewest < 3 {
		t.Errorf("it grew to %d (want 3 and twice 3 zones), %d old nodes were left out, and %d were Ready at the worst", most,
			excludedAll, fewest)
	}
	w.until("the rest has gone", time.Minute, func() bool { return len(w.instances()) == 3 })
	for name, v := range w.instances() {
		if i, _ := image.Find(v.Launch.ImageID); !i.Latest || !maps.Equal(w.cluster.nodes[name].Labels, map[string]string{}) {
			t.Errorf("%s has the image %s and the labels %v", name, i.Name, w.cluster.nodes[name].Labels)
		}
	}
	if g := w.group(); g.Desired != 3 || g.Max != 5 || g.Min != 0 || g.Mixed.Template.Version != "2" {
		t.Errorf("got the group %+v", g)
	}
	if u := w.update(id); u.Status != types.UpdateStatusSuccessful || len(w.cluster.deleted) > 0 ||
		*w.describe().ReleaseVersion == release {
		t.Errorf("got the update %+v; deleted %v", u, w.cluster.deleted)
	}
}

func TestUpgradeThatABudgetStopsGoesBack(t *testing.T) {
	w := newNodeWorld(t, "API", service.Pace{})
	w.createOld(3, nil)
	before := w.instances()
	var kept string
	for name := range before {
		kept = name
	}
	w.cluster.pods[kept] = []string{"!db"}
	id := w.upgrade(false)
	w.until("it is ACTIVE again", 5*time.Minute, w.status(types.NodegroupStatusActive))
	u := w.update(id)
	if u.Status != types.UpdateStatusFailed || len(u.Errors) != 1 || u.Errors[0].ErrorCode != types.ErrorCodePodEvictionFailure ||
		*u.Errors[0].ErrorMessage != "Reached max retries while trying to evict pods from nodes in node group workers" ||
		!slices.Equal(u.Errors[0].ResourceIds, []string{kept}) {
		t.Errorf("got the update %s, %+v", u.Status, u.Errors)
	}
	w.until("it has its size again", time.Minute, func() bool { return len(w.instances()) == 3 })
	if n := w.cluster.nodes[kept]; n.Unschedulable || n.Labels[excluded] != "" || len(w.cluster.pods[kept]) != 1 {
		t.Errorf("the old node is %+v", n)
	}
	if g := w.group(); g.Desired != 3 || g.Max != 5 || g.Mixed.Template.Version != "1" || len(w.issues()) > 0 {
		t.Errorf("got the group %+v, issues %v", g, w.issues())
	}
	// With force it goes through.
	id = w.upgrade(true)
	w.until("it is ACTIVE again", 5*time.Minute, w.status(types.NodegroupStatusActive))
	if u := w.update(id); u.Status != types.UpdateStatusSuccessful || !slices.Equal(w.cluster.deleted, []string{"!db"}) {
		t.Errorf("by force: got the update %s, %+v, deleted %v", u.Status, u.Errors, w.cluster.deleted)
	}
}

func TestUpgradeWhoseNodesDoNotJoinGoesBack(t *testing.T) {
	w := newNodeWorld(t, "API", service.Pace{})
	w.createOld(2, nil)
	old := w.instances()
	w.boots = func(v region.Instance) string {
		if _, was := old[v.DNSName]; was {
			return ""
		}
		return "Unauthorized"
	}
	id := w.upgrade(false)
	w.until("it is ACTIVE again", 3*time.Minute, w.status(types.NodegroupStatusActive))
	u := w.update(id)
	if u.Status != types.UpdateStatusFailed || u.Errors[0].ErrorCode != types.ErrorCodeNodeCreationFailure ||
		*u.Errors[0].ErrorMessage != "Couldn't proceed with upgrade process as new nodes are not joining node group workers" {
		t.Errorf("got the update %s, %+v", u.Status, u.Errors)
	}
	w.until("the new ones have gone", time.Minute, func() bool { return len(w.instances()) == 2 })
	for name := range w.instances() {
		if _, was := old[name]; !was {
			t.Errorf("%s has stayed", name)
		}
	}
}

func TestMinimalUpgradeTerminatesFirst(t *testing.T) {
	w := newNodeWorld(t, "API", service.Pace{})
	w.createOld(4, func(in *eks.CreateNodegroupInput) {
		in.UpdateConfig = &types.NodegroupUpdateConfig{MaxUnavailable: aws.Int32(2), UpdateStrategy: "MINIMAL"}
	})
	id := w.upgrade(false)
	most, fewest := 0, 99
	w.until("it is ACTIVE again", 2*time.Minute, func() bool {
		ready := 0
		for _, n := range w.cluster.nodes {
			if n.Ready {
				ready++
			}
		}
		most, fewest = max(most, w.group().Desired), min(fewest, ready)
		return w.record().Status == types.NodegroupStatusActive
	})
	if u := w.update(id); u.Status != types.UpdateStatusSuccessful || most != 4 || fewest < 2 {
		t.Errorf("got the update %s, %d wanted at most, %d Ready at least", u.Status, most, fewest)
	}
	for _, v := range w.instances() {
		if v.Launch.TemplateVersion != "2" {
			t.Errorf("got an instance of the version %s", v.Launch.TemplateVersion)
		}
	}
}

func TestUpgradeOfAnEmptyGroupIsQuick(t *testing.T) {
	w := newNodeWorld(t, "API", service.Pace{})
	w.createOld(0, nil)
	id := w.upgrade(false)
	w.until("it is ACTIVE again", time.Second, w.status(types.NodegroupStatusActive))
	if u := w.update(id); u.Status != types.UpdateStatusSuccessful || w.group().Max != 3 {
		t.Errorf("got the update %+v and the group %+v", u, w.group())
	}
}
