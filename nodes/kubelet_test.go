package nodes

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"
)

// authority signs the test's certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key}
}

func (a authority) issue(t *testing.T) (certPEM, keyPEM []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "kube-apiserver-kubelet-client", Organization: []string{"system:masters"}},
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

func (a authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// serveKubelet starts the kubelets of a zone with objects, and returns their URL and who may speak to them.
func serveKubelet(t *testing.T, pods ...*corev1.Pod) (*Simulator, string, *rest.Config) {
	t.Helper()
	return serveKubeletOf(t, fake.NewClientset(), pods...)
}

// serveKubeletOf is serveKubelet of an API server that has its answers already.
func serveKubeletOf(t *testing.T, client *fake.Clientset, pods ...*corev1.Pod) (*Simulator, string, *rest.Config) {
	t.Helper()
	ca := newAuthority(t)
	cert, key := ca.issue(t)
	serving, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, pod := range pods {
		if err := client.Tracker().Add(pod); err != nil {
			t.Fatal(err)
		}
	}
	conf := testConfig(1)
	conf.ServingCert, conf.ClientCAs = func([]netip.Addr) (tls.Certificate, error) { return serving, nil }, ca.pool()
	s := startFake(t, conf, client)
	for _, pod := range pods {
		waitPhase(t, client, pod.Name, corev1.PodRunning)
		eventually(t, "the kubelet knows that "+pod.Name+" runs", func() (string, bool) {
			known := s.current().pods.Pod(pod.Namespace, pod.Name)
			return "", known != nil && known.Status.Phase == corev1.PodRunning
		})
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.ServeKubelet(l) }()
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		select {
		case err := <-served:
			if err != nil {
				t.Errorf("ServeKubelet: %v", err)
			}
		case <-time.After(5 * time.Second):
			t.Error("ServeKubelet did not return after Stop")
		}
	})
	cert, key = ca.issue(t)
	return s, "https://" + l.Addr().String(), &rest.Config{
		Host: "https://" + l.Addr().String(),
		TLSClientConfig: rest.TLSClientConfig{
			CAData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw}), CertData: cert, KeyData: key,
		},
	}
}

// get asks the kubelet and returns status and body.
func get(t *testing.T, conf *rest.Config, url string) (int, string) {
	t.Helper()
	client, err := rest.HTTPClientFor(conf)
	if err != nil {
		t.Fatal(err)
	}
	client.Timeout = 5 * time.Second
	defer client.CloseIdleConnections()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestKubeletAnswers(t *testing.T) {
	_, server, conf := serveKubelet(t, newPod("web", firstNode(), annotated("", map[string]string{"tripod.internal/logs": "hello"}),
		pending))
	tests := []struct {
		path   string
		status int
		part   string
	}{
		{"/healthz", 200, "ok"},
		{"/containerLogs/default/web/c", 200, "hello\n"},
		{"/pods", 200, `"name":"web"`},
		{"/stats/summary", 200, `"nodeName":"` + firstNode() + `"`},
		{"/metrics/resource", 200, `container_memory_working_set_bytes{container="c",namespace="default",pod="web"}`},
		{"/configz", 200, `"maxPods":29`},
		{"/checkpoint/default/web/c", 404, "tripod: the kubelet of a simulated node has no /checkpoint/default/web/c"},
	}
	for _, test := range tests {
		status, body := get(t, conf, server+test.path)
		if status != test.status || !strings.Contains(body, test.part) {
			t.Errorf("%s: got %d %q, want %d with %q", test.path, status, body, test.status, test.part)
		}
	}
}

func TestKubeletAsksTheAPIServerWhoMayAsk(t *testing.T) {
	client := fake.NewClientset()
	client.PrependReactor("create", "tokenreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authenticationv1.TokenReview).DeepCopy()
		review.Status.Authenticated = review.Spec.Token == "metrics-server"
		review.Status.User.Username = review.Spec.Token
		return true, review, nil
	})
	client.PrependReactor("create", "subjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SubjectAccessReview).DeepCopy()
		review.Status.Allowed = review.Spec.ResourceAttributes.Subresource == "metrics" && review.Spec.ResourceAttributes.Name == firstNode()
		return true, review, nil
	})
	_, server, conf := serveKubeletOf(t, client, newPod("web", firstNode()))
	conf.CertData, conf.KeyData = nil, nil
	for _, test := range []struct {
		token, path string
		status      int
		part        string
	}{
		{"", "/healthz", 401, "Unauthorized"},
		{"nobody", "/metrics/resource", 401, "Unauthorized"},
		{"metrics-server", "/metrics/resource", 200, "pod_cpu_usage_seconds_total"},
		{"metrics-server", "/stats/summary", 403, "Forbidden (user=metrics-server, verb=get, resource=nodes, subresource(s)=[stats])"},
		{"metrics-server", "/containerLogs/default/web/c", 403, "subresource(s)=[proxy]"},
	} {
		conf.BearerToken = test.token
		if status, body := get(t, conf, server+test.path); status != test.status || !strings.Contains(body, test.part) {
			t.Errorf("%s of %q: got %d %q, want %d with %q", test.path, test.token, status, body, test.status, test.part)
		}
	}
}

func TestStopEndsConnectionsThatWereTakenOver(t *testing.T) {
	s, server, conf := serveKubelet(t, newPod("web", firstNode()))
	tlsConf, err := rest.TLSConfigFor(conf)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := tls.Dial("tcp", strings.TrimPrefix(server, "https://"), tlsConf)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(conn, "POST /portForward/default/web HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: "+
		"SPDY/3.1\r\n"+
		"X-Stream-Protocol-Version: portforward.k8s.io\r\n\r\n")
	if _, err := io.ReadFull(conn, make([]byte, len("HTTP/1.1 101"))); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		t.Error("the connection outlived Stop")
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
