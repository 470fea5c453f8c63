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

	"tripod/awsapi/wire"
	"tripod/region"
)

// refresh is the last time that somebody asked for a cluster's insights to be computed anew.
type refresh struct {
	StartedAt time.Time `json:"startedAt"`
	EndedAt   time.Time `json:"endedAt"`
}

var refreshes = region.NewTable[refresh]("insights-refresh") // by cluster ID

func (s *Service) insightActions() map[string]Action {
	return map[string]Action{
		"ListInsights":            typed(s.listInsights),
		"DescribeInsight":         typed(s.describeInsight),
		"StartInsightsRefresh":    typed(s.startInsightsRefresh),
		"DescribeInsightsRefresh": typed(s.describeInsightsRefresh),
	}
}

// insightID follows from what an insight is about, so that it stays the same while the insight is computed anew at each call.
func insightID(clusterID string, i types.Insight) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{clusterID, string(i.Category), *i.KubernetesVersion, *i.Name}, "\x00")))
	text := hex.EncodeToString(sum[:16])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

// insightsOf are a cluster's insights, computed from the regional state as it is now.
func (s *Service) insightsOf(tx *region.Txn, cluster region.Cluster) []types.Insight {
	version := minorOf(cluster.Version)
	if version < 0 {
		return nil
	}
	f := s.findings(tx, cluster)
	insights := f.readiness(types.CategoryUpgradeReadiness, version+1)
	insights = append(insights, f.readiness(types.CategoryRollbackReadiness, version-1)...)
	now := s.now()
	for i := range insights {
		insights[i].Id = aws.String(insightID(cluster.ID, insights[i]))
		insights[i].LastRefreshTime, insights[i].LastTransitionTime = aws.Time(now), aws.Time(f.changed)
	}
	return insights
}

func (s *Service) listInsights(call *wire.Call, in *eks.ListInsightsInput) (*eks.ListInsightsOutput, error) {
	filter := in.Filter
	if filter == nil {
		filter = &types.InsightsFilter{}
	}
	for _, version := range filter.KubernetesVersions {
		if minorOf(version) < 0 {
			return nil, about{cluster: aws.ToString(in.ClusterName)}.invalidParameter("The Kubernetes version %s is not one such as 1.36.", quote(version))
		}
	}
	out := &eks.ListInsightsOutput{}
	return out, readOf(s, call, target{cluster: aws.ToString(in.ClusterName)}, func(tx *region.Txn, cluster region.Cluster) error {
		var summaries []types.InsightSummary
		for _, i := range s.insightsOf(tx, cluster) {
			if len(filter.Categories) > 0 && !slices.Contains(filter.Categories, i.Category) || !admits(filter.KubernetesVersions, *i.KubernetesVersion) ||
				len(filter.Statuses) > 0 && !slices.Contains(filter.Statuses, i.InsightStatus.Status) {
				continue
			}
			summaries = append(summaries, types.InsightSummary{
				Id: i.Id, Name: i.Name, Category: i.Category, KubernetesVersion: i.KubernetesVersion, Description: i.Description,
				InsightStatus: i.InsightStatus, LastRefreshTime: i.LastRefreshTime, LastTransitionTime: i.LastTransitionTime,
			})
		}
		var err error
		out.Insights, out.NextToken, err = page(paging{call.Operation, []string{cluster.ID, asJSON(filter)}, in.MaxResults, in.NextToken}, summaries,
			func(i types.InsightSummary) string { return *i.Id })
		return err
	})
}

func (s *Service) describeInsight(call *wire.Call, in *eks.DescribeInsightInput) (*eks.DescribeInsightOutput, error) {
	out := &eks.DescribeInsightOutput{}
	return out, readOf(s, call, target{cluster: aws.ToString(in.ClusterName)}, func(tx *region.Txn, cluster region.Cluster) error {
		for _, i := range s.insightsOf(tx, cluster) {
			if *i.Id == aws.ToString(in.Id) {
				out.Insight = &i
				return nil
			}
		}
		return about{cluster: cluster.Name}.notFound("No insight found for ID: %s in the cluster %s.", quote(aws.ToString(in.Id)), cluster.Name)
	})
}

// startInsightsRefresh notes the time: insights are computed whenever they are read, so that there is nothing to wait for.
func (s *Service) startInsightsRefresh(call *wire.Call, in *eks.StartInsightsRefreshInput) (*eks.StartInsightsRefreshOutput, error) {
	t := target{cluster: aws.ToString(in.ClusterName)}
	return changeOf(s, call, t, mustExist, nil, in, func(c change) (*eks.StartInsightsRefreshOutput, string, error) {
		refreshes.Put(c.tx, c.cluster.ID, refresh{StartedAt: c.now, EndedAt: c.now})
		return &eks.StartInsightsRefreshOutput{Status: types.InsightsRefreshStatusInProgress, Message: aws.String("Insights refresh is in progress.")}, "", nil
	})
}

func (s *Service) describeInsightsRefresh(call *wire.Call, in *eks.DescribeInsightsRefreshInput) (*eks.DescribeInsightsRefreshOutput, error) {
	out := &eks.DescribeInsightsRefreshOutput{}
	return out, readOf(s, call, target{cluster: aws.ToString(in.ClusterName)}, func(tx *region.Txn, cluster region.Cluster) error {
		last, found := refreshes.Get(tx, cluster.ID)
		if !found {
			return about{cluster: cluster.Name}.notFound("No insights refresh was started for the cluster %s: start one with StartInsightsRefresh.", cluster.Name)
		}
		out.Status, out.Message = types.InsightsRefreshStatusCompleted, aws.String("Insights refresh is complete.")
		out.StartedAt, out.EndedAt = aws.Time(last.StartedAt), aws.Time(last.EndedAt)
		return nil
	})
}
