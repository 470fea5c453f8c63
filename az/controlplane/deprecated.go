package controlplane

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"tripod/internal/reconcile"
	"tripod/region"
	"tripod/state"
)

// readingEvery is how often a zone reads its API server's counts without being asked: EKS refreshes its insights as
// often.
const readingEvery = 24 * time.Hour

// keepReading keeps the record of the calls to deprecated APIs that the zone's API server has counted, for the
// cluster's insights. It is read anew when somebody asks for a refresh, and once a day. What an API server counts
// between the last reading and its end is lost.
func (c *Part) keepReading(ctx context.Context) (time.Duration, error) {
	refresh, wait := c.nextReading()
	if wait > 0 {
		return wait, nil
	}
	return reconcile.Now, c.readDeprecated(ctx, refresh)
}

// nextReading says how long it is until the next reading, and which refresh that answers.
func (c *Part) nextReading() (refresh time.Time, wait time.Duration) {
	c.host.State.View(func(tx *state.Txn) error {
		last, read := region.DeprecatedReadings.Get(tx, c.readingKey())
		if !read {
			last.ReadAt = c.cluster.CreatedAt
		}
		wait = last.ReadAt.Add(readingEvery).Sub(c.host.Now())
		asked, _ := region.InsightsRefreshes.Get(tx, c.cluster.ID)
		if refresh = asked.StartedAt; !refresh.Equal(last.Refresh) {
			wait = 0
		}
		return nil
	})
	return refresh, wait
}

func (c *Part) readingKey() string {
	return region.DeprecatedReadingKey(c.cluster.ID, c.host.Plan.Zone)
}

// readDeprecated asks the API server, once there is one that is ready, and notes what it says.
func (c *Part) readDeprecated(ctx context.Context, refresh time.Time) error {
	select {
	case <-c.apiserver.Readiness():
	case <-ctx.Done():
		return ctx.Err()
	}
	at := c.host.Now().UTC()
	counts, err := c.deprecatedCounts(ctx)
	if err != nil {
		return err
	}
	return c.host.State.Update(ctx, func(tx *state.Txn) error {
		if record, found := region.Clusters.Get(tx, c.cluster.ID); !found || record.Status == region.ClusterDeleting {
			return fmt.Errorf("cluster %s is gone", c.cluster.Name)
		}
		reading, _ := region.DeprecatedReadings.Get(tx, c.readingKey())
		region.DeprecatedReadings.Put(tx, c.readingKey(), region.DeprecatedReading{
			Zone: c.host.Plan.Zone, ReadAt: at, Refresh: refresh, Calls: noteCounts(reading.Calls, counts, at),
		})
		return nil
	})
}

// noteCounts are the known calls after another reading.
func noteCounts(known []region.DeprecatedCalls, counts map[region.DeprecatedAPI]int64,
	at time.Time) (noted []region.DeprecatedCalls) {
	all := map[region.DeprecatedAPI]region.DeprecatedCalls{}
	for _, calls := range known {
		all[calls.API] = calls
	}
	for api := range counts {
		calls := all[api]
		calls.API = api
		all[api] = calls
	}
	for _, api := range slices.SortedFunc(maps.Keys(all), compareAPIs) {
		calls := all[api]
		calls.Count(counts[api], at)
		if calls.Counter > 0 || len(calls.Found) > 0 {
			noted = append(noted, calls)
		}
	}
	return noted
}

func compareAPIs(a, b region.DeprecatedAPI) int {
	return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Resource, b.Resource),
		cmp.Compare(a.Subresource, b.Subresource), cmp.Compare(a.Removed, b.Removed))
}

// deprecatedCounts are the requests for deprecated APIs that the API server has answered since its start. One of its
// metrics says which APIs these are, another one counts the requests of all.
func (c *Part) deprecatedCounts(ctx context.Context) (map[region.DeprecatedAPI]int64, error) {
	var families map[string]*dto.MetricFamily
	err := c.apiserver.ReadMetrics(ctx, func(text io.Reader) (err error) {
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err = parser.TextToMetricFamilies(text)
		return err
	})
	if err != nil {
		return nil, err
	}
	requests := map[region.DeprecatedAPI]int64{} // none of these says when it is removed
	for _, metric := range families["apiserver_request_total"].GetMetric() {
		requests[apiOf(metric.GetLabel())] += int64(metric.GetCounter().GetValue())
	}
	counts := map[region.DeprecatedAPI]int64{}
	for _, metric := range families["apiserver_requested_deprecated_apis"].GetMetric() {
		api := apiOf(metric.GetLabel())
		counted := api
		counted.Removed = ""
		counts[api] = max(1, requests[counted])
	}
	return counts, nil
}

func apiOf(labels []*dto.LabelPair) (api region.DeprecatedAPI) {
	for _, label := range labels {
		switch label.GetName() {
		case "group":
			api.Group = label.GetValue()
		case "version":
			api.Version = label.GetValue()
		case "resource":
			api.Resource = label.GetValue()
		case "subresource":
			api.Subresource = label.GetValue()
		case "removed_release":
			api.Removed = label.GetValue()
		}
	}
	return api
}
