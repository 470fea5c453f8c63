package nodes

import (
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func TestPodsSourceIsItsKubelet(t *testing.T) {
	client := fake.NewClientset(
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "settings"}, Data: map[string]string{"k": "v"},
			BinaryData: map[string][]byte{"b": {0, 1}}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "key"}, Data: map[string][]byte{"k": []byte("s")}})
	var asked *authenticationv1.TokenRequest
	client.PrependReactor("create", "serviceaccounts", func(action clienttesting.Action) (bool, runtime.Object, error) {
		asked = action.(clienttesting.CreateAction).GetObject().(*authenticationv1.TokenRequest)
		answer := asked.DeepCopy()
		answer.Status.Token = "token"
		return true, answer, nil
	})
	pod := newPod("web", firstNode(), func(p *corev1.Pod) { p.Spec.ServiceAccountName = "shop" })
	source := podSource{client: client, pod: pod}
	if o, err := source.ConfigMap(t.Context(), "settings"); err != nil || !o.Found || o.Text["k"] != "v" || o.Text["b"] != "" ||
		o.Files["b"] != "\x00\x01" {
		t.Errorf("ConfigMap: %+v, %v", o, err)
	}
	if o, err := source.Secret(t.Context(), "key"); err != nil || o.Files["k"] != "s" {
		t.Errorf("Secret: %+v, %v", o, err)
	}
	if o, err := source.Secret(t.Context(), "none"); err != nil || o.Found || o.Missing(nil).Error() != "there is no Secret default/none" {
		t.Errorf("a Secret that is not there: %+v, %v", o, err)
	}
	token, err := source.Token(t.Context(), corev1.ServiceAccountTokenProjection{Audience: "vault", ExpirationSeconds: new(int64(600))})
	if err != nil || token != "token" || asked.Spec.BoundObjectRef.UID != pod.UID || asked.Spec.Audiences[0] != "vault" ||
		*asked.Spec.ExpirationSeconds != 600 {
		t.Errorf("token %q, %v, asked for %+v", token, err, asked)
	}
}
