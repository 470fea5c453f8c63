package gateway

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"tripod/internal/link"
)

func TestOpenConnectionsAndLinksAreTold(t *testing.T) {
	g := newTestGateway(t)
	conn, err := g.Dial(t.Context(), "there:1")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	registry, ok := g.config.Registerer.(*prometheus.Registry)
	if !ok {
		t.Fatal("there is no registry")
	}
	shows := func(open, healthy string) {
		t.Helper()
		want := "# HELP tripod_gateway_link_healthy 1 while nothing is wrong with the zone's link to another one.\n" +
			"# TYPE tripod_gateway_link_healthy gauge\n" +
			"tripod_gateway_link_healthy{to=\"us-east-1b\"} " + healthy + "\n" +
			"# HELP tripod_gateway_open_connections Connections through the zone's gateway now, by destination zone.\n" +
			"# TYPE tripod_gateway_open_connections gauge\n" +
			"tripod_gateway_open_connections{to=\"us-east-1b\"} " + open + "\n"
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "tripod_gateway_link_healthy",
			"tripod_gateway_open_connections"); err != nil {
			t.Error(err)
		}
	}
	shows("1", "1")
	g.SetLinks(link.Settings{Number: 1, Links: link.Pairs{"us-east-1b": {Out: link.Effects{{Drop: true}}}}})
	shows("1", "0")
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("names of metrics: %v, %v", problems, err)
	}
}
