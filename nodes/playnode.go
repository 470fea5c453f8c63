package nodes

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tripod/nodes/machine"
	"tripod/nodes/podlife"
)

// A kubelet with leases writes its status every 5 minutes when nothing has changed (nodeStatusReportFrequency), and looks
// every 10 seconds whether something has (nodeStatusUpdateFrequency).
const (
	statusEvery  = 5 * time.Minute
	statusJitter = time.Minute
	imagesPause  = 10 * time.Second
	// evictionPause is between two evictions (evictionMonitoringPeriod).
	evictionPause = 10 * time.Second
	// mostImages is how many images a node's status names (nodeStatusMaxImages).
	mostImages = 50
)

// images are those on a node, as podlife.Normalize writes them, with when they were pulled.
type images struct {
	pulled  map[string]time.Time
	changed time.Time // zero: the node's status has them
}

func (i *images) has(image string) bool {
	_, there := i.pulled[image]
	return there
}

// add says whether there are new ones that the node's status does not have yet.
func (i *images) add(names []string, now time.Time) bool {
	for _, name := range names {
		if i.has(name) {
			continue
		}
		if i.pulled == nil {
			i.pulled = map[string]time.Time{}
		}
		i.pulled[name] = now
		if i.changed.IsZero() {
			i.changed = now
		}
	}
	return !i.changed.IsZero()
}

// learn takes over what a Node's status names: what the kubelet before this one had pulled.
func (i *images) learn(node *corev1.Node) {
	if len(i.pulled) > 0 {
		return
	}
	for _, image := range node.Status.Images {
		for _, name := range image.Names {
			if i.pulled == nil {
				i.pulled = map[string]time.Time{}
			}
			i.pulled[name] = time.Time{}
		}
	}
}

// list is what a node's status says: the largest first, as kubelets sort them.
func (i *images) list() []corev1.ContainerImage {
	list := make([]corev1.ContainerImage, 0, len(i.pulled))
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(i.pulled)) {
		id := podlife.ImageID(name)
		if seen[id] {
			continue
		}
		seen[id] = true
		names := []string{id}
		if name != id {
			names = append(names, name)
		}
		list = append(list, corev1.ContainerImage{Names: names, SizeBytes: podlife.ImageSize(name)})
	}
	slices.SortStableFunc(list, func(a, b corev1.ContainerImage) int { return cmp.Compare(b.SizeBytes, a.SizeBytes) })
	return list[:min(len(list), mostImages)]
}

// playNode writes a node's status when there is something to say, and evicts pods when the node is low on something.
func (p *player) playNode(ctx context.Context, k string, node *corev1.Node) error {
	now := time.Now()
	wants := nodeConditions(node, now)
	p.mu.Lock()
	h := p.nodes[node.Name]
	var list []corev1.ContainerImage
	if h != nil && !h.images.changed.IsZero() && now.Sub(h.images.changed) >= imagesPause {
		list = h.images.list()
	}
	var inUse []corev1.UniqueVolumeName
	if h != nil {
		inUse = p.volumesInUse(h)
	}
	p.mu.Unlock()
	if h == nil {
		return nil
	}
	attached := !sameVolumes(node, inUse)
	changed := conditionsChanged(node, wants)
	due := lastHeartbeat(node).Add(statusEvery + time.Duration(machine.Hash(node.Name)%uint64(statusJitter)))
	if changed || attached || list != nil || !now.Before(due) {
		status := map[string]any{"conditions": wants}
		if attached {
			status["volumesInUse"] = append([]corev1.UniqueVolumeName{}, inUse...)
		}
		if err := p.writeNode(ctx, k, node, status, wants, list, changed); err != nil {
			return err
		}
		due = now.Add(statusEvery + time.Duration(machine.Hash(node.Name)%uint64(statusJitter)))
	}
	if next := p.relieve(node, h, now); !next.IsZero() && next.Before(due) {
		due = next
	}
	p.later(k, due)
	return nil
}

// writeNode writes what is new of a node's status, and its images if there are new ones. wants are its conditions.
func (p *player) writeNode(ctx context.Context, k string, node *corev1.Node, status map[string]any, wants []corev1.NodeCondition,
	list []corev1.ContainerImage, changed bool) error {
	if list != nil {
		status["images"] = list
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": node.UID}, "status": status})
	if err != nil {
		return err
	}
	written, err := p.client.CoreV1().Nodes().PatchStatus(ctx, node.Name, patch)
	if err != nil {
		return err
	}
	p.wrote(k, written)
	if list != nil {
		p.mu.Lock()
		if h := p.nodes[node.Name]; h != nil {
			h.images.changed = time.Time{}
		}
		p.mu.Unlock()
	}
	if changed {
		p.tellConditions(node, wants)
	}
	return nil
}

// nodeConditions are those that a node has: well, but for what its annotation says.
func nodeConditions(node *corev1.Node, now time.Time) []corev1.NodeCondition {
	wants := conditions(metav1.NewTime(now))
	for _, kind := range podlife.Pressures(node) {
		for i := range wants {
			if wants[i].Type != kind {
				continue
			}
			wants[i].Status = corev1.ConditionTrue
			switch kind {
			case corev1.NodeMemoryPressure:
				wants[i].Reason, wants[i].Message = "KubeletHasInsufficientMemory", "kubelet has insufficient memory available"
			case corev1.NodeDiskPressure:
				wants[i].Reason, wants[i].Message = "KubeletHasDiskPressure", "kubelet has disk pressure"
			case corev1.NodePIDPressure:
				wants[i].Reason, wants[i].Message = "KubeletHasInsufficientPID", "kubelet has insufficient PID available"
			}
		}
	}
	keepTransitions(wants, node.Status.Conditions)
	return wants
}

func conditionsChanged(node *corev1.Node, wants []corev1.NodeCondition) bool {
	return slices.ContainsFunc(wants, func(want corev1.NodeCondition) bool {
		return !slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
			return c.Type == want.Type && c.Status == want.Status
		})
	})
}

// tellConditions sends a kubelet's events of conditions that have changed.
func (p *player) tellConditions(node *corev1.Node, wants []corev1.NodeCondition) {
	for _, want := range wants {
		same := slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
			return c.Type == want.Type && c.Status == want.Status
		})
		reason := map[corev1.NodeConditionType][2]string{
			corev1.NodeMemoryPressure: {"NodeHasSufficientMemory", "NodeHasInsufficientMemory"},
			corev1.NodeDiskPressure:   {"NodeHasNoDiskPressure", "NodeHasDiskPressure"},
			corev1.NodePIDPressure:    {"NodeHasSufficientPID", "NodeHasInsufficientPID"},
			corev1.NodeReady:          {"NodeNotReady", "NodeReady"},
		}[want.Type]
		if same || reason[0] == "" {
			continue
		}
		word := reason[0]
		if want.Status == corev1.ConditionTrue {
			word = reason[1]
		}
		p.events.aboutNode(node, podlife.Event{Type: corev1.EventTypeNormal, Reason: word,
			Message: fmt.Sprintf("Node %s status is now: %s", node.Name, word)})
	}
}

func lastHeartbeat(node *corev1.Node) time.Time {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.LastHeartbeatTime.Time
		}
	}
	return time.Time{}
}

// relieve evicts the next pod of a node that is low on something, if it is time. It says when to look again.
func (p *player) relieve(node *corev1.Node, h *host, now time.Time) time.Time {
	under := podlife.Pressures(node)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(under) == 0 {
		h.nextEviction = time.Time{}
		return time.Time{}
	}
	if now.Before(h.nextEviction) {
		return h.nextEviction
	}
	h.nextEviction = now.Add(evictionPause)
	starved := podlife.Starved(under[0])
	var candidates []*corev1.Pod
	for _, r := range h.pods {
		if r.evict == nil && (r.memory == nil || r.memory.Ending == nil) {
			candidates = append(candidates, r.obj.(*corev1.Pod))
		}
	}
	p.events.aboutNode(node, podlife.Event{Type: corev1.EventTypeWarning, Reason: "EvictionThresholdMet",
		Message: fmt.Sprintf("Attempting to reclaim %s", starved)})
	if victim := podlife.Victim(candidates, starved, now); victim != nil {
		k := key(victim)
		h.pods[k].evict = &podlife.Eviction{Message: podlife.EvictionMessage(victim, starved, now)}
		p.queue.Add(k)
	}
	return h.nextEviction
}
