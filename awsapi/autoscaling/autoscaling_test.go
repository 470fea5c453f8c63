package autoscaling_test

import (
	"testing"
	"time"

	"tripod/awsapi/apitest"
	"tripod/region"
	"tripod/state"
)

func TestBoto3SeesTheNodesAsAGroup(t *testing.T) {
	const id = "0123456789ABCDEF0123456789ABCDEF"
	apitest.New(t, func(tx *state.Txn) {
		region.Clusters.Put(tx, id,
			region.Cluster{ID: id, Name: "demo", Status: "ACTIVE", Nodes: 4,
				CreatedAt: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)})
	}).Boto3("testdata/clients.py")
}
