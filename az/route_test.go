package az

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"tripod/api"
	"tripod/apiserver/launch"
	"tripod/az/plan"
	"tripod/internal/options"
	"tripod/internal/ports"
	"tripod/region"
)

// fakeWorkers know one pod.
type fakeWorkers struct{}

func (fakeWorkers) Start(context.Context) error     { return nil }
func (fakeWorkers) Stop(context.Context) error      { return nil }
func (fakeWorkers) ServeKubelet(net.Listener) error { return nil }
func (fakeWorkers) LocalAddress(_ context.Context, host string, port int) (string, error) {
	if host == "10.0.33.7" && port == 8443 {
		return "127.0.0.1:9443", nil
	}
	if host == "10.0.33.8" {
		return "", fmt.Errorf("pod web/db: %w", testConfig().LocalPort(5432))
	}
	return "", errors.New("leads nowhere")
}

// testConfig is zone a's of a region with three.
func testConfig() plan.Zone {
	config := plan.Zone{Region: "us-east-1", AccountID: "000000000000", Zone: "us-east-1a"}
	for i, letter := range []string{"a", "b", "c"} {
		config.Peers = append(config.Peers, plan.Peer{Zone: "us-east-1" + letter, ID: "use1-az" + string('1'+rune(i)), RaftPort: 20000 + i, RunDir: "/run/tripod/" + letter})
	}
	return config
}

func newRouter() *Zone {
	z := New(testConfig(), quiet())
	z.clusters[clusterID] = &clusterZone{zone: z, record: region.Cluster{ID: clusterID, Name: "demo", EndpointPort: 20010}, workers: fakeWorkers{}}
	return z
}

func TestGatewayKnowsWhatIsOfTheRegion(t *testing.T) {
	z, id := newRouter(), strings.ToLower(clusterID)
	for _, c := range []struct {
		host string
		port int
		want destination
	}{
		{"raft-b.tripod.internal", 20001, destination{zone: "us-east-1b", network: "tcp", address: "127.0.0.1:20001"}},
		{"raft-a.tripod.internal", 20000, destination{zone: "us-east-1a", network: "tcp", address: "127.0.0.1:20000"}},
		{"etcd-a." + id + ".tripod.internal", 2379, destination{zone: "us-east-1a", target: "etcd/a", network: "tcp", address: "127.0.0.1:20014"}},
		{"etcd-c." + id + ".tripod.internal", 2379, destination{zone: "us-east-1c", target: "etcd/c", network: "tcp", address: "127.0.0.1:20016"}},
		{"etcd-c." + id + ".tripod.internal", 2380, destination{zone: "us-east-1c", target: "etcd/c", network: "tcp", address: "127.0.0.1:20019"}},
		{launch.PodIdentityHost(clusterID), 443, destination{zone: "us-east-1a", network: "unix", address: "/run/tripod/a/podid-01234567.sock"}},
		{launch.AuthenticatorHost(clusterID), 80, destination{zone: "us-east-1a", network: "unix", address: "/run/tripod/a/authn-01234567.sock"}},
		{"10.0.33.5", kubeletPort, destination{zone: "us-east-1b", network: "unix", address: "/run/tripod/b/kubelet-01234567.sock"}},
		{"10.0.33.7", 8443, destination{zone: "us-east-1b", network: "tcp", address: "127.0.0.1:9443"}},
	} {
		got, err := z.route(t.Context(), c.host, c.port)
		if err != nil || got != c.want {
			t.Errorf("%s:%d leads to %+v (%v), want %+v", c.host, c.port, got, err, c.want)
		}
	}
}

// TestGatewayDeniesEverythingElse: nothing of Tripod ever dials the user's own network, whatever a webhook or an endpoint says.
func TestGatewayDeniesEverythingElse(t *testing.T) {
	z, id := newRouter(), strings.ToLower(clusterID)
	for _, host := range []string{
		"localhost", "127.0.0.1", "127.0.0.2", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1", "::ffff:10.0.0.5",
		"169.254.169.254", "fd00:ec2::254", "metadata.google.internal", "instance-data.ec2.internal",
		"10.0.96.1", "10.1.0.1", "10.255.255.255", "10.100.0.1", "172.16.0.1", "192.168.0.1", "8.8.8.8", "2001:4860:4860::8888", "fe80::1%eth0",
		"example.com", "sts.us-east-1.amazonaws.com", "eks.us-east-1.amazonaws.com", "kubernetes.default.svc", "web.default.svc",
		"tripod.internal", ".tripod.internal", "x.tripod.internal", "raft-d.tripod.internal", "raft-.tripod.internal",
		"etcd-a.tripod.internal", "etcd-d." + id + ".tripod.internal", "etcd-." + id + ".tripod.internal", "apiserver-a." + id + ".tripod.internal",
		"etcd-a.ffff.tripod.internal", "etcd-a..tripod.internal", "etcd-a." + id + ".tripod.internal.example.com",
		launch.AuthenticatorHost("FFFF"), "x." + launch.AuthenticatorHost(clusterID), "0x7f000001", "127.1", "2130706433", "",
	} {
		for _, port := range []int{0, 1, 22, 80, 443, 2379, 2380, kubeletPort, 20000, 20010, 20014} {
			if to, err := z.route(t.Context(), host, port); !errors.Is(err, errDenied) {
				t.Errorf("%s:%d leads to %+v (%v), want it denied", host, port, to, err)
			}
		}
	}
	for host, port := range map[string]int{
		"raft-b.tripod.internal": 20000, "etcd-a." + id + ".tripod.internal": 20014, "10.0.33.9": 8443,
	} {
		if to, err := z.route(t.Context(), host, port); err == nil {
			t.Errorf("%s:%d leads to %+v", host, port, to)
		}
	}
	empty := New(testConfig(), quiet())
	for _, host := range []string{"10.0.0.5", "10.0.33.7"} {
		if to, err := empty.route(t.Context(), host, kubeletPort); !errors.Is(err, errDenied) {
			t.Errorf("without a cluster %s leads to %+v (%v)", host, to, err)
		}
	}
}

// TestNamesOfTheRegionAreAskedOfNobodyElse: even where a cluster's identity provider has such a name, and the operator has named it.
func TestNamesOfTheRegionAreAskedOfNobodyElse(t *testing.T) {
	z := newRouter()
	for _, host := range []string{"idp.tripod.internal", "tripod.internal", "IDP.Tripod.Internal", "idp.tripod.internal."} {
		z.config.OIDCIssuers = []string{strings.ToLower(strings.TrimSuffix(host, ".")) + ":443"}
		z.clusters[clusterID].provider.Store(&region.IdentityProvider{IssuerURL: "https://" + host})
		if to, err := z.route(t.Context(), host, 443); !errors.Is(err, errDenied) {
			t.Errorf("%s leads to %+v (%v)", host, to, err)
		}
	}
	z.config.OIDCIssuers = []string{"idp.example.com:443"}
	z.clusters[clusterID].provider.Store(&region.IdentityProvider{IssuerURL: "https://idp.example.com"})
	if to, err := z.route(t.Context(), "idp.example.com", 443); err != nil || to.address != "idp.example.com:443" {
		t.Errorf("a provider that is named leads to %+v (%v)", to, err)
	}
}

func TestRefusedLocalPortsAreToldOnce(t *testing.T) {
	z := newRouter()
	var told []string
	z.OnReport = func(r Report) { told = append(told, string(r.Event.Type)+": "+r.Event.Message) }
	for range 3 {
		if _, err := z.route(t.Context(), "10.0.33.8", 443); !errors.Is(err, plan.ErrLocalPort) {
			t.Errorf("got %v", err)
		}
	}
	if want := "LocalPortRefused: pod web/db: port 5432 of this machine may not be led to by pods: start the region with 'tripod up --local-ports 5432' to allow it"; len(told) != 1 || told[0] != want {
		t.Errorf("got %q, want %q", told, want)
	}
	for i := range 2 * mostTold {
		z.tellOnce(api.Event{Message: strings.Repeat("x", i)})
	}
	if len(told) != mostTold {
		t.Errorf("got %d events, want %d", len(told), mostTold)
	}
}
