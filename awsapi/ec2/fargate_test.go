package ec2

import (
	"fmt"
	"strings"
	"testing"

	"tripod/region"
	"tripod/state"
)

// launchFargate launches a machine in a zone's private subnet.
func launchFargate(t *testing.T, s *Service, zone int, n int) (m region.FargateMachine, failed error) {
	t.Helper()
	if err := s.State.Update(t.Context(), func(tx *state.Txn) error {
		m, failed = s.LaunchFargate(tx, region.FargateMachine{ClusterID: "0123456789ABCDEF0123456789ABCDEF",
			TaskID: fmt.Sprintf("0123456789-%032x", n), SubnetID: s.VPC.SubnetIDs()[zone]})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return m, failed
}

func TestOfFargatesMachinesEC2ShowsTheInterfaceAlone(t *testing.T) {
	s := newService()
	before := element(t, must(t, s, "DescribeSubnets", "SubnetId.1="+s.VPC.SubnetIDs()[1]), "availableIpAddressCount")
	m, err := launchFargate(t, s, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	if want := "fargate-ip-" + strings.ReplaceAll(m.Address, ".", "-") + ".ec2.internal"; m.Name != want || m.Zone != "us-east-1b" {
		t.Errorf("machine %+v, want the name %s", m, want)
	}
	if body := must(t, s, "DescribeInstances"); strings.Contains(body, "<instanceId>") {
		t.Errorf("it is shown as an instance: %s", body)
	}
	// as the cloud controller manager asks
	shown := must(t, s, "DescribeNetworkInterfaces", "Filter.1.Name=attachment.status", "Filter.1.Value.1=attached",
		"Filter.2.Name=vpc-id", "Filter.2.Value.1="+s.VPC.ID(), "Filter.3.Name=private-ip-address", "Filter.3.Value.1="+m.Address)
	if got := element(t, shown, "networkInterfaceId"); got != m.InterfaceID {
		t.Errorf("interface %s, want %s", got, m.InterfaceID)
	}
	if got := element(t, shown, "groupId"); got != s.VPC.ClusterSecurityGroupID(m.ClusterID) {
		t.Errorf("security group %s: not the cluster's", got)
	}
	after := element(t, must(t, s, "DescribeSubnets", "SubnetId.1="+s.VPC.SubnetIDs()[1]), "availableIpAddressCount")
	if before == after {
		t.Error("its subnet has as many free addresses as before")
	}
	if _, err := ask(s, "RunInstances", "ImageId="+someImage, "InstanceType=m5.large", "MinCount=1", "MaxCount=1",
		"SubnetId="+m.SubnetID, "PrivateIpAddress="+m.Address); err == nil || !strings.Contains(err.Error(), "InvalidIPAddress.InUse") {
		t.Errorf("its address is given away: %v", err)
	}
}

func TestFargateHasNoMoreRoomThanItsZone(t *testing.T) {
	s := newService()
	if err := s.State.Update(t.Context(), func(tx *state.Txn) error {
		region.LimitCapacity(tx, region.Capacity{Zone: "us-east-1a", Instances: 1})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	room := func(zone int) (has bool) {
		s.State.View(func(tx *state.Txn) (err error) {
			_, has, err = s.FargateZone(tx, s.VPC.SubnetIDs()[zone])
			return err
		})
		return has
	}
	if !room(0) || !room(1) {
		t.Error("no room for the first machine")
	}
	if _, err := launchFargate(t, s, 0, 1); err != nil {
		t.Fatal(err)
	}
	_, err := launchFargate(t, s, 0, 2)
	if room(0) || !room(1) || err == nil || !strings.Contains(err.Error(), "InsufficientInstanceCapacity") {
		t.Errorf("there is room for two in a zone for one (%v)", err)
	}
	if _, err := ask(s, "RunInstances", "ImageId="+someImage, "InstanceType=m5.large", "MinCount=1", "MaxCount=1",
		"SubnetId="+s.VPC.SubnetIDs()[0]); err == nil || !strings.Contains(err.Error(), "InsufficientInstanceCapacity") {
		t.Errorf("an instance has room beside the machine: %v", err)
	}
}
