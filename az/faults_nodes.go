package az

import (
	"context"
	"strings"

	"tripod/api"
	"tripod/region"
	"tripod/state"
)

// breakNode puts a fault of a node in force, or of its instance.
func (f *recordFaults) breakNode(ctx context.Context, o api.FaultOrder) (api.FaultDone, error) {
	word, value, _ := strings.Cut(o.Fault, "=")
	fault := region.Fault{Of: pressureAnnotation, Fault: o.Fault, Value: value}
	said := "is short of " + strings.ReplaceAll(value, ",", " and ")
	switch word {
	case api.FaultPressure:
	case api.FaultNotReady:
		fault.Of, fault.Value, said = faultAnnotation, kubeletStopped, "has a kubelet that reports nothing"
	default:
		return f.breakInstance(ctx, o)
	}
	cluster, err := f.clusterOfNode(o)
	if err != nil {
		return api.FaultDone{}, err
	}
	fault.ClusterID = cluster.ID
	if fault.Target, err = f.nodeNamed(o); err != nil {
		return api.FaultDone{}, err
	}
	return api.FaultDone{Target: fault.Target, Cluster: cluster.Name, Said: said}, f.annotate(ctx, o, fault)
}

// nodeNamed is a node by its name, or by its instance's id.
func (f *recordFaults) nodeNamed(o api.FaultOrder) (string, error) {
	name := o.Target.Name
	err := f.state.View(func(tx *state.Txn) error {
		if v, found := region.Instances.Get(tx, name); found {
			name = v.DNSName
		}
		return nil
	})
	return api.KindNode + "/" + name, err
}

// clusterOfNode is the cluster that an order names, or that the node's instance has joined, or the only one.
func (f *recordFaults) clusterOfNode(o api.FaultOrder) (region.Cluster, error) {
	name := o.Cluster
	f.state.View(func(tx *state.Txn) error {
		v, _ := instanceNamed(tx, o.Target.Name)
		if cluster, found := region.Clusters.Get(tx, v.Boot.ClusterID); found && name == "" {
			name = cluster.Name
		}
		return nil
	})
	return f.clusterOf(o.Target, name)
}

func (f *recordFaults) mendNode(ctx context.Context, fault region.Fault) error {
	if fault.Of == region.FaultedInstance {
		return f.mendInstance(ctx, fault)
	}
	return f.takeAnnotation(ctx, fault)
}

func (f *recordFaults) nodeFaultGone(ctx context.Context, fault region.Fault) (bool, error) {
	if fault.Of == region.FaultedInstance {
		return f.instanceFaultGone(fault)
	}
	return f.annotationGone(ctx, fault)
}

// clearNode takes away faults that somebody has written onto the node himself.
func (f *recordFaults) clearNode(ctx context.Context, o api.FaultOrder) error {
	cluster, err := f.clusterOfNode(o)
	if err != nil {
		return err
	}
	target, err := f.nodeNamed(o)
	if err != nil {
		return err
	}
	return f.change(ctx, region.Fault{Target: target, ClusterID: cluster.ID},
		map[string]*string{faultAnnotation: nil, pressureAnnotation: nil}, nil)
}
