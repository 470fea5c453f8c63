package kms

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/state"
)

// multiRegionPrefix begins the id of a multi-Region key.
const multiRegionPrefix = "mrk-"

// newKeyID is a UUID, or the id of a multi-Region key.
func newKeyID(multiRegion bool) string {
	if multiRegion {
		return multiRegionPrefix + strings.ReplaceAll(wire.NewRequestID(), "-", "")
	}
	return wire.NewRequestID()
}

func (k Key) multiRegion() bool { return strings.HasPrefix(k.ID, multiRegionPrefix) }

// describeRegions shows that a multi-Region key is a primary one without replicas: there is one region.
func (s *Service) describeRegions(key Key, out *types.KeyMetadata) {
	if !key.multiRegion() {
		return
	}
	out.MultiRegion = aws.Bool(true)
	out.MultiRegionConfiguration = &types.MultiRegionConfiguration{MultiRegionKeyType: types.MultiRegionKeyTypePrimary,
		PrimaryKey: &types.MultiRegionKey{Arn: out.Arn, Region: &s.Region}, ReplicaKeys: []types.MultiRegionKey{}}
}

// replicateKey refuses: there is no other region where a replica could be.
func (s *Service) replicateKey(call *operation.Call, in *kms.ReplicateKeyInput) (*kms.ReplicateKeyOutput, error) {
	return nil, s.view(request{call: call, id: aws.ToString(in.KeyId), states: kept}, func(_ *state.Txn, key Key) error {
		if !key.multiRegion() {
			return unsupported("%s is not a multi-Region primary key.", s.arn("key/"+key.ID))
		}
		return unsupported("%s cannot be replicated to %s: Tripod is the one region %s.", s.arn("key/"+key.ID),
			aws.ToString(in.ReplicaRegion), s.Region)
	})
}
