package podexec

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tripod/internal/datadir"
)

// place is where the pod is: its node's zone, and the directory of what that node holds.
type place struct{ zone, nodeDir string }

// nameForm is what a zone, an instance and a pod's UID may be as names of directories: who writes nodes and pods chooses no others.
var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

// where finds the pod's place.
func (p *pod) where(ctx context.Context) (place, error) {
	if p.place != nil {
		return *p.place, nil
	}
	var node *corev1.Node
	if p.object.Spec.NodeName == "" {
		return place{}, fmt.Errorf("the pod %s is not on a node yet", p.object.Name)
	}
	if err := again(ctx, func() (err error) {
		node, err = p.client.CoreV1().Nodes().Get(ctx, p.object.Spec.NodeName, metav1.GetOptions{})
		return err
	}); err != nil {
		return place{}, err
	}
	zone := node.Labels[corev1.LabelTopologyZone]
	instance := node.Spec.ProviderID[strings.LastIndexByte(node.Spec.ProviderID, '/')+1:]
	if !nameForm.MatchString(zone) || !nameForm.MatchString(instance) || !nameForm.MatchString(string(p.object.UID)) {
		return place{}, fmt.Errorf("node %s is none of this region's", node.Name)
	}
	p.place = &place{zone, datadir.NodeDir(datadir.ZoneDir(p.options.DataDir, zone), instance)}
	return *p.place, nil
}

// emptyDir is where the pod's volume of that name is: the node's kubelet deletes it with the pod.
func (p *pod) emptyDir(ctx context.Context, name string) (string, error) {
	at, err := p.where(ctx)
	if err != nil {
		return "", err
	}
	return within(datadir.PodDir(at.nodeDir, string(p.object.UID)), name)
}

// hostPath is a directory of the node's: below a root of its own, never this machine's. A file of the node there is none.
func (p *pod) hostPath(ctx context.Context, source *corev1.HostPathVolumeSource) (string, error) {
	if source.Type != nil {
		switch *source.Type {
		case corev1.HostPathUnset, corev1.HostPathDirectory, corev1.HostPathDirectoryOrCreate:
		default:
			return "", nil
		}
	}
	at, err := p.where(ctx)
	if err != nil {
		return "", err
	}
	return within(datadir.NodeRoot(at.nodeDir), source.Path)
}
