package extensions

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"
)

// cluster is a Keeper of a cluster that a test plays the others in.
type cluster struct {
	*Keeper
	t   *testing.T
	now time.Time
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	lists := map[schema.GroupVersionResource]string{}
	for kind, of := range resources {
		lists[of] = kind + "List"
	}
	k, err := with(fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), lists), netip.MustParseAddrPort("172.0.32.0:10443"))
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{k, t, time.Now()}
	k.now = func() time.Time { return c.now }
	if err := k.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Stop(context.Background()) })
	c.until("the watches know the cluster", func() bool {
		return k.watched[services].HasSynced() && k.watched[apiServices].HasSynced()
	})
	return c
}

func (c *cluster) until(what string, holds func() bool) {
	c.t.Helper()
	for end := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatalf("not within 10 s: %s", what)
		}
	}
}

// there are the objects of the cluster, by kind and name.
func (c *cluster) there() (all []string) {
	c.t.Helper()
	for kind, of := range resources {
		list, err := c.client.Resource(of).List(c.t.Context(), metav1.ListOptions{})
		if err != nil {
			c.t.Fatal(err)
		}
		for _, o := range list.Items {
			all = append(all, kind+"/"+o.GetName())
		}
	}
	slices.Sort(all)
	return all
}

// keep keeps until the watches know what was done, and compares.
func (c *cluster) keep(what string, wantAgain time.Duration, want ...string) {
	c.t.Helper()
	c.settle()
	again, err := c.Keep(c.t.Context())
	if err != nil || again != wantAgain {
		c.t.Errorf("%s: again after %s (%v), want %s", what, again, err, wantAgain)
	}
	if got := c.there(); !slices.Equal(got, want) {
		c.t.Errorf("%s: got %s, want %s", what, strings.Join(got, " "), strings.Join(want, " "))
	}
	c.settle()
}

// settle waits until the watches know the cluster as it is.
func (c *cluster) settle() {
	c.t.Helper()
	c.until("the watches know what is there", func() bool {
		for of, informer := range c.watched {
			list, err := c.client.Resource(of).List(c.t.Context(), metav1.ListOptions{})
			if err != nil || len(list.Items) != len(informer.GetStore().ListKeys()) {
				return false
			}
			for i := range list.Items {
				known := c.get(&list.Items[i])
				lean, _ := lean(&list.Items[i])
				if known == nil || !jsonEqual(known, lean.(*unstructured.Unstructured)) {
					return false
				}
			}
		}
		return true
	})
}

func jsonEqual(a, b *unstructured.Unstructured) bool {
	x, _ := a.MarshalJSON()
	y, _ := b.MarshalJSON()
	return string(x) == string(y)
}

func (c *cluster) change(kind, name string, fields ...string) {
	c.t.Helper()
	in := c.in(resources[kind])
	o, err := in.Get(c.t.Context(), name, metav1.GetOptions{})
	if err == nil {
		for i := 0; i < len(fields); i += 2 {
			if err := unstructured.SetNestedField(o.Object, fields[i+1], strings.Split(fields[i], ".")...); err != nil {
				c.t.Fatal(err)
			}
		}
		_, err = in.Update(c.t.Context(), o, metav1.UpdateOptions{})
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) remove(kind, name string) {
	c.t.Helper()
	if err := c.in(resources[kind]).Delete(c.t.Context(), name, metav1.DeleteOptions{}); err != nil {
		c.t.Fatal(err)
	}
}

var (
	ofEKS   = []string{"APIService/v1.metrics.eks.amazonaws.com", "Endpoints/eks-extension-metrics-api", "Service/eks-extension-metrics-api"}
	metrics = []string{"APIService/v1beta1.metrics.k8s.io", "ClusterRole/system:aggregated-metrics-reader", "Endpoints/metrics-server",
		"Service/metrics-server"}
)

// and are objects of both lists, without some.
func and(a, b []string, without ...string) []string {
	all := slices.DeleteFunc(slices.Concat(a, b), func(o string) bool { return slices.Contains(without, o) })
	slices.Sort(all)
	return all
}

func TestAFreshClusterHasBothAPIs(t *testing.T) {
	c := newCluster(t)
	c.keep("a fresh cluster", 0, and(ofEKS, metrics)...)
	c.keep("nothing new", 0, and(ofEKS, metrics)...)
	for kind, want := range map[string]string{"Endpoints": `"addresses":[{"ip":"172.0.32.0"}],"ports":[{"appProtocol":"https","name":"https","port":10443,`,
		"Service": `"ports":[{"appProtocol":"https","name":"https","port":443,"protocol":"TCP","targetPort":"https"}]`} {
		o, err := c.in(resources[kind]).Get(t.Context(), "metrics-server", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if text, _ := o.MarshalJSON(); !strings.Contains(string(text), want) {
			t.Errorf("%s: got %s, want %s", kind, text, want)
		}
	}
	c.remove("Service", "eks-extension-metrics-api")
	c.keep("EKS's Service is deleted", 0, and(ofEKS, metrics)...)
}

func TestOursStepsAsideForMetricsServerAndComesBack(t *testing.T) {
	c := newCluster(t)
	c.keep("a fresh cluster", 0, and(ofEKS, metrics)...)
	// the manifest is applied: the endpoints are then Kubernetes' own controllers' to replace
	c.change("Service", "metrics-server", "spec.selector.k8s-app", "metrics-server")
	c.keep("their Service", 0, and(ofEKS, metrics)...)
	c.remove("APIService", "v1beta1.metrics.k8s.io")
	c.keep("their APIService is deleted", 0, and(ofEKS, metrics, "APIService/v1beta1.metrics.k8s.io")...)
	c.remove("Service", "metrics-server")
	c.remove("Endpoints", "metrics-server")
	gone := []string{"APIService/v1beta1.metrics.k8s.io", "Service/metrics-server", "Endpoints/metrics-server"}
	c.keep("all is deleted", absence, and(ofEKS, metrics, gone...)...)
	c.now = c.now.Add(absence / 2)
	c.keep("a while later", absence/2, and(ofEKS, metrics, gone...)...)
	c.now = c.now.Add(absence / 2)
	c.keep("nobody else came", 0, and(ofEKS, metrics)...)
}

func TestOursGoesWhereTheAPIServiceLeadsElsewhere(t *testing.T) {
	c := newCluster(t)
	c.keep("a fresh cluster", 0, and(ofEKS, metrics)...)
	c.change("APIService", "v1beta1.metrics.k8s.io", "spec.service.name", "prometheus-adapter", "spec.service.namespace", "monitoring")
	// its endpoints go by Kubernetes' own controller, which there is none of here
	c.keep("an adapter's APIService", 0, and(ofEKS, metrics, "Service/metrics-server")...)
	c.keep("it stays", 0, and(ofEKS, metrics, "Service/metrics-server")...)
	c.remove("APIService", "v1beta1.metrics.k8s.io")
	c.keep("it goes", absence, and(ofEKS, metrics, "Service/metrics-server", "APIService/v1beta1.metrics.k8s.io")...)
	c.now = c.now.Add(absence)
	c.keep("ours is back", 0, and(ofEKS, metrics)...)
}

func TestOnlyChangesOfItsOwnObjectsWakeIt(t *testing.T) {
	c := newCluster(t)
	c.keep("a fresh cluster", 0, and(ofEKS, metrics)...)
	for {
		select {
		case <-c.Changes():
			continue
		default:
		}
		break
	}
	other := &unstructured.Unstructured{}
	other.SetAPIVersion("v1")
	other.SetKind("Service")
	other.SetName("kube-dns")
	other.SetNamespace(namespace)
	if _, err := c.in(services).Create(t.Context(), other, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.settle()
	select {
	case <-c.Changes():
		t.Error("another Service is news")
	default:
	}
}
