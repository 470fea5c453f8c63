package system

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tripod/api"
	"tripod/client"
)

// TestAZoneThatIsCutOffIsLeftOutAndComesBack: the zone that leads etcd is parted from the others, both ways and then one way. Clients go on
// with the others, nothing that was acknowledged is lost, and all is well again when the link is healed.
func TestAZoneThatIsCutOffIsLeftOutAndComesBack(t *testing.T) {
	t.Parallel()
	r := startRegion(t)
	entries := keepWriting(t, r, "parted")
	entries.goesOn(t, 10, 30*time.Second)
	for _, fault := range []api.LinkFault{{}, {OneWay: true}, {Reject: true}} {
		leader := letter(r.cluster(t).EtcdLeader)
		must(t, "cut off zone "+leader, r.Partition(within(t, 30*time.Second), leader+"-"+api.AllZones, fault))
		begun := time.Now()
		eventually(t, 60*time.Second, "the zone is known to be cut off", func() (bool, string) {
			is := r.instance(t, "etcd/"+leader)
			held := r.targetReason(t, "demo", leader)
			return is.State == api.StateUnready && strings.Contains(held, "no leader"), is.State + ", " + held
		})
		t.Logf("%s is cut off, %+v: known after %.1f s", leader, fault, time.Since(begun).Seconds())
		entries.goesOn(t, 20, 30*time.Second)
		if got := r.status(t); got.Phase != api.PhaseDegraded || len(got.Faults) != 2 || letter(got.Clusters[0].EtcdLeader) == leader {
			t.Errorf("with zone %s cut off the region is %s with faults %v, and etcd is led by %s", leader, got.Phase, got.Faults,
				got.Clusters[0].EtcdLeader)
		}
		for range 9 { // no client is sent there
			_, err := r.kube(t).CoreV1().Namespaces().Get(within(t, 5*time.Second), "parted", metav1.GetOptions{})
			must(t, "read with a zone cut off", err)
		}
		must(t, "heal", r.Heal(within(t, 30*time.Second), leader+"-"+api.AllZones))
		r.await(t, 60*time.Second, "region", client.ForHealthy)
		entries.goesOn(t, 10, 20*time.Second)
	}
	entries.verify(t)
}

// targetReason is why a balancer does not use a zone, empty while it does.
func (r *testRegion) targetReason(t testing.TB, balancer, zone string) string {
	t.Helper()
	for _, b := range r.status(t).Balancers {
		for _, target := range b.Targets {
			if b.Name == balancer && letter(target.Zone) == zone && !target.Healthy {
				return target.Reason
			}
		}
	}
	return ""
}

// TestLinksToClientsAreSlowAndCut: clients feel the latency of their way to a zone, and where it is cut they are sent to others. What is in
// force is in force after a restart, and ends by itself.
func TestLinksToClientsAreSlowAndCut(t *testing.T) {
	t.Parallel()
	r := startRegion(t)
	ctx := within(t, 3*time.Minute)
	must(t, "slow the ways of clients", r.Slow(ctx, "all-clients", api.LinkFault{Latency: 100 * time.Millisecond}))
	begun := time.Now()
	if _, err := r.kube(t).CoreV1().Namespaces().Get(ctx, "default", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took < 600*time.Millisecond { // to connect, TLS and the request: a round trip each
		t.Errorf("a request took %v over a link with a latency of 100 ms each way", took)
	}
	must(t, "heal them", r.Heal(ctx, "all-clients"))
	must(t, "cut the way to zone b", r.Partition(ctx, "b-clients", api.LinkFault{For: time.Hour}))
	eventually(t, 30*time.Second, "the balancers leave zone b out", func() (bool, string) {
		why := r.targetReason(t, "demo", "b")
		return why != "", why
	})
	out, _, code := tripod(t, r.dir, "status")
	if code != 0 || !strings.Contains(out, "link/b-clients") {
		t.Errorf("tripod status does not show the link's fault:\n%s", out)
	}
	must(t, "down", r.Close(within(t, time.Minute)))
	r = bringUp(t, r.dir)
	if faults := r.status(t).Faults; len(faults) != 1 || faults[0].Target != "link/b-clients" || faults[0].Until == nil {
		t.Errorf("after a restart these faults are in force: %v", faults)
	}
	if out, errs, code := tripod(t, r.dir, "partition", "link/b-clients", "--for", "1s"); code != 0 {
		t.Errorf("%s%s", out, errs)
	}
	r.await(t, 60*time.Second, "region", client.ForHealthy)
	if faults := r.status(t).Faults; len(faults) != 0 {
		t.Errorf("a fault whose time is over is in force: %v", faults)
	}
	for _, c := range []struct{ args, want string }{
		{"partition link/a-d", "there is no link/a-d in us-east-1"},
		{"partition az/a", `"az/a" is no target of 'tripod partition': write link/a-b`},
		{"slow link/a-b", "say how the link is slow"},
		{"slow link/a-b --bandwidth fast", `"fast" is no bandwidth`},
	} {
		if _, errs, code := tripod(t, r.dir, strings.Fields(c.args)...); code == 0 || !strings.Contains(errs, c.want) {
			t.Errorf("%s: %d, %s", c.args, code, errs)
		}
	}
}
