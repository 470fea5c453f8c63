package az

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tripod/api"
	"tripod/az/controlplane"
	"tripod/region"
	"tripod/state"
)

// The annotations that simulated kubelets read: what is wrong with a pod (package nodes/podlife) or a node, and what a
// node is short of.
const (
	faultAnnotation    = "tripod.internal/fault"
	pressureAnnotation = "tripod.internal/pressure"
)

// kubeletStopped is what faultAnnotation has on a node whose kubelet reports nothing.
const kubeletStopped = "stopped"

// mostNames is how many things that there are a refusal names.
const mostNames = 10

func (f *recordFaults) breakPod(ctx context.Context, o api.FaultOrder) (api.FaultDone, error) {
	cluster, err := f.clusterOf(o.Target, o.Cluster)
	if err != nil {
		return api.FaultDone{}, err
	}
	said := strings.ReplaceAll(o.Fault, " ", "")
	return api.FaultDone{Target: o.Target.String(), Cluster: cluster.Name, Said: "has the fault " + said},
		f.annotate(ctx, o, region.Fault{Target: o.Target.String(), ClusterID: cluster.ID, Of: faultAnnotation, Fault: said,
			Value: said})
}

func (f *recordFaults) podNamed(o api.FaultOrder) (string, error) { return o.Target.String(), nil }

// clearPod takes away a fault that somebody has written into the pod himself.
func (f *recordFaults) clearPod(ctx context.Context, o api.FaultOrder) error {
	cluster, err := f.clusterOf(o.Target, o.Cluster)
	if err != nil {
		return err
	}
	return f.change(ctx, region.Fault{Target: o.Target.String(), ClusterID: cluster.ID},
		map[string]*string{faultAnnotation: nil}, nil)
}

// annotate puts a fault in force that is an annotation of an object.
func (f *recordFaults) annotate(ctx context.Context, o api.FaultOrder, fault region.Fault) error {
	err := f.change(ctx, fault, map[string]*string{fault.Of: &fault.Value}, func(object controlplane.Object) error {
		fault.UID = object.UID
		return f.state.Update(ctx, func(tx *state.Txn) error { f.put(tx, fault, o); return nil })
	})
	return err
}

// change changes the annotations of a fault's object, and then does what is to be done when that is so. Where that fails
// the annotations are taken away again, as far as that is possible.
func (f *recordFaults) change(ctx context.Context, fault region.Fault, annotations map[string]*string,
	then func(controlplane.Object) error) error {
	objects, err := f.objects(fault.ClusterID)
	if err != nil {
		return err
	}
	defer objects.Close()
	path := objectPath(fault.Target)
	object, err := objects.Annotate(ctx, path, annotations)
	switch {
	case errors.Is(err, controlplane.ErrNoObject):
		return f.noObject(ctx, objects, fault)
	case err != nil:
		return fmt.Errorf("%s: %w", fault.Target, err)
	case then == nil:
		return nil
	}
	if err = then(object); err != nil {
		back := map[string]*string{}
		for name := range annotations {
			back[name] = nil
		}
		_, undone := objects.Annotate(ctx, path, back)
		return errors.Join(err, undone)
	}
	return nil
}

// noObject refuses a target that is not there, and says what is.
func (f *recordFaults) noObject(ctx context.Context, objects controlplane.Objects, fault region.Fault) error {
	kind, name, _ := strings.Cut(fault.Target, "/")
	namespace, pod, _ := strings.Cut(name, "/")
	cluster, list := f.clusterName(fault.ClusterID), controlplane.NodePath("")
	sentence := fmt.Sprintf("there is no node %q in cluster %s: its nodes are ", name, cluster)
	if kind == api.KindPod {
		list = controlplane.PodPath(namespace, "")
		sentence = fmt.Sprintf("there is no pod %q in namespace %s of cluster %s: its pods are ", pod, namespace, cluster)
	}
	names, more, err := objects.Names(ctx, list, mostNames)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		sentence = strings.Replace(sentence, ": its "+kind+"s are ", ": it has none", 1)
	}
	return refuse("%s%s", sentence, enumerate(names, more))
}

// takeAnnotation takes back a fault that is an annotation of an object. One that is gone has none.
func (f *recordFaults) takeAnnotation(ctx context.Context, fault region.Fault) error {
	if _, err := f.cluster(fault); err == nil {
		objects, err := f.objects(fault.ClusterID)
		if err != nil {
			return err
		}
		defer objects.Close()
		_, err = objects.Annotate(ctx, objectPath(fault.Target), map[string]*string{fault.Of: nil})
		if err != nil && !errors.Is(err, controlplane.ErrNoObject) {
			return fmt.Errorf("%s: %w", fault.Target, err)
		}
	}
	return f.forget(ctx, fault)
}

// annotationGone says that an object is not there any more, or another one of its name is, or that somebody has changed
// the annotation.
func (f *recordFaults) annotationGone(ctx context.Context, fault region.Fault) (bool, error) {
	if _, err := f.cluster(fault); err != nil {
		return true, nil
	}
	objects, err := f.objects(fault.ClusterID)
	if err != nil {
		return false, err
	}
	defer objects.Close()
	object, err := objects.Get(ctx, objectPath(fault.Target))
	switch {
	case errors.Is(err, controlplane.ErrNoObject):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("%s: %w", fault.Target, err)
	}
	return object.UID != fault.UID || object.Annotations[fault.Of] != fault.Value, nil
}

// cluster is the one of a fault's object; an error when it is gone.
func (f *recordFaults) cluster(fault region.Fault) (cluster region.Cluster, err error) {
	err = f.state.View(func(tx *state.Txn) error {
		found := false
		if cluster, found = region.Clusters.Get(tx, fault.ClusterID); !found || !cluster.Status.Runs() {
			return fmt.Errorf("the cluster of %s is gone", fault.Target)
		}
		return nil
	})
	return cluster, err
}

// objectPath is where an API server has the object that is a target.
func objectPath(target string) string {
	kind, name, _ := strings.Cut(target, "/")
	if kind == api.KindNode {
		return controlplane.NodePath(name)
	}
	namespace, pod, _ := strings.Cut(name, "/")
	return controlplane.PodPath(namespace, pod)
}

// enumerate is "a, b and 3 more".
func enumerate(names []string, more int) string {
	text := strings.Join(names, ", ")
	if more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func listed(names map[string]bool) string { return enumerate(slices.Sorted(maps.Keys(names)), 0) }
