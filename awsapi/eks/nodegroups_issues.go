package eks

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/region"
)

// The issues that a node group's health may have. Where AWS's own sentence is not known, it is that of the API's model
// about the issue's code.

// issues are all that is wrong with a node group at present.
func (st *groupStep) issues() []types.Issue {
	issues := slices.Concat(st.brokenParts(), st.failedLaunches(), st.unjoined())
	if st.view.Unreachable != "" {
		issues = append(issues, issueOf(types.NodegroupIssueCodeClusterUnreachable,
			"Amazon EKS or one or more of your managed nodes is unable to communicate with your Kubernetes cluster API server.",
			st.cluster.Name))
	}
	return issues
}

func issueOf(code types.NodegroupIssueCode, message string, resources ...string) types.Issue {
	return types.Issue{Code: code, Message: &message, ResourceIds: resources}
}

// sameIssues says whether a node group's health has these issues already.
func sameIssues(issues []types.Issue, health *types.NodegroupHealth) bool {
	if health == nil {
		return len(issues) == 0
	}
	return slices.EqualFunc(issues, health.Issues, func(a, b types.Issue) bool {
		return a.Code == b.Code && aws.ToString(a.Message) == aws.ToString(b.Message) &&
			slices.Equal(a.ResourceIds, b.ResourceIds)
	})
}

func (st *groupStep) noScalingGroup() types.Issue {
	return issueOf(types.NodegroupIssueCodeAutoScalingGroupNotFound, "We couldn't find the Auto Scaling group associated "+
		"with the managed node group. You may be able to recreate an Auto Scaling group with the same settings to recover.",
		scalingGroupOf(st.group))
}

// brokenParts are the issues of what EKS made for the node group and somebody changed or deleted, and of what the group
// was given.
func (st *groupStep) brokenParts() (issues []types.Issue) {
	add := func(code types.NodegroupIssueCode, message string, resources ...string) {
		issues = append(issues, issueOf(code, message, resources...))
	}
	network := st.network()
	if !st.scaled {
		issues = append(issues, st.noScalingGroup())
	} else {
		if other, own := templateIn(st.scaling), st.work.Template; other.ID != own.ID ||
			other.Version != own.Version {
			add(types.NodegroupIssueCodeEc2LaunchTemplateVersionMismatch, fmt.Sprintf("The Amazon EC2 Launch Template : %s has "+
				"a new version associated with your Autoscaling group, which is not managed by Amazon EKS. Expected Launch "+
				"Template version: %s", other.ID, own.Version), other.ID)
		}
		if has, want := sortedIDs(st.scaling.Subnets), sortedIDs(st.group.Subnets); !slices.Equal(has, want) {
			add(types.NodegroupIssueCodeAutoScalingGroupInvalidConfiguration, fmt.Sprintf("The Amazon AutoScalingGroup %s has "+
				"subnets ([%s]) which is not expected by Amazon EKS. Expected subnets : ([%s])", st.scaling.Name,
				strings.Join(has, ", "), strings.Join(want, ", ")), st.scaling.Name)
		}
	}
	if !network.HasTemplate(st.tx, st.work.Template) {
		add(types.NodegroupIssueCodeEc2LaunchTemplateNotFound, "We couldn't find the Amazon EC2 launch template for your "+
			"managed node group. You may be able to recreate a launch template with the same settings to recover.",
			st.work.Template.ID)
	}
	var lost []string
	for _, id := range st.group.Subnets {
		if network.SubnetZone(st.tx, id) == "" {
			lost = append(lost, id)
		}
	}
	if len(lost) > 0 {
		add(types.NodegroupIssueCodeEc2SubnetNotFound, fmt.Sprintf("The subnet ID '%s' does not exist", lost[0]), lost...)
	}
	if id := st.group.Resources.RemoteAccessSecurityGroup; id != nil && !network.HasGroup(st.tx, *id) {
		add(types.NodegroupIssueCodeEc2SecurityGroupNotFound, fmt.Sprintf("The security group '%s' does not exist", *id), *id)
	}
	return append(issues, st.brokenAccess()...)
}

// brokenAccess are the issues of the nodes' role, of its instance profile and of its way into the cluster.
func (st *groupStep) brokenAccess() (issues []types.Issue) {
	role, profile := aws.ToString(st.group.NodeRole), ownName(st.group)
	if _, found := roleOf(st.tx, role); !found {
		issues = append(issues, issueOf(types.NodegroupIssueCodeIamNodeRoleNotFound,
			fmt.Sprintf("The role with name %s cannot be found.", roleName(role)), role))
	}
	if p, found := region.InstanceProfiles.Get(st.tx, profile); !found || p.Role != roleName(role) {
		issues = append(issues, issueOf(types.NodegroupIssueCodeIamInstanceProfileNotFound, "We couldn't find the IAM "+
			"instance profile for your managed node group. You may be able to recreate an instance profile with the same "+
			"settings to recover.", profile))
	}
	if !st.admitted() {
		issues = append(issues, issueOf(types.NodegroupIssueCodeAccessDenied, "Your worker nodes do not have access to the "+
			"cluster. Verify if the node instance role is present and correctly configured in the aws-auth ConfigMap.", role))
	}
	return issues
}

// admitted says whether the nodes' role gets into the cluster, as far as that is known.
func (st *groupStep) admitted() bool {
	role := aws.ToString(st.group.NodeRole)
	mode := types.AuthenticationMode(st.cluster.AuthenticationMode)
	if mode != types.AuthenticationModeConfigMap {
		entry, found := accessEntries.get(st.tx, st.cluster.ID, role)
		if found && entry.Type != standardEntry {
			known, there := roleOf(st.tx, role)
			return !there || entry.PrincipalID == "" || entry.PrincipalID == known.ID // no role at all is another issue
		}
	}
	mapped, known := st.view.Mapped[role]
	return mode != types.AuthenticationModeApi && (mapped || !known)
}

// templateIn is the launch template that an Auto Scaling group launches by.
func templateIn(g region.AutoScalingGroup) region.TemplateRef {
	switch {
	case g.Mixed != nil:
		return g.Mixed.Template
	case g.Template != nil:
		return *g.Template
	}
	return region.TemplateRef{}
}

func sortedIDs(all []string) []string { return slices.Sorted(slices.Values(all)) }

// lastLaunch is the Auto Scaling group's last try to launch an instance, if it has failed: EKS takes the group for
// degraded until one succeeds.
func (st *groupStep) lastLaunch() (failed region.ScalingActivity, found bool) {
	if !st.scaled {
		return failed, false
	}
	all := region.ActivitiesOf(st.tx, st.scaling.Name)
	for _, a := range slices.Backward(all) {
		if strings.HasPrefix(a.Description, "Launching a new EC2 instance") {
			return a, a.Status == "Failed"
		}
	}
	return failed, false
}

// launchesFailSince is when the launches began to fail that have failed ever since.
func (st *groupStep) launchesFailSince() (since time.Time) {
	for _, a := range slices.Backward(region.ActivitiesOf(st.tx, st.scaling.Name)) {
		switch {
		case !strings.HasPrefix(a.Description, "Launching a new EC2 instance"):
		case a.Status != "Failed":
			return since
		default:
			since = a.Start
		}
	}
	return since
}

// failedLaunches is the issue of an Auto Scaling group whose launches fail.
func (st *groupStep) failedLaunches() []types.Issue {
	last, failed := st.lastLaunch()
	if !failed {
		return nil
	}
	switch last.Code {
	case "InsufficientFreeAddressesInSubnet":
		return []types.Issue{issueOf(types.NodegroupIssueCodeInsufficientFreeAddresses, "Amazon AutoScaling was unable to "+
			"launch instances because there are not enough free addresses in the subnet associated with your AutoScaling "+
			"group(s).", st.scaling.Name)}
	case "InstanceLimitExceeded":
		return []types.Issue{issueOf(types.NodegroupIssueCodeInstanceLimitExceeded, last.Message, st.scaling.Name)}
	case "InvalidAMIID.NotFound", "InvalidAMIID.Unavailable":
		return []types.Issue{issueOf(types.NodegroupIssueCodeAmiIdNotFound, last.Message, st.scaling.Name)}
	}
	return []types.Issue{issueOf(types.NodegroupIssueCodeAsgInstanceLaunchFailures, last.Message, st.scaling.Name)}
}

// unjoined is the issue of instances that have been there for long and are no nodes.
func (st *groupStep) unjoined() []types.Issue {
	if st.view.Nodes == nil {
		return nil
	}
	lost := st.which(func(m *groupNode) bool {
		if !m.stays() || m.node != nil || m.instance.State != region.InstanceRunning {
			return false
		}
		troubled := m.instance.Boot.Trouble != "" && st.over(m.instance.Boot.TroubledAt, st.pace.Trouble)
		return troubled || st.over(m.instance.Launched, joinPatience)
	})
	if len(lost) == 0 {
		return nil
	}
	return notJoined(lost)
}
