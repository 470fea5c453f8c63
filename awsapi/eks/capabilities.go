package eks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

// capabilityVersions are what a new capability of each type is said to run.
var capabilityVersions = map[types.CapabilityType]string{"ACK": "1.0.0", "KRO": "1.0.0", "ARGOCD": "1.0.0"}

var capabilities = shelf[region.Capability]{
	kind: "capability", table: region.Capabilities,
	label: func(c *region.Capability) label {
		return label{c.ClusterID, aws.ToString(c.CapabilityName), aws.ToString(c.Arn), &c.Tags}
	},
}

func (s *Service) createCapability(call *operation.Call, in *eks.CreateCapabilityInput) (*eks.CreateCapabilityOutput,
	error) {
	name := aws.ToString(in.CapabilityName)
	t := target{cluster: aws.ToString(in.ClusterName)}
	return changeOf(s, call, t, mustBeActive, in.ClientRequestToken, in,
		func(c change) (*eks.CreateCapabilityOutput, string, error) {
			a := about{cluster: c.cluster.Name}
			for _, other := range capabilities.list(c.tx, c.cluster.ID) {
				if *other.CapabilityName == name {
					return nil, "", a.inUse("Capability already exists with name %s and cluster name %s.", name, c.cluster.Name)
				}
				if other.Type == in.Type {
					return nil, "", a.inUse("The cluster %s has a capability of the type %s already: %s. It can have one of "+
						"each type.", c.cluster.Name, in.Type, *other.CapabilityName)
				}
			}
			if wrong := wrongCapability(in); wrong != "" {
				return nil, "", a.invalidParameter("%s", wrong)
			}
			if err := s.clusterRoleFor(c, a, *in.RoleArn, capabilityService); err != nil {
				return nil, "", err
			}
			tags, err := a.newTags(in.Tags)
			if err != nil {
				return nil, "", err
			}
			made := region.Capability{ClusterID: c.cluster.ID, Capability: types.Capability{
				CapabilityName: in.CapabilityName, ClusterName: aws.String(c.cluster.Name), Type: in.Type, RoleArn: in.RoleArn,
				Arn:           aws.String(s.arn(capabilities.kind, c.cluster.Name, strings.ToLower(string(in.Type)), name, c.id)),
				Configuration: s.newConfiguration(in, c.id), DeletePropagationPolicy: in.DeletePropagationPolicy, Tags: tags,
				CreatedAt: aws.Time(c.now), ModifiedAt: aws.Time(c.now),
				Version: aws.String(capabilityVersions[in.Type]),
				Health:  &types.CapabilityHealth{Issues: []types.CapabilityIssue{}},
			}}
			made, err = region.CapabilityStates.Create(c.tx, made)
			return &eks.CreateCapabilityOutput{Capability: &made.Capability}, *made.Arn, err
		})
}

// wrongCapability says what is wrong with a request for a capability, or returns "".
func wrongCapability(in *eks.CreateCapabilityInput) string {
	if wrong := wrongName("capabilityName", aws.ToString(in.CapabilityName), 100); wrong != "" {
		return wrong
	}
	config := in.Configuration
	if config == nil {
		config = &types.CapabilityConfigurationRequest{}
	}
	switch {
	case capabilityVersions[in.Type] == "":
		return fmt.Sprintf("The type %s is not valid: it is one of %v.", quote(string(in.Type)), in.Type.Values())
	case !roleARN.MatchString(aws.ToString(in.RoleArn)):
		return fmt.Sprintf("The roleArn %s is not the ARN of an IAM role.", quote(aws.ToString(in.RoleArn)))
	case in.DeletePropagationPolicy != types.CapabilityDeletePropagationPolicyRetain:
		return "The deletePropagationPolicy must be RETAIN."
	case config.ArgoCd != nil && in.Type != types.CapabilityTypeArgocd, config.Ack != nil &&
		in.Type != types.CapabilityTypeAck:
		return fmt.Sprintf("The configuration is for another type of capability than %s.", in.Type)
	case in.Type == types.CapabilityTypeArgocd &&
		(config.ArgoCd == nil || config.ArgoCd.AwsIdc == nil || aws.ToString(config.ArgoCd.AwsIdc.IdcInstanceArn) == ""):
		return "A capability of the type ARGOCD needs configuration.argoCd.awsIdc.idcInstanceArn: the IAM Identity " +
			"Center instance its users come from."
	case config.ArgoCd != nil:
		return wrongMappings(config.ArgoCd.RbacRoleMappings)
	}
	return ""
}

func wrongMappings(mappings []types.ArgoCdRoleMapping) string {
	for _, mapping := range mappings {
		if !slices.Contains(mapping.Role.Values(), mapping.Role) || len(mapping.Identities) == 0 {
			return fmt.Sprintf("An rbacRoleMapping needs a role of %v and identities.", mapping.Role.Values())
		}
		for _, identity := range mapping.Identities {
			if aws.ToString(identity.Id) == "" || !slices.Contains(identity.Type.Values(), identity.Type) {
				return fmt.Sprintf("An identity of an rbacRoleMapping needs an id and a type of %v.", identity.Type.Values())
			}
		}
	}
	return ""
}

// newConfiguration is the configuration as EKS shows it.
func (s *Service) newConfiguration(in *eks.CreateCapabilityInput, id string) *types.CapabilityConfigurationResponse {
	out := &types.CapabilityConfigurationResponse{}
	if in.Configuration == nil {
		return out
	}
	if ack := in.Configuration.Ack; ack != nil {
		out.Ack = &types.AckConfigResponse{DisabledServices: ack.DisabledServices,
			EnableCrossNamespace: ack.EnableCrossNamespace}
	}
	if argo := in.Configuration.ArgoCd; argo != nil {
		out.ArgoCd = &types.ArgoCdConfigResponse{
			Namespace: argo.Namespace, EndpointPrefix: argo.EndpointPrefix, RbacRoleMappings: argo.RbacRoleMappings,
			AwsIdc: &types.ArgoCdAwsIdcConfigResponse{IdcInstanceArn: argo.AwsIdc.IdcInstanceArn,
				IdcRegion: argo.AwsIdc.IdcRegion},
		}
		if out.ArgoCd.Namespace == nil {
			out.ArgoCd.Namespace = aws.String("argocd")
		}
		if out.ArgoCd.AwsIdc.IdcRegion == nil {
			out.ArgoCd.AwsIdc.IdcRegion = aws.String(s.Region)
		}
		if argo.NetworkAccess != nil {
			out.ArgoCd.NetworkAccess = &types.ArgoCdNetworkAccessConfigResponse{VpceIds: argo.NetworkAccess.VpceIds}
		}
	}
	return out
}

func capabilityNamed(tx *state.Txn, cluster region.Cluster, name string) (region.Capability, error) {
	found, ok := capabilities.get(tx, cluster.ID, name)
	if !ok {
		return found, about{cluster: cluster.Name}.notFound("No capability found for name: %s in the cluster %s.",
			quote(name), cluster.Name)
	}
	return found, nil
}

func (s *Service) describeCapability(call *operation.Call,
	in *eks.DescribeCapabilityInput) (*eks.DescribeCapabilityOutput, error) {
	t := target{aws.ToString(in.ClusterName), capabilities, aws.ToString(in.CapabilityName)}
	out := &eks.DescribeCapabilityOutput{}
	return out, readOf(s, call, t, func(tx *state.Txn, cluster region.Cluster) error {
		found, err := capabilityNamed(tx, cluster, t.name)
		out.Capability = &found.Capability
		return err
	})
}

func (s *Service) listCapabilities(call *operation.Call, in *eks.ListCapabilitiesInput) (*eks.ListCapabilitiesOutput,
	error) {
	out := &eks.ListCapabilitiesOutput{}
	return out, readOf(s, call, target{cluster: aws.ToString(in.ClusterName)},
		func(tx *state.Txn, cluster region.Cluster) error {
			var summaries []types.CapabilitySummary
			for _, c := range capabilities.list(tx, cluster.ID) {
				summaries = append(summaries, types.CapabilitySummary{
					Arn: c.Arn, CapabilityName: c.CapabilityName, CreatedAt: c.CreatedAt, ModifiedAt: c.ModifiedAt, Status: c.Status,
					Type: c.Type, Version: c.Version,
				})
			}
			var err error
			out.Capabilities, out.NextToken,
				err = page(paging{call.Operation, []string{cluster.ID}, in.MaxResults, in.NextToken}, summaries,
				func(c types.CapabilitySummary) string { return *c.CapabilityName })
			return err
		})
}

func (s *Service) deleteCapability(call *operation.Call, in *eks.DeleteCapabilityInput) (*eks.DeleteCapabilityOutput,
	error) {
	t := target{aws.ToString(in.ClusterName), capabilities, aws.ToString(in.CapabilityName)}
	return changeOf(s, call, t, mustExist, nil, in, func(c change) (*eks.DeleteCapabilityOutput, string, error) {
		gone, err := capabilityNamed(c.tx, c.cluster, t.name)
		if err != nil {
			return nil, "", err
		}
		gone, err = region.CapabilityStates.Delete(c.tx, gone)
		return &eks.DeleteCapabilityOutput{Capability: &gone.Capability}, "", err
	})
}
