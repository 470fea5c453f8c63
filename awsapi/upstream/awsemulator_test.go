package upstream_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"tripod/awsapi/upstream"
)

// awsEmulator stands in for AWS Emulator: one HTTPS port of 127.0.0.1, keys and a certificate made anew at each start,
// both in ~/.aws/emulator/PORT, and calls refused that are not signed with these keys.
type awsEmulator struct {
	home, port string
	keys       aws.Credentials
	server     *httptest.Server
	auth       bool
}

// startAWSEmulator starts one on a free port, or again on the port of an earlier one.
func startAWSEmulator(t *testing.T, home, port string, auth bool) *awsEmulator {
	t.Helper()
	if port == "" {
		port = "0"
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	e := &awsEmulator{home: home, auth: auth,
		keys: aws.Credentials{AccessKeyID: "AKIA" + rand.Text()[:16], SecretAccessKey: rand.Text()}}
	_, e.port, _ = net.SplitHostPort(listener.Addr().String())
	e.server = httptest.NewUnstartedServer(e)
	e.server.Listener.Close()
	e.server.Listener = listener
	pair, ca := newCertificate(t)
	e.server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	e.server.Config.ErrorLog = nil
	e.server.StartTLS()
	t.Cleanup(e.server.Close)
	e.write(t, "ca.pem", ca)
	e.write(t, "config", "[default]\nregion = us-east-1\nendpoint_url = https://127.0.0.1:"+e.port+"\n")
	if auth {
		e.write(t, "emulator_credentials",
			"[default]\naws_access_key_id = "+e.keys.AccessKeyID+"\naws_secret_access_key = "+e.keys.SecretAccessKey+"\n")
	} else {
		os.Remove(e.file("emulator_credentials"))
	}
	return e
}

func (e *awsEmulator) file(name string) string {
	return filepath.Join(e.home, ".aws", "emulator", e.port, name)
}

func (e *awsEmulator) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(e.file(name)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(e.file(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func newCertificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject: pkix.Name{CommonName: "emulator"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// ServeHTTP signs the request itself and compares.
func (e *awsEmulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if e.auth {
		at, _ := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		again := r.Clone(r.Context())
		again.URL.Host, again.URL.Scheme = r.Host, "https"
		signed := r.Header.Get("Authorization")
		for name := range again.Header {
			if !strings.Contains(signed, strings.ToLower(name)) {
				again.Header.Del(name)
			}
		}
		sum := sha256.Sum256(body)
		if err := v4.NewSigner().SignHTTP(r.Context(), e.keys, again, hex.EncodeToString(sum[:]), "sqs", "us-east-1",
			at); err != nil ||
			again.Header.Get("Authorization") != signed {
			http.Error(w, "InvalidClientTokenId", http.StatusForbidden)
			return
		}
	}
	io.WriteString(w, "account "+upstream.AWSEmulatorAccount+" got "+string(body))
}

func find(t *testing.T, text, home string) *url.URL {
	t.Helper()
	found, err := upstream.FindAWSEmulator(t.Context(), text, home)
	if err != nil {
		t.Fatal(err)
	}
	again, err := upstream.ParseUpstream(found.String(), false)
	if err != nil || *again != *found {
		t.Fatalf("%s is read as %v, %v", found, again, err)
	}
	return again
}

func call(u *upstream.Upstream) (int, string, error) {
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/?Action=ListQueues", strings.NewReader("x"))
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=somebody")
	err := u.Forward(w, r, []byte("body"), "sqs", "us-east-1")
	return w.Code, w.Body.String(), err
}

func TestAWSEmulatorIsFoundAndCalledWithItsOwnKeysAndCertificate(t *testing.T) {
	home := filepath.Join(t.TempDir(), "a home?")
	e := startAWSEmulator(t, home, "", true)
	// Another one ran once and left its certificate; nobody answers there now.
	gone := startAWSEmulator(t, home, "", true)
	gone.server.Close()
	os.Remove(gone.file("emulator_credentials"))
	for _, text := range []string{"aws-emulator", "aws-emulator:" + e.port, " aws-emulator\n"} {
		base := find(t, text, home)
		if strings.Contains(base.String(), e.keys.SecretAccessKey) || base.Host != "127.0.0.1:"+e.port {
			t.Errorf("%q: got %s", text, base)
		}
		if code, body, err := call(upstream.New(base, true, time.Now)); err != nil || code != http.StatusOK ||
			body != "account 000000000000 got body" {
			t.Errorf("%q: got %d %s, %v", text, code, body, err)
		}
	}
}

func TestAWSEmulatorIsFollowedThroughItsRestarts(t *testing.T) {
	home := t.TempDir()
	e := startAWSEmulator(t, home, "", true)
	u := upstream.New(find(t, "aws-emulator", home), false, time.Now)
	for _, auth := range []bool{true, true, false, true} {
		if code, body, err := call(u); err != nil || code != http.StatusOK {
			t.Fatalf("got %d %s, %v", code, body, err)
		}
		e.server.Close()
		e = startAWSEmulator(t, home, e.port, auth)
	}
	e.server.Close()
	os.RemoveAll(filepath.Dir(e.file("")))
	if _, body, err := call(u); err == nil || body != "" || strings.Contains(err.Error(), e.keys.SecretAccessKey) {
		t.Errorf("gone with its files: got %q, %v", body, err)
	}
}

func TestAWSEmulatorsCertificateIsTrustedThereOnly(t *testing.T) {
	home := t.TempDir()
	e := startAWSEmulator(t, home, "", true)
	base := find(t, "aws-emulator", home)
	// Somebody else's server takes the port.
	e.server.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:"+e.port)
	if err != nil {
		t.Fatal(err)
	}
	asked := false
	other := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	other.Listener.Close()
	other.Listener = listener
	other.StartTLS()
	defer other.Close()
	if _, _, err := call(upstream.New(base, false, time.Now)); err == nil || asked {
		t.Errorf("another server was called: %v", err)
	}
	if _, err := upstream.FindAWSEmulator(t.Context(), "aws-emulator", home); err == nil ||
		!strings.Contains(err.Error(), "is not the AWS Emulator") {
		t.Errorf("got %v", err)
	}
	// Nor is its certificate trusted for another upstream.
	again := startAWSEmulator(t, t.TempDir(), "", false)
	if _, _, err := call(upstream.New(parse(t, again.server.URL), false, time.Now)); err == nil {
		t.Error("the machine's own authorities trust it")
	}
}

func TestFindAWSEmulatorSaysWhatIsWrong(t *testing.T) {
	home := t.TempDir()
	check := func(what, text, home string, want ...string) {
		t.Helper()
		found, err := upstream.FindAWSEmulator(t.Context(), text, home)
		if err == nil {
			t.Errorf("%s: found %s", what, found)
			return
		}
		for _, part := range want {
			if !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: got %v, want %q", what, err, part)
			}
		}
	}
	check("no home", "aws-emulator", "", "HOME is not set")
	check("nothing", "aws-emulator", home, "is not there", filepath.Join(home, ".aws", "emulator"), "start it")
	for _, port := range []string{"x", "", "0", "70000", "9297/x"} {
		check("a port", "aws-emulator:"+port, home, "has no port", "aws-emulator:9297")
	}
	a := startAWSEmulator(t, home, "", true)
	check("another port", "aws-emulator:1", home, "no files for port 1", "ports "+a.port)
	b := startAWSEmulator(t, home, "", true)
	check("several", "aws-emulator", home, "runs on several ports", a.port, b.port, "say which one")
	find(t, "aws-emulator:"+b.port, home)
	a.server.Close()
	find(t, "aws-emulator", home)
	check("one that stopped", "aws-emulator:"+a.port, home, "does not run")

	keys := b.file("emulator_credentials")
	b.write(t, "emulator_credentials", "[default]\naws_secret_access_key = s3cret\n")
	check("half of the keys", "aws-emulator", home, keys, "have no aws_access_key_id")
	unreadable(t, keys)
	check("unreadable keys", "aws-emulator", home, keys, "cannot be read")
	os.RemoveAll(keys)
	find(t, "aws-emulator", home) // an emulator that takes any signature has none
	ca := b.file("ca.pem")
	b.write(t, "ca.pem", "nonsense")
	check("no certificate", "aws-emulator", home, ca, "not in PEM form")
	unreadable(t, ca)
	check("unreadable certificate", "aws-emulator", home, ca, "cannot be read")
	os.RemoveAll(ca)
	check("missing certificate", "aws-emulator", home, ca, "cannot be read", "no such file")
	b.server.Close()
	check("none runs", "aws-emulator", home, "does not run", a.port)
}

// unreadable makes a file one that even root cannot read.
func unreadable(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
}
