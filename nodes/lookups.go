package nodes

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"

	"tripod/nodes/efsvolume"
	"tripod/nodes/podlife"
)

// How long an answer is believed. A pod that waits for something asks again soon, all those of a zone together once; one
// for which all is well does not cost a request. What every namespace has is believed longer.
const (
	usualLife      = time.Minute
	troubledLife   = time.Second
	commonLife     = 10 * time.Minute
	attachmentLife = 200 * time.Millisecond // whether a volume is attached is asked by those who are about to mount it
	failureLife    = 80 * time.Millisecond  // of an answer that was none
	refusedAfter   = 10 * time.Second       // for how long a refusal may be the authorizer's not having seen the pod yet
	mostAnswers    = 4096
)

// lookups asks the API server for what pods refer to, as a kubelet may: each thing once for all pods of the zone.
type lookups struct {
	client kubernetes.Interface
	// mount says why a file system cannot be mounted: see Config.Mount.
	mount func(efsvolume.Handle) (output string, err error)

	mu    sync.Mutex
	known map[podlife.Reference]*answer
}

// answer is what the API server said of a reference. Its fields are set when done is closed.
type answer struct {
	done    chan struct{}
	object  podlife.Object
	err     error // nil, ErrNotFound, ErrUnknown or what a kubelet would say
	at      time.Time
	refused time.Time // since when it is
}

func newLookups(client kubernetes.Interface) *lookups {
	return &lookups{client: client, known: map[podlife.Reference]*answer{}}
}

// common says that a reference is of what hardly ever changes: a namespace's CA, service accounts.
func common(ref podlife.Reference) bool {
	return ref.Kind == podlife.ServiceAccount || ref.Kind == podlife.ConfigMap && ref.Name == "kube-root-ca.crt"
}

// get is what is known of a reference, if it was asked for less than fresh ago, or for the sake of a pod for which it has
// been asked for so long: one may refer to hundreds of objects.
func (l *lookups) get(ref podlife.Reference, fresh, asking time.Duration) (podlife.Object, error) {
	l.mu.Lock()
	a := l.known[ref]
	l.mu.Unlock()
	if a == nil {
		return podlife.Object{}, podlife.ErrUnknown
	}
	select {
	case <-a.done:
	default:
		return podlife.Object{}, podlife.ErrUnknown
	}
	switch {
	case errors.Is(a.err, podlife.ErrNotFound):
		fresh = min(fresh, troubledLife)
	case a.err != nil && !errors.Is(a.err, errMount):
		fresh = failureLife
	case common(ref):
		fresh = commonLife
	}
	if ref.Kind == podlife.Attachment || ref.Kind == podlife.Mount {
		fresh = min(fresh, attachmentLife)
	}
	if time.Since(a.at) > fresh+asking {
		return podlife.Object{}, podlife.ErrUnknown
	}
	return a.object, a.err
}

// fetch asks for references, for the pod, and waits for the answers. It says whether any is known now.
func (l *lookups) fetch(ctx context.Context, pod *corev1.Pod, refs []podlife.Reference) bool {
	some := false
	for _, ref := range refs {
		a, mine := l.begin(ref)
		if mine {
			object, err := l.ask(ctx, pod, ref)
			if apierrors.IsForbidden(err) && a.refused.IsZero() {
				a.refused = time.Now()
			}
			switch {
			case err == nil:
				a.refused = time.Time{}
			case apierrors.IsNotFound(err):
				err, a.refused = podlife.ErrNotFound, time.Time{}
			case apierrors.IsForbidden(err) && time.Since(a.refused) > refusedAfter:
			case errors.Is(err, errMount):
			default:
				err = podlife.ErrUnknown
			}
			a.object, a.err, a.at = object, err, time.Now()
			close(a.done)
		}
		select {
		case <-a.done:
			some = some || !errors.Is(a.err, podlife.ErrUnknown)
		case <-ctx.Done():
			return false
		}
	}
	return some
}

// begin is the answer that is under way, or a new one that the caller has to get.
func (l *lookups) begin(ref podlife.Reference) (a *answer, mine bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var refused time.Time
	if old := l.known[ref]; old != nil {
		select {
		case <-old.done:
			refused = old.refused
		default:
			return old, false
		}
	}
	if len(l.known) >= mostAnswers {
		for ref, old := range l.known {
			select {
			case <-old.done:
				if time.Since(old.at) > usualLife {
					delete(l.known, ref)
				}
			default:
			}
		}
	}
	a = &answer{done: make(chan struct{}), refused: refused}
	l.known[ref] = a
	return a, true
}

// ask asks the API server.
func (l *lookups) ask(ctx context.Context, pod *corev1.Pod, ref podlife.Reference) (podlife.Object, error) {
	var object podlife.Object
	core := l.client.CoreV1()
	switch ref.Kind {
	case podlife.ConfigMap:
		got, err := core.ConfigMaps(ref.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
		if err != nil {
			return object, err
		}
		object.Keys = map[string]bool{}
		for key := range got.Data {
			object.Keys[key] = true
		}
		for key := range got.BinaryData {
			object.Keys[key] = true
		}
	case podlife.Secret:
		got, err := core.Secrets(ref.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
		if err != nil {
			return object, err
		}
		object.Keys = map[string]bool{}
		for key := range got.Data {
			object.Keys[key] = true
		}
	case podlife.ServiceAccount:
		// A kubelet may not read service accounts: it asks for a token of one, for its pod.
		_, err := core.ServiceAccounts(ref.Namespace).CreateToken(ctx, ref.Name, tokenRequest(pod), metav1.CreateOptions{})
		return object, err
	case podlife.Claim:
		got, err := core.PersistentVolumeClaims(ref.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
		if err != nil {
			return object, err
		}
		object.Bound = got.Status.Phase == corev1.ClaimBound && got.Spec.VolumeName != ""
		if object.Bound {
			volume, err := core.PersistentVolumes().Get(ctx, got.Spec.VolumeName, metav1.GetOptions{})
			if err != nil {
				return object, err
			}
			object.Driver, object.Handle = attachable(volume)
			object.Mounts = mountable(volume)
		}
	case podlife.Attachment:
		got, err := l.client.StorageV1().VolumeAttachments().Get(ctx, ref.Name, metav1.GetOptions{})
		if err != nil {
			return object, err
		}
		object.Attached = got.Status.Attached && got.DeletionTimestamp == nil
	case podlife.Mount:
		return object, l.mountFor(ctx, ref)
	case podlife.RuntimeClass:
		got, err := l.client.NodeV1().RuntimeClasses().Get(ctx, ref.Name, metav1.GetOptions{})
		if err != nil {
			return object, err
		}
		object.Handler = got.Handler
	case podlife.TrustBundle:
		_, err := l.client.CertificatesV1().ClusterTrustBundles().Get(ctx, ref.Name, metav1.GetOptions{})
		return object, err
	case podlife.SignersBundles:
		signer, selector, _ := strings.Cut(ref.Name, "?")
		got, err := l.client.CertificatesV1().ClusterTrustBundles().List(ctx, metav1.ListOptions{LabelSelector: selector,
			FieldSelector: fields.OneTermEqualSelector("spec.signerName", signer).String(), Limit: 1})
		if err == nil && len(got.Items) == 0 {
			err = apierrors.NewNotFound(certificatesv1.Resource("clustertrustbundles"), ref.Name)
		}
		return object, err
	}
	return object, nil
}
