package az

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod/api"
	"tripod/az/zonetest"
	"tripod/region"
	"tripod/state"
)

// deprecatedMetrics is what an API server serves after calls of ServiceCIDRs of v1beta1, %d of them GETs, and of a
// deprecated custom resource.
const deprecatedMetrics = `# TYPE apiserver_requested_deprecated_apis gauge
apiserver_requested_deprecated_apis{group="networking.k8s.io",removed_release="1.37",resource="servicecidrs",subresource="",version="v1beta1"} 1
apiserver_requested_deprecated_apis{group="example.com",removed_release="",resource="things",subresource="status",version="v1"} 1
# TYPE apiserver_request_total counter
apiserver_request_total{code="200",component="apiserver",dry_run="",group="networking.k8s.io",resource="servicecidrs",scope="resource",subresource="",verb="GET",version="v1beta1"} %d
apiserver_request_total{code="201",component="apiserver",dry_run="",group="networking.k8s.io",resource="servicecidrs",scope="resource",subresource="",verb="POST",version="v1beta1"} 1
apiserver_request_total{code="200",component="apiserver",dry_run="",group="networking.k8s.io",resource="servicecidrs",scope="resource",subresource="",verb="GET",version="v1"} 70
`

// serveMetrics answers in the place of the zone's API server.
func serveMetrics(t *testing.T, z *testZone, write func(io.Writer)) {
	t.Helper()
	listener, err := net.Listen("unix", z.config.Socket("apiserver-"+zonetest.ClusterID[:8]))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { write(w) }))
	server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
}

func (z *testZone) reading() (reading region.DeprecatedReading, found bool) {
	z.voter.View(func(tx *state.Txn) error {
		reading, found = region.DeprecatedReadings.Get(tx, region.DeprecatedReadingKey(zonetest.ClusterID, z.config.Zone))
		return nil
	})
	return reading, found
}

func TestRefreshReadsWhatTheAPIServerHasCounted(t *testing.T) {
	z := newTestZone(t)
	if err := z.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	z.found(t, func(c *region.Cluster) { c.CreatedAt = time.Now() })
	var gets atomic.Int64
	gets.Store(2)
	serveMetrics(t, z, func(w io.Writer) { fmt.Fprintf(w, deprecatedMetrics, gets.Load()) })
	z.await(t, "apiserver/a", api.StateReady)
	if reading, found := z.reading(); found {
		t.Errorf("nobody has asked: %+v", reading)
	}
	refreshed := func(started time.Time) (reading region.DeprecatedReading) {
		t.Helper()
		if err := z.voter.Update(t.Context(), func(tx *state.Txn) error {
			region.InsightsRefreshes.Put(tx, zonetest.ClusterID, region.InsightsRefresh{StartedAt: started})
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		zonetest.Eventually(t, "the refresh is answered", func() bool {
			reading, _ = z.reading()
			return reading.Refresh.Equal(started)
		}, func() any { return reading })
		return reading
	}
	first := refreshed(time.Now().UTC())
	gets.Store(6)
	second := refreshed(time.Now().UTC().Add(-time.Hour)) // the clock was set back
	things := region.DeprecatedCalls{API: region.DeprecatedAPI{Group: "example.com", Version: "v1", Resource: "things",
		Subresource: "status"}, Counter: 1}
	cidrs := region.DeprecatedCalls{API: region.DeprecatedAPI{Group: "networking.k8s.io", Version: "v1beta1",
		Resource: "servicecidrs", Removed: "1.37"}, Counter: 7}
	totals := func(calls []region.DeprecatedCalls) (totals []int64) {
		for _, c := range calls {
			total := int64(0)
			for _, found := range c.Found {
				total += found.Calls
			}
			totals = append(totals, total)
		}
		return totals
	}
	if diff := cmp.Diff([]int64{1, 3}, totals(first.Calls)); diff != "" {
		t.Errorf("calls at first (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int64{1, 7}, totals(second.Calls)); diff != "" {
		t.Errorf("calls in all (-want +got):\n%s", diff)
	}
	for i := range second.Calls {
		second.Calls[i].Found = nil
	}
	if diff := cmp.Diff([]region.DeprecatedCalls{things, cidrs}, second.Calls); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestCountsAreReadWithoutBeingAskedOnceADay(t *testing.T) {
	z := newTestZone(t)
	if err := z.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var reads atomic.Int64
	serveMetrics(t, z, func(io.Writer) { reads.Add(1) })
	z.found(t, func(c *region.Cluster) { c.CreatedAt = time.Now().Add(-24 * time.Hour) })
	zonetest.Eventually(t, "a reading", func() bool { _, found := z.reading(); return found },
		func() any { return z.states() })
	if reads.Load() != 1 {
		t.Errorf("it was read %d times", reads.Load())
	}
	if reading, _ := z.reading(); len(reading.Calls) > 0 || !reading.Refresh.IsZero() {
		t.Errorf("got %+v", reading)
	}
}
