// Package eks is Amazon EKS: the restJson1 API, and the OIDC discovery documents of its clusters.
//
// Paths, methods and shapes are those of the AWS SDK's published schemas; an operation that Tripod does not have is
// known by name all the same, and refused with it.
package eks

import (
	"github.com/aws/aws-sdk-go-v2/service/eks/schemas"
	"github.com/aws/smithy-go"

	"tripod/awsapi/ec2"
	"tripod/awsapi/operation"
	"tripod/awsapi/quota"
	"tripod/awsapi/wire"
	"tripod/state"
)

// Name is the service's signing name.
const Name = "eks"

// alwaysWritten are the booleans that EKS writes when false too: all those of outputs that the model does not box. See
// wire.Encode.
var alwaysWritten = []*smithy.Schema{
	schemas.AddonVersionInfo_requiresConfiguration,
	schemas.AddonVersionInfo_requiresIamPermissions,
	schemas.ClusterVersionInformation_defaultVersion,
	schemas.Compatibility_defaultVersion,
	schemas.EksAnywhereSubscription_autoRenew,
	schemas.VpcConfigResponse_endpointPrivateAccess,
	schemas.VpcConfigResponse_endpointPublicAccess,
}

// Service answers EKS calls from a zone's copy of the regional state.
type Service struct {
	// Region is the region's name and AccountID the account's 12 digits: both are parts of ARNs.
	Region, AccountID string
	// VPC is the account's default VPC, in which clusters are.
	VPC ec2.VPC
	// State has the clusters.
	State state.Updater
	// Quotas are the account's; nil: AWS's defaults.
	Quotas quota.Quotas
	// LenientReferences takes calls that name roles, launch templates and the like that are not there, and notes it in the
	// history.
	LenientReferences bool
	// ControlPlane is what clusters are made of.
	ControlPlane ControlPlane
	// Probes are questions that the service asks of other parts.
	Probes Probes
}

// network is where clusters are placed.
func (s *Service) network() *ec2.Service {
	return &ec2.Service{VPC: s.VPC, State: s.State, Clusters: s.Networks}
}

// Listing is the service as package awsapi lists it.
func (s *Service) Listing() operation.Service {
	return operation.Service{
		Title: "EKS", Name: Name, Protocol: wire.RestJSON, APIs: []operation.API{s.API()}, Documented: documented(),
		Errors: operation.Errors{Throttled: throttled, Unavailable: unavailable}, Public: s.OIDCRoutes,
	}
}

// clusterARN is a cluster's ARN by its name.
func (s *Service) clusterARN(name string) string {
	return "arn:aws:eks:" + s.Region + ":" + s.AccountID + ":cluster/" + name
}
