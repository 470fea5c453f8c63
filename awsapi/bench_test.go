package awsapi_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"

	"tripod/region"
	"tripod/state"
)

// BenchmarkDescribeClusterAmong100 is a signed call through HTTP, the SDK's own work included.
func BenchmarkDescribeClusterAmong100(b *testing.B) {
	w := newWorld(b)
	err := w.Update(context.Background(), func(tx *state.Txn) error {
		demo, _ := region.Clusters.Get(tx, clusterID)
		for n := range 100 {
			c := demo
			c.ID, c.Name = fmt.Sprintf("%032X", n), fmt.Sprintf("cluster-%d", n)
			region.Clusters.Put(tx, c.ID, c)
			region.ClusterIDs.Put(tx, c.Name, c.ID)
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	client := w.eks(w.admin)
	for b.Loop() {
		if _, err := client.DescribeCluster(context.Background(),
			&eks.DescribeClusterInput{Name: aws.String("cluster-42")}); err != nil {
			b.Fatal(err)
		}
	}
}
