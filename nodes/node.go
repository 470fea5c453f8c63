package nodes

import (
	"maps"
	"net/netip"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tripod/nodes/machine"
)

const kubeletPort = 10250

// node is one simulated worker: what stays the same about it.
type node struct {
	name       string
	addr       netip.Addr
	instanceID string // "i-0..."
	machine    machine.Machine
	since      time.Time // when its kubelet started
}

func newNode(m machine.Machine) node {
	return node{name: m.Name, addr: m.Address, instanceID: m.InstanceID, machine: m}
}

// digest is hexadecimal and the same for the same node in every process.
func digest(c Config, what string, i int) string {
	return machine.Digest(c.ClusterID, c.Zone, what, i)
}

// uuid shapes the first 32 digits of a digest.
func uuid(d string) string {
	return strings.Join([]string{d[:8], d[8:12], d[12:16], d[16:20], d[20:32]}, "-")
}

func (n node) providerID(c Config) string {
	return "aws:///" + c.Zone + "/" + n.instanceID
}

// object is the Node as a kubelet registers it: complete and Ready, so that one request is enough.
func (n node) object(c Config, now time.Time) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name:   n.name,
			Labels: n.labels(c),
			Annotations: map[string]string{
				"alpha.kubernetes.io/provided-node-ip":                   n.addr.String(),
				"volumes.kubernetes.io/controller-managed-attach-detach": "true",
			},
		},
		Spec:   corev1.NodeSpec{ProviderID: n.providerID(c), Taints: n.taints()},
		Status: n.status(c, now),
	}
}

// uninitialized is what a kubelet with an external cloud provider registers with: the cloud controller manager takes it
// away once it has given the node its labels and addresses.
var uninitialized = corev1.Taint{Key: "node.cloudprovider.kubernetes.io/uninitialized", Value: "true",
	Effect: corev1.TaintEffectNoSchedule}

// taints are those of the user data, and uninitialized.
func (n node) taints() []corev1.Taint {
	all := []corev1.Taint{uninitialized}
	for _, t := range n.machine.Boot.Taints {
		all = append(all, corev1.Taint{Key: t.Key, Value: t.Value, Effect: corev1.TaintEffect(t.Effect)})
	}
	return all
}

// labels are those that a kubelet gives its node, with those of its user data. Type and zone are among them, as the cloud
// controller manager would set them.
func (n node) labels(c Config) map[string]string {
	arch := n.architecture()
	labels := map[string]string{
		corev1.LabelHostname:                       n.name,
		corev1.LabelOSStable:                       "linux",
		corev1.LabelArchStable:                     arch,
		corev1.LabelTopologyZone:                   c.Zone,
		corev1.LabelTopologyRegion:                 c.Region,
		"topology.k8s.aws/zone-id":                 c.ZoneID,
		"beta.kubernetes.io/os":                    "linux",
		"beta.kubernetes.io/arch":                  arch,
		"failure-domain.beta.kubernetes.io/zone":   c.Zone,
		"failure-domain.beta.kubernetes.io/region": c.Region,
	}
	if n.machine.InstanceType != "" {
		labels[corev1.LabelInstanceTypeStable] = n.machine.InstanceType
		labels["beta.kubernetes.io/instance-type"] = n.machine.InstanceType
	}
	maps.Copy(labels, n.machine.Boot.Labels)
	return labels
}

func (n node) architecture() string {
	if n.machine.ARM {
		return "arm64"
	}
	return "amd64"
}

func (n node) status(c Config, now time.Time) corev1.NodeStatus {
	s := n.size()
	if most := n.machine.Boot.MaxPods; most > 0 {
		s.pods = int64(most)
	}
	id := digest(c, "machine", int(machine.Hash(n.name)%(1<<30)))
	return corev1.NodeStatus{
		Capacity:    s.capacity(),
		Allocatable: s.allocatable(n.machine.Boot),
		Conditions:  conditions(metav1.NewTime(now)),
		Addresses: []corev1.NodeAddress{
			{Type: corev1.NodeInternalIP, Address: n.addr.String()},
			{Type: corev1.NodeInternalDNS, Address: n.name},
			{Type: corev1.NodeHostName, Address: n.name},
		},
		DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: kubeletPort}},
		NodeInfo: corev1.NodeSystemInfo{
			MachineID:               "ec2" + id[:29],
			SystemUUID:              "ec2" + uuid(id)[3:],
			BootID:                  uuid(id[32:]),
			KernelVersion:           n.machine.System.Kernel,
			OSImage:                 n.machine.System.OSImage,
			ContainerRuntimeVersion: n.machine.System.Runtime,
			KubeletVersion:          n.machine.Version,
			OperatingSystem:         "linux",
			Architecture:            n.architecture(),
		},
	}
}

func (n node) size() size {
	if n.machine.Fargate != nil {
		return fargateSize(*n.machine.Fargate)
	}
	return sizeOf(n.machine.InstanceType)
}

// conditions of a node that is well, as a kubelet words them.
func conditions(now metav1.Time) []corev1.NodeCondition {
	well := func(kind corev1.NodeConditionType, status corev1.ConditionStatus, reason,
		message string) corev1.NodeCondition {
		return corev1.NodeCondition{
			Type: kind, Status: status, Reason: reason, Message: message,
			LastHeartbeatTime: now, LastTransitionTime: now,
		}
	}
	return []corev1.NodeCondition{
		well(corev1.NodeMemoryPressure, corev1.ConditionFalse, "KubeletHasSufficientMemory",
			"kubelet has sufficient memory available"),
		well(corev1.NodeDiskPressure, corev1.ConditionFalse, "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
		well(corev1.NodePIDPressure, corev1.ConditionFalse, "KubeletHasSufficientPID",
			"kubelet has sufficient PID available"),
		well(corev1.NodeReady, corev1.ConditionTrue, "KubeletReady", "kubelet is posting ready status"),
	}
}
