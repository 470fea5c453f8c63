package nodes

import (
	"context"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// watchBackoff is between two attempts to list and watch while the API server is away.
var watchBackoff = wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.2, Steps: 100,
	Cap: 3 * time.Second}

// feed is a reflector's store that keeps nothing: it hands everything on.
type feed struct {
	set     func(metav1.Object)
	remove  func(metav1.Object)
	replace func([]metav1.Object)
}

func (f feed) Add(obj any) error    { f.set(obj.(metav1.Object)); return nil }
func (f feed) Update(obj any) error { f.set(obj.(metav1.Object)); return nil }
func (f feed) Delete(obj any) error { f.remove(obj.(metav1.Object)); return nil }
func (f feed) Resync() error        { return nil }

func (f feed) Replace(list []any, _ string) error {
	objects := make([]metav1.Object, 0, len(list))
	for _, obj := range list {
		objects = append(objects, obj.(metav1.Object))
	}
	f.replace(objects)
	return nil
}

// Transformer drops what nobody here reads and often is the larger half of an object.
func (f feed) Transformer() cache.TransformFunc {
	return func(obj any) (any, error) {
		if o, ok := obj.(metav1.Object); ok {
			o.SetManagedFields(nil)
		}
		return obj, nil
	}
}

// reflect lists and watches until ctx ends.
func (w *worker) reflect(ctx context.Context, name string, expected runtime.Object, selector fields.Selector,
	lw cache.ListWatch, f feed) {
	list, watching := lw.ListWithContextFunc, lw.WatchFuncWithContext
	lw.ListWithContextFunc = func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		options.FieldSelector = selector.String()
		return list(ctx, options)
	}
	lw.WatchFuncWithContext = func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
		options.FieldSelector = selector.String()
		return watching(ctx, options)
	}
	backoff := watchBackoff
	log := klog.FromContext(ctx)
	cache.NewReflectorWithOptions(cache.ToListWatcherWithWatchListSemantics(&lw, w.clients.watches), expected, f,
		cache.ReflectorOptions{Logger: &log, Name: name, Backoff: &backoff}).RunWithContext(ctx)
}

func (w *worker) watchNode(ctx context.Context) {
	client := w.clients.watches.CoreV1().Nodes()
	missing := func() {
		select {
		case w.absent <- struct{}{}:
		default: // is known already
		}
	}
	w.reflect(ctx, "node/"+w.name, &corev1.Node{}, fields.OneTermEqualSelector("metadata.name", w.name), cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object,
			error) {
			return client.List(ctx, o)
		},
		WatchFuncWithContext: client.Watch,
	}, feed{
		set: func(obj metav1.Object) {
			if obj.GetName() == w.name {
				w.setNode(obj)
			}
		},
		remove: func(obj metav1.Object) {
			if obj.GetName() == w.name {
				w.player.remove(obj)
				missing()
			}
		},
		replace: func(list []metav1.Object) {
			for _, obj := range list {
				if obj.GetName() == w.name {
					w.setNode(obj)
					return
				}
			}
			missing()
		},
	})
}

func (w *worker) setNode(obj metav1.Object) {
	w.pods.Choose(w.instanceID, obj.GetLabels(), obj.GetAnnotations())
	w.player.set(obj)
}

func (w *worker) watchPods(ctx context.Context) {
	client := w.clients.watches.CoreV1().Pods(metav1.NamespaceAll)
	w.reflect(ctx, "pods/"+w.name, &corev1.Pod{}, fields.OneTermEqualSelector("spec.nodeName", w.name), cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object,
			error) {
			return client.List(ctx, o)
		},
		WatchFuncWithContext: client.Watch,
	}, feed{set: w.setPod, remove: w.removePod, replace: w.replacePods})
}

func (w *worker) setPod(obj metav1.Object) {
	pod := obj.(*corev1.Pod)
	if pod.Spec.NodeName != w.name {
		return
	}
	w.holdAddress(pod)
	w.keepLogs(pod)
	w.set.Set(pod)
	w.player.set(pod)
	w.certify(pod)
}

func (w *worker) removePod(obj metav1.Object) {
	if obj.(*corev1.Pod).Spec.NodeName != w.name {
		return
	}
	w.pods.Release(w.instanceID, string(obj.GetUID()))
	w.dropVolumes(obj.GetUID())
	w.set.Remove(obj.(*corev1.Pod))
	w.dropLogs(obj.GetUID())
	w.player.remove(obj)
	if manager := w.certificates.of(w.name); manager != nil {
		manager.ForgetPod(context.Background(), obj.(*corev1.Pod)) // it only forgets
	}
}

// replacePods takes the whole list of the node's pods: what is not in it has gone unseen.
func (w *worker) replacePods(list []metav1.Object) {
	there, uids := make(map[string]metav1.Object, len(list)), make(map[types.UID]bool, len(list))
	for _, obj := range list {
		there[key(obj)], uids[obj.GetUID()] = obj, true
	}
	w.sweepVolumes(uids)
	w.sweepLogs(uids)
	for _, pod := range w.player.podsOf(w.name) {
		now := there[key(pod)]
		if now == nil {
			w.removePod(pod)
		} else if now.GetUID() != pod.UID {
			w.pods.Release(w.instanceID, string(pod.UID))
		}
	}
	for _, obj := range list { // all addresses first: setPod may lead to new ones being given out
		if pod := obj.(*corev1.Pod); pod.Spec.NodeName == w.name {
			w.holdAddress(pod)
		}
	}
	w.pods.Listed(w.instanceID)
	w.listed()
	for _, obj := range list {
		w.setPod(obj)
	}
}

// holdAddress keeps the address that a pod has. Also a finished pod keeps it until its object is gone, so that the
// same address is never seen twice.
func (w *worker) holdAddress(pod *corev1.Pod) {
	if pod.Spec.HostNetwork || pod.Status.PodIP == "" {
		return
	}
	if addr, err := netip.ParseAddr(pod.Status.PodIP); err == nil {
		w.pods.Hold(w.instanceID, string(pod.UID), addr)
	}
}
