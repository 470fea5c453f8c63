package state

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// testRegion is three voters in this process, over loopback and TLS, whose addresses are names that only its dialer
// knows.
type testRegion struct {
	dir    string
	peers  []Peer
	server map[string]*tls.Config
	client *tls.Config
	timing Timing

	voters map[string]*Voter

	mu        sync.Mutex
	listeners map[string]string // address by name
	cut       map[string]bool   // zones that nobody reaches, and that reach nobody
	conns     map[string][]net.Conn
}

func newTestRegion(t testing.TB) *testRegion {
	t.Helper()
	r := &testRegion{
		dir: t.TempDir(), voters: map[string]*Voter{}, server: map[string]*tls.Config{},
		listeners: map[string]string{}, cut: map[string]bool{}, conns: map[string][]net.Conn{},
	}
	r.certificates(t)
	for _, zone := range []string{"a", "b", "c"} {
		r.peers = append(r.peers, Peer{zone, "raft-" + zone + ".tripod.internal:7000"})
	}
	for _, zone := range []string{"a", "b", "c"} {
		r.voters[zone] = r.voter(t, zone)
	}
	return r
}

// startRegion starts all voters at once and waits for a leader that all know.
func startRegion(t testing.TB) *testRegion {
	t.Helper()
	r := newTestRegion(t)
	r.start(t)
	r.agree(t)
	return r
}

func (r *testRegion) start(t testing.TB) {
	t.Helper()
	var wg sync.WaitGroup
	for _, v := range r.voters {
		wg.Go(func() {
			if err := v.Start(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// voter makes a voter on a new port, and ends it with the test.
func (r *testRegion) voter(t testing.TB, zone string) *Voter {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	r.listeners["raft-"+zone+".tripod.internal:7000"] = listener.Addr().String()
	r.mu.Unlock()
	logger := slog.New(slog.DiscardHandler)
	if os.Getenv("STATE_TEST_LOG") != "" {
		logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	v := NewVoter(Config{
		Zone: zone, Schema: testSchema, Dir: filepath.Join(r.dir, zone), Listener: listener, Peers: r.peers,
		ServerTLS: r.server[zone], ClientTLS: r.client, Timing: r.timing, Logger: logger,
		Dial: func(ctx context.Context, address string) (net.Conn, error) { return r.dial(ctx, zone, address) },
	})
	t.Cleanup(func() {
		listener.Close()
		v.Kill()
	})
	return v
}

func (r *testRegion) dial(ctx context.Context, from, address string) (net.Conn, error) {
	to := address[len("raft-"):len("raft-x")]
	r.mu.Lock()
	at, cut := r.listeners[address], r.cut[from] || r.cut[to]
	r.mu.Unlock()
	if cut {
		return nil, fmt.Errorf("dial %s: the link is cut", address)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", at)
	if err == nil {
		r.mu.Lock()
		r.conns[from], r.conns[to] = append(r.conns[from], conn), append(r.conns[to], conn)
		r.mu.Unlock()
	}
	return conn, err
}

// isolate cuts the zone's links; heal mends all.
func (r *testRegion) isolate(zone string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut[zone] = true
	for _, conn := range r.conns[zone] {
		conn.Close()
	}
	r.conns[zone] = nil
}

func (r *testRegion) heal() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.cut)
}

// agree waits until all running voters know the same leader, one that runs, and returns its zone.
func (r *testRegion) agree(t testing.TB) string {
	t.Helper()
	var leader string
	eventually(t, func() error {
		leader = ""
		for zone, v := range r.voters {
			if v.running() == nil {
				continue
			}
			now := v.Leader()
			if now == "" || (leader != "" && now != leader) || r.voters[now].running() == nil {
				return fmt.Errorf("zone %s takes %q for the leader, another %q", zone, now, leader)
			}
			leader = now
		}
		return nil
	})
	return leader
}

// followers returns the zones that do not lead.
func (r *testRegion) followers(leader string) []string {
	var out []string
	for _, p := range r.peers {
		if p.Zone != leader {
			out = append(out, p.Zone)
		}
	}
	return out
}

// put writes a user through the voter and fails the test if it cannot.
func put(t testing.TB, to Updater, name, arn string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := to.Update(ctx, func(tx *Txn) error {
		users.Put(tx, name, user{Name: name, ARN: arn})
		return nil
	}); err != nil {
		t.Fatalf("put %s: %v", name, err)
	}
}

// arn reads a user's ARN; "" if there is none.
func arn(from Viewer, name string) string {
	var u user
	if err := from.View(func(tx *Txn) error { u, _ = users.Get(tx, name); return nil }); err != nil {
		return err.Error()
	}
	return u.ARN
}

func wantARN(t testing.TB, from Viewer, name, want string) {
	t.Helper()
	eventually(t, func() error {
		if got := arn(from, name); got != want {
			return fmt.Errorf("ARN of %s: got %q, want %q", name, got, want)
		}
		return nil
	})
}

// eventually polls until check has no complaint, and fails with the last one.
func eventually(t testing.TB, check func() error) {
	t.Helper()
	deadline := time.Now().Add(8 * time.Second)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		<-time.After(time.Millisecond)
	}
}

func (r *testRegion) certificates(t testing.TB) {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	must(err)
	ca, err = x509.ParseCertificate(caDER)
	must(err)
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	issue := func(name string, usage x509.ExtKeyUsage) tls.Certificate {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(err)
		der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
			SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
		}, ca, &key.PublicKey, caKey)
		must(err)
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	}
	for _, zone := range []string{"a", "b", "c"} {
		r.server[zone] = &tls.Config{
			Certificates: []tls.Certificate{issue("raft-"+zone+".tripod.internal", x509.ExtKeyUsageServerAuth)}, ClientCAs: pool,
		}
	}
	r.client = &tls.Config{Certificates: []tls.Certificate{issue("voter", x509.ExtKeyUsageClientAuth)}, RootCAs: pool}
}

var errTest = errors.New("the function's own error")
