package ebscsi

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	"tripod/incluster/csidriver"
	"tripod/internal/instancetypes"
)

const instanceType = "node.kubernetes.io/instance-type"

// topologyKeys are the labels that the driver gives to nodes.
var topologyKeys = []string{"kubernetes.io/os", driverZoneKey, zoneKey}

func labelsOf(n *corev1.Node) map[string]string {
	return map[string]string{driverZoneKey: n.Labels[zoneKey]}
}

func ownOn(n *corev1.Node) storagev1.CSINodeDriver {
	return storagev1.CSINodeDriver{Name: Name, NodeID: csidriver.InstanceOf(n), TopologyKeys: topologyKeys,
		Allocatable: &storagev1.VolumeNodeResources{Count: limit(n.Labels[instanceType])}}
}

// isRegistered says whether the driver is on a node.
func (d *Driver) isRegistered(node string) bool { return d.plugins.IsRegistered(node) }

// Unregister takes the driver from all nodes. The driver has stopped.
func (d *Driver) Unregister(ctx context.Context) error { return d.plugins.Unregister(ctx) }

// limit is how many volumes of the driver a node of that type has room for: the instance's slots without its root volume.
func limit(typeName string) *int32 {
	t, _ := instancetypes.Find(typeName)
	n := int32(max(1, t.VolumeSlots()-1))
	return &n
}
