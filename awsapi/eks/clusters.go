package eks

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// platformVersion is the EKS platform version of every Kubernetes version here.
const platformVersion = "eks.1"

// listClusters lists names in ascending order; include=all adds the clusters that were registered.
func (s *Service) listClusters(call *operation.Call, in *eks.ListClustersInput) (*eks.ListClustersOutput, error) {
	if err := call.Authorize(wire.RestJSON, "eks:ListClusters", s.clusterARN("*")); err != nil {
		return nil, err
	}
	var names []string
	err := s.State.View(func(tx *state.Txn) error {
		names = nil
		for _, cluster := range region.Clusters.List(tx) {
			names = append(names, cluster.Name)
		}
		if slices.Contains(in.Include, "all") {
			names = append(names, connectedNames(tx)...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list clusters: %w", err)
	}
	names, next, err := page(paging{operation: "ListClusters", filters: in.Include, max: in.MaxResults,
		token: in.NextToken}, names, itself)
	if err != nil {
		return nil, err
	}
	return &eks.ListClustersOutput{Clusters: names, NextToken: next}, nil
}

func (s *Service) describeCluster(call *operation.Call, in *eks.DescribeClusterInput) (*eks.DescribeClusterOutput,
	error) {
	name := aws.ToString(in.Name)
	if err := s.authorize(call, target{cluster: name}); err != nil {
		return nil, err
	}
	var described *types.Cluster
	err := s.State.View(func(tx *state.Txn) error {
		if connected, found := describeConnected(tx, name); found {
			described = connected
			return nil
		}
		cluster, err := clusterNamed(tx, name)
		if err == nil {
			described, err = s.describe(cluster)
		}
		if err == nil {
			described.Health.Issues = append(described.Health.Issues, s.keyIssues(tx, cluster)...)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &eks.DescribeClusterOutput{Cluster: described}, nil
}

// describe is the cluster as EKS shows it. Endpoint, certificate authority and issuer come with the end of creation.
func (s *Service) describe(c region.Cluster) (*types.Cluster, error) {
	own, err := s.settingsOf(c)
	if err != nil {
		return nil, err
	}
	out := &types.Cluster{
		Name:                 aws.String(c.Name),
		Arn:                  aws.String(s.clusterARN(c.Name)),
		CreatedAt:            aws.Time(c.CreatedAt),
		Version:              aws.String(c.Version),
		RoleArn:              aws.String(own.RoleARN),
		Status:               types.ClusterStatus(c.Status),
		PlatformVersion:      aws.String(platformVersion),
		CertificateAuthority: &types.Certificate{},
		Health:               &types.ClusterHealth{Issues: issuesOf(c)},
		Tags:                 c.Tags,
		DeletionProtection:   aws.Bool(own.Protected),
		AccessConfig: &types.AccessConfigResponse{AuthenticationMode: types.AuthenticationMode(c.AuthenticationMode),
			BootstrapClusterCreatorAdminPermissions: own.CreatorAdmin},
		UpgradePolicy:      &types.UpgradePolicyResponse{SupportType: own.SupportType},
		ResourcesVpcConfig: own.VPC,
		EncryptionConfig:   own.Encryption,
		KubernetesNetworkConfig: &types.KubernetesNetworkConfigResponse{
			ServiceIpv4Cidr: aws.String(c.ServiceCIDR),
			IpFamily:        types.IpFamilyIpv4,
			ElasticLoadBalancing: &types.ElasticLoadBalancing{Enabled: aws.Bool(own.LoadBalancing != nil &&
				aws.ToBool(own.LoadBalancing.Enabled))},
		},
		RemoteNetworkConfig:       own.RemoteNetwork,
		Logging:                   &types.Logging{ClusterLogging: own.Logging},
		ControlPlaneScalingConfig: &types.ControlPlaneScalingConfig{Tier: own.Tier},
		ClientRequestToken:        memberOf(own.Token),
	}
	if own.ZonalShift || own.ShiftAsked {
		out.ZonalShiftConfig = &types.ZonalShiftConfigResponse{Enabled: aws.Bool(own.ZonalShift)}
	}
	if !own.VPC.EndpointPublicAccess { // an older record may have some
		out.ResourcesVpcConfig.PublicAccessCidrs = []string{}
	}
	own.parameters().describe(out)
	if out.Tags == nil {
		out.Tags = map[string]string{}
	}
	if c.Status.HasEndpoint() {
		out.Endpoint = aws.String("https://127.0.0.1:" + strconv.Itoa(c.EndpointPort))
		out.CertificateAuthority.Data = aws.String(base64.StdEncoding.EncodeToString([]byte(c.BundleOf(c.Components))))
		signer := c.SignerOf(c.Components)
		out.CertificateAuthority.Active = &types.ActiveCertificateAuthority{Id: aws.String(signer.ID),
			ActivatedBy: types.CertificateAuthorityActivatedBy(signer.ActivatedBy)}
		out.Identity = &types.Identity{Oidc: &types.OIDC{Issuer: aws.String(c.Issuer)}}
	}
	return out, nil
}

func issuesOf(c region.Cluster) []types.ClusterIssue {
	issues := []types.ClusterIssue{}
	for _, issue := range c.Issues {
		issues = append(issues, types.ClusterIssue{Code: types.ClusterIssueCode(issue.Code),
			Message: aws.String(issue.Message), ResourceIds: issue.ResourceIDs})
	}
	return issues
}
