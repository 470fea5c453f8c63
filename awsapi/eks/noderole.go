package eks

import (
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/ec2"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

const (
	// nodeTrust lets EC2 give the role to instances.
	nodeTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},` +
		`"Action":"sts:AssumeRole"}]}`
	// nodeSession is how long a session of the role lasts at most, in seconds: IAM's default.
	nodeSession = 3600
)

// nodePolicies are what EKS asks of a node's role ("Amazon EKS node IAM role").
var nodePolicies = []string{
	"arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy", "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly",
	"arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy",
}

// clusterTrust lets EKS take a cluster's role.
const clusterTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` +
	`"Principal":{"Service":"eks.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

// FoundRoles gives a fresh region the role that its first cluster says it has, and that more clusters may have: the one
// that the EKS user guide makes.
func FoundRoles(tx *state.Txn, accountID string, random io.Reader, now time.Time) error {
	if _, found := region.Roles.Get(tx, clusterRole); found {
		return nil
	}
	id, err := iam.NewID(random, "AROA")
	if err != nil {
		return err
	}
	region.Roles.Put(tx, clusterRole,
		region.Role{Name: clusterRole, ID: id, ARN: "arn:aws:iam::" + accountID + ":role/" + clusterRole, Path: "/",
			Description: "Amazon EKS - Cluster role", CreatedAt: now, TrustPolicy: clusterTrust, MaxSessionSeconds: nodeSession,
			Policies: []string{clusterPolicy}, Inline: map[string]string{"alb-ingress": ingressPolicy}})
	return nil
}

// ingressPolicy is what a cluster's role needs for Ingresses of the class alb beside clusterPolicy.
const ingressPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["elasticloadbalancing:*",` +
	`"ec2:DescribeSubnets","ec2:DescribeSecurityGroups","ec2:DescribeInstances","ec2:DescribeAvailabilityZones",` +
	`"ec2:DescribeVpcs","acm:ListCertificates","acm:DescribeCertificate"],"Resource":"*"}]}`

// AdmitFirstNodes gives the nodes that a cluster has from the start an IAM role in an instance profile, CLUSTER-node,
// and where the cluster has access entries one of type EC2_LINUX, as the creation of a node group does. A role or a
// profile of that name that is there already is taken as it is. The record is changed, and not written.
func AdmitFirstNodes(tx *state.Txn, regionName, accountID string, cluster *region.Cluster, random io.Reader,
	now time.Time) error {
	name := cluster.Name + "-node"
	role, found := region.Roles.Get(tx, name)
	if !found {
		id, err := iam.NewID(random, "AROA")
		if err != nil {
			return err
		}
		role = region.Role{Name: name, ID: id, ARN: "arn:aws:iam::" + accountID + ":role/" + name, Path: "/",
			Description: "The nodes of the cluster " + cluster.Name,
			CreatedAt:   now, TrustPolicy: nodeTrust, MaxSessionSeconds: nodeSession, Policies: nodePolicies}
		region.Roles.Put(tx, name, role)
	}
	if _, found := region.InstanceProfiles.Get(tx, name); !found {
		id, err := iam.NewID(random, "AIPA")
		if err != nil {
			return err
		}
		region.InstanceProfiles.Put(tx, name, region.InstanceProfile{
			Name: name, ID: id, ARN: "arn:aws:iam::" + accountID + ":instance-profile/" + name, Path: "/", CreatedAt: now,
			Role: name})
	}
	cluster.NodeRole = name
	s := Service{Region: regionName, AccountID: accountID}
	s.admitNodes(change{tx: tx, cluster: *cluster, id: wire.NewRequestID(), now: now}, role.ARN, linuxNodes)
	return nil
}

// The node group that the first cluster's nodes are of.
const (
	FirstNodegroupName = "workers"
	firstType          = "m5.large"
)

// FirstNodegroup makes the managed node group of the nodes that a cluster has from the start (cluster.Nodes; none: it
// makes nothing): one node after the other in each zone's default private subnet, by the role CLUSTER-node, which
// AdmitFirstNodes makes. The cluster's record is changed, and not written.
func (s *Service) FirstNodegroup(tx *state.Txn, cluster *region.Cluster, random io.Reader, now time.Time) error {
	if cluster.Nodes == 0 {
		return nil
	}
	if err := AdmitFirstNodes(tx, s.Region, s.AccountID, cluster, random, now); err != nil {
		return err
	}
	profile, err := iam.NewID(random, "AIPA")
	if err != nil {
		return err
	}
	role, _ := region.Roles.Get(tx, cluster.NodeRole)
	id, a := wire.NewRequestID(), about{cluster: cluster.Name, nodegroup: FirstNodegroupName}
	size := int32(cluster.Nodes)
	group := types.Nodegroup{
		NodegroupName: aws.String(FirstNodegroupName), ClusterName: aws.String(cluster.Name), CreatedAt: &now,
		ModifiedAt:   &now,
		NodegroupArn: aws.String(s.arn("nodegroup", cluster.Name, FirstNodegroupName, id)),
		NodeRole:     aws.String(role.ARN), Subnets: s.VPC.SubnetIDs(), InstanceTypes: []string{firstType},
		Labels: map[string]string{}, Tags: map[string]string{},
		ScalingConfig: &types.NodegroupScalingConfig{MinSize: aws.Int32(1), MaxSize: aws.Int32(max(3, 2*size)),
			DesiredSize: &size},
		Health: &types.NodegroupHealth{Issues: []types.Issue{}},
		Resources: &types.NodegroupResources{AutoScalingGroups: []types.AutoScalingGroup{{Name: aws.String("eks-" +
			FirstNodegroupName + "-" + id)}}},
	}
	if err := fillNodegroup(a, &group, *cluster); err != nil {
		return err
	}
	made := region.Nodegroup{ClusterID: cluster.ID, Nodegroup: group, Work: &region.NodegroupWork{ID: id,
		Types: typesOf(group, ec2.Template{})}}
	if err := s.makeNodegroup(tx, *cluster, &made, profile, now); err != nil {
		return err
	}
	if _, err := region.CreateNodegroup(tx, made, now, nil); err != nil {
		return err
	}
	cluster.NodesLaunched = true
	return nil
}
