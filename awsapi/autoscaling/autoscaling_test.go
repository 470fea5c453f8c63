package autoscaling_test

import (
	"context"
	"testing"
	"time"

	"tripod/awsapi/apitest"
	"tripod/awsapi/autoscaling"
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

// keep does to a world's groups and instances what zones do, until the test ends.
func keep(t *testing.T, w *apitest.World) {
	t.Helper()
	vpc := ec2.VPC{AccountID: iam.DefaultAccountID, Region: apitest.Region,
		Zones: []string{"us-east-1a", "us-east-1b", "us-east-1c"}}
	machines := &ec2.Service{VPC: vpc, State: w.Memory}
	groups := &autoscaling.Service{State: w.Memory, Network: machines}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	changes, end := w.Watch()
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			again, err := groups.Keep(ctx)
			if err == nil {
				err = advance(ctx, w, machines)
			}
			if err != nil && ctx.Err() == nil {
				t.Errorf("keep: %v", err)
				return
			}
			if again == 0 {
				again = time.Hour
			}
			select {
			case <-changes:
			case <-time.After(again):
			case <-ctx.Done():
			}
		}
	}()
	t.Cleanup(func() { stop(); <-ended; end() })
}

// advance has instances do what follows by itself.
func advance(ctx context.Context, w *apitest.World, machines *ec2.Service) error {
	var passing []string
	err := w.View(func(tx *state.Txn) error {
		for _, v := range region.Instances.List(tx) {
			if v.State.Passes() {
				passing = append(passing, v.ID)
			}
		}
		return nil
	})
	if err != nil || len(passing) == 0 {
		return err
	}
	return w.Update(ctx, func(tx *state.Txn) error {
		for _, id := range passing {
			if _, err := machines.Advance(tx, id, time.Now()); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestBoto3ScalesGroups(t *testing.T) {
	w := apitest.New(t)
	keep(t, w)
	w.Boto3("testdata/groups.py")
}

// The calls that cluster-autoscaler's AWS provider makes, in its order, after its source.
func TestClusterAutoscalerFindsAndScalesGroups(t *testing.T) {
	w := apitest.New(t)
	keep(t, w)
	w.Boto3("testdata/clusterautoscaler.py")
}

func TestBoto3PutsGroupsBehindLoadBalancers(t *testing.T) {
	w := apitest.New(t)
	keep(t, w)
	w.Boto3("testdata/balanced.py")
}
