package nodes

import (
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// withCertificate gives a pod a volume with a key and a certificate.
func withCertificate(p *corev1.Pod) {
	p.Spec.ServiceAccountName = "shop"
	p.Spec.Volumes = []corev1.Volume{{Name: "tls", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		Sources: []corev1.VolumeProjection{{PodCertificate: &corev1.PodCertificateProjection{SignerName: "example.com/signer",
			KeyType: "ECDSAP256", CredentialBundlePath: "bundle.pem", UserAnnotations: map[string]string{"example.com/x": "y"}}}}}}}}
}

// The pod waits until somebody has signed what its kubelet has asked for, and has it then.
func TestKubeletHasCertificatesMadeForItsPods(t *testing.T) {
	pod := newPod("web", firstNode(), withCertificate)
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "shop", UID: "uid-shop"}}
	client := fake.NewClientset(pod, account)
	client.PrependReactor("create", "podcertificaterequests", func(action clienttesting.Action) (bool, runtime.Object, error) {
		made := action.(clienttesting.CreateAction).GetObject().(*certificatesv1.PodCertificateRequest)
		made.Name, made.CreationTimestamp = "req-1", metav1.Now() // as an API server does
		return false, nil, nil
	})
	s := startFake(t, testConfig(1), client)
	var request *certificatesv1.PodCertificateRequest
	eventually(t, "a request", func() (string, bool) {
		list, err := client.CertificatesV1().PodCertificateRequests("default").List(t.Context(), metav1.ListOptions{})
		if err != nil || len(list.Items) == 0 {
			return "none", false
		}
		request = &list.Items[0]
		return "", true
	})
	spec := request.Spec
	if spec.PodUID != pod.UID || spec.ServiceAccountUID != "uid-shop" || string(spec.NodeName) != firstNode() ||
		spec.SignerName != "example.com/signer" || spec.UnverifiedUserAnnotations["example.com/x"] != "y" {
		t.Errorf("asked for %+v", spec)
	}
	if _, err := x509.ParseCertificateRequest(spec.StubPKCS10Request); err != nil {
		t.Error(err)
	}
	eventually(t, "an event", func() (string, bool) {
		list, err := client.CoreV1().Events("default").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list.Items {
			if e.Reason == "FailedMount" && strings.HasSuffix(e.Message, "credential bundle is not issued yet") {
				return "", true
			}
		}
		return "none", false
	})
	if phase := getPod(t, client, "web").Status.Phase; phase != corev1.PodPending {
		t.Errorf("the pod is %s without its certificate", phase)
	}
	chain := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("signed")}))
	now := time.Now()
	request.Status = certificatesv1.PodCertificateRequestStatus{CertificateChain: chain,
		NotBefore: new(metav1.NewTime(now)), BeginRefreshAt: new(metav1.NewTime(now.Add(time.Hour))),
		NotAfter:   new(metav1.NewTime(now.Add(2 * time.Hour))),
		Conditions: []metav1.Condition{{Type: certificatesv1.PodCertificateRequestConditionTypeIssued, Status: metav1.ConditionTrue}}}
	eventually(t, "the pod runs", func() (string, bool) { // the fake tells nothing of what was before a watch
		requests := client.CertificatesV1().PodCertificateRequests("default")
		if _, err := requests.UpdateStatus(t.Context(), request, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		phase := getPod(t, client, "web").Status.Phase
		return string(phase), phase == corev1.PodRunning
	})
	key, certificates, err := podSource{pod: pod, issued: &s.current().certificates}.Credentials(t.Context(), "tls", 0)
	if block, _ := pem.Decode([]byte(key)); err != nil || certificates != chain || block == nil || block.Type != "PRIVATE KEY" {
		t.Errorf("got %q, %q, %v", key, certificates, err)
	}
}
