// Package pki makes the ECDSA certificates of a region: certificate authorities and what they sign.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"
)

// Lifetimes. Certificate authorities live as long as EKS's (10 years); leaves are made once too, and kept.
const (
	authorityLifetime = 10 * 365 * 24 * time.Hour
	leafLifetime      = 5 * 365 * 24 * time.Hour
)

// Authority is a certificate authority: it signs.
type Authority struct {
	Pair
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Pair is a certificate and its private key in PEM.
type Pair struct {
	Cert []byte
	Key  []byte
}

// TLS returns the pair as crypto/tls wants it.
func (p Pair) TLS() (tls.Certificate, error) { return tls.X509KeyPair(p.Cert, p.Key) }

// Constraints are the names an authority may sign for; what is left empty is not constrained.
type Constraints struct {
	DNS []string // a name stands for itself and all below it
	IPs []string // CIDRs
}

// Loopback is the constraint of an authority that people are asked to trust: it is good for nothing outside this
// machine.
var Loopback = Constraints{DNS: []string{"localhost", "tripod.internal"}, IPs: []string{"127.0.0.0/8", "::1/128"}}

// NewAuthority makes a self-signed certificate authority.
func NewAuthority(commonName string, limits Constraints) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template, err := newTemplate(commonName, authorityLifetime)
	if err != nil {
		return nil, err
	}
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature
	template.PermittedDNSDomains = limits.DNS
	for _, cidr := range limits.IPs {
		_, network, err := net.ParseCIDR(cidr)
		if err != nil {
			return nil, fmt.Errorf("certificate authority %s: %w", commonName, err)
		}
		template.PermittedIPRanges = append(template.PermittedIPRanges, network)
	}
	template.PermittedDNSDomainsCritical = len(limits.DNS)+len(limits.IPs) > 0
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("certificate authority %s: %w", commonName, err)
	}
	pair, err := encode(der, key)
	if err != nil {
		return nil, err
	}
	return ParseAuthority(pair)
}

// ParseAuthority reads an authority made by NewAuthority.
func ParseAuthority(p Pair) (*Authority, error) {
	parsed, err := p.TLS()
	if err != nil {
		return nil, fmt.Errorf("read certificate authority: %w", err)
	}
	cert, err := x509.ParseCertificate(parsed.Certificate[0])
	if err != nil {
		return nil, fmt.Errorf("read certificate authority: %w", err)
	}
	key, ok := parsed.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("read certificate authority: its key is not ECDSA")
	}
	return &Authority{Pair: p, cert: cert, key: key}, nil
}

// Leaf says what a certificate is for.
type Leaf struct {
	CommonName    string
	Organizations []string // a Kubernetes client's groups
	DNS           []string
	IPs           []net.IP
	Server        bool
	Client        bool
}

// Issue signs a new key pair.
func (a *Authority) Issue(leaf Leaf) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, err
	}
	der, err := a.sign(leaf, key.Public(), leafLifetime)
	if err != nil {
		return Pair{}, err
	}
	return encode(der, key)
}

// IssueExpired signs a new key pair whose certificate was good until a minute ago.
func (a *Authority) IssueExpired(leaf Leaf) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, err
	}
	der, err := a.sign(leaf, key.Public(), -time.Minute)
	if err != nil {
		return Pair{}, err
	}
	return encode(der, key)
}

// IssueFor signs a certificate of a key, in PEM, that is good for a lifetime.
func (a *Authority) IssueFor(leaf Leaf, key crypto.PublicKey, lifetime time.Duration) ([]byte, error) {
	der, err := a.sign(leaf, key, lifetime)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

func (a *Authority) sign(leaf Leaf, key crypto.PublicKey, lifetime time.Duration) ([]byte, error) {
	template, err := newTemplate(leaf.CommonName, lifetime)
	if err != nil {
		return nil, err
	}
	template.Subject.Organization = leaf.Organizations
	template.KeyUsage = x509.KeyUsageDigitalSignature
	if _, isRSA := key.(*rsa.PublicKey); isRSA {
		template.KeyUsage |= x509.KeyUsageKeyEncipherment
	}
	template.DNSNames, template.IPAddresses = leaf.DNS, leaf.IPs
	if leaf.Server {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if leaf.Client {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key, a.key)
	if err != nil {
		return nil, fmt.Errorf("certificate for %s: %w", leaf.CommonName, err)
	}
	return der, nil
}

// Signed says whether the pair's certificate is of this authority.
func (a *Authority) Signed(p Pair) bool {
	parsed, err := p.TLS()
	if err != nil {
		return false
	}
	cert, err := x509.ParseCertificate(parsed.Certificate[0])
	return err == nil && cert.CheckSignatureFrom(a.cert) == nil
}

// Expired says whether the pair's certificate is not good any more at a time.
func (p Pair) Expired(at time.Time) bool {
	block, _ := pem.Decode(p.Cert)
	if block == nil {
		return true
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	return err != nil || at.After(cert.NotAfter)
}

// Pool holds only this authority.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// NewSigningKey makes a key of service-account tokens in PEM (PKCS #1): RSA with 2048 bits, whose tokens are RS256, as
// EKS has it. Verifiers of people's own, for IRSA and the like, insist on that.
func NewSigningKey() ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), nil
}

func newTemplate(commonName string, lifetime time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: commonName},
		NotBefore:    now.Add(-time.Hour), // a clock that is set back a little must not break the region
		NotAfter:     now.Add(lifetime),
	}, nil
}

func encode(der []byte, key *ecdsa.PrivateKey) (Pair, error) {
	keyPEM, err := encodeKey(key)
	if err != nil {
		return Pair{}, err
	}
	return Pair{Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), Key: keyPEM}, nil
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}
