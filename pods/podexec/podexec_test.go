package podexec

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"tripod/pods/podidentity"
)

// newPod is the pod web/shop of an API server that makes tokens which say whom they are for.
func newPod(t *testing.T, change func(*corev1.Pod)) *pod {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.Method + " " + r.URL.Path {
		case "GET /api/v1/namespaces/web/configmaps/kube-root-ca.crt":
			json.NewEncoder(w).Encode(corev1.ConfigMap{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
				Data: map[string]string{"ca.crt": "authority"}})
		case "GET /api/v1/namespaces/web/configmaps/levels":
			json.NewEncoder(w).Encode(corev1.ConfigMap{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
				Data:       map[string]string{"LEVEL": "debug", "log.format": "$(LEVEL)", "nul": "a\x00b"},
				BinaryData: map[string][]byte{"logo": {0, 1}}})
		case "GET /api/v1/namespaces/web/secrets/keys":
			json.NewEncoder(w).Encode(corev1.Secret{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
				Data: map[string][]byte{"LEVEL": []byte("secret"), "key": []byte("k1")}})
		case "GET /api/v1/nodes/node-1":
			json.NewEncoder(w).Encode(corev1.Node{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"},
				Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{
					corev1.ResourceCPU: resource.MustParse("1930m"), corev1.ResourceMemory: resource.MustParse("3Gi")}}})
		case "POST /api/v1/namespaces/web/serviceaccounts/shop/token":
			var request authenticationv1.TokenRequest
			if err := json.NewDecoder(r.Body).Decode(&request); err != nil || request.Spec.BoundObjectRef.UID != "uid-1" {
				t.Errorf("token request %+v: %v", request.Spec, err)
			}
			request.Status = authenticationv1.TokenRequestStatus{Token: "for " + strings.Join(request.Spec.Audiences, ","),
				ExpirationTimestamp: metav1.NewTime(time.Now().Add(time.Hour))}
			json.NewEncoder(w).Encode(request)
		default:
			w.WriteHeader(http.StatusNotFound)
			json.NewEncoder(w).Encode(metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
				Status: metav1.StatusFailure, Reason: metav1.StatusReasonNotFound, Code: 404})
		}
	}))
	t.Cleanup(server.Close)
	client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL,
		ContentConfig: rest.ContentConfig{ContentType: "application/json"}})
	if err != nil {
		t.Fatal(err)
	}
	hour := int64(3607)
	object := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "web", Name: "shop", UID: "uid-1"},
		Spec: corev1.PodSpec{
			ServiceAccountName: "shop",
			Volumes: []corev1.Volume{{Name: "kube-api-access",
				VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
					{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{ExpirationSeconds: &hour, Path: "token"}},
					{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{
						Name: "kube-root-ca.crt"}, Items: []corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}}}},
					{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{{Path: "namespace",
						FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.namespace"}}}}},
				}}}}},
			Containers: []corev1.Container{{Name: "app",
				VolumeMounts: []corev1.VolumeMount{{Name: "kube-api-access", MountPath: accountDir}}}},
		}}
	if change != nil {
		change(object)
	}
	return &pod{client: client, server: "https://127.0.0.1:6443", cluster: "demo", object: object,
		container: &object.Spec.Containers[0], dir: t.TempDir()}
}

func TestPodsFilesAreWhatAKubeletMounts(t *testing.T) {
	day := int64(86400)
	p := newPod(t, func(o *corev1.Pod) {
		o.Spec.Volumes = append(o.Spec.Volumes,
			corev1.Volume{Name: "aws-iam-token", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
				Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
					Audience: "sts.amazonaws.com", ExpirationSeconds: &day, Path: "token"}}}}}})
		o.Spec.Containers[0].VolumeMounts = append(o.Spec.Containers[0].VolumeMounts,
			corev1.VolumeMount{Name: "aws-iam-token", MountPath: "/var/run/secrets/eks.amazonaws.com/serviceaccount"})
	})
	if err := p.writeFiles(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.writeKubeconfig(); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"secrets/kubernetes.io/serviceaccount/token": "for ", "secrets/kubernetes.io/serviceaccount/ca.crt": "authority",
		"secrets/kubernetes.io/serviceaccount/namespace": "web",
		"secrets/eks.amazonaws.com/serviceaccount/token": "for sts.amazonaws.com",
	} {
		got, err := os.ReadFile(filepath.Join(p.dir, file))
		if err != nil || string(got) != want {
			t.Errorf("%s: got %q (%v), want %q", file, got, err, want)
		}
	}
	if text, err := os.ReadFile(p.kubeconfigFile()); err != nil ||
		!strings.Contains(string(text), p.local(accountDir+"/token")) {
		t.Errorf("the kubeconfig leads to no token: %s (%v)", text, err)
	}
}

func TestEnvironmentIsThePodsAndNotTheUsers(t *testing.T) {
	p := newPod(t, func(o *corev1.Pod) {
		o.Spec.Containers[0].Env = []corev1.EnvVar{
			{Name: "LEVEL", Value: "debug"},
			{Name: "POD", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}},
			{Name: podidentity.CredentialsURIEnv, Value: podidentity.CredentialsURI},
			{Name: podidentity.TokenFileEnv,
				Value: "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token"},
		}
	})
	p.options.Environ = []string{"PATH=/bin", "AWS_ACCESS_KEY_ID=AKIA", "AWS_PROFILE=work",
		"KUBECONFIG=/home/u/.kube/config", "LEVEL=info"}
	got, err := p.environ(t.Context(), "http://127.0.0.1:1/v1/credentials")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"PATH=/bin", "LEVEL=debug", "POD=shop", "KUBERNETES_SERVICE_HOST=127.0.0.1",
		"KUBERNETES_SERVICE_PORT=6443",
		"KUBECONFIG=" + p.kubeconfigFile(), podidentity.CredentialsURIEnv + "=http://127.0.0.1:1/v1/credentials",
		podidentity.TokenFileEnv + "=/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token"} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s in %q", want, got)
		}
	}
	for _, entry := range got {
		if strings.HasPrefix(entry, "AWS_ACCESS_KEY_ID=") || strings.HasPrefix(entry, "AWS_PROFILE=") {
			t.Errorf("the user's own %s is left", entry)
		}
	}
	p.options.NoMounts = true
	if got, err = p.environ(t.Context(), ""); err != nil ||
		!slices.Contains(got, podidentity.TokenFileEnv+"="+p.dir+"/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token") {
		t.Errorf("without mounts: got %q (%v)", got, err)
	}
}

func TestAgentExchangesTokensForCredentials(t *testing.T) {
	auth := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Token string }
		json.NewDecoder(r.Body).Decode(&in)
		if r.URL.Path != "/clusters/demo/assume-role-for-pod-identity" ||
			!strings.Contains(r.Header.Get("Authorization"), "/us-east-1/eks-auth/aws4_request") {
			t.Errorf("got %s %s, signed %s", r.Method, r.URL, r.Header.Get("Authorization"))
		}
		if in.Token != "good" {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"message":"it is not good"}`)
			return
		}
		io.WriteString(w, `{"assumedRoleUser":{"arn":"arn:aws:sts::111122223333:assumed-role/shop/s"},
			"credentials":{"accessKeyId":"ASIA","secretAccessKey":"s","sessionToken":"t","expiration":1772600767}}`)
	}))
	t.Cleanup(auth.Close)
	a, err := startAgent(Options{Endpoint: auth.URL, Region: "us-east-1", AccessKeyID: "AKIA", SecretAccessKey: "x"},
		"demo")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.stop)
	for _, c := range []struct {
		token, host, want string
		status            int
	}{
		{"good", "", `{"AccessKeyId":"ASIA","AccountId":"111122223333","Expiration":"2026-03-04T05:06:07Z",` +
			`"SecretAccessKey":"s","Token":"t"}`, 200},
		{"bad", "", "it is not good", 400},
		{"", "", "Service account token cannot be empty", 400},
		{"good", "evil.example.com", "asked by its address", 421},
	} {
		request, err := http.NewRequest(http.MethodGet, a.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", c.token)
		request.Host = c.host
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != c.status || !strings.Contains(string(text), c.want) {
			t.Errorf("token %q: got %d %s (%v), want %d %s", c.token, response.StatusCode, text, err, c.status, c.want)
		}
	}
}

func TestExitCodeIsTheCommands(t *testing.T) {
	for _, c := range []struct {
		script string
		want   int
	}{{"exit 0", 0}, {"exit 7", 7}, {"kill -TERM $$", 143}} {
		got, err := run(Options{Command: []string{"/bin/sh", "-c", c.script}, NoMounts: true}, nil, "", nil)
		if err != nil || got != c.want {
			t.Errorf("%s: got %d (%v), want %d", c.script, got, err, c.want)
		}
	}
	if _, err := run(Options{Command: []string{"/no/such/command"}, NoMounts: true}, nil, "", nil); !errors.Is(err,
		os.ErrNotExist) {
		t.Errorf("got %v for a command that is not there", err)
	}
}
