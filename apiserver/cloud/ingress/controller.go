// Package ingress makes application load balancers of Ingresses of the class alb: the same objects of AWS, by the same
// annotations, as the AWS Load Balancer Controller (https://kubernetes-sigs.github.io/aws-load-balancer-controller/), and
// steps aside where that runs.
package ingress

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/aws/smithy-go"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcore "k8s.io/client-go/kubernetes/typed/core/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	networkinglisters "k8s.io/client-go/listers/networking/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"k8s.io/klog/v2"
)

// Controller is that of one cluster.
type Controller struct {
	cluster string
	kube    kubernetes.Interface
	cloud   Cloud
	shared  informers.SharedInformerFactory

	ingresses networkinglisters.IngressLister
	services  corelisters.ServiceLister
	nodes     corelisters.NodeLister
	endpoints discoverylisters.EndpointSliceLister // nil until there is an Ingress

	running context.Context   // of the term
	changes chan struct{}     // coalesced
	done    map[string]uint64 // by stack: a sum of the model that was deployed last
	issued  issued            // certificates, as they were found last
	events  record.EventRecorder
}

// New returns a controller on what shared watches. It costs a watch of Ingresses at rest, and one of EndpointSlices from
// the first Ingress of the class on.
func New(cluster string, kube kubernetes.Interface, cloud Cloud, shared informers.SharedInformerFactory) (*Controller, error) {
	c := &Controller{cluster: cluster, kube: kube, cloud: cloud, shared: shared, changes: make(chan struct{}, 1), done: map[string]uint64{},
		ingresses: shared.Networking().V1().Ingresses().Lister(), services: shared.Core().V1().Services().Lister(),
		nodes: shared.Core().V1().Nodes().Lister()}
	for _, informer := range []cache.SharedIndexInformer{shared.Networking().V1().Ingresses().Informer(),
		shared.Core().V1().Services().Informer(), shared.Core().V1().Nodes().Informer()} {
		if _, err := informer.AddEventHandler(c.onChange()); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *Controller) onChange() cache.ResourceEventHandler {
	changed := func() {
		select {
		case c.changes <- struct{}{}:
		default:
		}
	}
	return cache.ResourceEventHandlerFuncs{AddFunc: func(any) { changed() }, UpdateFunc: func(any, any) { changed() },
		DeleteFunc: func(any) { changed() }}
}

const (
	retry      = 2 * time.Second // after a failure
	mostRetry  = time.Minute
	webhookOf  = "aws-load-balancer-webhook" // the AWS Load Balancer Controller's
	callsAtOne = time.Minute                 // what one round may take
)

// Run works until ctx ends.
func (c *Controller) Run(ctx context.Context) {
	broadcaster := record.NewBroadcaster(record.WithContext(ctx))
	defer broadcaster.Shutdown()
	broadcaster.StartRecordingToSink(&typedcore.EventSinkImpl{Interface: c.kube.CoreV1().Events("")})
	c.events = broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "ingress"})
	c.running = ctx
	if !cache.WaitForCacheSync(ctx.Done(), c.shared.Networking().V1().Ingresses().Informer().HasSynced,
		c.shared.Core().V1().Services().Informer().HasSynced, c.shared.Core().V1().Nodes().Informer().HasSynced) {
		return // of what is known in part, healthy targets would go
	}
	pause := retry
	var again <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.changes:
		case <-again:
		}
		again = nil
		round, cancel := context.WithTimeout(ctx, callsAtOne)
		failed := c.reconcile(round)
		cancel()
		if failed == nil {
			pause = retry
			continue
		}
		klog.FromContext(ctx).V(2).Info("Ingresses are not all as they should be, tries again", "err", failed)
		again = time.After(pause)
		pause = min(2*pause, mostRetry)
	}
}

// reconcile makes AWS be as all Ingresses of the class say.
func (c *Controller) reconcile(ctx context.Context) error {
	all, err := c.ingresses.List(labels.Everything())
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(i *networkingv1.Ingress) bool { return !isOurs(i) && len(finalizersOf(i)) == 0 })
	if len(all) == 0 {
		return nil
	}
	switch _, err := c.kube.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(ctx, webhookOf, metav1.GetOptions{}); {
	case err == nil:
		clear(c.done)
		return nil // the AWS Load Balancer Controller does it
	case !apierrors.IsNotFound(err):
		return err
	}
	if err := c.watchEndpoints(ctx); err != nil {
		return err
	}
	var failed []error
	for _, g := range groupsOf(all) {
		failed = append(failed, c.keep(ctx, g))
	}
	return errors.Join(failed...)
}

func (c *Controller) watchEndpoints(ctx context.Context) error {
	if c.endpoints != nil {
		return nil
	}
	slices := c.shared.Discovery().V1().EndpointSlices()
	if _, err := slices.Informer().AddEventHandler(c.onChange()); err != nil {
		return err
	}
	c.shared.StartWithContext(c.running)
	if !cache.WaitForCacheSync(ctx.Done(), slices.Informer().HasSynced) {
		return ctx.Err()
	}
	c.endpoints = slices.Lister()
	return nil
}

// keep makes AWS be as one group says, and tells its Ingresses.
func (c *Controller) keep(ctx context.Context, g group) error {
	if len(g.members) == 0 {
		if err := c.cloud.remove(ctx, c.cluster, g.stack); err != nil {
			c.tell(g.leaving, corev1.EventTypeWarning, "FailedDeployModel", "Failed deploy model due to "+sentence(err))
			return err
		}
		delete(c.done, g.stack)
		return c.finalize(ctx, g.leaving, g.finalizer(), false)
	}
	m, err := build(c.cluster, g, round{c, ctx})
	if err != nil {
		c.tell(g.members, corev1.EventTypeWarning, "FailedBuildModel", "Failed build model due to "+err.Error())
		return err
	}
	sum := fnv.New64a()
	fmt.Fprintf(sum, "%+v %v %d", printable(m), namesOf(g.members), len(g.leaving))
	if c.done[g.stack] == sum.Sum64() {
		return nil
	}
	if err := c.finalize(ctx, g.members, g.finalizer(), true); err != nil {
		return err
	}
	dnsName, err := c.cloud.deploy(ctx, m)
	if err != nil {
		c.tell(g.members, corev1.EventTypeWarning, "FailedDeployModel", "Failed deploy model due to "+sentence(err))
		return err
	}
	for _, i := range g.members {
		if err := c.status(ctx, i, dnsName); err != nil {
			return err
		}
	}
	if err := c.finalize(ctx, g.leaving, g.finalizer(), false); err != nil {
		return err
	}
	c.done[g.stack] = sum.Sum64()
	c.tell(g.members, corev1.EventTypeNormal, "SuccessfullyReconciled", "Successfully reconciled")
	return nil
}

func namesOf(all []*networkingv1.Ingress) (names []string) {
	for _, i := range all {
		names = append(names, i.Namespace+"/"+i.Name)
	}
	return names
}

// sentence is AWS's own, without the SDK's frame.
func sentence(err error) string {
	var answer smithy.APIError
	if errors.As(err, &answer) {
		return answer.ErrorCode() + ": " + answer.ErrorMessage()
	}
	return err.Error()
}

func (c *Controller) tell(all []*networkingv1.Ingress, kind, reason, message string) {
	for _, i := range all {
		c.events.Event(i, kind, reason, message)
	}
}

// finalize gives Ingresses the finalizer, or takes it.
func (c *Controller) finalize(ctx context.Context, all []*networkingv1.Ingress, name string, has bool) error {
	for _, i := range all {
		if slices.Contains(i.Finalizers, name) == has {
			continue
		}
		changed := i.DeepCopy()
		if has {
			changed.Finalizers = append(changed.Finalizers, name)
		} else {
			changed.Finalizers = slices.DeleteFunc(changed.Finalizers, func(f string) bool { return f == name })
		}
		if _, err := c.kube.NetworkingV1().Ingresses(i.Namespace).Update(ctx, changed, metav1.UpdateOptions{}); err != nil &&
			!apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// status tells an Ingress where it is reached.
func (c *Controller) status(ctx context.Context, i *networkingv1.Ingress, dnsName string) error {
	now, err := c.kube.NetworkingV1().Ingresses(i.Namespace).Get(ctx, i.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if at := now.Status.LoadBalancer.Ingress; len(at) == 1 && at[0].Hostname == dnsName {
		return nil
	}
	now.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{Hostname: dnsName}}
	_, err = c.kube.NetworkingV1().Ingresses(i.Namespace).UpdateStatus(ctx, now, metav1.UpdateOptions{})
	return err
}

func (c *Controller) service(namespace, name string) (*corev1.Service, bool) {
	s, err := c.services.Services(namespace).Get(name)
	return s, err == nil
}

func (c *Controller) slices(namespace, service string) []*discoveryv1.EndpointSlice {
	all, _ := c.endpoints.EndpointSlices(namespace).List(labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: service}))
	return all
}

// instances are those of nodes that are Ready and not left out, in the order of their ids.
func (c *Controller) instances() (ids []string) {
	all, _ := c.nodes.List(labels.Everything())
	for _, n := range all {
		_, excluded := n.Labels["node.kubernetes.io/exclude-from-external-load-balancers"]
		ready := slices.ContainsFunc(n.Status.Conditions, func(is corev1.NodeCondition) bool {
			return is.Type == corev1.NodeReady && is.Status == corev1.ConditionTrue
		})
		at := strings.LastIndexByte(n.Spec.ProviderID, '/')
		if id := n.Spec.ProviderID[at+1:]; strings.HasPrefix(id, "i-") && ready && !excluded {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
