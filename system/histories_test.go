package system

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"tripod/api"
	"tripod/client"
	"tripod/internal/diskfault"
	"tripod/system/histories"
)

// historySeed chooses the faults and what clients do: the same number gives the same choices again.
var historySeed = func() uint64 {
	if seed, err := strconv.ParseUint(os.Getenv("TRIPOD_SEED"), 10, 64); err == nil {
		return seed
	}
	return 1
}()

const historyNS, historyKeys, historyClients, historyWatches = "history", 8, 6, 3

// TestHistoriesAreRightUnderFaults: clients write, compare and swap, read, list and watch through the endpoint while zones and processes
// die and pause, and links are cut and slow. Every key is linearizable, every list a snapshot, and no watch loses, doubles or reorders an
// event. Half a minute of it runs always, with TRIPOD_SOAK as long as that says; TRIPOD_SEED chooses.
func TestHistoriesAreRightUnderFaults(t *testing.T) {
	t.Parallel()
	lasts := max(soaking, 30*time.Second)
	r := startRegion(t)
	h := &histories.History{}
	recorder := &recorder{region: r, history: h}
	recorder.begin(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var working sync.WaitGroup
	for n := range historyClients {
		working.Go(func() { recorder.work(ctx, mustClient(t, recorder.config(t)), n) })
	}
	watching, end := context.WithCancel(context.Background())
	defer end()
	var watches sync.WaitGroup
	for n := range historyWatches {
		watches.Go(func() { recorder.watch(watching, mustClient(t, recorder.config(t)), n) })
	}
	faults := r.breakAtRandom(t, lasts, rand.New(rand.NewPCG(historySeed, 0)), func(mishap) bool { return true })
	cancel()
	working.Wait()
	recorder.settled(t, watching)
	end()
	watches.Wait()
	ops, events := h.Size()
	t.Logf("seed %d: %d faults, %d operations of which %d have an unknown outcome, %d events of watches, %d of them resumed, %d begun anew",
		historySeed, faults, ops, recorder.unknown.Load(), events, recorder.resumed.Load(), recorder.expired.Load())
	if ops < 100 || events < 20 {
		t.Error("that is too little to say anything")
	}
	for _, fault := range h.Check() {
		t.Error(fault)
	}
	if t.Failed() {
		keepHistory(t, h.Operations(), h.Picture)
	}
}

// recorder has clients use a region, and records what comes of it.
type recorder struct {
	region                    *testRegion
	history                   *histories.History
	values                    atomic.Int64
	unknown, resumed, expired atomic.Int64
}

// begin makes the keys.
func (c *recorder) begin(t *testing.T) {
	t.Helper()
	kube := c.region.kube(t)
	namespace(t, kube, historyNS)
	for n := range historyKeys {
		o := c.op(0, histories.Put, fmt.Sprintf("key-%d", n))
		made, err := kube.CoreV1().ConfigMaps(historyNS).Create(within(t, 30*time.Second), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
			Name: o.Key, Labels: map[string]string{"history": "yes"}}, Data: map[string]string{"value": o.To}}, metav1.CreateOptions{})
		must(t, "make a key", err)
		o.Revision = revisionOf(made)
		c.done(o, nil)
	}
}

func (c *recorder) op(client int, kind histories.Kind, key string) histories.Op {
	return histories.Op{Client: client, Kind: kind, Key: key, To: fmt.Sprintf("v%d", c.values.Add(1)), Call: c.history.Now(),
		Outcome: histories.OK}
}

// done records what became of an operation. What is no conflict leaves open what became of it.
func (c *recorder) done(o histories.Op, err error) {
	o.Return = c.history.Now()
	switch {
	case err == nil:
	case o.Kind == histories.CAS && apierrors.IsConflict(err):
		o.Outcome = histories.Refused
	default:
		o.Outcome = histories.Unknown
		c.unknown.Add(1)
	}
	c.history.Add(o)
}

func revisionOf(o metav1.Object) int64 {
	revision, _ := strconv.ParseInt(o.GetResourceVersion(), 10, 64)
	return revision
}

// work does one thing after the other until ctx ends.
func (c *recorder) work(ctx context.Context, kube kubernetes.Interface, n int) {
	random := rand.New(rand.NewPCG(historySeed, uint64(n)+1))
	maps := kube.CoreV1().ConfigMaps(historyNS)
	pace := time.NewTicker(40 * time.Millisecond)
	defer pace.Stop()
	for ctx.Err() == nil {
		key := fmt.Sprintf("key-%d", random.IntN(historyKeys))
		// What is under way at the end is let finish: that it was given up would say nothing.
		one, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		switch choice := random.IntN(10); {
		case choice < 3:
			_ = c.put(one, kube, n, key) // it is recorded
		case choice < 5:
			if found := c.get(one, kube, n, key); found != nil {
				o := c.op(n, histories.CAS, key)
				o.From, found.Data["value"] = found.Data["value"], o.To
				written, err := maps.Update(one, found, metav1.UpdateOptions{})
				o.Revision = revisionOf(written)
				c.done(o, err)
			}
		case choice < 9:
			c.get(one, kube, n, key)
		default:
			c.list(one, kube, n)
		}
		cancel()
		select {
		case <-pace.C:
		case <-ctx.Done():
		}
	}
}

func (c *recorder) put(ctx context.Context, kube kubernetes.Interface, n int, key string) error {
	o := c.op(n, histories.Put, key)
	patch, _ := json.Marshal(map[string]any{"data": map[string]string{"value": o.To}})
	written, err := kube.CoreV1().ConfigMaps(historyNS).Patch(ctx, key, types.MergePatchType, patch, metav1.PatchOptions{})
	o.Revision = revisionOf(written)
	c.done(o, err)
	return err
}

func (c *recorder) get(ctx context.Context, kube kubernetes.Interface, n int, key string) *corev1.ConfigMap {
	o := c.op(n, histories.Get, key)
	found, err := kube.CoreV1().ConfigMaps(historyNS).Get(ctx, key, metav1.GetOptions{})
	if err != nil {
		return nil // a read that failed says nothing
	}
	o.Value, o.Revision = found.Data["value"], revisionOf(found)
	c.done(o, nil)
	return found
}

// list records a list, and returns its revision; 0: there was no answer.
func (c *recorder) list(ctx context.Context, kube kubernetes.Interface, n int) int64 {
	o := c.op(n, histories.List, "")
	all, err := kube.CoreV1().ConfigMaps(historyNS).List(ctx, metav1.ListOptions{LabelSelector: "history=yes"})
	if err != nil {
		return 0
	}
	o.Values = map[string]string{}
	for _, one := range all.Items {
		o.Values[one.Name] = one.Data["value"]
	}
	o.Revision, _ = strconv.ParseInt(all.ResourceVersion, 10, 64)
	c.done(o, nil)
	return o.Revision
}

// watch watches until ctx ends, resumes where a watch has ended, and lists again where the revision is compacted, as it is documented.
func (c *recorder) watch(ctx context.Context, kube kubernetes.Interface, n int) {
	for ctx.Err() == nil {
		one, cancel := context.WithTimeout(ctx, 5*time.Second)
		since := c.list(one, kube, historyClients+n)
		cancel()
		if since == 0 {
			continue
		}
		w := &histories.Watch{Client: n, Since: since, Reached: since}
		for ctx.Err() == nil && c.follow(ctx, kube, w) {
			c.resumed.Add(1)
		}
		c.history.AddWatch(w)
	}
}

// follow goes on with a watch until its connection ends. It is false where it cannot be resumed.
func (c *recorder) follow(ctx context.Context, kube kubernetes.Interface, w *histories.Watch) bool {
	got, err := kube.CoreV1().ConfigMaps(historyNS).Watch(ctx, metav1.ListOptions{LabelSelector: "history=yes", AllowWatchBookmarks: true,
		ResourceVersion: strconv.FormatInt(w.Reached, 10)})
	if err != nil {
		return !c.isExpired(err)
	}
	defer got.Stop()
	for event := range got.ResultChan() {
		if event.Type == watch.Error {
			return !c.isExpired(apierrors.FromObject(event.Object))
		}
		found := event.Object.(*corev1.ConfigMap)
		w.Reached = revisionOf(found)
		if event.Type != watch.Bookmark {
			w.Events = append(w.Events, histories.Event{Key: found.Name, Value: found.Data["value"], Revision: w.Reached})
		}
	}
	return true
}

func (c *recorder) isExpired(err error) bool {
	if !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) {
		return false
	}
	c.expired.Add(1)
	return true
}

// config is a client's: it gives a request up after some seconds, but no watch.
func (c *recorder) config(t *testing.T) *rest.Config {
	config := c.region.config(t)
	config.Timeout, config.QPS = 0, -1
	return config
}

// settled waits until a last write is there, so that watches are near the end.
func (c *recorder) settled(t *testing.T, ctx context.Context) {
	t.Helper()
	kube := c.region.kube(t)
	eventually(t, time.Minute, "a last write is acknowledged", func() (bool, string) {
		one, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		err := c.put(one, kube, 0, "key-0")
		return err == nil, fmt.Sprint(err)
	})
}

// keepHistory writes a history and porcupine's picture where they outlive the test.
func keepHistory(t *testing.T, operations any, picture func(io.Writer) error) {
	t.Helper()
	dir, err := os.MkdirTemp("", fmt.Sprintf("tripod-history-seed-%d-", historySeed))
	must(t, "make a directory", err)
	text, err := json.MarshalIndent(operations, "", " ")
	must(t, "write the history", errors.Join(err, os.WriteFile(filepath.Join(dir, "operations.json"), text, 0o600)))
	page, err := os.OpenFile(filepath.Join(dir, "picture.html"), os.O_CREATE|os.O_WRONLY, 0o600)
	must(t, "write the picture", err)
	defer page.Close()
	must(t, "write the picture", picture(page))
	t.Logf("the history is in %s; again: TRIPOD_SEED=%d go test ./system -run %s", dir, historySeed, t.Name())
}

// mishap is a fault and what mends it.
type mishap struct {
	name       string
	begin, end func(context.Context) error
}

// mishapIn chooses one in a zone.
func (r *testRegion) mishapIn(zone string, random *rand.Rand) mishap {
	do := func(verb, target string) func(context.Context) error {
		return func(ctx context.Context) error { return r.Do(ctx, target, verb, "") }
	}
	of := func(verb, lift, target string) mishap {
		return mishap{verb + " " + target, do(verb, target), do(lift, target)}
	}
	onLink := func(what, link string, begin func(context.Context, string) error) mishap {
		return mishap{what + " link/" + link, func(ctx context.Context) error { return begin(ctx, link) },
			func(ctx context.Context) error { return r.Heal(ctx, link) }}
	}
	cut := func(fault api.LinkFault) func(context.Context, string) error {
		return func(ctx context.Context, link string) error { return r.Partition(ctx, link, fault) }
	}
	slow := func(fault api.LinkFault) func(context.Context, string) error {
		return func(ctx context.Context, link string) error { return r.Slow(ctx, link, fault) }
	}
	disk := func(fault string) mishap {
		order := api.FaultOrder{Target: api.Target{Kind: api.KindDisk, Name: zone}, Fault: fault}
		return mishap{fault + " disk/" + zone, func(ctx context.Context) error { _, err := r.Fault(ctx, order); return err },
			func(ctx context.Context) error { _, err := r.TakeBack(ctx, order); return err }}
	}
	next := map[string]string{"a": "b", "b": "c", "c": "a"}[zone]
	all := []mishap{
		of("kill", "start", "az/"+zone), of("pause", "resume", "az/"+zone), of("stop", "start", "az/"+zone),
		of("kill", "start", "etcd/"+zone), of("pause", "resume", "etcd/"+zone), of("kill", "start", "apiserver/"+zone),
		of("pause", "resume", "apiserver/"+zone),
		onLink("cut", zone+"-all", cut(api.LinkFault{})), onLink("cut one way", zone+"-all", cut(api.LinkFault{OneWay: true})),
		onLink("cut the other way", "all-"+zone, cut(api.LinkFault{OneWay: true})),
		onLink("reject", zone+"-all", cut(api.LinkFault{Reject: true})),
		onLink("cut", zone+"-"+next, cut(api.LinkFault{})), onLink("flap", zone+"-"+next, cut(api.LinkFault{Flap: 500 * time.Millisecond})),
		onLink("cut half of", zone+"-all", cut(api.LinkFault{Share: 50})), onLink("cut", zone+"-clients", cut(api.LinkFault{})),
		onLink("delay", zone+"-all", slow(api.LinkFault{Latency: 200 * time.Millisecond, Jitter: 100 * time.Millisecond})),
		onLink("lose on", zone+"-all", slow(api.LinkFault{Loss: 15})),
		onLink("delay", zone+"-clients", slow(api.LinkFault{Latency: 300 * time.Millisecond})),
	}
	if diskfault.Supported() == nil {
		all = append(all, disk(api.DiskFailing), disk(api.DiskFull), disk(api.DiskReadOnly), disk(api.Slower(300*time.Millisecond)))
	}
	return all[random.IntN(len(all))]
}

// breakAtRandom breaks one thing that counts after the other in one zone at a time, and returns how many.
func (r *testRegion) breakAtRandom(t *testing.T, lasts time.Duration, random *rand.Rand, counts func(mishap) bool) (faults int) {
	t.Helper()
	for until := time.Now().Add(lasts); time.Now().Before(until); faults++ {
		one := r.mishapIn([]string{"a", "b", "c"}[random.IntN(3)], random)
		for !counts(one) {
			one = r.mishapIn([]string{"a", "b", "c"}[random.IntN(3)], random)
		}
		ctx := within(t, 2*time.Minute)
		t.Logf("%s: %s", time.Now().Format("15:04:05.000"), one.name)
		must(t, one.name, one.begin(ctx))
		time.Sleep(time.Duration(500+random.IntN(3500)) * time.Millisecond)
		must(t, "mend "+one.name, one.end(ctx))
		r.await(t, 90*time.Second, "region", client.ForHealthy)
	}
	return faults
}
