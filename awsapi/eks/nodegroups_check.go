package eks

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
)

const (
	maxTaints        = 50
	maxInstanceTypes = 20
	maxLabel         = 63
)

var (
	// resourceName is the rule for names of node groups, Fargate profiles, capabilities and OIDC configurations.
	resourceName = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]*$`)
	subnetID     = regexp.MustCompile(`^subnet-[0-9a-f]{8,17}$`)
	roleARN      = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\x21-\x7e]+$`)
	labelText    = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$`)
	labelPrefix  = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)
)

// wrongName says what is wrong with a resource's name, or returns "".
func wrongName(what, name string, most int) string {
	if len(name) > most || !resourceName.MatchString(name) {
		return fmt.Sprintf("%s must begin with a letter or digit and have up to %d letters, digits, hyphens and "+
			"underscores, not %s.", what, most, quote(name))
	}
	return ""
}

// checkNodegroup refuses a node group as EKS does.
func (s *Service) checkNodegroup(c change, a about, in *eks.CreateNodegroupInput) error {
	if wrong := wrongName("nodegroupName", aws.ToString(in.NodegroupName), 63); wrong != "" {
		return a.invalidParameter("%s", wrong)
	}
	if !roleARN.MatchString(aws.ToString(in.NodeRole)) {
		return a.invalidParameter("The nodeRole %s is not the ARN of an IAM role.", quote(aws.ToString(in.NodeRole)))
	}
	if err := s.checkSubnets(c, a, in.Subnets); err != nil {
		return err
	}
	if in.Version != nil && *in.Version != c.cluster.Version {
		return a.invalidParameter("Requested Nodegroup version %s is not the cluster's: a new node group has the "+
			"version %s.", quote(*in.Version), c.cluster.Version)
	}
	if in.ReleaseVersion != nil && in.AmiType != types.AMITypesCustom {
		ami := in.AmiType
		if ami == "" {
			ami = defaultAMI(in.InstanceTypes)
		}
		if _, err := releaseOf(a, ami, c.cluster.Version, *in.ReleaseVersion); err != nil {
			return err
		}
	}
	for _, check := range []string{
		wrongScaling(in.ScalingConfig), wrongUnavailable(in.UpdateConfig), wrongRepair(in.NodeRepairConfig),
		wrongWarmPool(in.WarmPoolConfig),
		wrongLabels(in.Labels), wrongTaints(in.Taints), wrongInstances(in),
	} {
		if check != "" {
			return a.invalidParameter("%s", check)
		}
	}
	return nil
}

// checkSubnets refuses subnets that there cannot be, those that are not there, and those of other VPCs than the
// cluster's.
func (s *Service) checkSubnets(c change, a about, ids []string) error {
	if len(ids) == 0 {
		return a.invalidParameter("Subnets must not be empty: name one at least.")
	}
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			return a.invalidParameter("The subnet %s is named twice.", quote(id))
		}
		if !subnetID.MatchString(id) {
			return a.invalidParameter("The subnet ID %s is not a subnet's: it is subnet- and hexadecimal digits.", quote(id))
		}
	}
	own, err := s.settingsOf(c.cluster)
	if err != nil {
		return err
	}
	for _, id := range ids {
		vpcID, err := s.network().VPCOf(c.tx, id)
		switch {
		case err != nil:
			return a.invalidParameter("The subnet ID '%s' does not exist", id)
		case vpcID != aws.ToString(own.VPC.VpcId):
			return a.invalidParameter("Subnets specified must belong to the same VPC: %s is in %s, not in the cluster's, %s",
				id, vpcID, aws.ToString(own.VPC.VpcId))
		}
	}
	return nil
}

// wrongInstances says what is wrong with instance types, AMI type, disk, remote access and launch template taken
// together.
func wrongInstances(in *eks.CreateNodegroupInput) string {
	if wrong := wrongTemplate(in.LaunchTemplate); wrong != "" {
		return wrong
	}
	if in.LaunchTemplate != nil {
		switch {
		case in.DiskSize != nil:
			return "Disk size must be specified within the launch template."
		case in.RemoteAccess != nil:
			return "Remote access configuration cannot be specified with a launch template."
		}
	}
	if in.AmiType == types.AMITypesCustom {
		switch {
		case in.LaunchTemplate == nil:
			return "The AMI type CUSTOM needs a launch template that names the AMI."
		case in.Version != nil || in.ReleaseVersion != nil:
			return "You cannot specify version or releaseVersion with the AMI type CUSTOM: the AMI has them."
		}
	}
	if in.DiskSize != nil && (*in.DiskSize < 1 || *in.DiskSize > 16384) {
		return "diskSize must be a number of GiB from 1 to 16384."
	}
	if in.RemoteAccess != nil && in.RemoteAccess.Ec2SshKey == nil && len(in.RemoteAccess.SourceSecurityGroups) > 0 {
		return "sourceSecurityGroups in remoteAccess need an ec2SshKey."
	}
	if len(in.InstanceTypes) > maxInstanceTypes {
		return fmt.Sprintf("A node group has at most %d instance types.", maxInstanceTypes)
	}
	for i, name := range in.InstanceTypes {
		switch {
		case slices.Contains(in.InstanceTypes[:i], name):
			return fmt.Sprintf("The instance type %s is named twice.", name)
		case isARM(name) != isARM(in.InstanceTypes[0]):
			return "The instance types of a node group must have the same architecture."
		case in.AmiType != "" && in.AmiType != types.AMITypesCustom &&
			isARM(name) != strings.Contains(string(in.AmiType), "ARM_64"):
			return fmt.Sprintf("[%s] is not a valid instance type for requested amiType %s: its architecture is another.",
				name, in.AmiType)
		}
	}
	return ""
}

func wrongTemplate(t *types.LaunchTemplateSpecification) string {
	switch {
	case t == nil:
		return ""
	case (t.Id == nil) == (t.Name == nil):
		return "You must specify either the launch template ID or the launch template name in the request, but not both."
	case t.Version != nil && *t.Version != "$Latest" && *t.Version != "$Default":
		if n, err := strconv.Atoi(*t.Version); err != nil || n < 1 {
			return fmt.Sprintf("The launch template version %s is not a number.", quote(*t.Version))
		}
	}
	return ""
}

// wrongScaling says what is wrong with sizes that are all known, or that a request for a new node group gave.
func wrongScaling(c *types.NodegroupScalingConfig) string {
	if c == nil {
		return ""
	}
	if c.MinSize == nil || c.MaxSize == nil || c.DesiredSize == nil {
		return "scalingConfig must have minSize, maxSize and desiredSize."
	}
	low, high, desired := *c.MinSize, *c.MaxSize, *c.DesiredSize
	switch {
	case low < 0 || high < 1 || desired < 0:
		return "minSize and desiredSize cannot be less than 0, nor maxSize less than 1."
	case high > maxNodes:
		return fmt.Sprintf("maxSize cannot be over %d, the most nodes that a managed node group has.", maxNodes)
	case low > high:
		return fmt.Sprintf("Minimum capacity %d can't be greater than maximum size %d.", low, high)
	case desired < low:
		return fmt.Sprintf("Minimum capacity %d can't be greater than desired size %d.", low, desired)
	case desired > high:
		return fmt.Sprintf("Desired capacity %d can't be greater than max size %d.", desired, high)
	}
	return ""
}

// bothOrOutside says what is wrong with a number or percentage, of which one may be given.
func bothOrOutside(what string, number, percentage *int32) string {
	switch {
	case number != nil && percentage != nil:
		return fmt.Sprintf("%s can be a number or a percentage, not both.", what)
	case number != nil && (*number < 1 || *number > 100), percentage != nil && (*percentage < 1 || *percentage > 100):
		return fmt.Sprintf("%s must be from 1 to 100.", what)
	}
	return ""
}

func wrongUnavailable(c *types.NodegroupUpdateConfig) string {
	if c == nil {
		return ""
	}
	return bothOrOutside("maxUnavailable", c.MaxUnavailable, c.MaxUnavailablePercentage)
}

func wrongRepair(c *types.NodeRepairConfig) string {
	if c == nil {
		return ""
	}
	if wrong := bothOrOutside("maxParallelNodesRepaired", c.MaxParallelNodesRepairedCount,
		c.MaxParallelNodesRepairedPercentage); wrong != "" {
		return wrong
	}
	return bothOrOutside("maxUnhealthyNodeThreshold", c.MaxUnhealthyNodeThresholdCount,
		c.MaxUnhealthyNodeThresholdPercentage)
}

func wrongWarmPool(c *types.WarmPoolConfig) string {
	switch {
	case c == nil:
		return ""
	case c.MinSize != nil && *c.MinSize < 0, c.MaxGroupPreparedCapacity != nil && *c.MaxGroupPreparedCapacity < 0:
		return "The sizes of warmPoolConfig cannot be less than 0."
	}
	return ""
}

// wrongLabels says what is wrong with nodes' labels, or returns "".
func wrongLabels(labels map[string]string) string {
	for key, value := range labels {
		switch {
		case wrongLabelKey(key):
			return fmt.Sprintf("The label key %s is not a valid Kubernetes label key.", quote(key))
		case reservedLabel(key):
			return fmt.Sprintf("The label key %s is reserved: kubernetes.io, k8s.io and eks.amazonaws.com are set by "+
				"Kubernetes and EKS.", quote(key))
		case len(value) > maxLabel || !labelText.MatchString(value):
			return fmt.Sprintf("The value %s of the label %s is not a valid Kubernetes label value.", quote(value), quote(key))
		}
	}
	return ""
}

func wrongLabelKey(key string) bool {
	prefix, name, prefixed := strings.Cut(key, "/")
	if !prefixed {
		prefix, name = "", key
	}
	return name == "" || len(name) > maxLabel || !labelText.MatchString(name) || prefixed &&
		(len(prefix) > 253 || !labelPrefix.MatchString(prefix))
}

// reservedLabel says whether kubelets may not set the label (the NodeRestriction admission plugin), or EKS sets it
// itself.
func reservedLabel(key string) bool {
	prefix, _, prefixed := strings.Cut(key, "/")
	if !prefixed {
		return false
	}
	for _, free := range []string{"node.kubernetes.io", "kubelet.kubernetes.io"} {
		if prefix == free || strings.HasSuffix(prefix, "."+free) {
			return false
		}
	}
	for _, reserved := range []string{"kubernetes.io", "k8s.io", "eks.amazonaws.com"} {
		if prefix == reserved || strings.HasSuffix(prefix, "."+reserved) {
			return true
		}
	}
	return false
}

func wrongTaints(taints []types.Taint) string {
	if len(taints) > maxTaints {
		return fmt.Sprintf("A node group has at most %d taints.", maxTaints)
	}
	for i, taint := range taints {
		switch {
		case wrongLabelKey(aws.ToString(taint.Key)):
			return fmt.Sprintf("The taint key %s is not a valid Kubernetes taint key.", quote(aws.ToString(taint.Key)))
		case len(aws.ToString(taint.Value)) > maxLabel || !labelText.MatchString(aws.ToString(taint.Value)):
			return fmt.Sprintf("The value %s of the taint %s is not a valid Kubernetes taint value.",
				quote(aws.ToString(taint.Value)), quote(*taint.Key))
		case !slices.Contains(taint.Effect.Values(), taint.Effect):
			return fmt.Sprintf("The effect of the taint %s must be one of %v.", quote(*taint.Key), taint.Effect.Values())
		case slices.ContainsFunc(taints[:i], func(t types.Taint) bool { return sameTaint(t, taint) }):
			return fmt.Sprintf("The taint %s is there twice with the effect %s.", quote(*taint.Key), taint.Effect)
		}
	}
	return ""
}

// sameTaint says whether two taints are one, as Kubernetes sees them: by key and effect.
func sameTaint(a, b types.Taint) bool {
	return aws.ToString(a.Key) == aws.ToString(b.Key) && a.Effect == b.Effect
}
