package eks

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

const (
	maxNodegroups = 30  // of a cluster: "Managed node groups per cluster" of EKS's service quotas
	maxNodes      = 450 // of a node group: "Nodes per managed node group"
)

var nodegroups = shelf[region.Nodegroup]{
	kind: "nodegroup", table: region.Nodegroups,
	label: func(g *region.Nodegroup) label {
		return label{g.ClusterID, aws.ToString(g.NodegroupName), aws.ToString(g.NodegroupArn), &g.Tags}
	},
}

func (s *Service) createNodegroup(call *operation.Call, in *eks.CreateNodegroupInput) (*eks.CreateNodegroupOutput,
	error) {
	name := aws.ToString(in.NodegroupName)
	t := target{cluster: aws.ToString(in.ClusterName)}
	return changeOf(s, call, t, mustBeActive, in.ClientRequestToken, in,
		func(c change) (*eks.CreateNodegroupOutput, string, error) {
			a := about{cluster: c.cluster.Name, nodegroup: name}
			there := nodegroups.names(c.tx, c.cluster.ID)
			switch {
			case slices.Contains(there, name):
				return nil, "", a.inUse("NodeGroup already exists with name %s and cluster name %s", name, c.cluster.Name)
			case len(there) >= maxNodegroups:
				return nil, "", a.limitExceeded("The cluster %s has %d node groups, which is the most a cluster can have.",
					c.cluster.Name, len(there))
			}
			group, err := s.newNodegroup(c, a, in)
			if err != nil {
				return nil, "", err
			}
			shown, err := region.NodegroupStates.Create(c.tx, group)
			if err != nil {
				return nil, "", err
			}
			kind := linuxNodes
			if strings.HasPrefix(string(group.AmiType), "WINDOWS_") {
				kind = windowsNodes
			}
			s.admitNodes(c, *group.NodeRole, kind)
			return &eks.CreateNodegroupOutput{Nodegroup: &shown.Nodegroup}, *group.NodegroupArn, nil
		})
}

// newNodegroup is the node group that a request asks for, with EKS's defaults.
func (s *Service) newNodegroup(c change, a about, in *eks.CreateNodegroupInput) (region.Nodegroup, error) {
	tags, err := a.newTags(in.Tags)
	if err != nil {
		return region.Nodegroup{}, err
	}
	if err := s.checkNodegroup(c, a, in); err != nil {
		return region.Nodegroup{}, err
	}
	template, err := s.nodegroupReferences(c, a, in)
	if err != nil {
		return region.Nodegroup{}, err
	}
	group := types.Nodegroup{
		NodegroupName: in.NodegroupName, ClusterName: aws.String(c.cluster.Name), CreatedAt: aws.Time(c.now),
		ModifiedAt:   aws.Time(c.now),
		NodegroupArn: aws.String(s.arn("nodegroup", c.cluster.Name, *in.NodegroupName, c.id)),
		NodeRole:     in.NodeRole, Subnets: in.Subnets, AmiType: in.AmiType, CapacityType: in.CapacityType,
		DiskSize:      in.DiskSize,
		InstanceTypes: in.InstanceTypes, Labels: mergeTags(in.Labels, nil), Taints: in.Taints,
		LaunchTemplate: in.LaunchTemplate,
		RemoteAccess:   in.RemoteAccess, ScalingConfig: in.ScalingConfig, UpdateConfig: in.UpdateConfig,
		NodeRepairConfig: in.NodeRepairConfig,
		WarmPoolConfig:   in.WarmPoolConfig, Version: in.Version, ReleaseVersion: in.ReleaseVersion, Tags: tags,
		Health: &types.NodegroupHealth{Issues: []types.Issue{}},
		// EKS names the Auto Scaling group after the node group, with its id.
		Resources: &types.NodegroupResources{AutoScalingGroups: []types.AutoScalingGroup{{Name: aws.String("eks-" +
			*in.NodegroupName + "-" + c.id)}}},
	}
	fillFromTemplate(&group, template)
	fillNodegroup(&group, c.cluster)
	if err := s.openSSH(c, a, &group); err != nil {
		return region.Nodegroup{}, err
	}
	return region.Nodegroup{ClusterID: c.cluster.ID, Nodegroup: group}, nil
}

// defaultInstanceType is what nodes are whose type neither the request nor the launch template says.
const defaultInstanceType = "t3.medium"

// fillNodegroup sets what a request left to EKS.
func fillNodegroup(g *types.Nodegroup, cluster region.Cluster) {
	if g.CapacityType == "" {
		g.CapacityType = types.CapacityTypesOnDemand
	}
	if g.AmiType == "" {
		g.AmiType = defaultAMI(g.InstanceTypes)
	}
	if g.LaunchTemplate == nil {
		if len(g.InstanceTypes) == 0 {
			g.InstanceTypes = []string{defaultInstanceType}
		}
		if g.DiskSize == nil {
			g.DiskSize = aws.Int32(defaultDisk(g.AmiType))
		}
	} else if g.LaunchTemplate.Version == nil {
		template := *g.LaunchTemplate
		template.Version = aws.String("1")
		g.LaunchTemplate = &template
	}
	scaling := types.NodegroupScalingConfig{MinSize: aws.Int32(1), MaxSize: aws.Int32(2), DesiredSize: aws.Int32(2)}
	if in := g.ScalingConfig; in != nil {
		scaling = mergeScaling(types.NodegroupScalingConfig{}, in)
	}
	g.ScalingConfig = &scaling
	if g.UpdateConfig == nil {
		g.UpdateConfig = &types.NodegroupUpdateConfig{MaxUnavailable: aws.Int32(1)}
	}
	if g.Version == nil {
		g.Version = aws.String(cluster.Version)
	}
	if g.ReleaseVersion == nil && g.AmiType != types.AMITypesCustom {
		g.ReleaseVersion = aws.String(releaseOf(g.AmiType, *g.Version))
	}
	if g.NodeRepairConfig == nil {
		g.NodeRepairConfig = &types.NodeRepairConfig{Enabled: aws.Bool(false)}
	}
}

func (s *Service) describeNodegroup(call *operation.Call,
	in *eks.DescribeNodegroupInput) (*eks.DescribeNodegroupOutput, error) {
	t := target{aws.ToString(in.ClusterName), nodegroups, aws.ToString(in.NodegroupName)}
	out := &eks.DescribeNodegroupOutput{}
	return out, readOf(s, call, t, func(tx *state.Txn, cluster region.Cluster) error {
		group, err := nodegroupNamed(tx, cluster, t.name)
		out.Nodegroup = &group.Nodegroup
		return err
	})
}

func nodegroupNamed(tx *state.Txn, cluster region.Cluster, name string) (region.Nodegroup, error) {
	group, found := nodegroups.get(tx, cluster.ID, name)
	if !found {
		return group, about{cluster: cluster.Name, nodegroup: name}.notFound("No node group found for name: %s.", name)
	}
	return group, nil
}

func (s *Service) listNodegroups(call *operation.Call, in *eks.ListNodegroupsInput) (*eks.ListNodegroupsOutput, error) {
	out := &eks.ListNodegroupsOutput{}
	var err error
	out.Nodegroups, out.NextToken, err = s.namesOf(call, nodegroups, in.ClusterName, in.MaxResults, in.NextToken)
	return out, err
}

func (s *Service) deleteNodegroup(call *operation.Call, in *eks.DeleteNodegroupInput) (*eks.DeleteNodegroupOutput,
	error) {
	t := target{aws.ToString(in.ClusterName), nodegroups, aws.ToString(in.NodegroupName)}
	return changeOf(s, call, t, mustExist, nil, in, func(c change) (*eks.DeleteNodegroupOutput, string, error) {
		group, err := nodegroupNamed(c.tx, c.cluster, t.name)
		if err != nil {
			return nil, "", err
		}
		s.closeSSH(c.tx, &group.Nodegroup)
		group, err = region.NodegroupStates.Delete(c.tx, group)
		return &eks.DeleteNodegroupOutput{Nodegroup: &group.Nodegroup}, "", err
	})
}
