package eks

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/schemas"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/smithy-go"

	"tripod/awsapi/wire"
	"tripod/region"
)

const (
	maxPage = 100
	// platformVersion is the EKS platform version of every Kubernetes version here.
	platformVersion = "eks.1"
	// clusterRole is the role that AWS's guide makes for clusters.
	clusterRole = "eksClusterRole"
	// tokenPrefix tells a page's token from any other base64.
	tokenPrefix = "clusters-after:"
)

// listClusters lists names in ascending order. include=all would add clusters connected from outside, of which there are none.
func (s *Service) listClusters(call *wire.Call) (smithy.Serializable, error) {
	if err := call.Authorize(wire.RestJSON, "eks:ListClusters", s.clusterARN("*")); err != nil {
		return nil, err
	}
	limit := maxPage
	if text := call.Params.Get("maxResults"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxPage {
			return nil, invalidParameter(fmt.Sprintf("maxResults must be a number from 1 to %d.", maxPage))
		}
		limit = n
	}
	after, err := readPageToken(call.Params.Get("nextToken"))
	if err != nil {
		return nil, err
	}
	clusters, err := s.clusters()
	if err != nil {
		return nil, err
	}
	out := &eks.ListClustersOutput{Clusters: []string{}}
	for _, cluster := range clusters {
		if cluster.Name <= after {
			continue
		}
		if len(out.Clusters) == limit {
			out.NextToken = aws.String(pageToken(out.Clusters[limit-1]))
			break
		}
		out.Clusters = append(out.Clusters, cluster.Name)
	}
	return out, nil
}

func (s *Service) describeCluster(call *wire.Call) (smithy.Serializable, error) {
	name := call.Labels["name"]
	if err := call.Authorize(wire.RestJSON, "eks:DescribeCluster", s.clusterARN(name)); err != nil {
		return nil, err
	}
	clusters, err := s.clusters()
	if err != nil {
		return nil, err
	}
	for _, cluster := range clusters {
		if cluster.Name == name {
			return &eks.DescribeClusterOutput{Cluster: s.describe(cluster)}, nil
		}
	}
	return nil, wire.Modelled(&types.ResourceNotFoundException{
		Message: aws.String("No cluster found for name: " + name + "."), ClusterName: aws.String(name),
	}, schemas.ResourceNotFoundException)
}

// clusters are the region's clusters in the order of their names.
func (s *Service) clusters() ([]region.Cluster, error) {
	var clusters []region.Cluster
	err := s.State.View(func(tx *region.Txn) error {
		clusters = region.Clusters.List(tx)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list clusters: %w", err)
	}
	slices.SortFunc(clusters, func(a, b region.Cluster) int { return strings.Compare(a.Name, b.Name) })
	return clusters, nil
}

// describe is the cluster as EKS shows it. Endpoint, certificate authority and issuer come with the end of creation.
func (s *Service) describe(c region.Cluster) *types.Cluster {
	out := &types.Cluster{
		Name:                 aws.String(c.Name),
		Arn:                  aws.String(s.clusterARN(c.Name)),
		CreatedAt:            aws.Time(c.CreatedAt),
		Version:              aws.String(c.Version),
		RoleArn:              aws.String("arn:aws:iam::" + s.AccountID + ":role/" + clusterRole),
		Status:               types.ClusterStatus(c.Status),
		PlatformVersion:      aws.String(platformVersion),
		CertificateAuthority: &types.Certificate{},
		Health:               &types.ClusterHealth{Issues: []types.ClusterIssue{}},
		Tags:                 map[string]string{},
		DeletionProtection:   aws.Bool(false),
		AccessConfig:         &types.AccessConfigResponse{AuthenticationMode: types.AuthenticationMode(c.AuthenticationMode)},
		UpgradePolicy:        &types.UpgradePolicyResponse{SupportType: types.SupportTypeExtended},
		ResourcesVpcConfig: &types.VpcConfigResponse{
			VpcId:                  aws.String(s.VPC.ID()),
			SubnetIds:              s.VPC.SubnetIDs(),
			SecurityGroupIds:       []string{},
			ClusterSecurityGroupId: aws.String(s.VPC.ClusterSecurityGroupID(c.ID)),
			EndpointPublicAccess:   true,
			EndpointPrivateAccess:  false,
			PublicAccessCidrs:      []string{"0.0.0.0/0"},
		},
		KubernetesNetworkConfig: &types.KubernetesNetworkConfigResponse{
			ServiceIpv4Cidr:      aws.String(c.ServiceCIDR),
			IpFamily:             types.IpFamilyIpv4,
			ElasticLoadBalancing: &types.ElasticLoadBalancing{Enabled: aws.Bool(false)},
		},
		Logging: &types.Logging{ClusterLogging: []types.LogSetup{{
			Types: types.LogType("").Values(), Enabled: aws.Bool(false),
		}}},
		ControlPlaneScalingConfig: &types.ControlPlaneScalingConfig{Tier: types.ProvisionedControlPlaneTierStandard},
	}
	if out.Status != types.ClusterStatusCreating {
		out.Endpoint = aws.String("https://127.0.0.1:" + strconv.Itoa(c.EndpointPort))
		out.CertificateAuthority.Data = aws.String(base64.StdEncoding.EncodeToString([]byte(c.Secrets.CACert)))
		out.Identity = &types.Identity{Oidc: &types.OIDC{Issuer: aws.String(c.Issuer)}}
	}
	return out
}

// pageToken is the nextToken after a page whose last name is this one.
func pageToken(last string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(tokenPrefix + last))
}

// readPageToken is the name after which a page begins.
func readPageToken(token string) (string, error) {
	if token == "" {
		return "", nil
	}
	text, err := base64.RawURLEncoding.DecodeString(token)
	name, found := strings.CutPrefix(string(text), tokenPrefix)
	if err != nil || !found {
		return "", invalidParameter("nextToken is not one that ListClusters returned.")
	}
	return name, nil
}

func invalidParameter(message string) error {
	return wire.Modelled(&types.InvalidParameterException{Message: aws.String(message)}, schemas.InvalidParameterException)
}
