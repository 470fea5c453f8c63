package system

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"tripod/api"
	"tripod/client"
)

// longSleep is longer than all that a region waits for before it takes something for dead: a node's health (50 s),
// leases (15 s), elections.
const longSleep = 55 * time.Second

// TestSleepingRegionIsWokenUnharmed: whatever sleeps costs no processor time, is served at its first word, and nobody
// is taken for dead who slept too.
func TestSleepingRegionIsWokenUnharmed(t *testing.T) {
	t.Parallel()
	r := bringUp(t, newDir(t), "--sleep-after", "3s")
	r.await(t, time.Minute, "region", client.ForHealthy)
	config := r.config(t)
	hangUp := dialWith(config)
	kube := mustClient(t, config)
	namespace(t, kube, "dreams")
	serviceAccount(t, kube, "dreams") // the controllers would be stopped before they make it
	nodes := readySince(t, kube)
	before, since := r.leaders(t), r.lastEvent(t)

	must(t, "sleep", r.Sleep(within(t, 20*time.Second)))
	must(t, "sleep again", r.Sleep(within(t, 20*time.Second)))
	hangUp() // else the client asks after half a minute whether somebody is there, which wakes the region
	spent := r.processorTime(t)
	time.Sleep(longSleep) // the story is of time that passes
	if now := r.processorTime(t); now != spent {
		t.Errorf("asleep, the zones' processes used %v of processor time", now-spent)
	}
	// and looking does not wake it
	if status := r.status(t); status.Phase != api.PhaseAsleep || status.AsleepSince == nil {
		t.Errorf("the phase is %s since %v", status.Phase, status.AsleepSince)
	}
	begin := time.Now()
	write(t, kube, "first")
	t.Logf("a write was acknowledged after %v", time.Since(begin).Round(time.Millisecond))
	eventually(t, 30*time.Second, "all lead as before: "+before, func() (bool, string) {
		now := r.leaders(t)
		return now == before, now
	})
	schedulePod(t, kube, "first")
	if now := readySince(t, kube); !slices.Equal(now, nodes) {
		t.Errorf("nodes are ready since %v, were since %v", now, nodes)
	}

	// A connection that is open all the while, and a watch over it.
	config.Timeout = 0 // it would end watches
	kube = mustClient(t, config)
	watched, err := kube.CoreV1().ConfigMaps("dreams").Watch(t.Context(),
		metav1.ListOptions{FieldSelector: "metadata.name=second"})
	must(t, "watch", err)
	must(t, "sleep", r.Sleep(within(t, 20*time.Second)))
	r.awaitAsleep(t)
	begin = time.Now()
	write(t, kube, "second")
	t.Logf("a write over an open connection was acknowledged after %v", time.Since(begin).Round(time.Millisecond))
	select {
	case event := <-watched.ResultChan():
		if event.Type != watch.Added {
			t.Errorf("the watch got %+v", event)
		}
	case <-within(t, 10*time.Second).Done():
		t.Error("the watch does not go on")
	}
	watched.Stop()
	hangUp()

	// By itself, once nobody speaks any more; and the AWS endpoint wakes it as well as a cluster's.
	r.awaitAsleep(t)
	begin = time.Now()
	services := r.awsClients(t, awsHTTP)
	_, err = services.sts.GetCallerIdentity(within(t, 10*time.Second), &sts.GetCallerIdentityInput{})
	must(t, "wake it by an AWS call", err)
	t.Logf("an AWS call was answered after %v", time.Since(begin).Round(time.Millisecond))
	services.hangUp()
	for _, alarm := range r.alarmsSince(t, since) {
		t.Error("a false alarm: " + alarm)
	}
	r.awaitAsleep(t)
	r.do(t, "kill", "etcd/b") // an order needs it awake
	r.await(t, time.Minute, "region", client.ForHealthy)
	r.awaitAsleep(t)
	if _, stderr, code := tripod(t, r.dir, "down"); code != 0 {
		t.Errorf("down: exit code %d: %s", code, stderr)
	}
}

// TestSleepingRegionThatIsKilledLeavesNothing, though nobody of its zones can notice.
func TestSleepingRegionThatIsKilledLeavesNothing(t *testing.T) {
	t.Parallel()
	r := bringUp(t, newDir(t), "--nodes", "0")
	must(t, "sleep", r.Sleep(within(t, 20*time.Second)))
	must(t, "SIGKILL", syscall.Kill(r.status(t).PID, syscall.SIGKILL))
	noProcesses(t, r.dir)
}

// dialWith gives the configuration connections that are its own; hangUp ends those that are open.
func dialWith(config *rest.Config) (hangUp func()) {
	var mu sync.Mutex
	var open []net.Conn
	config.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
		}
		return conn, err
	}
	return func() {
		mu.Lock()
		defer mu.Unlock()
		for _, conn := range open {
			conn.Close()
		}
		open = nil
	}
}

func write(t testing.TB, kube kubernetes.Interface, name string) {
	t.Helper()
	_, err := kube.CoreV1().ConfigMaps("dreams").Create(within(t, 10*time.Second), configMap(name, name),
		metav1.CreateOptions{})
	must(t, "write", err)
}

// schedulePod returns when a new pod has a node.
func schedulePod(t testing.TB, kube kubernetes.Interface, name string) {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "c"}}}}
	_, err := kube.CoreV1().Pods("dreams").Create(within(t, 20*time.Second), pod, metav1.CreateOptions{})
	must(t, "make a pod", err)
	eventually(t, 30*time.Second, "the pod has a node", func() (bool, string) {
		got, err := kube.CoreV1().Pods("dreams").Get(within(t, 10*time.Second), name, metav1.GetOptions{})
		return err == nil && got.Spec.NodeName != "", fmt.Sprint(err)
	})
}

// leaders says who leads the regional state, the controllers, those of the cloud and the scheduler, once all are led.
func (r *testRegion) leaders(t testing.TB) (all string) {
	t.Helper()
	eventually(t, 20*time.Second, "all have a leader", func() (bool, string) {
		status := r.status(t)
		c := status.Clusters[0]
		cloud := ""
		for _, zone := range status.Zones {
			for _, i := range zone.Instances {
				if slices.Contains(i.Leads, "cloud-controller-manager") {
					cloud = zone.Name
				}
			}
		}
		all = fmt.Sprintf("%s, %s, %s, %s", status.State.Leader, c.Controllers, cloud, c.Scheduler)
		return status.State.Leader != "" && c.Controllers != "" && cloud != "" && c.Scheduler != "", all
	})
	return all
}

func (r *testRegion) awaitAsleep(t testing.TB) {
	t.Helper()
	eventually(t, 30*time.Second, "the region sleeps", func() (bool, string) {
		status := r.status(t)
		return status.Phase == api.PhaseAsleep, status.Phase
	})
}

// processorTime is what all processes of the zones have used so far.
func (r *testRegion) processorTime(t testing.TB) (total time.Duration) {
	t.Helper()
	for _, zone := range r.status(t).Zones {
		total += processorTime(t, zone.PID)
		for _, instance := range zone.Instances {
			total += processorTime(t, instance.PID)
		}
	}
	return total
}

// readySince says of every node when it became ready.
func readySince(t testing.TB, kube kubernetes.Interface) (all []string) {
	t.Helper()
	list, err := kube.CoreV1().Nodes().List(within(t, 20*time.Second), metav1.ListOptions{})
	must(t, "list nodes", err)
	for _, node := range list.Items {
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady {
				all = append(all, node.Name+" "+string(condition.Status)+" "+condition.LastTransitionTime.String())
			}
		}
	}
	return all
}
