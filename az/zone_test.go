package az

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tripod/api"
	"tripod/az/plan"
	"tripod/az/zonetest"
	"tripod/internal/pki"
	"tripod/region"
	"tripod/state"
)

// testZone is a region of one zone, with real parts but for the processes of its clusters.
type testZone struct {
	*Zone
	runDir string

	mu     sync.Mutex
	state  State // as last reported
	events []api.Event
}

func newTestZone(t *testing.T) *testZone {
	t.Helper()
	return newTestZones(t, "us-east-1a")[0]
}

// newTestZones are the zones of one region.
func newTestZones(t *testing.T, names ...string) (zones []*testZone) {
	t.Helper()
	dir := zonetest.ShortDir(t)
	t.Cleanup(func() { noneLeft(t) }) // after all have stopped
	authority, err := pki.NewAuthority("Tripod zones", pki.Loopback)
	if err != nil {
		t.Fatal(err)
	}
	var peers []plan.Peer
	for i, name := range names {
		peers = append(peers, plan.Peer{Zone: name, ID: fmt.Sprintf("use1-az%d", i+1), RaftPort: zonetest.FreePort(t),
			RunDir: filepath.Join(dir, "run-"+plan.Letter(name))})
	}
	for _, peer := range peers {
		zones = append(zones, newTestZoneOf(t, authority,
			plan.Zone{Region: "us-east-1", AccountID: "000000000000", Zone: peer.Zone,
				Dir: filepath.Join(dir, "disk-"+plan.Letter(peer.Zone)), Executable: os.Args[0], AWSPort: 4566,
				GatewayPort: zonetest.FreePort(t), GatewaySecret: "open sesame",
				PKI: filepath.Join(dir, "pki-"+plan.Letter(peer.Zone)), Peers: peers}))
	}
	return zones
}

func newTestZoneOf(t *testing.T, authority *pki.Authority, config plan.Zone) *testZone {
	t.Helper()
	for name, leaf := range map[string]pki.Leaf{
		"zone":  {CommonName: config.Zone, Server: true, Client: true, DNS: []string{plan.RaftName(config.Zone)}},
		"front": {CommonName: "front", Server: true, DNS: []string{"localhost"}, IPs: []net.IP{net.IPv4(127, 0, 0, 1)}},
	} {
		pair, err := authority.Issue(leaf)
		if err == nil {
			err = pki.WritePair(config.PKI, name, pair)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := pki.Write(filepath.Join(config.PKI, "ca.crt"), authority.Cert); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(config.RunDir(), 0o700); err != nil {
		t.Fatal(err)
	}
	z := &testZone{Zone: New(config, quiet()), runDir: config.RunDir()}
	z.timing.Precedence = 0 // its API servers answer no handshake
	z.OnReport = func(r Report) {
		z.mu.Lock()
		defer z.mu.Unlock()
		if r.State != nil {
			z.state = *r.State
		}
		if r.Event != nil {
			z.events = append(z.events, *r.Event)
		}
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := z.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return z
}

func (z *testZone) reportedState() State {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.state
}

func (z *testZone) told(kind api.EventType) bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	return slices.ContainsFunc(z.events, func(e api.Event) bool { return e.Type == kind })
}

// states of the instances by target.
func (z *testZone) states() map[string]string {
	states := map[string]string{}
	for _, i := range z.reportedState().Instances {
		states[i.Target] = i.State
	}
	return states
}

func (z *testZone) await(t *testing.T, target, state string) {
	t.Helper()
	zonetest.Eventually(t, target+" is "+state, func() bool { return z.states()[target] == state },
		func() any { return z.states() })
}

func (z *testZone) agent() Agent { return Agent{z.runDir} }

// order gives an order that has an answer of no interest, in time.
func (z *testZone) order(t *testing.T, component, verb string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := z.agent().Instance(ctx, component, "demo", verb)
	return err
}

// found makes the cluster "demo", changed by some of the caller's wishes.
func (z *testZone) found(t *testing.T, wishes ...func(*region.Cluster)) {
	t.Helper()
	founding := Founding{User: region.User{Name: "admin"}, AccessKey: region.AccessKey{ID: "AKIA", User: "admin"},
		Cluster: region.Cluster{ID: zonetest.ClusterID, Name: "demo", Version: "1.36", EndpointPort: zonetest.FreePort(t),
			ServiceCIDR: "10.100.0.0/16"}}
	for _, wish := range wishes {
		wish(&founding.Cluster)
	}
	zonetest.Eventually(t, "the founding", func() bool {
		return z.agent().Found(t.Context(), founding) == nil
	}, func() any { return z.reportedState() })
}

func TestStateLastsAsLongAsTheRecordSays(t *testing.T) {
	z := newTestZone(t)
	var clock atomic.Int64 // seconds after the beginning
	began := time.Now()
	z.now = func() time.Time { return began.Add(time.Duration(clock.Load()) * time.Second) }
	if err := z.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	at := func(seconds int) *time.Time { end := began.Add(time.Duration(seconds) * time.Second); return &end }
	z.found(t, func(c *region.Cluster) { c.NotBefore = at(600) })
	status := func() (status region.ClusterStatus) {
		z.voter.View(func(tx *state.Txn) error {
			c, _ := region.Clusters.Get(tx, zonetest.ClusterID)
			status = c.Status
			return nil
		})
		return status
	}
	z.await(t, "controllers/a", api.StateReady)
	clock.Store(599)
	if got := status(); got != "CREATING" {
		t.Errorf("after 599 s of 600 it is %q", got)
	}
	clock.Store(600)
	zonetest.Eventually(t, "the cluster is ACTIVE", func() bool { return status() == "ACTIVE" },
		func() any { return status() })
	if err := z.voter.Update(t.Context(), func(tx *state.Txn) error {
		c, _ := region.Clusters.Get(tx, zonetest.ClusterID)
		c.Status, c.NotBefore, c.DeletedAt = region.ClusterDeleting, at(900), at(600)
		region.Clusters.Put(tx, zonetest.ClusterID, c)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	zonetest.Eventually(t, "its processes are gone", func() bool { return len(z.instances("")) == 0 },
		func() any { return z.states() })
	if got := status(); got != "DELETING" {
		t.Errorf("before its time it is %q", got)
	}
	clock.Store(900)
	zonetest.Eventually(t, "the record is gone", func() bool { return status() == "" }, func() any { return status() })
}

func TestFailedClusterRunsNothingAndCanBeDeleted(t *testing.T) {
	z := newTestZone(t)
	if err := z.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	z.found(t, func(c *region.Cluster) { c.Issues = []region.ClusterIssue{{Code: "ResourceLimitExceeded"}} })
	shown := func() []ClusterState { return z.reportedState().Clusters }
	zonetest.Eventually(t, "it shows",
		func() bool { return len(shown()) == 1 && shown()[0].Status == region.ClusterFailed }, func() any { return shown() })
	if err := z.voter.Update(t.Context(), func(tx *state.Txn) error {
		c, _ := region.Clusters.Get(tx, zonetest.ClusterID)
		now := time.Now()
		c.Status, c.DeletedAt = region.ClusterDeleting, &now
		region.Clusters.Put(tx, zonetest.ClusterID, c)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	zonetest.Eventually(t, "it is gone", func() bool { return len(shown()) == 0 }, func() any { return shown() })
	if z.told(api.InstanceStarted) {
		t.Error("processes of a cluster that had failed were started")
	}
}

func TestZoneRunsItsPartOfACluster(t *testing.T) {
	z := newTestZone(t)
	if err := z.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	z.found(t)
	for _, target := range []string{"etcd/a", "apiserver/a", "controllers/a"} {
		z.await(t, target, api.StateReady)
	}
	zonetest.Eventually(t, "the cluster is ACTIVE", func() bool {
		clusters := z.reportedState().Clusters
		return len(clusters) == 1 && clusters[0].Status == region.ClusterActive && z.told(api.ClusterActive)
	}, func() any { return z.reportedState() })
	if state := z.reportedState(); !state.Serving || state.RaftLeader != "us-east-1a" {
		t.Errorf("state %+v", state)
	}
	z.found(t) // what is there is left alone

	t.Run("verbs", func(t *testing.T) { testVerbs(t, z) })
	t.Run("orders that make no sense", func(t *testing.T) { testBadOrders(t, z) })
	t.Run("faults of records", func(t *testing.T) { testFaults(t, z) })
	t.Run("metrics", func(t *testing.T) { testMetrics(t, z) })
	t.Run("AWS front", func(t *testing.T) {
		transport := &http.Transport{DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", plan.FrontSocket(z.runDir))
			}}
		response, err := (&http.Client{Transport: transport}).Get("http://localhost/healthz")
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("got %v, %v", response, err)
		}
		response.Body.Close()
	})
	t.Run("sockets and files are the user's alone", func(t *testing.T) {
		for _, dir := range []string{z.runDir, z.config.Dir} {
			filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
				if errors.Is(err, fs.ErrNotExist) {
					return nil // a part that starts renames its files meanwhile
				}
				// the test's own etcd makes that one
				if err != nil || info.Mode().Perm()&0o077 != 0 && dir == z.config.Dir || info.Mode()&os.ModeSocket != 0 &&
					info.Mode().Perm()&0o077 != 0 && !strings.HasPrefix(info.Name(), "etcd") {
					t.Errorf("%s: %v, %v", path, info.Mode(), err)
				}
				return nil
			})
		}
	})
}

func testVerbs(t *testing.T, z *testZone) {
	for _, step := range []struct{ verb, state string }{
		{"pause", api.StatePaused}, {"resume", api.StateReady}, {"stop", api.StateStopped}, {"stop", api.StateStopped},
		{"start", api.StateReady},
		{"pause", api.StatePaused}, {"reset", api.StateReady}, {"kill", api.StateReady},
	} {
		if err := z.order(t, "apiserver", step.verb); err != nil {
			t.Errorf("%s: %v", step.verb, err)
		}
		z.await(t, "apiserver/a", step.state)
	}
	z.await(t, "controllers/a", api.StateReady)
}

func testBadOrders(t *testing.T, z *testZone) {
	if err := z.order(t, "apiserver", "stop"); err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]order{
		`there is no verb "dance"`: {route: routeInstance, values: []string{"apiserver", "dance"},
			cluster: "demo"},
		"has no scheduler": {route: routeInstance, values: []string{"scheduler", "kill"},
			cluster: "demo"},
		`has no etcd of a cluster "other"`: {route: routeInstance, values: []string{"etcd", "kill"}, cluster: "other"},
		`has no etcd/../b of a cluster "a&b"`: {route: routeInstance, values: []string{"etcd/../b", "kill"},
			cluster: "a&b"},
		"does not run, so it cannot be paused": {route: routeInstance, values: []string{"apiserver", "pause"},
			cluster: "demo"},
		`there is no verb "dance" for a record`: {route: routeFault, values: []string{"dance"}, in: updateOf("demo")},
		`no cluster "nobody"`:                   {route: routeFault, values: []string{"fault"}, in: updateOf("nobody")},
		"is no target of a fault":               {route: routeFault, values: []string{"reset"}, in: updateOf("")},
		"404":                                   {route: "POST /v1/nothing"},
		"EOF":                                   {route: routeUnreachable},
		"unexpected end":                        {route: routeFound, in: json.RawMessage(`{"cluster":`)},
	} {
		if err := z.agent().call(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", o.path(), err, want)
		}
	}
	if err := z.order(t, "apiserver", "start"); err != nil {
		t.Fatal(err)
	}
	if err := (Agent{filepath.Join(z.runDir, "none")}).Found(t.Context(), Founding{}); err == nil ||
		!strings.Contains(err.Error(), "does not answer") {
		t.Errorf("to an agent that is not there: %v", err)
	}
}

func updateOf(cluster string) api.FaultOrder {
	return api.FaultOrder{Target: api.Target{Kind: api.KindUpdate, Name: cluster}}
}

// testFaults: an order's answer has the state that it made, and other zones hear of that by reports.
func testFaults(t *testing.T, z *testZone) {
	answer, err := z.agent().Fault(t.Context(), api.FaultVerb, updateOf("demo"))
	if err != nil || len(answer.State.Faults) != 1 || answer.State.Faults[0].Target != "update/demo" ||
		answer.Done.Said != "will fail" {
		t.Errorf("got %+v, %v", answer, err)
	}
	var refused *Refusal
	if _, err := z.agent().Fault(t.Context(), api.FaultVerb, updateOf("nobody")); !errors.As(err, &refused) {
		t.Errorf("a refusal arrives as %v", err)
	}
	limit := api.FaultOrder{Target: api.Target{Kind: api.KindCapacity, Name: "a"}, For: time.Millisecond}
	if _, err := z.agent().Fault(t.Context(), api.FaultVerb, limit); err != nil {
		t.Fatal(err)
	}
	if _, err := z.agent().Fault(t.Context(), api.Reset, updateOf("demo")); err != nil {
		t.Fatal(err)
	}
	zonetest.Eventually(t, "its time is over", func() bool {
		return z.told(api.FaultCleared) && len(z.reportedState().Faults) == 0
	}, func() any { return z.reportedState().Faults })
}

func testMetrics(t *testing.T, z *testZone) {
	for want, ask := range map[string]func(io.Writer) error{
		`tripod_gateway_connections_total{`: func(to io.Writer) error { return z.agent().Metrics(t.Context(), to) },
		"etcd_server_is_leader 1": func(to io.Writer) error {
			return z.agent().InstanceMetrics(t.Context(),
				"etcd", "demo", to)
		},
	} {
		if _, err := z.gateway.Dial(t.Context(), "nowhere:1"); err == nil {
			t.Error("the gateway lets somebody out")
		}
		var text bytes.Buffer
		if err := ask(&text); err != nil || !strings.Contains(text.String(), want) {
			t.Errorf("%v, without %s:\n%s", err, want, &text)
		}
	}
	err := z.agent().InstanceMetrics(t.Context(), "apiserver", "demo", &bytes.Buffer{}) // the fake one has none
	if err == nil || !strings.HasPrefix(err.Error(), "apiserver/a does not answer: ") ||
		strings.Contains(err.Error(), "%!w") {
		t.Errorf("of a process that does not answer: %v", err)
	}
}

func TestZoneThatCannotStartUndoesItsWork(t *testing.T) {
	z := newTestZone(t)
	busy, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", z.config.Peers[0].RaftPort))
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	err = z.Start(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), "zone us-east-1a: start regional state: ") ||
		!strings.Contains(err.Error(), "address already in use") {
		t.Errorf("got %v", err)
	}
	noneLeft(t)
	if conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", z.config.GatewayPort)); err == nil {
		conn.Close()
		t.Error("its gateway still listens")
	}
}

func TestZoneStopsBeforeStartAndTwice(t *testing.T) {
	z := newTestZone(t)
	for range 2 {
		if err := z.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	z = newTestZone(t)
	if err := z.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := z.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
