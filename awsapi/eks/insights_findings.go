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

// kubeletSkew is how many minor versions a kubelet may be older than the API server: Kubernetes's version skew policy since 1.28.
const kubeletSkew = 3

// DeprecatedUse is one kind of call to an API that a later Kubernetes version drops.
type DeprecatedUse struct {
	// API is the path of the resource, such as /apis/flowcontrol.apiserver.k8s.io/v1beta3/flowschemas, and Replacement the one to use instead.
	API, Replacement string
	// Removed is the first Kubernetes version without it, such as 1.37; ReplacedSince the first that had the replacement, or empty.
	Removed, ReplacedSince string
	// Clients are those that called it lately.
	Clients []types.ClientStat
}

// findings is what insights are computed from.
type findings struct {
	cluster    region.Cluster
	nodegroups []nodegroup
	addons     []addon
	// deprecated is nil, with the reason in unknown, where calls to deprecated APIs are not counted.
	deprecated []DeprecatedUse
	unknown    string
	changed    time.Time // when any of it last changed
}

func (s *Service) findings(tx *region.Txn, cluster region.Cluster) findings {
	f := findings{
		cluster: cluster, nodegroups: nodegroups.list(tx, cluster.ID), addons: addons.list(tx, cluster.ID), changed: cluster.CreatedAt,
		unknown: "The API servers' counts of deprecated calls are not available.",
	}
	for _, issue := range s.keyIssues(tx, cluster) { // no API server of another version would start without the key
		f.cluster.Issues = append(slices.Clone(f.cluster.Issues), region.ClusterIssue{Code: string(issue.Code), Message: *issue.Message})
	}
	for _, g := range f.nodegroups {
		f.changed = latest(f.changed, aws.ToTime(g.ModifiedAt))
	}
	for _, a := range f.addons {
		f.changed = latest(f.changed, aws.ToTime(a.ModifiedAt))
	}
	if count := s.Probes.Deprecated; count != nil {
		if uses, err := count(cluster.ID); err == nil {
			f.deprecated, f.unknown = uses, ""
		}
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
}

// fail makes the outcome at least as bad, and adds the resource that is to blame.
func (f *finding) fail(status types.InsightStatusValue, arn *string, reason string) {
	if f.status != types.InsightStatusValueError {
		f.status, f.reason = status, reason
	}
	f.resources = append(f.resources, types.InsightResourceDetail{Arn: arn, InsightStatus: &types.InsightStatus{Status: status, Reason: aws.String(reason)}})
}

// readiness are the insights on whether the cluster can go to the minor version: up by one or back by one.
func (f findings) readiness(category types.Category, to int) []types.Insight {
	version := fmt.Sprintf("1.%d", to)
	way := "an upgrade"
	if category == types.CategoryRollbackReadiness {
		way = "a rollback"
	}
	checks := []struct {
		name, description string
		found             finding
	}{
		{"Kubelet version skew", "Checks the kubelet versions of node groups against " + way + " of the control plane.", f.kubelets(to)},
		{"kube-proxy version skew", "Checks the version of the add-on kube-proxy against " + way + " of the control plane.", f.kubeProxy(to)},
		{"EKS add-on version compatibility", "Checks that the versions of the installed add-ons run on the Kubernetes version after " + way + ".", f.addonVersions(to)},
		{"Cluster health issues", "Checks for health issues that would stop " + way + ".", f.health()},
	}
	if category == types.CategoryUpgradeReadiness {
		checks = append(checks, struct {
			name, description string
			found             finding
		}{"Deprecated APIs removed in Kubernetes v" + version, "Checks for usage of deprecated APIs that are removed in Kubernetes v" + version + ".", f.deprecatedCalls(to)})
	}
	var insights []types.Insight
	for _, check := range checks {
		status := check.found.status
		if status == "" {
			status = types.InsightStatusValuePassing
		}
		insights = append(insights, types.Insight{
			Name: aws.String(check.name), Description: aws.String(check.description), Category: category, KubernetesVersion: aws.String(version),
			InsightStatus:  &types.InsightStatus{Status: status, Reason: aws.String(check.found.reason)},
			Recommendation: memberOf(check.found.recommendation), Resources: check.found.resources, AdditionalInfo: map[string]string{},
			CategorySpecificSummary: &check.found.summary,
		})
	}
	return insights
}

// kubelets compares the node groups' versions with a control plane of that minor version: older by three at most, never newer.
func (f findings) kubelets(to int) finding {
	out := finding{reason: "No node group's kubelets are too old or too new."}
	for _, g := range f.nodegroups {
		minor := minorOf(aws.ToString(g.Version))
		switch {
		case minor < 0: // an AMI of the user's own
			if out.status == "" {
				out.status, out.reason = types.InsightStatusValueUnknown, "The kubelet version of a node group with an AMI of its own is not known."
			}
		case minor > to:
			out.fail(types.InsightStatusValueError, g.NodegroupArn, fmt.Sprintf("Kubelets of 1.%d cannot be newer than a control plane of 1.%d.", minor, to))
		case to-minor > kubeletSkew:
			out.fail(types.InsightStatusValueError, g.NodegroupArn, fmt.Sprintf("Kubelets of 1.%d are too old for a control plane of 1.%d.", minor, to))
		case to-minor == kubeletSkew:
			out.fail(types.InsightStatusValueWarning, g.NodegroupArn, fmt.Sprintf("Kubelets of 1.%d are as old as a control plane of 1.%d allows.", minor, to))
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
			out.fail(types.InsightStatusValueError, a.AddonArn, fmt.Sprintf("kube-proxy %s does not fit a control plane of 1.%d.", *a.AddonVersion, to))
			out.recommendation = "Update the add-on kube-proxy with UpdateAddon."
		}
		return out
	}
	return finding{status: types.InsightStatusValueUnknown, reason: "kube-proxy is not installed as an EKS add-on: its version is not known."}
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
		if version, known := o.version(aws.ToString(a.AddonVersion)); !known || !version.fits(to) {
			out.fail(types.InsightStatusValueError, a.AddonArn, fmt.Sprintf("%s %s does not run on Kubernetes 1.%d.", *a.AddonName, aws.ToString(a.AddonVersion), to))
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

// deprecatedCalls looks for calls to APIs that are gone in that minor version.
func (f findings) deprecatedCalls(to int) finding {
	if f.unknown != "" {
		return finding{status: types.InsightStatusValueUnknown, reason: f.unknown}
	}
	out := finding{reason: "No deprecated API usage detected within the last 30 days."}
	for _, use := range f.deprecated {
		if removed := minorOf(use.Removed); removed < 0 || removed > to {
			continue
		}
		out.status, out.reason = types.InsightStatusValueError, "Deprecated API usage detected within the last 30 days."
		out.recommendation = "Move the clients to the replacements before you upgrade."
		out.resources = append(out.resources, types.InsightResourceDetail{
			KubernetesResourceUri: aws.String(use.API), InsightStatus: &types.InsightStatus{Status: types.InsightStatusValueError},
		})
		out.summary.DeprecationDetails = append(out.summary.DeprecationDetails, types.DeprecationDetail{
			Usage: aws.String(use.API), ReplacedWith: memberOf(use.Replacement), StopServingVersion: aws.String(use.Removed),
			StartServingReplacementVersion: memberOf(use.ReplacedSince), ClientStats: use.Clients,
		})
	}
	return out
}
