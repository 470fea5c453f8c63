package podidentity

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

const roleARN = "arn:aws:iam::111122223333:role/shop"

// newWebhook knows the service accounts irsa, pods (with an association), both and plain of the namespace web; the API
// server knows late.
func newWebhook(t *testing.T) *Webhook {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/api/v1/namespaces/web/serviceaccounts/late":
			json.NewEncoder(w).Encode(corev1.ServiceAccount{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
				ObjectMeta: metav1.ObjectMeta{Name: "late", Annotations: map[string]string{"eks.amazonaws.com/role-arn": roleARN}}})
		case "/api/v1/namespaces/web/serviceaccounts/none":
			w.WriteHeader(http.StatusNotFound)
			json.NewEncoder(w).Encode(metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
				Reason: metav1.StatusReasonNotFound, Code: 404})
		default:
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(server.Close)
	w, err := New(Config{Region: "us-east-1", Server: server.URL, Logger: slog.New(slog.DiscardHandler),
		Associated: func(namespace, name string) bool { return namespace == "web" && (name == "pods" || name == "both") }})
	if err != nil {
		t.Fatal(err)
	}
	irsa := map[string]string{"eks.amazonaws.com/role-arn": roleARN}
	var list []any
	for name, annotations := range map[string]map[string]string{
		"plain": nil, "pods": nil, "irsa": irsa, "both": irsa,
		"tuned": {"eks.amazonaws.com/role-arn": roleARN, "eks.amazonaws.com/audience": "vault",
			"eks.amazonaws.com/sts-regional-endpoints": "false",
			"eks.amazonaws.com/token-expiration":       "60"},
	} {
		list = append(list, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "web", Name: name,
			Annotations: annotations}})
	}
	if err := (&feed{w.accounts, func() {}}).Replace(list, ""); err != nil {
		t.Fatal(err)
	}
	return w
}

// review asks the webhook about a pod and returns what it patches.
func review(t *testing.T, w *Webhook, pod corev1.Pod) map[string]json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(admissionv1.AdmissionReview{TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1",
		Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{UID: "u-1", Namespace: "web", Object: runtime.RawExtension{Raw: raw}}})
	if err != nil {
		t.Fatal(err)
	}
	recorder := httptest.NewRecorder()
	w.ServeHTTP(recorder, httptest.NewRequest("POST", "/mutate", bytes.NewReader(body)))
	var answer admissionv1.AdmissionReview
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	if answer.Kind != "AdmissionReview" || answer.APIVersion != "admission.k8s.io/v1" || answer.Response.UID != "u-1" ||
		!answer.Response.Allowed {
		t.Errorf("got %s", recorder.Body)
	}
	if len(answer.Response.Patch) == 0 {
		return nil
	}
	var operations []struct {
		Op, Path string
		Value    json.RawMessage
	}
	if err := json.Unmarshal(answer.Response.Patch, &operations); err != nil {
		t.Fatal(err)
	}
	patched := map[string]json.RawMessage{}
	for _, o := range operations {
		patched[o.Path] = o.Value
	}
	return patched
}

func podOf(account string, change func(*corev1.Pod)) corev1.Pod {
	pod := corev1.Pod{Spec: corev1.PodSpec{ServiceAccountName: account, Containers: []corev1.Container{{Name: "app"}}}}
	if change != nil {
		change(&pod)
	}
	return pod
}

// container is the first in a patch, as VARIABLE=VALUE lines and VOLUME:PATH mounts.
func container(t *testing.T, patch map[string]json.RawMessage, path string, i int) (lines []string) {
	t.Helper()
	var containers []corev1.Container
	if err := json.Unmarshal(patch[path], &containers); err != nil {
		t.Fatalf("%s: %v in %s", path, err, patch)
	}
	for _, e := range containers[i].Env {
		lines = append(lines, e.Name+"="+e.Value)
	}
	for _, m := range containers[i].VolumeMounts {
		lines = append(lines, m.Name+":"+m.MountPath)
	}
	return lines
}

// volume is the token's, as AUDIENCE SECONDS PATH.
func volume(t *testing.T, raw json.RawMessage) corev1.ServiceAccountTokenProjection {
	t.Helper()
	var volumes []corev1.Volume
	if err := json.Unmarshal(raw, &volumes); err != nil {
		volumes = make([]corev1.Volume, 1)
		if err := json.Unmarshal(raw, &volumes[0]); err != nil {
			t.Fatalf("%v: %s", err, raw)
		}
	}
	return *volumes[0].Projected.Sources[0].ServiceAccountToken
}

func TestAnnotatedServiceAccountsPodsGetIRSA(t *testing.T) {
	w := newWebhook(t)
	for _, name := range []string{"irsa", "late"} {
		patch := review(t, w, podOf(name, nil))
		want := []string{"AWS_STS_REGIONAL_ENDPOINTS=regional", "AWS_DEFAULT_REGION=us-east-1", "AWS_REGION=us-east-1",
			"AWS_ROLE_ARN=" + roleARN,
			"AWS_WEB_IDENTITY_TOKEN_FILE=/var/run/secrets/eks.amazonaws.com/serviceaccount/token",
			"aws-iam-token:/var/run/secrets/eks.amazonaws.com/serviceaccount"}
		if diff := cmp.Diff(want, container(t, patch, "/spec/containers", 0)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		day := int64(86400)
		if diff := cmp.Diff(corev1.ServiceAccountTokenProjection{Audience: "sts.amazonaws.com", ExpirationSeconds: &day,
			Path: "token"}, volume(t, patch["/spec/volumes"])); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAssociatedServiceAccountsPodsGetPodIdentity(t *testing.T) {
	w := newWebhook(t)
	for _, name := range []string{"pods", "both"} { // an association counts before an annotation
		patch := review(t, w, podOf(name, func(p *corev1.Pod) {
			p.Labels = map[string]string{"app": "shop"}
			p.Spec.Volumes = []corev1.Volume{{Name: "data"}}
			p.Spec.InitContainers = []corev1.Container{{Name: "init"}}
		}))
		want := []string{"AWS_STS_REGIONAL_ENDPOINTS=regional", "AWS_DEFAULT_REGION=us-east-1", "AWS_REGION=us-east-1",
			"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.23/v1/credentials",
			"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token",
			"eks-pod-identity-token:/var/run/secrets/pods.eks.amazonaws.com/serviceaccount"}
		for _, path := range []string{"/spec/containers", "/spec/initContainers"} {
			if diff := cmp.Diff(want, container(t, patch, path, 0)); diff != "" {
				t.Errorf("%s %s (-want +got):\n%s", name, path, diff)
			}
		}
		if got := volume(t, patch["/spec/volumes/0"]); got.Audience != "pods.eks.amazonaws.com" ||
			got.Path != "eks-pod-identity-token" {
			t.Errorf("%s: volume %+v", name, got)
		}
		if got := string(patch["/metadata/labels/eks.amazonaws.com~1pod-identity"]); got != `"enabled"` {
			t.Errorf("%s: label %s", name, got)
		}
	}
}

func TestPodsWithoutIdentityStayAsTheyAre(t *testing.T) {
	w := newWebhook(t)
	for _, name := range []string{"plain", "none", "broken"} {
		if patch := review(t, w, podOf(name, nil)); patch != nil {
			t.Errorf("%s: got %s", name, patch)
		}
	}
}

func TestAnnotationsTuneThePatch(t *testing.T) {
	w := newWebhook(t)
	patch := review(t, w, podOf("tuned", func(p *corev1.Pod) {
		p.Annotations = map[string]string{"eks.amazonaws.com/skip-containers": "sidecar,other"}
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "sidecar"})
	}))
	if got := container(t, patch, "/spec/containers", 0); got[0] != "AWS_DEFAULT_REGION=us-east-1" {
		t.Errorf("with sts-regional-endpoints=false: got %v", got)
	}
	if got := container(t, patch, "/spec/containers", 1); got != nil {
		t.Errorf("a container that is to be skipped got %v", got)
	}
	if got := volume(t, patch["/spec/volumes"]); got.Audience != "vault" || *got.ExpirationSeconds != 3600 {
		t.Errorf("volume %+v with %d s, want audience vault and the shortest life", got, *got.ExpirationSeconds)
	}
	patch = review(t, w, podOf("tuned",
		func(p *corev1.Pod) { p.Annotations = map[string]string{"eks.amazonaws.com/token-expiration": "7200"} }))
	if got := volume(t, patch["/spec/volumes"]); *got.ExpirationSeconds != 7200 {
		t.Errorf("the pod's own annotation: got %d s", *got.ExpirationSeconds)
	}
}

func TestWhatTheAuthorSetStays(t *testing.T) {
	w := newWebhook(t)
	patch := review(t, w, podOf("irsa", func(p *corev1.Pod) {
		p.Spec.Volumes = []corev1.Volume{{Name: "aws-iam-token"}}
		p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "AWS_REGION", Value: "eu-west-1"},
			{Name: "AWS_ROLE_ARN", Value: "own"}}
		p.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "aws-iam-token", MountPath: "/own"}}
	}))
	want := []string{"AWS_REGION=eu-west-1", "AWS_ROLE_ARN=own", "AWS_STS_REGIONAL_ENDPOINTS=regional",
		"aws-iam-token:/own"}
	if diff := cmp.Diff(want, container(t, patch, "/spec/containers", 0)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if patch["/spec/volumes/0"] != nil || patch["/spec/volumes"] != nil {
		t.Error("the volume is there twice")
	}
}

func TestWindowsPodsGetWindowsPaths(t *testing.T) {
	patch := review(t, newWebhook(t),
		podOf("irsa", func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"kubernetes.io/os": "windows"} }))
	got := container(t, patch, "/spec/containers", 0)
	if want := `AWS_WEB_IDENTITY_TOKEN_FILE=C:\var\run\secrets\eks.amazonaws.com\serviceaccount\token`; got[4] != want {
		t.Errorf("got %s, want %s", got[4], want)
	}
}

func TestConfigurationFailsOpen(t *testing.T) {
	w := newWebhook(t)
	c := w.hook().Object().Webhooks[0]
	if *c.FailurePolicy != "Ignore" || c.Name != "iam-for-pods.amazonaws.com" || *c.TimeoutSeconds > 10 {
		t.Errorf("got %+v", c)
	}
}
