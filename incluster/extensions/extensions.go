// Package extensions keeps the objects by which a cluster's API servers find the APIs that its zones add to theirs: EKS's
// metrics.eks.amazonaws.com, and metrics.k8s.io as long as the user has nobody else for it.
//
// # Who has metrics.k8s.io
//
// Ours is what a Service kube-system/metrics-server without a selector leads to, by Endpoints at an address that only API servers
// reach. metrics-server's own manifest and chart have a Service of that name with a selector: applied over ours it is theirs, and
// Kubernetes' own controllers replace the endpoints by those of its pods. An APIService v1beta1.metrics.k8s.io that names
// another Service is somebody else's too, and ours goes. What is missing is made again once nobody else has been there for
// some seconds. So ours never writes over an object of somebody else, and deletes none but its own.
//
// The objects bear the marks of a Helm release metrics-server in kube-system, since Helm takes over only what does.
package extensions

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"text/template"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"tripod/incluster/addons"
)

//go:embed manifests/*.yaml
var manifests embed.FS

// The resources of the objects.
var (
	apiServices = schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}
	services    = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	resources   = map[string]schema.GroupVersionResource{
		"APIService": apiServices, "Service": services, "Endpoints": {Version: "v1", Resource: "endpoints"},
		"ClusterRole": {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"},
	}
)

const (
	namespace = "kube-system"
	// absence is for how long nobody else has metrics.k8s.io before it is ours again: who replaces one metrics-server by another
	// deletes the old one first.
	absence = 10 * time.Second
)

// Keeper keeps the objects of one cluster.
type Keeper struct {
	client   dynamic.Interface
	watched  map[schema.GroupVersionResource]cache.SharedIndexInformer
	changes  chan struct{}
	now      func() time.Time
	eks, own []*unstructured.Unstructured

	kept    bool      // the objects have been complete, or somebody else's, once
	missing time.Time // since when metrics.k8s.io has been nobody's; zero: it is somebody's

	stop context.CancelFunc
	done sync.WaitGroup
}

// New makes a Keeper of a configuration by which the cluster's administrator reaches it. API servers find the APIs at the address.
func New(conf *rest.Config, at netip.AddrPort) (*Keeper, error) {
	conf = rest.CopyConfig(conf)
	conf.UserAgent, conf.QPS = "eks-extensions", -1
	conf.WarningHandler = rest.NoWarnings{} // that Endpoints are deprecated
	client, err := dynamic.NewForConfig(conf)
	if err != nil {
		return nil, err
	}
	return with(client, at)
}

func with(client dynamic.Interface, at netip.AddrPort) (*Keeper, error) {
	k := &Keeper{client: client, changes: make(chan struct{}, 1), now: time.Now,
		watched: map[schema.GroupVersionResource]cache.SharedIndexInformer{}}
	var err error
	if k.eks, err = render("eks.yaml", at); err != nil {
		return nil, err
	}
	if k.own, err = render("metrics.yaml", at); err != nil {
		return nil, err
	}
	for _, of := range []schema.GroupVersionResource{apiServices, services} {
		where := k.in(of)
		k.watched[of] = cache.NewSharedIndexInformer(cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
			ListWithContextFunc:  func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return where.List(ctx, o) },
			WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) { return where.Watch(ctx, o) },
		}, client), &unstructured.Unstructured{}, 0, nil)
	}
	return k, nil
}

// render are the objects of a manifest.
func render(name string, at netip.AddrPort) ([]*unstructured.Unstructured, error) {
	text, err := template.ParseFS(manifests, "manifests/"+name)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := text.Execute(&out, map[string]any{"Address": at.Addr(), "Port": at.Port()}); err != nil {
		return nil, err
	}
	return addons.Parse(name, out.String())
}

// in is where objects of a resource are.
func (k *Keeper) in(of schema.GroupVersionResource) dynamic.ResourceInterface {
	if of.Group != "" { // those of the core group are in the namespace
		return k.client.Resource(of)
	}
	return k.client.Resource(of).Namespace(namespace)
}

// Changes is signalled when one of the objects may have changed.
func (k *Keeper) Changes() <-chan struct{} { return k.changes }

// Start begins to watch APIServices, and the Services of kube-system, until Stop.
func (k *Keeper) Start(ctx context.Context) error {
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	for _, informer := range k.watched {
		if err := informer.SetTransform(lean); err != nil {
			cancel()
			return err
		}
		if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: k.changed, UpdateFunc: func(_, now any) { k.changed(now) }, DeleteFunc: k.changed}); err != nil {
			cancel()
			return err
		}
	}
	k.stop = cancel
	for _, informer := range k.watched {
		k.done.Go(func() { informer.RunWithContext(running) })
	}
	return nil
}

// Stop ends the watches.
func (k *Keeper) Stop(context.Context) error {
	if k.stop != nil {
		k.stop()
		k.done.Wait()
	}
	return nil
}

// lean keeps of an object what is read of it.
func lean(value any) (any, error) {
	full, ok := value.(*unstructured.Unstructured)
	if !ok {
		return value, nil
	}
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(full.GroupVersionKind())
	o.SetName(full.GetName())
	o.SetNamespace(full.GetNamespace())
	o.SetUID(full.GetUID())
	o.SetResourceVersion(full.GetResourceVersion())
	o.SetLabels(full.GetLabels())
	for _, field := range []string{"service", "selector"} {
		if found, has, _ := unstructured.NestedMap(full.Object, "spec", field); has {
			_ = unstructured.SetNestedMap(o.Object, found, "spec", field) // it came from there
		}
	}
	return o, nil
}

// changed tells of an object that is one of ours by its name.
func (k *Keeper) changed(value any) {
	if gone, ok := value.(cache.DeletedFinalStateUnknown); ok {
		value = gone.Obj
	}
	o, ok := value.(*unstructured.Unstructured)
	if ok && !k.named(o) {
		return
	}
	select {
	case k.changes <- struct{}{}:
	default:
	}
}

func (k *Keeper) named(o *unstructured.Unstructured) bool {
	for _, set := range [][]*unstructured.Unstructured{k.eks, k.own} {
		for _, own := range set {
			if own.GetKind() == o.GetKind() && own.GetName() == o.GetName() {
				return true
			}
		}
	}
	return false
}

var errNotListed = errors.New("APIServices and Services have not been listed yet")

// Keep makes the objects as they should be. It returns when to be asked again, or 0: when something has changed.
func (k *Keeper) Keep(ctx context.Context) (again time.Duration, err error) {
	for _, informer := range k.watched {
		if !informer.HasSynced() {
			return 0, errNotListed
		}
	}
	if !k.complete(k.eks) {
		if err := k.make(ctx, k.eks); err != nil {
			return 0, err
		}
	}
	if k.others() {
		k.kept, k.missing = true, time.Time{}
		return 0, k.leave(ctx)
	}
	if k.complete(k.own) {
		k.kept, k.missing = true, time.Time{}
		return 0, nil
	}
	if k.kept {
		if k.missing.IsZero() {
			k.missing = k.now()
		}
		if left := k.missing.Add(absence).Sub(k.now()); left > 0 {
			return left, nil
		}
	}
	k.missing = time.Time{}
	return 0, k.make(ctx, k.own)
}

// get is an object as the watches know it; nil: there is none, or it is not watched.
func (k *Keeper) get(of *unstructured.Unstructured) *unstructured.Unstructured {
	informer := k.watched[resources[of.GetKind()]]
	if informer == nil {
		return nil
	}
	key := of.GetName()
	if of.GetNamespace() != "" {
		key = of.GetNamespace() + "/" + key
	}
	found, has, err := informer.GetStore().GetByKey(key)
	if err != nil || !has {
		return nil
	}
	return found.(*unstructured.Unstructured)
}

// complete says whether all objects are there that are watched.
func (k *Keeper) complete(all []*unstructured.Unstructured) bool {
	for _, o := range all {
		if k.watched[resources[o.GetKind()]] != nil && k.get(o) == nil {
			return false
		}
	}
	return true
}

// others says whether somebody else has metrics.k8s.io.
func (k *Keeper) others() bool {
	for _, o := range k.own {
		found := k.get(o)
		if found == nil {
			continue
		}
		if _, has, _ := unstructured.NestedMap(found.Object, "spec", "selector"); o.GetKind() == "Service" && has {
			return true
		}
		if o.GetKind() == "APIService" && !leadsTo(found, "metrics-server") {
			return true
		}
	}
	return false
}

// leadsTo says whether an APIService names a Service of kube-system.
func leadsTo(apiService *unstructured.Unstructured, service string) bool {
	name, _, _ := unstructured.NestedString(apiService.Object, "spec", "service", "name")
	where, _, _ := unstructured.NestedString(apiService.Object, "spec", "service", "namespace")
	return name == service && where == namespace
}

// leave takes our Service away, with its endpoints, where the APIService leads elsewhere. A Service that has become somebody
// else's stays.
func (k *Keeper) leave(ctx context.Context) error {
	for _, o := range k.own {
		found := k.get(o)
		if o.GetKind() != "Service" || found == nil {
			continue
		}
		if _, theirs, _ := unstructured.NestedMap(found.Object, "spec", "selector"); theirs {
			continue
		}
		uid, version := found.GetUID(), found.GetResourceVersion()
		err := k.in(services).Delete(ctx, o.GetName(), metav1.DeleteOptions{
			Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &version}})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete Service %s: %w", o.GetName(), err)
		}
	}
	return nil
}

// make creates what is not there.
func (k *Keeper) make(ctx context.Context, all []*unstructured.Unstructured) error {
	for _, o := range all {
		if k.get(o) != nil {
			continue
		}
		_, err := k.in(resources[o.GetKind()]).Create(ctx, o, metav1.CreateOptions{FieldManager: addons.FieldManager})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("create %s %s: %w", o.GetKind(), o.GetName(), err)
		}
	}
	return nil
}
