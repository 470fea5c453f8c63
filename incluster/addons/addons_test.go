package addons

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"tripod/internal/addonversions"
)

var options = Options{
	ClusterName: "demo", ClusterID: "4F1E", Region: "eu-west-1", AccountID: "000000000000", Version: "1.36",
	ServiceCIDR: netip.MustParsePrefix("172.20.0.0/16"), Endpoint: "https://127.0.0.1:6443",
}

func render(t *testing.T, o Options) map[string]*unstructured.Unstructured {
	t.Helper()
	objects, err := Render(o)
	if err != nil {
		t.Fatal(err)
	}
	byPath := map[string]*unstructured.Unstructured{}
	for _, object := range objects {
		path, err := pathOf(object)
		if err != nil {
			t.Fatal(err)
		}
		if byPath[path] != nil {
			t.Errorf("%s is there twice", path)
		}
		byPath[path] = object
	}
	return byPath
}

func TestManifestsHaveOnlyFieldsThatKubernetesKnows(t *testing.T) {
	for path, object := range render(t, options) {
		if object.GetKind() == "CustomResourceDefinition" {
			continue // client-go's scheme does not have it
		}
		data, err := object.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		typed, err := scheme.Scheme.New(object.GroupVersionKind())
		if err != nil {
			t.Fatal(err)
		}
		decoder := json.NewDecoder(strings.NewReader(string(data)))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(typed); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestRenderFillsIn(t *testing.T) {
	objects := render(t, options)
	tests := []struct{ path, part string }{
		{"/api/v1/namespaces/kube-system/services/kube-dns", `"clusterIP":"172.20.0.10"`},
		{"/apis/apps/v1/namespaces/kube-system/deployments/coredns",
			`"602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/coredns:v1.`},
		{"/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy", `/eks/kube-proxy:v1.36.1-eksbuild.`},
		{"/apis/apps/v1/namespaces/kube-system/daemonsets/aws-node", `{"name":"CLUSTER_NAME","value":"demo"}`},
		{"/api/v1/namespaces/kube-system/configmaps/kube-proxy", `server: https://127.0.0.1:6443`},
		{"/apis/storage.k8s.io/v1/storageclasses/gp2", `"volumeBindingMode":"WaitForFirstConsumer"`},
		{"/apis/rbac.authorization.k8s.io/v1/clusterroles/eks:node-bootstrapper",
			`"certificatesigningrequests/selfnodeserver"`},
	}
	for _, test := range tests {
		object := objects[test.path]
		if object == nil {
			t.Errorf("%s is missing", test.path)
			continue
		}
		data, err := object.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(data), test.part) {
			t.Errorf("%s: no %s in %s", test.path, test.part, data)
		}
	}
}

func TestClustersRunTheDefaultVersionsThatEKSOffers(t *testing.T) {
	for minor := 34; minor <= 37; minor++ {
		o := options
		o.Version = fmt.Sprintf("1.%d", minor)
		objects := render(t, o)
		for addon, image := range map[string]struct{ path, name string }{
			"coredns":    {"deployments/coredns", "eks/coredns"},
			"kube-proxy": {"daemonsets/kube-proxy", "eks/kube-proxy"},
			"vpc-cni":    {"daemonsets/aws-node", "amazon-k8s-cni"},
		} {
			data, err := objects["/apis/apps/v1/namespaces/kube-system/"+image.path].MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			if want := "/" + image.name + ":" + addonversions.Default(addon, minor) + `"`; !strings.Contains(string(data),
				want) {
				t.Errorf("%s of %s: no %s in %s", addon, o.Version, want, data)
			}
		}
	}
}

func TestEveryBindingHasItsRole(t *testing.T) {
	builtin := map[string]bool{"cluster-admin": true, "system:node-proxier": true,
		"system:controller:certificate-controller":  true,
		"extension-apiserver-authentication-reader": true}
	objects := render(t, options)
	for path, object := range objects {
		kind, _, _ := unstructured.NestedString(object.Object, "roleRef", "kind")
		name, _, _ := unstructured.NestedString(object.Object, "roleRef", "name")
		role := map[string]string{
			"ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles/" + name,
			"Role":        "/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/roles/" + name,
		}[kind]
		if kind != "" && objects[role] == nil && !builtin[name] {
			t.Errorf("%s: no %s %s", path, kind, name)
		}
	}
}

func TestAWSAuthOnlyWithNodeRole(t *testing.T) {
	const path = "/api/v1/namespaces/kube-system/configmaps/aws-auth"
	if render(t, options)[path] != nil {
		t.Error("aws-auth without a node role")
	}
	o := options
	o.NodeRoleARN = "arn:aws:iam::000000000000:role/node"
	got, _, _ := unstructured.NestedString(render(t, o)[path].Object, "data", "mapRoles")
	want := "- groups:\n  - system:bootstrappers\n  - system:nodes\n  rolearn: arn:aws:iam::000000000000:role/node\n  " +
		"username: system:node:{{EC2PrivateDNSName}}\n"
	if strings.TrimSpace(got) != strings.TrimSpace(want) {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestBareClusterHasNoWorkloads(t *testing.T) {
	bare := options
	bare.Bare = true
	all, left := render(t, options), render(t, bare)
	for path, object := range all {
		workload := object.GetKind() == "Deployment" || object.GetKind() == "DaemonSet"
		if workload && left[path] != nil || strings.HasSuffix(path, "/storageclasses/gp2") && left[path] == nil {
			t.Errorf("%s: in a bare cluster %v", path, left[path] != nil)
		}
	}
	if len(left) == 0 || len(left) >= len(all) {
		t.Errorf("a bare cluster has %d of %d objects", len(left), len(all))
	}
}

func TestRenderRefusesIncompleteOptions(t *testing.T) {
	if _, err := Render(Options{}); err == nil {
		t.Error("no error")
	}
}

// server answers applies: with what answer says for the n-th of a path, or 200.
type server struct {
	mu     sync.Mutex
	count  map[string]int
	bad    []string
	answer func(path string, n int) (code int, status string)
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method != http.MethodPatch || r.Header.Get("Content-Type") != "application/apply-patch+yaml" ||
		r.URL.Query().Get("fieldManager") != "eks" || r.URL.Query().Get("force") == "true" {
		s.bad = append(s.bad, fmt.Sprint(r.Method, r.URL, r.Header))
	}
	s.count[r.URL.Path]++
	w.Header().Set("Content-Type", "application/json")
	if s.answer != nil {
		if code, status := s.answer(r.URL.Path, s.count[r.URL.Path]); code != 0 {
			w.WriteHeader(code)
			fmt.Fprint(w, status)
			return
		}
	}
	w.Write(body)
}

func apply(t *testing.T, answer func(string, int) (int, string)) (*server, error) {
	t.Helper()
	s := &server{count: map[string]int{}, answer: answer}
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	err := Apply(t.Context(), &rest.Config{Host: web.URL}, options)
	if len(s.bad) > 0 {
		t.Errorf("not an unforced apply by eks: %s", s.bad[0])
	}
	return s, err
}

const (
	dnsPath     = "/api/v1/namespaces/kube-system/services/kube-dns"
	corednsPath = "/apis/apps/v1/namespaces/kube-system/deployments/coredns"
)

func TestApplyWritesEachObjectOnce(t *testing.T) {
	s, err := apply(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	for path := range render(t, options) {
		if s.count[path] != 1 {
			t.Errorf("%s: written %d times", path, s.count[path])
		}
	}
}

func TestApplyTriesAgainWhatPasses(t *testing.T) {
	s, err := apply(t, func(path string, n int) (int, string) {
		switch {
		case path == corednsPath && n == 1:
			return 404, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"namespaces \"kube-system\" not ` +
				`found","reason":"NotFound","code":404}`
		case path == dnsPath && n == 1:
			return 422, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"provided IP is already allocated",` +
				`"reason":"Invalid","code":422}`
		case path == dnsPath && n == 2:
			return 503, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"starting","code":503}`
		}
		return 0, ""
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.count[corednsPath] != 2 || s.count[dnsPath] != 3 {
		t.Errorf("coredns %d times, kube-dns %d times", s.count[corednsPath], s.count[dnsPath])
	}
}

func TestApplyLeavesWhatUsersChanged(t *testing.T) {
	s, err := apply(t, func(path string, _ int) (int, string) {
		if path != corednsPath {
			return 0, ""
		}
		return 409, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"conflict with \"kubectl-edit\"","reason":"Conflict","code":409,
			"details":{"causes":[{"reason":"FieldManagerConflict","message":"conflict with \"kubectl-edit\"","field":".spec.replicas"}]}}`
	})
	if err != nil || s.count[corednsPath] != 1 {
		t.Errorf("error %v, tried %d times", err, s.count[corednsPath])
	}
}

func TestApplyNamesWhatCannotBeWritten(t *testing.T) {
	_, err := apply(t, func(path string, _ int) (int, string) {
		if path != corednsPath {
			return 0, ""
		}
		return 400, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"bad","reason":"BadRequest","code":400}`
	})
	if err == nil || !strings.Contains(err.Error(), "apply Deployment coredns: ") {
		t.Errorf("got %v", err)
	}
}
