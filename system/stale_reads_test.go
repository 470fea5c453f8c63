package system

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"tripod/client"
)

// TestNoReadIsStaleWhereAMemberWasPaused: reads that are under way at an etcd member while it stands still, or at one that still takes
// itself for the leader, must not answer with less than what was acknowledged elsewhere before they began
// (https://github.com/etcd-io/etcd/issues/20418). Each zone's own API server is asked, which asks its own member first; members are
// paused by the region, which tells the others, and by a signal of somebody else. TRIPOD_SOAK makes it longer, TRIPOD_SEED chooses.
func TestNoReadIsStaleWhereAMemberWasPaused(t *testing.T) {
	t.Parallel()
	r := startRegion(t)
	r.await(t, 2*time.Minute, "region", client.ForHealthy)
	f := &freshness{region: r}
	f.begin(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var working sync.WaitGroup
	working.Go(func() { f.write(ctx, mustClient(t, r.config(t))) })
	credentials, err := client.ReadCredentials(r.dir)
	must(t, "read the credentials", err)
	for zone, config := range r.everyAPIServer(t, keysOf(credentials)) {
		config.QPS = -1
		for range 4 {
			working.Go(func() { f.read(ctx, mustClient(t, config), zone) })
		}
	}
	random := rand.New(rand.NewPCG(historySeed, 20418))
	lasts := max(20*time.Second, min(soaking, 10*time.Minute)) // a token is good for 15 minutes
	paused := 0
	for until := time.Now().Add(lasts); time.Now().Before(until); paused++ {
		f.pauseOne(t, random, paused%2 == 0)
	}
	cancel()
	working.Wait()
	t.Logf("seed %d: %d pauses of members, %d writes, %d reads of which %d had no answer", historySeed, paused, f.written.Load(),
		f.reads.Load(), f.failed.Load())
	if f.written.Load() < 10 || f.reads.Load() < 100 {
		t.Error("that is too little to say anything")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, stale := range f.stale {
		t.Error(stale)
	}
}

const freshName = "fresh"

// freshness has a key written, and compares each read of it with what was acknowledged before the read began.
type freshness struct {
	region                 *testRegion
	acknowledged           atomic.Int64 // the newest revision
	written, reads, failed atomic.Int64

	mu    sync.Mutex
	stale []string
}

func (f *freshness) begin(t *testing.T) {
	t.Helper()
	maps := f.region.kube(t).CoreV1().ConfigMaps("default")
	made, err := maps.Create(within(t, time.Minute), configMap(freshName, "0"), metav1.CreateOptions{})
	must(t, "make the key", err)
	f.acknowledged.Store(revisionOf(made))
}

// write changes the key through the endpoint until ctx ends. Nobody else does, so that what is acknowledged only grows.
func (f *freshness) write(ctx context.Context, kube kubernetes.Interface) {
	for ctx.Err() == nil {
		one, cancel := context.WithTimeout(ctx, 3*time.Second)
		made, err := kube.CoreV1().ConfigMaps("default").Update(one, configMap(freshName, fmt.Sprint(f.written.Load())), metav1.UpdateOptions{})
		cancel()
		if err == nil {
			f.acknowledged.Store(revisionOf(made))
			f.written.Add(1)
		}
	}
}

// read reads the key at one zone's API server until ctx ends, alone and in a list.
func (f *freshness) read(ctx context.Context, kube kubernetes.Interface, zone int) {
	maps := kube.CoreV1().ConfigMaps("default")
	for n := 0; ctx.Err() == nil; n++ {
		least, begun := f.acknowledged.Load(), time.Now()
		one, cancel := context.WithTimeout(ctx, 10*time.Second)
		var got int64
		var err error
		if n%2 == 0 {
			got, err = getRevision(one, kube)
		} else if list, failed := maps.List(one, metav1.ListOptions{FieldSelector: "metadata.name=" + freshName}); failed != nil {
			err = failed
		} else if len(list.Items) == 1 {
			got = revisionOf(&list.Items[0])
		}
		cancel()
		f.reads.Add(1)
		switch {
		case err != nil:
			f.failed.Add(1)
		case got < least:
			f.mu.Lock()
			f.stale = append(f.stale, fmt.Sprintf("zone %d answered a read of %s, which took %v, with revision %d: %d was acknowledged before", zone,
				begun.Format("15:04:05.000"), time.Since(begun), got, least))
			f.mu.Unlock()
		}
	}
}

func getRevision(ctx context.Context, kube kubernetes.Interface) (int64, error) {
	got, err := kube.CoreV1().ConfigMaps("default").Get(ctx, freshName, metav1.GetOptions{})
	if err != nil {
		return 0, err
	}
	return revisionOf(got), nil
}

// pauseOne pauses a member, every other time the leader, and lets it go on.
func (f *freshness) pauseOne(t *testing.T, random *rand.Rand, told bool) {
	t.Helper()
	r := f.region
	status := r.status(t)
	zone := status.Zones[random.IntN(3)]
	for _, z := range status.Zones {
		if z.Name == r.cluster(t).EtcdLeader && random.IntN(2) == 0 {
			zone = z
		}
	}
	target := "etcd/" + status.Letter(zone.Name)
	rest := time.Duration(100+random.IntN(2400)) * time.Millisecond
	t.Logf("%s: %s stands still for %v, told %t", time.Now().Format("15:04:05.000"), target, rest, told)
	if told {
		r.do(t, "pause", target)
		time.Sleep(rest)
		r.do(t, "resume", target)
	} else {
		for _, i := range zone.Instances {
			if i.Target == target {
				must(t, "stop "+target, syscall.Kill(i.PID, syscall.SIGSTOP))
				time.Sleep(rest)
				must(t, "let "+target+" go on", syscall.Kill(i.PID, syscall.SIGCONT))
			}
		}
	}
	r.await(t, 90*time.Second, "region", client.ForHealthy)
}
