package controlplane

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/cache"

	"tripod/apiserver/launch"
	"tripod/az/plan"
	"tripod/internal/pki"
	"tripod/internal/process"
)

// extensions are the APIs that a zone adds to its API server's, which proxies them (kube-aggregator): metrics.k8s.io, and EKS's
// metrics.eks.amazonaws.com. Each zone serves its own API server, and so none is missing where one zone is. What is asked
// for is in all zones, so they ask one another, below zonePath.
type extensions struct {
	part   *Part
	server *http.Server
	access *extensionAccess
	zones  []AskZone         // all, this one too
	peers  []*http.Transport // of the others
	served http.Handler      // to API servers
	idle   func()            // closes what is kept open to the API server
}

// AskZone asks a zone for something of its own, by a path and a query.
type AskZone func(ctx context.Context, path string) (*http.Response, error)

// zonePath is where zones ask one another.
const zonePath = "/zone/"

// patience with another zone: whoever asks would rather know what the others say.
const (
	zoneDial   = 2 * time.Second
	zoneAnswer = 5 * time.Second
)

// startExtensions serves them over TLS on a unix socket behind the gateways.
func (c *Part) startExtensions() error {
	serving, err := c.readPair(launch.Extensions)
	if err != nil {
		return err
	}
	client, err := c.readPair(launch.Administrator)
	if err != nil {
		return err
	}
	calls, err := c.newAPIClient(launch.Administrator)
	if err != nil {
		return err
	}
	bundle := c.trust.Load().bundle
	e := &extensions{part: c, idle: calls.CloseIdleConnections, access: &extensionAccess{
		zones: poolOf(bundle), proxies: poolOf([]byte(c.secrets.FrontProxyCACert)),
		known:   cache.NewLRUExpireCacheWithClock(mostVerdicts, clockOf(c.host.Now)),
		reviews: "https://" + plan.APIServerAddress(c.cluster.EndpointPort, c.index) + reviewsPath, calls: calls}}
	for _, peer := range c.host.Plan.Peers {
		e.zones = append(e.zones, e.askerOf(peer.Zone, bundle, client))
	}
	routes := http.NewServeMux()
	if c.host.ResourceMetrics != nil {
		metrics := c.host.ResourceMetrics(e.zones, c.host.Logger.With("component", "metrics.k8s.io", "cluster", c.cluster.Name))
		routes.Handle("/apis/metrics.k8s.io/", metrics)
		routes.Handle("/apis/metrics.k8s.io", metrics)
	}
	routes.HandleFunc("/apis/metrics.eks.amazonaws.com/", e.componentMetrics)
	routes.HandleFunc("/openapi/v2", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, emptyOpenAPI) })
	routes.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusNotFound, metav1.StatusReasonNotFound, "the server could not find the requested resource")
	})
	e.served = routes
	listener, err := process.ListenUnix(plan.ExtensionsSocket(c.host.Plan.RunDir(), c.cluster.ID))
	if err != nil {
		return err
	}
	e.server = &http.Server{Handler: e, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{serving},
			ClientAuth: tls.RequestClientCert}, // extensionAccess looks at it
		ErrorLog: slog.NewLogLogger(c.host.Logger.Handler(), slog.LevelDebug)}
	go e.server.ServeTLS(listener, "", "") // ends with Close
	c.extensions = e
	return nil
}

// emptyOpenAPI describes nothing: API servers ask for a description again and again where there is none.
const emptyOpenAPI = `{"swagger":"2.0","info":{"title":"Kubernetes","version":"v1"},"paths":{}}`

func (c *Part) readPair(name string) (tls.Certificate, error) {
	pair, err := pki.ReadPair(filepath.Join(c.dir, "pki"), name)
	if err != nil {
		return tls.Certificate{}, err
	}
	return pair.TLS()
}

// askerOf asks a zone: this one in memory, another one by the gateway.
func (e *extensions) askerOf(zone string, bundle []byte, client tls.Certificate) AskZone {
	c := e.part
	if zone == c.host.Plan.Zone {
		return func(ctx context.Context, path string) (*http.Response, error) {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, zonePath+path, nil)
			if err != nil {
				return nil, err
			}
			w := httptest.NewRecorder()
			e.ownZone(w, request)
			return w.Result(), nil
		}
	}
	name := plan.ExtensionsName(zone, c.cluster.ID)
	transport := &http.Transport{MaxIdleConnsPerHost: 2, IdleConnTimeout: 30 * time.Second, TLSHandshakeTimeout: zoneDial,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: poolOf(bundle), ServerName: name,
			Certificates: []tls.Certificate{client}},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, zoneDial)
			defer cancel()
			return c.host.Dial(ctx, name+":443")
		}}
	e.peers = append(e.peers, transport)
	calls := &http.Client{Transport: transport, Timeout: zoneAnswer}
	return func(ctx context.Context, path string) (*http.Response, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+name+zonePath+path, nil)
		if err != nil {
			return nil, err
		}
		return calls.Do(request)
	}
}

func (e *extensions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	certificates := []*x509.Certificate(nil)
	if r.TLS != nil {
		certificates = r.TLS.PeerCertificates
	}
	if strings.HasPrefix(r.URL.Path, zonePath) {
		if !e.access.isZone(certificates) {
			refuse(w, http.StatusUnauthorized, metav1.StatusReasonUnauthorized, "Unauthorized")
			return
		}
		e.ownZone(w, r)
		return
	}
	if e.access.admit(w, r, certificates) {
		e.served.ServeHTTP(w, r)
	}
}

// ownZone answers what zones ask of this one.
func (e *extensions) ownZone(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, zonePath)
	switch component, isComponent := strings.CutPrefix(path, componentsPath); {
	case isComponent:
		e.ownComponent(w, r, component)
	case path == "nodes" || path == "pods":
		workers := e.part.Nodes()
		if workers == nil {
			return // no nodes, no metrics
		}
		workers.Metrics().ServeHTTP(w, r)
	default:
		http.NotFound(w, r)
	}
}

// stop ends them; of a part that has none it does nothing.
func (e *extensions) stop() error {
	if e == nil {
		return nil
	}
	err := e.server.Close()
	for _, peer := range e.peers {
		peer.CloseIdleConnections()
	}
	e.idle()
	return err
}

// errNobodyLeads is what is told while a component has no leader.
var errNobodyLeads = errors.New("no instance leads")

// clockOf is the zone's clock, as caches ask for it.
type clockOf func() time.Time

// Now is a cache.Clock's.
func (now clockOf) Now() time.Time { return now() }

// refuse answers with a Status of Kubernetes.
func refuse(w http.ResponseWriter, code int32, reason metav1.StatusReason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(int(code))
	json.NewEncoder(w).Encode(metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure,
		Message: message, Reason: reason, Code: code}) // the client has gone if this fails
}

func writeJSON(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, text) // the client has gone if this fails
}
