package nodes

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"tripod/nodes/podlife"
)

// asked is how often a pod is looked at in a row because what it refers to had to be asked for.
const asked = 4

// playPod does the next thing to the pod at k.
func (p *player) playPod(ctx context.Context, k string) error {
	began := time.Now()
	for try := 1; ; try++ {
		pod, step := p.decide(k, time.Since(began))
		if pod == nil {
			return nil
		}
		if len(step.Wanted) > 0 && try < asked {
			if p.lookups.fetch(ctx, pod, step.Wanted) {
				continue
			}
		}
		return p.do(ctx, k, pod, step)
	}
}

// decide asks what is next for the pod at k, for which it has been asked for so long.
func (p *player) decide(k string, asking time.Duration) (*corev1.Pod, podlife.Step) {
	p.mu.Lock()
	r := p.known[k]
	if r == nil {
		p.mu.Unlock()
		return nil, podlife.Step{}
	}
	h := p.nodes[nodeOf(r.obj)]
	p.mu.Unlock()

	h.turn.Lock()
	defer h.turn.Unlock()
	p.mu.Lock()
	pod, fresh := r.obj.(*corev1.Pod), usualLife
	if r.memory != nil {
		fresh = troubledLife
	}
	facts := podlife.Facts{
		Settings: p.settings, Now: time.Now(), Node: h.node, HostIP: hostIP(h.node), Admitted: r.admitted, Memory: r.memory,
		Evict:  r.evict,
		Others: func() []*corev1.Pod { return p.others(h, k) },
		Address: func(pod *corev1.Pod) (string, error) {
			addr, err := p.address(pod.Spec.NodeName, pod)
			return addr.String(), err
		},
		Lookup: func(ref podlife.Reference) (podlife.Object, error) {
			if ref.Kind == podlife.Credentials {
				return podlife.Object{}, p.issued(pod, ref)
			}
			return p.lookups.get(ref, fresh, asking)
		},
		Gone:    func(container, path string) bool { return p.moves.Gone(pod, container, path) },
		Present: func(image string) bool { return p.present(h, image) },
		HostFile: func(file string) (string, bool) {
			p.mu.Lock()
			defer p.mu.Unlock()
			return h.files[file].Maker, h.files[file].There
		},
	}
	p.mu.Unlock()
	step := podlife.Next(pod, facts)
	if step.Admitted || len(step.Pulled) > 0 || len(step.HostFiles) > 0 || r.waiting != step.Waiting {
		p.mu.Lock()
		r.admitted = r.admitted || step.Admitted
		r.waiting = step.Waiting
		h.leave(step.HostFiles)
		if h.images.add(step.Pulled, facts.Now) && h.node != nil {
			p.queue.AddAfter(key(h.node), imagesPause)
		}
		p.mu.Unlock()
	}
	return pod, step
}

// issued says why a pod's credentials are not there, or nil.
func (p *player) issued(pod *corev1.Pod, ref podlife.Reference) error {
	parts := strings.Split(ref.Name, "/") // the pod, the volume, the source
	source, err := strconv.Atoi(parts[len(parts)-1])
	if err == nil {
		_, _, err = p.certificates.get(context.Background(), pod, parts[len(parts)-2], source)
	}
	return err
}

// mostFiles is how many files of a node are remembered.
const mostFiles = 1000

// leave notes files that a container has made or removed.
func (h *host) leave(files []podlife.HostFile) {
	for _, f := range files {
		if h.files == nil {
			h.files = map[string]podlife.HostFile{}
		}
		if _, known := h.files[f.Path]; known || len(h.files) < mostFiles {
			h.files[f.Path] = f
		}
	}
}

// others are the pods of a node but k that were admitted and have not ended.
func (p *player) others(h *host, but string) []*corev1.Pod {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]*corev1.Pod, 0, len(h.pods))
	for k, r := range h.pods {
		pod := r.obj.(*corev1.Pod)
		ended := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
		if k != but && !ended && (r.admitted || pod.Status.StartTime != nil) {
			list = append(list, pod)
		}
	}
	return list
}

func (p *player) present(h *host, image string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return h.images.has(image)
}

// hostIP is a node's address.
func hostIP(node *corev1.Node) string {
	if node == nil {
		return ""
	}
	for _, a := range node.Status.Addresses {
		if a.Type == corev1.NodeInternalIP {
			return a.Address
		}
	}
	return ""
}

// do does a step: first the status is written, then the object deleted, and then the events follow.
func (p *player) do(ctx context.Context, k string, pod *corev1.Pod, step podlife.Step) error {
	pods := p.client.CoreV1().Pods(pod.Namespace)
	if step.Status != nil {
		patch, err := statusPatch(pod, step.Status)
		if err != nil {
			return err
		}
		written, err := pods.Patch(ctx, pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
		if err != nil {
			return err
		}
		p.wrote(k, written)
	}
	for _, r := range step.Requests {
		p.request(ctx, pod, step.Status, r)
	}
	if step.Delete {
		err := pods.Delete(ctx, pod.Name, metav1.DeleteOptions{
			GracePeriodSeconds: new(int64), Preconditions: metav1.NewUIDPreconditions(string(pod.UID)),
		})
		if ignoreOutdated(err) != nil {
			return err
		}
	}
	p.mu.Lock()
	if r := p.known[k]; r != nil && r.obj.GetUID() == pod.UID {
		r.memory = step.Memory
		if r.evict != nil && step.Memory != nil && step.Memory.Ending != nil {
			r.evict = nil
		}
	}
	p.mu.Unlock()
	p.events.aboutPod(pod, step.Events)
	p.later(k, step.Wake)
	if len(claimsOf(pod)) > 0 {
		p.queue.Add("Node//" + pod.Spec.NodeName) // its status tells of the volumes
	}
	return nil
}

// wrote keeps an object as the API server answered it to a write of ours.
func (p *player) wrote(k string, obj metav1.Object) {
	p.mu.Lock()
	var again []string
	if r := p.known[k]; r != nil && r.obj.GetUID() == obj.GetUID() {
		obj.SetManagedFields(nil)
		again, _ = p.put(k, obj, true)
	}
	p.mu.Unlock()
	for _, k := range again {
		p.queue.Add(k)
	}
}

// statusPatch is what makes a pod's status the new one: the fields that are different, and of the conditions those, since
// others set conditions, too. With the pod's UID: a patch of another pod of the same name is refused.
func statusPatch(pod *corev1.Pod, now *corev1.PodStatus) ([]byte, error) {
	old := &pod.Status
	fields := map[string]any{}
	set := func(name string, value any, changed, empty bool) {
		if changed && empty {
			fields[name] = nil
		} else if changed {
			fields[name] = value
		}
	}
	set("phase", now.Phase, old.Phase != now.Phase, now.Phase == "")
	set("reason", now.Reason, old.Reason != now.Reason, now.Reason == "")
	set("message", now.Message, old.Message != now.Message, now.Message == "")
	set("hostIP", now.HostIP, old.HostIP != now.HostIP, now.HostIP == "")
	set("podIP", now.PodIP, old.PodIP != now.PodIP, now.PodIP == "")
	set("observedGeneration", now.ObservedGeneration, old.ObservedGeneration != now.ObservedGeneration, false)
	set("startTime", now.StartTime, !old.StartTime.Equal(now.StartTime), now.StartTime == nil)
	different := func(a, b any) bool { return !apiequality.Semantic.DeepEqual(a, b) }
	set("hostIPs", now.HostIPs, different(old.HostIPs, now.HostIPs), len(now.HostIPs) == 0)
	set("podIPs", now.PodIPs, different(old.PodIPs, now.PodIPs), len(now.PodIPs) == 0)
	for name, lists := range map[string][2][]corev1.ContainerStatus{
		"containerStatuses":          {old.ContainerStatuses, now.ContainerStatuses},
		"initContainerStatuses":      {old.InitContainerStatuses, now.InitContainerStatuses},
		"ephemeralContainerStatuses": {old.EphemeralContainerStatuses, now.EphemeralContainerStatuses},
	} {
		set(name, lists[1], different(lists[0], lists[1]), len(lists[1]) == 0)
	}
	if conditions := changedConditions(old.Conditions, now.Conditions); len(conditions) > 0 {
		fields["conditions"] = conditions
	}
	return json.Marshal(map[string]any{"metadata": map[string]any{"uid": pod.UID}, "status": fields})
}

func changedConditions(old, now []corev1.PodCondition) []any {
	before := map[corev1.PodConditionType]corev1.PodCondition{}
	for _, c := range old {
		before[c.Type] = c
	}
	var list []any
	for _, c := range now {
		was, there := before[c.Type]
		delete(before, c.Type)
		if there && apiequality.Semantic.DeepEqual(was, c) {
			continue
		}
		fields := map[string]any{"type": c.Type, "status": c.Status, "lastTransitionTime": c.LastTransitionTime}
		if c.ObservedGeneration != 0 {
			fields["observedGeneration"] = c.ObservedGeneration
		}
		for name, text := range map[string][2]string{"reason": {was.Reason, c.Reason}, "message": {was.Message, c.Message}} {
			if text[1] != "" {
				fields[name] = text[1]
			} else if text[0] != "" {
				fields[name] = nil
			}
		}
		list = append(list, fields)
	}
	for kind := range before {
		list = append(list, map[string]any{"type": kind, "$patch": "delete"})
	}
	return list
}
