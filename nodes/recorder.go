package nodes

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/flowcontrol"

	"tripod/internal/sleep"
	"tripod/nodes/podlife"
)

// How fast events go out. A kubelet sends 50 a second, and 100 at once (eventRecordQPS, eventBurst); a zone's kubelets
// together send as many as one or two of them, since all run on one machine with the API servers.
const (
	nodeEvents, nodeEventsBurst = 50, 100
	zoneEvents, zoneEventsBurst = 100, 200
	// mostEvents wait to be sent: when there are more, those that tell of nothing wrong are dropped, as kubelets' are.
	mostEvents, mostNormalEvents = 5000, 4000
	eventTries                   = 4
	eventPause                   = time.Second // between two tries
	// eventPatience is how long an event lets writes of statuses go before it.
	eventPatience = 5 * time.Second
	patienceStep  = 20 * time.Millisecond
)

// recorder sends the kubelets' events, aggregated as client-go's recorder does. What it is told goes out later, one event
// after the other, behind the writes of statuses.
type recorder struct {
	client kubernetes.Interface
	busy   func() bool // statuses wait to be written
	log    *slog.Logger
	queue  chan *corev1.Event
	zone   flowcontrol.PassiveRateLimiter

	correlator *record.EventCorrelator // of run alone

	mu    sync.Mutex
	nodes map[string]flowcontrol.PassiveRateLimiter
}

func newRecorder(client kubernetes.Interface, busy func() bool, log *slog.Logger) *recorder {
	return &recorder{
		client: client, busy: busy, log: log,
		queue:      make(chan *corev1.Event, mostEvents),
		zone:       flowcontrol.NewTokenBucketPassiveRateLimiter(zoneEvents, zoneEventsBurst),
		correlator: record.NewEventCorrelatorWithOptions(record.CorrelatorOptions{LRUCacheSize: 2048}),
		nodes:      map[string]flowcontrol.PassiveRateLimiter{},
	}
}

// aboutPod sends a kubelet's events about one of its pods.
func (r *recorder) aboutPod(pod *corev1.Pod, events []podlife.Event) {
	for _, e := range events {
		r.tell(pod.Spec.NodeName, e, corev1.ObjectReference{
			APIVersion: "v1", Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID,
			ResourceVersion: pod.ResourceVersion, FieldPath: e.Field,
		})
	}
}

// aboutNode sends a kubelet's event about its node.
func (r *recorder) aboutNode(node *corev1.Node, e podlife.Event) {
	r.tell(node.Name, e, corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Name: node.Name, UID: types.UID(node.Name)})
}

func (r *recorder) tell(node string, e podlife.Event, about corev1.ObjectReference) {
	if len(r.queue) > mostNormalEvents && e.Type == corev1.EventTypeNormal {
		return
	}
	now := metav1.Now()
	namespace := about.Namespace
	if namespace == "" {
		namespace = metav1.NamespaceDefault
	}
	event := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("%s.%x", about.Name, now.UnixNano())},
		InvolvedObject: about, Type: e.Type, Reason: e.Reason, Message: e.Message, Count: 1,
		FirstTimestamp: now, LastTimestamp: now,
		Source:              corev1.EventSource{Component: "kubelet", Host: node},
		ReportingController: "kubelet", ReportingInstance: node,
	}
	select {
	case r.queue <- event:
	default: // too many
	}
}

// forget drops what is kept of a node that has gone.
func (r *recorder) forget(node string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.nodes, node)
}

// run sends until ctx ends. What waits then is dropped.
func (r *recorder) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case event := <-r.queue:
			late := event.FirstTimestamp.Add(eventPatience)
			for r.busy() && time.Now().Before(late) || !r.zone.TryAccept() {
				if sleep.For(ctx, patienceStep) != nil {
					return
				}
			}
			r.send(ctx, event)
		}
	}
}

// limit is a node's own limit.
func (r *recorder) limit(node string) flowcontrol.PassiveRateLimiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	limit := r.nodes[node]
	if limit == nil {
		limit = flowcontrol.NewTokenBucketPassiveRateLimiter(nodeEvents, nodeEventsBurst)
		r.nodes[node] = limit
	}
	return limit
}

// send sends one event, or counts it to one that was sent before.
func (r *recorder) send(ctx context.Context, event *corev1.Event) {
	result, err := r.correlator.EventCorrelate(event)
	if err != nil || result.Skip {
		return
	}
	limit := r.limit(event.Source.Host)
	for !limit.TryAccept() {
		if sleep.For(ctx, patienceStep) != nil {
			return
		}
	}
	ctx = as(ctx, event.Source.Host)
	for range eventTries {
		if err = r.write(ctx, result); err == nil || ctx.Err() != nil {
			return
		}
		if _, answered := err.(apierrors.APIStatus); answered && !apierrors.IsServerTimeout(err) && !apierrors.IsTooManyRequests(err) &&
			!apierrors.IsInternalError(err) {
			break // a namespace that is going away takes no events
		}
		if sleep.For(ctx, eventPause) != nil {
			return
		}
	}
	r.log.Debug("event could not be sent", "event", event.Reason, "object", event.InvolvedObject.Name, "err", err)
}

func (r *recorder) write(ctx context.Context, result *record.EventCorrelateResult) error {
	event := result.Event
	client := r.client.CoreV1().Events(event.Namespace)
	if event.Count > 1 {
		got, err := client.Patch(ctx, event.Name, types.StrategicMergePatchType, result.Patch, metav1.PatchOptions{})
		if err == nil {
			r.correlator.UpdateState(got)
		}
		if !apierrors.IsNotFound(err) {
			return err
		}
		event.ResourceVersion = "" // it was too old, and has gone
	}
	got, err := client.Create(ctx, event, metav1.CreateOptions{})
	if err == nil {
		r.correlator.UpdateState(got)
	}
	return err
}
