package ec2

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"tripod/internal/reachability"
	"tripod/region"
	"tripod/state"
)

// TestConnectionsMeetTheRulesOfNow: each change by a call counts for the next connection.
func TestConnectionsMeetTheRulesOfNow(t *testing.T) {
	s := newService()
	if err := s.State.Update(t.Context(), func(tx *state.Txn) error {
		cluster := region.Cluster{ID: demoID, Name: "demo", Nodes: 1, NodeRole: "demo-node"}
		region.Clusters.Put(tx, demoID, cluster)
		region.InstanceProfiles.Put(tx, "demo-node",
			region.InstanceProfile{Name: "demo-node", ID: "AIPA1", ARN: "arn:profile", Role: "demo-node"})
		return s.AdoptNodes(tx, cluster, time.Now())
	}); err != nil {
		t.Fatal(err)
	}
	paths, zone := NewPaths(s), s.VPC.Zones[0]
	var node netip.Addr
	if err := s.State.View(func(tx *state.Txn) (err error) {
		node, err = netip.ParseAddr(region.Instances.List(tx)[0].Address)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	check := func(want string) {
		t.Helper()
		err := paths.View(func(n Network) error {
			return reachability.Check(reachability.Connection{From: n.ControlPlane(demoID, zone), Protocol: "tcp", Port: 10250,
				Source: 40000, To: n.Address(demoID, node)})
		})
		var refusal *reachability.Refusal
		switch {
		case want == "" && err != nil:
			t.Errorf("got %v, want that it passes", err)
		case want != "" && (!errors.As(err, &refusal) || refusal.Code != want):
			t.Errorf("got %v, want %s", err, want)
		}
	}
	check("")
	group, subnetID := s.VPC.ClusterSecurityGroupID(demoID), s.VPC.SubnetIDs()[0]
	must(t, s, "RevokeSecurityGroupIngress", "GroupId="+group, "IpPermissions.1.IpProtocol=-1", "IpPermissions.1.Groups.1.GroupId="+group)
	check(reachability.CodeGroups)
	must(t, s, "AuthorizeSecurityGroupIngress", "GroupId="+group, "IpPermissions.1.IpProtocol=tcp", "IpPermissions.1.FromPort=10250",
		"IpPermissions.1.ToPort=10250", "IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0/16")
	check("")
	acl := element(t, must(t, s, "CreateNetworkAcl", "VpcId="+s.VPC.ID()), "networkAclId")
	association := ""
	described := must(t, s, "DescribeNetworkAcls", "Filter.1.Name=association.subnet-id", "Filter.1.Value.1="+subnetID)
	for _, part := range strings.Split(described, "<item>") {
		if strings.Contains(part, subnetID) {
			association = element(t, part, "networkAclAssociationId")
		}
	}
	must(t, s, "ReplaceNetworkAclAssociation", "AssociationId="+association, "NetworkAclId="+acl)
	check("") // both ends are in one subnet, between whose members no ACL stands
	if err := paths.View(func(n Network) error {
		outside := reachability.End{Name: "the client", Address: netip.MustParseAddr("192.0.2.1")}
		to := n.ControlPlane(demoID, zone)
		to.Groups = nil
		var refusal *reachability.Refusal
		if err := reachability.Check(reachability.Connection{From: outside, To: to, Protocol: "tcp", Port: 443}); !errors.As(err, &refusal) ||
			refusal.Code != reachability.CodeACL || refusal.ID != acl {
			t.Errorf("a new network ACL: got %v", err)
		}
		if end := n.Address(demoID, netip.MustParseAddr("10.0.31.7")); len(end.Groups) != 1 || end.Groups[0].ID != group ||
			end.Subnet.ID != subnetID {
			t.Errorf("an address that no record tells of: got %+v", end)
		}
		if end := n.Address(demoID, node); end.Host == "" || end.Interface == "" {
			t.Errorf("a node: got %+v", end)
		}
		if end := n.Address(demoID, outside.Address); end.Subnet != nil || len(end.Groups) != 0 {
			t.Errorf("an address outside: got %+v", end)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
