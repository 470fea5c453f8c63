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

	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// newCluster is an input that CreateCluster takes, changed by some of the caller's wishes.
func newCluster(name string, wishes ...func(*eks.CreateClusterInput)) *eks.CreateClusterInput {
	in := &eks.CreateClusterInput{Name: aws.String(name), RoleArn: aws.String(role),
		ResourcesVpcConfig: &types.VpcConfigRequest{SubnetIds: vpc.SubnetIDs()}}
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
		in.Logging = &types.Logging{ClusterLogging: []types.LogSetup{{Types: []types.LogType{"api", "audit"},
			Enabled: aws.Bool(true)}}}
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
	if r := record(t, w, "new"); r.Secrets.CACert != "certificate for 192.168.0.0/20" || r.EndpointPort == 0 ||
		r.CreatorARN != w.admin {
		t.Errorf("the record is %+v", r)
	}
	if _, err := w.CreateCluster(ctx, newCluster("new")); err == nil {
		t.Error("the name was taken twice")
	}
	w.activate(t, "new")
	if got := must(w.ListAccessEntries(ctx,
		&eks.ListAccessEntriesInput{ClusterName: aws.String("new")}))(t).AccessEntries; fmt.Sprint(got) != "["+w.admin+"]" {
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
		"one zone": {func(in *eks.CreateClusterInput) { in.ResourcesVpcConfig.SubnetIds = vpc.SubnetIDs()[:1] },
			invalid},
		"no subnets": {func(in *eks.CreateClusterInput) { in.ResourcesVpcConfig.SubnetIds = nil }, invalid},
		"an unknown subnet": {func(in *eks.CreateClusterInput) {
			in.ResourcesVpcConfig.SubnetIds[0] = "subnet-0123456789abcdef0"
		}, invalid},
		"an unknown group": {func(in *eks.CreateClusterInput) {
			in.ResourcesVpcConfig.SecurityGroupIds = []string{"sg-0123456789abcdef0"}
		}, invalid},
		"an old version": {func(in *eks.CreateClusterInput) { in.Version = aws.String("1.21") }, invalid},
		"no endpoint": {func(in *eks.CreateClusterInput) {
			in.ResourcesVpcConfig.EndpointPublicAccess = aws.Bool(
				false)
		}, invalid},
		"a bad CIDR": {func(in *eks.CreateClusterInput) {
			in.ResourcesVpcConfig.PublicAccessCidrs = []string{
				"10.0.0.1/8"}
		}, invalid},
		"public services": {func(in *eks.CreateClusterInput) { in.KubernetesNetworkConfig = services("8.8.8.0/24") },
			invalid},
		"overlapping services": {func(in *eks.CreateClusterInput) { in.KubernetesNetworkConfig = services("10.0.0.0/16") },
			invalid},
		"tiny services": {func(in *eks.CreateClusterInput) { in.KubernetesNetworkConfig = services("10.9.0.0/28") }, invalid},
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
	if c.Status != types.ClusterStatusFailed || len(c.Health.Issues) != 1 ||
		!strings.Contains(aws.ToString(c.Health.Issues[0].Message), "memory") {
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

func TestClusterThatRootCreatesIsRoots(t *testing.T) {
	w := newWorld(t, "API")
	key, _, err := iam.EnsureRootKey(ctx, w.state, rand.Reader, iam.DefaultAccountID, created)
	if err != nil {
		t.Fatal(err)
	}
	credentials := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}, nil
	})
	must(eks.New(w.Options(), func(o *eks.Options) { o.Credentials = credentials }).CreateCluster(ctx,
		newCluster("second")))(t)
	made := record(t, w, "second")
	if err := w.state.View(func(tx *state.Txn) error {
		entry, _ := region.AccessEntries.Get(tx, made.ID+"/"+root)
		if made.CreatorARN != root || entry.PrincipalID != iam.DefaultAccountID || entry.Username != root ||
			len(entry.Policies) != 1 {
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
		User: user.Name, ID: user.ID, Name: "bob", PolicyARNs: []string{iam.AdministratorAccess}, IssuedAt: time.Now(),
		Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	bob := eks.New(w.Options(), func(o *eks.Options) {
		o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: made.AccessKeyID, SecretAccessKey: made.SecretAccessKey,
				SessionToken: made.SessionToken}, nil
		})
	})
	if _, err := bob.CreateCluster(ctx, newCluster("second")); err == nil ||
		!strings.Contains(err.Error(), "bootstrapClusterCreatorAdminPermissions") {
		t.Errorf("with a creator: got %v", err)
	}
	if _, err := bob.CreateCluster(ctx, newCluster("second", func(in *eks.CreateClusterInput) {
		in.AccessConfig = &types.CreateAccessConfigRequest{AuthenticationMode: types.AuthenticationModeApi,
			BootstrapClusterCreatorAdminPermissions: aws.Bool(false)}
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
	update(&eks.UpdateClusterConfigInput{ResourcesVpcConfig: &types.VpcConfigRequest{EndpointPublicAccess: aws.Bool(
		false), EndpointPrivateAccess: aws.Bool(true)}})
	if got := describe().ResourcesVpcConfig; len(got.PublicAccessCidrs) != 0 {
		t.Errorf("a private endpoint has the public CIDRs %v", got.PublicAccessCidrs)
	}
	update(&eks.UpdateClusterConfigInput{ResourcesVpcConfig: &types.VpcConfigRequest{EndpointPublicAccess: aws.Bool(
		true)}})
	if got := describe().ResourcesVpcConfig.PublicAccessCidrs; len(got) != 1 || got[0] != "0.0.0.0/0" {
		t.Errorf("a public endpoint has the CIDRs %v", got)
	}
	update(&eks.UpdateClusterConfigInput{ResourcesVpcConfig: &types.VpcConfigRequest{PublicAccessCidrs: []string{
		"203.0.113.0/24", "198.51.100.0/24"}}})
	out, err := w.UpdateClusterConfig(ctx,
		&eks.UpdateClusterConfigInput{Name: demo, ResourcesVpcConfig: &types.VpcConfigRequest{
			PublicAccessCidrs: []string{"198.51.100.0/24", "203.0.113.0/24", "198.51.100.0/24"}}})
	wantError(t, out, err, invalid) // the same set: there is nothing to change
}
