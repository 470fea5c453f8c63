package eks_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/go-cmp/cmp"

	"tripod/region"
	"tripod/state"
)

func TestFargateProfileStory(t *testing.T) {
	acting := newFargateWorld(t, "API")
	w := acting.world
	demo, name := aws.String("demo"), aws.String("serverless")
	in := func(change func(*eks.CreateFargateProfileInput)) *eks.CreateFargateProfileInput {
		in := &eks.CreateFargateProfileInput{ClusterName: demo, FargateProfileName: name,
			PodExecutionRoleArn: aws.String(role),
			Selectors: []types.FargateProfileSelector{{Namespace: aws.String("batch-*"),
				Labels: map[string]string{"compute": "fargate"}},
				// EKS takes names that Kubernetes would not
				{Namespace: aws.String("namespace_1")}}, ClientRequestToken: aws.String("t")}
		if change != nil {
			in.ClientRequestToken = nil
			change(in)
		}
		return in
	}
	made := must(w.CreateFargateProfile(ctx, in(nil)))(t).FargateProfile
	if made.Status != types.FargateProfileStatusCreating || len(made.Subnets) != 3 {
		t.Errorf("got status %s in %v", made.Status, made.Subnets)
	}
	if again := must(w.CreateFargateProfile(ctx,
		in(nil)))(t).FargateProfile; *again.FargateProfileArn != *made.FargateProfileArn {
		t.Error("the same token made another profile")
	}
	out, err := w.CreateFargateProfile(ctx, in(func(*eks.CreateFargateProfileInput) {}))
	wantError(t, out, err, taken)
	selectors := func(n int) []types.FargateProfileSelector {
		all := make([]types.FargateProfileSelector, n)
		for i := range all {
			all[i].Namespace = aws.String(fmt.Sprintf("n%d", i))
		}
		return all
	}
	for what, spoil := range map[string]func(*eks.CreateFargateProfileInput){
		"no selectors":   func(in *eks.CreateFargateProfileInput) { in.Selectors = nil },
		"six selectors":  func(in *eks.CreateFargateProfileInput) { in.Selectors = selectors(6) },
		"no namespace":   func(in *eks.CreateFargateProfileInput) { in.Selectors = []types.FargateProfileSelector{{}} },
		"role":           func(in *eks.CreateFargateProfileInput) { in.PodExecutionRoleArn = aws.String("x") },
		"unknown subnet": func(in *eks.CreateFargateProfileInput) { in.Subnets = []string{"subnet-0123456789abcdef0"} },
		"name":           func(in *eks.CreateFargateProfileInput) { in.FargateProfileName = aws.String("a.b") },
	} {
		t.Run(what, func(t *testing.T) {
			out, err := w.CreateFargateProfile(ctx, in(func(in *eks.CreateFargateProfileInput) {
				in.FargateProfileName = aws.String("second")
				spoil(in)
			}))
			wantError(t, out, err, invalid)
		})
	}
	acting.round()
	if err := eks.NewFargateProfileActiveWaiter(w.Client).Wait(ctx,
		&eks.DescribeFargateProfileInput{ClusterName: demo, FargateProfileName: name}, time.Second); err != nil {
		t.Error(err)
	}
	if names := must(w.ListFargateProfiles(ctx,
		&eks.ListFargateProfilesInput{ClusterName: demo}))(t).FargateProfileNames; len(names) != 1 {
		t.Errorf("got %v", names)
	}
	must(w.DeleteFargateProfile(ctx, &eks.DeleteFargateProfileInput{ClusterName: demo, FargateProfileName: name}))(t)
	acting.until("nothing is left of it", time.Second, func() bool { return acting.status(*name) == "" })
	if err := eks.NewFargateProfileDeletedWaiter(w.Client).Wait(ctx,
		&eks.DescribeFargateProfileInput{ClusterName: demo, FargateProfileName: name}, time.Second); err != nil {
		t.Error(err)
	}
}

func TestIdentityProviderStory(t *testing.T) {
	w := newWorld(t, "API")
	demo := aws.String("demo")
	in := func(change func(*types.OidcIdentityProviderConfigRequest)) *eks.AssociateIdentityProviderConfigInput {
		oidc := &types.OidcIdentityProviderConfigRequest{IdentityProviderConfigName: aws.String("corp"),
			IssuerUrl: aws.String("https://id.example.com/a"), ClientId: aws.String("kubernetes")}
		change(oidc)
		return &eks.AssociateIdentityProviderConfigInput{ClusterName: demo, Oidc: oidc, Tags: map[string]string{"a": "b"}}
	}
	for what, spoil := range map[string]func(*types.OidcIdentityProviderConfigRequest){
		"http": func(c *types.OidcIdentityProviderConfigRequest) { c.IssuerUrl = aws.String("http://id.example.com") },
		"query": func(c *types.OidcIdentityProviderConfigRequest) {
			c.IssuerUrl = aws.String("https://id.example.com?a=b")
		},
		"no URL":        func(c *types.OidcIdentityProviderConfigRequest) { c.IssuerUrl = aws.String("https://\x7f") },
		"system prefix": func(c *types.OidcIdentityProviderConfigRequest) { c.UsernamePrefix = aws.String("system:") },
		"own issuer": func(c *types.OidcIdentityProviderConfigRequest) {
			c.IssuerUrl = aws.String("https://localhost:4566/id/" + clusterID)
		},
		"prefix alone": func(c *types.OidcIdentityProviderConfigRequest) { c.GroupsPrefix = aws.String("g:") },
	} {
		t.Run(what, func(t *testing.T) {
			out, err := w.AssociateIdentityProviderConfig(ctx, in(spoil))
			wantError(t, out, err, invalid)
		})
	}
	made := must(w.AssociateIdentityProviderConfig(ctx, in(func(*types.OidcIdentityProviderConfigRequest) {})))(t)
	if made.Update.Type != types.UpdateTypeAssociateIdentityProviderConfig || made.Tags["a"] != "b" {
		t.Errorf("got %+v", made)
	}
	out, err := w.AssociateIdentityProviderConfig(ctx,
		in(func(c *types.OidcIdentityProviderConfigRequest) { c.IdentityProviderConfigName = aws.String("second") }))
	wantError(t, out, err, taken)
	listed := must(w.ListIdentityProviderConfigs(ctx,
		&eks.ListIdentityProviderConfigsInput{ClusterName: demo}))(t).IdentityProviderConfigs
	if len(listed) != 1 || *listed[0].Type != "oidc" || *listed[0].Name != "corp" {
		t.Fatalf("got %+v", listed)
	}
	found := must(w.DescribeIdentityProviderConfig(ctx,
		&eks.DescribeIdentityProviderConfigInput{ClusterName: demo,
			IdentityProviderConfig: &listed[0]}))(t).IdentityProviderConfig.Oidc
	if *found.UsernameClaim != "sub" || found.Status != types.ConfigStatusActive ||
		!strings.Contains(*found.IdentityProviderConfigArn, ":identityproviderconfig/demo/oidc/corp/") {
		t.Errorf("got %+v", found)
	}
	must(w.DisassociateIdentityProviderConfig(ctx,
		&eks.DisassociateIdentityProviderConfigInput{ClusterName: demo, IdentityProviderConfig: &listed[0]}))(t)
	gone, err := w.DescribeIdentityProviderConfig(ctx,
		&eks.DescribeIdentityProviderConfigInput{ClusterName: demo, IdentityProviderConfig: &listed[0]})
	wantError(t, gone, err, missing)
}

func TestCapabilityStory(t *testing.T) {
	w := newWorld(t, "API")
	demo, name := aws.String("demo"), aws.String("gitops")
	user := []types.SsoIdentity{{Id: aws.String("u-1"), Type: types.SsoIdentityTypeSsoUser}}
	in := &eks.CreateCapabilityInput{ClusterName: demo, CapabilityName: name, Type: types.CapabilityTypeArgocd,
		RoleArn: aws.String(role), DeletePropagationPolicy: "RETAIN"}
	out, err := w.CreateCapability(ctx, in)
	wantError(t, out, err, invalid)
	in.Configuration = &types.CapabilityConfigurationRequest{ArgoCd: &types.ArgoCdConfigRequest{
		AwsIdc:           &types.ArgoCdAwsIdcConfigRequest{IdcInstanceArn: aws.String("arn:aws:sso:::instance/ssoins-1")},
		RbacRoleMappings: []types.ArgoCdRoleMapping{{Role: types.ArgoCdRoleViewer, Identities: user}}}}
	made := must(w.CreateCapability(ctx, in))(t).Capability
	if made.Status != types.CapabilityStatusCreating ||
		!strings.Contains(*made.Arn, ":capability/demo/argocd/gitops/") || *made.Configuration.ArgoCd.Namespace != "argocd" {
		t.Errorf("got %+v", made)
	}
	in.CapabilityName, in.ClientRequestToken = aws.String("second"), nil // the SDK had filled one in
	out, err = w.CreateCapability(ctx, in)
	wantError(t, out, err, taken)
	must(w.UpdateCapability(ctx,
		&eks.UpdateCapabilityInput{ClusterName: demo, CapabilityName: name,
			Configuration: &types.UpdateCapabilityConfiguration{
				ArgoCd: &types.UpdateArgoCdConfig{RbacRoleMappings: &types.UpdateRoleMappings{
					AddOrUpdateRoleMappings: []types.ArgoCdRoleMapping{{Role: types.ArgoCdRoleAdmin, Identities: user}}}}}}))(t)
	found := must(w.DescribeCapability(ctx,
		&eks.DescribeCapabilityInput{ClusterName: demo, CapabilityName: name}))(t).Capability
	if m := found.Configuration.ArgoCd.RbacRoleMappings; len(m) != 1 || m[0].Role != types.ArgoCdRoleAdmin ||
		found.Status != types.CapabilityStatusActive {
		t.Errorf("got %s with %+v", found.Status, m)
	}
	nothing, err := w.UpdateCapability(ctx, &eks.UpdateCapabilityInput{ClusterName: demo, CapabilityName: name})
	wantError(t, nothing, err, invalid)
	if listed := must(w.ListCapabilities(ctx,
		&eks.ListCapabilitiesInput{ClusterName: demo}))(t).Capabilities; len(listed) != 1 {
		t.Errorf("got %+v", listed)
	}
	must(w.DeleteCapability(ctx, &eks.DeleteCapabilityInput{ClusterName: demo, CapabilityName: name}))(t)
	gone, err := w.DescribeCapability(ctx, &eks.DescribeCapabilityInput{ClusterName: demo, CapabilityName: name})
	wantError(t, gone, err, missing)
}

func TestSubscriptionStory(t *testing.T) {
	w := newWorld(t, "API")
	in := func(name string) *eks.CreateEksAnywhereSubscriptionInput {
		return &eks.CreateEksAnywhereSubscriptionInput{Name: &name,
			Term: &types.EksAnywhereSubscriptionTerm{Duration: 12, Unit: "MONTHS"}, LicenseQuantity: 2, LicenseType: "Cluster"}
	}
	made := must(w.CreateEksAnywhereSubscription(ctx, in("one")))(t).Subscription
	if !made.ExpirationDate.Equal(made.EffectiveDate.AddDate(1, 0, 0)) || made.LicenseQuantity != 2 ||
		*made.Status != "CREATING" {
		t.Errorf("got %+v", made)
	}
	for _, spoil := range []func(*eks.CreateEksAnywhereSubscriptionInput){
		func(in *eks.CreateEksAnywhereSubscriptionInput) { in.Term.Duration = 13 },
		func(in *eks.CreateEksAnywhereSubscriptionInput) { in.LicenseQuantity = 101 },
		func(in *eks.CreateEksAnywhereSubscriptionInput) { in.Name = aws.String("one") },
	} {
		wrong := in("two")
		spoil(wrong)
		out, err := w.CreateEksAnywhereSubscription(ctx, wrong)
		wantError(t, out, err, invalid)
	}
	if got := must(w.UpdateEksAnywhereSubscription(ctx,
		&eks.UpdateEksAnywhereSubscriptionInput{Id: made.Id, AutoRenew: true}))(t).Subscription; !got.AutoRenew {
		t.Errorf("got %+v", got)
	}
	if got := must(w.ListEksAnywhereSubscriptions(ctx,
		&eks.ListEksAnywhereSubscriptionsInput{IncludeStatus: []types.EksAnywhereSubscriptionStatus{"ACTIVE"}}))(
		t).Subscriptions; len(got) != 1 {
		t.Errorf("got %+v", got)
	}
	must(w.DeleteEksAnywhereSubscription(ctx, &eks.DeleteEksAnywhereSubscriptionInput{Id: made.Id}))(t)
	gone, err := w.DescribeEksAnywhereSubscription(ctx, &eks.DescribeEksAnywhereSubscriptionInput{Id: made.Id})
	wantError(t, gone, err, missing)
}

func TestRegisteredClusterIsPending(t *testing.T) {
	w := newWorld(t, "API")
	connector := &types.ConnectorConfigRequest{Provider: "GKE", RoleArn: aws.String(role)}
	made := must(w.RegisterCluster(ctx,
		&eks.RegisterClusterInput{Name: aws.String("far"), ConnectorConfig: connector}))(t).Cluster
	if made.Status != types.ClusterStatusPending || len(aws.ToString(made.ConnectorConfig.ActivationCode)) != 20 ||
		made.ConnectorConfig.ActivationExpiry == nil {
		t.Errorf("got %+v", made)
	}
	for _, name := range []string{"far", "demo"} {
		out, err := w.RegisterCluster(ctx, &eks.RegisterClusterInput{Name: &name, ConnectorConfig: connector})
		wantError(t, out, err, taken)
	}
	must(w.TagResource(ctx, &eks.TagResourceInput{ResourceArn: made.Arn, Tags: map[string]string{"a": "b"}}))(t)
	if gone := must(w.DeregisterCluster(ctx,
		&eks.DeregisterClusterInput{Name: aws.String("far")}))(t).Cluster; gone.Tags["a"] != "b" ||
		gone.ConnectorConfig.ActivationCode != nil {
		t.Errorf("got %+v", gone)
	}
	for _, name := range []string{"far", "demo"} {
		out, err := w.DeregisterCluster(ctx, &eks.DeregisterClusterInput{Name: &name})
		wantError(t, out, err, missing)
	}
}

// TestEveryKindOfResourceHasTags also shows that a tag of one resource is no other's.
func TestEveryKindOfResourceHasTags(t *testing.T) {
	w := newWorld(t, "API")
	demo := aws.String("demo")
	arns := []string{"arn:aws:eks:us-east-1:111122223333:cluster/demo", "arn:aws:eks:us-east-1:111122223333:cluster/other",
		*must(w.CreateNodegroup(ctx, nodegroup(nil)))(t).Nodegroup.NodegroupArn,
		*must(w.CreateAddon(ctx,
			&eks.CreateAddonInput{ClusterName: demo, AddonName: aws.String("coredns")}))(t).Addon.AddonArn,
		*must(w.CreateFargateProfile(ctx,
			&eks.CreateFargateProfileInput{ClusterName: demo, FargateProfileName: aws.String("f"),
				PodExecutionRoleArn: aws.String(role),
				Selectors:           []types.FargateProfileSelector{{Namespace: aws.String("x")}}}))(
			t).FargateProfile.FargateProfileArn,
		*must(w.CreatePodIdentityAssociation(ctx, association(nil)))(t).Association.AssociationArn,
		*must(w.CreateAccessEntry(ctx,
			&eks.CreateAccessEntryInput{ClusterName: demo, PrincipalArn: aws.String(w.admin)}))(t).AccessEntry.AccessEntryArn,
		*must(w.CreateCapability(ctx,
			&eks.CreateCapabilityInput{ClusterName: demo, CapabilityName: aws.String("k"), Type: "KRO",
				RoleArn: aws.String(role), DeletePropagationPolicy: "RETAIN"}))(t).Capability.Arn,
		*must(w.CreateEksAnywhereSubscription(ctx,
			&eks.CreateEksAnywhereSubscriptionInput{Name: aws.String("s"),
				Term: &types.EksAnywhereSubscriptionTerm{Duration: 36, Unit: "MONTHS"}}))(t).Subscription.Arn,
	}
	must(w.AssociateIdentityProviderConfig(ctx,
		&eks.AssociateIdentityProviderConfigInput{ClusterName: demo, Oidc: &types.OidcIdentityProviderConfigRequest{
			IdentityProviderConfigName: aws.String("corp"), IssuerUrl: aws.String("https://id.example.com"),
			ClientId: aws.String("k")}}))(t)
	arns = append(arns, *must(w.DescribeIdentityProviderConfig(ctx,
		&eks.DescribeIdentityProviderConfigInput{ClusterName: demo,
			IdentityProviderConfig: &types.IdentityProviderConfig{Type: aws.String("oidc"),
				Name: aws.String("corp")}}))(t).IdentityProviderConfig.Oidc.IdentityProviderConfigArn)
	for i, arn := range arns {
		must(w.TagResource(ctx, &eks.TagResourceInput{ResourceArn: &arn,
			Tags: map[string]string{"number": fmt.Sprint(i), "gone": "soon"}}))(t)
	}
	for i, arn := range arns {
		must(w.UntagResource(ctx, &eks.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"gone", "never there"}}))(t)
		got := must(w.ListTagsForResource(ctx, &eks.ListTagsForResourceInput{ResourceArn: &arn}))(t).Tags
		if diff := cmp.Diff(map[string]string{"number": fmt.Sprint(i)}, got); diff != "" {
			t.Errorf("tags of %s (-want +got):\n%s", arn, diff)
		}
		many := map[string]string{}
		for n := range 50 {
			many[fmt.Sprint("more-", n)] = ""
		}
		out, err := w.TagResource(ctx, &eks.TagResourceInput{ResourceArn: &arn, Tags: many})
		wantError(t, out, err, "BadRequestException")
	}
	for arn, want := range map[string]string{
		"x": "BadRequestException", "arn:aws:s3:::bucket/x": "BadRequestException",
		"arn:aws:eks:eu-west-1:111122223333:cluster/demo":         "BadRequestException",
		"arn:aws:eks:us-east-1:111122223333:cluster/nope":         "NotFoundException",
		"arn:aws:eks:us-east-1:111122223333:addon/demo/coredns/x": "NotFoundException",
	} {
		out, err := w.ListTagsForResource(ctx, &eks.ListTagsForResourceInput{ResourceArn: &arn})
		wantError(t, out, err, want)
	}
}

// TestAClusterWithNodesOrProfilesCannotBeDeleted also shows that the rest of what a cluster has goes with it.
func TestAClusterWithNodesOrProfilesCannotBeDeleted(t *testing.T) {
	w := newWorld(t, "API")
	demo := aws.String("demo")
	must(w.CreateNodegroup(ctx, nodegroup(nil)))(t)
	must(w.CreateAccessEntry(ctx, &eks.CreateAccessEntryInput{ClusterName: demo, PrincipalArn: aws.String(w.admin)}))(t)
	must(w.CreateAccessEntry(ctx,
		&eks.CreateAccessEntryInput{ClusterName: aws.String("other"), PrincipalArn: aws.String(w.admin)}))(t)
	out, err := w.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: demo})
	wantError(t, out, err, taken)
	must(w.DeleteNodegroup(ctx, &eks.DeleteNodegroupInput{ClusterName: demo, NodegroupName: aws.String("workers")}))(t)
	act(t, w.state)
	if err := eks.NewNodegroupDeletedWaiter(w.Client, quickly).Wait(ctx,
		&eks.DescribeNodegroupInput{ClusterName: demo, NodegroupName: aws.String("workers")}, time.Minute); err != nil {
		t.Fatal(err)
	}
	must(w.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: demo}))(t)
	if err := w.state.View(func(tx *state.Txn) error {
		if entries := region.AccessEntries.List(tx); len(entries) != 1 || entries[0].ClusterID == clusterID {
			t.Errorf("left: %+v", entries)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestManyAtOnceMakeOneResource(t *testing.T) {
	w := newWorld(t, "API")
	arns, errs := make([]string, 8), make([]error, 8)
	var all sync.WaitGroup
	for i := range arns {
		all.Add(1)
		go func() {
			defer all.Done()
			out, err := w.CreateNodegroup(ctx,
				nodegroup(func(in *eks.CreateNodegroupInput) { in.ClientRequestToken = aws.String("same") }))
			if errs[i] = err; err == nil {
				arns[i] = *out.Nodegroup.NodegroupArn
			}
		}()
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for _, arn := range arns {
		if arn != arns[0] {
			t.Errorf("one token made %s and %s", arns[0], arn)
		}
	}
}
