package sts

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// maxWebIdentityToken is the longest token in bytes that AWS takes.
const maxWebIdentityToken = 20000

var errToken = errors.New("it is not a JSON Web Token that Tripod can verify")

// webIdentity is a JSON Web Token (RFC 7519) taken apart, its signature not verified yet.
type webIdentity struct {
	Issuer    string          `json:"iss"`
	Subject   string          `json:"sub"`
	Audience  json.RawMessage `json:"aud"`
	Expires   float64         `json:"exp"`
	NotBefore float64         `json:"nbf"`

	algorithm string
	signed    string
	signature []byte
}

func parseWebIdentity(token string) (webIdentity, error) {
	var (
		id     webIdentity
		header struct {
			Algorithm string          `json:"alg"`
			Critical  json.RawMessage `json:"crit"`
		}
	)
	parts := strings.Split(token, ".")
	if len(token) > maxWebIdentityToken || len(parts) != 3 {
		return id, errToken
	}
	var decoded [3][]byte
	for i, part := range parts {
		var err error
		if decoded[i], err = base64.RawURLEncoding.DecodeString(part); err != nil {
			return id, errToken
		}
	}
	if json.Unmarshal(decoded[0], &header) != nil || json.Unmarshal(decoded[1], &id) != nil || header.Critical != nil || id.Issuer == "" || id.Subject == "" {
		return id, errToken
	}
	id.algorithm, id.signed, id.signature = header.Algorithm, parts[0]+"."+parts[1], decoded[2]
	return id, nil
}

// audiences are whom the token is for: one, or a list.
func (id webIdentity) audiences() []string {
	var many []string
	if json.Unmarshal(id.Audience, &many) == nil {
		return many
	}
	var one string
	if json.Unmarshal(id.Audience, &one) != nil {
		return nil
	}
	return []string{one}
}

// timely says whether the token is in force: from nbf on, and before exp, which it must have.
func (id webIdentity) timely(now time.Time) bool {
	seconds := float64(now.Unix())
	return seconds < id.Expires && seconds >= id.NotBefore
}

// verify checks the signature with the private key, in PEM, that signs an issuer's tokens. The key decides on the algorithm, and not
// the token.
func (id webIdentity) verify(key string) error {
	public, err := publicKey(key)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(id.signed))
	switch public := public.(type) {
	case *rsa.PublicKey:
		if id.algorithm == "RS256" && rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], id.signature) == nil {
			return nil
		}
	case *ecdsa.PublicKey:
		if half := len(id.signature) / 2; id.algorithm == "ES256" && public.Params().BitSize == 256 && len(id.signature) == 64 &&
			ecdsa.Verify(public, sum[:], new(big.Int).SetBytes(id.signature[:half]), new(big.Int).SetBytes(id.signature[half:])) {
			return nil
		}
	}
	return errToken
}

// publicKey is the public half of a private key as zones make it for service accounts, and as users bring it: PKCS #8, or of its kind's
// own form.
func publicKey(text string) (crypto.PublicKey, error) {
	block, _ := pem.Decode(bytes.TrimSpace([]byte(text)))
	if block == nil {
		return nil, errors.New("service account key: it is not PEM")
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
