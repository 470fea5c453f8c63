package nodes

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"tripod/nodes/kwokusage"
)

// KWOK's resources that are taken up, and that of their definitions.
var (
	stageResource        = kwokResource("stages")
	usageResource        = kwokResource("resourceusages")
	clusterUsageResource = kwokResource("clusterresourceusages")
	metricResource       = kwokResource("metrics")
	crdResource          = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
)

func kwokResource(name string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "kwok.x-k8s.io", Version: "v1alpha1", Resource: name}
}

// slowestWatch is between two attempts to watch what may never be there.
const slowestWatch = time.Minute

// watchKWOK takes up the cluster's objects of KWOK's until ctx ends: stages are played, use is what is declared.
func (z *zone) watchKWOK(ctx context.Context, client dynamic.Interface, log *slog.Logger) {
	var watching sync.WaitGroup
	watching.Go(func() { watchObjects(ctx, client, stageResource, z.player.setStages, log) })
	watching.Go(func() {
		watchObjects(ctx, client, usageResource, declares(z, (*kwokusage.Set).ReadResourceUsages), log)
	})
	watching.Go(func() {
		watchObjects(ctx, client, clusterUsageResource, declares(z, (*kwokusage.Set).ReadClusterResourceUsages), log)
	})
	watching.Go(func() { watchObjects(ctx, client, metricResource, declares(z, (*kwokusage.Set).ReadMetrics), log) })
	watching.Wait()
}

// declares changes what is declared of use.
func declares[T any](z *zone, read func(*kwokusage.Set, []*T) kwokusage.Change) func([]*T) error {
	had := false
	return func(list []*T) error {
		if had || len(list) > 0 {
			z.api.Declare(func(s *kwokusage.Set) kwokusage.Change { return read(s, list) })
		}
		had = len(list) > 0
		return nil
	}
}

// watchObjects gives apply all of the cluster's objects of one of KWOK's kinds whenever they change, until ctx ends. Without
// KWOK's CustomResourceDefinition of them it costs one watch that says nothing. The client's user has to be allowed to list
// and watch customresourcedefinitions and the objects; until it is, it tries again, ever more rarely.
func watchObjects[T any](ctx context.Context, client dynamic.Interface, kind schema.GroupVersionResource, apply func([]*T) error,
	log *slog.Logger) {
	var watching sync.WaitGroup
	defer watching.Wait()
	end := func() {}
	defer func() { end() }()
	definition := kind.GroupResource().String()
	follow(ctx, client, crdResource, fields.OneTermEqualSelector("metadata.name", definition),
		func(definitions []*unstructured.Unstructured) {
			end()
			watching.Wait()
			if !slices.ContainsFunc(definitions, established) {
				if err := apply(nil); err != nil {
					log.Warn(definition+" cannot be taken back", "err", err)
				}
				return
			}
			inner, cancel := context.WithCancel(ctx)
			end = cancel
			watching.Go(func() {
				follow(inner, client, kind, fields.Everything(), func(list []*unstructured.Unstructured) {
					objects, err := asObjects[T](list)
					if err == nil {
						err = apply(objects)
					}
					if err != nil {
						log.Warn(definition+" of the cluster are wrong, those of before stay", "err", err)
					}
				})
			})
		})
}

// established says that a CustomResourceDefinition is served.
func established(definition *unstructured.Unstructured) bool {
	list, _, _ := unstructured.NestedSlice(definition.Object, "status", "conditions")
	return slices.ContainsFunc(list, func(c any) bool {
		fields, _ := c.(map[string]any)
		return fields["type"] == "Established" && fields["status"] == "True"
	})
}

// asObjects are objects of a kind, by namespace and name.
func asObjects[T any](list []*unstructured.Unstructured) ([]*T, error) {
	slices.SortFunc(list, func(a, b *unstructured.Unstructured) int { return cmp.Compare(nameOf(a), nameOf(b)) })
	objects := make([]*T, 0, len(list))
	for _, obj := range list {
		made := new(T)
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, made); err != nil {
			return nil, fmt.Errorf("%s %s: %w", obj.GetKind(), nameOf(obj), err)
		}
		objects = append(objects, made)
	}
	return objects, nil
}

// nameOf is an object's name, with its namespace if it is in one.
func nameOf(obj metav1.Object) string {
	return cache.NewObjectName(obj.GetNamespace(), obj.GetName()).String()
}

// follow lists and watches a resource, and gives told all objects after each change.
func follow(ctx context.Context, client dynamic.Interface, kind schema.GroupVersionResource, selector fields.Selector,
	told func([]*unstructured.Unstructured)) {
	resource := client.Resource(kind)
	known := map[string]*unstructured.Unstructured{}
	tell := func() {
		list := make([]*unstructured.Unstructured, 0, len(known))
		for _, obj := range known {
			list = append(list, obj)
		}
		told(list)
	}
	store := feed{
		set:    func(obj metav1.Object) { known[nameOf(obj)] = obj.(*unstructured.Unstructured); tell() },
		remove: func(obj metav1.Object) { delete(known, nameOf(obj)); tell() },
		replace: func(list []metav1.Object) {
			clear(known)
			for _, obj := range list {
				known[nameOf(obj)] = obj.(*unstructured.Unstructured)
			}
			tell()
		},
	}
	backoff, log := watchBackoff, klog.FromContext(ctx)
	backoff.Cap = slowestWatch
	lw := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.FieldSelector = selector.String()
			return resource.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.FieldSelector = selector.String()
			return resource.Watch(ctx, options)
		},
	}
	cache.NewReflectorWithOptions(cache.ToListWatcherWithWatchListSemantics(lw, client), &unstructured.Unstructured{}, store,
		cache.ReflectorOptions{Logger: &log, Backoff: &backoff}).RunWithContext(ctx)
}
