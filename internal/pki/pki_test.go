package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"net"
	"testing"
	"time"
)

func newAuthority(t *testing.T, limits Constraints) *Authority {
	t.Helper()
	authority, err := NewAuthority("test", limits)
	if err != nil {
		t.Fatal(err)
	}
	return authority
}

// parse reads the certificate of a pair.
func parse(t *testing.T, pair Pair) *x509.Certificate {
	t.Helper()
	block, rest := pem.Decode(pair.Cert)
	if block == nil || len(rest) > 0 {
		t.Fatalf("not one PEM block: %s", pair.Cert)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// verify issues a leaf and verifies it against its authority.
func verify(t *testing.T, authority *Authority, leaf Leaf, usage x509.ExtKeyUsage) error {
	t.Helper()
	pair, err := authority.Issue(leaf)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pair.TLS(); err != nil {
		t.Fatal(err)
	}
	_, err = parse(t, pair).Verify(x509.VerifyOptions{Roots: authority.Pool(), KeyUsages: []x509.ExtKeyUsage{usage}})
	return err
}

func TestLoopbackAuthorityIsGoodForThisMachineAlone(t *testing.T) {
	authority := newAuthority(t, Loopback)
	for _, name := range []string{"localhost", "tripod.internal", "raft-a.tripod.internal", "*.tripod.internal",
		"etcd-a.0123.tripod.internal"} {
		if err := verify(t, authority, Leaf{DNS: []string{name}, Server: true}, x509.ExtKeyUsageServerAuth); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, ip := range []string{"127.0.0.1", "127.1.2.3", "::1"} {
		if err := verify(t, authority, Leaf{IPs: []net.IP{net.ParseIP(ip)}, Server: true},
			x509.ExtKeyUsageServerAuth); err != nil {
			t.Errorf("%s: %v", ip, err)
		}
	}
	for _, name := range []string{"example.com", "eks.us-east-1.amazonaws.com", "nottripod.internal", "internal",
		"localhost.example.com"} {
		if err := verify(t, authority, Leaf{DNS: []string{"localhost", name}, Server: true},
			x509.ExtKeyUsageServerAuth); err == nil {
			t.Errorf("a certificate for %s is valid", name)
		}
	}
	for _, ip := range []string{"10.0.0.1", "169.254.169.254", "192.168.1.1", "8.8.8.8", "::2", "fe80::1"} {
		if err := verify(t, authority, Leaf{IPs: []net.IP{net.ParseIP(ip)}, Server: true},
			x509.ExtKeyUsageServerAuth); err == nil {
			t.Errorf("a certificate for %s is valid", ip)
		}
	}
}

func TestConstraintsAreCritical(t *testing.T) {
	// A verifier that does not know them must refuse the certificate rather than trust it for everything.
	if !parse(t, newAuthority(t, Loopback).Pair).PermittedDNSDomainsCritical {
		t.Error("the constraints are not critical")
	}
	if free := newAuthority(t, Constraints{}); verify(t, free, Leaf{DNS: []string{"example.com"}, Server: true},
		x509.ExtKeyUsageServerAuth) != nil {
		t.Error("an authority without constraints is constrained")
	}
	if _, err := NewAuthority("test", Constraints{IPs: []string{"127.0.0.1"}}); err == nil {
		t.Error("an address that is no CIDR is taken")
	}
}

func TestLeafIsForItsPurposeAlone(t *testing.T) {
	authority := newAuthority(t, Loopback)
	server := Leaf{CommonName: "kube-apiserver", DNS: []string{"localhost"}, Server: true}
	client := Leaf{CommonName: "admin", Organizations: []string{"system:masters"}, Client: true}
	both := Leaf{CommonName: "etcd-a", Server: true, Client: true}
	for _, c := range []struct {
		leaf  Leaf
		usage x509.ExtKeyUsage
		ok    bool
	}{
		{server, x509.ExtKeyUsageServerAuth, true}, {server, x509.ExtKeyUsageClientAuth, false},
		{client, x509.ExtKeyUsageServerAuth, false}, {client, x509.ExtKeyUsageClientAuth, true},
		{both, x509.ExtKeyUsageServerAuth, true}, {both, x509.ExtKeyUsageClientAuth, true},
	} {
		if err := verify(t, authority, c.leaf, c.usage); (err == nil) != c.ok {
			t.Errorf("%s for usage %d: %v, want ok %v", c.leaf.CommonName, c.usage, err, c.ok)
		}
	}
}

func TestLeafCannotSignAndCarriesItsSubject(t *testing.T) {
	authority := newAuthority(t, Loopback)
	pair, err := authority.Issue(Leaf{CommonName: "admin", Organizations: []string{"system:masters"}, Client: true})
	if err != nil {
		t.Fatal(err)
	}
	cert := parse(t, pair)
	if cert.IsCA || cert.KeyUsage&x509.KeyUsageCertSign != 0 {
		t.Error("a leaf may sign")
	}
	if got := cert.Subject; got.CommonName != "admin" || len(got.Organization) != 1 ||
		got.Organization[0] != "system:masters" {
		t.Errorf("subject %v", got)
	}
	if key, ok := cert.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("its key is %T", cert.PublicKey)
	}
	if _, err := cert.Verify(x509.VerifyOptions{Roots: newAuthority(t, Loopback).Pool(),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err == nil {
		t.Error("another authority of the same name vouches for it")
	}
}

func TestLifetimes(t *testing.T) {
	authority := newAuthority(t, Loopback)
	pair, err := authority.Issue(Leaf{CommonName: "etcd-a", Client: true})
	if err != nil {
		t.Fatal(err)
	}
	for name, cert := range map[string]*x509.Certificate{"authority": parse(t, authority.Pair), "leaf": parse(t, pair)} {
		if years := time.Until(cert.NotAfter).Hours() / 24 / 365; years < 4.9 {
			t.Errorf("%s: good for %.1f years", name, years)
		}
		if !cert.NotBefore.Before(time.Now().Add(-30 * time.Minute)) {
			t.Errorf("%s: a clock that is set back breaks it: not before %s", name, cert.NotBefore)
		}
	}
}

func TestParseAuthorityRefusesWhatIsNone(t *testing.T) {
	authority := newAuthority(t, Loopback)
	if again, err := ParseAuthority(authority.Pair); err != nil ||
		verify(t, again, Leaf{Client: true}, x509.ExtKeyUsageClientAuth) != nil {
		t.Errorf("its own pair: %v", err)
	}
	other := newAuthority(t, Loopback)
	for name, pair := range map[string]Pair{
		"empty":       {},
		"other's key": {Cert: authority.Cert, Key: other.Key},
		"not PEM":     {Cert: []byte("cert"), Key: []byte("key")},
	} {
		if _, err := ParseAuthority(pair); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestSigningKeyIsANewRSAKey(t *testing.T) {
	one, err := NewSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	two, err := NewSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(one)
	if block == nil {
		t.Fatalf("not PEM: %s", one)
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err != nil || key.N.BitLen() != 2048 {
		t.Errorf("not an RSA key of 2048 bits: %v", err)
	}
	if string(one) == string(two) {
		t.Error("two keys are the same")
	}
}

func TestExpiredCertificateIsOfTheAuthorityAndNotGoodAnyMore(t *testing.T) {
	authority := newAuthority(t, Loopback)
	leaf := Leaf{CommonName: "server", Server: true, DNS: []string{"localhost"}}
	good, err := authority.Issue(leaf)
	if err != nil {
		t.Fatal(err)
	}
	expired, err := authority.IssueExpired(leaf)
	if err != nil {
		t.Fatal(err)
	}
	if now := time.Now(); good.Expired(now) || !expired.Expired(now) || !authority.Signed(expired) || !(Pair{}).Expired(now) {
		t.Error("what has expired is not told from what has not")
	}
}
