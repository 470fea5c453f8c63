package eks_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/go-cmp/cmp"

	"tripod/region"
)

func TestAddonStory(t *testing.T) {
	w := newWorld(t, "API")
	demo, name := aws.String("demo"), aws.String("vpc-cni")
	in := &eks.CreateAddonInput{ClusterName: demo, AddonName: name, ClientRequestToken: aws.String("t"),
		ResolveConflicts:    types.ResolveConflictsOverwrite,
		ConfigurationValues: aws.String("env:\n  ENABLE_PREFIX_DELEGATION: \"true\"\n"),
		PodIdentityAssociations: []types.AddonPodIdentityAssociations{{ServiceAccount: aws.String("aws-node"),
			RoleArn: aws.String(role)}}}
	made := must(w.CreateAddon(ctx, in))(t).Addon
	if made.Status != types.AddonStatusCreating || *made.AddonVersion != "v1.21.1-eksbuild.3" ||
		len(made.PodIdentityAssociations) != 1 {
		t.Errorf("got %+v", made)
	}
	if again := must(w.CreateAddon(ctx, in))(t).Addon; *again.AddonArn != *made.AddonArn {
		t.Error("the same token made another add-on")
	}
	in.ClientRequestToken = nil
	out, err := w.CreateAddon(ctx, in)
	wantError(t, out, err, taken)
	found := must(eks.NewAddonActiveWaiter(w.Client).WaitForOutput(ctx,
		&eks.DescribeAddonInput{ClusterName: demo, AddonName: name}, time.Second))(t).Addon
	if *found.ConfigurationValues != *in.ConfigurationValues || *found.NamespaceConfig.Namespace != "kube-system" {
		t.Errorf("got %+v", found)
	}

	associations := func() []types.PodIdentityAssociationSummary {
		return must(w.ListPodIdentityAssociations(ctx,
			&eks.ListPodIdentityAssociationsInput{ClusterName: demo}))(t).Associations
	}
	owned := associations()
	if len(owned) != 1 || *owned[0].OwnerArn != *made.AddonArn || *owned[0].ServiceAccount != "aws-node" {
		t.Errorf("got %+v", owned)
	}
	deleted, err := w.DeletePodIdentityAssociation(ctx,
		&eks.DeletePodIdentityAssociationInput{ClusterName: demo, AssociationId: owned[0].AssociationId})
	wantError(t, deleted, err, refused)

	update := must(w.UpdateAddon(ctx,
		&eks.UpdateAddonInput{ClusterName: demo, AddonName: name, AddonVersion: aws.String("v1.22.2-eksbuild.1"),
			PodIdentityAssociations: []types.AddonPodIdentityAssociations{{ServiceAccount: aws.String("aws-node"),
				RoleArn: aws.String(otherRole)}}}))(t).Update
	if update.Status != types.UpdateStatusInProgress || update.Type != types.UpdateTypeAddonUpdate {
		t.Errorf("got %+v", update)
	}
	if ids := must(w.ListUpdates(ctx, &eks.ListUpdatesInput{Name: demo, AddonName: name}))(t).UpdateIds; len(ids) != 1 ||
		ids[0] != *update.Id {
		t.Errorf("got updates %v", ids)
	}
	if kept := associations(); len(kept) != 1 || *kept[0].AssociationId != *owned[0].AssociationId {
		t.Errorf("the service account's association changed from %+v to %+v", owned, kept)
	}
	must(w.UpdateAddon(ctx, &eks.UpdateAddonInput{ClusterName: demo, AddonName: name,
		PodIdentityAssociations: []types.AddonPodIdentityAssociations{}}))(t)
	if left := associations(); len(left) != 0 {
		t.Errorf("an empty list left %+v", left)
	}
	if names := must(w.ListAddons(ctx, &eks.ListAddonsInput{ClusterName: demo}))(t).Addons; len(names) != 1 {
		t.Errorf("got %v", names)
	}
	if gone := must(w.DeleteAddon(ctx,
		&eks.DeleteAddonInput{ClusterName: demo, AddonName: name,
			Preserve: true}))(t).Addon; gone.Status != types.AddonStatusDeleting {
		t.Errorf("got %s", gone.Status)
	}
	if err := eks.NewAddonDeletedWaiter(w.Client).Wait(ctx, &eks.DescribeAddonInput{ClusterName: demo, AddonName: name},
		time.Second); err != nil {
		t.Error(err)
	}
}

func TestAddonConfigurationFollowsItsSchema(t *testing.T) {
	w := newWorld(t, "API")
	for _, c := range []struct{ addon, values, wrong string }{
		{"coredns", `{"replicaCount": 3}`, ""},
		{"coredns", "autoScaling:\n  enabled: true\n  minReplicas: 2\n", ""},
		{"coredns", "", ""},
		{"metrics-server", `{"resources":{"limits":{"cpu":1,"memory":"1Gi"}}}`, ""},
		{"coredns", `{"replicaCount": "3"}`, "$.replicaCount must be of the type integer"},
		{"coredns", `{"replicaCount": 0}`, "at least 1"},
		{"coredns", `{"replicaCount": 1.5}`, "integer"},
		{"coredns", `{"replicas": 3}`, "no property"},
		{"coredns", `{"autoScaling": {}}`, "needs enabled"},
		{"coredns", `[]`, "object"},
		{"coredns", `{"a`, "neither JSON nor YAML"},
		{"coredns", "replicaCount: 1\nreplicaCount: 2\n", "twice"},
		{"vpc-cni", `{"env":{"A":true}}`, "$.env.A"},
		{"vpc-cni", `{"enableNetworkPolicy":"yes"}`, "one of"},
		{"metrics-server", `{"tolerations":[{"operator":"Maybe"}]}`, "$.tolerations[0].operator"},
		{"coredns", strings.Repeat(`{"affinity":`, 40) + "{}" + strings.Repeat("}", 40), ""},
		{"coredns", `{"corefile":"` + strings.Repeat("x", 65<<10) + `"}`, "bytes"},
	} {
		out, err := w.CreateAddon(ctx,
			&eks.CreateAddonInput{ClusterName: aws.String("demo"), AddonName: &c.addon, ConfigurationValues: &c.values})
		if c.wrong == "" {
			must(out, err)(t)
			must(w.DeleteAddon(ctx, &eks.DeleteAddonInput{ClusterName: aws.String("demo"), AddonName: &c.addon}))(t)
			continue
		}
		wantError(t, out, err, invalid)
		if !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%.40s: got %v, want something about %q", c.values, err, c.wrong)
		}
	}
}

func TestAddonsAreRefusedAsEKSRefusesThem(t *testing.T) {
	w := newWorld(t, "API")
	for name, in := range map[string]*eks.CreateAddonInput{
		"name":                       {AddonName: aws.String("nope")},
		"version":                    {AddonName: aws.String("coredns"), AddonVersion: aws.String("v9")},
		"version of another cluster": {AddonName: aws.String("kube-proxy"), AddonVersion: aws.String("v1.34.0-eksbuild.2")},
		"role":                       {AddonName: aws.String("vpc-cni"), ServiceAccountRoleArn: aws.String("role")},
		"pod identity for none": {AddonName: aws.String("kube-proxy"),
			PodIdentityAssociations: []types.AddonPodIdentityAssociations{{ServiceAccount: aws.String("a"),
				RoleArn: aws.String(role)}}},
		"pod identity twice": {AddonName: aws.String("vpc-cni"),
			PodIdentityAssociations: []types.AddonPodIdentityAssociations{
				{ServiceAccount: aws.String("a"), RoleArn: aws.String(role)},
				{ServiceAccount: aws.String("a"), RoleArn: aws.String(role)}}},
		"namespace": {AddonName: aws.String("cert-manager"),
			NamespaceConfig: &types.AddonNamespaceConfigRequest{Namespace: aws.String("A_B")}},
		"chosen namespace": {AddonName: aws.String("coredns"),
			NamespaceConfig: &types.AddonNamespaceConfigRequest{Namespace: aws.String("dns")}},
	} {
		in.ClusterName = aws.String("demo")
		t.Run(name, func(t *testing.T) {
			out, err := w.CreateAddon(ctx, in)
			wantError(t, out, err, invalid)
		})
	}
	if left := must(w.ListPodIdentityAssociations(ctx,
		&eks.ListPodIdentityAssociationsInput{ClusterName: aws.String("demo")}))(t).Associations; len(left) != 0 {
		t.Errorf("a refused add-on left %+v", left)
	}
	out, err := w.DescribeAddon(ctx,
		&eks.DescribeAddonInput{ClusterName: aws.String("demo"), AddonName: aws.String("coredns")})
	wantError(t, out, err, missing)
}

func TestAddonVersionsTellWhatRunsOnAVersion(t *testing.T) {
	w := newWorld(t, "API")
	pages := eks.NewDescribeAddonVersionsPaginator(w, &eks.DescribeAddonVersionsInput{MaxResults: aws.Int32(2)})
	all := pagesOf(t, pages.HasMorePages, func() (*eks.DescribeAddonVersionsOutput, error) { return pages.NextPage(ctx) },
		func(out *eks.DescribeAddonVersionsOutput) []types.AddonInfo { return out.Addons })
	if len(all) != 17 {
		t.Errorf("got %d add-ons, want 17", len(all))
	}
	for _, info := range all {
		defaults := map[string]int{}
		for _, version := range info.AddonVersions {
			for _, c := range version.Compatibilities {
				if c.DefaultVersion {
					defaults[*c.ClusterVersion]++
				}
			}
			configuration := must(w.DescribeAddonConfiguration(ctx,
				&eks.DescribeAddonConfigurationInput{AddonName: info.AddonName, AddonVersion: version.AddonVersion}))(t)
			if !strings.Contains(*configuration.ConfigurationSchema, `"properties"`) {
				t.Errorf("%s has the schema %s", *info.AddonName, *configuration.ConfigurationSchema)
			}
		}
		if diff := cmp.Diff(map[string]int{"1.34": 1, "1.35": 1, "1.36": 1, "1.37": 1}, defaults); diff != "" {
			t.Errorf("%s's default versions (-want +got):\n%s", *info.AddonName, diff)
		}
	}
	one := must(w.DescribeAddonVersions(ctx,
		&eks.DescribeAddonVersionsInput{AddonName: aws.String("kube-proxy"),
			KubernetesVersion: aws.String("1.35")}))(t).Addons
	if len(one) != 1 || len(one[0].AddonVersions) != 2 ||
		!strings.HasPrefix(*one[0].AddonVersions[0].AddonVersion, "v1.35.") {
		t.Errorf("got %+v", one)
	}
	if none := must(w.DescribeAddonVersions(ctx,
		&eks.DescribeAddonVersionsInput{Types: []string{"storage"},
			Owners: []string{"community"}}))(t).Addons; len(none) != 0 {
		t.Errorf("got %+v", none)
	}
	out, err := w.DescribeAddonVersions(ctx, &eks.DescribeAddonVersionsInput{AddonName: aws.String("nope")})
	wantError(t, out, err, missing)
	configuration, err := w.DescribeAddonConfiguration(ctx,
		&eks.DescribeAddonConfigurationInput{AddonName: aws.String("coredns"), AddonVersion: aws.String("v0")})
	wantError(t, configuration, err, missing)
}

func TestInsightsLookAtWhatIsThere(t *testing.T) {
	w := newWorld(t, "API")
	demo := aws.String("demo")
	must(w.CreateNodegroup(ctx, nodegroup(nil)))(t)
	must(w.CreateAddon(ctx, &eks.CreateAddonInput{ClusterName: demo, AddonName: aws.String("kube-proxy")}))(t)
	statuses := func(category types.Category) map[string]types.InsightStatusValue {
		pages := eks.NewListInsightsPaginator(w,
			&eks.ListInsightsInput{ClusterName: demo, MaxResults: aws.Int32(2),
				Filter: &types.InsightsFilter{Categories: []types.Category{category}}})
		got := map[string]types.InsightStatusValue{}
		for _, i := range pagesOf(t, pages.HasMorePages,
			func() (*eks.ListInsightsOutput, error) { return pages.NextPage(ctx) },
			func(out *eks.ListInsightsOutput) []types.InsightSummary { return out.Insights }) {
			got[*i.Name] = i.InsightStatus.Status
		}
		return got
	}
	want := map[string]types.InsightStatusValue{"Kubelet version skew": "PASSING", "kube-proxy version skew": "PASSING",
		"EKS add-on version compatibility": "PASSING",
		"Cluster health issues":            "PASSING", "Deprecated APIs removed in Kubernetes v1.37": "UNKNOWN"}
	if diff := cmp.Diff(want, statuses(types.CategoryUpgradeReadiness)); diff != "" {
		t.Errorf("upgrade (-want +got):\n%s", diff)
	}
	want = map[string]types.InsightStatusValue{"Kubelet version skew": "ERROR", "kube-proxy version skew": "ERROR",
		"EKS add-on version compatibility": "PASSING", "Cluster health issues": "PASSING"}
	if diff := cmp.Diff(want, statuses(types.CategoryRollbackReadiness)); diff != "" {
		t.Errorf("rollback (-want +got):\n%s", diff)
	}
	w.set(t, func(c *region.Cluster) { c.Version = "1.38" })
	if got := statuses(types.CategoryUpgradeReadiness)["Kubelet version skew"]; got != "WARNING" {
		t.Errorf("kubelets three versions behind: got %s, want WARNING", got)
	}
	failing := must(w.ListInsights(ctx,
		&eks.ListInsightsInput{ClusterName: demo,
			Filter: &types.InsightsFilter{Statuses: []types.InsightStatusValue{"WARNING"}}}))(t).Insights
	if len(failing) != 1 {
		t.Fatalf("got %+v", failing)
	}
	insight := must(w.DescribeInsight(ctx, &eks.DescribeInsightInput{ClusterName: demo, Id: failing[0].Id}))(t).Insight
	if len(insight.Resources) != 1 || !strings.Contains(*insight.Resources[0].Arn, "nodegroup/demo/workers/") ||
		insight.Recommendation == nil {
		t.Errorf("got %+v", insight)
	}
	out, err := w.DescribeInsight(ctx, &eks.DescribeInsightInput{ClusterName: demo, Id: aws.String("x")})
	wantError(t, out, err, missing)
}
