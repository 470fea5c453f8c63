package eks_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/go-cmp/cmp"

	service "tripod/awsapi/eks"
	"tripod/region"
)

func TestLogTypesAreOnSinceTheyWereSwitchedOn(t *testing.T) {
	w := newWorld(t, "API")
	turn := func(on bool, kinds ...types.LogType) (since map[string]time.Time) {
		t.Helper()
		must(w.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: aws.String("demo"),
			Logging: &types.Logging{ClusterLogging: []types.LogSetup{{Types: kinds, Enabled: &on}}}}))(t)
		since, err := service.EnabledLogs(record(t, w, "demo"))
		if err != nil {
			t.Fatal(err)
		}
		return since
	}
	if since, err := service.EnabledLogs(record(t, w, "demo")); err != nil || len(since) > 0 {
		t.Errorf("%v are on by default (%v)", since, err)
	}
	first := turn(true, "audit")
	second := turn(true, "api")
	if len(second) != 2 || !second["audit"].Equal(first["audit"]) || second["api"].Before(first["audit"]) {
		t.Errorf("got %v and then %v", first, second)
	}
	if third := turn(false, "audit"); len(third) != 1 {
		t.Errorf("got %v", third)
	}
	if again := turn(true, "audit"); again["audit"].Before(second["api"]) {
		t.Errorf("audit is on again since %s", again["audit"])
	}
}

func TestConfigChangesOneThingAtATime(t *testing.T) {
	w := newWorld(t, "CONFIG_MAP")
	demo := aws.String("demo")
	logging := &types.Logging{ClusterLogging: []types.LogSetup{{Types: []types.LogType{"audit"}, Enabled: aws.Bool(true)}}}
	made := must(w.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: demo, Logging: logging}))(t).Update
	if made.Status != types.UpdateStatusInProgress || made.Type != types.UpdateTypeLoggingUpdate {
		t.Errorf("got %+v", made)
	}
	found := must(w.DescribeUpdate(ctx, &eks.DescribeUpdateInput{Name: demo, UpdateId: made.Id}))(t).Update
	if found.Status != types.UpdateStatusSuccessful {
		t.Errorf("got %+v", found)
	}
	for what, in := range map[string]*eks.UpdateClusterConfigInput{
		"nothing":         {},
		"the same again":  {Logging: logging},
		"two things":      {Logging: &types.Logging{}, DeletionProtection: aws.Bool(true)},
		"a mode too far":  {AccessConfig: &types.UpdateAccessConfigRequest{AuthenticationMode: types.AuthenticationModeApi}},
		"no endpoint":     {ResourcesVpcConfig: &types.VpcConfigRequest{EndpointPublicAccess: aws.Bool(false)}},
		"the same access": {ResourcesVpcConfig: &types.VpcConfigRequest{EndpointPublicAccess: aws.Bool(true)}},
		"one zone's":      {ResourcesVpcConfig: &types.VpcConfigRequest{SubnetIds: vpc.SubnetIDs()[:1]}},
		"access and place": {ResourcesVpcConfig: &types.VpcConfigRequest{EndpointPublicAccess: aws.Bool(true),
			SubnetIds: vpc.SubnetIDs()}},
	} {
		t.Run(what, func(t *testing.T) {
			in.Name = demo
			out, err := w.UpdateClusterConfig(ctx, in)
			wantError(t, out, err, invalid)
		})
	}
	must(w.UpdateClusterConfig(ctx,
		&eks.UpdateClusterConfigInput{Name: demo,
			AccessConfig: &types.UpdateAccessConfigRequest{AuthenticationMode: types.AuthenticationModeApiAndConfigMap}}))(t)
	pages := eks.NewListUpdatesPaginator(w.Client, &eks.ListUpdatesInput{Name: demo, MaxResults: aws.Int32(1)})
	ids := pagesOf(t, pages.HasMorePages, func() (*eks.ListUpdatesOutput, error) { return pages.NextPage(ctx) },
		func(o *eks.ListUpdatesOutput) []string { return o.UpdateIds })
	if len(ids) != 2 {
		t.Errorf("got updates %v, want two", ids)
	}
}

func TestRealPaceSaysHowLongStatesLast(t *testing.T) {
	w := newWorld(t, "API", func(plane *service.ControlPlane) { plane.Pace = service.RealPace })
	slow := aws.String("slow")
	lasts := func(began time.Time, span service.Span) {
		t.Helper()
		c := record(t, w, "slow")
		if c.NotBefore == nil {
			t.Fatalf("%s may end at once", c.Status)
		}
		if d := c.NotBefore.Sub(began); d < span.Least || d > span.Most || !c.Lasts(began.Add(span.Least-1)) ||
			c.Lasts(began.Add(span.Most)) {
			t.Errorf("%s lasts %v, want %v to %v", c.Status, d, span.Least, span.Most)
		}
	}
	must(w.CreateCluster(ctx, newCluster("slow")))(t)
	lasts(record(t, w, "slow").CreatedAt, service.RealPace.Create)
	w.activate(t, "slow")
	update := must(w.UpdateClusterConfig(ctx,
		&eks.UpdateClusterConfigInput{Name: slow,
			ResourcesVpcConfig: &types.VpcConfigRequest{EndpointPrivateAccess: aws.Bool(true)}}))(t).Update
	lasts(*update.CreatedAt, service.RealPace.Access)
	w.activate(t, "slow")
	update = must(w.UpdateClusterVersion(ctx,
		&eks.UpdateClusterVersionInput{Name: slow, Version: aws.String("1.37")}))(t).Update
	lasts(*update.CreatedAt, service.RealPace.Version)
	w.activate(t, "slow")
	must(w.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: slow}))(t)
	lasts(*record(t, w, "slow").DeletedAt, service.RealPace.Delete)
}

func TestEndpointAccessIsAnUpdateThatLastsUntilItIsInEffect(t *testing.T) {
	w := newWorld(t, "API")
	demo := aws.String("demo")
	update := func(vpc types.VpcConfigRequest) (*eks.UpdateClusterConfigOutput, error) {
		return w.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: demo, ResourcesVpcConfig: &vpc})
	}
	begun := must(update(types.VpcConfigRequest{EndpointPrivateAccess: aws.Bool(true),
		PublicAccessCidrs: []string{"203.0.113.0/24"}}))(t).Update
	found := must(w.DescribeUpdate(ctx, &eks.DescribeUpdateInput{Name: demo, UpdateId: begun.Id}))(t).Update
	if begun.Type != types.UpdateTypeEndpointAccessUpdate || found.Status != types.UpdateStatusInProgress {
		t.Errorf("begun as %+v, found as %+v", begun, found)
	}
	c := record(t, w, "demo")
	want := region.EndpointAccess{Public: true, Private: true, PublicCIDRs: []string{"203.0.113.0/24"},
		UpdateID: aws.ToString(begun.Id)}
	if diff := cmp.Diff(want, c.EndpointAccess()); diff != "" || c.Status != "UPDATING" {
		t.Errorf("the record is %s, and its access (-want +got):\n%s", c.Status, diff)
	}
	out, err := update(types.VpcConfigRequest{EndpointPublicAccess: aws.Bool(false)})
	wantError(t, out, err, taken)
}

func TestVersionsGoUpByOneAndBackToWhereTheyCameFrom(t *testing.T) {
	w := newWorld(t, "API")
	demo := aws.String("demo")
	update := func(version string) (*eks.UpdateClusterVersionOutput, error) {
		return w.UpdateClusterVersion(ctx, &eks.UpdateClusterVersionInput{Name: demo, Version: aws.String(version)})
	}
	for version, code := range map[string]string{"1.36": invalid, "1.35": refused, "1.38": invalid} {
		out, err := update(version)
		wantError(t, out, err, code)
	}
	w.set(t, func(c *region.Cluster) { c.Version = "1.35" })
	out, err := update("1.37")
	wantError(t, out, err, invalid)

	begun := must(update("1.36"))(t).Update
	if c := must(w.DescribeCluster(ctx,
		&eks.DescribeClusterInput{Name: demo}))(t).Cluster; c.Status != types.ClusterStatusUpdating || *c.Version != "1.35" {
		t.Errorf("meanwhile the cluster is %s with version %s", c.Status, *c.Version)
	}
	out, err = update("1.36")
	wantError(t, out, err, taken)
	cancelled := must(w.CancelUpdate(ctx, &eks.CancelUpdateInput{Name: demo, UpdateId: begun.Id}))(t).Update
	if cancelled.Cancellation == nil || !record(t, w, "demo").Rollout.Cancelled {
		t.Errorf("got %+v", cancelled)
	}

	week := 7 * 24 * time.Hour
	for since, want := range map[time.Duration]string{week - time.Hour: "", week + time.Hour: refused} {
		at := time.Now().Add(-since)
		w.set(t, func(c *region.Cluster) {
			c.Status, c.Version, c.Rollout, c.UpgradedFrom, c.UpgradedAt = "ACTIVE", "1.36", nil, "1.35", &at
		})
		out, err := update("1.35")
		if want != "" {
			wantError(t, out, err, want)
		} else if err != nil || out.Update.Type != types.UpdateTypeVersionRollback {
			t.Errorf("back after %v: %+v, %v", since, out, err)
		}
	}
}

func TestVersionsAreThoseThatRunHere(t *testing.T) {
	w := newWorld(t, "API")
	all := must(w.DescribeClusterVersions(ctx, &eks.DescribeClusterVersionsInput{}))(t).ClusterVersions
	var names []string
	for _, v := range all {
		names = append(names, aws.ToString(v.ClusterVersion))
	}
	if fmt.Sprint(names) != "[1.37 1.36 1.35]" || !all[1].DefaultVersion ||
		aws.ToString(all[2].KubernetesPatchVersion) != "1.35.6" {
		t.Errorf("got %v: %+v", names, all)
	}
	if only := must(w.DescribeClusterVersions(ctx,
		&eks.DescribeClusterVersionsInput{DefaultOnly: aws.Bool(true)}))(t).ClusterVersions; len(only) != 1 {
		t.Errorf("got %+v", only)
	}
	first := must(w.DescribeClusterVersions(ctx, &eks.DescribeClusterVersionsInput{MaxResults: aws.Int32(1)}))(t)
	for what, in := range map[string]*eks.DescribeClusterVersionsInput{
		"default only": {DefaultOnly: aws.Bool(true)}, "a type": {ClusterType: aws.String("eks")},
		"a status": {VersionStatus: types.VersionStatusStandardSupport},
	} {
		in.NextToken = first.NextToken
		if out, err := w.DescribeClusterVersions(ctx, in); err == nil {
			t.Errorf("%s: the token of another list was taken: %+v", what, out)
		}
	}
}
