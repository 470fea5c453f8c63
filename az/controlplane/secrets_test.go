package controlplane

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"tripod/apiserver/launch"
	"tripod/az/plan"
	"tripod/az/zonetest"
	"tripod/internal/pki"
	"tripod/region"
)

func newSecrets(t *testing.T) region.ClusterSecrets {
	t.Helper()
	secrets, err := NewSecrets(region.Cluster{ServiceCIDR: "10.100.0.0/16"})
	if err != nil {
		t.Fatal(err)
	}
	return secrets
}

func TestSecretsAreWholeAndNeverTheSame(t *testing.T) {
	one, two := newSecrets(t), newSecrets(t)
	if key, err := base64.StdEncoding.DecodeString(one.EncryptionKey); err != nil || len(key) != 32 {
		t.Errorf("the encryption key has %d bytes, %v", len(key), err)
	}
	if block, _ := pem.Decode([]byte(one.ServiceAccountKey)); block == nil {
		t.Error("the service accounts' key is not PEM")
	}
	for name, pair := range map[string][2]string{"encryption key": {one.EncryptionKey, two.EncryptionKey},
		"service accounts' key": {one.ServiceAccountKey, two.ServiceAccountKey},
		"authority's key":       {one.CAKey, two.CAKey}, "etcd's authority": {one.CAKey, one.EtcdCAKey},
		"front proxy's authority": {one.CAKey, one.FrontProxyCAKey}} {
		if pair[0] == "" || pair[0] == pair[1] {
			t.Errorf("%s: empty, or the same twice", name)
		}
	}
	for name, pair := range map[string]pki.Pair{
		"the cluster's":     {Cert: []byte(one.CACert), Key: []byte(one.CAKey)},
		"etcd's":            {Cert: []byte(one.EtcdCACert), Key: []byte(one.EtcdCAKey)},
		"the front proxy's": {Cert: []byte(one.FrontProxyCACert), Key: []byte(one.FrontProxyCAKey)},
	} {
		authority, err := pki.ParseAuthority(pair)
		if err != nil {
			t.Fatal(err)
		}
		stray, err := authority.Issue(pki.Leaf{DNS: []string{"www.example.com"}, Server: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := certificate(t, stray.Cert).Verify(x509.VerifyOptions{Roots: authority.Pool()}); err == nil {
			t.Errorf("%s authority vouches for www.example.com", name)
		}
	}
}

func certificate(t *testing.T, text []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatal("not PEM")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestCertificatesOfEveryZoneAreValid(t *testing.T) {
	record := region.Cluster{ID: zonetest.ClusterID, Name: "demo", ServiceCIDR: "10.100.0.0/16", Secrets: newSecrets(t)}
	roots := map[string][]byte{launch.CA: []byte(record.Secrets.CACert),
		launch.EtcdCA: []byte(record.Secrets.EtcdCACert), launch.FrontProxyCA: []byte(record.Secrets.FrontProxyCACert)}
	for _, peer := range zonetest.Plan().Peers {
		config := zonetest.Plan()
		config.Zone, config.Dir = peer.Zone, t.TempDir()
		c := New(Host{Plan: config, Logger: quiet()}, record)
		if err := c.writePKI(); err != nil {
			t.Fatal(err)
		}
		for name, issue := range c.leaves() {
			pair, err := pki.ReadPair(filepath.Join(c.dir, "pki"), name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := pair.TLS(); err != nil {
				t.Errorf("%s in %s: %v", name, peer.Zone, err)
			}
			cert := certificate(t, pair.Cert)
			var usages []x509.ExtKeyUsage
			if issue.leaf.Server {
				usages = append(usages, x509.ExtKeyUsageServerAuth)
			}
			if issue.leaf.Client {
				usages = append(usages, x509.ExtKeyUsageClientAuth)
			}
			if _, err := cert.Verify(x509.VerifyOptions{Roots: poolOf(roots[issue.authority]), KeyUsages: usages}); err != nil {
				t.Errorf("%s in %s: %v", name, peer.Zone, err)
			}
		}
		serving, err := pki.ReadPair(filepath.Join(c.dir, "pki"), launch.ServingCert)
		if err != nil {
			t.Fatal(err)
		}
		for _, host := range []string{"localhost", "127.0.0.1", "::1", "kubernetes.default.svc", "10.100.0.1",
			plan.Interface(c.index).String(),
			"0123456789abcdef0123456789abcdef.gr7.us-east-1.eks.amazonaws.com"} {
			if err := certificate(t, serving.Cert).VerifyHostname(host); err != nil {
				t.Errorf("the API server of %s: %v", peer.Zone, err)
			}
		}
	}
}

func TestCertificatesAreKept(t *testing.T) {
	config := zonetest.Plan()
	config.Dir = t.TempDir()
	c := New(Host{Plan: config, Logger: quiet()}, region.Cluster{ID: zonetest.ClusterID, ServiceCIDR: "10.100.0.0/16",
		Secrets: newSecrets(t)})
	read := func() (certs []string) {
		if err := c.writePKI(); err != nil {
			t.Fatal(err)
		}
		for _, name := range slices.Sorted(maps.Keys(c.leaves())) {
			pair, err := pki.ReadPair(filepath.Join(c.dir, "pki"), name)
			if err != nil {
				t.Fatal(err)
			}
			certs = append(certs, string(pair.Cert))
		}
		return certs
	}
	if first, second := read(), read(); !slices.Equal(first, second) {
		t.Error("a second start makes other certificates")
	}
	for _, secret := range []string{launch.EtcdCA, launch.FrontProxyCA} {
		if files, _ := filepath.Glob(filepath.Join(c.dir, "pki", secret+".key")); len(files) > 0 {
			t.Errorf("%s is on the zone's disk: nobody there needs it", files[0])
		}
	}
}

// secretsOnce are for tests that do not look at them.
var secretsOnce = func() region.ClusterSecrets {
	secrets, err := NewSecrets(region.Cluster{ServiceCIDR: "10.100.0.0/16"})
	if err != nil {
		panic(err)
	}
	return secrets
}()
