package lazywatch

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func newWatch(t *testing.T) *Watch {
	client := fake.NewClientset(&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web",
		ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}}})
	services := client.CoreV1().Services("")
	w := New("Services", Source{Object: &corev1.Service{}, Watcher: Watcher(client, services.List, services.Watch)})
	t.Cleanup(w.Close)
	return w
}

func listed(t *testing.T, w *Watch) []any {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	stores, err := w.Stores(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return stores[0].List()
}

func TestWatchesEndWhenNobodyAsks(t *testing.T) {
	w := newWatch(t)
	if found := listed(t, w); len(found) != 1 || found[0].(*corev1.Service).ManagedFields != nil {
		t.Errorf("got %v", found)
	}
	w.mu.Lock()
	w.end()
	w.mu.Unlock()
	w.wait.Wait()
	if found := listed(t, w); len(found) != 1 {
		t.Errorf("begun anew it has %v", found)
	}
	w.Close()
	if _, err := w.Stores(t.Context()); !errors.Is(err, context.Canceled) {
		t.Errorf("after Close: %v", err)
	}
}
