package eks

import (
	"crypto/rand"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/ec2"
	"tripod/awsapi/operation"
	"tripod/iam"
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
			if group.Work == nil { // what it names is not there, and the region is lenient: nothing can act
				group, err = region.NodegroupStates.Create(c.tx, group)
			} else {
				group, err = s.beginNodegroup(c, group)
			}
			if err != nil {
				return nil, "", err
			}
			s.admitNodes(c, *group.NodeRole, nodeKind(group.AmiType))
			return &eks.CreateNodegroupOutput{Nodegroup: &group.Nodegroup}, *group.NodegroupArn, nil
		})
}

// beginNodegroup makes what a new node group needs, and its record.
func (s *Service) beginNodegroup(c change, group region.Nodegroup) (region.Nodegroup, error) {
	profile, err := iam.NewID(rand.Reader, "AIPA")
	if err != nil {
		return group, err
	}
	failed := s.makeNodegroup(c.tx, c.cluster, &group, profile, c.now)
	made, err := region.CreateNodegroup(c.tx, group, c.now, s.ControlPlane.Pace.Nodegroups.Create.after(c.now))
	if err != nil || failed == nil {
		return made, err
	}
	issue, told := issueFor(failed)
	if !told {
		return made, failed
	}
	_, err = region.FailNodegroup(c.tx, made, []types.Issue{issue}, c.now) // the answer shows it as CREATING yet
	return made, err
}

// nodeKind is the type of the access entries of nodes with an AMI type.
func nodeKind(ami types.AMITypes) string {
	if strings.HasPrefix(string(ami), "WINDOWS_") {
		return windowsNodes
	}
	return linuxNodes
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
	if err := fillNodegroup(a, &group, c.cluster); err != nil {
		return region.Nodegroup{}, err
	}
	if err := s.openSSH(c, a, &group); err != nil {
		return region.Nodegroup{}, err
	}
	made := region.Nodegroup{ClusterID: c.cluster.ID, Nodegroup: group}
	if _, found := roleOf(c.tx, *in.NodeRole); found && (in.LaunchTemplate == nil || template.ID != "") {
		made.Work = &region.NodegroupWork{ID: c.id, Types: typesOf(group, template)}
	}
	return made, nil
}

// typesOf are the instance types that a node group's instances may have.
func typesOf(group types.Nodegroup, template ec2.Template) []string {
	if len(group.InstanceTypes) == 0 && template.InstanceType != "" {
		return []string{template.InstanceType}
	}
	return group.InstanceTypes
}

// defaultInstanceType is what nodes are whose type neither the request nor the launch template says.
const defaultInstanceType = "t3.medium"

// fillNodegroup sets what a request left to EKS.
func fillNodegroup(a about, g *types.Nodegroup, cluster region.Cluster) error {
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
		release, err := releaseOf(a, g.AmiType, *g.Version, "")
		if err != nil {
			return err
		}
		g.ReleaseVersion = &release
	}
	if g.NodeRepairConfig == nil {
		g.NodeRepairConfig = &types.NodeRepairConfig{Enabled: aws.Bool(false)}
	}
	return nil
}

func (s *Service) describeNodegroup(call *operation.Call,
	in *eks.DescribeNodegroupInput) (*eks.DescribeNodegroupOutput, error) {
	t := target{aws.ToString(in.ClusterName), nodegroups, aws.ToString(in.NodegroupName)}
	out := &eks.DescribeNodegroupOutput{}
	return out, readOf(s, call, t, func(tx *state.Txn, cluster region.Cluster) error {
		group, err := nodegroupNamed(tx, cluster, t.name)
		group = shownNodegroup(tx, group)
		out.Nodegroup = &group.Nodegroup
		return err
	})
}

// shownNodegroup is a node group as EKS shows it: its desired size is that which its Auto Scaling group has, whoever has
// set it. While an update makes the group larger, it is that without.
func shownNodegroup(tx *state.Txn, g region.Nodegroup) region.Nodegroup {
	if g.Work == nil {
		return g
	}
	scaling, found := region.AutoScalingGroups.Get(tx, scalingGroupOf(g))
	if !found || g.Status == types.NodegroupStatusDeleting {
		return g
	}
	desired := scaling.Desired
	if u := g.Work.Update; u != nil {
		desired -= u.Surge
	}
	sizes := *g.ScalingConfig
	sizes.DesiredSize = aws.Int32(int32(max(0, desired)))
	g.ScalingConfig = &sizes
	return g
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
		switch {
		case group.Work == nil:
			s.closeSSH(c.tx, &group.Nodegroup)
			group, err = region.NodegroupStates.Delete(c.tx, group)
		case group.Status == types.NodegroupStatusDeleting: // it is under way
		case !group.MayBecome(types.NodegroupStatusDeleting):
			err = about{cluster: c.cluster.Name, nodegroup: t.name}.inUse("Nodegroup cannot be deleted as it is currently %s",
				group.Status)
		default:
			group, err = region.DeleteNodegroup(c.tx, group, c.now, s.ControlPlane.Pace.Nodegroups.Delete.after(c.now))
		}
		return &eks.DeleteNodegroupOutput{Nodegroup: &group.Nodegroup}, "", err
	})
}
