package acm_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tripod/awsapi/acm"
	"tripod/awsapi/apitest"
	"tripod/awsapi/operation"
	"tripod/iam"
	"tripod/internal/pki"
	"tripod/region"
	"tripod/state"
)

func TestBoto3Calls(t *testing.T) {
	authority, err := pki.NewAuthority("somebody's", pki.Constraints{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, text []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, names := range [][2]string{{"cert.pem", "key.pem"}, {"another.pem", "other.pem"}} {
		pair, err := authority.Issue(pki.Leaf{CommonName: "own.example.com", DNS: []string{"own.example.com"}, Server: true})
		if err != nil {
			t.Fatal(err)
		}
		write(names[0], pair.Cert)
		write(names[1], pair.Key)
	}
	script, err := os.ReadFile("testdata/clients.py")
	if err != nil {
		t.Fatal(err)
	}
	write("clients.py", script)
	apitest.New(t).Boto3(filepath.Join(dir, "clients.py"))
}

// call has the service do an operation for a caller with that policy; empty: who may do everything.
func call(t *testing.T, s *acm.Service, name, policy string, in map[string]any) (map[string]any, error) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	caller := iam.Principal{ARN: "arn:aws:iam::111122223333:user/u", AccountID: iam.DefaultAccountID}
	if caller.Documents = []string{policy}; policy == "" {
		caller.Documents, caller.Policies = nil, []string{iam.AdministratorAccess}
	}
	w := httptest.NewRecorder()
	err = s.Listing().APIs[0].Serve(w, &operation.Call{Operation: name, Body: body, Principal: caller, Keys: iam.Keys{},
		Request: httptest.NewRequest("POST", "/", nil)})
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	return out, json.Unmarshal(w.Body.Bytes(), &out)
}

func newService() (*acm.Service, *time.Time) {
	clock := time.Now()
	return &acm.Service{Region: "us-east-1", AccountID: iam.DefaultAccountID, State: region.NewMemory(),
		Now: func() time.Time { return clock }}, &clock
}

func TestRequestedCertificatesAreIssuedAndExpire(t *testing.T) {
	s, clock := newService()
	for algorithm, want := range map[string]string{"": "RSA-2048", "EC_prime256v1": "EC-prime256v1", "EC_secp384r1": "EC-secp384r1"} {
		made, err := call(t, s, "RequestCertificate", "", map[string]any{"DomainName": "example.com", "KeyAlgorithm": algorithm})
		if err != nil {
			t.Fatal(err)
		}
		begin := *clock
		for _, at := range []struct {
			after  time.Duration
			status string
		}{{0, "PENDING_VALIDATION"}, {2 * time.Second, "ISSUED"}, {396 * 24 * time.Hour, "EXPIRED"}} {
			*clock = begin.Add(at.after)
			shown, err := call(t, s, "DescribeCertificate", "", made)
			if err != nil {
				t.Fatal(err)
			}
			if c := shown["Certificate"].(map[string]any); c["Status"] != at.status || c["KeyAlgorithm"] != want {
				t.Errorf("%s after %s: %v %v", algorithm, at.after, c["Status"], c["KeyAlgorithm"])
			}
		}
		*clock = begin
	}
}

func TestIssuedCertificatesAreGoodForWhoTrustsTheRegionsAuthority(t *testing.T) {
	s, clock := newService()
	made, err := call(t, s, "RequestCertificate", "", map[string]any{"DomainName": "*.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	*clock = clock.Add(time.Minute)
	body, err := call(t, s, "GetCertificate", "", made)
	if err != nil {
		t.Fatal(err)
	}
	var c region.Certificate
	s.State.View(func(tx *state.Txn) error {
		c, _ = region.Certificates.Get(tx, made["CertificateArn"].(string))
		return nil
	})
	pair, err := tls.X509KeyPair([]byte(c.Cert), []byte(c.Key))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(body["CertificateChain"].(string))) {
		t.Fatal("the chain has no certificate")
	}
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: "web.example.com", Roots: roots}); err != nil {
		t.Error(err)
	}
	if text, _ := json.Marshal(body); strings.Contains(string(text), "PRIVATE KEY") {
		t.Error("a private key is shown")
	}
}

func TestCallersNeedThePermissionOnTheCertificate(t *testing.T) {
	s, _ := newService()
	made, err := call(t, s, "RequestCertificate", "", map[string]any{"DomainName": "example.com"})
	if err != nil {
		t.Fatal(err)
	}
	allow := func(action, resource, more string) string {
		return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"` + action + `","Resource":"` + resource + `"` + more + `}}`
	}
	arn := made["CertificateArn"].(string)
	tagged := map[string]any{"DomainName": "example.com", "Tags": []map[string]string{{"Key": "a", "Value": "b"}}}
	for what, c := range map[string]struct {
		operation, policy string
		in                map[string]any
		allowed           bool
	}{
		"its own":       {"DescribeCertificate", allow("acm:DescribeCertificate", arn, ""), made, true},
		"another's":     {"DescribeCertificate", allow("acm:DescribeCertificate", arn+"0", ""), made, false},
		"another call":  {"DeleteCertificate", allow("acm:DescribeCertificate", arn, ""), made, false},
		"without tags":  {"RequestCertificate", allow("acm:RequestCertificate", "*", ""), map[string]any{"DomainName": "a.example.org"}, true},
		"with tags":     {"RequestCertificate", allow("acm:RequestCertificate", "*", ""), tagged, false},
		"an odd domain": {"RequestCertificate", allow("acm:*", "*", `,"Condition":{"StringEquals":{"acm:DomainNames":"a.example.org"}}`), tagged, false},
		"all of them":   {"ListCertificates", allow("acm:ListCertificates", arn, ""), nil, false},
	} {
		_, err := call(t, s, c.operation, c.policy, c.in)
		denied := err != nil && strings.Contains(err.Error(), "is not authorized to perform")
		if c.allowed != (err == nil) || !c.allowed && !denied {
			t.Errorf("%s: %v", what, err)
		}
	}
}
