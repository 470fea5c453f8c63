package eks

import (
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/kms"
	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// keys is KMS, as clusters use it.
func (s *Service) keys() *kms.Service {
	return &kms.Service{Region: s.Region, AccountID: s.AccountID, State: s.State, Now: s.Probes.Now}
}

// encrypt puts a cluster's key of encryption at rest under the KMS key that its settings name, if they name one. The
// errors are in EKS's words.
func (s *Service) encrypt(tx *state.Txn, call *operation.Call, record *region.Cluster, own settings) error {
	about := about{cluster: record.Name}
	switch config := own.Encryption; {
	case len(config) == 0:
		return nil
	case len(config) > 1:
		return about.invalidParameter("Only one encryption config is allowed.")
	case config[0].Provider == nil || aws.ToString(config[0].Provider.KeyArn) == "":
		return about.invalidParameter("KeyArn is required")
	}
	err := s.keys().Wrap(tx, call, record, *own.Encryption[0].Provider.KeyArn, own.RoleARN)
	var (
		forbidden *kms.Forbidden
		unusable  *kms.Unusable
		told      *wire.Error
	)
	switch {
	case errors.As(err, &forbidden):
		return about.invalidRequest("%v", forbidden)
	case errors.As(err, &unusable):
		return about.invalidParameter("%v", unusable)
	case errors.As(err, &told):
		return about.invalidParameter("%s", told.Message)
	}
	return err
}

// keyIssues say why a cluster's KMS key cannot be used now: its API servers go on with what they have, and cannot start
// again.
func (s *Service) keyIssues(tx *state.Txn, record region.Cluster) []types.ClusterIssue {
	if record.Envelope == nil || record.Status == region.ClusterDeleting {
		return nil
	}
	var unusable *kms.Unusable
	if !errors.As(kms.Check(tx, *record.Envelope, s.now()), &unusable) {
		return nil
	}
	return []types.ClusterIssue{{Code: types.ClusterIssueCode(unusable.Code), Message: aws.String(unusable.Message),
		ResourceIds: []string{record.Envelope.KeyARN}}}
}
