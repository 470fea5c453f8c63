package system

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"tripod/api"
	"tripod/client"
)

// failedVisit is a new connection that was in vain.
type failedVisit struct {
	opened, ended time.Time
	first         *time.Time // when the endpoint's first byte came; nil if none did
	err           error
}

// visitors open new connections to the endpoint all the time.
type visitors struct {
	mu      sync.Mutex
	opened  int
	failed  []failedVisit
	longest time.Duration

	cancel context.CancelFunc
	wait   sync.WaitGroup
}

// keepVisiting starts four visitors that end with the test, or with stop.
func keepVisiting(t testing.TB, config *rest.Config) *visitors {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	v := &visitors{cancel: cancel}
	for range 4 {
		v.wait.Go(func() { v.visit(ctx, config) })
	}
	t.Cleanup(v.stop)
	return v
}

func (v *visitors) stop() {
	v.cancel()
	v.wait.Wait()
}

func (v *visitors) visit(ctx context.Context, config *rest.Config) {
	pause := time.NewTicker(10 * time.Millisecond)
	defer pause.Stop()
	for ctx.Err() == nil {
		one, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		opened := time.Now()
		first, err := visit(one, config)
		cancel()
		v.mu.Lock()
		v.opened++
		v.longest = max(v.longest, time.Since(opened))
		if err != nil {
			v.failed = append(v.failed, failedVisit{opened, time.Now(), first, err})
		}
		v.mu.Unlock()
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
	}
}

// verify checks what the balancer promises (lb/DESIGN.md): a new connection is carried to a living zone for as long as
// nothing has come back on it. One that had its first byte from a zone that was lost to the balancer before the end may
// be reset.
func (v *visitors) verify(t testing.TB, r *testRegion) {
	t.Helper()
	v.stop()
	losses := r.losses(t)
	resets := 0
	for _, failed := range v.failed {
		lost := slices.ContainsFunc(losses, func(at time.Time) bool { // the event is told a moment after the reset
			return at.After(failed.opened) && at.Before(failed.ended.Add(2*time.Second))
		})
		if failed.first != nil && lost {
			resets++
			continue
		}
		t.Errorf("a connection opened at %s failed: %v (first byte: %v)", failed.opened.Format("15:04:05.000"), failed.err,
			failed.first)
	}
	t.Logf("%d new connections, the longest took %v; %d were reset in mid-handshake as their zone died", v.opened,
		v.longest.Round(time.Millisecond), resets)
}

// losses are the moments at which the cluster's balancer lost a target.
func (r *testRegion) losses(t testing.TB) (at []time.Time) {
	t.Helper()
	must(t, "read the events", r.Events(within(t, 10*time.Second), 0, false, func(event api.Event) error {
		if event.Type == "TargetUnhealthy" && event.Cluster != "" {
			at = append(at, event.Time)
		}
		return nil
	}))
	return at
}

func TestWritesAndAccessSurviveEachZoneLostInTurn(t *testing.T) {
	t.Parallel()
	r := startRegion(t)
	guests := invite(t, r)
	entries := keepWriting(t, r, "journal")
	entries.goesOn(t, 20, 30*time.Second)
	visits := keepVisiting(t, r.config(t))
	for i, zone := range []string{"a", "b", "c"} {
		cluster := r.cluster(t)
		t.Logf("kill zone %s; etcd is led by %s, the regional state by %s", zone, letter(cluster.EtcdLeader),
			letter(r.status(t).State.Leader))
		before := r.zone(t, zone)
		r.do(t, "kill", "az/"+zone)
		// The verb returns when the effect is there.
		if got := r.zone(t, zone); got.State != api.StateKilled || running(before.PID) {
			t.Errorf("after kill az/%s the zone is %s, and its process runs: %v", zone, got.State, running(before.PID))
		}
		for _, instance := range before.Instances {
			if running(instance.PID) {
				t.Errorf("after kill az/%s its %s still runs (pid %d)", zone, instance.Target, instance.PID)
			}
		}
		entries.goesOn(t, 30, 20*time.Second)
		if got := r.status(t); got.Phase != api.PhaseDegraded || len(got.Faults) != 1 {
			t.Errorf("with one zone lost the region is %s with faults %v, want degraded with one", got.Phase, got.Faults)
		}
		guests.withoutZone(t, i)
		r.do(t, "start", "az/"+zone)
		r.await(t, 60*time.Second, "region", client.ForHealthy)
		entries.goesOn(t, 10, 20*time.Second)
		guests.withAllZones(t)
	}
	entries.verify(t)
	visits.verify(t, r)
}

func TestQuorumLossIsSaidAndHealsByItself(t *testing.T) {
	t.Parallel()
	r := startRegion(t)
	kube := r.kube(t)
	namespace(t, kube, "quorum")
	write := func(name string, d time.Duration) error {
		ctx, cancel := context.WithTimeout(context.Background(), d)
		defer cancel()
		_, err := kube.CoreV1().ConfigMaps("quorum").Create(ctx, configMap(name, ""), metav1.CreateOptions{})
		return err
	}
	must(t, "write", write("before", time.Minute))
	r.do(t, "kill", "az/a")
	r.do(t, "kill", "az/b")

	r.await(t, 5*time.Second, "region", client.ForNoQuorum)
	status := r.status(t)
	if status.Phase != api.PhaseNoQuorum || status.State.Quorum || status.Clusters[0].Quorum {
		t.Errorf("with two zones lost the region is %s, quorum of the state %v, of etcd %v", status.Phase,
			status.State.Quorum, status.Clusters[0].Quorum)
	}
	if out, _, _ := tripod(t, r.dir, "status"); !strings.Contains(strings.ToLower(out), "quorum") {
		t.Errorf("tripod status does not speak of the quorum:\n%s", out)
	}
	if err := write("without", 5*time.Second); err == nil {
		t.Error("a write was acknowledged without quorum")
	}
	services := r.awsClients(t, awsHTTP)
	services.read(t)

	r.do(t, "start", "az/a")
	begin := time.Now()
	eventually(t, 40*time.Second, "writes go on after one zone came back", func() (bool, string) {
		err := write(fmt.Sprintf("after-%d", time.Now().UnixNano()), 5*time.Second)
		return err == nil, fmt.Sprint(err)
	})
	t.Logf("writes went on %.1f s after the zone's start", time.Since(begin).Seconds())
	r.await(t, 10*time.Second, "region", client.ForQuorum)
	if _, err := kube.CoreV1().ConfigMaps("quorum").Get(within(t, 10*time.Second), "before",
		metav1.GetOptions{}); err != nil {
		t.Errorf("what was written before is lost: %v", err)
	}
	r.do(t, "start", "az/b")
	r.await(t, 60*time.Second, "region", client.ForHealthy)
}

// TestNodesOfALostZoneAreReplaced: they are not Ready after Kubernetes' grace period, and go; their group runs others where
// zones live, whose nodes stay Ready. With the zone back there are as many as before.
func TestNodesOfALostZoneAreReplaced(t *testing.T) {
	t.Parallel()
	r := startRegion(t)
	kube := r.kube(t)
	look := func() (ready, notReady map[string]int, err error) {
		nodes, err := kube.CoreV1().Nodes().List(within(t, 5*time.Second), metav1.ListOptions{})
		if err != nil {
			return nil, nil, err
		}
		ready, notReady = map[string]int{}, map[string]int{}
		for _, node := range nodes.Items {
			zone := node.Labels["topology.kubernetes.io/zone"]
			if isReady(node) {
				ready[zone]++
			} else {
				notReady[zone]++
			}
		}
		return ready, notReady, nil
	}
	all := func() (bool, string) {
		ready, notReady, err := look()
		total := 0
		for _, count := range ready {
			total += count
		}
		return err == nil && total == 3 && len(notReady) == 0, fmt.Sprint(ready, notReady, err)
	}
	eventually(t, time.Minute, "three Ready nodes", all)
	r.do(t, "kill", "az/c")
	begin := time.Now()
	eventually(t, 2*time.Minute, "no Ready node in the lost zone", func() (bool, string) { // EKS: 50 s
		ready, notReady, err := look()
		if notReady["us-east-1a"]+notReady["us-east-1b"] > 0 {
			t.Fatalf("a node of a zone that lives went NotReady: %v", notReady)
		}
		return err == nil && ready["us-east-1c"] == 0 && ready["us-east-1a"]+ready["us-east-1b"] == 3,
			fmt.Sprint(ready, notReady, err)
	})
	t.Logf("the lost zone's node is out after %.1f s", time.Since(begin).Seconds())
	r.do(t, "start", "az/c")
	eventually(t, 4*time.Minute, "three Ready nodes again", all)
}
