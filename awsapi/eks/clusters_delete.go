package eks

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"

	"tripod/awsapi/arczonalshift"
	"tripod/awsapi/kms"
	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

// deleteCluster begins the deletion: the endpoint closes, and each zone ends its part.
func (s *Service) deleteCluster(call *operation.Call, in *eks.DeleteClusterInput) (*eks.DeleteClusterOutput, error) {
	fits := func(region.Cluster) error { return nil }
	return changeOf(s, call, target{cluster: aws.ToString(in.Name)}, fits, nil, in,
		func(c change) (*eks.DeleteClusterOutput, string, error) {
			if c.cluster.Status != region.ClusterDeleting { // else it is under way
				if err := s.deletable(c.tx, c.cluster); err != nil {
					return nil, "", err
				}
				if c.cluster.Envelope != nil {
					kms.Release(c.tx, *c.cluster.Envelope)
				}
				arczonalshift.Forget(c.tx, c.cluster.ID)
				var err error
				if c.cluster, err = region.DeleteCluster(c.tx, c.cluster, c.now,
					s.ControlPlane.Pace.Delete.after(c.now)); err != nil {
					return nil, "", err
				}
			}
			described, err := s.describe(c.cluster)
			return &eks.DeleteClusterOutput{Cluster: described}, "", err
		})
}

// deletable says why a cluster cannot be deleted now.
func (s *Service) deletable(tx *state.Txn, record region.Cluster) error {
	about := about{cluster: record.Name}
	own, err := s.settingsOf(record)
	switch {
	case err != nil:
		return err
	case own.Protected:
		return about.invalidRequest("Cannot delete cluster %s: deletion protection is enabled. Disable it with "+
			"UpdateClusterConfig first.", record.Name)
	case !record.Status.MayBecome(region.ClusterDeleting):
		return about.inUse("Cluster %s has an operation in progress: it is %s.", record.Name, record.Status)
	}
	return hasDependents(tx, record.ID)
}

// hasDependents says why a cluster cannot be deleted: it has node groups or Fargate profiles. The error is
// ResourceInUseException.
func hasDependents(tx *state.Txn, clusterID string) error {
	cluster, _ := region.Clusters.Get(tx, clusterID)
	for _, kind := range []struct {
		keeper
		noun string
	}{{nodegroups, "nodegroups"}, {fargateProfiles, "Fargate profiles"}} {
		if len(kind.names(tx, clusterID)) > 0 {
			return about{cluster: cluster.Name}.inUse("Cluster has %s attached", kind.noun)
		}
	}
	return nil
}
