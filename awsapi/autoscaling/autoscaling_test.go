package autoscaling_test

import (
	"testing"
	"time"

	"tripod/awsapi/apitest"
	"tripod/awsapi/ec2"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

func TestBoto3SeesTheNodesAsAGroup(t *testing.T) {
	const id = "0123456789ABCDEF0123456789ABCDEF"
	apitest.New(t, func(tx *state.Txn) {
		c := region.Cluster{ID: id, Name: "demo", Status: "ACTIVE", Nodes: 4,
			CreatedAt: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}
		region.Clusters.Put(tx, id, c)
		network := &ec2.Service{VPC: ec2.VPC{AccountID: iam.DefaultAccountID, Region: apitest.Region,
			Zones: []string{"us-east-1a", "us-east-1b", "us-east-1c"}}}
		if err := network.AdoptNodes(tx, c, c.CreatedAt); err != nil {
			t.Error(err)
		}
	}).Boto3("testdata/clients.py")
}
