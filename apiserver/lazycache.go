package apiserver

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/cacher"
	"k8s.io/klog/v2"
)

// An upstream API server keeps a watch cache of every resource: some seventy reflectors that list at the start and
// watch etcd for ever, with a copy of all objects and a timer that fires every second, each. Most resources are watched
// by one client or by nobody, in two of the three zones nearly all. So here a resource is watched in etcd directly, as
// upstream does it for events, and gets its cache when a second client watches it.

// watchersToCache is from how many watchers at a time a resource has a cache.
const watchersToCache = 2

// lazyCache is the storage of one resource. Its zero value is not useful.
type lazyCache struct {
	storage.Interface // etcd's
	config            cacher.Config

	cache atomic.Pointer[watchCache] // nil until it is ready

	mu       sync.Mutex
	watchers int // in etcd directly
	making   bool
	stopped  bool
	maker    sync.WaitGroup
	cancel   context.CancelFunc
}

// watchCache is a cache that is ready.
type watchCache struct {
	*cacher.CacheDelegator
	cacher *cacher.Cacher
	// from is the resource version from which on it has all events: a watch that begins before goes to etcd.
	from uint64
}

func newLazyCache(config cacher.Config) *lazyCache {
	return &lazyCache{Interface: config.Storage, config: config}
}

// best is the cache once there is one, and etcd's own storage until then.
func (l *lazyCache) best() storage.Interface {
	if c := l.cache.Load(); c != nil {
		return c
	}
	return l.Interface
}

// Watch is storage.Interface's.
func (l *lazyCache) Watch(ctx context.Context, key string, opts storage.ListOptions) (watch.Interface, error) {
	if c := l.cache.Load(); c != nil && c.serves(opts.ResourceVersion) {
		return c.Watch(ctx, key, opts)
	}
	w, err := l.Interface.Watch(ctx, key, opts)
	if err != nil {
		return nil, err
	}
	l.began()
	direct := &directWatch{Interface: w, ended: sync.OnceFunc(l.ended)}
	if opts.Predicate.AllowWatchBookmarks || opts.ProgressNotify {
		return direct, nil
	}
	return watch.Filter(direct, noBookmarks), nil
}

// noBookmarks leaves out what a client has not asked for. Caches ask etcd how far it is, and it tells all watches that have
// a stream in common, also those that are none of a cache's.
func noBookmarks(e watch.Event) (watch.Event, bool) { return e, e.Type != watch.Bookmark }

// serves says whether the cache knows all that came after a resource version: a decimal number, or 0 or nothing for the
// present state.
func (c *watchCache) serves(version string) bool {
	if version == "" || version == "0" {
		return true
	}
	from, err := strconv.ParseUint(version, 10, 64)
	return err != nil || from >= c.from // a version that is no number is the cache's to refuse
}

// directWatch is a watch in etcd.
type directWatch struct {
	watch.Interface
	ended func()
}

func (w *directWatch) Stop() {
	w.Interface.Stop()
	w.ended()
}

func (l *lazyCache) began() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watchers++
	if l.watchers < watchersToCache || l.making || l.stopped {
		return
	}
	l.making = true
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	l.maker.Go(func() {
		if err := l.make(ctx); err != nil && ctx.Err() == nil {
			klog.ErrorS(err, "a resource has no watch cache", "resource", l.config.GroupResource)
		}
	})
}

func (l *lazyCache) ended() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watchers--
}

// make makes the cache and returns when it serves.
func (l *lazyCache) make(ctx context.Context) error {
	caching, err := cacher.NewCacherFromConfig(l.config)
	if err != nil {
		return err
	}
	cache := &watchCache{CacheDelegator: cacher.NewCacheDelegator(caching, l.Interface), cacher: caching}
	if err = caching.Wait(ctx); err == nil {
		cache.from, err = l.GetCurrentResourceVersion(ctx)
	}
	if err != nil {
		cache.stop()
		return err
	}
	l.cache.Store(cache)
	return nil
}

func (c *watchCache) stop() {
	c.CacheDelegator.Stop()
	c.cacher.Stop()
}

// stop ends what runs.
func (l *lazyCache) stop() {
	l.mu.Lock()
	l.stopped = true
	if l.cancel != nil {
		l.cancel()
	}
	l.mu.Unlock()
	l.maker.Wait()
	if c := l.cache.Load(); c != nil {
		c.stop()
	}
}

// Get is storage.Interface's, as are the following.
func (l *lazyCache) Get(ctx context.Context, key string, opts storage.GetOptions, into runtime.Object) error {
	return l.best().Get(ctx, key, opts, into)
}

func (l *lazyCache) GetList(ctx context.Context, key string, opts storage.ListOptions, into runtime.Object) error {
	return l.best().GetList(ctx, key, opts, into)
}

func (l *lazyCache) Delete(ctx context.Context, key string, out runtime.Object, preconditions *storage.Preconditions,
	validate storage.ValidateObjectFunc, existing runtime.Object, opts storage.DeleteOptions) error {
	return l.best().Delete(ctx, key, out, preconditions, validate, existing, opts)
}

func (l *lazyCache) GuaranteedUpdate(ctx context.Context, key string, into runtime.Object, ignoreNotFound bool,
	preconditions *storage.Preconditions, update storage.UpdateFunc, existing runtime.Object) error {
	return l.best().GuaranteedUpdate(ctx, key, into, ignoreNotFound, preconditions, update, existing)
}

func (l *lazyCache) Stats(ctx context.Context) (storage.Stats, error) { return l.best().Stats(ctx) }

func (l *lazyCache) CompactRevision() int64 { return l.best().CompactRevision() }
