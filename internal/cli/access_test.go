package cli

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tripod/api"
)

// answers lets the fake region answer questions about access, and keeps the last one.
func answers(region *supervisor, path string, answer any) (asked *map[string]any) {
	asked = &map[string]any{}
	region.set(func(s *supervisor) {
		s.answer = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != path {
				return false
			}
			json.NewDecoder(r.Body).Decode(asked) // what is not there fails the test's comparison
			json.NewEncoder(w).Encode(answer)
			return true
		}
	})
	return asked
}

func TestCanISaysWhoDecides(t *testing.T) {
	dataDir := newDataDir(t)
	region := newSupervisor(t, dataDir, testStatus())
	viewer := api.Identity{Cluster: "demo", ARN: "arn:aws:sts::000011112222:assumed-role/viewer/SESSION", ID: "AROAV",
		By: "the access entry of arn:aws:iam::000011112222:role/viewer", Username: "viewer"}
	audited := api.Decision{Allowed: true, Reason: "EKS Access Policy: allowed by ..."}
	no := &api.Access{Identity: viewer, RBAC: &api.Decision{Reason: "no rule allows it"}, Policies: []api.PolicyDecision{{
		AccessPolicy: api.AccessPolicy{ARN: "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy", Scope: "namespace",
			Namespaces: []string{"a", "b"}},
		Decision: api.Decision{Reason: "no rule of it allows this"}}}}
	asked := answers(region, "/v1/clusters/demo/can-i", no)
	got := tripod(t, dataDir, "can-i", "role/viewer", "delete", "pods/x", "-n", "a", "--subresource", "log")
	want := result{code: 1, stdout: `no
  principal     arn:aws:sts::000011112222:assumed-role/viewer/SESSION (AROAV)
  let in by     the access entry of arn:aws:iam::000011112222:role/viewer
  user          viewer
  groups        none
  RBAC          no rule allows it
  access policy AmazonEKSViewPolicy in namespaces a, b: no rule of it allows this
`}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(result{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	wantAsked := map[string]any{"principal": "role/viewer", "verb": "delete", "resource": "pods/x", "namespace": "a",
		"subresource": "log"}
	if diff := cmp.Diff(wantAsked, *asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}

	no.Allowed, no.Policies[0].Decision, no.Policies[0].Scope = true, audited, "cluster"
	answers(region, "/v1/clusters/demo/can-i", no)
	got = tripod(t, dataDir, "can-i", "role/viewer", "get", "pods")
	if got.code != 0 || !strings.HasPrefix(got.stdout, "yes\n") ||
		!strings.HasSuffix(got.stdout, "AmazonEKSViewPolicy in the whole cluster: allows it\n") {
		t.Errorf("got %+v", got)
	}
	asked = answers(region, "/v1/clusters/demo/can-i", no)
	got = tripod(t, dataDir, "can-i", "viewer", "get", "pods", "-A", "-o", "json", "--cluster", "demo")
	var access api.Access
	if err := json.Unmarshal([]byte(got.stdout), &access); err != nil || got.code != 0 || !access.Allowed ||
		(*asked)["namespace"] != nil {
		t.Errorf("got %+v, asked %v", got, *asked)
	}
	asked = answers(region, "/v1/clusters/demo/can-i", &api.Access{Identity: api.Identity{Username: "jane", By: "x"},
		RBAC: &api.Decision{Reason: "none"}})
	got = tripod(t, dataDir, "can-i", "user:jane", "get", "pods", "--as-group", "a", "--as-group", "b,c")
	if want := "no\n  let in by     x\n  user          jane\n  groups        none\n" +
		"  RBAC          none\n"; got.stdout != want || got.code != 1 {
		t.Errorf("whom IAM does not know: got %+v, want %q", got, want)
	}
	if diff := cmp.Diff([]any{"a", "b,c"}, (*asked)["groups"]); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	region.set(func(s *supervisor) {
		s.answer = func(w http.ResponseWriter, r *http.Request) bool {
			refuse(w, 409, "the cluster has no resources")
			return true
		}
	})
	got = tripod(t, dataDir, "can-i", "viewer", "get", "podz")
	if got.code != 2 || got.stdout != "" || got.stderr != "tripod: the cluster has no resources\n" {
		t.Errorf("what cannot be decided is no no: got %+v", got)
	}
}

func TestWhoAmIShowsTheTokensChecks(t *testing.T) {
	dataDir := newDataDir(t)
	makeRegion(t, dataDir)
	region := newSupervisor(t, dataDir, testStatus())
	programs := Programs{Token: func(context.Context, TokenRequest) ([]byte, error) {
		return []byte(`{"status":{"token":"k8s-aws-v1.x"}}`), nil
	}}
	environ := []string{"HOME=" + t.TempDir(), "TRIPOD_DATA_DIR=" + dataDir}
	for _, c := range []struct {
		identity api.Identity
		want     result
	}{
		{api.Identity{ARN: "arn:aws:iam::000011112222:user/admin", ID: "AIDAA", Checks: []string{"one", "two"},
			By: "the cluster's creator", Username: "admin", Groups: []string{"a", "b"},
			Associated: []api.AccessPolicy{{ARN: "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
				Scope: "cluster"}}},
			result{stdout: "  token         one\n  token         two\n" +
				"  principal     arn:aws:iam::000011112222:user/admin (AIDAA)\n" +
				"  let in by     the cluster's creator\n  user          admin\n  groups        a, b\n" +
				"  access policy AmazonEKSClusterAdminPolicy in the whole cluster\n"}},
		{api.Identity{Checks: []string{"one"}, Refusal: "token was signed 1h ago"},
			result{code: 1, stdout: "  token         one\n  refused       token was signed 1h ago\n"}},
	} {
		asked := answers(region, "/v1/clusters/demo/whoami", c.identity)
		got := tripodWith(t, programs, environ, "whoami")
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(result{})); diff != "" || (*asked)["token"] != "k8s-aws-v1.x" {
			t.Errorf("asked %v (-want +got):\n%s", *asked, diff)
		}
	}
	region.set(func(s *supervisor) { s.status.Clusters = append(s.status.Clusters, api.Cluster{Name: "second"}) })
	if got := tripodWith(t, programs, environ, "whoami"); got.code != 2 ||
		!strings.Contains(got.stderr, "name the cluster with --cluster: demo, second") {
		t.Errorf("two clusters: got %+v", got)
	}
}
