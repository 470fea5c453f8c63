package eks

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/arczonalshift"
	"tripod/awsapi/ec2"
	"tripod/region"
	"tripod/state"
)

// settings are those parts of a cluster's description that nobody but this API reads, in the SDK's own shapes:
// region.Cluster.Settings.
type settings struct {
	RoleARN string                   `json:"roleArn"`
	VPC     *types.VpcConfigResponse `json:"vpc"`
	Logging []types.LogSetup         `json:"logging"`
	// when each type that is on was switched on
	LoggingSince  map[types.LogType]time.Time        `json:"loggingSince,omitempty"`
	Encryption    []types.EncryptionConfig           `json:"encryption,omitempty"`
	RemoteNetwork *types.RemoteNetworkConfigResponse `json:"remoteNetwork,omitempty"`
	SupportType   types.SupportType                  `json:"supportType"`
	ZonalShift    bool                               `json:"zonalShift"`
	// a request spoke of zonal shift, so that answers do too
	ShiftAsked    bool                              `json:"shiftAsked,omitempty"`
	Protected     bool                              `json:"protected"` // against deletion
	Tier          types.ProvisionedControlPlaneTier `json:"tier"`
	Parameters    *parameters                       `json:"parameters,omitempty"` // nil: the defaults
	CreatorAdmin  *bool                             `json:"creatorAdmin,omitempty"`
	LoadBalancing *types.ElasticLoadBalancing       `json:"loadBalancing,omitempty"`
	Token         string                            `json:"token,omitempty"` // the clientRequestToken of its creation
}

// clusterRole is the role that AWS's guide makes for clusters.
const clusterRole = "eksClusterRole"

// settingsOf are the cluster's. Those of the cluster that `tripod up` makes are not written down: they are EKS's
// defaults in the default VPC.
func (s *Service) settingsOf(c region.Cluster) (settings, error) {
	if len(c.Settings) == 0 {
		return settings{
			RoleARN: "arn:aws:iam::" + s.AccountID + ":role/" + clusterRole,
			VPC: &types.VpcConfigResponse{
				VpcId: aws.String(s.VPC.ID()), SubnetIds: s.VPC.SubnetIDs(), SecurityGroupIds: []string{},
				ClusterSecurityGroupId: aws.String(s.VPC.ClusterSecurityGroupID(c.ID)),
				EndpointPublicAccess:   true, PublicAccessCidrs: []string{anywhere},
			},
			Logging:     []types.LogSetup{{Types: types.LogType("").Values(), Enabled: aws.Bool(false)}},
			SupportType: types.SupportTypeExtended,
			Tier:        types.ProvisionedControlPlaneTierStandard,
		}, nil
	}
	var own settings
	if err := json.Unmarshal(c.Settings, &own); err != nil {
		return settings{}, fmt.Errorf("read the settings of cluster %s: %w", c.Name, err)
	}
	return own, nil
}

// Networks says where each cluster is, as EC2 asks it.
func (s *Service) Networks(tx *state.Txn) (all []ec2.ClusterNetwork) {
	for _, c := range region.Clusters.List(tx) {
		own, err := s.settingsOf(c)
		if err != nil || own.VPC == nil {
			continue // one that cannot be read is told where it is described
		}
		all = append(all, ec2.ClusterNetwork{ID: c.ID, Name: c.Name, VPCID: aws.ToString(own.VPC.VpcId),
			SubnetIDs:        own.VPC.SubnetIds,
			SecurityGroupIDs: own.VPC.SecurityGroupIds})
	}
	return all
}

// Shiftable are the clusters whose traffic can be moved away from a zone, as ARC asks for them.
func (s *Service) Shiftable(tx *state.Txn) (all []arczonalshift.Resource) {
	for _, c := range region.Clusters.List(tx) {
		own, err := s.settingsOf(c)
		if err == nil && own.ZonalShift && c.Status != region.ClusterCreating && c.Runs() {
			all = append(all, arczonalshift.Resource{ARN: s.clusterARN(c.Name), Name: c.Name, ClusterID: c.ID})
		}
	}
	return all
}

// keep writes the settings into the record.
func (own settings) keep(c *region.Cluster) (err error) {
	c.Settings, err = own.text()
	return err
}

// text is how records hold the settings.
func (own settings) text() (json.RawMessage, error) {
	text, err := json.Marshal(own)
	if err != nil {
		return nil, fmt.Errorf("write a cluster's settings: %w", err)
	}
	return text, nil
}

// anywhere is the range of all IPv4 addresses: EKS's default for who may reach a public endpoint.
const anywhere = "0.0.0.0/0"

// log switches log types on and off; the types that are not named are off.
func (own *settings) log(enabled map[types.LogType]bool, now time.Time) {
	since := map[types.LogType]time.Time{}
	for kind, on := range enabled {
		if before, was := own.LoggingSince[kind]; on && was {
			since[kind] = before
		} else if on {
			since[kind] = now
		}
	}
	own.Logging, own.LoggingSince = loggingOf(enabled), since
}

// EnabledLogs are the cluster's log types that are on, such as "audit", and since when. Clusters whose types were
// switched on before that was noted have them since their creation.
func EnabledLogs(c region.Cluster) (map[string]time.Time, error) {
	if len(c.Settings) == 0 {
		return nil, nil // the default: none
	}
	own, err := (&Service{}).settingsOf(c)
	if err != nil {
		return nil, err
	}
	since := map[string]time.Time{}
	for kind, on := range enabledLogs(own.Logging) {
		if at, noted := own.LoggingSince[kind]; on && noted {
			since[string(kind)] = at
		} else if on {
			since[string(kind)] = c.CreatedAt
		}
	}
	return since, nil
}

// loggingOf is what EKS shows for the log types that are on: those, and all others as off.
func loggingOf(enabled map[types.LogType]bool) []types.LogSetup {
	on, off := types.LogSetup{Enabled: aws.Bool(true)}, types.LogSetup{Enabled: aws.Bool(false)}
	for _, kind := range types.LogType("").Values() {
		if enabled[kind] {
			on.Types = append(on.Types, kind)
		} else {
			off.Types = append(off.Types, kind)
		}
	}
	var setups []types.LogSetup
	for _, setup := range []types.LogSetup{on, off} {
		if len(setup.Types) > 0 {
			setups = append(setups, setup)
		}
	}
	return setups
}

// enabledLogs are the log types that a description says are on.
func enabledLogs(setups []types.LogSetup) map[types.LogType]bool {
	enabled := map[types.LogType]bool{}
	for _, setup := range setups {
		for _, kind := range setup.Types {
			enabled[kind] = aws.ToBool(setup.Enabled)
		}
	}
	return enabled
}
