package kubestate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	fakemetadata "k8s.io/client-go/metadata/fake"
	clienttesting "k8s.io/client-go/testing"
)

// fakeCluster has some objects, and counts how often somebody asks for its pods.
type fakeCluster struct {
	clients    Clients
	lists      int
	connected  int
	apiTrouble error
}

func newFakeCluster(t testing.TB, objects ...runtime.Object) *fakeCluster {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := metav1.AddMetaToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c := &fakeCluster{}
	client := fake.NewClientset(objects...)
	client.PrependReactor("list", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
		c.lists++
		return c.apiTrouble != nil, nil, c.apiTrouble
	})
	c.clients = Clients{Objects: client, Metadata: fakemetadata.NewSimpleMetadataClient(scheme, &metav1.PartialObjectMetadata{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "door"}})}
	return c
}

func (c *fakeCluster) connect() (Clients, func(), error) {
	c.connected++
	return c.clients, func() { c.connected-- }, nil
}

func manyPods(n int) []runtime.Object {
	pods := make([]runtime.Object, n)
	for i := range pods {
		one := &pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("web-7d4b9c6f5d-%05d", i),
			UID: "0b7a3c1e-5f0e-4b43-9a0f-3d1c2b1a0f9e", CreationTimestamp: metav1.Unix(1700000000, 0)}}
		one.Spec.NodeName = fmt.Sprintf("ip-10-0-0-%d.ec2.internal", i%1000)
		one.Spec.Containers = []corev1.Container{{Name: "web", Image: "nginx:1.27", Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"),
				corev1.ResourceMemory: resource.MustParse("128Mi")}}}}
		one.Status.Phase = corev1.PodRunning
		one.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "web", Ready: true,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Unix(1700000005, 0)}}}}
		one.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue},
			{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}}
		pods[i] = one
	}
	return pods
}

// TestLongTextIsOneValidText has so many pods that families are compressed in parts: Prometheus' own parser, which refuses a family
// whose series are not together, finds each of them.
func TestLongTextIsOneValidText(t *testing.T) {
	const many = 3000
	cluster := newFakeCluster(t, append(manyPods(many), &node{ObjectMeta: metav1.ObjectMeta{Name: "ip-10-0-0-1.ec2.internal",
		Labels: map[string]string{"topology.kubernetes.io/zone": "us-east-1a", "a.b": "1", "a_b": "2"}}})...)
	answer, err := NewReader(cluster.connect).Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	plain := plainText(t, answer)
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(plain))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"kube_pod_info": many, "kube_pod_status_phase": 5 * many, "kube_node_labels": 1,
		"kube_pod_container_resource_requests": 2 * many, "kube_secret_info": 1} {
		if got := len(families[name].GetMetric()); got != want {
			t.Errorf("%s has %d series, want %d", name, got, want)
		}
	}
	if line := `kube_node_labels{node="ip-10-0-0-1.ec2.internal",label_a_b_conflict1="1",label_a_b_conflict2="2",` +
		`label_topology_kubernetes_io_zone="us-east-1a"} 1`; !strings.Contains(plain, line+"\n") {
		t.Errorf("%s is not told", line)
	}
	t.Logf("%d bytes, %d compressed", len(plain), len(answer.Packed()))
}

// TestFamiliesAreDocumentedOnes holds names and types against kube-state-metrics' documents.
func TestFamiliesAreDocumentedOnes(t *testing.T) {
	text, err := os.ReadFile("testdata/documented.txt")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, kind, _ := strings.Cut(strings.TrimSpace(line), " ")
		documented[name] = kind
	}
	seen := map[string]bool{}
	for _, s := range sources {
		for _, h := range s.heads() {
			kind := "gauge"
			if h.counter {
				kind = "counter"
			}
			if seen[h.name] || documented[h.name] != kind {
				t.Errorf("%s, a %s, is there twice, or documented as %q", h.name, kind, documented[h.name])
			}
			seen[h.name] = true
		}
	}
	if len(Names()) != len(seen) {
		t.Errorf("%d names, want %d", len(Names()), len(seen))
	}
}

func TestAnswerIsSharedForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newFakeCluster(t, manyPods(1)...)
		reader := NewReader(cluster.connect)
		first, err := reader.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		second, err := reader.Read(t.Context())
		if err != nil || first != second || cluster.lists != 1 {
			t.Errorf("a second reading lists anew: %v, %d lists", err, cluster.lists)
		}
		time.Sleep(fresh) // of the bubble
		synctest.Wait()
		if reader.known() != nil {
			t.Error("an old answer is kept")
		}
		if _, err := reader.Read(t.Context()); err != nil || cluster.lists != 2 || cluster.connected != 0 {
			t.Errorf("after a while: %v, %d lists, %d connections open", err, cluster.lists, cluster.connected)
		}
	})
}

func TestTroubleOfTheAPIServerIsNoAnswer(t *testing.T) {
	cluster := newFakeCluster(t)
	cluster.apiTrouble = errors.New("no leader")
	reader := NewReader(cluster.connect)
	if _, err := reader.Read(t.Context()); err == nil || err.Error() != "list pods: no leader" {
		t.Errorf("got %v", err)
	}
	cluster.apiTrouble = nil
	if _, err := reader.Read(t.Context()); err != nil {
		t.Error(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	reader.reading <- struct{}{}
	if _, err := reader.Read(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("behind another reading: %v", err)
	}
}

// TestOneObjectOfManySeriesIsRefused has an object whose ports times addresses are a hundred million series, which differ so little that
// they are short when they are compressed: no more than a little of them is held plain, and it ends with one sentence.
func TestOneObjectOfManySeriesIsRefused(t *testing.T) {
	one := &endpoints{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "many"}}
	//lint:ignore SA1019 as endpoints
	one.Subsets = []corev1.EndpointSubset{{Ports: make([]corev1.EndpointPort, 10_000), Addresses: make([]corev1.EndpointAddress, 10_000)}}
	into := &packed{plain: mostPlain - 32<<20} // of other objects
	text := newText(endpointSets.heads(), newZip(), into)
	endpointSets.tell(one, text)
	if err := text.pack(); !errors.Is(err, errTooLong) {
		t.Errorf("got %v", err)
	}
	for i := range text.families {
		if held := text.families[i].raw.Cap(); held > 3*mostRaw {
			t.Errorf("%s holds %d bytes plain", text.families[i].head.name, held)
		}
	}
	if into.plain > mostPlain+2*mostRaw || into.size > 4<<20 {
		t.Errorf("it went on to %d bytes, %d compressed", into.plain, into.size)
	}
	cluster := newFakeCluster(t)
	ctx, cancel := context.WithCancel(t.Context())
	seen := 0
	stops := kind[endpoints, *endpoints]{name: "endpoints", labels: namespaced[*endpoints]("endpoint"),
		list: func(context.Context, Clients, metav1.ListOptions) (runtime.Object, error) {
			return &corev1.EndpointsList{Items: make([]endpoints, page)}, nil
		},
		families: []family[endpoints]{gauge("kube_endpoint_seen", "", func(*endpoints) float64 { seen++; cancel(); return 1 })}}
	if err := stops.read(ctx, cluster.clients, newText(stops.heads(), newZip(), &packed{})); !errors.Is(err, context.Canceled) || seen != 1 {
		t.Errorf("when nobody waits any more, %d objects are told: %v", seen, err)
	}
}

// BenchmarkPods is what the text of 20,000 pods costs, without the API server's part.
func BenchmarkPods(b *testing.B) {
	all := manyPods(20000)
	for b.Loop() {
		p, err := tellAll(all)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(p.parts.Len()), "packed-bytes")
	}
}

func tellAll(objects []runtime.Object) (*packed, error) {
	into := &packed{}
	zip := newZip()
	t := newText(pods.heads(), zip, into)
	for chunk := range slices.Chunk(objects, page) {
		for _, o := range chunk {
			pods.tell(o, t)
		}
		if err := t.pack(); err != nil {
			return nil, err
		}
	}
	return into, errors.Join(into.take(t), into.flush(zip))
}
