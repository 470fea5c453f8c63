// Package mirror is a small controller, as an example of how to test one with Tripod: it copies the ConfigMaps of a namespace that have
// the label mirror=true into another namespace, and keeps the copies as their originals are.
package mirror

import (
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// Controller mirrors From into To.
type Controller struct {
	Config   *rest.Config
	From, To string
}

// Run mirrors until ctx ends.
func (c *Controller) Run(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(c.From),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = "mirror=true" }))
	originals := factory.Core().V1().ConfigMaps()
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[string]())
	add := func(o any) {
		if key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(o); err == nil {
			_, name, _ := cache.SplitMetaNamespaceKey(key)
			queue.Add(name)
		}
	}
	if _, err := originals.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: add, DeleteFunc: add,
		UpdateFunc: func(_, now any) { add(now) }}); err != nil {
		return err
	}
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	if !cache.WaitForCacheSync(ctx.Done(), originals.Informer().HasSynced) {
		return ctx.Err()
	}
	context.AfterFunc(ctx, queue.ShutDown)
	for {
		name, quit := queue.Get()
		if quit {
			return ctx.Err()
		}
		original, err := originals.Lister().ConfigMaps(c.From).Get(name)
		if err == nil || apierrors.IsNotFound(err) {
			err = c.copy(ctx, client, name, original)
		}
		if err != nil {
			queue.AddRateLimited(name)
		} else {
			queue.Forget(name)
		}
		queue.Done(name)
	}
}

// copy makes the copy as its original is; nil: there is none.
func (c *Controller) copy(ctx context.Context, client kubernetes.Interface, name string, original *corev1.ConfigMap) error {
	copies := client.CoreV1().ConfigMaps(c.To)
	if original == nil || original.Name == "" {
		if err := copies.Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		return nil
	}
	there, err := copies.Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		_, err = copies.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: original.Data}, metav1.CreateOptions{})
	case err == nil && !maps.Equal(there.Data, original.Data):
		there.Data = original.Data
		_, err = copies.Update(ctx, there, metav1.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("mirror %s: %w", name, err)
	}
	return nil
}
