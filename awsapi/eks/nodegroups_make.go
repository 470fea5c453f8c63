package eks

import (
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/ec2"
	"tripod/region"
	"tripod/state"
)

// The lifecycle hooks of node groups' Auto Scaling groups.
const (
	launchHook    = "Launch-LC-Hook"
	terminateHook = "Terminate-LC-Hook"
	hookTimeout   = 1800   // seconds
	hookLast      = 172800 // seconds: Auto Scaling's own
)

// groupMetrics are all that an Auto Scaling group has: EKS switches them on.
var groupMetrics = []string{"GroupMinSize", "GroupMaxSize", "GroupDesiredCapacity", "GroupInServiceInstances",
	"GroupPendingInstances", "GroupStandbyInstances", "GroupTerminatingInstances", "GroupTotalInstances"}

// scalingGroupOf is the name of a node group's Auto Scaling group.
func scalingGroupOf(g region.Nodegroup) string {
	if g.Resources == nil || len(g.Resources.AutoScalingGroups) == 0 {
		return ""
	}
	return aws.ToString(g.Resources.AutoScalingGroups[0].Name)
}

// ownName is the name of the launch template and of the instance profile that EKS makes for a node group.
func ownName(g region.Nodegroup) string { return "eks-" + g.Work.ID }

// makeNodegroup makes what a new node group needs beside its record: launch template, instance profile and Auto Scaling
// group. The errors are in EC2's words.
func (s *Service) makeNodegroup(tx *state.Txn, cluster region.Cluster, g *region.Nodegroup, profileID string,
	now time.Time) error {
	name := ownName(*g)
	role := roleName(aws.ToString(g.NodeRole))
	region.InstanceProfiles.Put(tx, name, region.InstanceProfile{Name: name, ID: profileID, Path: "/", Role: role,
		ARN: "arn:aws:iam::" + s.AccountID + ":instance-profile/" + name, CreatedAt: now})
	want, err := s.nodeTemplate(tx, cluster, *g)
	if err != nil {
		return err
	}
	made, err := s.network().MakeNodeTemplate(tx, name, want)
	if err != nil {
		return err
	}
	g.Work.Template, g.Work.ImageID = made, want.ImageID
	group := s.scalingGroup(tx, cluster, *g, now)
	region.AutoScalingGroups.Put(tx, group.Name, group)
	return nil
}

// scalingGroup is a node group's Auto Scaling group, with the settings that EKS gives it.
func (s *Service) scalingGroup(tx *state.Txn, cluster region.Cluster, g region.Nodegroup,
	now time.Time) region.AutoScalingGroup {
	var zones []string
	for _, id := range g.Subnets {
		if zone := s.network().SubnetZone(tx, id); !slices.Contains(zones, zone) {
			zones = append(zones, zone)
		}
	}
	slices.Sort(zones)
	size := g.ScalingConfig
	name := scalingGroupOf(g)
	group := region.AutoScalingGroup{
		Name: name, CreatedAt: now, Subnets: g.Subnets, Zones: zones,
		ARN: "arn:aws:autoscaling:" + s.Region + ":" + s.AccountID + ":autoScalingGroup:" + g.Work.ID +
			":autoScalingGroupName/" + name,
		Min: int(*size.MinSize), Max: int(*size.MaxSize), Desired: int(*size.DesiredSize),
		Mixed: mixedOf(g), CapacityRebalance: g.CapacityType == types.CapacityTypesSpot,
		Cooldown: 300, HealthCheckType: "EC2", HealthCheckGrace: 15,
		TerminationPolicies: []string{"AllocationStrategy", "OldestLaunchTemplate", "OldestInstance"},
		LinkedRole: "arn:aws:iam::" + s.AccountID +
			":role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling",
		Hooks: []region.LifecycleHook{hookNamed(launchHook, region.HookLaunching),
			hookNamed(terminateHook, region.HookTerminating)},
	}
	group.Metrics, group.Asked = groupMetrics, createdGroup(now, group.Desired)
	group.WarmPool = warmPoolOf(g)
	for _, t := range nodeTags(cluster.Name, g.Name(), true) {
		group.Tags = append(group.Tags, region.GroupTag{Key: t[0], Value: t[1], Propagate: true})
	}
	return group
}

func hookNamed(name, transition string) region.LifecycleHook {
	return region.LifecycleHook{Name: name, Transition: transition, HeartbeatTimeout: hookTimeout,
		GlobalTimeout: hookLast, DefaultResult: region.HookContinue}
}

// nodeTags are the tags of what EKS makes for a node group, in the order of their keys; scaling says that cluster-autoscaler
// finds what has them.
func nodeTags(cluster, group string, scaling bool) [][2]string {
	all := [][2]string{{"eks:cluster-name", cluster}, {"eks:nodegroup-name", group}}
	if scaling {
		all = append(all, [2]string{"k8s.io/cluster-autoscaler/" + cluster, "owned"},
			[2]string{"k8s.io/cluster-autoscaler/enabled", "true"}, [2]string{"kubernetes.io/cluster/" + cluster, "owned"})
	}
	return all
}

// mixedOf is the mixed instances policy of a node group's Auto Scaling group.
func mixedOf(g region.Nodegroup) *region.MixedInstances {
	mixed := &region.MixedInstances{Template: g.Work.Template, OnDemandStrategy: "prioritized", OnDemandPercentage: 100,
		SpotStrategy: "lowest-price", SpotPools: 2}
	if g.CapacityType == types.CapacityTypesSpot {
		mixed.OnDemandPercentage, mixed.SpotStrategy, mixed.SpotPools = 0, "price-capacity-optimized", 0
	}
	for _, name := range g.Work.Types {
		mixed.Overrides = append(mixed.Overrides, region.InstanceOverride{Type: name})
	}
	return mixed
}

// nodeTemplate is what a node group's launch template says for the group as it is: of its version, release, labels and
// taints, over a copy of the user's template.
func (s *Service) nodeTemplate(tx *state.Txn, cluster region.Cluster, g region.Nodegroup) (ec2.NodeTemplate, error) {
	own, err := s.settingsOf(cluster)
	if err != nil {
		return ec2.NodeTemplate{}, err
	}
	want := ec2.NodeTemplate{
		Profile: ownName(g), Tags: map[string]string{},
		CreatedBy: "arn:aws:sts::" + s.AccountID + ":assumed-role/AWSServiceRoleForAmazonEKSNodegroup/EKS",
		Groups:    []string{aws.ToString(own.VPC.ClusterSecurityGroupId)},
	}
	for _, t := range nodeTags(cluster.Name, g.Name(), false) {
		want.Tags[t[0]] = t[1]
	}
	if access := g.RemoteAccess; access != nil {
		want.KeyName = aws.ToString(access.Ec2SshKey)
	}
	if group := g.Resources.RemoteAccessSecurityGroup; group != nil {
		want.Groups = append([]string{*group}, want.Groups...)
	}
	if g.DiskSize != nil {
		want.Disk, want.Device = int(*g.DiskSize), deviceOf(g.AmiType)
	}
	var given string
	if t := g.LaunchTemplate; t != nil {
		want.From = &region.TemplateRef{ID: aws.ToString(t.Id), Name: aws.ToString(t.Name), Version: aws.ToString(t.Version)}
		if given, err = s.network().UserDataOf(tx, *want.From); err != nil {
			return want, err
		}
	}
	if g.AmiType == types.AMITypesCustom { // its user data are the user's business
		return want, nil
	}
	want.ImageID = imageOf(g)
	want.UserData, err = s.nodeUserData(cluster, g, want.ImageID, given)
	return want, err
}

// deviceOf is the device whose size a node group's disk size is: of Bottlerocket that of the containers' data.
func deviceOf(ami types.AMITypes) string {
	switch {
	case strings.HasPrefix(string(ami), "BOTTLEROCKET_"):
		return "/dev/xvdb"
	case strings.HasPrefix(string(ami), "WINDOWS_"):
		return "/dev/sda1"
	}
	return "/dev/xvda"
}

// newTemplateVersion gives a node group's launch template the version that the group is to have, and its Auto Scaling
// group that.
func (s *Service) newTemplateVersion(tx *state.Txn, cluster region.Cluster, g *region.Nodegroup,
	group *region.AutoScalingGroup) error {
	want, err := s.nodeTemplate(tx, cluster, *g)
	if err != nil {
		return err
	}
	made, err := s.network().AddNodeTemplateVersion(tx, g.Work.Template.ID, want)
	if err != nil {
		return err
	}
	useTemplate(g, group, made, want.ImageID)
	return nil
}

// useTemplate has new instances launched by a version of the launch template.
func useTemplate(g *region.Nodegroup, group *region.AutoScalingGroup, template region.TemplateRef, imageID string) {
	g.Work.Template, g.Work.ImageID = template, imageID
	if group.Mixed != nil {
		mixed := *group.Mixed
		mixed.Template = template
		group.Mixed = &mixed
	}
}

// nodeLabels are the labels that a node group's nodes register with.
func nodeLabels(g region.Nodegroup, imageID string) map[string]string {
	labels := mergeTags(g.Labels, map[string]string{
		"eks.amazonaws.com/nodegroup": g.Name(), "eks.amazonaws.com/capacityType": string(g.CapacityType),
		"eks.amazonaws.com/nodegroup-image": imageID,
	})
	if t := g.LaunchTemplate; t != nil {
		labels["eks.amazonaws.com/sourceLaunchTemplateId"] = aws.ToString(t.Id)
		labels["eks.amazonaws.com/sourceLaunchTemplateVersion"] = aws.ToString(t.Version)
	}
	return labels
}

// dropNodegroup removes what EKS made for a node group whose instances are gone.
func (s *Service) dropNodegroup(tx *state.Txn, cluster region.Cluster, g region.Nodegroup) {
	s.closeSSH(tx, &g.Nodegroup)
	s.network().DropNodeTemplate(tx, g.Work.Template.ID)
	region.InstanceProfiles.Delete(tx, ownName(g))
	if s.roleServes(tx, cluster, g) {
		return
	}
	role := aws.ToString(g.NodeRole)
	if entry, found := accessEntries.get(tx, cluster.ID, role); found && entry.Type != standardEntry {
		accessEntries.delete(tx, cluster.ID, role)
	}
}

// roleServes says whether another node group of the cluster has the node group's role, or the nodes that the cluster
// had from the start.
func (s *Service) roleServes(tx *state.Txn, cluster region.Cluster, g region.Nodegroup) bool {
	role := aws.ToString(g.NodeRole)
	if cluster.Nodes > 0 && !cluster.NodesLaunched && roleName(role) == cluster.NodeRole {
		return true
	}
	return slices.ContainsFunc(nodegroups.list(tx, cluster.ID), func(other region.Nodegroup) bool {
		return other.Name() != g.Name() && aws.ToString(other.NodeRole) == role
	})
}
