package nodes

import (
	"embed"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/kwok/pkg/apis/internalversion"
	"sigs.k8s.io/kwok/pkg/apis/v1alpha1"
	"sigs.k8s.io/kwok/pkg/utils/expression"
	"sigs.k8s.io/kwok/pkg/utils/gotpl"
	"sigs.k8s.io/kwok/pkg/utils/lifecycle"
	"sigs.k8s.io/yaml"

	"tripod/nodes/machine"
)

//go:embed stages/*.yaml
var stageFiles embed.FS

// loadStages reads the stages of each kind ("Node", "Pod").
func loadStages() (map[string]lifecycle.Lifecycle, error) {
	files, err := stageFiles.ReadDir("stages")
	if err != nil {
		return nil, err
	}
	byKind := map[string][]*internalversion.Stage{}
	for _, file := range files {
		data, err := stageFiles.ReadFile("stages/" + file.Name())
		if err != nil {
			return nil, err
		}
		var external v1alpha1.Stage
		if err := yaml.UnmarshalStrict(data, &external); err != nil {
			return nil, fmt.Errorf("stage %s: %w", file.Name(), err)
		}
		v1alpha1.SetObjectDefaults_Stage(&external)
		stage, err := internalversion.ConvertToInternalStage(&external)
		if err != nil {
			return nil, fmt.Errorf("stage %s: %w", file.Name(), err)
		}
		kind := stage.Spec.ResourceRef.Kind
		byKind[kind] = append(byKind[kind], stage)
	}
	lives := map[string]lifecycle.Lifecycle{}
	for kind, stages := range byKind {
		if lives[kind], err = lifecycle.NewLifecycle(stages); err != nil {
			return nil, fmt.Errorf("stages of %s: %w", kind, err)
		}
	}
	return lives, nil
}

// newRenderer has what the stages' templates ask for beside KWOK's own functions.
func newRenderer(nodes *roster, pods *Network) gotpl.Renderer {
	well, err := expression.ToJSONStandard(conditions(metav1.Time{}))
	if err != nil {
		panic(err) // a constant that does not encode as JSON
	}
	named := func(nodeName string) (node, error) {
		n, ok := nodes.named(nodeName)
		if !ok {
			return node{}, fmt.Errorf("node %s is not of this zone", nodeName)
		}
		return n, nil
	}
	hostIP := func(nodeName string) (string, error) {
		n, err := named(nodeName)
		return n.addr.String(), err
	}
	return gotpl.NewRenderer(gotpl.FuncMap{
		"KubeletConditions": func() any { return well },
		"HostIP":            hostIP,
		"PodIP": func(nodeName string, hostNetwork bool, uid string) (string, error) {
			if hostNetwork {
				return hostIP(nodeName)
			}
			n, err := named(nodeName)
			if err != nil {
				return "", err
			}
			addr, err := pods.allocate(n.machine.Subnet, types.UID(uid))
			if err != nil {
				return "", err
			}
			return addr.String(), nil
		},
		"ImageID":     imageID,
		"ContainerID": containerID,
	})
}

// imageID is a reference by digest to a made-up image: equal for equal references.
func imageID(image string) string {
	if strings.Contains(image, "@") {
		return image
	}
	name := image
	if colon := strings.LastIndexByte(image, ':'); colon > strings.LastIndexByte(image, '/') {
		name = image[:colon]
	}
	return name + "@sha256:" + hex64(image)
}

func containerID(uid, container string) string {
	return "containerd://" + hex64(uid+"/"+container)
}

// hex64 are 64 hexadecimal digits that depend on s alone.
func hex64(s string) string {
	var b strings.Builder
	for i := range 4 {
		fmt.Fprintf(&b, "%016x", machine.Hash(fmt.Sprintf("%d/%s", i, s)))
	}
	return b.String()
}

// kindOf names the stages' kind of an object.
func kindOf(obj metav1.Object) string {
	if _, ok := obj.(*corev1.Node); ok {
		return "Node"
	}
	return "Pod"
}
