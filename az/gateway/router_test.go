package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"tripod/apiserver/launch"
	"tripod/az/plan"
)

const clusterID = "0123456789ABCDEF0123456789ABCDEF"

// zoneOf knows one subnet.
func zoneOf(address netip.Addr) string {
	if netip.MustParsePrefix("10.0.32.0/19").Contains(address) {
		return "us-east-1b"
	}
	return ""
}

// testConfig is zone a's of a region with three.
func testConfig() plan.Zone {
	config := plan.Zone{Region: "us-east-1", AccountID: "000000000000", Zone: "us-east-1a"}
	for i, letter := range []string{"a", "b", "c"} {
		config.Peers = append(config.Peers,
			plan.Peer{Zone: "us-east-1" + letter, ID: "use1-az" + string('1'+rune(i)), RaftPort: 20000 + i,
				RunDir: "/run/tripod/" + letter})
	}
	return config
}

// newRouter is that of a zone with one cluster, whose identity provider is the issuer; empty: it has none.
func newRouter(issuer string) *Router {
	cluster := Cluster{ID: clusterID, Name: "demo", EndpointPort: 20010, Issuer: issuer, ZoneOf: zoneOf}
	return &Router{Zone: testConfig(), Clusters: func() []Cluster { return []Cluster{cluster} }}
}

func TestGatewayKnowsWhatIsOfTheRegion(t *testing.T) {
	r, id := newRouter(""), strings.ToLower(clusterID)
	for _, c := range []struct {
		host string
		port int
		want Destination
	}{
		{"raft-b.tripod.internal", 20001, Destination{Zone: "us-east-1b", Network: "tcp", Address: "127.0.0.1:20001"}},
		{"raft-a.tripod.internal", 20000, Destination{Zone: "us-east-1a", Network: "tcp", Address: "127.0.0.1:20000"}},
		{"etcd-a." + id + ".tripod.internal", 2379,
			Destination{Zone: "us-east-1a", Target: "etcd/a", Network: "tcp", Address: "127.0.0.1:20014"}},
		{"etcd-c." + id + ".tripod.internal", 2379,
			Destination{Zone: "us-east-1c", Target: "etcd/c", Network: "tcp", Address: "127.0.0.1:20016"}},
		{"etcd-c." + id + ".tripod.internal", 2380,
			Destination{Zone: "us-east-1c", Target: "etcd/c", Network: "tcp", Address: "127.0.0.1:20019"}},
		{launch.PodIdentityHost(clusterID), 443,
			Destination{Zone: "us-east-1a", Network: "unix", Address: "/run/tripod/a/podid-01234567.sock"}},
		{launch.AuthenticatorHost(clusterID), 80,
			Destination{Zone: "us-east-1a", Network: "unix", Address: "/run/tripod/a/authn-01234567.sock"}},
		{"extensions-b." + id + ".tripod.internal", 443,
			Destination{Zone: "us-east-1b", Network: "unix", Address: "/run/tripod/b/ext-01234567.sock"}},
		{"10.0.33.5", 10250, Destination{Zone: "us-east-1b", Network: "unix", Address: "/run/tripod/b/nodes-01234567.sock",
			Within: netip.MustParseAddrPort("10.0.33.5:10250"), Held: netip.MustParseAddrPort("10.0.33.5:10250"), Cluster: "demo",
			ClusterID: clusterID}},
		{"10.0.32.10", 443, Destination{Zone: "us-east-1b", Target: "apiserver/b", Network: "tcp", Address: "127.0.0.1:20012",
			Held: netip.MustParseAddrPort("10.0.32.10:443"), Cluster: "demo", ClusterID: clusterID}},
	} {
		got, err := r.Route(t.Context(), c.host, c.port)
		if err != nil || got != c.want {
			t.Errorf("%s:%d leads to %+v (%v), want %+v", c.host, c.port, got, err, c.want)
		}
	}
}

// TestGatewayDeniesEverythingElse: nothing of Tripod ever dials the user's own network, whatever a webhook or an
// endpoint says.
func TestGatewayDeniesEverythingElse(t *testing.T) {
	r, id := newRouter(""), strings.ToLower(clusterID)
	for _, host := range []string{
		"localhost", "127.0.0.1", "127.0.0.2", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1", "::ffff:10.0.0.5",
		"169.254.169.254", "fd00:ec2::254", "metadata.google.internal", "instance-data.ec2.internal",
		"10.0.96.1", "10.1.0.1", "10.255.255.255", "10.100.0.1", "172.16.0.1", "192.168.0.1", "8.8.8.8",
		"2001:4860:4860::8888", "fe80::1%eth0",
		"example.com", "sts.us-east-1.amazonaws.com", "eks.us-east-1.amazonaws.com", "kubernetes.default.svc",
		"web.default.svc",
		"tripod.internal", ".tripod.internal", "x.tripod.internal", "raft-d.tripod.internal", "raft-.tripod.internal",
		"etcd-a.tripod.internal", "etcd-d." + id + ".tripod.internal", "etcd-." + id + ".tripod.internal",
		"apiserver-a." + id + ".tripod.internal", "extensions-d." + id + ".tripod.internal", "172.0.32.0", "172.0.32.1",
		"etcd-a.ffff.tripod.internal", "etcd-a..tripod.internal", "etcd-a." + id + ".tripod.internal.example.com",
		launch.AuthenticatorHost("FFFF"), "x." + launch.AuthenticatorHost(clusterID), "0x7f000001", "127.1", "2130706433", "",
	} {
		for _, port := range []int{0, 1, 22, 80, 443, 2379, 2380, 10250, 10443, 20000, 20010, 20014} {
			if to, err := r.Route(t.Context(), host, port); !errors.Is(err, ErrDenied) {
				t.Errorf("%s:%d leads to %+v (%v), want it denied", host, port, to, err)
			}
		}
	}
	for host, port := range map[string]int{
		"raft-b.tripod.internal": 20000, "etcd-a." + id + ".tripod.internal": 20014, "10.0.33.9": 1 << 16,
	} {
		if to, err := r.Route(t.Context(), host, port); err == nil {
			t.Errorf("%s:%d leads to %+v", host, port, to)
		}
	}
	empty := &Router{Zone: testConfig(), Clusters: func() []Cluster { return nil }}
	for _, host := range []string{"10.0.0.5", "10.0.33.7"} {
		if to, err := empty.Route(t.Context(), host, 10250); !errors.Is(err, ErrDenied) {
			t.Errorf("without a cluster %s leads to %+v (%v)", host, to, err)
		}
	}
}

// TestAnAPIServerFindsWhatItsOwnZoneAddsToItsAPI: at the address that EKS's control planes have for it, and nobody else does.
func TestAnAPIServerFindsWhatItsOwnZoneAddsToItsAPI(t *testing.T) {
	r := newRouter("")
	ask := func(clusterID string, port int) (Destination, error) {
		return r.Route(context.WithValue(t.Context(), cluster{}, clusterID), "172.0.32.0", port)
	}
	want := Destination{Zone: "us-east-1a", Network: "unix", Address: "/run/tripod/a/ext-01234567.sock"}
	if got, err := ask(clusterID, 10443); err != nil || got != want {
		t.Errorf("leads to %+v (%v), want %+v", got, err, want)
	}
	if got, err := ask(clusterID, 443); err == nil {
		t.Errorf("another port leads to %+v", got)
	}
	if got, err := ask("FEDCBA9876543210FEDCBA9876543210", 10443); err == nil {
		t.Errorf("from another cluster leads to %+v", got)
	}
}

// TestNamesOfTheRegionAreAskedOfNobodyElse: even where a cluster's identity provider has such a name, and the
// operator has named it.
func TestNamesOfTheRegionAreAskedOfNobodyElse(t *testing.T) {
	for _, host := range []string{"idp.tripod.internal", "tripod.internal", "IDP.Tripod.Internal",
		"idp.tripod.internal."} {
		r := newRouter("https://" + host)
		r.Zone.OIDCIssuers = []string{strings.ToLower(strings.TrimSuffix(host, ".")) + ":443"}
		if to, err := r.Route(t.Context(), host, 443); !errors.Is(err, ErrDenied) {
			t.Errorf("%s leads to %+v (%v)", host, to, err)
		}
	}
	r := newRouter("https://idp.example.com")
	r.Zone.OIDCIssuers = []string{"idp.example.com:443"}
	if to, err := r.Route(t.Context(), "idp.example.com", 443); err != nil || to.Address != "idp.example.com:443" {
		t.Errorf("a provider that is named leads to %+v (%v)", to, err)
	}
}

func TestRefusedLocalPortsAreToldOnce(t *testing.T) {
	r := newRouter("")
	var told []string
	r.OnRefusedPort = func(cluster string, err error) { told = append(told, cluster+": "+err.Error()) }
	refused := fmt.Errorf("pod web/db: %w", testConfig().LocalPort(5432))
	for range 3 {
		r.TellOnce("demo", refused)
	}
	if want := "demo: pod web/db: port 5432 of this machine may not be led to by pods: start the region with 'tripod " +
		"up --local-ports 5432' to allow it"; len(told) != 1 || told[0] != want {
		t.Errorf("got %q, want %q", told, want)
	}
	for i := range 2 * mostTold {
		r.TellOnce("demo", errors.New(strings.Repeat("x", i)))
	}
	if len(told) != mostTold {
		t.Errorf("got %d events, want %d", len(told), mostTold)
	}
}

// TestGatewayLeadsToNamedProvidersAndTheirKeys: what a user named with --oidc-issuer is reached, for a cluster whose
// provider is named, and never at an address of a network around this machine.
func TestGatewayLeadsToNamedProvidersAndTheirKeys(t *testing.T) {
	for _, c := range []struct {
		named    []string
		provider string
		host     string
		want     bool
	}{
		{[]string{"login.example.com:443"}, "https://login.example.com/realms/main", "login.example.com", true},
		{[]string{"login.example.com:443", "keys.example.com:443"}, "https://login.example.com", "keys.example.com", true},
		{[]string{"login.example.com:443"}, "https://login.example.com", "keys.example.com", false},
		{[]string{"login.example.com:8443"}, "https://login.example.com", "login.example.com", false},
		{[]string{"keys.example.com:443"}, "https://login.example.com", "login.example.com", false},
		{[]string{"keys.example.com:443"}, "https://login.example.com", "keys.example.com", false},
		{[]string{"keys.example.com:443"}, "https://localhost:5556", "keys.example.com", false},
		{[]string{"keys.example.com:443"}, "", "keys.example.com", false},
	} {
		r := newRouter(c.provider)
		r.Zone.OIDCIssuers = c.named
		to, err := r.Route(t.Context(), c.host, 443)
		if got := err == nil && to.Address == c.host+":443"; got != c.want || !got && !errors.Is(err, ErrDenied) {
			t.Errorf("%v, provider %s: %s leads to %+v (%v), want that it is reached: %v", c.named, c.provider, c.host, to,
				err, c.want)
		}
		if !c.want {
			continue
		}
		for address, want := range map[string]bool{"93.184.215.14:443": true, "127.0.0.1:443": true,
			"169.254.169.254:443": false, "10.0.0.2:443": false, "[fd00:ec2::254]:443": false} {
			if err := to.Dialer.Control("tcp", address, nil); (err == nil) != want {
				t.Errorf("%s at %s: got %v, want it reached: %v", c.host, address, err, want)
			}
		}
	}
}

// TestFarProviderIsToldHowToReachIt: the sentence ends in the API server's log.
func TestFarProviderIsToldHowToReachIt(t *testing.T) {
	r := newRouter("https://login.example.com:8443")
	const want = "'tripod up --oidc-issuer https://login.example.com:8443'"
	if _, err := r.Route(t.Context(), "login.example.com", 8443); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestGatewayLeadsToTheProviderOnLoopbackOnly: the address of a cluster's identity provider is the one hole in the
// gateway, and it ends here while the user has named nobody else.
func TestGatewayLeadsToTheProviderOnLoopbackOnly(t *testing.T) {
	r := newRouter("https://raft-b.tripod.internal:20001")
	if to, err := r.Route(t.Context(), "raft-b.tripod.internal", 20001); err != nil || to.Zone != "us-east-1b" {
		t.Errorf("a provider with a name of the region took that: it leads to %+v (%v)", to, err)
	}
	for issuer, c := range map[string]struct {
		host string
		port int
		want string // address; empty: denied
	}{
		"https://localhost:5556/dex":         {"localhost", 5556, "localhost:5556"},
		"https://127.0.0.1:8443/realms/main": {"127.0.0.1", 8443, "127.0.0.1:8443"},
		"https://[::1]":                      {"::1", 443, "[::1]:443"},
		"https://127.0.0.1:8444":             {"127.0.0.1", 8443, ""},
		"https://localhost:5557":             {"127.0.0.1", 5557, ""},
		"https://login.example.com":          {"login.example.com", 443, ""},
		"https://192.168.0.7":                {"192.168.0.7", 443, ""},
		"https://169.254.169.254":            {"169.254.169.254", 443, ""},
		"https://localhost.example.com":      {"localhost.example.com", 443, ""},
	} {
		r := newRouter(issuer)
		to, err := r.Route(t.Context(), c.host, c.port)
		if denied := errors.Is(err, ErrDenied); to.Address != c.want || denied != (c.want == "") {
			t.Errorf("%s: %s:%d leads to %+v (%v), want %q", issuer, c.host, c.port, to, err, c.want)
		}
	}
}

func TestAddressesAreThoseOfTheClusterThatAsks(t *testing.T) {
	const other = "FEDCBA9876543210FEDCBA9876543210"
	r := &Router{Zone: testConfig(), Clusters: func() []Cluster {
		return []Cluster{{ID: clusterID, Name: "demo", ZoneOf: zoneOf}, {ID: other, Name: "other", ZoneOf: zoneOf}}
	}}
	for asking, want := range map[string]string{"": "demo", clusterID: "demo", other: "other", "gone": ""} {
		to, err := r.Route(context.WithValue(t.Context(), cluster{}, asking), "10.0.33.5", 443)
		if to.Cluster != want || (err == nil) != (want != "") {
			t.Errorf("asked by %q the address is of %q (%v), want %q", asking, to.Cluster, err, want)
		}
	}
}
