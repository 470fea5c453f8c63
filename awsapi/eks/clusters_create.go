package eks

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/operation"
	"tripod/region"
)

// createCluster writes the record of a cluster that the zones then bring up. Where the machine has no memory for it,
// the record is of one that failed, as EKS shows it.
func (s *Service) createCluster(call *operation.Call, in *eks.CreateClusterInput) (*eks.CreateClusterOutput, error) {
	about := about{cluster: aws.ToString(in.Name)}
	arn := s.clusterARN(about.cluster)
	var record region.Cluster
	return changeAccount(s, call, arn, in.ClientRequestToken, in,
		func(c change) (*eks.CreateClusterOutput, string, error) {
			fail := func(err error) (*eks.CreateClusterOutput, string, error) { return nil, "", err }
			if err := notHere(in); err != nil {
				return fail(about.invalidParameter("%v", err))
			}
			if _, err := about.newTags(in.Tags); err != nil {
				return fail(err)
			}
			if _, err := clusterNamed(c.tx, about.cluster); err == nil || slices.Contains(connectedNames(c.tx), about.cluster) {
				return fail(about.inUse("Cluster already exists with name: %s", about.cluster))
			}
			made, own, err := s.newCluster(call, in)
			if err != nil {
				return fail(err)
			}
			if err := s.clusterRoleFor(c, about, own.RoleARN, eksService); err != nil {
				return fail(err)
			}
			if record.ID == "" {
				record = made // its id and its secrets are made once, however often the transaction runs
			}
			if record.EndpointPort = s.ControlPlane.takePort(c.tx); record.EndpointPort == 0 {
				return fail(about.limitExceeded("You have reached the maximum number of clusters: this region has ports for "+
					"%d. Delete one first.", s.ControlPlane.MostClusters))
			}
			if record.Issues = nil; !s.ControlPlane.hasMemory(c.tx) {
				record.Issues = []region.ClusterIssue{noMemory}
			}
			record.NotBefore = s.ControlPlane.Pace.Create.after(c.now)
			if err := s.place(c.tx, &record, &own, in); err != nil {
				return fail(about.invalidParameter("%v", err))
			}
			if err := s.encrypt(c.tx, call, &record, own); err != nil {
				return fail(err)
			}
			if err := own.keep(&record); err != nil {
				return fail(err)
			}
			creator, err := s.creatorEntry(c, call, record, own)
			if err != nil {
				return fail(err)
			}
			shown, err := region.CreateCluster(c.tx, record, creator)
			if err != nil {
				return fail(err)
			}
			described, err := s.describe(shown)
			return &eks.CreateClusterOutput{Cluster: described}, arn, err
		})
}

// noMemory is why a cluster is FAILED.
var noMemory = region.ClusterIssue{Code: string(types.ClusterIssueCodeResourceLimitExceeded),
	Message: "This machine has not enough memory left for another cluster: 1 GiB is needed. Delete this cluster, " +
		"delete another or free memory, and create it again."}

// creatorEntry is the creator's access entry, nil where the creator is not to have one. It is there from the start,
// also while the mode CONFIG_MAP hides it.
func (s *Service) creatorEntry(c change, call *operation.Call, record region.Cluster,
	own settings) (*region.AccessEntry, error) {
	if !*own.CreatorAdmin {
		return nil, nil
	}
	if call.Principal.IsFederated() {
		return nil, about{cluster: record.Name}.invalidRequest("A federated user cannot have an access entry: " +
			"set accessConfig.bootstrapClusterCreatorAdminPermissions to false, or create the cluster as a user or with a role.")
	}
	entry, err := CreatorEntry(s.Region, s.AccountID, record, cmp.Or(call.Principal.IssuerID, call.Principal.UserID),
		c.id, c.now)
	return &entry, err
}

// notHere names what of an input has no counterpart on one machine, or none yet. It is refused: a cluster that has less
// than was asked for would deceive.
func notHere(in *eks.CreateClusterInput) error {
	switch {
	case in.OutpostConfig != nil:
		return fmt.Errorf("outpostConfig: Tripod has no Outposts")
	case in.ComputeConfig != nil && aws.ToBool(in.ComputeConfig.Enabled):
		return fmt.Errorf("computeConfig: Tripod has no EKS Auto Mode yet: leave it out, or set enabled to false")
	case in.KubernetesNetworkConfig != nil && in.KubernetesNetworkConfig.IpFamily == types.IpFamilyIpv6:
		return fmt.Errorf("kubernetesNetworkConfig.ipFamily: Tripod's clusters are ipv4")
	case in.StorageConfig != nil && in.StorageConfig.BlockStorage != nil &&
		aws.ToBool(in.StorageConfig.BlockStorage.Enabled):
		return fmt.Errorf("storageConfig: Tripod has no EKS Auto Mode yet: leave it out, or set " +
			"blockStorage.enabled to false")
	case in.KubernetesNetworkConfig != nil && in.KubernetesNetworkConfig.ElasticLoadBalancing != nil &&
		aws.ToBool(in.KubernetesNetworkConfig.ElasticLoadBalancing.Enabled):
		return fmt.Errorf("kubernetesNetworkConfig.elasticLoadBalancing: Tripod has no EKS Auto Mode yet: leave it out, " +
			"or set enabled to false")
	}
	return nil
}

// newCluster is the record for an input, without its place in the network and its port.
func (s *Service) newCluster(call *operation.Call, in *eks.CreateClusterInput) (region.Cluster, settings, error) {
	about := about{cluster: aws.ToString(in.Name)}
	fail := func(err error) (region.Cluster, settings, error) { return region.Cluster{}, settings{}, err }
	version := aws.ToString(in.Version)
	if version == "" {
		version = s.ControlPlane.DefaultVersion
	}
	if _, found := s.ControlPlane.Versions[version]; !found {
		return fail(about.invalidParameter("unsupported Kubernetes version %s: Tripod runs %s.", version,
			strings.Join(s.ControlPlane.versions(), ", ")))
	}
	id := make([]byte, 16)
	rand.Read(id) // never fails
	record := region.Cluster{
		ID: strings.ToUpper(hex.EncodeToString(id)), Name: aws.ToString(in.Name), Version: version, CreatedAt: s.now().UTC(),
		CreatorARN:         cmp.Or(call.Principal.IssuerARN, call.Principal.ARN),
		AuthenticationMode: string(types.AuthenticationModeConfigMap), Tags: in.Tags,
		ServiceCIDR: "10.100.0.0/16", Bare: in.BootstrapSelfManagedAddons != nil && !*in.BootstrapSelfManagedAddons,
	}
	record.Issuer = fmt.Sprintf("https://localhost:%d/id/%s", s.ControlPlane.AWSPort, record.ID)
	own := settings{RoleARN: aws.ToString(in.RoleArn), SupportType: types.SupportTypeExtended,
		Tier:      types.ProvisionedControlPlaneTierStandard,
		Protected: aws.ToBool(in.DeletionProtection), Encryption: in.EncryptionConfig, CreatorAdmin: aws.Bool(true),
		Logging: loggingOf(nil),
		Token:   aws.ToString(in.ClientRequestToken)}
	if access := in.AccessConfig; access != nil {
		if access.AuthenticationMode != "" {
			record.AuthenticationMode = string(access.AuthenticationMode)
		}
		if access.BootstrapClusterCreatorAdminPermissions != nil {
			own.CreatorAdmin = access.BootstrapClusterCreatorAdminPermissions
		}
	}
	if !*own.CreatorAdmin {
		record.CreatorARN = ""
	}
	if in.Logging != nil {
		own.log(enabledLogs(in.Logging.ClusterLogging), s.now())
	}
	if in.UpgradePolicy != nil && in.UpgradePolicy.SupportType != "" {
		own.SupportType = in.UpgradePolicy.SupportType
	}
	if in.ControlPlaneScalingConfig != nil && in.ControlPlaneScalingConfig.Tier != "" {
		own.Tier = in.ControlPlaneScalingConfig.Tier
	}
	if asked := (parameterRequest{in.KubeApiServerConfig, in.KubeSchedulerConfig,
		in.KubeControllerManagerConfig}); !asked.empty() {
		p := defaultParameters
		if err := p.merge(asked); err != nil {
			return fail(about.invalidParameter("%v", err))
		}
		own.Parameters = &p
	}
	if err := own.checkTier(); err != nil {
		return fail(about.invalidParameter("%v", err))
	}
	record.Components = own.components(region.Components{})
	if in.ZonalShiftConfig != nil {
		own.ZonalShift, own.ShiftAsked = aws.ToBool(in.ZonalShiftConfig.Enabled), true
	}
	if in.RemoteNetworkConfig != nil {
		own.RemoteNetwork = &types.RemoteNetworkConfigResponse{RemoteNodeNetworks: in.RemoteNetworkConfig.RemoteNodeNetworks,
			RemotePodNetworks: in.RemoteNetworkConfig.RemotePodNetworks}
	}
	return record, own, nil
}
