package nodes

import (
	"context"
	"errors"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	certinformers "k8s.io/client-go/informers/certificates/v1"
	certlisters "k8s.io/client-go/listers/certificates/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/kubernetes/pkg/kubelet/podcertificate"
	"k8s.io/utils/clock"

	"tripod/nodes/podlife"
)

// certificates are those of a zone's pods that their kubelets have had made: upstream's own manager makes keys and
// PodCertificateRequests, waits for the signer, and renews. A node has one from its first pod on that wants a certificate.
type certificates struct {
	mu       sync.Mutex
	managers map[string]*podcertificate.IssuingManager // by node
}

func (c *certificates) of(node string) *podcertificate.IssuingManager {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.managers[node]
}

func (c *certificates) set(node string, m *podcertificate.IssuingManager) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m == nil {
		delete(c.managers, node)
		return
	}
	if c.managers == nil {
		c.managers = map[string]*podcertificate.IssuingManager{}
	}
	c.managers[node] = m
}

var errNotAsked = errors.New("credential bundle is not issued yet") // as podcertificate says it

// get is the key and the certificates, in PEM, of a source of a pod's volume, or why they are not there.
func (c *certificates) get(ctx context.Context, pod *corev1.Pod, volume string, source int) (key, chain string, err error) {
	manager := c.of(pod.Spec.NodeName)
	if manager == nil {
		return "", "", errNotAsked
	}
	k, certificates, err := manager.GetPodCertificateCredentialBundle(ctx, pod.Namespace, pod.Name, string(pod.UID), volume, source)
	return string(k), string(certificates), err
}

// wantsCertificate says whether a kubelet has to have a certificate made for a pod.
func wantsCertificate(pod *corev1.Pod) bool {
	for i := range pod.Spec.Volumes {
		if projected := pod.Spec.Volumes[i].Projected; projected != nil {
			for j := range projected.Sources {
				if projected.Sources[j].PodCertificate != nil {
					return true
				}
			}
		}
	}
	return false
}

// certify tells the node's manager of a pod that is new or has changed.
func (w *worker) certify(pod *corev1.Pod) {
	if !wantsCertificate(pod) {
		return
	}
	select {
	case w.wanted <- struct{}{}:
	default: // is known already
	}
	if manager := w.certificates.of(w.name); manager != nil {
		manager.TrackPod(context.Background(), pod) // it only queues
	}
}

// issue has certificates made until ctx ends, once a pod wants one.
func (w *worker) issue(ctx context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-w.wanted:
	}
	requests := requests{certinformers.NewFilteredPodCertificateRequestInformer(w.clients.watches, metav1.NamespaceAll, 0,
		cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}, func(o *metav1.ListOptions) {
			o.FieldSelector = fields.OneTermEqualSelector("spec.nodeName", w.name).String()
		})}
	own := ownNode{w}
	manager := podcertificate.NewIssuingManager(w.clients.calls, own, teller{w.player.events}, requests, own,
		types.NodeName(w.name), clock.RealClock{})
	w.certificates.set(w.name, manager)
	defer w.certificates.set(w.name, nil)
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() { requests.informer.RunWithContext(ctx) })
	for _, pod := range own.GetPods() {
		if wantsCertificate(pod) {
			manager.TrackPod(ctx, pod)
		}
	}
	manager.Run(ctx)
}

// requests are the PodCertificateRequests of one node.
type requests struct{ informer cache.SharedIndexInformer }

func (r requests) Informer() cache.SharedIndexInformer { return r.informer }

func (r requests) Lister() certlisters.PodCertificateRequestLister {
	return certlisters.NewPodCertificateRequestLister(r.informer.GetIndexer())
}

// ownNode is what the manager asks of its node: its pods and its object, which the worker knows.
type ownNode struct{ *worker }

func (n ownNode) GetPods() []*corev1.Pod { return n.player.podsOf(n.name) }

func (n ownNode) GetPodByUID(uid types.UID) (*corev1.Pod, bool) {
	for _, pod := range n.GetPods() {
		if pod.UID == uid {
			return pod, true
		}
	}
	return nil, false
}

func (n ownNode) Informer() cache.SharedIndexInformer { return synced{} }
func (n ownNode) Lister() corelisters.NodeLister      { return n }

func (n ownNode) List(labels.Selector) ([]*corev1.Node, error) {
	node, err := n.Get(n.name)
	return []*corev1.Node{node}, err
}

func (n ownNode) Get(name string) (*corev1.Node, error) {
	if node := n.player.nodeNamed(name); node != nil {
		return node, nil
	}
	return nil, apierrors.NewNotFound(corev1.Resource("nodes"), name)
}

// synced is an informer of which nobody asks more than whether it knows what there is.
type synced struct{ cache.SharedIndexInformer }

func (synced) HasSynced() bool { return true }

// teller sends the manager's events.
type teller struct{ events *recorder }

func (t teller) Event(about runtime.Object, kind, reason, message string) {
	if pod, ok := about.(*corev1.Pod); ok {
		t.events.aboutPod(pod, []podlife.Event{{Type: kind, Reason: reason, Message: message}})
	}
}

func (t teller) Eventf(about runtime.Object, kind, reason, format string, args ...any) {
	t.Event(about, kind, reason, fmt.Sprintf(format, args...))
}

func (t teller) AnnotatedEventf(about runtime.Object, _ map[string]string, kind, reason, format string, args ...any) {
	t.Eventf(about, kind, reason, format, args...)
}
