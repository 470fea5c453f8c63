package system

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"tripod/client"
)

// sightings are what an informer told its handler.
type sightings struct {
	mu      sync.Mutex
	added   map[string]int
	counter []int // the values of the object "counter", as they were seen
}

func (s *sightings) see(object any, added bool) {
	config, ok := object.(*corev1.ConfigMap)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if added {
		s.added[config.Name]++
	}
	if config.Name == "counter" {
		value, _ := strconv.Atoi(config.Data["value"])
		s.counter = append(s.counter, value)
	}
}

// TestInformerMissesNothing has an informer follow a stream of new objects and of changes of one, while each zone is
// killed in turn.
func TestInformerMissesNothing(t *testing.T) {
	t.Parallel()
	r := startRegion(t)
	entries := keepWriting(t, r, "journal")
	config := r.config(t)
	config.Timeout = 0 // it would end watches
	kube := r.kube(t)

	seen := &sightings{added: map[string]int{}}
	factory := informers.NewSharedInformerFactoryWithOptions(mustClient(t, config), 0, informers.WithNamespace("journal"))
	informer := factory.Core().V1().ConfigMaps().Informer()
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) { seen.see(object, true) },
		UpdateFunc: func(old, object any) {
			// a relist shows what is known already
			if old.(*corev1.ConfigMap).ResourceVersion != object.(*corev1.ConfigMap).ResourceVersion {
				seen.see(object, false)
			}
		},
	})
	must(t, "add a handler", err)
	ctx, cancel := context.WithCancel(context.Background())
	factory.Start(ctx.Done())
	defer func() { cancel(); factory.Shutdown() }()
	eventually(t, 30*time.Second, "the informer has its first list",
		func() (bool, string) { return informer.HasSynced(), "" })

	count, stopCounting := keepCounting(t, r, "journal")
	entries.goesOn(t, 10, 30*time.Second)
	for _, zone := range []string{"a", "b", "c"} {
		r.do(t, "kill", "az/"+zone)
		entries.goesOn(t, 50, 30*time.Second)
		r.do(t, "start", "az/"+zone)
		r.await(t, 60*time.Second, "region", client.ForHealthy)
	}
	entries.stop()
	stopCounting()

	var missing string
	eventually(t, 30*time.Second, "the informer has seen every write", func() (bool, string) {
		seen.mu.Lock()
		defer seen.mu.Unlock()
		missing = ""
		for _, entry := range entries.acked {
			if seen.added[entry.name] == 0 {
				missing += " " + entry.name
			}
		}
		last := 0
		if len(seen.counter) > 0 {
			last = seen.counter[len(seen.counter)-1]
		}
		return missing == "" && last == int(count()), fmt.Sprintf("missing:%s; counter: saw %d of %d", missing, last, count())
	})
	seen.mu.Lock()
	defer seen.mu.Unlock()
	for name, n := range seen.added {
		if n != 1 {
			t.Errorf("%s was added %d times", name, n)
		}
	}
	for i, value := range seen.counter {
		if want := seen.counter[0] + i; value != want {
			t.Errorf("after the counter's value %d the informer saw %d: an event is missing or came twice",
				seen.counter[max(0, i-1)], value)
			break
		}
	}
	list, err := kube.CoreV1().ConfigMaps("journal").List(within(t, 20*time.Second), metav1.ListOptions{})
	must(t, "list", err)
	if got, want := len(informer.GetStore().List()), len(list.Items); got != want {
		t.Errorf("the informer's store has %d objects, the cluster %d", got, want)
	}
	t.Logf("%d new objects and %d changes seen", len(seen.added), len(seen.counter))
}
