package iam

import (
	"slices"
	"strings"
	"testing"
)

func TestManagedPoliciesAreValidAndSorted(t *testing.T) {
	var names []string
	for _, p := range ManagedPolicies() {
		names = append(names, p.Name)
		if _, err := ParseIdentity(string(p.Document)); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		if p.Description == "" || !strings.HasPrefix(p.Path, "/") || !strings.HasSuffix(p.Path, "/") || !IsManaged(p.ARN()) {
			t.Errorf("%s is not complete", p.ARN())
		}
	}
	if !slices.IsSorted(names) || !slices.Contains(names, "AmazonEKSClusterPolicy") ||
		len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("got %q", names)
	}
}

func TestPrincipalDoesWhatAllItsPoliciesLeave(t *testing.T) {
	allow := `{"Statement":{"Effect":"Allow","Action":"eks:*","Resource":"*"}}`
	deny := `{"Statement":{"Effect":"Deny","Action":"eks:DeleteCluster","Resource":"*"}}`
	list := `{"Statement":{"Effect":"Allow","Action":"eks:List*","Resource":"*"}}`
	team := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"eks:*",` +
		`"Resource":"arn:aws:eks:*:*:cluster/${aws:PrincipalTag/team}-*"}}`
	gone := ""
	const noPolicy, denied = "because no identity-based policy allows", "with an explicit deny in an identity-based policy"
	const noBoundary, deniedBoundary = "because no permissions boundary allows",
		"with an explicit deny in a permissions boundary"
	for name, c := range map[string]struct {
		principal Principal
		action    string
		want      Decision
		reason    string
	}{
		"nothing":       {Principal{}, "eks:ListClusters", ImplicitDeny, noPolicy},
		"administrator": {Principal{Policies: []string{AdministratorAccess}}, "eks:ListClusters", Allowed, ""},
		"power user": {Principal{Policies: []string{managedPrefix + "/PowerUserAccess"}}, "iam:CreateUser",
			ImplicitDeny, noPolicy},
		"document": {Principal{Documents: []string{allow}}, "eks:ListClusters", Allowed, ""},
		"deny wins": {Principal{Policies: []string{AdministratorAccess}, Documents: []string{deny}},
			"eks:DeleteCluster", ExplicitDeny, denied},
		"within the boundary": {Principal{Documents: []string{allow}, Boundary: &list}, "eks:ListClusters", Allowed, ""},
		"beyond the boundary": {Principal{Documents: []string{allow}, Boundary: &list}, "eks:DeleteCluster",
			ImplicitDeny, noBoundary},
		"boundary grants nothing": {Principal{Boundary: &list}, "eks:ListClusters", ImplicitDeny, noPolicy},
		"boundary denies": {Principal{Documents: []string{allow}, Boundary: &deny}, "eks:DeleteCluster",
			ExplicitDeny, deniedBoundary},
		"boundary is gone": {Principal{Documents: []string{allow}, Boundary: &gone}, "eks:ListClusters", ExplicitDeny,
			"because the permissions boundary"},
		"policy is broken": {Principal{Policies: []string{AdministratorAccess}, Documents: []string{"{"}},
			"eks:ListClusters", ExplicitDeny, "because a policy"},
		"within the session": {Principal{Documents: []string{allow}, SessionPolicies: []string{list}}, "eks:ListClusters",
			Allowed, ""},
		"beyond the session": {Principal{Documents: []string{allow}, SessionPolicies: []string{list}}, "eks:DeleteCluster",
			ImplicitDeny, "because no session policy"},
		"own tag": {Principal{Documents: []string{team}, Tags: map[string]string{"Team": "blue"}},
			"eks:DescribeCluster", Allowed, ""},
		"another's tag": {Principal{Documents: []string{team}, Tags: map[string]string{"Team": "*"}}, "eks:DescribeCluster",
			ImplicitDeny, noPolicy},
	} {
		got, reason := c.principal.Evaluate(c.action, "arn:aws:eks:us-east-1:111122223333:cluster/blue-1", nil)
		if got != c.want || !strings.HasPrefix(reason, c.reason) || (reason == "") != (got == Allowed) {
			t.Errorf("%s: got %v %q, want %v %q", name, got, reason, c.want, c.reason)
		}
	}
}

func TestSessionNamedByItsRoleStaysWithinWhatNarrowsIt(t *testing.T) {
	const role, session, target = "arn:aws:iam::111122223333:role/r", "arn:aws:sts::111122223333:assumed-role/r/s",
		"arn:aws:iam::111122223333:role/target"
	list := `{"Statement":{"Effect":"Allow","Action":"eks:List*","Resource":"*"}}`
	assume := `{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}}`
	deny := `{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`
	for name, c := range map[string]struct {
		named  string
		narrow Principal
		may    bool
	}{
		"role, nothing narrows":        {role, Principal{}, true},
		"role, beyond the session":     {role, Principal{SessionPolicies: []string{list}}, false},
		"role, within the session":     {role, Principal{SessionPolicies: []string{assume}}, true},
		"role, beyond the boundary":    {role, Principal{Boundary: &list}, false},
		"role, within the boundary":    {role, Principal{Boundary: &assume}, true},
		"session, beyond the session":  {session, Principal{SessionPolicies: []string{list}}, true},
		"session, beyond the boundary": {session, Principal{Boundary: &list}, true},
		"session, which is denied":     {session, Principal{SessionPolicies: []string{deny}}, false},
	} {
		trust, err := ParseTrust(`{"Statement":{"Effect":"Allow","Principal":{"AWS":"` +
			c.named + `"},"Action":"sts:AssumeRole"}}`)
		if err != nil {
			t.Fatal(err)
		}
		p := c.narrow
		p.ARN, p.AccountID, p.IssuerARN = session, "111122223333", role
		if may, reason := p.MayAssume("sts:AssumeRole", target, trust, nil); may != c.may {
			t.Errorf("%s: got %v %q, want %v", name, may, reason, c.may)
		}
	}
}

func TestLongValueThatAPolicyRepeatsIsNotFilledInWithoutEnd(t *testing.T) {
	keys := Keys{"k": {strings.Repeat("a", 10_000)}}
	if _, ok := expand(strings.Repeat("${k}", 8000), keys, true); ok {
		t.Error("80 million characters were filled in")
	}
	if p, ok := expand("${k}${k}", keys, true); !ok || len(p) != 20_000 {
		t.Errorf("got %d characters, %v; want both values", len(p), ok)
	}
}

func TestPathOfAUserMakesNobodyFederated(t *testing.T) {
	p := Principal{ARN: "arn:aws:iam::111122223333:user/x:federated-user/ann", AccountID: "111122223333", UserID: "AIDA"}
	if p.IsFederated() || p.UserName() != "ann" {
		t.Errorf("got federated %v, name %q", p.IsFederated(), p.UserName())
	}
}
