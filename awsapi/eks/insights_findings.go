package eks

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/region"
	"tripod/state"
)

// kubeletSkew is how many minor versions a kubelet may be older than the API server: Kubernetes's version skew policy
// since 1.28.
const kubeletSkew = 3

// findings is what insights are computed from.
type findings struct {
	cluster    region.Cluster
	nodegroups []region.Nodegroup
	addons     []region.Addon
	deprecated deprecated
	changed    time.Time // when any of it last changed
}

func (s *Service) findings(tx *state.Txn, cluster region.Cluster) findings {
	f := findings{
		cluster: cluster, nodegroups: nodegroups.list(tx, cluster.ID), addons: addons.list(tx, cluster.ID),
		deprecated: s.deprecatedIn(tx, cluster.ID), changed: cluster.CreatedAt,
	}
	for _, issue := range s.keyIssues(tx, cluster) { // no API server of another version would start without the key
		f.cluster.Issues = append(slices.Clone(f.cluster.Issues),
			region.ClusterIssue{Code: string(issue.Code), Message: *issue.Message})
	}
	for _, g := range f.nodegroups {
		f.changed = latest(f.changed, aws.ToTime(g.ModifiedAt))
	}
	for _, a := range f.addons {
		f.changed = latest(f.changed, aws.ToTime(a.ModifiedAt))
	}
	for _, use := range f.deprecated.uses {
		f.changed = latest(f.changed, use.last)
	}
	return f
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// finding is an insight's outcome; the zero value is PASSING.
type finding struct {
	status         types.InsightStatusValue
	reason         string
	recommendation string
	resources      []types.InsightResourceDetail
	summary        types.InsightCategorySpecificSummary
	// refreshedAt is when it was found, where that is not now.
	refreshedAt time.Time
}

// check is what an insight is about, and what was found.
type check struct {
	name, description string
	found             finding
}

// fail makes the outcome at least as bad, and adds the resource that is to blame.
func (f *finding) fail(status types.InsightStatusValue, arn *string, reason string) {
	if f.status != types.InsightStatusValueError {
		f.status, f.reason = status, reason
	}
	f.resources = append(f.resources,
		types.InsightResourceDetail{Arn: arn,
			InsightStatus: &types.InsightStatus{Status: status, Reason: aws.String(reason)}})
}

// readiness are the insights on whether the cluster can go to the minor version: up by one or back by one.
func (f findings) readiness(category types.Category, to int) []types.Insight {
	way := "an upgrade"
	if category == types.CategoryRollbackReadiness {
		way = "a rollback"
	}
	checks := []check{
		{"Kubelet version skew", "Checks the kubelet versions of node groups against " + way + " of the control plane.",
			f.kubelets(to)},
		{"kube-proxy version skew", "Checks the version of the add-on kube-proxy against " + way + " of the control plane.",
			f.kubeProxy(to)},
		{"EKS add-on version compatibility", "Checks that the versions of the installed add-ons run on the Kubernetes " +
			"version after " + way + ".", f.addonVersions(to)},
		{"Cluster health issues", "Checks for health issues that would stop " + way + ".", f.health()},
	}
	if category == types.CategoryUpgradeReadiness {
		checks = append(checks, f.deprecated.next(to))
	}
	var insights []types.Insight
	for _, check := range checks {
		insights = append(insights, check.insight(category, to))
	}
	return insights
}

func (c check) insight(category types.Category, version int) types.Insight {
	status := c.found.status
	if status == "" {
		status = types.InsightStatusValuePassing
	}
	insight := types.Insight{
		Name: aws.String(c.name), Description: aws.String(c.description), Category: category,
		KubernetesVersion: aws.String(fmt.Sprintf("1.%d", version)),
		InsightStatus:     &types.InsightStatus{Status: status, Reason: aws.String(c.found.reason)},
		Recommendation:    memberOf(c.found.recommendation), Resources: c.found.resources,
		AdditionalInfo:          map[string]string{},
		CategorySpecificSummary: &c.found.summary,
	}
	if !c.found.refreshedAt.IsZero() {
		insight.LastRefreshTime = aws.Time(c.found.refreshedAt)
	}
	return insight
}

// kubelets compares the node groups' versions with a control plane of that minor version: older by three at most, never
// newer.
func (f findings) kubelets(to int) finding {
	out := finding{reason: "No node group's kubelets are too old or too new."}
	for _, g := range f.nodegroups {
		minor := minorOf(aws.ToString(g.Version))
		switch {
		case minor < 0: // an AMI of the user's own
			if out.status == "" {
				out.status, out.reason = types.InsightStatusValueUnknown,
					"The kubelet version of a node group with an AMI of its own is not known."
			}
		case minor > to:
			out.fail(types.InsightStatusValueError, g.NodegroupArn,
				fmt.Sprintf("Kubelets of 1.%d cannot be newer than a control plane of 1.%d.", minor, to))
		case to-minor > kubeletSkew:
			out.fail(types.InsightStatusValueError, g.NodegroupArn,
				fmt.Sprintf("Kubelets of 1.%d are too old for a control plane of 1.%d.", minor, to))
		case to-minor == kubeletSkew:
			out.fail(types.InsightStatusValueWarning, g.NodegroupArn,
				fmt.Sprintf("Kubelets of 1.%d are as old as a control plane of 1.%d allows.", minor, to))
		}
	}
	if len(out.resources) > 0 {
		out.recommendation = "Bring the node groups to the control plane's version with UpdateNodegroupVersion."
	}
	return out
}

// kubeProxy compares the add-on kube-proxy with a control plane of that minor version, as for kubelets.
func (f findings) kubeProxy(to int) finding {
	for _, a := range f.addons {
		if *a.AddonName != "kube-proxy" {
			continue
		}
		text, _, _ := strings.Cut(strings.TrimPrefix(aws.ToString(a.AddonVersion), "v1."), ".")
		minor := minorOf("1." + text)
		out := finding{reason: "The version of kube-proxy fits."}
		if minor > to || to-minor > kubeletSkew {
			out.fail(types.InsightStatusValueError, a.AddonArn,
				fmt.Sprintf("kube-proxy %s does not fit a control plane of 1.%d.", *a.AddonVersion, to))
			out.recommendation = "Update the add-on kube-proxy with UpdateAddon."
		}
		return out
	}
	return finding{status: types.InsightStatusValueUnknown,
		reason: "kube-proxy is not installed as an EKS add-on: its version is not known."}
}

// addonVersions looks for add-ons whose version does not run on that minor version.
func (f findings) addonVersions(to int) finding {
	out := finding{reason: "All installed add-ons run on the version."}
	for _, a := range f.addons {
		o, _ := offerNamed(*a.AddonName)
		fitting := o.versionsFor(to)
		out.summary.AddonCompatibilityDetails = append(out.summary.AddonCompatibilityDetails,
			types.AddonCompatibilityDetail{Name: a.AddonName, CompatibleVersions: fitting})
		if *a.AddonName == "kube-proxy" { // it is updated after the control plane, and has an insight of its own
			continue
		}
		if version, known := o.version(aws.ToString(a.AddonVersion)); !known || !version.Fits(to) {
			out.fail(types.InsightStatusValueError, a.AddonArn,
				fmt.Sprintf("%s %s does not run on Kubernetes 1.%d.", *a.AddonName, aws.ToString(a.AddonVersion), to))
			out.recommendation = "Update the add-ons to versions that run on both Kubernetes versions."
		}
	}
	return out
}

func (f findings) health() finding {
	out := finding{reason: "The cluster has no health issues."}
	for _, issue := range f.cluster.Issues {
		out.status, out.reason = types.InsightStatusValueError, issue.Code+": "+issue.Message
		out.recommendation = "Mend the cluster's health issues, which DescribeCluster lists."
	}
	return out
}
