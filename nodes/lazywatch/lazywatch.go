// Package lazywatch watches objects of a cluster only while somebody asks about them: at rest it costs nothing.
package lazywatch

import (
	"context"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// patience is for how long objects are watched after the last question about them.
const patience = 10 * time.Minute

// Source is a resource that is watched as a whole.
type Source struct {
	Object   runtime.Object
	Watcher  cache.ListerWatcher
	Indexers cache.Indexers
	// Trim drops what nobody asks for; nil: managed fields alone.
	Trim cache.TransformFunc
}

// Watcher lists and watches by a typed client.
func Watcher[L runtime.Object](client any, list func(context.Context, metav1.ListOptions) (L, error),
	follow func(context.Context, metav1.ListOptions) (watch.Interface, error)) cache.ListerWatcher {
	return cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc:  func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return list(ctx, o) },
		WatchFuncWithContext: follow,
	}, client)
}

// Watch has the objects of some sources.
type Watch struct {
	what    string // as sentences name it: Services
	sources []Source
	now     func() time.Time

	mu     sync.Mutex
	used   time.Time
	cancel context.CancelFunc // nil while nothing is watched
	synced chan struct{}      // closed when all is known
	stores []cache.Indexer
	wait   sync.WaitGroup
	closed bool
}

// New returns a Watch that watches nothing yet. what names the objects in sentences.
func New(what string, sources ...Source) *Watch {
	return &Watch{what: what, sources: sources, now: time.Now}
}

// Close ends what is watched.
func (w *Watch) Close() {
	w.mu.Lock()
	w.closed = true
	w.end()
	w.mu.Unlock()
	w.wait.Wait()
}

// end assumes the lock.
func (w *Watch) end() {
	if w.cancel != nil {
		w.cancel()
		w.cancel = nil
	}
}

// Stores are the objects in the order of the sources, when all are known.
func (w *Watch) Stores(ctx context.Context) ([]cache.Indexer, error) {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil, context.Canceled
	}
	w.used = w.now()
	if w.cancel == nil {
		w.begin()
	}
	stores, synced := w.stores, w.synced
	w.mu.Unlock()
	select {
	case <-synced:
		return stores, nil
	default:
	}
	select {
	case <-synced:
		return stores, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("the cluster's %s are not known: %w", w.what, ctx.Err())
	}
}

// begin assumes the lock.
func (w *Watch) begin() {
	running, cancel := context.WithCancel(context.Background())
	w.cancel, w.synced, w.stores = cancel, make(chan struct{}), nil
	var known []cache.InformerSynced
	for _, s := range w.sources {
		trim, indexers := s.Trim, s.Indexers
		if trim == nil {
			trim = trimManaged
		}
		if indexers == nil {
			indexers = cache.Indexers{}
		}
		store, follow := cache.NewInformerWithOptions(cache.InformerOptions{ListerWatcher: s.Watcher, ObjectType: s.Object,
			Handler: cache.ResourceEventHandlerFuncs{}, Transform: trim, Indexers: indexers})
		w.stores = append(w.stores, store.(cache.Indexer))
		known = append(known, follow.HasSynced)
		w.wait.Go(func() { follow.RunWithContext(running) })
	}
	synced := w.synced
	w.wait.Go(func() {
		if cache.WaitForCacheSync(running.Done(), known...) {
			close(synced)
		}
		w.rest(running)
	})
}

// rest ends the watches once nobody has asked for a while.
func (w *Watch) rest(running context.Context) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case <-running.Done():
			return
		case <-timer.C:
		}
		w.mu.Lock()
		left := w.used.Add(patience).Sub(w.now())
		if left <= 0 {
			w.end()
		}
		w.mu.Unlock()
		timer.Reset(max(left, time.Second))
	}
}

func trimManaged(obj any) (any, error) {
	if m, ok := obj.(metav1.Object); ok {
		m.SetManagedFields(nil)
	}
	return obj, nil
}
