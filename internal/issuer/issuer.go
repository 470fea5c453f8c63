// Package issuer signs JSON Web Tokens in tests, as a cluster's API server or a foreign identity provider does.
package issuer

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// Issuer has one key, for ES256.
type Issuer struct {
	t   testing.TB
	key *ecdsa.PrivateKey
	// PEM is the private key.
	PEM string
	// URL and Thumbprint (SHA-1 of the certificate in hex) are those of the server that Serve started.
	URL, Thumbprint string
}

// New makes an issuer with a fresh key.
func New(t testing.TB) *Issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return of(t, key)
}

// Fixed is an issuer that has the same key in every process, as fuzzing has several.
func Fixed(t testing.TB) *Issuer {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return of(t, key)
}

func of(t testing.TB, key *ecdsa.PrivateKey) *Issuer {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return &Issuer{t: t, key: key, PEM: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))}
}

// Sign makes a token of claims.
func (i *Issuer) Sign(claims map[string]any) string { return i.SignAs("ES256", claims) }

// SignAs makes a token that says it is signed by another algorithm than it is.
func (i *Issuer) SignAs(algorithm string, claims map[string]any) string {
	i.t.Helper()
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			i.t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	signed := part(map[string]string{"alg": algorithm, "kid": i.KeyID()}) + "." + part(claims)
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, sum[:])
	if err != nil {
		i.t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// KeyID names the key as Kubernetes does.
func (i *Issuer) KeyID() string {
	i.t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&i.key.PublicKey)
	if err != nil {
		i.t.Fatal(err)
	}
	sum := sha256.Sum256(der)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Serve lets the issuer answer for its discovery document and its keys on a loopback port, by https, until the test
// ends. change may make the discovery document another one; fetches counts how often the keys were asked for.
func (i *Issuer) Serve(change func(discovery map[string]string)) (fetches *atomic.Int64) {
	i.t.Helper()
	point, err := i.key.PublicKey.Bytes() // 4, X, Y
	if err != nil {
		i.t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	keys := map[string]any{"keys": []map[string]string{
		{"kty": "EC", "crv": "P-256", "use": "sig", "kid": i.KeyID(), "x": encode(point[1:33]), "y": encode(point[33:])},
	}}
	fetches = new(atomic.Int64)
	mux := http.NewServeMux()
	server := httptest.NewTLSServer(mux)
	i.t.Cleanup(server.Close)
	sum := sha1.Sum(server.Certificate().Raw)
	i.URL, i.Thumbprint = server.URL, hex.EncodeToString(sum[:])
	discovery := map[string]string{"issuer": i.URL, "jwks_uri": i.URL + "/keys"}
	if change != nil {
		change(discovery)
	}
	mux.HandleFunc("/.well-known/openid-configuration",
		func(w http.ResponseWriter, _ *http.Request) { json.NewEncoder(w).Encode(discovery) })
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		fetches.Add(1)
		json.NewEncoder(w).Encode(keys)
	})
	mux.HandleFunc("/moved",
		func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, i.URL+"/keys", http.StatusFound) })
	mux.HandleFunc("/endless", func(w http.ResponseWriter, _ *http.Request) { w.Write(bytes.Repeat([]byte(" "), 2<<20)) })
	return fetches
}
