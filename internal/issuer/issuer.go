// Package issuer signs JSON Web Tokens in tests, as a cluster's API server or a foreign identity provider does.
package issuer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"testing"
)

// Issuer has one key, for ES256.
type Issuer struct {
	t   testing.TB
	key *ecdsa.PrivateKey
	// PEM is the private key.
	PEM string
}

// New makes an issuer with a fresh key.
func New(t testing.TB) *Issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
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
