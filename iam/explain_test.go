package iam_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tripod/api"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

func TestPrincipalsAreNamedInAllTheirForms(t *testing.T) {
	w := newWorld(t)
	w.deployer(t)
	w.update(t, func(tx *state.Txn) {
		region.Users.Put(tx, "twin", region.User{Name: "twin", ID: "AIDATWIN", ARN: "arn:aws:iam::111122223333:user/twin"})
		region.Roles.Put(tx, "twin", region.Role{Name: "twin", ID: "AROATWIN", ARN: "arn:aws:iam::111122223333:role/twin"})
	})
	for text, want := range map[string]string{
		"other":         otherARN,
		"user/other":    otherARN,
		otherARN:        otherARN,
		"deployer":      "arn:aws:sts::111122223333:assumed-role/deployer/SESSION",
		"twin":          `IAM has a user and a role "twin": write user/twin or role/twin`,
		"user/twin":     "arn:aws:iam::111122223333:user/twin",
		"role/twin":     "arn:aws:sts::111122223333:assumed-role/twin/SESSION",
		"role/deployer": "arn:aws:sts::111122223333:assumed-role/deployer/SESSION",
		deployerARN:     "arn:aws:sts::111122223333:assumed-role/deployer/SESSION",
		"arn:aws:sts::111122223333:assumed-role/deployer/build-1": "arn:aws:sts::111122223333:assumed-role/deployer/build-1",
		"nobody":      `IAM has no user and no role "nobody"`,
		"role/nobody": `IAM has no role "nobody"`,
		"arn:aws:iam::111122223333:role/deployer": `IAM has no "arn:aws:iam::111122223333:role/deployer"; the ` +
			`role "deployer" is ` + deployerARN,
		"arn:aws:sts::999999999999:assumed-role/deployer/x": `IAM has no "arn:aws:sts::999999999999:assumed-role/deployer/x"`,
		"group/dev":                           "is no principal",
		"arn:aws:iam::111122223333:group/dev": "is no principal",
		"root":                                rootARN,
		rootARN:                               rootARN,
		"user/root":                           `IAM has no user "root"`,
		"arn:aws:iam::999999999999:root":      `IAM has no "arn:aws:iam::999999999999:root"; the root user is ` + rootARN,
		"federated-user/bob":                  "arn:aws:sts::111122223333:federated-user/bob",
		"arn:aws:sts::111122223333:federated-user/bob": "arn:aws:sts::111122223333:federated-user/bob",
		"arn:aws:sts::999999999999:federated-user/bob": `IAM has no "arn:aws:sts::999999999999:federated-user/bob"`,
	} {
		got, err := iam.PrincipalNamed(w, iam.DefaultAccountID, text)
		if err == nil && got.ARN != want || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %s, %v; want %s", text, got.ARN, err, want)
		}
	}
}

// What is explained is what the webhooks themselves decide.
func TestExplanationIsTheDecision(t *testing.T) {
	w := newWorld(t)
	w.mode(t, "API_AND_CONFIG_MAP")
	w.deployer(t)
	view := region.AssociatedPolicy{ARN: policyPrefix + "AmazonEKSViewPolicy", Scope: "namespace",
		Namespaces: []string{"team-*"}}
	w.entry(t, region.AccessEntry{PrincipalARN: deployerARN, PrincipalID: deployerID, Type: "STANDARD",
		Username: "ci:{{SessionName}}", Groups: []string{"builders"},
		Policies: []region.AssociatedPolicy{view, clusterScope("AmazonEMRJobPolicy")}})
	auth, _ := iam.ParseAWSAuth(map[string]string{"mapUsers": `[{userarn: "` +
		otherARN + `", username: ops, groups: [system:masters]}]`})
	authenticator := w.authenticator(&bytes.Buffer{})
	authenticator.AWSAuth = func() iam.AWSAuth { return auth }
	authorizer := &iam.Authorizer{ClusterID: clusterID, State: w}

	for name, want := range map[string]api.Identity{
		"role/deployer": {ID: deployerID, By: "the access entry of " + deployerARN, Username: "ci:SESSION",
			Groups: []string{"builders"}},
		"other": {ID: w.otherID(t), By: "the ConfigMap aws-auth, which maps " + otherARN, Username: "ops",
			Groups: []string{"system:masters"}},
		"admin": {ID: w.adminUser.ID, By: "the cluster's creator, which is of a time before access entries",
			Username: "kubernetes-admin", Groups: []string{"system:masters"}},
	} {
		p, err := iam.PrincipalNamed(w, iam.DefaultAccountID, name)
		if err != nil {
			t.Fatal(err)
		}
		want.Cluster, want.ARN = "demo", p.ARN
		got, err := authenticator.Explain(p)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}

	role, err := iam.PrincipalNamed(w, iam.DefaultAccountID, "role/deployer")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		verb, namespace string
		allowed         bool
		reason          string
	}{
		{"get", "team-a", true, `EKS Access Policy: allowed by RoleBinding "` + deployerARN + "+" + view.ARN + `/team-a"`},
		{"delete", "team-a", false, "no rule of it allows this"},
		{"get", "default", false, "this is not in its scope"},
	} {
		got, err := authorizer.Explain(role, api.Action{Verb: c.verb, Resource: "pods", Namespace: c.namespace})
		if err != nil || len(got) != 2 || got[0].Allowed != c.allowed || !strings.HasPrefix(got[0].Reason, c.reason) {
			t.Fatalf("%s in %s: got %+v, %v; want %v: %s", c.verb, c.namespace, got, err, c.allowed, c.reason)
		}
		if got[1].Allowed || got[1].Reason != "no rules of it are known here" {
			t.Errorf("a policy without rules: got %+v", got[1])
		}
		if allowed, _ := ask(t, w, deployerSubject(), c.verb+" - pods", c.namespace, ""); allowed != c.allowed {
			t.Errorf("%s in %s: the webhook says %v", c.verb, c.namespace, allowed)
		}
	}

	w.mode(t, "API")
	other, _ := iam.PrincipalNamed(w, iam.DefaultAccountID, "other")
	if got, err := authenticator.Explain(other); err != nil || got.Refusal != "it has no access entry" ||
		got.Username != "" {
		t.Errorf("a user whom nothing lets in: got %+v, %v", got, err)
	}
}

func TestExplanationOfATokenNamesTheChecksItPasses(t *testing.T) {
	w := newWorld(t)
	authenticator := w.authenticator(&bytes.Buffer{})
	for _, c := range []struct {
		cluster string
		as      iam.Credentials
		passed  int
		refusal string
	}{
		{"demo", w.admin, 4, ""},
		{"other", w.admin, 3, "it is for another cluster"},
		{"demo", iam.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "x"}, 2, "which is not this region's"},
	} {
		token, err := iam.Token(context.Background(), c.as, "us-east-1", endpoint, c.cluster, now)
		if err != nil {
			t.Fatal(err)
		}
		got, err := authenticator.ExplainToken(token)
		if err != nil || len(got.Checks) != c.passed || (c.refusal == "") != (got.Refusal == "") ||
			!strings.Contains(got.Refusal, c.refusal) {
			t.Errorf("%s with %s: got %+v, %v", c.cluster, c.as.AccessKeyID, got, err)
		}
		if (c.refusal == "") != (got.Username == "kubernetes-admin") {
			t.Errorf("%s with %s: the user is %q", c.cluster, c.as.AccessKeyID, got.Username)
		}
	}
}
