package machine

import (
	"fmt"
	"net/netip"

	"tripod/nodes/boot"
	"tripod/nodes/object"
)

// Machine is an instance that is a node, or asks to be one: what its record and its user data say. Or it is the machine of
// a pod on Fargate, which is no instance that anybody sees.
type Machine struct {
	InstanceID   string // i-0123456789abcdef0: what the node's provider ID has behind the zone
	Name         string // EC2's private DNS name, which is the node's
	Address      netip.Addr
	Subnet       netip.Prefix // its pods have addresses of it
	InstanceType string       // m5.large; a type that is not known has m5.large's size. Fargate's machines have none
	Version      string       // of the kubelet: "v1.36.2-eks-3025e55"
	ARM          bool
	System       System
	Boot         boot.Config // what its user data say of labels, taints, pods and reservations
	// Fargate is what the pod was given for which Fargate has it; nil: it is an instance.
	Fargate *object.FargateSize
}

// System is what a node tells of its image's operating system.
type System struct {
	OSImage, Kernel string
	Runtime         string // containerd://2.1.5
}

// Validate says what makes the machine impossible.
func (m Machine) Validate() error {
	switch {
	case m.InstanceID == "" || m.Name == "":
		return fmt.Errorf("a machine needs an instance id and a name, not %q and %q", m.InstanceID, m.Name)
	case !m.Address.Is4() || !m.Subnet.IsValid() || !m.Subnet.Addr().Is4():
		return fmt.Errorf("machine %s needs an IPv4 address and subnet, not %v and %v", m.InstanceID, m.Address, m.Subnet)
	}
	return nil
}
