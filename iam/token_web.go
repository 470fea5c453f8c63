package iam

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes of RS256 to ES512
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// maxWebToken is the longest token in bytes that AWS takes.
const maxWebToken = 20000

// ErrWebToken says that a text is not a JSON Web Token that can be verified here.
var ErrWebToken = errors.New("it is not a JSON Web Token that Tripod can verify")

// WebToken is a JSON Web Token (RFC 7519) taken apart, its signature not verified yet.
type WebToken struct {
	Issuer    string          `json:"iss"`
	Subject   string          `json:"sub"`
	Audience  json.RawMessage `json:"aud"`
	Expires   float64         `json:"exp"` // seconds since 1970, as all times of a token
	NotBefore float64         `json:"nbf"`
	// Kubernetes says what a service account's token is bound to.
	Kubernetes BoundTo `json:"kubernetes.io"`
	// KeyID names the issuer's key that signed it, or is empty.
	KeyID string `json:"-"`

	algorithm string
	signed    string
	signature []byte
}

// BoundTo are the claims of an API server about a service account's token.
type BoundTo struct {
	Namespace      string  `json:"namespace"`
	ServiceAccount BoundID `json:"serviceaccount"`
	Pod            BoundID `json:"pod"`
}

// BoundID is an object that a token is bound to.
type BoundID struct {
	Name string `json:"name"`
	UID  string `json:"uid"`
}

// ParseWebToken takes a token apart. The error is ErrWebToken, and tells nothing of the token.
func ParseWebToken(token string) (WebToken, error) {
	var (
		t      WebToken
		header struct {
			Algorithm string          `json:"alg"`
			KeyID     string          `json:"kid"`
			Critical  json.RawMessage `json:"crit"`
		}
	)
	parts := strings.Split(token, ".")
	if len(token) > maxWebToken || len(parts) != 3 {
		return t, ErrWebToken
	}
	var decoded [3][]byte
	for i, part := range parts {
		var err error
		if decoded[i], err = base64.RawURLEncoding.DecodeString(part); err != nil {
			return t, ErrWebToken
		}
	}
	if json.Unmarshal(decoded[0], &header) != nil || json.Unmarshal(decoded[1], &t) != nil || header.Critical != nil ||
		t.Issuer == "" || t.Subject == "" {
		return t, ErrWebToken
	}
	t.KeyID, t.algorithm, t.signed, t.signature = header.KeyID, header.Algorithm, parts[0]+"."+parts[1], decoded[2]
	return t, nil
}

// Audiences are whom the token is for: one, or a list.
func (t WebToken) Audiences() []string {
	var many []string
	if json.Unmarshal(t.Audience, &many) == nil {
		return many
	}
	var one string
	if json.Unmarshal(t.Audience, &one) != nil {
		return nil
	}
	return []string{one}
}

// IsFor says whether an audience is among the token's.
func (t WebToken) IsFor(audience string) bool { return slices.Contains(t.Audiences(), audience) }

// Timely says whether the token is in force: from nbf on, and before exp, which it must have.
func (t WebToken) Timely(now time.Time) bool {
	seconds := float64(now.Unix())
	return seconds < t.Expires && seconds >= t.NotBefore
}

// SignedBy says whether the key's private half signed the token. The key decides on the algorithm, and not the token:
// of a name such as RS256 only the hash is the token's choice.
func (t WebToken) SignedBy(key crypto.PublicKey) bool {
	if len(t.algorithm) != 5 {
		return false
	}
	hash, ok := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[t.algorithm[2:]]
	if !ok {
		return false
	}
	h := hash.New()
	h.Write([]byte(t.signed))
	sum := h.Sum(nil)
	switch key := key.(type) {
	case *rsa.PublicKey:
		return t.algorithm[:2] == "RS" && rsa.VerifyPKCS1v15(key, hash, sum, t.signature) == nil
	case *ecdsa.PublicKey:
		bits := map[crypto.Hash]int{crypto.SHA256: 256, crypto.SHA384: 384, crypto.SHA512: 521}[hash]
		half := (bits + 7) / 8
		return t.algorithm[:2] == "ES" && key.Params().BitSize == bits && len(t.signature) == 2*half &&
			ecdsa.Verify(key, sum, new(big.Int).SetBytes(t.signature[:half]), new(big.Int).SetBytes(t.signature[half:]))
	}
	return false
}

// PublicKey is the public half of a key in PEM as zones make it for service accounts, and as users bring it: private or
// public, PKCS #8, PKIX, or of its kind's own form. Nothing private leaves this function.
func PublicKey(text string) (crypto.PublicKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("service account key: it is not PEM")
	}
	if key, err := x509.ParsePKIXPublicKey(block.Bytes); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		return key.Public(), nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key.Public(), nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok {
		return nil, fmt.Errorf("service account key: the PEM block %q is no key that is understood", block.Type)
	}
	return signer.Public(), nil
}
