package eks_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/region"
)

func TestTokenOfAClusterThatIsDeletedIsFree(t *testing.T) {
	w := newWorld(t, "API")
	in := newCluster("new", func(in *eks.CreateClusterInput) { in.ClientRequestToken = aws.String("one-of-a-kind") })
	must(w.CreateCluster(ctx, in))(t)
	if again := must(w.CreateCluster(ctx, in))(t).Cluster; again.Status != types.ClusterStatusCreating {
		t.Errorf("the same call again: %+v", again)
	}
	w.activate(t, "new")
	must(w.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: in.Name}))(t)
	out, err := w.CreateCluster(ctx, in)
	wantError(t, out, err, taken)
	w.forget(t, record(t, w, "new"))
	must(w.CreateCluster(ctx, in))(t)
}

func TestDeletionIsRefusedWhileSomethingStandsInTheWay(t *testing.T) {
	w := newWorld(t, "API")
	demo := aws.String("demo")
	protect := func(on bool) {
		must(w.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: demo, DeletionProtection: aws.Bool(on)}))(t)
	}
	protect(true)
	out, err := w.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: demo})
	wantError(t, out, err, refused)
	protect(false)
	w.set(t, func(c *region.Cluster) { c.Status = "UPDATING" })
	out, err = w.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: demo})
	wantError(t, out, err, taken)
	w.set(t, func(c *region.Cluster) { c.Status = "ACTIVE" })
	if got := must(w.DeleteCluster(ctx,
		&eks.DeleteClusterInput{Name: demo}))(t).Cluster.Status; got != types.ClusterStatusDeleting {
		t.Errorf("got %s", got)
	}
	must(w.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: demo}))(t) // again is no error
	out2, err := w.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: demo, DeletionProtection: aws.Bool(true)})
	wantError(t, out2, err, taken)
}
