package eks

import (
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/arczonalshift"
	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

// configChange is one of the changes that UpdateClusterConfig makes, as an update of its own type.
type configChange struct {
	kind   types.UpdateType
	params []region.UpdateParam
}

// lasts says that the change takes effect beyond this API, and that the update is in progress until then.
func (made configChange) lasts() bool { return made.kind == types.UpdateTypeEndpointAccessUpdate }

func param(kind types.UpdateParamType, value string) region.UpdateParam {
	return region.UpdateParam{Type: string(kind), Value: value}
}

// updateClusterConfig changes one thing of a cluster at a time, as EKS does.
func (s *Service) updateClusterConfig(call *operation.Call,
	in *eks.UpdateClusterConfigInput) (*eks.UpdateClusterConfigOutput, error) {
	about := about{cluster: aws.ToString(in.Name)}
	return changeOf(s, call, target{cluster: about.cluster}, idle(call.Operation), in.ClientRequestToken, in,
		func(c change) (*eks.UpdateClusterConfigOutput, string, error) {
			apply, err := s.onlyChange(in)
			if err != nil {
				return nil, "", about.invalidParameter("%v", err)
			}
			own, err := s.settingsOf(c.cluster)
			if err != nil {
				return nil, "", err
			}
			made, err := apply(c.tx, &c.cluster, &own)
			if err != nil {
				return nil, "", err
			}
			if components := own.components(c.cluster.Components); !reflect.DeepEqual(components, c.cluster.Components) {
				settings, err := own.text()
				if err != nil {
					return nil, "", err
				}
				rollout := region.Rollout{To: c.cluster.Version, Components: &components, Settings: settings}
				update, err := s.rollOut(c, made.kind, made.params, rollout)
				return &eks.UpdateClusterConfigOutput{Update: update}, "", err
			}
			if err := own.keep(&c.cluster); err != nil {
				return nil, "", err
			}
			if made.lasts() {
				begun, err := region.BeginAccessChange(c.tx, c.cluster, c.newUpdate(made.kind, made.params),
					s.ControlPlane.Pace.Access.after(c.now))
				return &eks.UpdateClusterConfigOutput{Update: describeUpdateRecord(begun)}, "", err
			}
			region.Clusters.Put(c.tx, c.cluster.ID, c.cluster)
			return &eks.UpdateClusterConfigOutput{Update: c.update(made.kind, made.params)}, "", nil
		})
}

// associateEncryptionConfig puts the cluster's key of encryption at rest under a KMS key, once and for all, as in EKS.
func (s *Service) associateEncryptionConfig(call *operation.Call,
	in *eks.AssociateEncryptionConfigInput) (*eks.AssociateEncryptionConfigOutput, error) {
	about := about{cluster: aws.ToString(in.ClusterName)}
	return changeOf(s, call, target{cluster: about.cluster}, idle(call.Operation), in.ClientRequestToken, in,
		func(c change) (*eks.AssociateEncryptionConfigOutput, string, error) {
			own, err := s.settingsOf(c.cluster)
			if err != nil {
				return nil, "", err
			}
			if len(own.Encryption) > 0 {
				return nil, "", about.invalidParameter("Encryption is already enabled on the cluster")
			}
			own.Encryption = in.EncryptionConfig
			if err := s.encrypt(c.tx, call, &c.cluster, own); err != nil {
				return nil, "", err
			}
			if err := own.keep(&c.cluster); err != nil {
				return nil, "", err
			}
			region.Clusters.Put(c.tx, c.cluster.ID, c.cluster)
			params := []region.UpdateParam{param(types.UpdateParamTypeEncryptionConfig, asJSON(in.EncryptionConfig))}
			return &eks.AssociateEncryptionConfigOutput{Update: c.update(types.UpdateTypeAssociateEncryptionConfig, params)},
				"", nil
		})
}

// idle refuses a change of a cluster that is being changed already.
func idle(operation string) func(region.Cluster) error {
	return func(c region.Cluster) error {
		if !c.Status.MayBecome(region.ClusterUpdating) {
			return about{cluster: c.Name}.inUse("Cannot %s because cluster %s currently is %s", operation, c.Name, c.Status)
		}
		return nil
	}
}

// edit makes one change in a cluster's record and settings.
type edit func(*state.Txn, *region.Cluster, *settings) (configChange, error)

// onlyChange is the change that an input asks for. EKS takes one at a time.
func (s *Service) onlyChange(in *eks.UpdateClusterConfigInput) (edit, error) {
	var edits []edit
	add := func(wanted bool, e edit) {
		if wanted {
			edits = append(edits, e)
		}
	}
	add(in.Logging != nil, func(_ *state.Txn, c *region.Cluster, own *settings) (configChange, error) {
		return editLogging(c, own, in.Logging, s.now())
	})
	add(in.ResourcesVpcConfig != nil, func(tx *state.Txn, c *region.Cluster, own *settings) (configChange, error) {
		return s.editNetwork(tx, c, own, in.ResourcesVpcConfig)
	})
	add(in.AccessConfig != nil, func(_ *state.Txn, c *region.Cluster, _ *settings) (configChange, error) {
		return editAccess(c, in.AccessConfig.AuthenticationMode)
	})
	add(in.UpgradePolicy != nil && in.UpgradePolicy.SupportType != "",
		func(_ *state.Txn, _ *region.Cluster, own *settings) (configChange, error) {
			own.SupportType = in.UpgradePolicy.SupportType
			return configChange{types.UpdateTypeUpgradePolicyUpdate,
				[]region.UpdateParam{param(types.UpdateParamTypeUpgradePolicy, asJSON(in.UpgradePolicy))}}, nil
		})
	add(in.ZonalShiftConfig != nil, func(tx *state.Txn, c *region.Cluster, own *settings) (configChange, error) {
		own.ShiftAsked = true
		if own.ZonalShift = aws.ToBool(in.ZonalShiftConfig.Enabled); !own.ZonalShift {
			arczonalshift.CancelAll(tx, c.ID, s.now())
		}
		return configChange{types.UpdateTypeZonalShiftConfigUpdate,
			[]region.UpdateParam{param(types.UpdateParamTypeZonalShiftConfig, asJSON(in.ZonalShiftConfig))}}, nil
	})
	add(in.DeletionProtection != nil, func(_ *state.Txn, _ *region.Cluster, own *settings) (configChange, error) {
		own.Protected = *in.DeletionProtection
		return configChange{types.UpdateTypeDeletionProtectionUpdate,
			[]region.UpdateParam{param(types.UpdateParamTypeDeletionProtection, strconv.FormatBool(own.Protected))}}, nil
	})
	add(in.ControlPlaneScalingConfig != nil && in.ControlPlaneScalingConfig.Tier != "",
		func(_ *state.Txn, c *region.Cluster, own *settings) (configChange, error) {
			return editTier(c, own, in.ControlPlaneScalingConfig.Tier)
		})
	wanted := parameterRequest{in.KubeApiServerConfig, in.KubeSchedulerConfig, in.KubeControllerManagerConfig}
	add(!wanted.empty(), func(_ *state.Txn, c *region.Cluster, own *settings) (configChange, error) {
		return editParameters(c, own, wanted)
	})
	add(in.RemoteNetworkConfig != nil, func(_ *state.Txn, _ *region.Cluster, own *settings) (configChange, error) {
		own.RemoteNetwork = &types.RemoteNetworkConfigResponse{
			RemoteNodeNetworks: in.RemoteNetworkConfig.RemoteNodeNetworks,
			RemotePodNetworks:  in.RemoteNetworkConfig.RemotePodNetworks}
		return configChange{types.UpdateTypeRemoteNetworkConfigUpdate,
			[]region.UpdateParam{param(types.UpdateParamTypeRemoteNetworkConfig, asJSON(in.RemoteNetworkConfig))}}, nil
	})
	switch {
	case in.ComputeConfig != nil || in.StorageConfig != nil || in.KubernetesNetworkConfig != nil:
		return nil, fmt.Errorf("computeConfig, storageConfig and kubernetesNetworkConfig belong to EKS Auto Mode, which " +
			"Tripod does not have yet")
	case len(edits) == 0:
		return nil, inWords("No changes needed: give one of logging, resourcesVpcConfig, accessConfig, upgradePolicy, " +
			"zonalShiftConfig, deletionProtection, controlPlaneScalingConfig, kubeApiServerConfig, kubeSchedulerConfig, " +
			"kubeControllerManagerConfig and remoteNetworkConfig")
	case len(edits) > 1:
		return nil, inWords("Only one type of update can be allowed")
	}
	return edits[0], nil
}

func editTier(c *region.Cluster, own *settings, tier types.ProvisionedControlPlaneTier) (configChange, error) {
	before := own.Tier
	if own.Tier = tier; before == tier {
		return configChange{}, about{cluster: c.Name}.invalidParameter("Cluster is already at the desired control plane "+
			"scaling tier %s", tier)
	}
	if err := own.checkTier(); err != nil {
		return configChange{}, about{cluster: c.Name}.invalidRequest("%v", err)
	}
	return configChange{types.UpdateTypeControlPlaneScalingConfigUpdate,
		[]region.UpdateParam{param(types.UpdateParamTypePreviousTier, string(before)),
			param(types.UpdateParamTypeUpdatedTier, string(tier))}}, nil
}

func editParameters(c *region.Cluster, own *settings, want parameterRequest) (configChange, error) {
	about, before := about{cluster: c.Name}, own.parameters()
	p := before
	if err := p.merge(want); err != nil {
		return configChange{}, about.invalidParameter("%v", err)
	}
	if reflect.DeepEqual(p, before) {
		return configChange{}, about.invalidParameter("No changes needed for the control plane configuration provided")
	}
	own.Parameters = &p
	if err := own.checkTier(); err != nil {
		return configChange{}, about.invalidParameter("%v", err)
	}
	return configChange{types.UpdateTypeControlPlaneComponentConfigUpdate, want.params()}, nil
}

func editLogging(c *region.Cluster, own *settings, want *types.Logging, now time.Time) (configChange, error) {
	enabled := enabledLogs(own.Logging)
	before := len(enabled)
	changed := false
	for kind, on := range enabledLogs(want.ClusterLogging) {
		changed = changed || enabled[kind] != on
		enabled[kind] = on
	}
	if !changed || before == 0 {
		return configChange{}, about{cluster: c.Name}.invalidParameter("No changes needed for the logging config provided")
	}
	own.log(enabled, now)
	return configChange{types.UpdateTypeLoggingUpdate,
		[]region.UpdateParam{param(types.UpdateParamTypeClusterLogging,
			asJSON(map[string]any{"clusterLogging": want.ClusterLogging}))}}, nil
}

// editNetwork changes who may reach the endpoint, or the subnets and security groups.
func (s *Service) editNetwork(tx *state.Txn, c *region.Cluster, own *settings,
	want *types.VpcConfigRequest) (configChange, error) {
	about := about{cluster: c.Name}
	access := want.EndpointPublicAccess != nil || want.EndpointPrivateAccess != nil || want.PublicAccessCidrs != nil
	moved := want.SubnetIds != nil || want.SecurityGroupIds != nil
	switch {
	case access && moved:
		return configChange{}, about.invalidParameter("Only one type of update can be allowed")
	case moved:
		if want.SubnetIds != nil {
			own.VPC.SubnetIds = want.SubnetIds
		}
		if want.SecurityGroupIds != nil {
			own.VPC.SecurityGroupIds = want.SecurityGroupIds
		}
		plan, err := s.network().CheckNetwork(tx, own.VPC.SubnetIds, own.VPC.SecurityGroupIds)
		if err == nil && plan.VPCID != aws.ToString(own.VPC.VpcId) {
			err = fmt.Errorf("the subnets are in %s: a cluster stays in its VPC %s", plan.VPCID, aws.ToString(own.VPC.VpcId))
		}
		if err != nil {
			return configChange{}, about.invalidParameter("%v", err)
		}
		return configChange{types.UpdateTypeVpcConfigUpdate,
			[]region.UpdateParam{param(types.UpdateParamTypeSubnets, asJSON(own.VPC.SubnetIds)),
				param(types.UpdateParamTypeSecurityGroups, asJSON(own.VPC.SecurityGroupIds))}}, nil
	case !access:
		return configChange{}, about.invalidParameter("No changes needed for the resourcesVpcConfig provided")
	}
	before := asJSON(own.VPC)
	if want.EndpointPublicAccess != nil {
		own.VPC.EndpointPublicAccess = *want.EndpointPublicAccess
	}
	if want.EndpointPrivateAccess != nil {
		own.VPC.EndpointPrivateAccess = *want.EndpointPrivateAccess
	}
	if want.PublicAccessCidrs != nil {
		own.VPC.PublicAccessCidrs = want.PublicAccessCidrs
	}
	if err := checkAccess(own.VPC); err != nil {
		return configChange{}, about.invalidParameter("%v", err)
	}
	c.Access = accessOf(own.VPC)
	if asJSON(own.VPC) == before {
		return configChange{}, about.invalidParameter("Cluster is already at the desired configuration with "+
			"endpointPrivateAccess: %t , endpointPublicAccess: %t, and Public Endpoint Restrictions: %v",
			own.VPC.EndpointPrivateAccess, own.VPC.EndpointPublicAccess, own.VPC.PublicAccessCidrs)
	}
	return configChange{types.UpdateTypeEndpointAccessUpdate,
		[]region.UpdateParam{param(types.UpdateParamTypeEndpointPublicAccess,
			strconv.FormatBool(own.VPC.EndpointPublicAccess)),
			param(types.UpdateParamTypeEndpointPrivateAccess, strconv.FormatBool(own.VPC.EndpointPrivateAccess)),
			param(types.UpdateParamTypePublicAccessCidrs, asJSON(own.VPC.PublicAccessCidrs))}}, nil
}

// modes are the authentication modes in the order in which a cluster may go through them, never back.
var modes = map[types.AuthenticationMode]int{types.AuthenticationModeConfigMap: 0,
	types.AuthenticationModeApiAndConfigMap: 1, types.AuthenticationModeApi: 2}

func editAccess(c *region.Cluster, mode types.AuthenticationMode) (configChange, error) {
	about := about{cluster: c.Name}
	switch step := modes[mode] - modes[types.AuthenticationMode(c.AuthenticationMode)]; {
	case step == 0:
		return configChange{}, about.invalidParameter("The cluster's authentication mode is %s already", mode)
	case step != 1:
		return configChange{}, about.invalidParameter("Unsupported authentication mode update from %s to %s",
			c.AuthenticationMode, mode)
	}
	c.AuthenticationMode = string(mode)
	return configChange{types.UpdateTypeAccessConfigUpdate,
		[]region.UpdateParam{param(types.UpdateParamTypeAuthenticationMode, string(mode))}}, nil
}
