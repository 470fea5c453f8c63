package system

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"tripod/api"
	"tripod/client"
)

// noticed waits until the zone is in a state, and tells how long that took.
func (r *testRegion) noticed(t testing.TB, zone, want string) {
	t.Helper()
	begin := time.Now()
	eventually(t, 10*time.Second, "zone "+zone+" is "+want, func() (bool, string) {
		got := r.zone(t, zone).State
		return got == want, got
	})
	t.Logf("zone %s was seen to be %s after %v", zone, want, time.Since(begin).Round(time.Millisecond))
}

// targetHealth says what the balancers think of a zone.
func (r *testRegion) targetHealth(t testing.TB, zone string) (healthy, unhealthy int) {
	t.Helper()
	for _, balancer := range r.status(t).Balancers {
		for _, target := range balancer.Targets {
			if letter(target.Zone) == zone && target.Healthy {
				healthy++
			} else if letter(target.Zone) == zone {
				unhealthy++
			}
		}
	}
	return healthy, unhealthy
}

func TestPausedZone(t *testing.T) {
	t.Parallel()
	r := startRegion(t)
	entries := keepWriting(t, r, "journal")
	entries.goesOn(t, 20, 30*time.Second)

	// By the verb, and the zone that hurts most: the one that leads etcd.
	zone := letter(r.cluster(t).EtcdLeader)
	r.do(t, "pause", "az/"+zone)
	paused := r.zone(t, zone)
	if paused.State != api.StatePaused {
		t.Errorf("after pause the zone is %s", paused.State)
	}
	for _, instance := range paused.Instances {
		if got := state(instance.PID); got != 'T' {
			t.Errorf("%s is in state %c, want T", instance.Target, got)
		}
	}
	r.do(t, "pause", "az/"+zone) // again is no error
	entries.goesOn(t, 20, 20*time.Second)
	if healthy, _ := r.targetHealth(t, zone); healthy != 0 {
		t.Errorf("%d balancers take the paused zone for healthy", healthy)
	}
	r.do(t, "resume", "az/"+zone)
	r.await(t, 40*time.Second, "region", client.ForHealthy)
	entries.goesOn(t, 10, 20*time.Second)

	// By somebody else's hand.
	zone = letter(r.cluster(t).EtcdLeader)
	pid := r.zone(t, zone).PID
	must(t, "SIGSTOP the zone's process group", syscall.Kill(-pid, syscall.SIGSTOP))
	r.noticed(t, zone, api.StatePaused)
	entries.goesOn(t, 20, 20*time.Second)
	must(t, "SIGCONT the zone's process group", syscall.Kill(-pid, syscall.SIGCONT))
	r.noticed(t, zone, api.StateReady)
	r.await(t, 40*time.Second, "region", client.ForHealthy)
	entries.goesOn(t, 10, 20*time.Second)
	entries.verify(t)
	if r.zone(t, zone).PID != pid {
		t.Error("the paused zone was replaced")
	}
}

func TestZoneKilledFromOutsideIsNoticed(t *testing.T) {
	t.Parallel()
	r := startRegion(t)
	entries := keepWriting(t, r, "journal")
	entries.goesOn(t, 10, 30*time.Second)
	before := r.zone(t, "b")
	must(t, "SIGKILL the zone's process group", syscall.Kill(-before.PID, syscall.SIGKILL))
	r.noticed(t, "b", api.StateKilled)
	for _, instance := range before.Instances {
		if running(instance.PID) {
			t.Errorf("%s of the killed zone still runs", instance.Target)
		}
	}
	entries.goesOn(t, 30, 20*time.Second)
	if got := r.zone(t, "b"); got.State != api.StateKilled || got.PID != 0 {
		t.Errorf("the killed zone is %s (pid %d): it must stay down until start", got.State, got.PID)
	}
	r.do(t, "start", "az/b")
	r.await(t, 60*time.Second, "region", client.ForHealthy)

	// Its leader alone: what it led goes with it.
	before = r.zone(t, "b")
	must(t, "SIGKILL the zone's agent", syscall.Kill(before.PID, syscall.SIGKILL))
	r.noticed(t, "b", api.StateKilled)
	eventually(t, 3*time.Second, "the agent's children end with it", func() (bool, string) {
		for _, instance := range before.Instances {
			if running(instance.PID) {
				return false, instance.Target + " runs"
			}
		}
		return true, ""
	})
	r.do(t, "reset", "az/b")
	r.await(t, 60*time.Second, "region", client.ForHealthy)
	entries.verify(t)
}

func TestInstanceFaults(t *testing.T) {
	t.Parallel()
	r := startRegion(t)
	entries := keepWriting(t, r, "journal")
	kube := r.kube(t)
	namespace(t, kube, "pods")
	serviceAccount(t, kube, "pods")
	entries.goesOn(t, 10, 30*time.Second)
	for _, component := range []string{"etcd", "apiserver", "controllers"} {
		target := component + "/b"
		t.Log(target)
		killedIsReplaced(t, r, target, func(int) { r.do(t, "kill", target) })
		entries.goesOn(t, 10, 20*time.Second)
		killedIsReplaced(t, r, target, func(pid int) { must(t, "SIGKILL", syscall.Kill(pid, syscall.SIGKILL)) })
		pausedStaysPaused(t, r, entries, target)
		stoppedStaysStopped(t, r, entries, target)
	}
	leaderIsFollowed(t, r, kube)

	// Reset undoes whatever was done.
	r.do(t, "stop", "etcd/a")
	r.do(t, "pause", "apiserver/b")
	r.do(t, "stop", "controllers/c")
	if faults := r.status(t).Faults; len(faults) != 3 {
		t.Errorf("the status shows the faults %v, want three", faults)
	}
	must(t, "reset", r.Reset(within(t, 60*time.Second)))
	if status := r.status(t); status.Phase != api.PhaseReady || len(status.Faults) != 0 {
		t.Errorf("after reset the region is %s with faults %v", status.Phase, status.Faults)
	}
	entries.verify(t)
}

// killedIsReplaced kills an instance and waits for its successor.
func killedIsReplaced(t *testing.T, r *testRegion, target string, kill func(pid int)) {
	t.Helper()
	before := r.instance(t, target)
	kill(before.PID)
	eventually(t, 30*time.Second, target+" is replaced", func() (bool, string) {
		now := r.instance(t, target)
		return now.State == api.StateReady && now.PID != before.PID && now.Restarts > before.Restarts, fmt.Sprintf("%+v", now)
	})
	if running(before.PID) {
		t.Errorf("%s runs twice", target)
	}
	r.await(t, 30*time.Second, "region", client.ForHealthy)
}

func pausedStaysPaused(t *testing.T, r *testRegion, entries *journal, target string) {
	t.Helper()
	before := r.instance(t, target)
	r.do(t, "pause", target)
	if now := r.instance(t, target); now.State != api.StatePaused || state(before.PID) != 'T' {
		t.Errorf("after pause %s is %s, its process in state %c", target, now.State, state(before.PID))
	}
	entries.goesOn(t, 20, 20*time.Second)
	if now := r.instance(t, target); now.State != api.StatePaused || now.PID != before.PID {
		t.Errorf("paused %s is now %s with pid %d, was %d", target, now.State, now.PID, before.PID)
	}
	r.do(t, "resume", target)
	eventually(t, 30*time.Second, target+" is ready again", func() (bool, string) {
		now := r.instance(t, target)
		return now.State == api.StateReady, fmt.Sprintf("%+v", now)
	})
	r.await(t, 30*time.Second, "region", client.ForHealthy)
}

func stoppedStaysStopped(t *testing.T, r *testRegion, entries *journal, target string) {
	t.Helper()
	before := r.instance(t, target)
	r.do(t, "stop", target)
	if running(before.PID) {
		t.Errorf("after stop %s still runs", target)
	}
	entries.goesOn(t, 100, 30*time.Second) // longer than a zone waits before it replaces what died
	if now := r.instance(t, target); now.State != api.StateStopped || now.PID != 0 {
		t.Errorf("stopped %s is %s with pid %d", target, now.State, now.PID)
	}
	r.do(t, "stop", target) // again is no error
	r.do(t, "start", target)
	eventually(t, 30*time.Second, target+" is ready again", func() (bool, string) {
		now := r.instance(t, target)
		return now.State == api.StateReady, fmt.Sprintf("%+v", now)
	})
	r.await(t, 30*time.Second, "region", client.ForHealthy)
}

// leaderIsFollowed kills the controllers that lead and the zone that leads: a new pod is bound soon after each.
func leaderIsFollowed(t *testing.T, r *testRegion, kube *kubernetes.Clientset) {
	t.Helper()
	for n, kind := range []string{"controllers", "az"} {
		leader := letter(r.cluster(t).Scheduler)
		if leader == "" {
			t.Fatal("the status names no leader of the schedulers")
		}
		name := fmt.Sprintf("pod-%d", n)
		begin := time.Now()
		r.do(t, "kill", kind+"/"+leader)
		eventually(t, 5*time.Second, "create a pod", func() (bool, string) {
			_, err := kube.CoreV1().Pods("pods").Create(within(t, 2*time.Second), pod(name), metav1.CreateOptions{})
			return err == nil, fmt.Sprint(err)
		})
		var got *corev1.Pod
		eventually(t, 20*time.Second, "the new pod is bound", func() (ok bool, state string) {
			var err error
			got, err = kube.CoreV1().Pods("pods").Get(within(t, 2*time.Second), name, metav1.GetOptions{})
			return err == nil && got.Spec.NodeName != "", fmt.Sprint(err)
		})
		t.Logf("a new pod was bound %.1f s after kill %s/%s, which led", time.Since(begin).Seconds(), kind, leader)
		if kind == "az" {
			r.do(t, "start", "az/"+leader)
		}
		r.await(t, 60*time.Second, "region", client.ForHealthy)
	}
}
