package eks

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

// refreshLimit is how long a refresh waits for the zones: one that is down does not answer.
const refreshLimit = 10 * time.Second

// insightID follows from what an insight is about, so that it stays the same while the insight is computed anew at each
// call.
func insightID(clusterID string, i types.Insight) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{clusterID, string(i.Category), *i.KubernetesVersion, *i.Name},
		"\x00")))
	text := hex.EncodeToString(sum[:16])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

// insightsOf are a cluster's insights, computed from the regional state as it is now.
func (s *Service) insightsOf(tx *state.Txn, cluster region.Cluster) []types.Insight {
	version := minorOf(cluster.Version)
	if version < 0 {
		return nil
	}
	f := s.findings(tx, cluster)
	insights := append(f.readiness(types.CategoryUpgradeReadiness, version+1), f.deprecated.later(version+1)...)
	insights = append(insights, f.readiness(types.CategoryRollbackReadiness, version-1)...)
	now := s.now()
	for i := range insights {
		insights[i].Id = aws.String(insightID(cluster.ID, insights[i]))
		insights[i].LastTransitionTime = aws.Time(f.changed)
		if insights[i].LastRefreshTime == nil {
			insights[i].LastRefreshTime = aws.Time(now)
		}
	}
	return insights
}

func (s *Service) listInsights(call *operation.Call, in *eks.ListInsightsInput) (*eks.ListInsightsOutput, error) {
	filter := in.Filter
	if filter == nil {
		filter = &types.InsightsFilter{}
	}
	for _, version := range filter.KubernetesVersions {
		if minorOf(version) < 0 {
			return nil, about{cluster: aws.ToString(in.ClusterName)}.invalidParameter("The Kubernetes version %s is not one "+
				"such as 1.36.", quote(version))
		}
	}
	out := &eks.ListInsightsOutput{}
	return out, readOf(s, call, target{cluster: aws.ToString(in.ClusterName)},
		func(tx *state.Txn, cluster region.Cluster) error {
			var summaries []types.InsightSummary
			for _, i := range s.insightsOf(tx, cluster) {
				if len(filter.Categories) > 0 && !slices.Contains(filter.Categories, i.Category) ||
					!admits(filter.KubernetesVersions, *i.KubernetesVersion) ||
					len(filter.Statuses) > 0 && !slices.Contains(filter.Statuses, i.InsightStatus.Status) {
					continue
				}
				summaries = append(summaries, types.InsightSummary{
					Id: i.Id, Name: i.Name, Category: i.Category, KubernetesVersion: i.KubernetesVersion, Description: i.Description,
					InsightStatus: i.InsightStatus, LastRefreshTime: i.LastRefreshTime, LastTransitionTime: i.LastTransitionTime,
				})
			}
			var err error
			out.Insights, out.NextToken,
				err = page(paging{call.Operation, []string{cluster.ID, asJSON(filter)}, in.MaxResults, in.NextToken}, summaries,
				func(i types.InsightSummary) string { return *i.Id })
			return err
		})
}

func (s *Service) describeInsight(call *operation.Call, in *eks.DescribeInsightInput) (*eks.DescribeInsightOutput,
	error) {
	out := &eks.DescribeInsightOutput{}
	return out, readOf(s, call, target{cluster: aws.ToString(in.ClusterName)},
		func(tx *state.Txn, cluster region.Cluster) error {
			for _, i := range s.insightsOf(tx, cluster) {
				if *i.Id == aws.ToString(in.Id) {
					out.Insight = &i
					return nil
				}
			}
			return about{cluster: cluster.Name}.notFound("No insight found for ID: %s in the cluster %s.",
				quote(aws.ToString(in.Id)), cluster.Name)
		})
}

// startInsightsRefresh notes the time, so that every zone tells anew what its API server has counted. All else is
// computed whenever it is read.
func (s *Service) startInsightsRefresh(call *operation.Call,
	in *eks.StartInsightsRefreshInput) (*eks.StartInsightsRefreshOutput, error) {
	t := target{cluster: aws.ToString(in.ClusterName)}
	return changeOf(s, call, t, mustExist, nil, in, func(c change) (*eks.StartInsightsRefreshOutput, string, error) {
		region.InsightsRefreshes.Put(c.tx, c.cluster.ID, region.InsightsRefresh{StartedAt: c.now})
		return &eks.StartInsightsRefreshOutput{Status: types.InsightsRefreshStatusInProgress,
			Message: aws.String("Initiated cluster insights refresh.")}, "", nil
	})
}

func (s *Service) describeInsightsRefresh(call *operation.Call,
	in *eks.DescribeInsightsRefreshInput) (*eks.DescribeInsightsRefreshOutput, error) {
	out := &eks.DescribeInsightsRefreshOutput{}
	return out, readOf(s, call, target{cluster: aws.ToString(in.ClusterName)},
		func(tx *state.Txn, cluster region.Cluster) error {
			last, found := region.InsightsRefreshes.Get(tx, cluster.ID)
			if !found {
				return about{cluster: cluster.Name}.notFound("No insights refresh was started for the cluster %s: start one "+
					"with StartInsightsRefresh.", cluster.Name)
			}
			out.StartedAt = aws.Time(last.StartedAt)
			out.Status, out.Message, out.EndedAt = s.progress(tx, cluster.ID, last)
			return nil
		})
}

// progress is how far a refresh is. It ends when all zones have told, or some have and the others are waited for no
// longer.
func (s *Service) progress(tx *state.Txn, clusterID string,
	last region.InsightsRefresh) (status types.InsightsRefreshStatus, message *string, ended *time.Time) {
	told := 0
	var end time.Time
	for _, zone := range s.VPC.Zones {
		if reading, found := region.DeprecatedReadings.Get(tx, region.DeprecatedReadingKey(clusterID, zone)); found &&
			!reading.Refresh.Before(last.StartedAt) {
			told++
			end = latest(end, reading.ReadAt)
		}
	}
	limit := last.StartedAt.Add(refreshLimit)
	switch {
	case told == len(s.VPC.Zones):
		return types.InsightsRefreshStatusCompleted, aws.String("Insights refresh is complete."), &end
	case s.now().Before(limit):
		return types.InsightsRefreshStatusInProgress, aws.String("Insights refresh is in progress."), nil
	case told == 0:
		return types.InsightsRefreshStatusFailed, aws.String("Insights refresh failed: no API server of the " +
			"cluster answered."), &limit
	default:
		return types.InsightsRefreshStatusCompleted, aws.String("Insights refresh is complete, but for zones whose API " +
			"server did not answer."), &limit
	}
}
