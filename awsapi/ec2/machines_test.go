package ec2

import (
	"net/netip"
	"testing"

	"tripod/nodes/machine"
	"tripod/region"
	"tripod/state"
)

func TestInstancesAreTheMachinesOfTheNodes(t *testing.T) {
	const id = "0123456789ABCDEF0123456789ABCDEF"
	s := &Service{VPC: VPC{AccountID: "111122223333", Region: "us-east-1", Zones: []string{"us-east-1a", "us-east-1b"}}}
	s.State = region.NewMemory(func(tx *state.Txn) {
		region.Clusters.Put(tx, id, region.Cluster{ID: id, Name: "demo", Nodes: 3, NodeRole: "demo-node"})
		region.InstanceProfiles.Put(tx, "demo-node",
			region.InstanceProfile{Name: "demo-node", ID: "AIPA1", ARN: "arn:profile", Role: "demo-node"})
		region.Clusters.Put(tx, "gone", region.Cluster{ID: "gone", Name: "gone", Nodes: 3, Status: "DELETING"})
	})
	if err := s.State.View(func(tx *state.Txn) error {
		all := s.instances(tx)
		if len(all) != 3 {
			t.Fatalf("got %d instances, want the 3 of the cluster that runs", len(all))
		}
		second := machine.Addresses(netip.MustParsePrefix("10.0.0.0/19"), id, "us-east-1a", 2)[1]
		if got := all[1]; got.InstanceID != machine.InstanceID(id, "us-east-1a", 1) || got.Address != second.String() ||
			got.DNSName != machine.Name("us-east-1", second) {
			t.Errorf("the second node of the first zone: got %+v", got)
		}
		if got := all[0].Profile; got == nil || *got != (assignedProfile{"arn:profile", "AIPA1"}) {
			t.Errorf("a node's instance profile: got %+v", got)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
