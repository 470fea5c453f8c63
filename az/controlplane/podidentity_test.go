package controlplane

import (
	"context"
	"testing"

	"tripod/az/zonetest"
	"tripod/region"
	"tripod/state"
)

func TestAssociationsOfTheClusterAreKnown(t *testing.T) {
	store := region.NewMemory(func(tx *state.Txn) {
		for id, account := range map[string]string{zonetest.ClusterID: "shop", "FFFF": "other"} {
			region.PodIdentityAssociations.Put(tx, id+"/a-1",
				region.PodIdentityAssociation{ClusterID: id, Namespace: "web", ServiceAccount: account})
		}
	})
	has := func(namespace, account string) bool { return associated(store, zonetest.ClusterID, namespace, account) }
	if !has("web", "shop") || has("web", "other") || has("db", "shop") {
		t.Error("not web/shop alone is known")
	}
	err := store.Update(context.Background(), func(tx *state.Txn) error {
		region.PodIdentityAssociations.Delete(tx, zonetest.ClusterID+"/a-1")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if has("web", "shop") {
		t.Error("a deleted association is still known")
	}
}
