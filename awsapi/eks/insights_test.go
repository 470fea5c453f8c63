package eks_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tripod/region"
	"tripod/state"
)

// tell writes down what a zone's API server of the cluster demo has counted.
func (w *world) tell(t *testing.T, zone string, refresh time.Time, calls ...region.DeprecatedCalls) {
	t.Helper()
	if err := w.state.Update(ctx, func(tx *state.Txn) error {
		region.DeprecatedReadings.Put(tx, region.DeprecatedReadingKey(clusterID, zone),
			region.DeprecatedReading{Zone: zone, ReadAt: time.Now(), Refresh: refresh, Calls: calls})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// deprecatedInsights are the insights on deprecated APIs, by version.
func (w *world) deprecatedInsights(t *testing.T) map[string]types.Insight {
	t.Helper()
	insights := map[string]types.Insight{}
	for _, i := range must(w.ListInsights(ctx, &eks.ListInsightsInput{ClusterName: aws.String("demo")}))(t).Insights {
		if *i.Name == "Deprecated APIs removed in Kubernetes v"+*i.KubernetesVersion {
			insights[*i.KubernetesVersion] = *must(w.DescribeInsight(ctx,
				&eks.DescribeInsightInput{ClusterName: aws.String("demo"), Id: i.Id}))(t).Insight
		}
	}
	return insights
}

func deprecatedStatuses(insights map[string]types.Insight) map[string]types.InsightStatusValue {
	statuses := map[string]types.InsightStatusValue{}
	for version, insight := range insights {
		statuses[version] = insight.InsightStatus.Status
	}
	return statuses
}

func TestInsightsOnDeprecatedAPIsRestOnWhatAllZonesCounted(t *testing.T) {
	w := newWorld(t, "API")
	last := time.Now().UTC().Truncate(time.Second)
	calls := func(version, resource, subresource, removed string, at time.Time, n int64) region.DeprecatedCalls {
		group := map[string]string{"servicecidrs": "networking.k8s.io", "deviceclasses": "resource.k8s.io",
			"things": "example.com"}[resource]
		return region.DeprecatedCalls{API: region.DeprecatedAPI{Group: group, Version: version, Resource: resource,
			Subresource: subresource, Removed: removed},
			Found: []region.FoundCalls{{At: at, Calls: n}}}
	}
	want := func(statuses map[string]types.InsightStatusValue) {
		t.Helper()
		if diff := cmp.Diff(statuses, deprecatedStatuses(w.deprecatedInsights(t))); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	w.tell(t, "us-east-1a", last)
	w.tell(t, "us-east-1b", last,
		calls("v1beta1", "servicecidrs", "", "1.37", last.Add(-region.InsightsMemory-time.Hour), 9),
		calls("v1", "things", "", "", last, 1))
	want(map[string]types.InsightStatusValue{"1.37": "UNKNOWN"})
	if got, reason := *w.deprecatedInsights(t)["1.37"].InsightStatus.Reason,
		"The API servers in us-east-1c have not told yet which deprecated APIs were called: "+
			"StartInsightsRefresh asks them."; got != reason {
		t.Errorf("got %q", got)
	}
	w.tell(t, "us-east-1c", last)
	want(map[string]types.InsightStatusValue{"1.37": "PASSING"})
	w.tell(t, "us-east-1a", last, calls("v1beta1", "servicecidrs", "", "1.37", last.Add(-time.Hour), 2),
		calls("v1beta2", "deviceclasses", "", "1.39", last, 1))
	w.tell(t, "us-east-1c", last, calls("v1beta1", "servicecidrs", "status", "1.37", last, 3))
	want(map[string]types.InsightStatusValue{"1.37": "ERROR", "1.39": "WARNING"})

	usage := "/apis/networking.k8s.io/v1beta1/servicecidrs"
	got := w.deprecatedInsights(t)["1.37"]
	resources := []types.InsightResourceDetail{{KubernetesResourceUri: &usage,
		InsightStatus: &types.InsightStatus{Status: "ERROR"}}}
	details := []types.DeprecationDetail{{Usage: &usage, StopServingVersion: aws.String("1.37"),
		ReplacedWith:                   aws.String("/apis/networking.k8s.io/v1/servicecidrs"),
		StartServingReplacementVersion: aws.String("1.33"),
		ClientStats:                    []types.ClientStat{{NumberOfRequestsLast30Days: 5, LastRequestTime: &last}}}}
	plain := cmpopts.IgnoreUnexported(types.InsightResourceDetail{}, types.InsightStatus{}, types.DeprecationDetail{},
		types.ClientStat{})
	if diff := cmp.Diff(resources, got.Resources, plain); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(details, got.CategorySpecificSummary.DeprecationDetails, plain); diff != "" {
		t.Errorf("details (-want +got):\n%s", diff)
	}
}

func TestRefreshLastsUntilTheZonesHaveTold(t *testing.T) {
	w := newWorld(t, "API")
	demo := aws.String("demo")
	refresh := func() *eks.DescribeInsightsRefreshOutput {
		t.Helper()
		return must(w.DescribeInsightsRefresh(ctx, &eks.DescribeInsightsRefreshInput{ClusterName: demo}))(t)
	}
	none, err := w.DescribeInsightsRefresh(ctx, &eks.DescribeInsightsRefreshInput{ClusterName: demo})
	wantError(t, none, err, missing)
	if got := must(w.StartInsightsRefresh(ctx,
		&eks.StartInsightsRefreshInput{ClusterName: demo}))(t).Status; got != types.InsightsRefreshStatusInProgress {
		t.Errorf("got %s", got)
	}
	started := *refresh().StartedAt
	w.tell(t, "us-east-1a", started)
	w.tell(t, "us-east-1b", started)
	w.tell(t, "us-east-1c", started.Add(-time.Hour)) // of the refresh before
	if got := refresh(); got.Status != types.InsightsRefreshStatusInProgress || got.EndedAt != nil {
		t.Errorf("while a zone is silent: %+v", got)
	}
	w.tell(t, "us-east-1c", started)
	if got := refresh(); got.Status != types.InsightsRefreshStatusCompleted || got.EndedAt == nil {
		t.Errorf("at the end: %+v", got)
	}

	for _, told := range []struct {
		zone   string
		status types.InsightsRefreshStatus
	}{{"", types.InsightsRefreshStatusFailed}, {"us-east-1b", types.InsightsRefreshStatusCompleted}} {
		if err := w.state.Update(ctx, func(tx *state.Txn) error {
			region.InsightsRefreshes.Put(tx, clusterID, region.InsightsRefresh{StartedAt: time.Now().Add(-time.Minute)})
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for _, zone := range vpc.Zones {
			at := time.Now().Add(-time.Hour)
			if zone == told.zone {
				at = time.Now()
			}
			w.tell(t, zone, at)
		}
		if got := refresh(); got.Status != told.status || got.EndedAt.Sub(*got.StartedAt) != 10*time.Second {
			t.Errorf("a minute later only %q has told: %+v", told.zone, got)
		}
	}
}
