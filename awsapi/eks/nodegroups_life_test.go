package eks_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/go-cmp/cmp"

	service "tripod/awsapi/eks"
	"tripod/nodes/boot"
	"tripod/nodes/object"
	"tripod/region"
	"tripod/state"
)

func TestNodegroupMakesWhatEKSMakes(t *testing.T) {
	w := newNodeWorld(t, "API", service.Pace{})
	w.create(3, func(in *eks.CreateNodegroupInput) {
		in.Labels = map[string]string{"tier": "web"}
		in.Taints = []types.Taint{{Key: aws.String("dedicated"), Value: aws.String("web"), Effect: types.TaintEffectNoSchedule}}
	})
	g, work := w.group(), w.record().Work
	if g.Name != "eks-workers-"+work.ID || g.Desired != 3 || g.Mixed.OnDemandStrategy != "prioritized" ||
		g.HealthCheckGrace != 15 || g.Cooldown != 300 || len(g.Zones) != 3 ||
		!slices.Equal(g.TerminationPolicies, []string{"AllocationStrategy", "OldestLaunchTemplate", "OldestInstance"}) {
		t.Errorf("got the group %+v", g)
	}
	var tags []string
	for _, tag := range g.Tags {
		tags = append(tags, tag.Key+"="+tag.Value)
	}
	want := []string{"eks:cluster-name=demo", "eks:nodegroup-name=workers", "k8s.io/cluster-autoscaler/demo=owned",
		"k8s.io/cluster-autoscaler/enabled=true", "kubernetes.io/cluster/demo=owned"}
	if diff := cmp.Diff(want, tags); diff != "" {
		t.Errorf("the group's tags (-want +got):\n%s", diff)
	}
	if g.Hooks[0].Name != "Launch-LC-Hook" || g.Hooks[1].Name != "Terminate-LC-Hook" || g.Hooks[1].HeartbeatTimeout != 1800 {
		t.Errorf("got the hooks %+v", g.Hooks)
	}
	zones := map[string]int{}
	for _, v := range w.instances() {
		zones[v.Zone]++
		config, _, err := boot.Parse([]byte(v.Launch.UserData), boot.AL2023)
		if err != nil || config.ClusterName != "demo" || config.Labels["eks.amazonaws.com/nodegroup"] != "workers" ||
			config.Labels["tier"] != "web" || config.Labels["eks.amazonaws.com/nodegroup-image"] != v.Launch.ImageID ||
			config.MaxPods != 17 || len(config.Taints) != 1 || config.Taints[0].String() != "dedicated=web:NoSchedule" {
			t.Errorf("an instance boots with %+v, %v", config, err)
		}
		if v.Launch.Profile != "eks-"+work.ID || v.Launch.Type != "t3.medium" || v.Launch.TemplateID != work.Template.ID {
			t.Errorf("got the instance %+v", v.Launch)
		}
	}
	if len(zones) != 3 {
		t.Errorf("the instances are in %v", zones)
	}
	w.state.View(func(tx *state.Txn) error {
		if p, _ := region.InstanceProfiles.Get(tx, "eks-"+work.ID); p.Role != "worker" {
			t.Errorf("got the profile %+v", p)
		}
		return nil
	})
}

func TestNodegroupGoesWithAllThatWasMade(t *testing.T) {
	for _, mode := range []string{"API", "CONFIG_MAP"} {
		w := newNodeWorld(t, mode, service.Pace{})
		w.create(2, nil)
		if mapped := w.cluster.mapped[role]; mapped != (mode == "CONFIG_MAP") {
			t.Errorf("%s: the role is mapped: %t", mode, mapped)
		}
		id := w.record().Work.ID
		must(w.DeleteNodegroup(ctx, &eks.DeleteNodegroupInput{ClusterName: aws.String("demo"), NodegroupName: aws.String("workers")}))(t)
		w.until("it is gone", time.Minute, func() bool { return w.record().Work == nil })
		w.until("its Auto Scaling group is gone", time.Second, func() bool { return w.group().Name == "" })
		w.state.View(func(tx *state.Txn) error {
			_, profile := region.InstanceProfiles.Get(tx, "eks-"+id)
			if left := region.AccessEntries.Part(clusterID).Count(tx); profile || left > 0 || len(w.instances()) > 0 {
				t.Errorf("%s: a profile %t, %d entries and %d instances are left", mode, profile, left, len(w.instances()))
			}
			return nil
		})
		if w.cluster.mapped[role] {
			t.Errorf("%s: the role is still mapped", mode)
		}
	}
}

// Each case breaks something of a node group and mends it again.
func TestNodegroupHealthTellsWhatIsBroken(t *testing.T) {
	group := func(change func(*region.AutoScalingGroup)) func(*nodeWorld, *state.Txn) {
		return func(w *nodeWorld, tx *state.Txn) {
			g, _ := region.AutoScalingGroups.Get(tx, w.group().Name)
			change(&g)
			region.AutoScalingGroups.Put(tx, g.Name, g)
		}
	}
	for code, c := range map[string]struct{ spoil, mend func(*nodeWorld, *state.Txn) }{
		"Ec2LaunchTemplateVersionMismatch": {
			group(func(g *region.AutoScalingGroup) { g.Mixed.Template.Version = "$Latest" }),
			group(func(g *region.AutoScalingGroup) { g.Mixed.Template.Version = "1" })},
		"AutoScalingGroupInvalidConfiguration": {
			group(func(g *region.AutoScalingGroup) { g.Subnets = g.Subnets[:2] }),
			group(func(g *region.AutoScalingGroup) { g.Subnets = vpc.SubnetIDs() })},
		"IamInstanceProfileNotFound": {
			func(w *nodeWorld, tx *state.Txn) { region.InstanceProfiles.Delete(tx, "eks-"+w.record().Work.ID) },
			func(w *nodeWorld, tx *state.Txn) {
				name := "eks-" + w.record().Work.ID
				region.InstanceProfiles.Put(tx, name, region.InstanceProfile{Name: name, Role: "worker"})
			}},
		"IamNodeRoleNotFound": {
			func(_ *nodeWorld, tx *state.Txn) { region.Roles.Delete(tx, "worker") },
			func(_ *nodeWorld, tx *state.Txn) {
				region.Roles.Put(tx, "worker", region.Role{Name: "worker", ARN: role, ID: "AROAWORKERWORKERWORKE"})
			}},
		"AccessDenied": {
			func(_ *nodeWorld, tx *state.Txn) { region.AccessEntries.Delete(tx, clusterID+"/"+role) },
			func(_ *nodeWorld, tx *state.Txn) {
				region.AccessEntries.Put(tx, clusterID+"/"+role, region.AccessEntry{ClusterID: clusterID, PrincipalARN: role,
					Type: "EC2_LINUX", PrincipalID: "AROAWORKERWORKERWORKE"})
			}},
		"AutoScalingGroupNotFound": {
			func(w *nodeWorld, tx *state.Txn) { region.AutoScalingGroups.Delete(tx, w.group().Name) }, nil},
		"ClusterUnreachable": {
			func(w *nodeWorld, _ *state.Txn) { w.cluster.down = errDown },
			func(w *nodeWorld, _ *state.Txn) { w.cluster.down = nil }},
		"AsgInstanceLaunchFailures": {
			func(w *nodeWorld, tx *state.Txn) {
				for _, zone := range vpc.Zones {
					region.Capacities.Put(tx, zone+"/", region.Capacity{Zone: zone})
				}
				group(func(g *region.AutoScalingGroup) { g.Desired++ })(w, tx)
			},
			func(_ *nodeWorld, tx *state.Txn) {
				for _, zone := range vpc.Zones {
					region.Capacities.Delete(tx, zone+"/")
				}
			}},
	} {
		t.Run(code, func(t *testing.T) {
			w := newNodeWorld(t, "API", service.Pace{})
			w.create(3, nil)
			w.write(func(tx *state.Txn) error { c.spoil(w, tx); return nil })
			w.until("it is DEGRADED", time.Minute, w.status(types.NodegroupStatusDegraded))
			if got := w.issues(); !slices.Equal(got, []string{code}) {
				t.Errorf("got the issues %v", got)
			}
			_, err := w.UpdateNodegroupConfig(ctx, &eks.UpdateNodegroupConfigInput{ClusterName: aws.String("demo"),
				NodegroupName: aws.String("workers"), Labels: &types.UpdateLabelsPayload{AddOrUpdateLabels: map[string]string{"a": "b"}}})
			harmless := code == "AsgInstanceLaunchFailures" || code == "ClusterUnreachable"
			if (err == nil) != harmless || err != nil && !strings.Contains(err.Error(), "Nodegroup has health issue other than [ Asg") {
				t.Errorf("an update meanwhile: %v", err)
			}
			if c.mend != nil {
				w.write(func(tx *state.Txn) error { c.mend(w, tx); return nil })
				w.until("it is ACTIVE again", 3*time.Minute, w.status(types.NodegroupStatusActive))
			}
		})
	}
}

func TestNodesThatDoNotJoinFailTheCreation(t *testing.T) {
	const lost = "Instances failed to join the kubernetes cluster"
	for name, c := range map[string]struct {
		pace     service.Pace
		trouble  string
		unready  bool
		after    time.Duration
		message  string
		capacity bool
	}{
		"known trouble":    {service.Pace{}, "Unauthorized", false, 40 * time.Second, lost, false},
		"at the real pace": {service.RealPace, "Unauthorized", false, 16 * time.Minute, lost, false},
		"nodes not Ready":  {service.Pace{}, "", true, 16 * time.Minute, "Unhealthy nodes in the kubernetes cluster", false},
		"there is no space": {service.Pace{}, "", false, 2 * time.Minute,
			"Could not launch On-Demand Instances. InsufficientInstanceCapacity", true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newNodeWorld(t, "API", c.pace)
			w.boots = func(region.Instance) string { return c.trouble }
			w.unready = func(region.Instance) bool { return c.unready }
			if c.capacity {
				w.write(func(tx *state.Txn) error {
					for _, zone := range vpc.Zones {
						region.Capacities.Put(tx, zone+"/", region.Capacity{Zone: zone})
					}
					return nil
				})
			}
			began := w.now
			must(w.CreateNodegroup(ctx, nodegroup(nil)))(t)
			w.until("it is CREATE_FAILED", c.after, w.status(types.NodegroupStatusCreateFailed))
			if took := w.now.Sub(began); took < c.after/3 && !c.capacity {
				t.Errorf("it failed after %v", took)
			}
			issue := w.record().Health.Issues[0]
			if !strings.HasPrefix(*issue.Message, c.message) || len(issue.ResourceIds) == 0 {
				t.Errorf("got the issue %s: %s %v", issue.Code, *issue.Message, issue.ResourceIds)
			}
			must(w.DeleteNodegroup(ctx, &eks.DeleteNodegroupInput{ClusterName: aws.String("demo"), NodegroupName: aws.String("workers")}))(t)
			w.until("it is gone", 10*time.Minute, func() bool { return w.record().Work == nil })
		})
	}
}

func TestLabelsAndTaintsReachNodesOnce(t *testing.T) {
	w := newNodeWorld(t, "API", service.Pace{})
	w.create(2, func(in *eks.CreateNodegroupInput) { in.Labels = map[string]string{"old": "1"} })
	for name := range w.instances() {
		w.cluster.change(name, func(n *object.Node) { n.Labels = map[string]string{"old": "1"} })
	}
	out := must(w.UpdateNodegroupConfig(ctx, &eks.UpdateNodegroupConfigInput{
		ClusterName: aws.String("demo"), NodegroupName: aws.String("workers"),
		Labels:        &types.UpdateLabelsPayload{AddOrUpdateLabels: map[string]string{"new": "2"}, RemoveLabels: []string{"old"}},
		Taints:        &types.UpdateTaintsPayload{AddOrUpdateTaints: []types.Taint{{Key: aws.String("x"), Effect: "NO_EXECUTE"}}},
		ScalingConfig: &types.NodegroupScalingConfig{DesiredSize: aws.Int32(3)},
	}))(t)
	if got := w.describe().Status; got != types.NodegroupStatusUpdating {
		t.Errorf("meanwhile it is %s", got)
	}
	second, err := w.UpdateNodegroupVersion(ctx, &eks.UpdateNodegroupVersionInput{ClusterName: aws.String("demo"),
		NodegroupName: aws.String("workers")})
	wantError(t, second, err, taken)
	if err == nil || !strings.Contains(err.Error(), "Nodegroup cannot be updated as it is currently not in Active State") {
		t.Errorf("got %v", err)
	}
	w.until("it is ACTIVE again", 5*time.Second, w.status(types.NodegroupStatusActive))
	if got := w.update(out.Update.Id); got.Status != types.UpdateStatusSuccessful {
		t.Errorf("got the update %+v", got)
	}
	w.until("there are three", 5*time.Second, func() bool { return len(w.cluster.nodes) == 3 })
	told := 0
	for name, v := range w.instances() {
		if n := w.cluster.nodes[name]; n.Labels["new"] == "2" && n.Labels["old"] == "" && len(n.Taints) == 1 &&
			n.Taints[0].Effect == "NoExecute" {
			told++
			w.cluster.change(name, func(n *object.Node) { n.Labels = nil })
			continue
		}
		config, _, err := boot.Parse([]byte(v.Launch.UserData), boot.AL2023)
		if err != nil || config.Labels["new"] != "2" || config.Labels["old"] != "" || len(config.Taints) != 1 {
			t.Errorf("the new one boots with %+v, %v", config, err)
		}
	}
	for range 10 {
		if _, err := w.round(); err != nil {
			t.Fatal(err)
		}
	}
	for name := range w.instances() {
		if len(w.cluster.nodes[name].Labels) > 0 {
			t.Errorf("what was taken away by hand is back: %v", w.cluster.nodes[name].Labels)
		}
	}
	if told != 2 {
		t.Errorf("%d nodes were told", told)
	}
}

func TestDesiredSizeOfOthersIsShown(t *testing.T) {
	w := newNodeWorld(t, "API", service.Pace{})
	w.create(1, nil)
	w.write(func(tx *state.Txn) error {
		g, _ := region.AutoScalingGroups.Get(tx, w.group().Name)
		g.Desired = 3
		region.AutoScalingGroups.Put(tx, g.Name, g)
		return nil
	})
	if got := *w.describe().ScalingConfig.DesiredSize; got != 3 {
		t.Errorf("it shows %d", got)
	}
	must(w.UpdateNodegroupConfig(ctx, &eks.UpdateNodegroupConfigInput{ClusterName: aws.String("demo"),
		NodegroupName: aws.String("workers"), ScalingConfig: &types.NodegroupScalingConfig{MaxSize: aws.Int32(9)}}))(t)
	if g := w.group(); g.Desired != 3 || g.Max != 9 {
		t.Errorf("another maximum made it %d of %d", g.Desired, g.Max)
	}
}

func TestScaleInDrainsAndWaitsNoLongerThanItMay(t *testing.T) {
	for name, c := range map[string]struct {
		pod   string
		least time.Duration
	}{"by eviction": {"web", 0}, "kept by a budget": {"!web", time.Minute}} {
		t.Run(name, func(t *testing.T) {
			w := newNodeWorld(t, "API", service.Pace{})
			w.create(2, nil)
			for name := range w.instances() {
				w.cluster.pods[name] = []string{c.pod}
			}
			began := w.now
			w.write(func(tx *state.Txn) error {
				g, _ := region.AutoScalingGroups.Get(tx, w.group().Name)
				g.Desired = 1
				region.AutoScalingGroups.Put(tx, g.Name, g)
				return nil
			})
			w.until("one has gone", 2*time.Minute, func() bool { return len(w.instances()) == 1 })
			if took := w.now.Sub(began); took < c.least || took > c.least+10*time.Second {
				t.Errorf("it went after %v", took)
			}
			if len(w.cluster.deleted) > 0 {
				t.Errorf("pods were deleted: %v", w.cluster.deleted)
			}
		})
	}
}

// Nodes that are empty and nodes that are not yet are noted side by side: with -race this finds who writes without the lock.
func TestDrainedNodesAreNotedBesideDrains(t *testing.T) {
	w := newNodeWorld(t, "API", service.Pace{})
	w.create(16, nil)
	w.write(func(tx *state.Txn) error {
		g := w.record()
		g.Work.Draining = map[string]region.Draining{}
		for name, v := range w.instances() {
			w.cluster.change(name, func(n *object.Node) { n.Unschedulable = true })
			w.cluster.pods[name] = []string{"web"}
			d := region.Draining{Since: w.now}
			if len(g.Work.Draining)%2 == 0 {
				d.Drained = w.now
			}
			g.Work.Draining[v.ID] = d
		}
		g.Put(tx)
		return nil
	})
	w.now = w.now.Add(time.Minute)
	must(w.round())(t)
	left := 0
	for _, pods := range w.cluster.pods {
		left += len(pods)
	}
	if left != 8 {
		t.Errorf("%d of 16 nodes have their pods, want the 8 that had been drained before", left)
	}
}

func TestInterruptedSpotNodeIsDrainedAtOnce(t *testing.T) {
	w := newNodeWorld(t, "API", service.Pace{})
	w.create(2, func(in *eks.CreateNodegroupInput) { in.CapacityType = types.CapacityTypesSpot })
	if g := w.group(); !g.CapacityRebalance || g.Mixed.SpotStrategy != "price-capacity-optimized" || g.Mixed.OnDemandPercentage != 0 {
		t.Errorf("got the group %+v", g)
	}
	var lost region.Instance
	for name, v := range w.instances() {
		w.cluster.pods[name] = []string{"web"}
		lost = v
	}
	w.write(func(tx *state.Txn) error {
		lost.Spot = &region.SpotInterruption{Action: "terminate", At: w.now.Add(2 * time.Minute)}
		region.Instances.Put(tx, lost.ID, lost)
		return nil
	})
	w.until("its pods have left", 5*time.Second, func() bool {
		return len(w.cluster.pods[lost.DNSName]) == 0
	})
}

func TestNodeRepairReplacesOneThatIsIllForLong(t *testing.T) {
	for _, enabled := range []bool{false, true} {
		w := newNodeWorld(t, "API", service.Pace{})
		w.create(3, func(in *eks.CreateNodegroupInput) {
			in.NodeRepairConfig = &types.NodeRepairConfig{Enabled: &enabled}
		})
		var ill region.Instance
		for _, v := range w.instances() {
			ill = v
		}
		w.cluster.change(ill.DNSName, func(n *object.Node) {
			n.Ready, n.Unhealthy = false, []object.Condition{{Type: "Ready", Since: w.now}}
		})
		began := w.now
		for w.now.Before(began.Add(50 * time.Second)) {
			if _, err := w.round(); err != nil {
				t.Fatal(err)
			}
			w.now = w.now.Add(time.Second)
			if _, there := w.instances()[ill.DNSName]; !there {
				break
			}
		}
		if took := w.now.Sub(began); enabled != (took < 50*time.Second) || took < 30*time.Second {
			t.Errorf("with node repair %t it stayed for %v", enabled, took)
		}
	}
}
