package eks_test

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/go-cmp/cmp"

	service "tripod/awsapi/eks"
	"tripod/region"
)

// quickly and promptly have waiters ask often.
func quickly(o *eks.NodegroupDeletedWaiterOptions) {
	o.MinDelay, o.MaxDelay = 50*time.Millisecond, 50*time.Millisecond
}

func promptly(o *eks.NodegroupActiveWaiterOptions) {
	o.MinDelay, o.MaxDelay = 50*time.Millisecond, 50*time.Millisecond
}

func nodegroup(change func(*eks.CreateNodegroupInput)) *eks.CreateNodegroupInput {
	in := &eks.CreateNodegroupInput{ClusterName: aws.String("demo"), NodegroupName: aws.String("workers"),
		NodeRole: aws.String(role), Subnets: vpc.SubnetIDs()}
	if change != nil {
		change(in)
	}
	return in
}

func TestNodegroupStory(t *testing.T) {
	w := newWorld(t, "API")
	in := nodegroup(func(in *eks.CreateNodegroupInput) {
		in.ClientRequestToken = aws.String("token-1")
		in.Tags = map[string]string{"team": "a"}
		in.Labels = map[string]string{"tier": "web"}
	})
	made := must(w.CreateNodegroup(ctx, in))(t).Nodegroup
	if made.Status != types.NodegroupStatusCreating ||
		!regexp.MustCompile(`^arn:aws:eks:us-east-1:111122223333:nodegroup/demo/workers/[0-9a-f-]{36}$`).MatchString(*made.NodegroupArn) {
		t.Errorf("got status %s and ARN %s", made.Status, *made.NodegroupArn)
	}
	if got := must(w.CreateNodegroup(ctx, in))(t).Nodegroup; *got.NodegroupArn != *made.NodegroupArn {
		t.Errorf("the same token made %s after %s", *got.NodegroupArn, *made.NodegroupArn)
	}
	in.DiskSize = aws.Int32(100)
	out, err := w.CreateNodegroup(ctx, in)
	wantError(t, out, err, invalid)
	out, err = w.CreateNodegroup(ctx, nodegroup(nil))
	wantError(t, out, err, taken)

	act(t, w.state)
	active := func() *types.Nodegroup {
		t.Helper()
		return must(eks.NewNodegroupActiveWaiter(w.Client, promptly).WaitForOutput(ctx,
			&eks.DescribeNodegroupInput{ClusterName: aws.String("demo"), NodegroupName: aws.String("workers")},
			time.Minute))(t).Nodegroup
	}
	described := active()
	if *described.Version != "1.36" || *described.DiskSize != 20 ||
		!slices.Equal(described.InstanceTypes, []string{"t3.medium"}) || described.CapacityType != "ON_DEMAND" ||
		described.AmiType != "AL2023_x86_64_STANDARD" || *described.ScalingConfig.DesiredSize != 2 ||
		described.Tags["team"] != "a" {
		t.Errorf("got %+v", described)
	}
	update := must(w.UpdateNodegroupConfig(ctx, &eks.UpdateNodegroupConfigInput{
		ClusterName: aws.String("demo"), NodegroupName: aws.String("workers"),
		ScalingConfig: &types.NodegroupScalingConfig{MinSize: aws.Int32(3), MaxSize: aws.Int32(5)},
		Labels: &types.UpdateLabelsPayload{AddOrUpdateLabels: map[string]string{"zone": "x"},
			RemoveLabels: []string{"tier"}},
		Taints: &types.UpdateTaintsPayload{AddOrUpdateTaints: []types.Taint{{Key: aws.String("dedicated"),
			Effect: types.TaintEffectNoSchedule}}},
	}))(t).Update
	if update.Status != types.UpdateStatusInProgress || update.Type != types.UpdateTypeConfigUpdate {
		t.Errorf("got update %+v", update)
	}
	active()
	seen := must(w.DescribeUpdate(ctx,
		&eks.DescribeUpdateInput{Name: aws.String("demo"), NodegroupName: aws.String("workers"),
			UpdateId: update.Id}))(t).Update
	if seen.Status != types.UpdateStatusSuccessful {
		t.Errorf("got update %s, want Successful", seen.Status)
	}
	described = must(w.DescribeNodegroup(ctx,
		&eks.DescribeNodegroupInput{ClusterName: aws.String("demo"), NodegroupName: aws.String("workers")}))(t).Nodegroup
	if *described.ScalingConfig.DesiredSize != 3 || len(described.Taints) != 1 {
		t.Errorf("got scaling %+v, taints %v", described.ScalingConfig, described.Taints)
	}
	if diff := cmp.Diff(map[string]string{"zone": "x"}, described.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	entry := must(w.DescribeAccessEntry(ctx,
		&eks.DescribeAccessEntryInput{ClusterName: aws.String("demo"), PrincipalArn: aws.String(role)}))(t).AccessEntry
	if *entry.Type != "EC2_LINUX" {
		t.Errorf("the node role's access entry is of the type %s", *entry.Type)
	}
	deleted := must(w.DeleteNodegroup(ctx,
		&eks.DeleteNodegroupInput{ClusterName: aws.String("demo"), NodegroupName: aws.String("workers")}))(t)
	if deleted.Nodegroup.Status != types.NodegroupStatusDeleting {
		t.Errorf("got %s", deleted.Nodegroup.Status)
	}
	gone := eks.NewNodegroupDeletedWaiter(w.Client, quickly)
	if err := gone.Wait(ctx,
		&eks.DescribeNodegroupInput{ClusterName: aws.String("demo"), NodegroupName: aws.String("workers")},
		time.Minute); err != nil {
		t.Error(err)
	}
	in.DiskSize = nil
	if again := must(w.CreateNodegroup(ctx, in))(t).Nodegroup; *again.NodegroupArn == *made.NodegroupArn {
		t.Error("the token of a node group that is deleted does not make another")
	}
}

func TestNodegroupsPage(t *testing.T) {
	w := newWorld(t, "API")
	want := []string{"a", "b", "c", "d", "e"}
	for _, name := range want {
		must(w.CreateNodegroup(ctx, nodegroup(func(in *eks.CreateNodegroupInput) { in.NodegroupName = aws.String(name) })))(t)
	}
	pages := eks.NewListNodegroupsPaginator(w,
		&eks.ListNodegroupsInput{ClusterName: aws.String("demo"), MaxResults: aws.Int32(2)})
	got := pagesOf(t, pages.HasMorePages, func() (*eks.ListNodegroupsOutput, error) { return pages.NextPage(ctx) },
		func(out *eks.ListNodegroupsOutput) []string { return out.Nodegroups })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	first := must(w.ListNodegroups(ctx,
		&eks.ListNodegroupsInput{ClusterName: aws.String("demo"), MaxResults: aws.Int32(2)}))(t)
	for _, in := range []*eks.ListNodegroupsInput{
		{ClusterName: aws.String("other"), NextToken: first.NextToken},
		{ClusterName: aws.String("demo"), NextToken: aws.String("x")},
		{ClusterName: aws.String("demo"), MaxResults: aws.Int32(0)},
		{ClusterName: aws.String("demo"), MaxResults: aws.Int32(101)},
	} {
		out, err := w.ListNodegroups(ctx, in)
		wantError(t, out, err, invalid)
	}
	addons, err := w.ListAddons(ctx, &eks.ListAddonsInput{ClusterName: aws.String("demo"), NextToken: first.NextToken})
	wantError(t, addons, err, invalid)
}

func TestNodegroupsAreRefusedAsEKSRefusesThem(t *testing.T) {
	w := newWorld(t, "API")
	size := func(low, desired, high int32) func(*eks.CreateNodegroupInput) {
		return func(in *eks.CreateNodegroupInput) {
			in.ScalingConfig = &types.NodegroupScalingConfig{MinSize: &low, DesiredSize: &desired, MaxSize: &high}
		}
	}
	template := &types.LaunchTemplateSpecification{Id: aws.String("lt-0123456789abcdef0")}
	for name, spoil := range map[string]func(*eks.CreateNodegroupInput){
		"name":               func(in *eks.CreateNodegroupInput) { in.NodegroupName = aws.String("a b") },
		"role":               func(in *eks.CreateNodegroupInput) { in.NodeRole = aws.String("worker") },
		"no subnets":         func(in *eks.CreateNodegroupInput) { in.Subnets = []string{} },
		"unknown subnet":     func(in *eks.CreateNodegroupInput) { in.Subnets = []string{"subnet-0123456789abcdef0"} },
		"no subnet":          func(in *eks.CreateNodegroupInput) { in.Subnets = []string{"vpc-1"} },
		"version":            func(in *eks.CreateNodegroupInput) { in.Version = aws.String("1.35") },
		"release":            func(in *eks.CreateNodegroupInput) { in.ReleaseVersion = aws.String("1.35.0-20200101") },
		"min over max":       size(3, 3, 2),
		"desired over max":   size(1, 3, 2),
		"desired under min":  size(2, 1, 3),
		"max over the quota": size(1, 1, 451),
		"instance type":      func(in *eks.CreateNodegroupInput) { in.InstanceTypes = []string{"huge"} },
		"two architectures":  func(in *eks.CreateNodegroupInput) { in.InstanceTypes = []string{"m5.large", "m6g.large"} },
		"architecture": func(in *eks.CreateNodegroupInput) {
			in.InstanceTypes, in.AmiType = []string{"m6g.large"}, "AL2023_x86_64_STANDARD"
		},
		"disk beside template": func(in *eks.CreateNodegroupInput) {
			in.LaunchTemplate, in.DiskSize = template,
				aws.Int32(20)
		},
		"template by id and name": func(in *eks.CreateNodegroupInput) {
			in.LaunchTemplate = &types.LaunchTemplateSpecification{Id: aws.String("lt-1"), Name: aws.String("x")}
		},
		"custom without template": func(in *eks.CreateNodegroupInput) { in.AmiType = types.AMITypesCustom },
		"label":                   func(in *eks.CreateNodegroupInput) { in.Labels = map[string]string{"a b": "c"} },
		"reserved label":          func(in *eks.CreateNodegroupInput) { in.Labels = map[string]string{"eks.amazonaws.com/nodegroup": "c"} },
		"taint twice": func(in *eks.CreateNodegroupInput) {
			in.Taints = []types.Taint{{Key: aws.String("a"), Effect: "NO_EXECUTE"}, {Key: aws.String("a"), Effect: "NO_EXECUTE"}}
		},
		"taint's effect": func(in *eks.CreateNodegroupInput) {
			in.Taints = []types.Taint{{Key: aws.String("a"), Effect: "SOMETIMES"}}
		},
		"number and percentage": func(in *eks.CreateNodegroupInput) {
			in.UpdateConfig = &types.NodegroupUpdateConfig{MaxUnavailable: aws.Int32(1), MaxUnavailablePercentage: aws.Int32(1)}
		},
		"aws tag":                  func(in *eks.CreateNodegroupInput) { in.Tags = map[string]string{"aws:x": "y"} },
		"capacity type not of EKS": func(in *eks.CreateNodegroupInput) { in.CapacityType = "FREE" },
	} {
		t.Run(name, func(t *testing.T) {
			out, err := w.CreateNodegroup(ctx, nodegroup(spoil))
			wantError(t, out, err, invalid)
		})
	}
	if got := must(w.ListNodegroups(ctx,
		&eks.ListNodegroupsInput{ClusterName: aws.String("demo")}))(t).Nodegroups; len(got) != 0 {
		t.Errorf("a refused node group was made: %v", got)
	}
	out, err := w.CreateNodegroup(ctx,
		nodegroup(func(in *eks.CreateNodegroupInput) { in.ClusterName = aws.String("nope") }))
	wantError(t, out, err, missing)
	out, err = w.powerless.CreateNodegroup(ctx, nodegroup(nil))
	wantError(t, out, err, noAccess)
	w.set(t, func(c *region.Cluster) { c.Status = "CREATING" })
	out, err = w.CreateNodegroup(ctx, nodegroup(nil))
	wantError(t, out, err, refused)
}

func TestNodegroupFollowsTheClusterOneMinorAtATime(t *testing.T) {
	w := newNodeWorld(t, "API", service.Pace{})
	w.create(1, nil)
	update := func(version string) (*eks.UpdateNodegroupVersionOutput, error) {
		return w.UpdateNodegroupVersion(ctx,
			&eks.UpdateNodegroupVersionInput{ClusterName: aws.String("demo"), NodegroupName: aws.String("workers"),
				Version: &version})
	}
	for _, version := range []string{"1.37", "1.35", "2", "latest"} {
		out, err := update(version)
		wantError(t, out, err, invalid)
	}
	w.set(t, func(c *region.Cluster) { c.Version = "1.37" })
	if got := must(update("1.37"))(t).Update; got.Type != types.UpdateTypeVersionUpdate {
		t.Errorf("got %s", got.Type)
	}
	w.until("it is ACTIVE again", time.Minute, w.status(types.NodegroupStatusActive))
	got := must(w.DescribeNodegroup(ctx,
		&eks.DescribeNodegroupInput{ClusterName: aws.String("demo"), NodegroupName: aws.String("workers")}))(t).Nodegroup
	if *got.Version != "1.37" || (*got.ReleaseVersion)[:5] != "1.37." {
		t.Errorf("got version %s, release %s", *got.Version, *got.ReleaseVersion)
	}
}
