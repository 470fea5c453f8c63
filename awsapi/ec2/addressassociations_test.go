package ec2

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"tripod/awsapi/wire"
	"tripod/state"
)

// said checks code and sentence of a refusal.
func said(t *testing.T, err error, want string) {
	t.Helper()
	var refusal *wire.Error
	if !errors.As(err, &refusal) || refusal.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestAddressesMoveBetweenNodes(t *testing.T) {
	s := newServiceWithNodes(t)
	var nodes []Node
	if err := s.State.View(func(tx *state.Txn) error { nodes = s.NodesOf(tx, demoID); return nil }); err != nil {
		t.Fatal(err)
	}
	made := must(t, s, "AllocateAddress")
	allocation, ip := element(t, made, "allocationId"), element(t, made, "publicIp")
	other := element(t, must(t, s, "AllocateAddress"), "allocationId")
	association := element(t, must(t, s, "AssociateAddress", "AllocationId="+allocation, "InstanceId="+nodes[0].ID),
		"associationId")
	if again := element(t, must(t, s, "AssociateAddress", "PublicIp="+ip, "NetworkInterfaceId="+nodes[0].InterfaceID),
		"associationId"); again != association {
		t.Errorf("the same once more is %s, want %s", again, association)
	}
	shown := must(t, s, "DescribeAddresses", "Filter.1.Name=instance-id", "Filter.1.Value.1="+nodes[0].ID)
	for name, want := range map[string]string{"allocationId": allocation, "associationId": association,
		"networkInterfaceId": nodes[0].InterfaceID,
		"privateIpAddress":   nodes[0].Address, "networkInterfaceOwnerId": "111122223333"} {
		if got := element(t, shown, name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	for _, filter := range []string{"ip-address=" + ip, "network-interface.association.public-ip=" + ip,
		"network-interface.association.allocation-id=" + allocation,
		"network-interface.addresses.association.association-id=" + association,
		"network-interface.association.ip-owner-id=111122223333"} {
		name, value, _ := strings.Cut(filter, "=")
		instance := must(t, s, "DescribeInstances", "Filter.1.Name="+name, "Filter.1.Value.1="+value)
		if got := element(t, instance, "instanceId"); got != nodes[0].ID || element(t, instance, "ipAddress") != ip ||
			element(t, instance, "dnsName") != "ec2-"+strings.ReplaceAll(ip, ".", "-")+".compute-1.amazonaws.com" {
			t.Errorf("%s: got %s", filter, instance)
		}
	}
	element(t, must(t, s, "DescribeNetworkInterfaces", "Filter.1.Name=association.public-ip", "Filter.1.Value.1="+ip),
		"publicDnsName")

	_, err := ask(s, "ReleaseAddress", "AllocationId="+allocation)
	said(t, err, "InvalidIPAddress.InUse: Address "+ip+" is in use.")
	_, err = ask(s, "AssociateAddress", "AllocationId="+allocation, "InstanceId="+nodes[1].ID, "AllowReassociation=false")
	said(t, err, "Resource.AlreadyAssociated: resource "+allocation+" is already associated with associate-id "+
		association)
	moved := element(t, must(t, s, "AssociateAddress", "AllocationId="+allocation, "InstanceId="+nodes[1].ID),
		"associationId")
	if moved == association {
		t.Error("the association has the old id")
	}
	// The other address takes the place of this one.
	must(t, s, "AssociateAddress", "AllocationId="+other, "InstanceId="+nodes[1].ID)
	_, err = ask(s, "DisassociateAddress", "AssociationId="+moved)
	said(t, err, "InvalidAssociationID.NotFound: The association ID '"+moved+"' does not exist")
	must(t, s, "ReleaseAddress", "AllocationId="+allocation)
	_, err = ask(s, "DetachInternetGateway", "InternetGatewayId="+id("igw", s.VPC.ID()), "VpcId="+s.VPC.ID())
	if code(err) != "OperationNotPermitted" {
		t.Errorf("the default network's gateway: got %v", err)
	}
	must(t, s, "DisassociateAddress",
		"PublicIp="+element(t, must(t, s, "DescribeAddresses", "AllocationId.1="+other), "publicIp"))
	must(t, s, "ReleaseAddress", "AllocationId="+other)
}

func TestAddressAssociationsAreRefusedAsByEC2(t *testing.T) {
	s := newServiceWithNodes(t)
	var nodes []Node
	var managed []networkInterface
	if err := s.State.View(func(tx *state.Txn) error {
		nodes, managed = s.NodesOf(tx, demoID), s.natInterfaces(tx)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	allocation := element(t, must(t, s, "AllocateAddress"), "allocationId")
	natAllocation := managed[0].Association.AllocationID
	for _, c := range []struct{ operation, params, want string }{
		{"AssociateAddress", "InstanceId=x", "MissingParameter: Either public IP or allocation id must be specified"},
		{"AssociateAddress", "AllocationId=x&PublicIp=y",
			"InvalidParameterCombination: You may specify public IP or allocation id, but not both in the same call"},
		{"AssociateAddress", "AllocationId=" + allocation,
			"MissingParameter: Either instance ID or network interface id must be specified"},
		{"AssociateAddress", "PublicIp=203.0.113.99&InstanceId=" + nodes[0].ID,
			"InvalidAddress.NotFound: Address '203.0.113.99' not found."},
		{"AssociateAddress", "AllocationId=" + allocation + "&NetworkInterfaceId=" + managed[0].InterfaceID,
			"AuthFailure: You do not have permission to access the specified resource."},
		{"AssociateAddress", "AllocationId=" + natAllocation + "&InstanceId=" + nodes[0].ID,
			"AuthFailure: You do not have permission to access the specified resource."},
		{"DisassociateAddress", "AssociationId=" + managed[0].Association.AssociationID,
			"AuthFailure: You do not have permission to access the specified resource."},
		{"CreateNatGateway", "SubnetId=" + s.VPC.SubnetIDs()[0] + "&AllocationId=" + natAllocation,
			"Resource.AlreadyAssociated: Elastic IP address [" + natAllocation + "] is already associated"},
	} {
		_, err := ask(s, c.operation, strings.Split(c.params, "&")...)
		said(t, err, c.want)
	}
}

func TestWhatIsNeededIsNotDeletedAndTheHistorySaysWhy(t *testing.T) {
	s := newServiceWithNodes(t)
	vpcID := element(t, must(t, s, "CreateVpc", "CidrBlock=10.9.0.0/16"), "vpcId")
	subnetID := element(t, must(t, s, "CreateSubnet", "VpcId="+vpcID, "CidrBlock=10.9.1.0/24"), "subnetId")
	gatewayID := element(t, must(t, s, "CreateInternetGateway"), "internetGatewayId")
	must(t, s, "AttachInternetGateway", "InternetGatewayId="+gatewayID, "VpcId="+vpcID)
	tableID := element(t, must(t, s, "CreateRouteTable", "VpcId="+vpcID), "routeTableId")
	must(t, s, "AssociateRouteTable", "RouteTableId="+tableID, "SubnetId="+subnetID)
	allocation := element(t, must(t, s, "AllocateAddress"), "allocationId")
	natID := element(t, must(t, s, "CreateNatGateway", "SubnetId="+subnetID, "AllocationId="+allocation), "natGatewayId")
	user := element(t, must(t, s, "CreateSecurityGroup", "GroupName=user", "GroupDescription=d"), "groupId")
	used := element(t, must(t, s, "CreateSecurityGroup", "GroupName=used", "GroupDescription=d"), "groupId")
	must(t, s, "AuthorizeSecurityGroupIngress", "GroupId="+user, "IpPermissions.1.IpProtocol=-1",
		"IpPermissions.1.Groups.1.GroupId="+used)
	for _, c := range []struct{ operation, params, want, note string }{
		{"DeleteVpc", "VpcId=" + vpcID, "The vpc '" + vpcID + "' has dependencies and cannot be deleted.", gatewayID},
		{"DeleteSubnet", "SubnetId=" + subnetID, "The subnet '" + subnetID + "' has dependencies and cannot be deleted.",
			natID},
		{"DeleteRouteTable", "RouteTableId=" + tableID, "The routeTable '" + tableID + "' has dependencies and cannot " +
			"be deleted.", subnetID},
		{"DeleteInternetGateway", "InternetGatewayId=" + gatewayID,
			"The internetGateway '" + gatewayID + "' has dependencies and cannot be deleted.", vpcID},
		{"DetachInternetGateway", "InternetGatewayId=" + gatewayID + "&VpcId=" + vpcID,
			"Network " + vpcID + " has some mapped public address(es). Please unmap those public address(es) before " +
				"detaching the gateway.", "203.0.113."},
		{"DeleteSecurityGroup", "GroupId=" + used, "resource " + used + " has a dependent object", user},
	} {
		call, _, err := asking(s, c.operation, strings.Split(c.params, "&")...)
		said(t, err, "DependencyViolation: "+c.want)
		if !slices.ContainsFunc(call.Notes, func(note string) bool { return strings.Contains(note, c.note) }) {
			t.Errorf("%s: the history has %q, want %s", c.operation, call.Notes, c.note)
		}
	}
}
