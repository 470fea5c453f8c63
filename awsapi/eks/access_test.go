package eks_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/go-cmp/cmp"

	tripodeks "tripod/awsapi/eks"
	"tripod/region"
	"tripod/state"
)

const viewPolicy = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"

func TestAccessEntryStory(t *testing.T) {
	w := newWorld(t, "API")
	demo, principal := aws.String("demo"), aws.String(role)
	in := &eks.CreateAccessEntryInput{ClusterName: demo, PrincipalArn: principal, ClientRequestToken: aws.String("t"),
		KubernetesGroups: []string{"viewers"}}
	made := must(w.CreateAccessEntry(ctx, in))(t).AccessEntry
	if *made.Username != "arn:aws:sts::111122223333:assumed-role/worker/{{SessionName}}" || *made.Type != "STANDARD" {
		t.Errorf("got username %s, type %s", *made.Username, *made.Type)
	}
	if again := must(w.CreateAccessEntry(ctx, in))(t).AccessEntry; *again.AccessEntryArn != *made.AccessEntryArn {
		t.Error("the same token made another entry")
	}
	in.ClientRequestToken = nil
	out, err := w.CreateAccessEntry(ctx, in)
	wantError(t, out, err, taken)

	scope := &types.AccessScope{Type: types.AccessScopeTypeNamespace, Namespaces: []string{"team-*", "default"}}
	associated := must(w.AssociateAccessPolicy(ctx,
		&eks.AssociateAccessPolicyInput{ClusterName: demo, PrincipalArn: principal, PolicyArn: aws.String(viewPolicy),
			AccessScope: scope}))(t)
	if diff := cmp.Diff(scope.Namespaces, associated.AssociatedAccessPolicy.AccessScope.Namespaces); diff != "" {
		t.Errorf("namespaces (-want +got):\n%s", diff)
	}
	must(w.AssociateAccessPolicy(ctx,
		&eks.AssociateAccessPolicyInput{ClusterName: demo, PrincipalArn: principal, PolicyArn: aws.String(viewPolicy),
			AccessScope: &types.AccessScope{Type: types.AccessScopeTypeCluster}}))(t)
	policies := must(w.ListAssociatedAccessPolicies(ctx,
		&eks.ListAssociatedAccessPoliciesInput{ClusterName: demo, PrincipalArn: principal}))(t).AssociatedAccessPolicies
	if len(policies) != 1 || policies[0].AccessScope.Type != types.AccessScopeTypeCluster {
		t.Errorf("associating again made %+v, want one with the scope cluster", policies)
	}
	with := must(w.ListAccessEntries(ctx,
		&eks.ListAccessEntriesInput{ClusterName: demo, AssociatedPolicyArn: aws.String(viewPolicy)}))(t).AccessEntries
	if diff := cmp.Diff([]string{role}, with); diff != "" {
		t.Errorf("entries with the policy (-want +got):\n%s", diff)
	}
	must(w.UpdateAccessEntry(ctx,
		&eks.UpdateAccessEntryInput{ClusterName: demo, PrincipalArn: principal, KubernetesGroups: []string{},
			Username: aws.String("team:{{SessionName}}")}))(t)
	entry := must(w.DescribeAccessEntry(ctx,
		&eks.DescribeAccessEntryInput{ClusterName: demo, PrincipalArn: principal}))(t).AccessEntry
	if len(entry.KubernetesGroups) != 0 || *entry.Username != "team:{{SessionName}}" {
		t.Errorf("got %+v", entry)
	}
	must(w.DisassociateAccessPolicy(ctx,
		&eks.DisassociateAccessPolicyInput{ClusterName: demo, PrincipalArn: principal, PolicyArn: aws.String(viewPolicy)}))(t)
	gone, err := w.DisassociateAccessPolicy(ctx,
		&eks.DisassociateAccessPolicyInput{ClusterName: demo, PrincipalArn: principal, PolicyArn: aws.String(viewPolicy)})
	wantError(t, gone, err, missing)
	must(w.DeleteAccessEntry(ctx, &eks.DeleteAccessEntryInput{ClusterName: demo, PrincipalArn: principal}))(t)
	described, err := w.DescribeAccessEntry(ctx, &eks.DescribeAccessEntryInput{ClusterName: demo, PrincipalArn: principal})
	wantError(t, described, err, missing)
}

func TestAccessEntriesRememberThePrincipalsID(t *testing.T) {
	w := newWorld(t, "API_AND_CONFIG_MAP")
	must(w.CreateAccessEntry(ctx,
		&eks.CreateAccessEntryInput{ClusterName: aws.String("demo"), PrincipalArn: aws.String(role)}))(t)
	must(w.CreateAccessEntry(ctx,
		&eks.CreateAccessEntryInput{ClusterName: aws.String("demo"),
			PrincipalArn: aws.String("arn:aws:iam::999988887777:role/elsewhere")}))(t)
	made := must(w.CreateAccessEntry(ctx,
		&eks.CreateAccessEntryInput{ClusterName: aws.String("demo"), PrincipalArn: aws.String(root)}))(t).AccessEntry
	if *made.Username != root || *made.Type != "STANDARD" {
		t.Errorf("root: got %+v", made)
	}
	got := map[string]string{}
	if err := w.state.View(func(tx *state.Txn) error {
		for _, entry := range region.AccessEntries.List(tx) {
			got[entry.PrincipalARN] = entry.PrincipalID
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{role: "AROAWORKERWORKERWORKE", "arn:aws:iam::999988887777:role/elsewhere": "",
		root: "111122223333"}, got); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
}

func TestAccessEntriesAreRefusedAsEKSRefusesThem(t *testing.T) {
	w := newWorld(t, "API")
	entry := func(change func(*eks.CreateAccessEntryInput)) *eks.CreateAccessEntryInput {
		in := &eks.CreateAccessEntryInput{ClusterName: aws.String("demo"), PrincipalArn: aws.String(role)}
		change(in)
		return in
	}
	named := func(username string) func(*eks.CreateAccessEntryInput) {
		return func(in *eks.CreateAccessEntryInput) { in.Username = &username }
	}
	principal := func(arn string) func(*eks.CreateAccessEntryInput) {
		return func(in *eks.CreateAccessEntryInput) { in.PrincipalArn = &arn }
	}
	for name, spoil := range map[string]func(*eks.CreateAccessEntryInput){
		"session":             principal("arn:aws:sts::111122223333:assumed-role/worker/x"),
		"root's user":         principal("arn:aws:iam::111122223333:root/x"),
		"federated user":      principal("arn:aws:sts::111122223333:federated-user/x"),
		"group":               principal("arn:aws:iam::111122223333:group/x"),
		"no ARN":              principal("admin"),
		"unknown role":        principal("arn:aws:iam::111122223333:role/nope"),
		"role without path":   principal("arn:aws:iam::111122223333:role/worker"),
		"service-linked role": principal("arn:aws:iam::111122223333:role/aws-service-role/eks.amazonaws.com/x"),
		"system username":     named("system:admin"),
		"session, no colon":   named("me-{{SessionName}}"),
		"unknown template":    named("me:{{Password}}"),
		"user with session": func(in *eks.CreateAccessEntryInput) {
			in.PrincipalArn, in.Username = aws.String(w.admin), aws.String("a:{{SessionName}}")
		},
		"type":    func(in *eks.CreateAccessEntryInput) { in.Type = aws.String("GUEST") },
		"masters": func(in *eks.CreateAccessEntryInput) { in.KubernetesGroups = []string{"system:masters"} },
		"node groups": func(in *eks.CreateAccessEntryInput) {
			in.Type, in.KubernetesGroups = aws.String("EC2_LINUX"), []string{"a"}
		},
		"node user": func(in *eks.CreateAccessEntryInput) {
			in.Type, in.PrincipalArn = aws.String("EC2_LINUX"), aws.String(w.admin)
		},
		"node root": func(in *eks.CreateAccessEntryInput) {
			in.Type, in.PrincipalArn = aws.String("EC2_LINUX"), aws.String(root)
		},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := w.CreateAccessEntry(ctx, entry(spoil))
			wantError(t, out, err, invalid)
		})
	}
	made := must(w.CreateAccessEntry(ctx,
		entry(func(in *eks.CreateAccessEntryInput) { in.Type = aws.String("EC2_LINUX") })))(t).AccessEntry
	if *made.Username != "system:node:{{EC2PrivateDNSName}}" || len(made.KubernetesGroups) == 0 {
		t.Errorf("got %+v", made)
	}
	associate := func(policy string, scope *types.AccessScope) (*eks.AssociateAccessPolicyOutput, error) {
		return w.AssociateAccessPolicy(ctx,
			&eks.AssociateAccessPolicyInput{ClusterName: aws.String("demo"), PrincipalArn: aws.String(role),
				PolicyArn: &policy, AccessScope: scope})
	}
	cluster := &types.AccessScope{Type: types.AccessScopeTypeCluster}
	_, err := associate(viewPolicy, cluster)
	wantSentence(t, "a policy for nodes", err, invalid+`: This operation can only be performed on Access Entries with `+
		`a type of "STANDARD".`)
	for name, update := range map[string]*eks.UpdateAccessEntryInput{
		`This operation can only be performed on Access Entries with a type of ` +
			`"STANDARD".`: {KubernetesGroups: []string{"a"}},
		"The username must not begin with system:": {Username: made.Username}, // as terraform sends it
	} {
		update.ClusterName, update.PrincipalArn = aws.String("demo"), aws.String(role)
		_, err := w.UpdateAccessEntry(ctx, update)
		wantSentence(t, "an update of nodes' entry", err, invalid+": "+name)
	}
	must(w.DeleteAccessEntry(ctx,
		&eks.DeleteAccessEntryInput{ClusterName: aws.String("demo"), PrincipalArn: aws.String(role)}))(t)
	must(w.CreateAccessEntry(ctx, entry(func(*eks.CreateAccessEntryInput) {})))(t)
	_, err = w.UpdateAccessEntry(ctx,
		&eks.UpdateAccessEntryInput{ClusterName: aws.String("demo"), PrincipalArn: aws.String(role),
			KubernetesGroups: []string{"system:masters"}})
	wantSentence(t, "a group of Kubernetes' own", err,
		invalid+": The kubernetes group name system:masters is invalid, it cannot start with system:")
	out, err := associate("arn:aws:eks::aws:cluster-access-policy/Nope", cluster)
	wantError(t, out, err, missing)
	for _, scope := range []*types.AccessScope{
		{Type: types.AccessScopeTypeNamespace}, {Type: types.AccessScopeTypeCluster, Namespaces: []string{"a"}},
		{Type: types.AccessScopeTypeNamespace, Namespaces: []string{"A B"}}, {Type: "region"},
	} {
		out, err = associate(viewPolicy, scope)
		wantError(t, out, err, invalid)
	}
}

func TestConfigMapModeHasNoAccessEntries(t *testing.T) {
	w := newWorld(t, "CONFIG_MAP")
	made, err := w.CreateAccessEntry(ctx,
		&eks.CreateAccessEntryInput{ClusterName: aws.String("demo"), PrincipalArn: aws.String(role)})
	wantError(t, made, err, refused)
	listed, err := w.ListAccessEntries(ctx, &eks.ListAccessEntriesInput{ClusterName: aws.String("demo")})
	wantError(t, listed, err, refused)
}

func TestTheCreatorsEntryIsAnAdministrators(t *testing.T) {
	entry, err := tripodeks.CreatorEntry("us-east-1", "111122223333",
		region.Cluster{ID: clusterID, Name: "demo", CreatorARN: role}, "AROAX", "11111111-2222-4333-8444-555555555555",
		created)
	if err != nil {
		t.Fatal(err)
	}
	want := region.AccessEntry{
		ClusterID:    clusterID,
		ARN:          "arn:aws:eks:us-east-1:111122223333:access-entry/demo/role/111122223333/worker/11111111-2222-4333-8444-555555555555",
		PrincipalARN: role, PrincipalID: "AROAX", Type: "STANDARD",
		Username: "arn:aws:sts::111122223333:assumed-role/worker/{{SessionName}}",
		Policies: []region.AssociatedPolicy{{ARN: "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
			Scope: "cluster", AssociatedAt: created, ModifiedAt: created}},
		CreatedAt: created, ModifiedAt: created,
	}
	if diff := cmp.Diff(want, entry); diff != "" {
		t.Errorf("entry (-want +got):\n%s", diff)
	}
	session, err := tripodeks.CreatorEntry("us-east-1", "111122223333", region.Cluster{ID: clusterID, Name: "demo",
		CreatorARN: "arn:aws:sts::111122223333:assumed-role/other/me"}, "AROAOTHER:me",
		"11111111-2222-4333-8444-555555555555", created)
	if err != nil || session.PrincipalARN != otherRole || session.PrincipalID != "AROAOTHER" {
		t.Errorf("a role's session: got %+v, %v", session, err)
	}
	owner, err := tripodeks.CreatorEntry("us-east-1", "111122223333", region.Cluster{ID: clusterID, Name: "demo",
		CreatorARN: root}, "111122223333", "11111111-2222-4333-8444-555555555555", created)
	if err != nil || owner.PrincipalARN != root || owner.PrincipalID != "111122223333" || owner.Username != root {
		t.Errorf("root: got %+v, %v", owner, err)
	}
}

func TestCreatorWhoseEntryIsDeletedIsNoLongerAdministrator(t *testing.T) {
	w := newWorld(t, "API")
	must(w.CreateAccessEntry(ctx,
		&eks.CreateAccessEntryInput{ClusterName: aws.String("demo"), PrincipalArn: aws.String(w.admin)}))(t)
	must(w.DeleteAccessEntry(ctx,
		&eks.DeleteAccessEntryInput{ClusterName: aws.String("demo"), PrincipalArn: aws.String(w.admin)}))(t)
	if got := record(t, w, "demo").CreatorARN; got != "" {
		t.Errorf("the record still names %s", got)
	}
}

func TestListAccessPoliciesPages(t *testing.T) {
	w := newWorld(t, "API")
	pages := eks.NewListAccessPoliciesPaginator(w, &eks.ListAccessPoliciesInput{MaxResults: aws.Int32(2)})
	names := map[string]bool{}
	for _, p := range pagesOf(t, pages.HasMorePages,
		func() (*eks.ListAccessPoliciesOutput, error) { return pages.NextPage(ctx) },
		func(out *eks.ListAccessPoliciesOutput) []types.AccessPolicy { return out.AccessPolicies }) {
		names[*p.Name] = true
	}
	for _, want := range []string{"AmazonEKSClusterAdminPolicy", "AmazonEKSAdminPolicy", "AmazonEKSEditPolicy",
		"AmazonEKSViewPolicy", "AmazonEKSAutoNodePolicy"} {
		if !names[want] {
			t.Errorf("%s is not listed", want)
		}
	}
}
