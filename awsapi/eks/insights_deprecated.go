package eks

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/region"
	"tripod/state"
)

// successors are what Kubernetes has instead of the deprecated APIs that its versions from 1.34 on serve, by group and
// resource.
var successors = map[string]struct{ version, since string }{
	"admissionregistration.k8s.io/mutatingadmissionpolicies":       {"v1", "1.36"},
	"admissionregistration.k8s.io/mutatingadmissionpolicybindings": {"v1", "1.36"},
	"certificates.k8s.io/clustertrustbundles":                      {"v1", "1.37"},
	"certificates.k8s.io/podcertificaterequests":                   {"v1", "1.37"},
	"coordination.k8s.io/leasecandidates":                          {"v1beta1", "1.33"},
	"networking.k8s.io/ipaddresses":                                {"v1", "1.33"},
	"networking.k8s.io/servicecidrs":                               {"v1", "1.33"},
	"resource.k8s.io/deviceclasses":                                {"v1", "1.34"},
	"resource.k8s.io/devicetaintrules":                             {"v1", "1.37"},
	"resource.k8s.io/resourceclaims":                               {"v1", "1.34"},
	"resource.k8s.io/resourceclaimtemplates":                       {"v1", "1.34"},
	"resource.k8s.io/resourceslices":                               {"v1", "1.34"},
	"storage.k8s.io/volumeattributesclasses":                       {"v1", "1.34"},
	"storagemigration.k8s.io/storageversionmigrations":             {"v1", "1.37"},
}

// deprecatedUse are the calls to an API that a later Kubernetes version drops.
type deprecatedUse struct {
	region.DeprecatedAPI // without a subresource
	calls                int64
	last                 time.Time
}

// deprecated is what the zones have told of such calls.
type deprecated struct {
	uses   []deprecatedUse
	silent []string // the zones that have never told
	// readAt is when the zone told that did so the longest ago.
	readAt time.Time
}

// deprecatedIn puts together what the region's zones have told.
func (s *Service) deprecatedIn(tx *state.Txn, clusterID string) deprecated {
	uses := map[string]deprecatedUse{} // by path
	var d deprecated
	for _, zone := range s.VPC.Zones {
		reading, found := region.DeprecatedReadings.Get(tx, region.DeprecatedReadingKey(clusterID, zone))
		if !found {
			d.silent = append(d.silent, zone)
			continue
		}
		if d.readAt.IsZero() || reading.ReadAt.Before(d.readAt) {
			d.readAt = reading.ReadAt
		}
		for _, calls := range reading.Calls {
			if minorOf(calls.API.Removed) < 0 { // as of a custom resource: nobody knows when it goes
				continue
			}
			calls.API.Subresource = ""
			for _, found := range calls.Lately(s.now()) {
				use := uses[apiPath(calls.API)]
				use.DeprecatedAPI = calls.API
				use.calls, use.last = use.calls+found.Calls, latest(use.last, found.At)
				uses[apiPath(calls.API)] = use
			}
		}
	}
	for _, path := range slices.Sorted(maps.Keys(uses)) {
		d.uses = append(d.uses, uses[path])
	}
	return d
}

func apiPath(api region.DeprecatedAPI) string {
	if api.Group == "" {
		return "/api/" + api.Version + "/" + api.Resource
	}
	return "/apis/" + api.Group + "/" + api.Version + "/" + api.Resource
}

// detail is the use as insights show it. API servers count calls, but do not say whose they are.
func (u deprecatedUse) detail() types.DeprecationDetail {
	detail := types.DeprecationDetail{
		Usage: aws.String(apiPath(u.DeprecatedAPI)), StopServingVersion: aws.String(u.Removed),
		ClientStats: []types.ClientStat{{NumberOfRequestsLast30Days: int32(min(u.calls, 1<<31-1)),
			LastRequestTime: aws.Time(u.last)}},
	}
	if next, known := successors[u.Group+"/"+u.Resource]; known && next.version != u.Version {
		instead := u.DeprecatedAPI
		instead.Version = next.version
		detail.ReplacedWith, detail.StartServingReplacementVersion = aws.String(apiPath(instead)), aws.String(next.since)
	}
	return detail
}

// removals is the insight on calls to APIs that are gone in a minor version, which such a call makes to have that
// status.
func (d deprecated) removals(version int, status types.InsightStatusValue, gone func(use deprecatedUse) bool) check {
	out := finding{reason: "No deprecated API usage detected within the last 30 days.", refreshedAt: d.readAt}
	for _, use := range d.uses {
		if !gone(use) {
			continue
		}
		detail := use.detail()
		out.status, out.reason = status, "Deprecated API usage detected within the last 30 days."
		out.recommendation = "Move the clients to the replacements before you upgrade."
		out.resources = append(out.resources,
			types.InsightResourceDetail{KubernetesResourceUri: detail.Usage,
				InsightStatus: &types.InsightStatus{Status: status}})
		out.summary.DeprecationDetails = append(out.summary.DeprecationDetails, detail)
	}
	if out.status == "" && len(d.silent) > 0 {
		out.status, out.reason = types.InsightStatusValueUnknown, fmt.Sprintf(
			"The API servers in %s have not told yet which deprecated APIs were called: StartInsightsRefresh asks them.",
			strings.Join(d.silent, ", "))
	}
	return check{fmt.Sprintf("Deprecated APIs removed in Kubernetes v1.%d", version),
		fmt.Sprintf("Checks for usage of deprecated APIs that are removed in Kubernetes v1.%d.", version), out}
}

// next is the insight on what the version that the cluster can be upgraded to has no more.
func (d deprecated) next(version int) check {
	return d.removals(version, types.InsightStatusValueError,
		func(use deprecatedUse) bool { return minorOf(use.Removed) <= version })
}

// later are the insights on what only the versions after that drop, where it was called: EKS warns of those.
func (d deprecated) later(after int) []types.Insight {
	var versions []int
	for _, use := range d.uses {
		if removed := minorOf(use.Removed); removed > after {
			versions = append(versions, removed)
		}
	}
	slices.Sort(versions)
	var insights []types.Insight
	for _, version := range slices.Compact(versions) {
		c := d.removals(version, types.InsightStatusValueWarning,
			func(use deprecatedUse) bool { return minorOf(use.Removed) == version })
		insights = append(insights, c.insight(types.CategoryUpgradeReadiness, version))
	}
	return insights
}
