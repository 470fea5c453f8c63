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
	began := time.Now().Truncate(time.Minute).Add(-10 * time.Minute)
	var minutes, reads atomic.Int64 // minutes that have passed: the question comes within the first one
	z.now = func() time.Time { return began.Add(time.Duration(minutes.Load())*time.Minute + 30*time.Second) }
	if err := z.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	z.found(t, func(c *region.Cluster) { c.CreatedAt = time.Now() }) // its counts of deprecated calls are read in a day
	serveMetrics(t, z, func(w io.Writer) {
		fmt.Fprintf(w, deprecatedMetrics, 2+4*minutes.Load())
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
	var points []metricdata.Point
	polls := 0
	zonetest.Eventually(t, "a minute's data", func() bool {
		ask()
		if polls++; polls%500 == 0 { // the zone has looked meanwhile
			minutes.Add(1)
		}
		points = of("apiserver_request_total")
		return len(points) > 0
	}, func() any { return z.states() })
	if len(points) != 1 || points[0].Time == began.Unix() || points[0].Sum != 4 || reads.Load() < 2 {
		t.Errorf("got %+v of %d readings, want the 4 calls of a whole minute behind the first reading", points, reads.Load())
	}
}
