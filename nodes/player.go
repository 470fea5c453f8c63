package nodes

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/kwok/pkg/apis/internalversion"
	"sigs.k8s.io/kwok/pkg/utils/gotpl"
	"sigs.k8s.io/kwok/pkg/utils/lifecycle"
)

// How soon a stage that failed is played again. The upper bound is what a zone may lag behind after a fault.
const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = 2 * time.Second
)

// player plays the stages of the zone's nodes and pods. It holds the last known state of each, and does one stage at
// a time, because KWOK's stages are not safe for more.
type player struct {
	client   kubernetes.Interface
	lives    map[string]lifecycle.Lifecycle // by kind
	renderer gotpl.Renderer
	log      *slog.Logger
	queue    workqueue.TypedRateLimitingInterface[string]

	mu      sync.Mutex
	objects map[string]metav1.Object // by key; never written to
	delayed map[string]delayed       // by key: a stage that waits for its time
}

// delayed is a stage that was matched for one version of an object, and when it is to be played.
type delayed struct {
	stage, version string
	due            time.Time
}

func newPlayer(client kubernetes.Interface, lives map[string]lifecycle.Lifecycle, renderer gotpl.Renderer,
	log *slog.Logger) *player {
	return &player{
		client:   client,
		lives:    lives,
		renderer: renderer,
		log:      log,
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[string](firstRetry, lastRetry)),
		objects: map[string]metav1.Object{},
		delayed: map[string]delayed{},
	}
}

// key of an object: "Node//NAME" or "Pod/NAMESPACE/NAME".
func key(obj metav1.Object) string {
	return kindOf(obj) + "/" + obj.GetNamespace() + "/" + obj.GetName()
}

// nodeOf is the name of the node whose kubelet acts on an object.
func nodeOf(obj metav1.Object) string {
	if pod, ok := obj.(*corev1.Pod); ok {
		return pod.Spec.NodeName
	}
	return obj.GetName()
}

// set gives the player an object's newest state.
func (p *player) set(obj metav1.Object) {
	k := key(obj)
	p.mu.Lock()
	p.objects[k] = obj
	p.mu.Unlock()
	p.queue.Add(k)
}

// remove makes the player forget an object.
func (p *player) remove(obj metav1.Object) {
	k := key(obj)
	p.mu.Lock()
	delete(p.objects, k)
	delete(p.delayed, k)
	p.mu.Unlock()
	p.queue.Forget(k)
}

// podsOf are the pods of one node, or of all for "".
func (p *player) podsOf(nodeName string) []*corev1.Pod {
	p.mu.Lock()
	defer p.mu.Unlock()
	var pods []*corev1.Pod
	for _, obj := range p.objects {
		if pod, ok := obj.(*corev1.Pod); ok && (nodeName == "" || pod.Spec.NodeName == nodeName) {
			pods = append(pods, pod)
		}
	}
	return pods
}

// run plays until ctx ends.
func (p *player) run(ctx context.Context) {
	stop := context.AfterFunc(ctx, p.queue.ShutDown)
	defer stop()
	for {
		k, quit := p.queue.Get()
		if quit {
			return
		}
		err := p.play(ctx, k)
		p.queue.Done(k)
		switch {
		case err == nil:
			p.queue.Forget(k)
		case ctx.Err() == nil:
			// Away API servers are told by the transport, once: here the log would fill while they are.
			p.log.Debug("stage failed, is tried again", "object", k, "err", err)
			p.queue.AddRateLimited(k)
		}
	}
}

// play does what the object at k needs now, if anything.
func (p *player) play(ctx context.Context, k string) error {
	p.mu.Lock()
	obj := p.objects[k]
	wait := p.delayed[k]
	p.mu.Unlock()
	if obj == nil {
		return nil
	}
	event := &lifecycle.Event{Labels: obj.GetLabels(), Annotations: obj.GetAnnotations(), Data: obj}
	stage, err := p.lives[kindOf(obj)].Match(ctx, event)
	if err != nil || stage == nil {
		return err
	}
	now := time.Now()
	if wait.stage != stage.Name() || wait.version != obj.GetResourceVersion() {
		delay, _, err := stage.Delay(ctx, event, now)
		if err != nil {
			return err
		}
		wait = delayed{stage.Name(), obj.GetResourceVersion(), now.Add(delay)}
		p.mu.Lock()
		if p.objects[k] != nil {
			p.delayed[k] = wait
		}
		p.mu.Unlock()
	}
	if rest := wait.due.Sub(now); rest > 0 {
		p.queue.AddAfter(k, rest)
		return nil
	}
	return ignoreOutdated(p.step(as(ctx, nodeOf(obj)), obj, stage))
}

// step plays one stage of an object.
func (p *player) step(ctx context.Context, obj metav1.Object, stage *lifecycle.Stage) error {
	finalizers := obj.GetFinalizers()
	_, err := stage.DoSteps(0, finalizers, obj, p.renderer,
		func(*internalversion.StageEvent) error { return nil }, // the stages here send none
		func() error { return p.delete(ctx, obj) },
		func(patch *lifecycle.Patch) error { return p.patch(ctx, obj, patch) },
		func(*lifecycle.Apply) error {
			return fmt.Errorf("stage %s applies, which is not supported", stage.Name())
		},
	)
	return err
}

// delete ends an object that is being deleted, and only it: not a new one of the same name.
func (p *player) delete(ctx context.Context, obj metav1.Object) error {
	options := metav1.DeleteOptions{GracePeriodSeconds: new(int64),
		Preconditions: metav1.NewUIDPreconditions(string(obj.GetUID()))}
	if kindOf(obj) == "Node" {
		return p.client.CoreV1().Nodes().Delete(ctx, obj.GetName(), options)
	}
	return p.client.CoreV1().Pods(obj.GetNamespace()).Delete(ctx, obj.GetName(), options)
}

// patch writes to an object, and only to it: a patch with another UID is refused by the API server as a conflict.
func (p *player) patch(ctx context.Context, obj metav1.Object, patch *lifecycle.Patch) error {
	data := patch.Data
	if patch.Type != types.JSONPatchType {
		var fields map[string]any
		if err := json.Unmarshal(data, &fields); err != nil {
			return err
		}
		fields["metadata"] = map[string]any{"uid": obj.GetUID()}
		var err error
		if data, err = json.Marshal(fields); err != nil {
			return err
		}
	}
	var subresources []string
	if patch.Subresource != "" {
		subresources = []string{patch.Subresource}
	}
	var err error
	if kindOf(obj) == "Node" {
		_, err = p.client.CoreV1().Nodes().Patch(ctx, obj.GetName(), patch.Type, data, metav1.PatchOptions{}, subresources...)
	} else {
		_, err = p.client.CoreV1().Pods(obj.GetNamespace()).Patch(ctx, obj.GetName(), patch.Type, data,
			metav1.PatchOptions{}, subresources...)
	}
	return err
}

// ignoreOutdated drops errors that say that the object has changed or gone: the watch tells the news.
func ignoreOutdated(err error) error {
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}
