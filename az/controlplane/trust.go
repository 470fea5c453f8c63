package controlplane

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tripod/apiserver/launch"
	"tripod/az/plan"
	"tripod/internal/pki"
	"tripod/region"
)

// trust is whose certificates the cluster's parts in this zone accept, and who signs theirs.
type trust struct {
	bundle []byte // PEM
	signer pki.Pair
}

func trustOf(record region.Cluster, wanted region.ControlPlane) *trust {
	signer := record.SignerOf(wanted.Components)
	return &trust{bundle: []byte(record.BundleOf(wanted.Components)),
		signer: pki.Pair{Cert: []byte(signer.Cert), Key: []byte(signer.Key)}}
}

// secure makes the certificates of a control plane. Processes that run may read them too: those before a change accept
// them.
func (c *Part) secure(wanted region.ControlPlane) error {
	record, err := c.present()
	if err != nil {
		return err
	}
	c.trust.Store(trustOf(record, wanted))
	return c.writePKI()
}

// renewParts gives the agent's own parts of the cluster other certificates, if there are any.
func (c *Part) renewParts(ctx context.Context) error {
	current := c.trust.Load()
	if c.believed != nil && bytes.Equal(c.believed.bundle, current.bundle) &&
		bytes.Equal(c.believed.signer.Cert, current.signer.Cert) {
		return nil
	}
	c.believed = nil // until they run
	client, err := c.newAPIClient(launch.Authenticator)
	if err != nil {
		return err
	}
	c.awsAuth.trust(client)
	if err := errors.Join(c.podIdentity.stop(ctx), c.startPodIdentity(ctx)); err != nil {
		return err
	}
	if err := errors.Join(c.extensions.stop(), c.startExtensions()); err != nil {
		return err
	}
	if err := errors.Join(c.stopWorkers(ctx), c.startWorkers(ctx)); err != nil {
		return err
	}
	c.believed = current
	return nil
}

func (c *Part) pki(name, kind string) string {
	return filepath.Join(c.dir, "pki", name+"."+kind)
}

// writePKI issues the zone's own certificates of the cluster. They are kept while the same authority signs.
func (c *Part) writePKI() error {
	s, trust := c.secrets, c.trust.Load()
	authorities := map[string]pki.Pair{
		launch.CA:           trust.signer,
		launch.FrontProxyCA: {Cert: []byte(s.FrontProxyCACert), Key: []byte(s.FrontProxyCAKey)},
		launch.EtcdCA:       {Cert: []byte(s.EtcdCACert), Key: []byte(s.EtcdCAKey)},
	}
	dir := filepath.Join(c.dir, "pki")
	for name, text := range map[string][]byte{
		launch.CA + ".crt": trust.bundle, launch.FrontProxyCA + ".crt": authorities[launch.FrontProxyCA].Cert,
		launch.EtcdCA + ".crt": authorities[launch.EtcdCA].Cert,
		// The controller manager signs with it; the other authorities' keys stay in the regional state.
		launch.SigningCA + ".crt": trust.signer.Cert, launch.SigningCA + ".key": trust.signer.Key,
		launch.ServiceAccount + ".key": []byte(s.ServiceAccountKey),
	} {
		if err := pki.Write(filepath.Join(dir, name), text); err != nil {
			return err
		}
	}
	// of an older Tripod
	if err := os.Remove(filepath.Join(dir, launch.CA+".key")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for name, issue := range c.leaves() {
		authority, err := pki.ParseAuthority(authorities[issue.authority])
		if err != nil {
			return err
		}
		expired := name == launch.ServingCert && c.expired.Load()
		if pair, err := pki.ReadPair(dir, name); err == nil && authority.Signed(pair) && pair.Expired(time.Now()) == expired {
			continue
		}
		sign := authority.Issue
		if expired {
			sign = authority.IssueExpired
		}
		pair, err := sign(issue.leaf)
		if err != nil {
			return err
		}
		if err := pki.WritePair(dir, name, pair); err != nil {
			return err
		}
	}
	return nil
}

type issue struct {
	authority string
	leaf      pki.Leaf
}

func (c *Part) leaves() map[string]issue {
	service := netip.MustParsePrefix(c.cluster.ServiceCIDR).Addr().Next()
	loopback := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	clientOf := func(authority, name string, groups ...string) issue {
		return issue{authority, pki.Leaf{CommonName: name, Organizations: groups, Client: true}}
	}
	return map[string]issue{
		launch.ServingCert: {launch.CA, pki.Leaf{
			CommonName: "kube-apiserver", Server: true,
			DNS: []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
				"kubernetes.default.svc.cluster.local",
				strings.ToLower(c.cluster.ID) + ".gr7." + c.host.Plan.Region + ".eks.amazonaws.com"},
			IPs: append(loopback, service.AsSlice(), plan.Interface(c.index).AsSlice()),
		}},
		launch.EtcdMember: {launch.EtcdCA, pki.Leaf{
			CommonName: "etcd-" + plan.Letter(c.host.Plan.Zone), Server: true, Client: true,
			// by the IP, else etcd looks the name up
			DNS: []string{plan.EtcdName(c.host.Plan.Zone, c.cluster.ID), "localhost"}, IPs: loopback,
		}},
		launch.PodIdentity: {launch.CA,
			pki.Leaf{CommonName: "pod-identity-webhook", Server: true, DNS: []string{launch.PodIdentityHost(c.cluster.ID)}}},
		launch.Extensions: {launch.CA, pki.Leaf{CommonName: "extensions", Server: true,
			DNS: []string{plan.ExtensionsName(c.host.Plan.Zone, c.cluster.ID)}}},
		launch.EtcdClient:       clientOf(launch.EtcdCA, "kube-apiserver"),
		launch.KubeletClient:    clientOf(launch.CA, "kube-apiserver-kubelet-client", "system:masters"),
		launch.Administrator:    clientOf(launch.CA, "eks:tripod", "system:masters"),
		launch.Authenticator:    clientOf(launch.CA, "eks:authenticator"),
		launch.ControllerManage: clientOf(launch.CA, "system:kube-controller-manager"),
		launch.Scheduler:        clientOf(launch.CA, "system:kube-scheduler"),
		launch.CloudController:  clientOf(launch.CA, "eks:cloud-controller-manager"),
		launch.FrontProxyClient: clientOf(launch.FrontProxyCA, "front-proxy-client"),
	}
}

// poolOf holds the authorities of a PEM text.
func poolOf(cert []byte) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	return pool
}
