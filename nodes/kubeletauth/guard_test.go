package kubeletauth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// cluster knows the token of prometheus, who may get nodes/metrics and nodes/pods.
func cluster() (*fake.Clientset, *[]string) {
	client, asked := fake.NewClientset(), &[]string{}
	client.PrependReactor("create", "tokenreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authenticationv1.TokenReview).DeepCopy()
		*asked = append(*asked, "who")
		if review.Spec.Token == "good" {
			review.Status = authenticationv1.TokenReviewStatus{Authenticated: true,
				User: authenticationv1.UserInfo{Username: "prometheus", Groups: []string{"monitoring"}}}
		}
		return true, review, nil
	})
	client.PrependReactor("create", "subjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SubjectAccessReview).DeepCopy()
		a := review.Spec.ResourceAttributes
		*asked = append(*asked, a.Verb+" "+a.Resource+"/"+a.Subresource+" "+a.Name)
		if a.Subresource == "log" {
			return true, nil, errors.New("no answer")
		}
		review.Status.Allowed = review.Spec.User == "prometheus" && a.Verb == "get" && slices.Contains([]string{"metrics", "pods"}, a.Subresource)
		return true, review, nil
	})
	return client, asked
}

func asNobody(ctx context.Context, _ string) context.Context { return ctx }

func TestKubeletsAreAskedByWhomTheAPIServerLets(t *testing.T) {
	client, _ := cluster()
	guard := New(nil, client, asNobody)
	tests := []struct {
		token, method, path string
		status              int
		says                string
	}{
		{"", "GET", "/metrics", 401, "Unauthorized"},
		{"bad", "GET", "/metrics", 401, "Unauthorized"},
		{strings.Repeat("x", longestToken+1), "GET", "/metrics", 401, "Unauthorized"},
		{"good", "GET", "/metrics", 200, ""},
		{"good", "GET", "/metrics/cadvisor", 200, ""},
		{"good", "GET", "/metrics/nodes/n1/metrics/resource", 200, ""},
		{"good", "POST", "/metrics", 403, "Forbidden (user=prometheus, verb=create, resource=nodes, subresource(s)=[metrics])"},
		{"good", "GET", "/pods", 200, ""},
		{"good", "GET", "/runningpods/", 200, ""},
		{"good", "GET", "/stats/summary", 403, "Forbidden (user=prometheus, verb=get, resource=nodes, subresource(s)=[stats])"},
		{"good", "GET", "/configz", 403, "Forbidden (user=prometheus, verb=get, resource=nodes, subresource(s)=[configz proxy])"},
		{"good", "GET", "/metricsx", 403, "Forbidden (user=prometheus, verb=get, resource=nodes, subresource(s)=[proxy])"},
		{"good", "POST", "/exec/default/web/c", 403, "Forbidden (user=prometheus, verb=create, resource=nodes, subresource(s)=[proxy])"},
		{"good", "GET", "/logs/", 500, "Authorization error (user=prometheus, verb=get, resource=nodes, subresource=log)"},
	}
	for _, test := range tests {
		r, w := httptest.NewRequest(test.method, "https://n1:10250"+test.path, nil), httptest.NewRecorder()
		if test.token != "" {
			r.Header.Set("Authorization", "Bearer "+test.token)
		}
		admitted := guard.Admit(w, r, "n1")
		if admitted != (test.status == 200) || w.Code != test.status || strings.TrimSpace(w.Body.String()) != test.says {
			t.Errorf("%s %s with %.5q: got %v, %d %q", test.method, test.path, test.token, admitted, w.Code, w.Body)
		}
	}
}

func TestAnswersAreBelievedForAWhile(t *testing.T) {
	client, asked := cluster()
	guard := New(nil, client, asNobody)
	for range 3 {
		for _, token := range []string{"good", "bad"} {
			r := httptest.NewRequest("GET", "https://n1:10250/metrics", nil)
			r.Header.Set("Authorization", "Bearer "+token)
			guard.Admit(httptest.NewRecorder(), r, "n1")
		}
	}
	if want := []string{"who", "get nodes/metrics n1", "who"}; !slices.Equal(*asked, want) {
		t.Errorf("asked %q, want %q", *asked, want)
	}
}

// The groups {"a b"} and {"a", "b"} read the same where a list is printed: what the one may, the other may not.
func TestAnswersAreOfOneUserAlone(t *testing.T) {
	client := fake.NewClientset()
	client.PrependReactor("create", "subjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SubjectAccessReview).DeepCopy()
		review.Status.Allowed = slices.Contains(review.Spec.Groups, "a") || len(review.Spec.Extra["k"]) == 2
		return true, review, nil
	})
	guard := New(nil, client, asNobody)
	extra := func(values ...string) map[string]authenticationv1.ExtraValue {
		return map[string]authenticationv1.ExtraValue{"k": values}
	}
	for _, test := range []struct {
		who  authenticationv1.UserInfo
		want bool
	}{
		{authenticationv1.UserInfo{Username: "u", Groups: []string{"a", "b"}}, true},
		{authenticationv1.UserInfo{Username: "u", Groups: []string{"a b"}}, false},
		{authenticationv1.UserInfo{Username: "u", Extra: extra("x", "y")}, true},
		{authenticationv1.UserInfo{Username: "u", Extra: extra("x y")}, false},
	} {
		if got, err := guard.allowed(t.Context(), "n1", test.who, "get", "metrics"); err != nil || got != test.want {
			t.Errorf("%+v: %v (%v), want %v", test.who, got, err, test.want)
		}
	}
}

func TestCertificatesOfTheClusterAreBelieved(t *testing.T) {
	own, other := newAuthority(t), newAuthority(t)
	pool := x509.NewCertPool()
	pool.AddCert(own.cert)
	client, asked := cluster()
	guard := New(pool, client, asNobody)
	status := func(a authority, subject pkix.Name, usage x509.ExtKeyUsage) int {
		r, w := httptest.NewRequest("POST", "https://n1:10250/exec/default/web/c", nil), httptest.NewRecorder()
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{a.issue(t, subject, usage)}}
		guard.Admit(w, r, "n1")
		return w.Code
	}
	apiserver := pkix.Name{CommonName: "kube-apiserver-kubelet-client", Organization: []string{"system:masters"}}
	if got := status(own, apiserver, x509.ExtKeyUsageClientAuth); got != http.StatusOK || len(*asked) > 0 {
		t.Errorf("the API server: %d, asked %q", got, *asked)
	}
	if got := status(own, pkix.Name{CommonName: "jane"}, x509.ExtKeyUsageClientAuth); got != http.StatusForbidden {
		t.Errorf("a user: %d", got)
	}
	if got := status(own, apiserver, x509.ExtKeyUsageServerAuth); got != http.StatusUnauthorized {
		t.Errorf("a server's certificate: %d", got)
	}
	if got := status(other, apiserver, x509.ExtKeyUsageClientAuth); got != http.StatusUnauthorized {
		t.Errorf("somebody else's authority: %d", got)
	}
}

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
	a := authority{key: key}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a.cert = template
	a.cert = a.sign(t, template, key)
	return a
}

func (a authority) issue(t *testing.T, subject pkix.Name, usage x509.ExtKeyUsage) *x509.Certificate {
	t.Helper()
	return a.sign(t, &x509.Certificate{SerialNumber: big.NewInt(2), Subject: subject, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{usage}}, a.key)
}

func (a authority) sign(t *testing.T, template *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
