package explain

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tripod/api"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// fakeKubeAPI is an API server with a few types, whose RBAC lets the group readers get everything.
func fakeKubeAPI(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/api":
		w.Write([]byte(`{"items":[{"metadata":{"name":""},"versions":[{"resources":[
			{"resource":"pods","singularResource":"pod","shortNames":["po"],"scope":"Namespaced"},
			{"resource":"nodes","singularResource":"node","scope":"Cluster"},{"resource":"namespaces","shortNames":["ns"],"scope":"Cluster"}]}]}]}`))
	case "/apis":
		w.Write([]byte(`{"items":[{"metadata":{"name":"apps"},"versions":[{"resources":[{"resource":"deployments","shortNames":["deploy"],"scope":"Namespaced"}]}]},
			{"metadata":{"name":"metrics.example.com"},"versions":[{"resources":[{"resource":"pods","scope":"Namespaced"}]}]}]}`))
	case "/api/v1/namespaces/web/serviceaccounts/shop":
		w.Write([]byte(`{"kind":"ServiceAccount"}`))
	case "/api/v1/namespaces/web/serviceaccounts/gone":
		http.NotFound(w, r)
	default:
		var review struct {
			Spec struct {
				User, UID          string
				Groups             []string
				ResourceAttributes api.Action
			}
		}
		err := json.NewDecoder(r.Body).Decode(&review)
		everybody := "system:authenticated"
		if review.Spec.User == "system:anonymous" {
			everybody = "system:unauthenticated"
		}
		if err != nil || review.Spec.UID != "" || !slices.Contains(review.Spec.Groups, everybody) {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		status := map[string]any{"allowed": false}
		switch {
		case slices.Contains(review.Spec.Groups, "system:masters"):
			status["allowed"] = true
		case review.Spec.User == "system:serviceaccount:web:shop" &&
			slices.Contains(review.Spec.Groups, "system:serviceaccounts:web"):
			status["allowed"], status["reason"] = true, `RBAC: allowed by RoleBinding "shop/web"`
		case slices.Contains(review.Spec.Groups, "readers") && review.Spec.ResourceAttributes.Verb == "get":
			status["allowed"], status["reason"] = true, `RBAC: allowed by ClusterRoleBinding "read"`
		}
		w.WriteHeader(http.StatusCreated)
		json.NewEncoder(w).Encode(map[string]any{"status": status})
	}
}

// newCluster is the access to a cluster demo: of its creator, of root and a role with access entries, and not of the
// user stranger.
func newCluster(t *testing.T) Cluster {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(fakeKubeAPI))
	t.Cleanup(server.Close)
	const account = "arn:aws:iam::111122223333:"
	store := region.NewMemory(func(tx *state.Txn) {
		region.Clusters.Put(tx, "ID",
			region.Cluster{ID: "ID", Name: "demo", AuthenticationMode: "API", CreatorARN: account + "user/admin"})
		region.Users.Put(tx, "admin", region.User{Name: "admin", ID: "AIDAA", ARN: account + "user/admin"})
		region.Users.Put(tx, "stranger", region.User{Name: "stranger", ID: "AIDAS", ARN: account + "user/stranger"})
		region.Roles.Put(tx, "viewer", region.Role{Name: "viewer", ID: "AROAV", ARN: account + "role/viewer"})
		region.AccessEntries.Put(tx, "ID/"+account+"root",
			region.AccessEntry{ClusterID: "ID", PrincipalARN: account + "root", PrincipalID: "111122223333",
				Type: "STANDARD", Username: account + "root",
				Policies: []region.AssociatedPolicy{{ARN: iam.AccessPolicyPrefix + "AmazonEKSClusterAdminPolicy",
					Scope: "cluster"}}})
		region.AccessEntries.Put(tx, "ID/"+account+"role/viewer",
			region.AccessEntry{ClusterID: "ID", PrincipalARN: account + "role/viewer", PrincipalID: "AROAV",
				Type: "STANDARD", Username: "viewer", Groups: []string{"readers"}, Policies: []region.AssociatedPolicy{
					{ARN: iam.AccessPolicyPrefix + "AmazonEKSEditPolicy", Scope: "namespace", Namespaces: []string{"web"}}}})
	})
	return Cluster{
		Name: "demo", Account: iam.DefaultAccountID,
		Admits: &iam.Authenticator{ClusterID: "ID", State: store}, Permits: &iam.Authorizer{ClusterID: "ID", State: store},
		Server: APIServer{server.URL, server.Client()},
	}
}

func TestAccessIsDecidedByRBACOrAnAccessPolicy(t *testing.T) {
	a := newCluster(t)
	for _, c := range []struct {
		question     string // PRINCIPAL VERB RESOURCE NAMESPACE
		allowed      bool
		rbac, policy string
		refusal      string
	}{
		{"admin delete nodes web", true, "the group system:masters may do everything", "", ""},
		{"role/viewer get nodes web", true, `allowed by ClusterRoleBinding "read"`, "this is not in its scope", ""},
		{"role/viewer delete pods web", true, "no rule allows it", "EKS Access Policy: allowed by RoleBinding", ""},
		{"role/viewer delete pods default", false, "no rule allows it", "this is not in its scope", ""},
		{"stranger get pods web", false, "", "", "it has no access entry"},
		{"nobody get pods web", false, "", "", `IAM has no user and no role "nobody"`},
		{"root delete pods web", true, "no rule allows it", "EKS Access Policy: allowed by ClusterRoleBinding", ""},
		{"federated-user/bob get pods web", false, "", "",
			"federated users have no access entries, and in the authentication mode API nothing else lets anybody in"},
		{"system:serviceaccount:web:shop delete pods web", true, `allowed by RoleBinding "shop/web"`, "", ""},
		{"user:system:serviceaccount:web:shop delete pods web", true, `allowed by RoleBinding "shop/web"`, "", ""},
		{"system:serviceaccount:web:gone get pods web", false, "", "", `the namespace "web" has no service account "gone"`},
		{"user:jane get pods web", false, "no rule allows it", "", ""},
		{"user:jane get pods web readers writers", true, `allowed by ClusterRoleBinding "read"`, "", ""},
		{"user:system:anonymous get pods web", false, "no rule allows it", "", ""},
	} {
		words := strings.Fields(c.question)
		got, err := a.Explain(t.Context(),
			api.AccessQuestion{Principal: words[0], Verb: words[1], Resource: words[2], Namespace: words[3], Groups: words[4:]})
		if err != nil {
			t.Errorf("%s: %v", c.question, err)
			continue
		}
		rbac, policy := "", ""
		if got.RBAC != nil {
			rbac = got.RBAC.Reason
		}
		if len(got.Policies) > 0 {
			policy = got.Policies[0].Reason
		}
		if got.Allowed != c.allowed || rbac != c.rbac || !strings.HasPrefix(policy, c.policy) || got.Refusal != c.refusal {
			t.Errorf("%s: got %+v, RBAC %q, policy %q", c.question, got, rbac, policy)
		}
	}
}

func TestQuestionsThatHaveNoAnswerAreRefused(t *testing.T) {
	a := newCluster(t)
	for text, c := range map[string]struct {
		groups []string
		want   string
	}{
		"user:":                          {nil, "write user:NAME"},
		"admin":                          {[]string{"readers"}, "groups are said of user:NAME alone"},
		"system:serviceaccount:web:shop": {[]string{"readers"}, "groups are said of user:NAME alone"},
		"system:serviceaccount:web":      {nil, "write system:serviceaccount:NAMESPACE:NAME"},
		"system:serviceaccount:a:b:c":    {nil, "write system:serviceaccount:NAMESPACE:NAME"},
	} {
		got, err := a.Explain(t.Context(),
			api.AccessQuestion{Principal: text, Groups: c.groups, Verb: "get", Resource: "pods"})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %+v, %v; want %s", text, got, err, c.want)
		}
	}
}

func TestTypesHaveTheNamesThatKubectlTakes(t *testing.T) {
	cluster := newCluster(t).Server
	for text, want := range map[string]api.Action{
		"po":                       {Resource: "pods", Namespace: "web"},
		"Pod/shop":                 {Resource: "pods", Name: "shop", Namespace: "web"},
		"pods.metrics.example.com": {Group: "metrics.example.com", Resource: "pods", Namespace: "web"},
		"deploy":                   {Group: "apps", Resource: "deployments", Namespace: "web"},
		"deployments.apps/x":       {Group: "apps", Resource: "deployments", Name: "x", Namespace: "web"},
		"node":                     {Resource: "nodes"},
		"ns/team":                  {Resource: "namespaces", Name: "team", Namespace: "team"},
		"*":                        {Resource: "*", Namespace: "web"},
		"/metrics":                 {Path: "/metrics"},
	} {
		want.Verb = "get"
		got, err := cluster.action(t.Context(), api.AccessQuestion{Verb: "get", Resource: text, Namespace: "web"})
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", text, err, diff)
		}
	}
	if _, err := cluster.action(t.Context(), api.AccessQuestion{Resource: "pods.apps"}); err == nil ||
		!strings.Contains(err.Error(), `no resources of type "pods.apps"`) {
		t.Errorf("a type that is not there: %v", err)
	}
}
