package iam_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

const policyPrefix = "arn:aws:eks::aws:cluster-access-policy/"

// subject is the user of a SubjectAccessReview.
type subject struct {
	UID   string
	Extra map[string][]string
}

// deployerSubject is the user that the Authenticator makes of the world's role.
func deployerSubject() subject {
	return subject{UID: "aws-iam-authenticator:111122223333:" + deployerID, Extra: map[string][]string{
		"canonicalArn": {"arn:aws:iam::111122223333:role/deployer"}, iam.ExtraPrincipalID: {deployerID},
	}}
}

// ask sends a SubjectAccessReview as an API server does. what is "VERB GROUP RESOURCE[/SUBRESOURCE]", with - for the
// core group, or "VERB /PATH".
func ask(t testing.TB, w *world, who subject, what, namespace, name string) (allowed bool, reason string) {
	t.Helper()
	spec := map[string]any{"user": "somebody", "groups": []string{"system:authenticated"}, "uid": who.UID,
		"extra": who.Extra}
	words := strings.Fields(what)
	if len(words) == 2 {
		spec["nonResourceAttributes"] = map[string]string{"verb": words[0], "path": words[1]}
	} else {
		resource, subresource, _ := strings.Cut(words[2], "/")
		spec["resourceAttributes"] = map[string]string{"verb": words[0], "group": strings.Trim(words[1], "-"),
			"resource":    resource,
			"subresource": subresource, "namespace": namespace, "name": name}
	}
	body, err := json.Marshal(map[string]any{"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
		"spec": spec})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/authorize", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	(&iam.Authorizer{ClusterID: clusterID, State: w}).ServeHTTP(answer, r)
	var review struct {
		Status struct {
			Allowed, Denied         bool
			Reason, EvaluationError string
		}
	}
	if err := json.Unmarshal(answer.Body.Bytes(), &review); err != nil || answer.Code != http.StatusOK {
		t.Fatalf("status %d: %s", answer.Code, answer.Body)
	}
	if review.Status.Denied || review.Status.EvaluationError != "" {
		t.Errorf("%s: got %s; the authorizer only ever allows", what, answer.Body)
	}
	return review.Status.Allowed, review.Status.Reason
}

// policies gives the world's role an access entry with these associations.
func (w *world) policies(t *testing.T, associated ...region.AssociatedPolicy) {
	t.Helper()
	w.deployer(t)
	w.entry(t, region.AccessEntry{PrincipalARN: deployerARN, PrincipalID: deployerID, Type: "STANDARD",
		Policies: associated})
}

func clusterScope(name string) region.AssociatedPolicy {
	return region.AssociatedPolicy{ARN: policyPrefix + name, Scope: "cluster"}
}

func TestAccessPoliciesAllowWhatAWSDocuments(t *testing.T) {
	for _, c := range []struct {
		policy       string
		allowed, not []string
	}{
		{"AmazonEKSClusterAdminPolicy",
			[]string{"delete - nodes", "impersonate - users", "get /metrics",
				"escalate rbac.authorization.k8s.io clusterroles", "get x.example.com things/status"}, nil},
		{"AmazonEKSAdminPolicy",
			[]string{"get - secrets", "create rbac.authorization.k8s.io roles", "create - pods/exec", "patch apps deployments",
				"create authorization.k8s.io localsubjectaccessreviews"},
			[]string{"get - nodes", "create - resourcequotas", "create rbac.authorization.k8s.io clusterroles", "get /metrics",
				"delete - namespaces"}},
		{"AmazonEKSEditPolicy", []string{"get - secrets", "create - pods/exec", "patch apps deployments/scale",
			"list - namespaces"},
			[]string{"create rbac.authorization.k8s.io roles", "get rbac.authorization.k8s.io roles", "get - nodes",
				"patch apps deployments/status"}},
		{"AmazonEKSViewPolicy", []string{"list - pods", "get - pods/log", "watch apps deployments",
			"get networking.k8s.io ingresses"},
			[]string{"get - secrets", "create - pods", "get - pods/exec", "get - nodes", "list apps pods"}},
		{"AmazonEKSAdminViewPolicy", []string{"get - secrets", "list - nodes", "watch x.example.com things"},
			[]string{"create - pods", "get /metrics", "impersonate - users"}},
		{"AmazonEKSSecretReaderPolicy", []string{"get - secrets", "list - secrets"},
			[]string{"get - configmaps", "update - secrets"}},
		{"AmazonAIOpsAssistantPolicy", []string{"get - nodes", "list batch jobs"}, []string{"watch - pods", "get - secrets"}},
		{"AmazonARCRegionSwitchScalingPolicy",
			[]string{"update apps deployments/scale", "get x.example.com things/status",
				"patch autoscaling horizontalpodautoscalers"},
			[]string{"update apps deployments", "get apps deployments", "patch apps deployments/scale"}},
		{"AmazonEMRJobPolicy", nil, []string{"get - pods"}},
	} {
		w := newWorld(t)
		w.mode(t, "API")
		w.policies(t, clusterScope(c.policy))
		for want, all := range map[bool][]string{true: c.allowed, false: c.not} {
			for _, what := range all {
				if got, reason := ask(t, w, deployerSubject(), what, "", ""); got != want {
					t.Errorf("%s: %s: got %v (%s)", c.policy, what, got, reason)
				}
			}
		}
	}
}

func TestScopeOfAnAccessPolicyIsItsNamespaces(t *testing.T) {
	w := newWorld(t)
	w.mode(t, "API_AND_CONFIG_MAP")
	w.policies(t, region.AssociatedPolicy{ARN: policyPrefix + "AmazonEKSClusterAdminPolicy", Scope: "namespace",
		Namespaces: []string{"web", "team-*"}},
		clusterScope("AmazonEKSSecretReaderPolicy"))
	for _, c := range []struct {
		what, namespace string
		want            bool
	}{
		{"get - pods", "web", true}, {"get - pods", "team-a", true}, {"get - pods", "team-", true},
		{"get - namespaces", "web", true},
		{"get - pods", "webs", false}, {"get - pods", "a-team-a", false}, {"get - pods", "", false},
		{"get /metrics", "", false},
		{"list - secrets", "", true}, {"list - secrets", "other", true},
	} {
		if got, reason := ask(t, w, deployerSubject(), c.what, c.namespace, ""); got != c.want {
			t.Errorf("%s in %q: got %v (%s)", c.what, c.namespace, got, reason)
		}
	}
	_, reason := ask(t, w, deployerSubject(), "get - pods", "web", "")
	if want := `EKS Access Policy: allowed by RoleBinding "` + deployerARN + "+" +
		policyPrefix + `AmazonEKSClusterAdminPolicy/web" of ClusterRole "` +
		policyPrefix + `AmazonEKSClusterAdminPolicy" to User "` + deployerID + `"`; reason != want {
		t.Errorf("reason: got %s, want %s", reason, want)
	}
}

func TestRuleOfOneObjectAllowsThatAlone(t *testing.T) {
	w := newWorld(t)
	w.mode(t, "API")
	w.policies(t, clusterScope("AmazonEKSNetworkingClusterPolicy"))
	for name, want := range map[string]bool{"cninodes.eks.amazonaws.com": true, "other": false, "": false} {
		if got, _ := ask(t, w, deployerSubject(), "delete apiextensions.k8s.io customresourcedefinitions", "",
			name); got != want {
			t.Errorf("%q: got %v", name, got)
		}
	}
}

// TestAccessPoliciesCountWhereAnotherAPIServerAsks: one that extends the cluster's has extras in lower case.
func TestAccessPoliciesCountWhereAnotherAPIServerAsks(t *testing.T) {
	w := newWorld(t)
	w.mode(t, "API")
	w.policies(t, clusterScope("AmazonEKSClusterAdminPolicy"))
	who := subject{UID: deployerSubject().UID, Extra: map[string][]string{}}
	for key, values := range deployerSubject().Extra {
		who.Extra[strings.ToLower(key)] = values
	}
	if allowed, reason := ask(t, w, who, "list metrics.k8s.io pods", "", ""); !allowed {
		t.Errorf("refused: %s", reason)
	}
}

// Each of these users is not the principal of the entry, although something says so.
func TestAccessPoliciesAreNobodyElses(t *testing.T) {
	w := newWorld(t)
	w.mode(t, "API")
	w.policies(t, clusterScope("AmazonEKSClusterAdminPolicy"))
	const uid = "aws-iam-authenticator:111122223333:" + deployerID
	canonical := []string{"arn:aws:iam::111122223333:role/deployer"}
	for name, who := range map[string]subject{
		"a UID alone":  {UID: uid},
		"extras alone": {Extra: deployerSubject().Extra},
		"another UID":  {UID: "aws-iam-authenticator:111122223333:AROAX", Extra: deployerSubject().Extra},
		"another id": {UID: uid,
			Extra: map[string][]string{"canonicalArn": canonical, iam.ExtraPrincipalID: {"AROAX"}}},
		"two ids": {UID: uid,
			Extra: map[string][]string{"canonicalArn": canonical, iam.ExtraPrincipalID: {deployerID, "AROAX"}}},
		"an id in two cases": {UID: uid, Extra: map[string][]string{"canonicalArn": canonical, iam.ExtraPrincipalID: {deployerID},
			strings.ToLower(iam.ExtraPrincipalID): {deployerID}}},
		"the short extra": {UID: uid,
			Extra: map[string][]string{"canonicalArn": canonical, "principalId": {deployerID}}},
		"no ARN": {UID: uid, Extra: map[string][]string{iam.ExtraPrincipalID: {deployerID}}},
		"a user of that name": {UID: uid,
			Extra: map[string][]string{"canonicalArn": {"arn:aws:iam::111122223333:user/deployer"},
				iam.ExtraPrincipalID: {deployerID}}},
		"another account": {UID: "aws-iam-authenticator:999999999999:" + deployerID,
			Extra: deployerSubject().Extra},
		"no id at all": {UID: "aws-iam-authenticator:111122223333:",
			Extra: map[string][]string{"canonicalArn": canonical, iam.ExtraPrincipalID: {""}}},
		"a service account": {UID: "8d4c",
			Extra: map[string][]string{"authentication.kubernetes.io/pod-name": {"x"}}},
		"the other user, by its ids": {UID: "aws-iam-authenticator:111122223333:" + w.otherID(t),
			Extra: map[string][]string{"canonicalArn": {otherARN}, iam.ExtraPrincipalID: {w.otherID(t)}}},
	} {
		if allowed, reason := ask(t, w, who, "get - pods", "", ""); allowed {
			t.Errorf("%s: allowed: %s", name, reason)
		}
	}
	if allowed, _ := ask(t, w, deployerSubject(), "get - pods", "", ""); !allowed {
		t.Error("the principal itself is not allowed")
	}
	w.mode(t, "CONFIG_MAP")
	if allowed, _ := ask(t, w, deployerSubject(), "get - pods", "", ""); allowed {
		t.Error("an access policy counts in the mode CONFIG_MAP")
	}
	w.mode(t, "API")
	w.update(t, func(tx *state.Txn) {
		region.Roles.Put(tx, "deployer",
			region.Role{Name: "deployer", ID: "AROABBBBBBBBBBBBBBBBB", ARN: deployerARN, Path: "/ci/"})
	})
	if allowed, _ := ask(t, w, deployerSubject(), "get - pods", "", ""); allowed {
		t.Error("a deleted role's policy counts")
	}
}

func (w *world) otherID(t *testing.T) (id string) {
	t.Helper()
	w.update(t, func(tx *state.Txn) {
		user, _ := region.Users.Get(tx, "other")
		id = user.ID
	})
	return id
}

func TestAccessPoliciesAreSaneAndHaveSources(t *testing.T) {
	policies := iam.AccessPolicies()
	if len(policies) < 30 {
		t.Errorf("there are %d", len(policies))
	}
	for _, policy := range policies {
		if policy.Source == "" || policy.ServiceLinked && len(policy.Rules) > 0 {
			t.Errorf("%s: source %q, for service-linked roles %v, %d rules", policy.Name, policy.Source, policy.ServiceLinked,
				len(policy.Rules))
		}
		for _, rule := range policy.Rules {
			if resources := len(rule.APIGroups) > 0 && len(rule.Resources) > 0; len(rule.Verbs) == 0 ||
				resources == (len(rule.NonResourceURLs) > 0) {
				t.Errorf("%s has the rule %+v", policy.Name, rule)
			}
		}
		if found, ok := iam.AccessPolicyOf(policyPrefix + policy.Name); !ok || found.Name != policy.Name {
			t.Errorf("%s is not found by its ARN", policy.Name)
		}
	}
}

func BenchmarkAuthorize(b *testing.B) {
	w := newWorld(&testing.T{})
	t := &testing.T{}
	w.mode(t, "API")
	w.policies(t, region.AssociatedPolicy{ARN: policyPrefix + "AmazonEKSViewPolicy", Scope: "namespace",
		Namespaces: []string{"team-*"}})
	for b.Loop() {
		if allowed, _ := ask(b, w, deployerSubject(), "list - namespaces", "team-a", ""); !allowed {
			b.Fatal("not allowed")
		}
	}
}
