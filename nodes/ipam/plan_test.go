package ipam

import (
	"net/netip"
	"testing"
	"time"
)

var began = time.Date(2026, 11, 29, 18, 0, 0, 0, time.UTC)

// large are the limits of m5.large.
var large = Limits{Interfaces: 3, Addresses: 10, Nitro: true}

// world grows and shrinks a node's pool by its plan, as if no subnet were ever full.
type world struct {
	Node
	now  time.Time
	last byte
}

func newWorld(env map[string]string) *world {
	return &world{Node: Node{Limits: large, Settings: SettingsOf(env), Interfaces: []Interface{{ID: "eni-0", Primary: true}},
		Used: map[netip.Addr]bool{}, Cooling: map[netip.Addr]time.Time{}, Listed: true}, now: began}
}

// settle does what the plan says until nothing is left to do, and answers when something follows.
func (w *world) settle(t *testing.T) time.Time {
	t.Helper()
	for range 20 {
		step, next := Plan(w.Node, w.now)
		if step.Kind == Nothing {
			return next
		}
		w.do(step)
	}
	t.Fatal("it never rests")
	return time.Time{}
}

func (w *world) do(step Step) {
	at := 0
	for i := range w.Interfaces {
		if w.Interfaces[i].ID == step.Interface {
			at = i
		}
	}
	switch step.Kind {
	case Attach:
		w.Interfaces = append(w.Interfaces, Interface{ID: "eni-" + string('0'+w.last+1), Created: w.now})
		at = len(w.Interfaces) - 1
		fallthrough
	case Assign:
		for range step.Count {
			w.last++
			if step.Prefixes {
				w.Interfaces[at].Prefixes = append(w.Interfaces[at].Prefixes, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, w.last, 0}), 28))
			} else {
				w.Interfaces[at].Addresses = append(w.Interfaces[at].Addresses, netip.AddrFrom4([4]byte{10, 0, 0, w.last}))
			}
		}
	case Detach:
		w.Interfaces = append(w.Interfaces[:at:at], w.Interfaces[at+1:]...)
	case Unassign:
		w.Shrunk = w.now
		drop := map[netip.Addr]bool{}
		for _, a := range step.Addresses {
			drop[a] = true
		}
		var left []netip.Addr
		for _, a := range w.Interfaces[at].Addresses {
			if !drop[a] {
				left = append(left, a)
			}
		}
		w.Interfaces[at].Addresses = left
		w.Interfaces[at].Prefixes = w.Interfaces[at].Prefixes[len(step.Blocks):]
	}
}

// use lets as many pods have addresses.
func (w *world) use(pods int) {
	for _, i := range w.Interfaces {
		for _, a := range i.Addresses {
			if pods > 0 && !w.Used[a] {
				w.Used[a] = true
				pods--
			}
		}
		for _, p := range i.Prefixes {
			for a := p.Addr(); p.Contains(a); a = a.Next() {
				if pods > 0 && !w.Used[a] {
					w.Used[a] = true
					pods--
				}
			}
		}
	}
}

func (w *world) has(t *testing.T, when string, interfaces, total int) {
	t.Helper()
	if c := w.count(); c.interfaces != interfaces || c.total != total {
		t.Errorf("%s: %d interfaces with %d addresses, want %d with %d", when, c.interfaces, c.total, interfaces, total)
	}
}

func TestTheSettingsDecideHowLargeAPoolIs(t *testing.T) {
	for _, tt := range []struct {
		name              string
		env               map[string]string
		pods              int
		interfaces, total int
	}{
		{"an idle node has its first interface filled", nil, 0, 1, 9},
		{"one pod and a whole interface is kept free beside it", nil, 1, 2, 18},
		{"no more interfaces than the type has", nil, 20, 3, 27},
		{"WARM_ENI_TARGET 0", map[string]string{"WARM_ENI_TARGET": "0"}, 1, 1, 9},
		{"WARM_IP_TARGET", map[string]string{"WARM_IP_TARGET": "2"}, 3, 1, 5},
		{"WARM_IP_TARGET over an interface's end", map[string]string{"WARM_IP_TARGET": "2"}, 9, 2, 11},
		{"MINIMUM_IP_TARGET", map[string]string{"WARM_IP_TARGET": "1", "MINIMUM_IP_TARGET": "6"}, 2, 1, 6},
		{"MAX_ENI", map[string]string{"MAX_ENI": "2"}, 12, 2, 18},
		{"a prefix", map[string]string{"ENABLE_PREFIX_DELEGATION": "true", "WARM_PREFIX_TARGET": "1"}, 0, 1, 16},
		{"a free prefix beside a used one", map[string]string{"ENABLE_PREFIX_DELEGATION": "true", "WARM_PREFIX_TARGET": "1"}, 1, 1, 32},
		{"prefixes by WARM_IP_TARGET", map[string]string{"ENABLE_PREFIX_DELEGATION": "true", "WARM_IP_TARGET": "5"}, 10, 1, 16},
		{"prefixes by WARM_IP_TARGET, two", map[string]string{"ENABLE_PREFIX_DELEGATION": "true", "WARM_IP_TARGET": "7"}, 10, 1, 32},
		{"custom networking leaves the first interface out", map[string]string{"AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG": "true"}, 0, 2, 9},
	} {
		w := newWorld(tt.env)
		w.settle(t)
		for range tt.pods {
			w.use(1)
			w.settle(t)
		}
		w.has(t, tt.name, tt.interfaces, tt.total)
		if next := w.settle(t); !next.IsZero() {
			t.Errorf("%s: it looks again at %s", tt.name, next)
		}
	}
}

func TestPodsThatWaitCount(t *testing.T) {
	w := newWorld(nil)
	w.Waiting = 12
	w.settle(t)
	w.has(t, "12 pods at once", 3, 27)
}

func TestAnInterfaceThatNobodyNeedsGoesAfterAMinute(t *testing.T) {
	w := newWorld(nil)
	w.settle(t)
	w.use(9)
	w.settle(t)
	w.use(1)
	w.settle(t)
	w.has(t, "ten pods", 3, 27)
	for a := range w.Used {
		delete(w.Used, a)
		w.Cooling[a] = w.now.Add(w.Cooldown)
	}
	next := w.settle(t)
	w.has(t, "at once after the pods", 3, 27)
	if want := began.Add(youth); !next.Equal(want) {
		t.Fatalf("it looks again at %s, want %s", next, want)
	}
	w.now = next
	if next = w.settle(t); !next.IsZero() {
		t.Errorf("it looks again at %s", next)
	}
	w.has(t, "a minute later", 1, 9)
	w.Listed = false
	if step, _ := Plan(w.Node, w.now); step.Kind != Nothing {
		t.Errorf("a node whose pods are not known gives back: %+v", step)
	}
}

func TestAddressesOverTheTargetsGoBack(t *testing.T) {
	w := newWorld(map[string]string{"WARM_IP_TARGET": "2"})
	w.settle(t)
	w.use(2)
	w.settle(t)
	w.has(t, "two pods", 1, 4)
	for a := range w.Used {
		delete(w.Used, a)
		w.Cooling[a] = w.now.Add(w.Cooldown)
	}
	w.now = w.now.Add(time.Second)
	next := w.settle(t)
	w.has(t, "those that do not rest are given back at once", 1, 2)
	if !next.IsZero() {
		t.Errorf("it looks again at %s", next)
	}
}

func TestASubnetThatIsFullIsLeftAlone(t *testing.T) {
	w := newWorld(nil)
	w.Paused = began.Add(FullPause)
	if step, next := Plan(w.Node, w.now); step.Kind != Nothing || !next.Equal(w.Paused) {
		t.Errorf("got %+v, %s", step, next)
	}
	w.Waiting, w.Cooling[netip.MustParseAddr("10.0.0.9")] = 1, began.Add(30*time.Second)
	if _, next := Plan(w.Node, w.now); !next.Equal(began.Add(30 * time.Second)) {
		t.Errorf("a pod that waits is not told of an address that has rested: %s", next)
	}
}

func TestSettingsThatCannotBeReadAreNotSet(t *testing.T) {
	got := SettingsOf(map[string]string{"WARM_ENI_TARGET": "many", "WARM_IP_TARGET": "-1", "MAX_ENI": "0", "ENABLE_POD_ENI": "perhaps",
		"ENI_CONFIG_LABEL_DEF": "topology.kubernetes.io/zone", "CLUSTER_NAME": "demo"})
	want := Defaults()
	want.ConfigLabel, want.Cluster = "topology.kubernetes.io/zone", "demo"
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
