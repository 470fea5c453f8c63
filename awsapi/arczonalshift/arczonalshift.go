// Package arczonalshift is zonal shift of Amazon Application Recovery Controller (ARC): the restJson1 API by which a
// cluster's traffic is moved away from a zone.
//
// The managed resources are the clusters whose zonalShiftConfig is enabled, the Auto Scaling groups whose zonal shift is
// (AvailabilityZoneImpairmentPolicy), and the load balancers with the attribute zonal_shift.config.enabled. What this API
// writes down the zones make true: see packages az, autoscaling and az/balancing. AWS itself starts autoshifts; here nobody
// does, so their configuration is recorded and nothing follows from it.
package arczonalshift

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/arczonalshift/types"

	"tripod/awsapi/ec2"
	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/state"
)

// Name is the service's signing name.
const Name = "arc-zonal-shift"

// Resource is something whose traffic can be moved away from a zone: a cluster, an Auto Scaling group or a load balancer.
type Resource struct {
	ARN, Name string
	// ClusterID is what its shifts name it by: a cluster's id, the ARN of the others.
	ClusterID string
}

// Service answers ARC's calls from a zone's copy of the regional state.
type Service struct {
	State state.Updater
	// VPC knows the region's zones and their ids, such as use1-az1.
	VPC ec2.VPC
	// Resources are those that can be shifted.
	Resources func(*state.Txn) []Resource
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

func (s *Service) now() time.Time {
	now := s.Now
	if now == nil {
		now = time.Now
	}
	return now().UTC().Truncate(time.Millisecond)
}

// resource is the managed resource with that ARN, whom the caller may do the operation to. ARC's names of actions are
// the operations'.
func (s *Service) resource(tx *state.Txn, call *operation.Call, arn *string) (Resource, error) {
	if err := call.Authorize(wire.RestJSON, Name+":"+call.Operation, aws.ToString(arn)); err != nil {
		return Resource{}, err
	}
	for _, r := range s.Resources(tx) {
		if r.ARN == aws.ToString(arn) {
			return r, nil
		}
	}
	return Resource{}, notFound("The resource %s was not found: it must be an EKS cluster with zonalShiftConfig enabled, an Auto Scaling "+
		"group whose zonal shift is enabled, or a load balancer whose attribute zonal_shift.config.enabled is true.", aws.ToString(arn))
}

// resourceOf is the resource of a shift: a zero one when it is none any more.
func (s *Service) resourceOf(tx *state.Txn, clusterID string) Resource {
	all := s.Resources(tx)
	i := slices.IndexFunc(all, func(r Resource) bool { return r.ClusterID == clusterID })
	if i < 0 {
		return Resource{}
	}
	return all[i]
}

// zoneID is a zone's id by its name.
func (s *Service) zoneID(name string) string {
	if i := slices.Index(s.VPC.Zones, name); i >= 0 {
		return s.VPC.ZoneIDs()[i]
	}
	return name
}

// zoneOf is the name of the zone with that id.
func (s *Service) zoneOf(id string) (string, error) {
	i := slices.Index(s.VPC.ZoneIDs(), id)
	if i < 0 {
		return "", invalid(types.ValidationExceptionReasonInvalidAz,
			"%q is not the id of an Availability Zone of this region: it has %v.", id, s.VPC.ZoneIDs())
	}
	return s.VPC.Zones[i], nil
}
