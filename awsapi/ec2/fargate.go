package ec2

import (
	"fmt"
	"net/http"

	"tripod/awsapi/wire"
	"tripod/nodes/machine"
	"tripod/region"
	"tripod/state"
)

// FargateZone is the zone of a subnet, and whether Fargate has room for one more machine there.
func (s *Service) FargateZone(tx *state.Txn, subnetID string) (zone string, room bool, err error) {
	home, err := subnets.get(s, tx, subnetID)
	if err != nil {
		return "", false, err
	}
	return home.Zone, s.room(tx, home.Zone, "") > 0, nil
}

// LaunchFargate gives a machine its place in its subnet, and its node's name, and writes it. A zone that has no room is
// InsufficientInstanceCapacity, a subnet that is full InsufficientFreeAddressesInSubnet.
func (s *Service) LaunchFargate(tx *state.Txn, m region.FargateMachine) (region.FargateMachine, error) {
	home, err := subnets.get(s, tx, m.SubnetID)
	if err != nil {
		return m, err
	}
	if s.room(tx, home.Zone, "") < 1 {
		return m, &wire.Error{Code: "InsufficientInstanceCapacity", Status: http.StatusInternalServerError,
			Message: "There is no capacity for Fargate in " + home.Zone + "."}
	}
	address, err := s.freeAddress(tx, launchPlan{subnet: home})
	if err != nil {
		return m, err
	}
	m.Zone, m.VPCID, m.Address = home.Zone, home.VPCID, address.String()
	m.Name = "fargate-" + machine.Name(s.VPC.Region, address)
	m.InterfaceID = id("eni", m.TaskID)
	return m, region.LaunchFargateMachine(tx, m)
}

// fargateInterfaces are those of Fargate's machines: all that EC2 shows of them.
func (s *Service) fargateInterfaces(tx *state.Txn) (all []networkInterface) {
	machines := region.FargateMachines.List(tx)
	if len(machines) == 0 {
		return nil
	}
	names := s.groupNames(tx)
	for _, m := range machines {
		group, dnsName := s.VPC.ClusterSecurityGroupID(m.ClusterID), s.VPC.dnsName(m.Address)
		all = append(all, networkInterface{
			InterfaceID: m.InterfaceID, SubnetID: m.SubnetID, VPCID: m.VPCID, Zone: m.Zone, ZoneID: s.zoneID(m.Zone),
			Description: fmt.Sprintf("arn:aws:ecs:%s:%s:attachment/%s", s.VPC.Region, s.VPC.AccountID, uuidOf(m.TaskID)),
			OwnerID:     s.VPC.AccountID, RequesterID: "amazon-aws", RequesterManaged: true, Status: "in-use",
			MAC: macAddress(m.ClusterID, m.TaskID), Address: m.Address, DNSName: dnsName, SourceDestCheck: true, Type: "interface",
			Groups:    list[groupName]{{group, names(group)}},
			Addresses: list[address]{{Address: m.Address, DNSName: dnsName, Primary: true}},
			Attachment: interfaceAttachment{AttachmentID: id("eni-attach", m.TaskID), InstanceOwnerID: "amazon-aws",
				DeviceIndex: 1, Status: "attached", AttachTime: timestamp(m.Launched)},
		})
	}
	return all
}

// uuidOf is the UUID in a task's id, 10HEX-32HEX, as ARNs write it.
func uuidOf(taskID string) string {
	if len(taskID) < 32 {
		return taskID
	}
	d := taskID[len(taskID)-32:]
	return fmt.Sprintf("%s-%s-%s-%s-%s", d[:8], d[8:12], d[12:16], d[16:20], d[20:])
}
