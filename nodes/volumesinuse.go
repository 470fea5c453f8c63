package nodes

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"tripod/nodes/podlife"
)

const (
	// ebsDriver is the one whose volumes are attached to nodes. Those of others, whose drivers run nothing here, are there when
	// they are bound.
	ebsDriver = "ebs.csi.aws.com"
	// csiPlugin is what a node's status calls volumes by, before DRIVER^HANDLE.
	csiPlugin = "kubernetes.io/csi/"
)

// attachable are the driver and the handle of a volume that has to be attached to a node; empty: it has not. Static volumes of
// the plugin of before also say their zone: aws://us-east-1a/vol-0123456789abcdef0.
func attachable(v *corev1.PersistentVolume) (driver, handle string) {
	switch {
	case v.Spec.CSI != nil && v.Spec.CSI.Driver == ebsDriver:
		return ebsDriver, v.Spec.CSI.VolumeHandle
	case v.Spec.AWSElasticBlockStore != nil:
		id := v.Spec.AWSElasticBlockStore.VolumeID
		return ebsDriver, id[strings.LastIndexByte(id, '/')+1:]
	}
	return "", ""
}

// claimsOf are the claims of a pod's volumes.
func claimsOf(pod *corev1.Pod) (refs []podlife.Reference) {
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		switch {
		case v.PersistentVolumeClaim != nil:
			refs = append(refs, podlife.Reference{Kind: podlife.Claim, Namespace: pod.Namespace, Name: v.PersistentVolumeClaim.ClaimName})
		case v.Ephemeral != nil:
			refs = append(refs, podlife.Reference{Kind: podlife.Claim, Namespace: pod.Namespace, Name: pod.Name + "-" + v.Name})
		}
	}
	return refs
}

// volumesInUse are the attachable volumes that a node's pods have mounted or wait for, as its status tells the attach-detach
// controller: it detaches none of these while the node is well. p.mu is held.
func (p *player) volumesInUse(h *host) (names []corev1.UniqueVolumeName) {
	for _, r := range h.pods {
		pod := r.obj.(*corev1.Pod)
		if !podlife.Active(pod) {
			continue
		}
		for _, ref := range claimsOf(pod) {
			if claim := p.lookups.recall(ref); claim.Driver != "" {
				names = append(names, corev1.UniqueVolumeName(csiPlugin+claim.Driver+"^"+claim.Handle))
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// sameVolumes says whether a node's status names these volumes.
func sameVolumes(node *corev1.Node, names []corev1.UniqueVolumeName) bool {
	told := slices.Clone(node.Status.VolumesInUse)
	slices.Sort(told)
	return slices.Equal(told, names)
}

// recall is what was last known of a reference, however long ago.
func (l *lookups) recall(ref podlife.Reference) podlife.Object {
	l.mu.Lock()
	a := l.known[ref]
	l.mu.Unlock()
	if a == nil {
		return podlife.Object{}
	}
	select {
	case <-a.done:
		return a.object
	default:
		return podlife.Object{}
	}
}
