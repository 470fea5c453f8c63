package etcdcluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"tripod/internal/pki"
)

// quickTimers make elections short; the machine of a test is busy, so they are not the shortest.
var quickTimers = Timers{Heartbeat: 20, Election: 200}

// trio is a cluster whose members reach each other without a gateway.
type trio struct {
	configs []Config
	members []*Member
	leads   []atomic.Bool // as each member last told
	client  *clientv3.Client
	tls     *tls.Config // a client's
}

// newCluster makes n members that are not started, and a client of them. They are stopped at the end of the test.
func newCluster(t *testing.T, n int) *trio {
	t.Helper()
	dir := t.TempDir()
	authority, err := pki.NewAuthority("etcd-ca", pki.Loopback)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Issue(pki.Leaf{CommonName: "etcd", Server: true, Client: true, DNS: []string{"localhost"},
		IPs: []net.IP{net.IPv4(127, 0, 0, 1)}})
	if err == nil {
		err = errors.Join(pki.WritePair(dir, "etcd", pair), pki.Write(filepath.Join(dir, "ca.crt"), authority.Cert))
	}
	if err != nil {
		t.Fatal(err)
	}
	ports := freePorts(t, 2*n)
	c := &trio{leads: make([]atomic.Bool, n)}
	peers, endpoints := map[string]string{}, []string(nil)
	for i := range n {
		name := fmt.Sprintf("etcd-%c", 'a'+i)
		peers[name] = fmt.Sprintf("https://127.0.0.1:%d", ports[2*i])
		endpoints = append(endpoints, fmt.Sprintf("https://127.0.0.1:%d", ports[2*i+1]))
		c.configs = append(c.configs, Config{Name: name, Token: t.Name(), Dir: filepath.Join(dir, name), Members: peers,
			ListenPeer: fmt.Sprintf("127.0.0.1:%d", ports[2*i]), ListenClient: fmt.Sprintf("127.0.0.1:%d", ports[2*i+1]),
			ClientURL: endpoints[i],
			TLS: TLS{CA: filepath.Join(dir, "ca.crt"), Cert: filepath.Join(dir, "etcd.crt"),
				Key: filepath.Join(dir, "etcd.key")}, Timers: quickTimers, QuotaBytes: 1 << 28})
		c.members = append(c.members, nil)
		c.renew(i)
	}
	cert, err := pair.TLS()
	if err != nil {
		t.Fatal(err)
	}
	c.tls = &tls.Config{RootCAs: authority.Pool(), Certificates: []tls.Certificate{cert}}
	c.client, err = clientv3.New(clientv3.Config{Endpoints: endpoints, TLS: c.tls})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.client.Close()
		var stops sync.WaitGroup
		for _, m := range c.members {
			stops.Go(func() {
				if err := m.Stop(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		stops.Wait()
	})
	return c
}

// renew makes a new value of a member, as a new process does.
func (c *trio) renew(i int) *Member {
	c.members[i] = New(c.configs[i])
	c.members[i].OnRole = func(role Role) { c.leads[i].Store(role == Leader) }
	return c.members[i]
}

// freePorts were free a moment ago, all at once.
func freePorts(t *testing.T, n int) (ports []int) {
	t.Helper()
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// start starts those members at once and waits for them.
func (c *trio) start(t *testing.T, which ...int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	started := make(chan error)
	for _, i := range which {
		go func() { started <- c.members[i].Start(ctx) }()
	}
	for range which {
		if err := <-started; err != nil {
			t.Fatal(err)
		}
	}
}

// leader waits until exactly one of the members tells that it leads.
func (c *trio) leader(t *testing.T, among ...int) int {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		var leading []int
		for _, i := range among {
			if c.leads[i].Load() {
				leading = append(leading, i)
			}
		}
		if len(leading) == 1 {
			return leading[0]
		}
		if time.Now().After(deadline) {
			t.Fatalf("of %v these say that they lead: %v", among, leading)
		}
	}
}

// put writes until it is acknowledged.
func (c *trio) put(t *testing.T, key, value string) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err = c.client.Put(ctx, key, value)
		cancel()
		if err == nil {
			return
		}
	}
	t.Fatalf("put %s: %v", key, err)
}

func (c *trio) get(t *testing.T, key string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	response, err := c.client.Get(ctx, key)
	if err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	if len(response.Kvs) == 0 {
		return ""
	}
	return string(response.Kvs[0].Value)
}

// TestClusterSurvivesLossOfLeader, and a member that returns has its data.
func TestClusterSurvivesLossOfLeader(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.start(t, 0, 1, 2)
	lost := c.leader(t, 0, 1, 2)
	c.put(t, "before", "1")
	if err := c.members[lost].Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	left := slices.DeleteFunc([]int{0, 1, 2}, func(i int) bool { return i == lost })
	c.put(t, "without", "2")
	c.leader(t, left...)
	c.leads[lost].Store(false)
	c.renew(lost)
	c.start(t, lost)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	one, err := clientv3.New(clientv3.Config{Endpoints: []string{c.configs[lost].ClientURL}, TLS: c.tls})
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	for _, key := range []string{"before", "without"} {
		if response, err := one.Get(ctx, key); err != nil || len(response.Kvs) != 1 {
			t.Errorf("the member that returned lacks %q: %v", key, err)
		}
	}
}

func TestMemberKeepsItsDataOverARestart(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1)
	c.start(t, 0)
	c.leader(t, 0)
	c.put(t, "key", "value")
	for range 2 {
		if err := c.members[0].Stop(t.Context()); err != nil { // twice is no error
			t.Fatal(err)
		}
	}
	c.start(t, 0) // the same value can be started again
	if got := c.get(t, "key"); got != "value" {
		t.Errorf("after the restart: %q", got)
	}
	if err := c.members[0].Start(t.Context()); err == nil || !strings.Contains(err.Error(), "runs already") {
		t.Errorf("to start it twice: %v", err)
	}
}

func TestOnlyWhoHasACertificateIsServed(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1)
	c.start(t, 0)
	stranger, err := pki.NewAuthority("stranger", pki.Loopback)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := stranger.Issue(pki.Leaf{CommonName: "etcd", Client: true})
	if err != nil {
		t.Fatal(err)
	}
	cert, err := pair.TLS()
	if err != nil {
		t.Fatal(err)
	}
	for name, certificates := range map[string][]tls.Certificate{"none": nil, "a stranger's": {cert}} {
		for _, address := range []string{c.configs[0].ListenClient, c.configs[0].ListenPeer} {
			conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, Certificates: certificates})
			if err == nil {
				conn.SetDeadline(time.Now().Add(5 * time.Second))
				_, err = conn.Read(make([]byte, 1)) // TLS 1.3 refuses behind the handshake
				conn.Close()
			}
			if remote := new(net.OpError); !errors.As(err, &remote) || remote.Op != "remote error" {
				t.Errorf("certificate %s at %s: %v", name, address, err)
			}
		}
	}
}

func TestStopBeforeStart(t *testing.T) {
	if err := New(Config{}).Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestStartWithoutQuorumLeavesNothing when its context ends.
func TestStartWithoutQuorumLeavesNothing(t *testing.T) {
	c := newCluster(t, 3)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, errors.New("enough"))
	defer cancel()
	err := c.members[0].Start(ctx)
	if err == nil || err.Error() != "etcd member etcd-a: it found no quorum: enough" {
		t.Errorf("got %v", err)
	}
	for _, address := range []string{c.configs[0].ListenClient, c.configs[0].ListenPeer} {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Errorf("a port is still held: %v", err)
			continue
		}
		listener.Close()
	}
	var left string
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		left = ""
		text := make([]byte, 4<<20)
		text = text[:runtime.Stack(text, true)]
		for stack := range strings.SplitSeq(string(text), "\n\n") {
			if strings.Contains(stack, "etcd/server/v3") && !strings.Contains(stack, "testing.tRunner") {
				left += stack + "\n\n"
			}
		}
		if left == "" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("still running:\n%s", left)
		}
	}
	c.start(t, 0, 1, 2) // what it wrote is no obstacle
	c.put(t, "key", "value")
}

func TestConfigThatCannotBe(t *testing.T) {
	config := Config{Name: "etcd-a", ListenClient: "127.0.0.1:1", ListenPeer: "127.0.0.1:2", ClientURL: "://",
		Members: map[string]string{"etcd-b": "https://b:1"}}
	err := New(config).Start(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), "etcd member etcd-a: ") ||
		!strings.Contains(err.Error(), `"://" is not a URL`) || !strings.Contains(err.Error(), `"" is not a URL`) {
		t.Errorf("got %v", err)
	}
}

func TestTakenPortIsSaid(t *testing.T) {
	c := newCluster(t, 1)
	busy, err := net.Listen("tcp", c.configs[0].ListenClient)
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	if err := c.members[0].Start(t.Context()); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("got %v", err)
	}
}

func TestTimersAreOnesThatEtcdTakes(t *testing.T) {
	c := newCluster(t, 1)
	for _, timers := range []Timers{CalmTimers, FastTimers} {
		c.configs[0].Timers = timers
		config, err := c.configs[0].embedded()
		if err != nil {
			t.Fatal(err)
		}
		if err := config.Validate(); err != nil {
			t.Error(err)
		}
		if !config.PreVote || !config.ClientTLSInfo.ClientCertAuth || !config.PeerTLSInfo.ClientCertAuth {
			t.Error("a member takes strangers, or unseats leaders")
		}
	}
}
