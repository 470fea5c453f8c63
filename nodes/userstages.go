package nodes

import (
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
	"sigs.k8s.io/kwok/pkg/apis/v1alpha1"
)

var (
	stageResource = schema.GroupVersionResource{Group: "kwok.x-k8s.io", Version: "v1alpha1", Resource: "stages"}
	crdResource   = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
)

// slowestWatch is between two attempts to watch what may never be there.
const slowestWatch = time.Minute

// watchStages gives apply all of the cluster's KWOK stages whenever they change, until ctx ends. Without KWOK's
// CustomResourceDefinition of them it costs one watch that says nothing. The client's user has to be allowed to list and
// watch customresourcedefinitions and stages.kwok.x-k8s.io; until it is, it tries again, ever more rarely.
func watchStages(ctx context.Context, client dynamic.Interface, apply func([]*v1alpha1.Stage) error, log *slog.Logger) {
	var watching sync.WaitGroup
	defer watching.Wait()
	end := func() {}
	defer func() { end() }()
	follow(ctx, client, crdResource, fields.OneTermEqualSelector("metadata.name", "stages.kwok.x-k8s.io"),
		func(definitions []*unstructured.Unstructured) {
			end()
			watching.Wait()
			if !slices.ContainsFunc(definitions, established) {
				if err := apply(nil); err != nil {
					log.Warn("stages cannot be taken back", "err", err)
				}
				return
			}
			inner, cancel := context.WithCancel(ctx)
			end = cancel
			watching.Go(func() {
				follow(inner, client, stageResource, fields.Everything(), func(list []*unstructured.Unstructured) {
					stages, err := asStages(list)
					if err == nil {
						err = apply(stages)
					}
					if err != nil {
						log.Warn("KWOK stages of the cluster are wrong, those of before stay", "err", err)
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

func asStages(list []*unstructured.Unstructured) ([]*v1alpha1.Stage, error) {
	stages := make([]*v1alpha1.Stage, 0, len(list))
	for _, obj := range list {
		stage := &v1alpha1.Stage{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, stage); err != nil {
			return nil, fmt.Errorf("stage %s: %w", obj.GetName(), err)
		}
		stages = append(stages, stage)
	}
	slices.SortFunc(stages, func(a, b *v1alpha1.Stage) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return stages, nil
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
		set:    func(obj metav1.Object) { known[obj.GetName()] = obj.(*unstructured.Unstructured); tell() },
		remove: func(obj metav1.Object) { delete(known, obj.GetName()); tell() },
		replace: func(list []metav1.Object) {
			clear(known)
			for _, obj := range list {
				known[obj.GetName()] = obj.(*unstructured.Unstructured)
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
