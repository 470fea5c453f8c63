package controlplane

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tripod/apiserver/launch"
	"tripod/az/instance"
	"tripod/az/plan"
	"tripod/internal/pki"
)

// extendedPart is a zone's part that serves its extensions: metrics.k8s.io answers who asks. The API server's reviews are the
// test's.
func extendedPart(t *testing.T, reviews http.HandlerFunc) *Part {
	t.Helper()
	host := newHost(t)
	host.ResourceMetrics = func(zones []AskZone, _ *slog.Logger) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "metrics of "+r.Header.Get("X-Remote-User"))
		})
	}
	c := partOf(t, host)
	if err := c.writePKI(); err != nil {
		t.Fatal(err)
	}
	if err := c.startExtensions(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.extensions.stop(); err != nil {
			t.Error(err)
		}
	})
	server := httptest.NewServer(reviews)
	t.Cleanup(server.Close)
	c.extensions.access.reviews, c.extensions.access.calls = server.URL, server.Client()
	return c
}

// asking is a client of the extensions with the certificate of that name; empty: it has none.
func asking(t *testing.T, c *Part, as string) *http.Client {
	t.Helper()
	settings := &tls.Config{RootCAs: poolOf(c.trust.Load().bundle), ServerName: plan.ExtensionsName(c.host.Plan.Zone, c.cluster.ID)}
	if as != "" {
		pair, err := pki.ReadPair(filepath.Join(c.dir, "pki"), as)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := pair.TLS()
		if err != nil {
			t.Fatal(err)
		}
		settings.Certificates = []tls.Certificate{cert}
	}
	transport := &http.Transport{TLSClientConfig: settings, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", plan.ExtensionsSocket(c.host.Plan.RunDir(), c.cluster.ID))
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

func ask(t *testing.T, client *http.Client, path string, header http.Header) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://extensions"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		request.Header = header
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func user(name string, groups ...string) http.Header {
	return http.Header{"X-Remote-User": {name}, "X-Remote-Group": groups, "X-Remote-Extra-Scopes%2fA": {"x"}}
}

func TestOnlyTheFrontProxySaysForWhomItAsks(t *testing.T) {
	c := extendedPart(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"status":{"allowed":true}}`) })
	for _, one := range []struct {
		as     string
		header http.Header
		status int
		want   string
	}{
		{launch.FrontProxyClient, user("dev"), 200, "metrics of dev"},
		{launch.FrontProxyClient, nil, 401, `"reason":"Unauthorized"`},
		{launch.Administrator, user("dev", "system:masters"), 401, `"reason":"Unauthorized"`},
		{launch.KubeletClient, user("dev"), 401, `"reason":"Unauthorized"`},
		{"", user("dev"), 401, `"reason":"Unauthorized"`},
	} {
		if status, body := ask(t, asking(t, c, one.as), "/apis/metrics.k8s.io/v1beta1/nodes", one.header); status != one.status ||
			!strings.Contains(body, one.want) {
			t.Errorf("as %q for %v: got %d %s, want %d %s", one.as, one.header, status, body, one.status, one.want)
		}
	}
}

func TestTheAPIServerSaysWhoMayHaveWhat(t *testing.T) {
	var asked []string
	c := extendedPart(t, func(w http.ResponseWriter, r *http.Request) {
		var review struct{ Spec json.RawMessage }
		json.NewDecoder(r.Body).Decode(&review)
		asked = append(asked, string(review.Spec))
		allowed := strings.Contains(string(review.Spec), `"namespace":"shop"`)
		json.NewEncoder(w).Encode(map[string]any{"status": map[string]any{"allowed": allowed}})
	})
	client := asking(t, c, launch.FrontProxyClient)
	for path, want := range map[string]string{
		"/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods": "metrics of dev",
		"/apis/metrics.k8s.io/v1beta1/namespaces/data/pods": `pods.metrics.k8s.io is forbidden: User \"dev\" cannot list resource \"pods\" in ` +
			`API group \"metrics.k8s.io\" in the namespace \"data\"`,
		"/apis/metrics.eks.amazonaws.com/v1/ksh/container/metrics": `ksh.metrics.eks.amazonaws.com \"container\" is forbidden: User \"dev\" ` +
			`cannot get resource \"ksh/metrics\" in API group \"metrics.eks.amazonaws.com\" at the cluster scope`,
		"/openapi/v2": `forbidden: User \"dev\" cannot get path \"/openapi/v2\"`,
	} {
		if _, body := ask(t, client, path, user("dev", "team")); !strings.Contains(body, want) {
			t.Errorf("%s: got %s, want %s", path, body, want)
		}
	}
	before := len(asked)
	ask(t, client, "/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods", user("dev", "team"))
	if len(asked) != before {
		t.Errorf("asked again for %s", asked[before:])
	}
	ask(t, client, "/apis/metrics.k8s.io/v1beta1/nodes", user("admin", "system:masters"))
	if len(asked) != before {
		t.Errorf("asked for an administrator: %s", asked[before:])
	}
	if want := `"user":"dev","groups":["team","system:authenticated"],"extra":{"scopes/a":["x"]}`; !strings.Contains(asked[0], want) {
		t.Errorf("asked %s, want %s", asked[0], want)
	}
}

func TestZonesAskOneAnotherByTheirOwnCertificates(t *testing.T) {
	c := extendedPart(t, func(w http.ResponseWriter, _ *http.Request) { t.Error("the API server is asked") })
	c.workers = fakeWorkers{}
	if status, body := ask(t, asking(t, c, launch.Administrator), "/zone/nodes", nil); status != 404 || !strings.Contains(body, "404") {
		t.Errorf("a zone gets %d %s, want what its workers answer", status, body)
	}
	for _, as := range []string{"", launch.FrontProxyClient, launch.KubeletClient} {
		if status, _ := ask(t, asking(t, c, as), "/zone/nodes", user("x", "system:masters")); status != 401 {
			t.Errorf("as %q: got %d, want 401", as, status)
		}
	}
}

func TestComponentsMetricsAreToldApartByName(t *testing.T) {
	const text = "# HELP scheduler_pending_pods [STABLE] Pods\n# TYPE scheduler_pending_pods gauge\n" +
		"scheduler_pending_pods{queue=\"active\"} 0\n" +
		"# HELP workqueue_depth x\n# TYPE workqueue_depth gauge\nworkqueue_depth 1\n# TYPE go_goroutines gauge\ngo_goroutines 7\n"
	for name, want := range map[string]string{
		"ksh/container/metrics": "# HELP scheduler_pending_pods [STABLE] Pods\n# TYPE scheduler_pending_pods gauge\n" +
			"scheduler_pending_pods{queue=\"active\"} 0\n# TYPE go_goroutines gauge\ngo_goroutines 7\n",
		"kcm/container/metrics": "# HELP workqueue_depth x\n# TYPE workqueue_depth gauge\nworkqueue_depth 1\n" +
			"# TYPE go_goroutines gauge\ngo_goroutines 7\n",
	} {
		var got strings.Builder
		if err := instance.CopyFamilies(&got, strings.NewReader(text), components[name].has); err != nil || got.String() != want {
			t.Errorf("%s: got %s (%v), want %s", name, &got, err, want)
		}
	}
}

func TestComponentsThatLeadNowhereAreUnavailable(t *testing.T) {
	c := extendedPart(t, func(http.ResponseWriter, *http.Request) {})
	client := asking(t, c, launch.FrontProxyClient)
	admin := user("admin", "system:masters")
	for path, want := range map[string]string{
		"/apis/metrics.eks.amazonaws.com/v1/kcm/container/metrics": `cannot be had now: no instance leads","reason":"ServiceUnavailable","code":503`,
		"/apis/metrics.eks.amazonaws.com/v1/etcd/metrics":          "the server could not find the requested resource",
		"/apis/metrics.eks.amazonaws.com/v1":                       `"groupVersion":"metrics.eks.amazonaws.com/v1","resources":[]`,
		"/apis/other.example.com/v1":                               "the server could not find the requested resource",
	} {
		if _, body := ask(t, client, path, admin); !strings.Contains(body, want) {
			t.Errorf("%s: got %s, want %s", path, body, want)
		}
	}
}
