package eks

import (
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/operation"
	"tripod/region"
)

func (s *Service) updateCapability(call *operation.Call, in *eks.UpdateCapabilityInput) (*eks.UpdateCapabilityOutput,
	error) {
	t := target{aws.ToString(in.ClusterName), capabilities, aws.ToString(in.CapabilityName)}
	return changeOf(s, call, t, mustExist, in.ClientRequestToken, in,
		func(c change) (*eks.UpdateCapabilityOutput, string, error) {
			changed, err := capabilityNamed(c.tx, c.cluster, t.name)
			if err != nil {
				return nil, "", err
			}
			a := about{cluster: c.cluster.Name}
			params, wrong := applyCapability(&changed.Capability, in)
			switch {
			case wrong != "":
				return nil, "", a.invalidParameter("%s", wrong)
			case len(params) == 0:
				return nil, "", a.invalidParameter("No changes needed for the capability %s: name something to change.", t.name)
			}
			if in.RoleArn != nil {
				if err := s.clusterRoleFor(c, a, *in.RoleArn, capabilityService); err != nil {
					return nil, "", err
				}
			}
			changed.ModifiedAt = aws.Time(c.now)
			update, err := region.CapabilityStates.Change(c.tx, changed, c.newUpdate(types.UpdateTypeCapabilityUpdate, params))
			return &eks.UpdateCapabilityOutput{Update: describeUpdateRecord(update)}, "", err
		})
}

// applyCapability changes a capability as asked, and returns the update's parameters and what is wrong with the
// request.
func applyCapability(c *types.Capability, in *eks.UpdateCapabilityInput) (params []region.UpdateParam, wrong string) {
	add := func(kind types.UpdateParamType, value string) {
		params = append(params, param(kind, value))
	}
	if in.RoleArn != nil {
		if !roleARN.MatchString(*in.RoleArn) {
			return nil, "The roleArn " + quote(*in.RoleArn) + " is not the ARN of an IAM role."
		}
		c.RoleArn = in.RoleArn
		add(types.UpdateParamTypeRoleArn, *in.RoleArn)
	}
	config := in.Configuration
	if config == nil {
		config = &types.UpdateCapabilityConfiguration{}
	}
	if config.Ack != nil {
		if c.Type != types.CapabilityTypeAck {
			return nil, "The configuration ack is for capabilities of the type ACK."
		}
		ack := types.AckConfigResponse{}
		if c.Configuration.Ack != nil {
			ack = *c.Configuration.Ack
		}
		if config.Ack.DisabledServices != nil {
			ack.DisabledServices = config.Ack.DisabledServices
			add(types.UpdateParamTypeDisabledServices, asJSON(ack.DisabledServices))
		}
		if config.Ack.EnableCrossNamespace != nil {
			ack.EnableCrossNamespace = config.Ack.EnableCrossNamespace
			add(types.UpdateParamTypeEnableCrossNamespace, strconv.FormatBool(*ack.EnableCrossNamespace))
		}
		c.Configuration.Ack = &ack
	}
	if config.ArgoCd != nil {
		if c.Type != types.CapabilityTypeArgocd {
			return nil, "The configuration argoCd is for capabilities of the type ARGOCD."
		}
		if access := config.ArgoCd.NetworkAccess; access != nil {
			c.Configuration.ArgoCd.NetworkAccess = &types.ArgoCdNetworkAccessConfigResponse{VpceIds: access.VpceIds}
			add(types.UpdateParamTypeNetworkAccess, asJSON(access))
		}
		if m := config.ArgoCd.RbacRoleMappings; m != nil {
			if wrong := wrongMappings(append(slices.Clone(m.AddOrUpdateRoleMappings), m.RemoveRoleMappings...)); wrong != "" {
				return nil, wrong
			}
			c.Configuration.ArgoCd.RbacRoleMappings = changedMappings(c.Configuration.ArgoCd.RbacRoleMappings, m)
			if len(m.AddOrUpdateRoleMappings) > 0 {
				add(types.UpdateParamTypeRoleMappingsToAddOrUpdate, asJSON(m.AddOrUpdateRoleMappings))
			}
			if len(m.RemoveRoleMappings) > 0 {
				add(types.UpdateParamTypeRoleMappingsToRemove, asJSON(m.RemoveRoleMappings))
			}
		}
	}
	return params, ""
}

// changedMappings are role mappings after an update. An identity has one role: to add it with another moves it.
func changedMappings(mappings []types.ArgoCdRoleMapping, m *types.UpdateRoleMappings) []types.ArgoCdRoleMapping {
	roles := map[types.SsoIdentity]types.ArgoCdRole{}
	var order []types.SsoIdentity
	named := map[string]types.SsoIdentity{} // by type and id: the SDK's identities are equal by pointer only
	identityOf := func(i types.SsoIdentity) types.SsoIdentity {
		name := string(i.Type) + "/" + aws.ToString(i.Id)
		if known, found := named[name]; found {
			return known
		}
		named[name] = i
		order = append(order, i)
		return i
	}
	for _, mapping := range append(slices.Clone(mappings), m.AddOrUpdateRoleMappings...) {
		for _, identity := range mapping.Identities {
			roles[identityOf(identity)] = mapping.Role
		}
	}
	for _, mapping := range m.RemoveRoleMappings {
		for _, identity := range mapping.Identities {
			if i := identityOf(identity); roles[i] == mapping.Role {
				delete(roles, i)
			}
		}
	}
	var out []types.ArgoCdRoleMapping
	for _, role := range types.ArgoCdRole("").Values() {
		mapping := types.ArgoCdRoleMapping{Role: role}
		for _, identity := range order {
			if roles[identity] == role {
				mapping.Identities = append(mapping.Identities, identity)
			}
		}
		if len(mapping.Identities) > 0 {
			out = append(out, mapping)
		}
	}
	return out
}
