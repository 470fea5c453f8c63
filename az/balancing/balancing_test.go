package balancing

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"tripod/internal/reconcile"
	"tripod/lb/handover"
	"tripod/nodes/network"
	"tripod/region"
	"tripod/state"
)

const (
	balancerARN = "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/net/web/0123456789abcdef"
	groupARN    = "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/web/0123456789abcdef"
)

// world is a zone with a network load balancer of one listener and targets in two zones.
type world struct {
	t     *testing.T
	state *state.Memory
	host  *Host
	pod   string // where the pods are really
}

func newWorld(t *testing.T) *world {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(conn, "pod")
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close() })
	w := &world{t: t, state: state.NewMemory(region.Schema), pod: l.Addr().String()}
	w.host = New(Options{Zone: "us-east-1a", State: w.state, OnChange: func() {},
		Clusters: func() []string { return []string{"OTHER", "DEMO"} }, Dial: w.dial, Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(w.host.Close)
	w.write(func(tx *state.Txn) error {
		b, err := region.CreateBalancer(tx, region.LoadBalancer{Name: "web", ARN: balancerARN, ID: "0123456789abcdef",
			Type: region.NetworkBalancer, Zones: []region.BalancerZone{{Zone: "us-east-1a"}, {Zone: "us-east-1b"}},
			Attributes: map[string]string{"load_balancing.cross_zone.enabled": "true"}}, true, time.Now())
		if err != nil {
			return err
		}
		region.TargetGroups.Put(tx, "web", region.TargetGroup{Name: "web", ARN: groupARN, Type: "ip", Protocol: "TCP", Port: 80,
			Check: region.HealthCheck{Enabled: true, Protocol: "TCP", Port: "traffic-port", Interval: 30, Timeout: 10, Healthy: 2, Unhealthy: 2}})
		l := region.Listener{ARN: balancerARN[:len(balancerARN)-len("loadbalancer/net/web/0123456789abcdef")] +
			"listener/net/web/0123456789abcdef/1", LoadBalancer: b.ARN, Protocol: "TCP", Port: 80,
			Actions: []region.RuleAction{{Type: region.ActionForward, Forward: &region.ForwardAction{
				Groups: []region.WeightedGroup{{TargetGroup: groupARN, Weight: 1}}}}}}
		region.Listeners.Put(tx, l.Key(), l)
		for id, zone := range map[string]string{"10.0.0.5": "us-east-1a", "10.0.32.5": "us-east-1b"} {
			region.RegisterTarget(tx, region.Target{Group: "web", ID: id, Port: 80, Zone: zone}, time.Now())
		}
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); reconcile.Run(ctx, w.host.Loops()...) }()
	t.Cleanup(func() { cancel(); <-ended })
	return w
}

func (w *world) dial(ctx context.Context, cluster string, _ network.Source, _ netip.AddrPort) (net.Conn, error) {
	if cluster != "DEMO" {
		return nil, network.ErrNoAddress
	}
	return new(net.Dialer).DialContext(ctx, "tcp", w.pod)
}

func (w *world) write(fn func(*state.Txn) error) {
	w.t.Helper()
	if err := w.state.Update(w.t.Context(), fn); err != nil {
		w.t.Fatal(err)
	}
}

// until waits until the records are as said.
func (w *world) until(what string, holds func(*state.Txn) bool) {
	w.t.Helper()
	changes, end := w.state.Watch()
	defer end()
	late := time.After(20 * time.Second)
	for {
		is := false
		w.state.View(func(tx *state.Txn) error { is = holds(tx); return nil })
		if is {
			return
		}
		select {
		case <-changes:
		case <-late:
			w.t.Fatalf("%s: not so", what)
		}
	}
}

func health(tx *state.Txn, id string) region.TargetHealth {
	r, _ := region.TargetReports.Get(tx, region.TargetKey("web", id, 80)+"/us-east-1a")
	return r.State
}

func TestLoadBalancerCarriesAndItsTargetsAreFoundHealthy(t *testing.T) {
	w := newWorld(t)
	w.until("it is active", func(tx *state.Txn) bool {
		b, _ := region.FindBalancer(tx, balancerARN)
		return b.State == region.BalancerActive
	})
	w.until("both targets are healthy", func(tx *state.Txn) bool {
		return health(tx, "10.0.0.5") == region.TargetHealthy && health(tx, "10.0.32.5") == region.TargetHealthy
	})
	w.state.View(func(tx *state.Txn) error {
		shown := Shown(tx, time.Now())
		if len(shown) != 1 || shown[0].Targets != 2 || shown[0].Healthy != 2 ||
			!slices.Equal(shown[0].Zones, []string{"us-east-1a", "us-east-1b"}) {
			t.Errorf("shown as %+v", shown)
		}
		return nil
	})
	socket := filepath.Join(t.TempDir(), "elb.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go w.host.Serve(l)
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer front.Close()
	client, err := net.Dial("tcp", front.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := front.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if err := handover.Give(t.Context(), socket, conn, handover.Offer{Balancer: balancerARN, Port: 80}); err != nil {
		t.Fatal(err)
	}
	client.SetDeadline(time.Now().Add(20 * time.Second))
	if got, err := io.ReadAll(client); string(got) != "pod" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestTargetsOfAZoneThatIsOutAreUnhealthyAtOnce(t *testing.T) {
	w := newWorld(t)
	w.until("it is healthy", func(tx *state.Txn) bool { return health(tx, "10.0.32.5") == region.TargetHealthy })
	w.write(func(tx *state.Txn) error {
		region.ZoneOutages.Put(tx, "us-east-1b", region.ZoneOutage{Zone: "us-east-1b", Since: time.Now()})
		return nil
	})
	w.until("its target is unhealthy", func(tx *state.Txn) bool {
		return health(tx, "10.0.32.5") == region.TargetUnhealthy && health(tx, "10.0.0.5") == region.TargetHealthy
	})
	w.write(func(tx *state.Txn) error { region.ZoneOutages.Delete(tx, "us-east-1b"); return nil })
	w.until("it is back", func(tx *state.Txn) bool { return health(tx, "10.0.32.5") == region.TargetHealthy })
}

func TestDrainedTargetsAreForgotten(t *testing.T) {
	w := newWorld(t)
	w.until("it is healthy", func(tx *state.Txn) bool { return health(tx, "10.0.32.5") == region.TargetHealthy })
	w.write(func(tx *state.Txn) error {
		region.DeregisterTarget(tx, region.TargetKey("web", "10.0.32.5", 80), 50*time.Millisecond, time.Now())
		return nil
	})
	w.until("it is gone", func(tx *state.Txn) bool { return len(region.TargetsOf(tx, "web")) == 1 })
}
