package eks

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

// rollbackTime is how long after an upgrade the cluster may go back: "Roll back a cluster's Kubernetes version" in the
// EKS user guide.
const rollbackTime = 7 * 24 * time.Hour

// updateClusterVersion begins an upgrade by one minor version, or the rollback of one, which the zones then carry out
// one after the other.
func (s *Service) updateClusterVersion(call *operation.Call,
	in *eks.UpdateClusterVersionInput) (*eks.UpdateClusterVersionOutput, error) {
	name, to := aws.ToString(in.Name), aws.ToString(in.Version)
	about := about{cluster: name}
	return changeOf(s, call, target{cluster: name}, idle(call.Operation), in.ClientRequestToken, in,
		func(c change) (*eks.UpdateClusterVersionOutput, string, error) {
			if _, runs := s.ControlPlane.Versions[to]; !runs {
				return nil, "", about.invalidParameter("unsupported Kubernetes version %s: Tripod runs %s.", to,
					strings.Join(s.ControlPlane.versions(), ", "))
			}
			kind := types.UpdateTypeVersionUpdate
			switch steps := minor(to) - minor(c.cluster.Version); {
			case steps == 0:
				return nil, "", about.invalidParameter("Cluster is already at the desired Kubernetes version %s", to)
			case steps == -1:
				kind = types.UpdateTypeVersionRollback
				if c.cluster.UpgradedFrom != to || c.cluster.UpgradedAt == nil || c.now.Sub(*c.cluster.UpgradedAt) > rollbackTime {
					return nil, "", about.invalidRequest("Cluster %s cannot go back to %s: only a version that it was upgraded "+
						"from in the last 7 days can be restored.", name, to)
				}
			case steps != 1:
				return nil, "", about.invalidParameter("Unsupported Kubernetes minor version update from %s to %s",
					c.cluster.Version, to)
			}
			if kind == types.UpdateTypeVersionUpdate && !in.Force {
				if err := s.ready(c.tx, c.cluster, to); err != nil {
					return nil, "", err
				}
			}
			params := []region.UpdateParam{param(types.UpdateParamTypeVersion, to),
				param(types.UpdateParamTypePlatformVersion, platformVersion)}
			update, err := s.rollOut(c, kind, params, region.Rollout{To: to})
			return &eks.UpdateClusterVersionOutput{Update: update}, "", err
		})
}

// rollOut begins a change of the cluster's control plane, which the zones then carry out.
func (s *Service) rollOut(c change, kind types.UpdateType, params []region.UpdateParam,
	rollout region.Rollout) (*types.Update, error) {
	begun, err := region.BeginRollout(c.tx, c.cluster, c.newUpdate(kind, params), rollout,
		s.ControlPlane.Pace.Version.after(c.now))
	return describeUpdateRecord(begun), err
}

// ready refuses an upgrade that an insight says would fail, in the words of EKS's model. By force a cluster is upgraded
// all the same.
func (s *Service) ready(tx *state.Txn, cluster region.Cluster, to string) error {
	for _, i := range s.findings(tx, cluster).readiness(types.CategoryUpgradeReadiness, minor(to)) {
		if i.InsightStatus.Status == types.InsightStatusValueError {
			return about{cluster: cluster.Name}.invalidState("Amazon EKS detected upgrade readiness issues. Call the " +
				"ListInsights API to view detected upgrade blocking issues. " +
				"Pass the force flag when updating to override upgrade readiness errors.")
		}
	}
	return nil
}

// minor is the second number of a version such as "1.36", of those that run here.
func minor(version string) (n int) {
	fmt.Sscanf(version, "1.%d", &n)
	return n
}
