package az

import (
	"context"
	"testing"

	"tripod/region"
)

func TestAssociationsOfTheClusterAreKnown(t *testing.T) {
	state := region.NewMemory(func(tx *region.Txn) {
		for id, account := range map[string]string{clusterID: "shop", "FFFF": "other"} {
			region.PodIdentityAssociations.Put(tx, id+"/a-1", region.PodIdentityAssociation{ClusterID: id, Namespace: "web", ServiceAccount: account})
		}
	})
	var i identity
	i.read(state, clusterID)
	if !i.has("web", "shop") || i.has("web", "other") || i.has("db", "shop") {
		t.Errorf("got %v, want web/shop alone", i.associated)
	}
	err := state.Update(context.Background(), func(tx *region.Txn) error {
		region.PodIdentityAssociations.Delete(tx, clusterID+"/a-1")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if i.read(state, clusterID); i.has("web", "shop") {
		t.Error("a deleted association is still known")
	}
}
