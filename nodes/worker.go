package nodes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/component-helpers/apimachinery/lease"
	"k8s.io/utils/clock"

	"tripod/internal/sleep"
	"tripod/nodes/ipam"
	"tripod/nodes/kubeletapi"
	"tripod/nodes/podset"
)

// A kubelet's defaults: nodeLeaseDurationSeconds, and a quarter of it.
const (
	leaseSeconds  = 40
	leaseInterval = 10 * time.Second
)

// deletedPause is how long a Node object that somebody deleted stays away: a kubelet would notice when it next
// writes its status.
const deletedPause = 5 * time.Second

// worker is one node's kubelet.
type worker struct {
	node
	conf    Config
	clients *clients
	player  *player
	pods    *ipam.Pools
	set     *podset.Set
	api     *kubeletapi.API   // nil: there are no logs
	keep    func(*corev1.Pod) // its logs, before others hear of it; nil: there are none
	listed  func()            // called when the node's existing pods are known

	certificates *certificates
	wanted       chan struct{} // a pod wants a certificate; capacity 1

	uid    atomic.Value  // types.UID of the Node object
	said   *string       // what was reported last; nil: nothing
	absent chan struct{} // the Node object was seen to be missing; capacity 1
}

// run is the worker's life: it returns when ctx has ended and everything it started has too.
func (w *worker) run(ctx context.Context, pause time.Duration) {
	var group sync.WaitGroup
	defer group.Wait()

	// Pods and the node object are watched from the beginning: addresses that existing pods have must be known
	// before a new one is given out.
	group.Go(func() { w.watchPods(ctx) })
	if !w.register(ctx) {
		return
	}
	group.Go(func() { w.watchNode(ctx) })
	group.Go(func() { w.heartbeat(ctx) })
	group.Go(func() { w.issue(ctx) })
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.absent:
		}
		w.conf.Logger.Info("node object is gone, registers again", "node", w.name, "in", pause)
		if sleep.For(ctx, pause) != nil || !w.register(ctx) {
			return
		}
	}
}

// register creates the Node object, or brings up to date the one that is there. It tries until it is done; false
// means that ctx ended before.
func (w *worker) register(ctx context.Context) bool {
	for pause := firstRetry; ; pause = min(2*pause, registerRetry) {
		err := w.tryRegister(ctx)
		if err == nil {
			w.report("")
			return true
		}
		if why := refusal(err); why != "" && ctx.Err() == nil {
			w.listed() // nor can it ask for its pods
			w.report(why)
		}
		w.conf.Logger.Debug("node could not register, tries again", "node", w.name, "err", err)
		if sleep.For(ctx, pause) != nil {
			return false
		}
	}
}

// registerRetry is how long a kubelet waits at most between two tries to register: initialNodeStatusUpdate's.
const registerRetry = 7 * time.Second

// refusal is, in the words of a kubelet's log, why a node may not register; empty: it is not known that it may not.
func refusal(err error) string {
	switch {
	case errors.Is(err, errSignIn), errors.Is(err, errOtherInstance):
		return err.Error()
	case apierrors.IsUnauthorized(err):
		return "Unable to register node with API server: Unauthorized"
	case apierrors.IsForbidden(err):
		return "Unable to register node with API server: " + err.Error()
	}
	return ""
}

// report tells of a node that has registered, or why it could not, unless that is known.
func (w *worker) report(trouble string) {
	if w.said == nil || *w.said != trouble {
		w.said = &trouble
		w.conf.Report(w.instanceID, trouble)
	}
}

// errOtherInstance says that a Node object is that of another instance.
var errOtherInstance = errors.New("belongs to another instance")

func (w *worker) tryRegister(ctx context.Context) error {
	got, err := w.join(ctx)
	if err != nil {
		return err
	}
	w.uid.Store(got.UID)
	return nil
}

// join is the kubelet's part of registering.
func (w *worker) join(ctx context.Context) (*corev1.Node, error) {
	nodes := w.clients.calls.CoreV1().Nodes()
	want := w.object(w.conf, time.Now())
	got, err := nodes.Create(ctx, want, metav1.CreateOptions{})
	if err == nil {
		w.conf.Logger.Info("node registered", "node", w.name)
		return got, nil
	}
	if !apierrors.IsAlreadyExists(err) {
		return nil, err
	}
	if got, err = nodes.Get(ctx, w.name, metav1.GetOptions{}); err != nil {
		return nil, err
	}
	if id := got.Spec.ProviderID; id != "" && id != want.Spec.ProviderID {
		return nil, fmt.Errorf("node %s %w, %s", w.name, errOtherInstance, id)
	}
	meta, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"labels": want.Labels, "annotations": want.Annotations},
		"spec":     map[string]any{"providerID": want.Spec.ProviderID},
	})
	if err != nil {
		return nil, err
	}
	if _, err = nodes.Patch(ctx, w.name, types.StrategicMergePatchType, meta, metav1.PatchOptions{}); err != nil {
		return nil, err
	}
	keepTransitions(want.Status.Conditions, got.Status.Conditions)
	status, err := json.Marshal(map[string]any{"status": want.Status})
	if err != nil {
		return nil, err
	}
	if _, err = nodes.PatchStatus(ctx, w.name, status); err != nil {
		return nil, err
	}
	w.conf.Logger.Info("node is back", "node", w.name)
	return got, nil
}

// keepTransitions takes over when conditions that have not changed became so.
func keepTransitions(now, before []corev1.NodeCondition) {
	for i := range now {
		for _, old := range before {
			if old.Type == now[i].Type && old.Status == now[i].Status {
				now[i].LastTransitionTime = old.LastTransitionTime
			}
		}
	}
}

// heartbeat renews the node's lease, as the kubelet does and with its code.
func (w *worker) heartbeat(ctx context.Context) {
	owner := func(l *coordinationv1.Lease) error {
		uid, _ := w.uid.Load().(types.UID)
		l.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: w.name, UID: uid}}
		return nil
	}
	lease.NewController(clock.RealClock{}, w.clients.calls, w.name, leaseSeconds, w.clients.reconnect, leaseInterval,
		w.name, corev1.NamespaceNodeLease, owner).Run(ctx)
}
