package az

import (
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"tripod/api"
	"tripod/awsapi/cloudwatch"
	"tripod/awsapi/cloudwatch/metricdata"
	"tripod/az/zonetest"
	"tripod/region"
	"tripod/state"
)

// TestEKSMetricsAreWrittenEachMinuteOnceSomebodyAsks: what the API server has counted in it.
func TestEKSMetricsAreWrittenEachMinuteOnceSomebodyAsks(t *testing.T) {
	z := newTestZone(t)
	began := time.Now().Truncate(time.Minute).Add(-time.Minute)
	var clock, calls, reads atomic.Int64 // the clock are seconds
	clock.Store(30)
	calls.Store(2)
	z.now = func() time.Time { return began.Add(time.Duration(clock.Load()) * time.Second) }
	if err := z.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	z.found(t, func(c *region.Cluster) { c.CreatedAt = time.Now() }) // its counts of deprecated calls are read in a day
	serveMetrics(t, z, func(w io.Writer) {
		fmt.Fprintf(w, deprecatedMetrics, calls.Load())
		reads.Add(1)
	})
	z.await(t, "apiserver/a", api.StateReady)
	ask := func() {
		t.Helper()
		if err := z.voter.Update(t.Context(), func(tx *state.Txn) error {
			cloudwatch.Want(tx, metricdata.EKS, z.now())
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	of := func(name string) []metricdata.Point {
		points, err := z.metrics.Merged(metricdata.NewMetric(metricdata.EKS, name, []metricdata.Dimension{{Name: "ClusterName", Value: "demo"}}),
			"", metricdata.Span{From: began.Unix(), To: began.Add(time.Hour).Unix(), Period: 60})
		if err != nil {
			t.Fatal(err)
		}
		return points
	}
	zonetest.Eventually(t, "a first reading", func() bool { ask(); return reads.Load() > 0 }, func() any { return z.states() })
	calls.Store(6)
	clock.Store(60)
	var points []metricdata.Point
	zonetest.Eventually(t, "a minute's data", func() bool {
		ask()
		points = of("apiserver_request_total")
		return len(points) > 0
	}, func() any { return z.states() })
	if len(points) != 1 || points[0].Time != began.Unix() || points[0].Sum != 4 {
		t.Errorf("got %+v, want 4 calls in the minute that has ended", points)
	}
}
