package eks_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/go-cmp/cmp"

	service "tripod/awsapi/eks"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// newCluster is an input that CreateCluster takes, changed by some of the caller's wishes.
func newCluster(name string, wishes ...func(*eks.CreateClusterInput)) *eks.CreateClusterInput {
	in := &eks.CreateClusterInput{Name: aws.String(name), RoleArn: aws.String(role), ResourcesVpcConfig: &types.VpcConfigRequest{SubnetIds: vpc.SubnetIDs()}}
	for _, wish := range wishes {
		wish(in)
	}
	return in
}

func record(t *testing.T, w *world, name string) (found region.Cluster) {
	t.Helper()
	if err := w.state.View(func(tx *state.Txn) error {
		found, _ = region.ClusterNamed(tx, name)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return found
}

func TestCreatedClusterIsAsItWasAskedFor(t *testing.T) {
	w := newWorld(t, "API")
	made := must(w.CreateCluster(ctx, newCluster("new", func(in *eks.CreateClusterInput) {
		in.Version, in.Tags, in.DeletionProtection = aws.String("1.35"), map[string]string{"team": "a"}, aws.Bool(true)
		in.ResourcesVpcConfig.PublicAccessCidrs = []string{"203.0.113.0/24", "198.51.100.0/24", "203.0.113.0/24"}
		in.KubernetesNetworkConfig = &types.KubernetesNetworkConfigRequest{ServiceIpv4Cidr: aws.String("192.168.0.0/20")}
		in.AccessConfig = &types.CreateAccessConfigRequest{AuthenticationMode: types.AuthenticationModeApi}
		in.Logging = &types.Logging{ClusterLogging: []types.LogSetup{{Types: []types.LogType{"api", "audit"}, Enabled: aws.Bool(true)}}}
	})))(t).Cluster
	if made.Status != types.ClusterStatusCreating || made.Endpoint != nil || made.CertificateAuthority.Data != nil {
		t.Errorf("the answer is of a cluster that is there: %+v", made)
	}
	c := must(w.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String("new")}))(t).Cluster
	for what, got := range map[string][2]string{
		"version":   {aws.ToString(c.Version), "1.35"},
		"tag":       {c.Tags["team"], "a"},
		"CIDRs":     {fmt.Sprint(c.ResourcesVpcConfig.PublicAccessCidrs), "[198.51.100.0/24 203.0.113.0/24]"},
		"services":  {aws.ToString(c.KubernetesNetworkConfig.ServiceIpv4Cidr), "192.168.0.0/20"},
		"mode":      {string(c.AccessConfig.AuthenticationMode), "API"},
		"logs":      {fmt.Sprint(c.Logging.ClusterLogging[0].Types), "[api audit]"},
		"protected": {fmt.Sprint(aws.ToBool(c.DeletionProtection)), "true"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: got %s, want %s", what, got[0], got[1])
		}
	}
	if r := record(t, w, "new"); r.Secrets.CACert != "certificate for 192.168.0.0/20" || r.EndpointPort == 0 || r.CreatorARN != w.admin {
		t.Errorf("the record is %+v", r)
	}
	if _, err := w.CreateCluster(ctx, newCluster("new")); err == nil {
		t.Error("the name was taken twice")
	}
	w.activate(t, "new")
	if got := must(w.ListAccessEntries(ctx, &eks.ListAccessEntriesInput{ClusterName: aws.String("new")}))(t).AccessEntries; fmt.Sprint(got) != "["+w.admin+"]" {
		t.Errorf("access entries: %v, want the creator's", got)
	}
}

// activate makes a cluster ACTIVE, as its zones do.
func (w *world) activate(t *testing.T, name string) {
	t.Helper()
	c := record(t, w, name)
	if err := w.state.Update(ctx, func(tx *state.Txn) error {
		c.Status = "ACTIVE"
		region.Clusters.Put(tx, c.ID, c)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestCreateClusterRefuses(t *testing.T) {
	w := newWorld(t, "API")
	for what, c := range map[string]struct {
		spoil func(*eks.CreateClusterInput)
		code  string
	}{
		"a name that is there": {func(in *eks.CreateClusterInput) { in.Name = aws.String("demo") }, taken},
		"one zone":             {func(in *eks.CreateClusterInput) { in.ResourcesVpcConfig.SubnetIds = vpc.SubnetIDs()[:1] }, invalid},
		"no subnets":           {func(in *eks.CreateClusterInput) { in.ResourcesVpcConfig.SubnetIds = nil }, invalid},
		"an unknown subnet":    {func(in *eks.CreateClusterInput) { in.ResourcesVpcConfig.SubnetIds[0] = "subnet-0123456789abcdef0" }, invalid},
		"an unknown group": {func(in *eks.CreateClusterInput) {
			in.ResourcesVpcConfig.SecurityGroupIds = []string{"sg-0123456789abcdef0"}
		}, invalid},
		"an old version":       {func(in *eks.CreateClusterInput) { in.Version = aws.String("1.21") }, invalid},
		"no endpoint":          {func(in *eks.CreateClusterInput) { in.ResourcesVpcConfig.EndpointPublicAccess = aws.Bool(false) }, invalid},
		"a bad CIDR":           {func(in *eks.CreateClusterInput) { in.ResourcesVpcConfig.PublicAccessCidrs = []string{"10.0.0.1/8"} }, invalid},
		"public services":      {func(in *eks.CreateClusterInput) { in.KubernetesNetworkConfig = services("8.8.8.0/24") }, invalid},
		"overlapping services": {func(in *eks.CreateClusterInput) { in.KubernetesNetworkConfig = services("10.0.0.0/16") }, invalid},
		"tiny services":        {func(in *eks.CreateClusterInput) { in.KubernetesNetworkConfig = services("10.9.0.0/28") }, invalid},
		"Auto Mode": {func(in *eks.CreateClusterInput) {
			in.ComputeConfig = &types.ComputeConfigRequest{Enabled: aws.Bool(true)}
		}, invalid},
		"a tag of AWS's":    {func(in *eks.CreateClusterInput) { in.Tags = map[string]string{"aws:x": "y"} }, invalid},
		"a name with a dot": {func(in *eks.CreateClusterInput) { in.Name = aws.String("a.b") }, invalid},
	} {
		t.Run(what, func(t *testing.T) {
			out, err := w.CreateCluster(ctx, newCluster("new", c.spoil))
			wantError(t, out, err, c.code)
		})
	}
	if names := must(w.ListClusters(ctx, &eks.ListClustersInput{}))(t).Clusters; len(names) != 2 {
		t.Errorf("something half-made remains: %v", names)
	}
	out, err := w.powerless.CreateCluster(ctx, newCluster("new"))
	wantError(t, out, err, noAccess)
}

func services(cidr string) *types.KubernetesNetworkConfigRequest {
	return &types.KubernetesNetworkConfigRequest{ServiceIpv4Cidr: aws.String(cidr)}
}

func TestWithoutMemoryAClusterFailsAndSaysSo(t *testing.T) {
	w := newWorld(t, "API")
	w.memory = 100 << 20
	if got := must(w.CreateCluster(ctx, newCluster("big")))(t).Cluster; got.Status != types.ClusterStatusCreating {
		t.Errorf("the answer says %s", got.Status)
	}
	c := must(w.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String("big")}))(t).Cluster
	if c.Status != types.ClusterStatusFailed || len(c.Health.Issues) != 1 || !strings.Contains(aws.ToString(c.Health.Issues[0].Message), "memory") {
		t.Errorf("got %s with issues %+v", c.Status, c.Health.Issues)
	}
	must(w.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: aws.String("big")}))(t)
}

func TestPortsOfClustersAreNotUsedTwice(t *testing.T) {
	w := newWorld(t, "API")
	used := map[int]string{}
	for n := range 4 {
		name := fmt.Sprintf("c%d", n)
		must(w.CreateCluster(ctx, newCluster(name)))(t)
		port := record(t, w, name).EndpointPort
		if used[port] != "" || (port-20010)%10 != 0 || port > 20050 || port == 20020 {
			t.Errorf("%s has port %d, as %q", name, port, used[port])
		}
		used[port] = name
	}
	out, err := w.CreateCluster(ctx, newCluster("c4"))
	wantError(t, out, err, "ResourceLimitExceededException")
}

func TestPortOfADeletedClusterIsGivenOutLast(t *testing.T) {
	w := newWorld(t, "API")
	var ports []int
	for n := range 6 {
		name := fmt.Sprintf("c%d", n)
		must(w.CreateCluster(ctx, newCluster(name)))(t)
		made := record(t, w, name)
		ports = append(ports, made.EndpointPort)
		w.forget(t, made)
	}
	if slices.Contains(ports[1:4], ports[0]) || ports[4] != ports[0] || ports[5] != ports[1] {
		t.Errorf("one cluster after the other had the ports %v", ports)
	}
}

// forget deletes a cluster's record, as its zones do in the end.
func (w *world) forget(t *testing.T, c region.Cluster) {
	t.Helper()
	if err := w.state.Update(ctx, func(tx *state.Txn) error {
		region.Clusters.Delete(tx, c.ID)
		region.ClusterIDs.Delete(tx, c.Name)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestMemoryIsCountedForClustersThatAreComing(t *testing.T) {
	w := newWorld(t, "API")
	w.memory = 1500 << 20
	for _, c := range []struct {
		name string
		want region.ClusterStatus
	}{{"first", region.ClusterCreating}, {"second", region.ClusterFailed}} {
		must(w.CreateCluster(ctx, newCluster(c.name)))(t)
		if got := record(t, w, c.name).Status; got != c.want {
			t.Errorf("the %s is %s, want %s", c.name, got, c.want)
		}
	}
	w.activate(t, "first")
	must(w.CreateCluster(ctx, newCluster("third")))(t)
	if got := record(t, w, "third").Status; got != "CREATING" {
		t.Errorf("with nothing else coming it is %s", got)
	}
}

func TestTokenOfAClusterThatIsDeletedIsFree(t *testing.T) {
	w := newWorld(t, "API")
	in := newCluster("new", func(in *eks.CreateClusterInput) { in.ClientRequestToken = aws.String("one-of-a-kind") })
	must(w.CreateCluster(ctx, in))(t)
	if again := must(w.CreateCluster(ctx, in))(t).Cluster; again.Status != types.ClusterStatusCreating {
		t.Errorf("the same call again: %+v", again)
	}
	w.activate(t, "new")
	must(w.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: in.Name}))(t)
	out, err := w.CreateCluster(ctx, in)
	wantError(t, out, err, taken)
	w.forget(t, record(t, w, "new"))
	must(w.CreateCluster(ctx, in))(t)
}

func TestDeletionIsRefusedWhileSomethingStandsInTheWay(t *testing.T) {
	w := newWorld(t, "API")
	demo := aws.String("demo")
	protect := func(on bool) {
		must(w.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: demo, DeletionProtection: aws.Bool(on)}))(t)
	}
	protect(true)
	out, err := w.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: demo})
	wantError(t, out, err, refused)
	protect(false)
	w.set(t, func(c *region.Cluster) { c.Status = "UPDATING" })
	out, err = w.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: demo})
	wantError(t, out, err, taken)
	w.set(t, func(c *region.Cluster) { c.Status = "ACTIVE" })
	if got := must(w.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: demo}))(t).Cluster.Status; got != types.ClusterStatusDeleting {
		t.Errorf("got %s", got)
	}
	must(w.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: demo}))(t) // again is no error
	out2, err := w.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: demo, DeletionProtection: aws.Bool(true)})
	wantError(t, out2, err, taken)
}

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
		"nothing":          {},
		"the same again":   {Logging: logging},
		"two things":       {Logging: &types.Logging{}, DeletionProtection: aws.Bool(true)},
		"a mode too far":   {AccessConfig: &types.UpdateAccessConfigRequest{AuthenticationMode: types.AuthenticationModeApi}},
		"no endpoint":      {ResourcesVpcConfig: &types.VpcConfigRequest{EndpointPublicAccess: aws.Bool(false)}},
		"the same access":  {ResourcesVpcConfig: &types.VpcConfigRequest{EndpointPublicAccess: aws.Bool(true)}},
		"one zone's":       {ResourcesVpcConfig: &types.VpcConfigRequest{SubnetIds: vpc.SubnetIDs()[:1]}},
		"access and place": {ResourcesVpcConfig: &types.VpcConfigRequest{EndpointPublicAccess: aws.Bool(true), SubnetIds: vpc.SubnetIDs()}},
	} {
		t.Run(what, func(t *testing.T) {
			in.Name = demo
			out, err := w.UpdateClusterConfig(ctx, in)
			wantError(t, out, err, invalid)
		})
	}
	must(w.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: demo, AccessConfig: &types.UpdateAccessConfigRequest{AuthenticationMode: types.AuthenticationModeApiAndConfigMap}}))(t)
	pages := eks.NewListUpdatesPaginator(w.Client, &eks.ListUpdatesInput{Name: demo, MaxResults: aws.Int32(1)})
	ids := pagesOf(t, pages.HasMorePages, func() (*eks.ListUpdatesOutput, error) { return pages.NextPage(ctx) }, func(o *eks.ListUpdatesOutput) []string { return o.UpdateIds })
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
		if d := c.NotBefore.Sub(began); d < span.Least || d > span.Most || !c.Lasts(began.Add(span.Least-1)) || c.Lasts(began.Add(span.Most)) {
			t.Errorf("%s lasts %v, want %v to %v", c.Status, d, span.Least, span.Most)
		}
	}
	must(w.CreateCluster(ctx, newCluster("slow")))(t)
	lasts(record(t, w, "slow").CreatedAt, service.RealPace.Create)
	w.activate(t, "slow")
	update := must(w.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: slow, ResourcesVpcConfig: &types.VpcConfigRequest{EndpointPrivateAccess: aws.Bool(true)}}))(t).Update
	lasts(*update.CreatedAt, service.RealPace.Access)
	w.activate(t, "slow")
	update = must(w.UpdateClusterVersion(ctx, &eks.UpdateClusterVersionInput{Name: slow, Version: aws.String("1.37")}))(t).Update
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
	begun := must(update(types.VpcConfigRequest{EndpointPrivateAccess: aws.Bool(true), PublicAccessCidrs: []string{"203.0.113.0/24"}}))(t).Update
	found := must(w.DescribeUpdate(ctx, &eks.DescribeUpdateInput{Name: demo, UpdateId: begun.Id}))(t).Update
	if begun.Type != types.UpdateTypeEndpointAccessUpdate || found.Status != types.UpdateStatusInProgress {
		t.Errorf("begun as %+v, found as %+v", begun, found)
	}
	c := record(t, w, "demo")
	want := region.EndpointAccess{Public: true, Private: true, PublicCIDRs: []string{"203.0.113.0/24"}, UpdateID: aws.ToString(begun.Id)}
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
	if c := must(w.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: demo}))(t).Cluster; c.Status != types.ClusterStatusUpdating || *c.Version != "1.35" {
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
	if fmt.Sprint(names) != "[1.37 1.36 1.35]" || !all[1].DefaultVersion || aws.ToString(all[2].KubernetesPatchVersion) != "1.35.6" {
		t.Errorf("got %v: %+v", names, all)
	}
	if only := must(w.DescribeClusterVersions(ctx, &eks.DescribeClusterVersionsInput{DefaultOnly: aws.Bool(true)}))(t).ClusterVersions; len(only) != 1 {
		t.Errorf("got %+v", only)
	}
	first := must(w.DescribeClusterVersions(ctx, &eks.DescribeClusterVersionsInput{MaxResults: aws.Int32(1)}))(t)
	for what, in := range map[string]*eks.DescribeClusterVersionsInput{
		"default only": {DefaultOnly: aws.Bool(true)}, "a type": {ClusterType: aws.String("eks")}, "a status": {VersionStatus: types.VersionStatusStandardSupport},
	} {
		in.NextToken = first.NextToken
		if out, err := w.DescribeClusterVersions(ctx, in); err == nil {
			t.Errorf("%s: the token of another list was taken: %+v", what, out)
		}
	}
}

func TestClusterThatRootCreatesIsRoots(t *testing.T) {
	w := newWorld(t, "API")
	key, _, err := iam.EnsureRootKey(ctx, w.state, rand.Reader, iam.DefaultAccountID, created)
	if err != nil {
		t.Fatal(err)
	}
	credentials := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}, nil
	})
	must(eks.New(w.Options(), func(o *eks.Options) { o.Credentials = credentials }).CreateCluster(ctx, newCluster("second")))(t)
	made := record(t, w, "second")
	if err := w.state.View(func(tx *state.Txn) error {
		entry, _ := region.AccessEntries.Get(tx, made.ID+"/"+root)
		if made.CreatorARN != root || entry.PrincipalID != iam.DefaultAccountID || entry.Username != root || len(entry.Policies) != 1 {
			t.Errorf("got the creator %s, and its entry %+v", made.CreatorARN, entry)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestFederatedUserCreatesAClusterThatHasNoCreator(t *testing.T) {
	w := newWorld(t, "API")
	var user region.User
	if err := w.state.View(func(tx *state.Txn) error { user, _ = region.Users.Get(tx, "admin"); return nil }); err != nil {
		t.Fatal(err)
	}
	made, err := iam.Issue(ctx, w.state, rand.Reader, iam.DefaultAccountID, iam.Session{
		User: user.Name, ID: user.ID, Name: "bob", PolicyARNs: []string{iam.AdministratorAccess}, IssuedAt: time.Now(), Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	bob := eks.New(w.Options(), func(o *eks.Options) {
		o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: made.AccessKeyID, SecretAccessKey: made.SecretAccessKey, SessionToken: made.SessionToken}, nil
		})
	})
	if _, err := bob.CreateCluster(ctx, newCluster("second")); err == nil || !strings.Contains(err.Error(), "bootstrapClusterCreatorAdminPermissions") {
		t.Errorf("with a creator: got %v", err)
	}
	if _, err := bob.CreateCluster(ctx, newCluster("second", func(in *eks.CreateClusterInput) {
		in.AccessConfig = &types.CreateAccessConfigRequest{AuthenticationMode: types.AuthenticationModeApi, BootstrapClusterCreatorAdminPermissions: aws.Bool(false)}
	})); err != nil {
		t.Errorf("without: %v", err)
	}
}

// TestDescriptionHasWhatEKSShows looks at what DescribeCluster shows only where it was asked for, or where it counts.
func TestDescriptionHasWhatEKSShows(t *testing.T) {
	w := newWorld(t, "API")
	demo := aws.String("demo")
	describe := func() *types.Cluster {
		return must(w.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: demo}))(t).Cluster
	}
	update := func(in *eks.UpdateClusterConfigInput) {
		t.Helper()
		in.Name = demo
		must(w.UpdateClusterConfig(ctx, in))(t)
		w.set(t, func(c *region.Cluster) { c.Status = "ACTIVE" })
	}
	if got := describe().ZonalShiftConfig; got != nil {
		t.Errorf("zonal shift is told though nobody asked: %+v", got)
	}
	update(&eks.UpdateClusterConfigInput{ZonalShiftConfig: &types.ZonalShiftConfigRequest{Enabled: aws.Bool(false)}})
	if got := describe().ZonalShiftConfig; got == nil || *got.Enabled {
		t.Errorf("zonal shift that was switched off: got %+v", got)
	}
	update(&eks.UpdateClusterConfigInput{ResourcesVpcConfig: &types.VpcConfigRequest{EndpointPublicAccess: aws.Bool(false), EndpointPrivateAccess: aws.Bool(true)}})
	if got := describe().ResourcesVpcConfig; len(got.PublicAccessCidrs) != 0 {
		t.Errorf("a private endpoint has the public CIDRs %v", got.PublicAccessCidrs)
	}
	update(&eks.UpdateClusterConfigInput{ResourcesVpcConfig: &types.VpcConfigRequest{EndpointPublicAccess: aws.Bool(true)}})
	if got := describe().ResourcesVpcConfig.PublicAccessCidrs; len(got) != 1 || got[0] != "0.0.0.0/0" {
		t.Errorf("a public endpoint has the CIDRs %v", got)
	}
	update(&eks.UpdateClusterConfigInput{ResourcesVpcConfig: &types.VpcConfigRequest{PublicAccessCidrs: []string{"203.0.113.0/24", "198.51.100.0/24"}}})
	out, err := w.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: demo, ResourcesVpcConfig: &types.VpcConfigRequest{
		PublicAccessCidrs: []string{"198.51.100.0/24", "203.0.113.0/24", "198.51.100.0/24"}}})
	wantError(t, out, err, invalid) // the same set: there is nothing to change
}
