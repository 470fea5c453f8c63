package system

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"tripod/api"
)

// config is what a user's client makes of the region's kubeconfig, whose exec plugin gets the token.
func (r *testRegion) config(t testing.TB) *rest.Config {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", r.Kubeconfig())
	must(t, "read the kubeconfig", err)
	config.QPS = -1
	config.Timeout = 30 * time.Second
	return config
}

func (r *testRegion) kube(t testing.TB) *kubernetes.Clientset {
	t.Helper()
	set, err := kubernetes.NewForConfig(r.config(t))
	must(t, "make a Kubernetes client", err)
	return set
}

func (r *testRegion) dynamic(t testing.TB) *dynamic.DynamicClient {
	t.Helper()
	set, err := dynamic.NewForConfig(r.config(t))
	must(t, "make a dynamic client", err)
	return set
}

// cluster is the region's only one.
func (r *testRegion) cluster(t testing.TB) api.Cluster {
	t.Helper()
	clusters := r.status(t).Clusters
	if len(clusters) != 1 {
		t.Fatalf("got clusters %v, want one", clusters)
	}
	return clusters[0]
}

// clusterDir is where a zone keeps its part of the cluster.
func (r *testRegion) clusterDir(t testing.TB, zone string) string {
	t.Helper()
	return filepath.Join(r.dir, "zones", zone, "clusters", r.cluster(t).ID)
}

// namespace makes one with the given name.
func namespace(t testing.TB, kube kubernetes.Interface, name string) {
	t.Helper()
	_, err := kube.CoreV1().Namespaces().Create(within(t, 20*time.Second),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	must(t, "create namespace "+name, err)
}

// serviceAccount waits for the namespace's default one, without which no pod is admitted.
func serviceAccount(t testing.TB, kube kubernetes.Interface, ns string) {
	t.Helper()
	eventually(t, 30*time.Second, "ServiceAccount default in "+ns, func() (bool, string) {
		_, err := kube.CoreV1().ServiceAccounts(ns).Get(within(t, 5*time.Second), "default", metav1.GetOptions{})
		return err == nil, fmt.Sprint(err)
	})
}

func configMap(name, value string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"value": value}}
}

func pod(name string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "nginx"}}}}
}

// isReady says whether a node's condition Ready is True.
func isReady(node corev1.Node) bool {
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// journal writes numbered entries through the endpoint, one after the other, and tries each again until it is
// acknowledged, as a careful client does.
type journal struct {
	kube      kubernetes.Interface
	namespace string

	mu       sync.Mutex
	acked    []entry
	longest  time.Duration // between two acknowledgements
	failures []string      // attempts that failed

	cancel context.CancelFunc
	done   chan struct{}
}

// entry is an acknowledged write.
type entry struct {
	name string
	uid  string
	at   time.Time
}

// keepWriting starts a journal that ends with the test, or with stop.
func keepWriting(t testing.TB, r *testRegion, ns string) *journal {
	t.Helper()
	config := r.config(t)
	config.Timeout = 2 * time.Second // of one attempt
	kube, err := kubernetes.NewForConfig(config)
	must(t, "make a Kubernetes client", err)
	namespace(t, r.kube(t), ns)
	ctx, cancel := context.WithCancel(context.Background())
	j := &journal{kube: kube, namespace: ns, cancel: cancel, done: make(chan struct{})}
	go j.write(ctx)
	t.Cleanup(j.stop)
	return j
}

func (j *journal) stop() {
	j.cancel()
	<-j.done
}

func (j *journal) write(ctx context.Context) {
	defer close(j.done)
	pause := time.NewTicker(5 * time.Millisecond)
	defer pause.Stop()
	last := time.Now()
	for n := 0; ctx.Err() == nil; {
		name := fmt.Sprintf("entry-%06d", n)
		written, err := j.kube.CoreV1().ConfigMaps(j.namespace).Create(ctx, configMap(name, fmt.Sprint(n)),
			metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) { // an attempt that was not acknowledged took effect
			written, err = j.kube.CoreV1().ConfigMaps(j.namespace).Get(ctx, name, metav1.GetOptions{})
		}
		now := time.Now()
		j.mu.Lock()
		if err == nil {
			j.acked = append(j.acked, entry{name, string(written.UID), now})
			j.longest = max(j.longest, now.Sub(last))
			last = now
			n++
		} else if ctx.Err() == nil {
			j.failures = append(j.failures, fmt.Sprintf("%s %s: %v", now.Format("15:04:05.000"), name, err))
		}
		j.mu.Unlock()
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
	}
}

func (j *journal) count() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.acked)
}

// goesOn waits until n more entries are acknowledged.
func (j *journal) goesOn(t testing.TB, n int, d time.Duration) {
	t.Helper()
	if ok, state := j.adds(n, d); !ok {
		t.Fatalf("%d more writes: not within %v; at last: %s", n, patience*d, state)
	}
}

// adds waits until n more entries are acknowledged, and says whether that was within d, times patience, and how far it
// came.
func (j *journal) adds(n int, d time.Duration) (ok bool, state string) {
	from := j.count()
	state, ok = poll(d, func() (bool, string) {
		j.mu.Lock()
		defer j.mu.Unlock()
		return len(j.acked) >= from+n, fmt.Sprintf("%d more; last failures: %s", len(j.acked)-from, lastOf(j.failures, 3))
	})
	return ok, state
}

func lastOf(lines []string, n int) string {
	return strings.Join(lines[max(0, len(lines)-n):], "; ")
}

// verify stops the journal and checks that every acknowledged entry is there, the very same object, in the order of the
// writes.
func (j *journal) verify(t testing.TB) {
	t.Helper()
	j.stop()
	list, err := j.kube.CoreV1().ConfigMaps(j.namespace).List(within(t, 20*time.Second), metav1.ListOptions{})
	must(t, "list the journal", err)
	stored := map[string]corev1.ConfigMap{}
	for _, item := range list.Items {
		stored[item.Name] = item
	}
	previous := ""
	for n, entry := range j.acked {
		got, ok := stored[entry.name]
		switch {
		case !ok:
			t.Errorf("entry %s was acknowledged and is lost", entry.name)
			continue
		case string(got.UID) != entry.uid:
			t.Errorf("entry %s is another object than was acknowledged", entry.name)
		case got.Data["value"] != fmt.Sprint(n):
			t.Errorf("entry %s: got %q, want %d", entry.name, got.Data["value"], n)
		case !newer(got.ResourceVersion, previous):
			t.Errorf("entry %s has version %s, not after its predecessor's %s", entry.name, got.ResourceVersion, previous)
		}
		previous = got.ResourceVersion
	}
	t.Logf("%d writes acknowledged, %d attempts failed, longest pause %v", len(j.acked), len(j.failures),
		j.longest.Round(time.Millisecond))
}

// newer compares two resource versions, decimal numbers without leading zeros.
func newer(a, b string) bool {
	if len(a) != len(b) {
		return len(a) > len(b)
	}
	return a > b
}

// keepCounting counts up in the object "counter" until stop, with the optimistic lock that every Kubernetes object has;
// count is the last value acknowledged.
func keepCounting(t testing.TB, r *testRegion, ns string) (count func() int64, stop func()) {
	t.Helper()
	config := r.config(t)
	config.Timeout = 2 * time.Second
	kube := mustClient(t, config)
	_, err := r.kube(t).CoreV1().ConfigMaps(ns).Create(within(t, 20*time.Second), configMap("counter", "0"),
		metav1.CreateOptions{})
	must(t, "create the counter", err)
	ctx, cancel := context.WithCancel(context.Background())
	var acked atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		pause := time.NewTicker(10 * time.Millisecond)
		defer pause.Stop()
		for ctx.Err() == nil {
			if value, err := countOn(ctx, kube, ns, acked.Load()); err == nil {
				acked.Store(value)
			}
			select {
			case <-pause.C:
			case <-ctx.Done():
			}
		}
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return acked.Load, stop
}

// countOn makes the counter one more than last, or finds that an attempt without an answer has done it.
func countOn(ctx context.Context, kube kubernetes.Interface, ns string, last int64) (int64, error) {
	ctx = context.WithoutCancel(ctx) // an attempt is finished: else nobody knows the counter's value
	counter, err := kube.CoreV1().ConfigMaps(ns).Get(ctx, "counter", metav1.GetOptions{})
	if err != nil {
		return last, err
	}
	value, err := strconv.ParseInt(counter.Data["value"], 10, 64)
	if err != nil || value > last {
		return value, err
	}
	counter.Data["value"] = fmt.Sprint(last + 1)
	_, err = kube.CoreV1().ConfigMaps(ns).Update(ctx, counter, metav1.UpdateOptions{})
	return last + 1, err
}

func mustClient(t testing.TB, config *rest.Config) *kubernetes.Clientset {
	t.Helper()
	set, err := kubernetes.NewForConfig(config)
	must(t, "make a Kubernetes client", err)
	return set
}

// dialed is a connection that notes when its first byte came back.
type dialed struct {
	net.Conn
	once  sync.Once
	first *atomic.Pointer[time.Time]
}

func (d *dialed) Read(p []byte) (int, error) {
	n, err := d.Conn.Read(p)
	if n > 0 {
		now := time.Now()
		d.once.Do(func() { d.first.Store(&now) })
	}
	return n, err
}

// visit opens a connection of its own to the endpoint, asks for /version and tells when the endpoint's first byte came;
// nil if none did.
func visit(ctx context.Context, config *rest.Config) (*time.Time, error) {
	tlsConfig, err := rest.TLSConfigFor(&rest.Config{TLSClientConfig: config.TLSClientConfig})
	if err != nil {
		return nil, err
	}
	var first atomic.Pointer[time.Time]
	transport := &http.Transport{TLSClientConfig: tlsConfig, DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &dialed{Conn: conn, first: &first}, nil
		}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, config.Host+"/version", nil)
	if err != nil {
		return nil, err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return first.Load(), err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return first.Load(), fmt.Errorf("GET /version: %s", response.Status)
	}
	return first.Load(), nil
}
