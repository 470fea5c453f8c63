package nodes

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/kwok/pkg/apis/internalversion"
	"sigs.k8s.io/kwok/pkg/apis/v1alpha1"
	"sigs.k8s.io/kwok/pkg/utils/expression"
	"sigs.k8s.io/kwok/pkg/utils/gotpl"
	"sigs.k8s.io/kwok/pkg/utils/lifecycle"

	"tripod/nodes/podlife"
)

// stages are a user's KWOK stages. KWOK's code is not safe for several goroutines: one plays at a time.
type stages struct {
	mu    sync.Mutex
	lives map[string]lifecycle.Lifecycle // by kind; nil: there are none
	wrong string                         // the last error that the log was told
}

// delayed is a stage that was matched for one version of an object, and when it is to be played.
type delayed struct {
	stage, version string
	due            time.Time
}

// setStages gives the player the user's stages, all that there are now. Stages that are wrong are an error, and nothing
// changes. Those of other kinds than Node and Pod are left out.
func (p *player) setStages(list []*v1alpha1.Stage) error {
	byKind := map[string][]*internalversion.Stage{}
	for _, external := range list {
		external = external.DeepCopy()
		v1alpha1.SetObjectDefaults_Stage(external)
		stage, err := internalversion.ConvertToInternalStage(external)
		if err != nil {
			return fmt.Errorf("stage %s: %w", external.Name, err)
		}
		if kind := stage.Spec.ResourceRef.Kind; kind == "Node" || kind == "Pod" {
			byKind[kind] = append(byKind[kind], stage)
		}
	}
	lives := map[string]lifecycle.Lifecycle{}
	for kind, stages := range byKind {
		life, err := lifecycle.NewLifecycle(stages)
		if err != nil {
			return fmt.Errorf("stages of %s: %w", kind, err)
		}
		lives[kind] = life
	}
	p.stages.mu.Lock()
	had := len(p.stages.lives) > 0
	p.stages.lives = lives
	p.stages.mu.Unlock()
	if !had && len(lives) == 0 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for k := range p.known {
		p.queue.Add(k)
	}
	return nil
}

// playStage plays a user's stage for the object at k, if one matches.
func (p *player) playStage(ctx context.Context, k string, obj metav1.Object) (played bool, err error) {
	p.stages.mu.Lock()
	defer p.stages.mu.Unlock()
	life := p.stages.lives[kindOf(obj)]
	if len(life) == 0 {
		return false, nil
	}
	event := &lifecycle.Event{Labels: obj.GetLabels(), Annotations: obj.GetAnnotations(), Data: obj}
	stage, err := life.Match(ctx, event)
	if err != nil {
		if text := err.Error(); text != p.stages.wrong {
			p.stages.wrong = text
			p.log.Warn("a KWOK stage of the cluster is wrong, and nothing is played", "object", k, "err", err)
		}
		return false, nil
	}
	if stage == nil {
		return false, nil
	}
	p.mu.Lock()
	wait := delayed{}
	if r := p.known[k]; r != nil {
		wait = r.delayed
	}
	h := p.nodes[nodeOf(obj)]
	alone := h == nil || h.node == nil
	p.mu.Unlock()
	if alone {
		return true, nil // templates ask for the node's address; its coming brings the pod here again
	}
	now := time.Now()
	if wait.stage != stage.Name() || wait.version != obj.GetResourceVersion() {
		delay, _, err := stage.Delay(ctx, event, now)
		if err != nil {
			return true, err
		}
		wait = delayed{stage.Name(), obj.GetResourceVersion(), now.Add(delay)}
		p.mu.Lock()
		if r := p.known[k]; r != nil {
			r.delayed = wait
		}
		p.mu.Unlock()
	}
	if wait.due.After(now) {
		p.later(k, wait.due)
		return true, nil
	}
	_, err = stage.DoSteps(0, obj.GetFinalizers(), obj, p.renderer(obj),
		func(e *internalversion.StageEvent) error { p.tellStage(obj, e); return nil },
		func() error { return p.delete(ctx, obj) },
		func(patch *lifecycle.Patch) error { return p.patch(ctx, k, obj, patch) },
		func(*lifecycle.Apply) error {
			return fmt.Errorf("stage %s applies, which is not supported: let it patch", stage.Name())
		},
	)
	return true, err
}

func (p *player) tellStage(obj metav1.Object, e *internalversion.StageEvent) {
	event := podlife.Event{Type: e.Type, Reason: e.Reason, Message: e.Message}
	if node, ok := obj.(*corev1.Node); ok {
		p.events.aboutNode(node, event)
	} else {
		p.events.aboutPod(obj.(*corev1.Pod), []podlife.Event{event})
	}
}

// delete ends an object for a stage, and only it: not a new one of the same name.
func (p *player) delete(ctx context.Context, obj metav1.Object) error {
	options := metav1.DeleteOptions{GracePeriodSeconds: new(int64),
		Preconditions: metav1.NewUIDPreconditions(string(obj.GetUID()))}
	if kindOf(obj) == "Node" {
		return p.client.CoreV1().Nodes().Delete(ctx, obj.GetName(), options)
	}
	return p.client.CoreV1().Pods(obj.GetNamespace()).Delete(ctx, obj.GetName(), options)
}

// patch writes to an object for a stage, and only to it: a patch with another UID is refused by the API server as a
// conflict.
func (p *player) patch(ctx context.Context, k string, obj metav1.Object, patch *lifecycle.Patch) error {
	data := patch.Data
	if patch.Type != types.JSONPatchType {
		var fields map[string]any
		if err := json.Unmarshal(data, &fields); err != nil {
			return err
		}
		fields["metadata"] = merged(fields["metadata"], map[string]any{"uid": obj.GetUID()})
		var err error
		if data, err = json.Marshal(fields); err != nil {
			return err
		}
	}
	var subresources []string
	if patch.Subresource != "" {
		subresources = []string{patch.Subresource}
	}
	var written metav1.Object
	var err error
	if kindOf(obj) == "Node" {
		written, err = p.client.CoreV1().Nodes().Patch(ctx, obj.GetName(), patch.Type, data, metav1.PatchOptions{}, subresources...)
	} else {
		written, err = p.client.CoreV1().Pods(obj.GetNamespace()).Patch(ctx, obj.GetName(), patch.Type, data,
			metav1.PatchOptions{}, subresources...)
	}
	if err == nil {
		p.wrote(k, written)
		p.queue.Add(k) // the next stage may match now
	}
	return err
}

func merged(old any, more map[string]any) map[string]any {
	fields, _ := old.(map[string]any)
	if fields == nil {
		return more
	}
	for name, value := range more {
		fields[name] = value
	}
	return fields
}

// renderer has what the templates of KWOK's own stages ask for, for one object.
func (p *player) renderer(obj metav1.Object) gotpl.Renderer {
	well, err := expression.ToJSONStandard(conditions(metav1.Time{}))
	if err != nil {
		panic(err) // a constant that does not encode as JSON
	}
	nodeIP := func(name string) string {
		p.mu.Lock()
		defer p.mu.Unlock()
		if h := p.nodes[name]; h != nil {
			return hostIP(h.node)
		}
		return ""
	}
	podIP := func(node string, hostNetwork bool, uid string) (string, error) {
		if hostNetwork {
			return nodeIP(node), nil
		}
		addr, err := p.address(node, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: types.UID(uid)}})
		if err != nil {
			return "", err
		}
		return addr.String(), nil
	}
	name := nodeOf(obj)
	return gotpl.NewRenderer(gotpl.FuncMap{
		"KubeletConditions": func() any { return well },
		"NodeConditions":    func() any { return well },
		"NodeIP":            func() string { return nodeIP(name) },
		"NodeName":          func() string { return name },
		"NodePort":          func() int { return kubeletPort },
		"NodeIPWith":        nodeIP,
		"NodeIPsWith":       func(node string) []string { return []string{nodeIP(node)} },
		"HostIP":            nodeIP,
		"PodIP":             func() (string, error) { return podIP(name, false, string(obj.GetUID())) },
		"PodIPWith": func(node string, hostNetwork bool, uid, _, _ string) (string, error) {
			return podIP(node, hostNetwork, uid)
		},
		"PodIPsWith": func(node string, hostNetwork bool, uid, _, _ string) ([]string, error) {
			ip, err := podIP(node, hostNetwork, uid)
			return []string{ip}, err
		},
		"ImageID":     podlife.ImageID,
		"ContainerID": func(uid, container string) string { return podlife.ContainerID(uid, container, 0) },
	})
}
