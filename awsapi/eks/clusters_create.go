package eks

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/arczonalshift"
	"tripod/awsapi/kms"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// createCluster writes the record of a cluster that the zones then bring up. Where the machine has no memory for it, the record is of one that
// failed, as EKS shows it.
func (s *Service) createCluster(call *wire.Call, in *eks.CreateClusterInput) (*eks.CreateClusterOutput, error) {
	about := about{cluster: aws.ToString(in.Name)}
	arn := s.clusterARN(about.cluster)
	var record region.Cluster
	return changeAccount(s, call, arn, in.ClientRequestToken, in, func(c change) (*eks.CreateClusterOutput, string, error) {
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
			return fail(about.limitExceeded("You have reached the maximum number of clusters: this region has ports for %d. Delete one first.", s.ControlPlane.MostClusters))
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
		if err := region.CreateCluster(c.tx, record, creator); err != nil {
			return fail(err)
		}
		shown := record
		shown.Status, shown.Issues = region.ClusterCreating, nil
		described, err := s.describe(shown)
		return &eks.CreateClusterOutput{Cluster: described}, arn, err
	})
}

// noMemory is why a cluster is FAILED.
var noMemory = region.ClusterIssue{Code: string(types.ClusterIssueCodeResourceLimitExceeded),
	Message: "This machine has not enough memory left for another cluster: 1 GiB is needed. Delete this cluster, delete another or free memory, and create it again."}

// creatorEntry is the creator's access entry, nil where the creator is not to have one. It is there from the start, also while the mode
// CONFIG_MAP hides it.
func (s *Service) creatorEntry(c change, call *wire.Call, record region.Cluster, own settings) (*region.AccessEntry, error) {
	if !*own.CreatorAdmin {
		return nil, nil
	}
	if call.Principal.IsFederated() {
		return nil, about{cluster: record.Name}.invalidRequest("A federated user cannot have an access entry: " +
			"set accessConfig.bootstrapClusterCreatorAdminPermissions to false, or create the cluster as a user or with a role.")
	}
	entry, err := CreatorEntry(s.Region, s.AccountID, record, cmp.Or(call.Principal.IssuerID, call.Principal.UserID), c.id, c.now)
	return &entry, err
}

// notHere names what of an input has no counterpart on one machine, or none yet. It is refused: a cluster that has less than was asked for
// would deceive.
func notHere(in *eks.CreateClusterInput) error {
	switch {
	case in.OutpostConfig != nil:
		return fmt.Errorf("outpostConfig: Tripod has no Outposts")
	case in.ComputeConfig != nil && aws.ToBool(in.ComputeConfig.Enabled):
		return fmt.Errorf("computeConfig: Tripod has no EKS Auto Mode yet: leave it out, or set enabled to false")
	case in.KubernetesNetworkConfig != nil && in.KubernetesNetworkConfig.IpFamily == types.IpFamilyIpv6:
		return fmt.Errorf("kubernetesNetworkConfig.ipFamily: Tripod's clusters are ipv4")
	case in.StorageConfig != nil && in.StorageConfig.BlockStorage != nil && aws.ToBool(in.StorageConfig.BlockStorage.Enabled):
		return fmt.Errorf("storageConfig: Tripod has no EKS Auto Mode yet: leave it out, or set blockStorage.enabled to false")
	case in.KubernetesNetworkConfig != nil && in.KubernetesNetworkConfig.ElasticLoadBalancing != nil && aws.ToBool(in.KubernetesNetworkConfig.ElasticLoadBalancing.Enabled):
		return fmt.Errorf("kubernetesNetworkConfig.elasticLoadBalancing: Tripod has no EKS Auto Mode yet: leave it out, or set enabled to false")
	}
	return nil
}

// newCluster is the record for an input, without its place in the network and its port.
func (s *Service) newCluster(call *wire.Call, in *eks.CreateClusterInput) (region.Cluster, settings, error) {
	about := about{cluster: aws.ToString(in.Name)}
	fail := func(err error) (region.Cluster, settings, error) { return region.Cluster{}, settings{}, err }
	version := aws.ToString(in.Version)
	if version == "" {
		version = s.ControlPlane.DefaultVersion
	}
	if _, found := s.ControlPlane.Versions[version]; !found {
		return fail(about.invalidParameter("unsupported Kubernetes version %s: Tripod runs %s.", version, strings.Join(s.ControlPlane.versions(), ", ")))
	}
	id := make([]byte, 16)
	rand.Read(id) // never fails
	record := region.Cluster{
		ID: strings.ToUpper(hex.EncodeToString(id)), Name: aws.ToString(in.Name), Version: version, CreatedAt: s.now().UTC(),
		CreatorARN: cmp.Or(call.Principal.IssuerARN, call.Principal.ARN), AuthenticationMode: string(types.AuthenticationModeConfigMap), Tags: in.Tags,
		ServiceCIDR: "10.100.0.0/16", Bare: in.BootstrapSelfManagedAddons != nil && !*in.BootstrapSelfManagedAddons,
	}
	record.Issuer = fmt.Sprintf("https://localhost:%d/id/%s", s.ControlPlane.AWSPort, record.ID)
	own := settings{RoleARN: aws.ToString(in.RoleArn), SupportType: types.SupportTypeExtended, Tier: types.ProvisionedControlPlaneTierStandard,
		Protected: aws.ToBool(in.DeletionProtection), Encryption: in.EncryptionConfig, CreatorAdmin: aws.Bool(true), Logging: loggingOf(nil),
		Token: aws.ToString(in.ClientRequestToken)}
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
	if asked := (parameterRequest{in.KubeApiServerConfig, in.KubeSchedulerConfig, in.KubeControllerManagerConfig}); !asked.empty() {
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

// place puts the cluster into its subnets and gives it its Service addresses and its secrets.
func (s *Service) place(tx *state.Txn, record *region.Cluster, own *settings, in *eks.CreateClusterInput) error {
	want := in.ResourcesVpcConfig
	plan, err := s.network().CheckNetwork(tx, want.SubnetIds, want.SecurityGroupIds)
	if err != nil {
		return err
	}
	own.VPC = &types.VpcConfigResponse{
		VpcId: aws.String(plan.VPCID), SubnetIds: want.SubnetIds, SecurityGroupIds: append([]string{}, want.SecurityGroupIds...),
		ClusterSecurityGroupId: aws.String(s.VPC.ClusterSecurityGroupID(record.ID)),
		EndpointPublicAccess:   want.EndpointPublicAccess == nil || *want.EndpointPublicAccess,
		EndpointPrivateAccess:  aws.ToBool(want.EndpointPrivateAccess), PublicAccessCidrs: want.PublicAccessCidrs,
	}
	if err := checkAccess(own.VPC); err != nil {
		return err
	}
	record.Access = accessOf(own.VPC)
	if record.ServiceCIDR, err = serviceCIDR(in.KubernetesNetworkConfig, plan.CIDRs); err != nil {
		return err
	}
	if in.KubernetesNetworkConfig != nil {
		own.LoadBalancing = in.KubernetesNetworkConfig.ElasticLoadBalancing
	}
	if record.Secrets.CACert == "" || record.Envelope != nil { // kept when the transaction runs again, but for a key that is under another by now
		record.Envelope = nil
		if record.Secrets, err = s.ControlPlane.NewSecrets(*record); err != nil {
			return fmt.Errorf("the cluster's keys cannot be made: %w", err)
		}
	}
	return nil
}

// checkAccess completes and checks who may reach the endpoint.
func checkAccess(vpc *types.VpcConfigResponse) error {
	if !vpc.EndpointPublicAccess && !vpc.EndpointPrivateAccess {
		return inWords("Private and public endpoint access cannot both be disabled")
	}
	switch {
	case !vpc.EndpointPublicAccess:
		vpc.PublicAccessCidrs = []string{}
	case len(vpc.PublicAccessCidrs) == 0:
		vpc.PublicAccessCidrs = []string{anywhere}
	default: // a set: EKS does not keep the order
		vpc.PublicAccessCidrs = slices.Compact(slices.Sorted(slices.Values(vpc.PublicAccessCidrs)))
	}
	for _, cidr := range vpc.PublicAccessCidrs {
		if prefix, err := netip.ParsePrefix(cidr); err != nil || prefix.Masked() != prefix {
			return inWords("The following CIDRs are invalid in publicAccessCidrs: [%s]", cidr)
		}
	}
	return nil
}

// accessOf is what the region acts on of a checked description.
func accessOf(vpc *types.VpcConfigResponse) *region.EndpointAccess {
	return &region.EndpointAccess{Public: vpc.EndpointPublicAccess, PublicCIDRs: vpc.PublicAccessCidrs, Private: vpc.EndpointPrivateAccess}
}

// serviceCIDR is the range of Service addresses: the one asked for, if it is right, and else 10.100.0.0/16, or 172.20.0.0/16 in a VPC that overlaps it.
func serviceCIDR(config *types.KubernetesNetworkConfigRequest, vpc []string) (string, error) {
	overlaps := func(prefix netip.Prefix) bool {
		for _, cidr := range vpc {
			if other, err := netip.ParsePrefix(cidr); err == nil && other.Overlaps(prefix) {
				return true
			}
		}
		return false
	}
	if config == nil || config.ServiceIpv4Cidr == nil {
		if first := netip.MustParsePrefix("10.100.0.0/16"); !overlaps(first) {
			return first.String(), nil
		}
		return "172.20.0.0/16", nil
	}
	prefix, err := netip.ParsePrefix(*config.ServiceIpv4Cidr)
	switch {
	case err != nil || !prefix.Addr().Is4() || prefix.Masked() != prefix || !prefix.Addr().IsPrivate():
		return "", fmt.Errorf("serviceIpv4Cidr %s is not within one of 10.0.0.0/8, 172.16.0.0/12 and 192.168.0.0/16", *config.ServiceIpv4Cidr)
	case prefix.Bits() < 12 || prefix.Bits() > 24:
		return "", fmt.Errorf("serviceIpv4Cidr %s must be between /24 and /12", prefix)
	case overlaps(prefix):
		return "", fmt.Errorf("serviceIpv4Cidr %s overlaps the VPC's range", prefix)
	}
	return prefix.String(), nil
}

// deleteCluster begins the deletion: the endpoint closes, and each zone ends its part.
func (s *Service) deleteCluster(call *wire.Call, in *eks.DeleteClusterInput) (*eks.DeleteClusterOutput, error) {
	fits := func(region.Cluster) error { return nil }
	return changeOf(s, call, target{cluster: aws.ToString(in.Name)}, fits, nil, in, func(c change) (*eks.DeleteClusterOutput, string, error) {
		if c.cluster.Status != region.ClusterDeleting { // else it is under way
			if err := s.deletable(c.tx, c.cluster); err != nil {
				return nil, "", err
			}
			if c.cluster.Envelope != nil {
				kms.Release(c.tx, *c.cluster.Envelope)
			}
			arczonalshift.Forget(c.tx, c.cluster.ID)
			var err error
			if c.cluster, err = region.DeleteCluster(c.tx, c.cluster, c.now, s.ControlPlane.Pace.Delete.after(c.now)); err != nil {
				return nil, "", err
			}
		}
		described, err := s.describe(c.cluster)
		return &eks.DeleteClusterOutput{Cluster: described}, "", err
	})
}

// deletable says why a cluster cannot be deleted now.
func (s *Service) deletable(tx *state.Txn, record region.Cluster) error {
	about := about{cluster: record.Name}
	own, err := s.settingsOf(record)
	switch {
	case err != nil:
		return err
	case own.Protected:
		return about.invalidRequest("Cannot delete cluster %s: deletion protection is enabled. Disable it with UpdateClusterConfig first.", record.Name)
	case !record.Status.MayBecome(region.ClusterDeleting):
		return about.inUse("Cluster %s has an operation in progress: it is %s.", record.Name, record.Status)
	}
	return hasDependents(tx, record.ID)
}
