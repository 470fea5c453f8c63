package ec2

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"tripod/region"
	"tripod/state"
)

// runningInstance launches an instance in a subnet and lets it run.
func runningInstance(t *testing.T, s *Service, subnetID, instanceType string) region.Instance {
	t.Helper()
	made, err := launched(t, s, LaunchRequest{ImageID: someImage, Type: instanceType, SubnetID: subnetID, Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.State.Update(t.Context(), func(tx *state.Txn) error {
		_, err := s.Advance(tx, made[0].ID, time.Now())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return made[0]
}

// smallSubnet makes a subnet of 16 addresses in the first zone, of which 11 are to be had.
func smallSubnet(t *testing.T, s *Service) string {
	t.Helper()
	return element(t, must(t, s, "CreateSubnet", "VpcId="+s.VPC.ID(), "CidrBlock=10.0.200.0/28", "AvailabilityZone=us-east-1a"), "subnetId")
}

func available(t *testing.T, s *Service, subnetID string) string {
	t.Helper()
	return element(t, must(t, s, "DescribeSubnets", "SubnetId.1="+subnetID), "availableIpAddressCount")
}

func TestAnInterfaceLivesFromCreationToDeletion(t *testing.T) {
	s := newService()
	home := s.VPC.SubnetIDs()[0]
	at := runningInstance(t, s, home, "t3.small")
	body := must(t, s, "CreateNetworkInterface", "SubnetId="+home, "Description=mine", "PrivateIpAddress=10.0.3.7",
		"SecondaryPrivateIpAddressCount=2", "ClientToken=once", "TagSpecification.1.ResourceType=network-interface",
		"TagSpecification.1.Tag.1.Key=a", "TagSpecification.1.Tag.1.Value=b")
	eni := element(t, body, "networkInterfaceId")
	if again := must(t, s, "CreateNetworkInterface", "SubnetId="+home, "Description=mine", "PrivateIpAddress=10.0.3.7",
		"SecondaryPrivateIpAddressCount=2", "ClientToken=once", "TagSpecification.1.ResourceType=network-interface",
		"TagSpecification.1.Tag.1.Key=a", "TagSpecification.1.Tag.1.Value=b"); element(t, again, "networkInterfaceId") != eni {
		t.Errorf("the same token made another one: %s", again)
	}
	shown := must(t, s, "DescribeNetworkInterfaces", "Filter.1.Name=status", "Filter.1.Value.1=available", "Filter.2.Name=tag:a",
		"Filter.2.Value.1=b")
	if element(t, shown, "networkInterfaceId") != eni || strings.Count(shown, "<primary>") != 3 || strings.Contains(shown, "<attachment>") {
		t.Errorf("it is shown as %s", shown)
	}
	attachment := element(t, must(t, s, "AttachNetworkInterface", "NetworkInterfaceId="+eni, "InstanceId="+at.ID, "DeviceIndex=1"),
		"attachmentId")
	if body := must(t, s, "DescribeInstances", "InstanceId.1="+at.ID); strings.Count(body, "<networkInterfaceId>") != 2 ||
		strings.Count(body, "<primary>") != 4 {
		t.Errorf("its instance shows %s", body)
	}
	for _, tt := range []struct{ want, operation, params string }{
		{"InvalidNetworkInterface.InUse: Interface: [" + eni + "] in use.", "AttachNetworkInterface",
			"NetworkInterfaceId=" + eni + "&InstanceId=" + at.ID + "&DeviceIndex=2"},
		{"InvalidParameterValue: Network interface '" + eni + "' is currently in use.", "DeleteNetworkInterface", "NetworkInterfaceId=" + eni},
		{"PrivateIpAddressLimitExceeded: Number of private addresses will exceed limit.", "AssignPrivateIpAddresses",
			"NetworkInterfaceId=" + eni + "&SecondaryPrivateIpAddressCount=2"},
		{"InvalidIPAddress.InUse: Address 10.0.3.7 is in use.", "CreateNetworkInterface", "SubnetId=" + home + "&PrivateIpAddress=10.0.3.7"},
		{"InvalidIPAddress.InUse: Address 10.0.0.4 is in use.", "AssignPrivateIpAddresses",
			"NetworkInterfaceId=" + at.InterfaceID + "&PrivateIpAddress.1=" + "10.0.0.4"},
		{"OperationNotPermitted: The network interface at device index 0 and networkCard index 0 cannot be detached.",
			"DetachNetworkInterface", "AttachmentId=" + id("eni-attach", at.ID)},
		{"InvalidNetworkInterfaceID.NotFound: The networkInterface ID 'eni-0123456789abcdef0' does not exist", "DeleteNetworkInterface",
			"NetworkInterfaceId=eni-0123456789abcdef0"},
		{"InvalidParameterValue: Some of [10.0.9.9] are not assigned to interface " + eni, "UnassignPrivateIpAddresses",
			"NetworkInterfaceId=" + eni + "&PrivateIpAddress.1=10.0.9.9"},
	} {
		if strings.Contains(tt.want, "10.0.0.4") { // it becomes somebody's
			must(t, s, "CreateNetworkInterface", "SubnetId="+home, "PrivateIpAddress=10.0.0.4")
		}
		_, err := ask(s, tt.operation, strings.Split(tt.params, "&")...)
		said(t, err, tt.want)
	}
	must(t, s, "AttachNetworkInterface", "NetworkInterfaceId="+element(t, must(t, s, "CreateNetworkInterface", "SubnetId="+home),
		"networkInterfaceId"), "InstanceId="+at.ID, "DeviceIndex=2")
	extra := element(t, must(t, s, "CreateNetworkInterface", "SubnetId="+home), "networkInterfaceId")
	_, err := ask(s, "AttachNetworkInterface", "NetworkInterfaceId="+extra, "InstanceId="+at.ID, "DeviceIndex=3")
	said(t, err, "AttachmentLimitExceeded: Interface count 4 exceeds the limit for t3.small")
	must(t, s, "DetachNetworkInterface", "AttachmentId="+attachment)
	must(t, s, "DeleteNetworkInterface", "NetworkInterfaceId="+eni)
	if _, err := ask(s, "DescribeNetworkInterfaces", "NetworkInterfaceId.1="+eni); code(err) != "InvalidNetworkInterfaceID.NotFound" {
		t.Errorf("it is there yet: %v", err)
	}
}

func TestASubnetGivesAsManyAddressesAsItSaysAreFree(t *testing.T) {
	s := newService()
	home := smallSubnet(t, s)
	at := runningInstance(t, s, home, "m5.large")
	if got := available(t, s, home); got != "10" {
		t.Fatalf("%s addresses are free beside an instance, want 10", got)
	}
	must(t, s, "AssignPrivateIpAddresses", "NetworkInterfaceId="+at.InterfaceID, "SecondaryPrivateIpAddressCount=9")
	if got := available(t, s, home); got != "1" {
		t.Fatalf("%s addresses are free, want 1", got)
	}
	_, err := ask(s, "CreateNetworkInterface", "SubnetId="+home, "SecondaryPrivateIpAddressCount=1")
	said(t, err, "InsufficientFreeAddressesInSubnet: The specified subnet does not have enough free addresses to satisfy the request.")
	other := runningInstance(t, s, home, "m5.large")
	if got := available(t, s, home); got != "0" {
		t.Errorf("%s addresses are free, want none", got)
	}
	if _, err := launched(t, s, LaunchRequest{ImageID: someImage, Type: "m5.large", SubnetID: home, Count: 1}); code(err) !=
		"InsufficientFreeAddressesInSubnet" {
		t.Errorf("an instance in a full subnet: %v", err)
	}
	seen := map[string]bool{}
	_ = s.State.View(func(tx *state.Txn) error {
		for _, v := range interfaces.all(s, tx) {
			for _, a := range v.Addresses {
				if v.SubnetID == home && seen[a.Address] {
					t.Errorf("%s has two interfaces", a.Address)
				}
				seen[a.Address] = true
			}
		}
		v, found := region.InterfaceAt(tx, home, netip.MustParseAddr(other.Address))
		if !found || v.ID != other.InterfaceID || len(v.Groups) == 0 {
			t.Errorf("the interface at %s: %+v", other.Address, v)
		}
		return nil
	})
	if err := s.State.Update(t.Context(), func(tx *state.Txn) error {
		if err := s.Terminate(tx, []string{at.ID}, region.UserShutdown, time.Now()); err != nil {
			return err
		}
		_, err := s.Advance(tx, at.ID, time.Now())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if got := available(t, s, home); got != "10" {
		t.Errorf("%s addresses are free after the instance's end, want 10", got)
	}
}

func TestPrefixesAreSixteenAddresses(t *testing.T) {
	s := newService()
	home := element(t, must(t, s, "CreateSubnet", "VpcId="+s.VPC.ID(), "CidrBlock=10.0.201.0/27", "AvailabilityZone=us-east-1a"), "subnetId")
	eni := element(t, must(t, s, "CreateNetworkInterface", "SubnetId="+home, "PrivateIpAddress=10.0.201.5"), "networkInterfaceId")
	before := available(t, s, home)
	_, err := ask(s, "AssignPrivateIpAddresses", "NetworkInterfaceId="+eni, "Ipv4PrefixCount=1")
	said(t, err, "InsufficientCidrBlocks: The specified subnet does not have enough free cidr blocks to satisfy the request.")
	if before != "26" {
		t.Errorf("%s addresses are free, want 26", before)
	}
	home = s.VPC.SubnetIDs()[0]
	at := runningInstance(t, s, home, "m5.large")
	prefix := element(t, must(t, s, "AssignPrivateIpAddresses", "NetworkInterfaceId="+at.InterfaceID, "Ipv4PrefixCount=1"), "ipv4Prefix")
	inside := netip.MustParsePrefix(prefix).Addr().Next().String()
	_, err = ask(s, "CreateNetworkInterface", "SubnetId="+home, "PrivateIpAddress="+inside)
	said(t, err, "InvalidIPAddress.InUse: Address "+inside+" is in use.")
	_ = s.State.View(func(tx *state.Txn) error {
		if v, found := region.InterfaceAt(tx, home, netip.MustParseAddr(inside)); !found || v.ID != at.InterfaceID {
			t.Errorf("the interface at %s: %+v", inside, v)
		}
		return nil
	})
	must(t, s, "UnassignPrivateIpAddresses", "NetworkInterfaceId="+at.InterfaceID, "Ipv4Prefix.1="+prefix)
	must(t, s, "CreateNetworkInterface", "SubnetId="+home, "PrivateIpAddress="+inside)
}

func TestAttributesOfAnInterfaceAreKept(t *testing.T) {
	s := newService()
	home := s.VPC.SubnetIDs()[0]
	at := runningInstance(t, s, home, "m5.large")
	own := element(t, must(t, s, "CreateNetworkInterface", "SubnetId="+home), "networkInterfaceId")
	group := element(t, must(t, s, "CreateSecurityGroup", "VpcId="+s.VPC.ID(), "GroupName=g", "GroupDescription=g"), "groupId")
	for _, eni := range []string{own, at.InterfaceID} {
		must(t, s, "ModifyNetworkInterfaceAttribute", "NetworkInterfaceId="+eni, "Description.Value=new")
		must(t, s, "ModifyNetworkInterfaceAttribute", "NetworkInterfaceId="+eni, "SourceDestCheck.Value=false")
		must(t, s, "ModifyNetworkInterfaceAttribute", "NetworkInterfaceId="+eni, "SecurityGroupId.1="+group)
		for attribute, want := range map[string]string{"description": "new", "sourceDestCheck": "false", "groupSet": group} {
			body := must(t, s, "DescribeNetworkInterfaceAttribute", "NetworkInterfaceId="+eni, "Attribute="+attribute)
			if !strings.Contains(body, want) {
				t.Errorf("%s of %s: got %s, want %s", attribute, eni, body, want)
			}
		}
		must(t, s, "ResetNetworkInterfaceAttribute", "NetworkInterfaceId="+eni, "SourceDestCheck=")
		if body := must(t, s, "DescribeNetworkInterfaces", "NetworkInterfaceId.1="+eni); element(t, body, "sourceDestCheck") != "true" {
			t.Errorf("it is not reset: %s", body)
		}
	}
	_, err := ask(s, "DeleteSecurityGroup", "GroupId="+group)
	said(t, err, "DependencyViolation: resource "+group+" has a dependent object")
}
