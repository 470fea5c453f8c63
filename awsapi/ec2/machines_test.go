package ec2

import (
	"net/netip"
	"testing"
	"time"

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
	adopt := func(tx *state.Txn) error {
		for _, c := range region.Clusters.List(tx) {
			if err := s.AdoptNodes(tx, c, time.Now()); err != nil {
				return err
			}
		}
		return nil
	}
	for range 2 { // the second time there is nothing to do
		if err := s.State.Update(t.Context(), adopt); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.State.View(func(tx *state.Txn) error {
		all := s.NodesOf(tx, id)
		if len(all) != 3 {
			t.Fatalf("got %d instances, want the 3 of the cluster that runs", len(all))
		}
		second := machine.Addresses(netip.MustParsePrefix("10.0.0.0/19"), id, "us-east-1a", 2)[1]
		got, err := instances.get(s, tx, machine.InstanceID(id, "us-east-1a", 1))
		if err != nil || got.Address != second.String() || got.DNSName != machine.Name("us-east-1", second) ||
			got.State.Name != "running" || got.Type != machine.DefaultType || len(got.Interfaces) != 1 {
			t.Errorf("the second node of the first zone: got %+v (%v)", got, err)
		}
		if profile := got.Profile; profile == nil || *profile != (assignedProfile{"arn:profile", "AIPA1"}) {
			t.Errorf("a node's instance profile: got %+v", profile)
		}
		if tags := s.TagsOf(tx, got.InstanceID); tags["eks:cluster-name"] != "demo" {
			t.Errorf("a node's tags: got %v", tags)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
