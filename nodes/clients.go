package nodes

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/connrotation"
	"k8s.io/klog/v2"
)

// callTimeout bounds each request but watches: an API server that is paused, not dead, must not hold a lease's
// renewal beyond the next one.
const callTimeout = 8 * time.Second

// clients of the API server. Watches have their own connection, so that a request that hangs and is given up does
// not take them along, and because they have no timeout.
type clients struct {
	calls, watches kubernetes.Interface // of the kubelet that as names
	dynamic        dynamic.Interface    // of what is not a node's to do, for watches of what may not be there; nil in tests
	administrator  kubernetes.Interface // likewise, of what kube-proxy watches
	reconnect      func()               // closes the connections: for when a server behind the balancer has gone silent
}

func newClients(c Config, nodes *roster) (*clients, error) {
	dialer := connrotation.NewDialer(c.Dial)
	reach := &reach{log: c.Logger, server: c.Server}
	tokens := newNodeTokens(nodes, c.Token)
	kubelets := &rest.Config{
		Host:            c.Server,
		TLSClientConfig: rest.TLSClientConfig{CAData: c.CA},
		UserAgent:       "kubelet (linux/amd64) tripod-" + c.Zone,
		ContentConfig: rest.ContentConfig{
			AcceptContentTypes: "application/vnd.kubernetes.protobuf,application/json",
			ContentType:        "application/vnd.kubernetes.protobuf",
		},
		QPS:   -1, // the server's priority and fairness is the limit
		Dial:  dialer.DialContext,
		Proxy: func(*http.Request) (*url.URL, error) { return nil, nil },
		WrapTransport: func(next http.RoundTripper) http.RoundTripper {
			return reach.wrap(&signIn{next: next, tokens: tokens})
		},
	}
	calls := rest.CopyConfig(kubelets)
	calls.Timeout = callTimeout
	cloud := rest.CopyConfig(kubelets)
	cloud.CertData, cloud.KeyData, cloud.WrapTransport, cloud.UserAgent = c.CloudCert, c.CloudKey, nil, "tripod-"+c.Zone
	cloud.ContentConfig = rest.ContentConfig{}
	made := &clients{reconnect: dialer.CloseAll}
	for conf, client := range map[*rest.Config]*kubernetes.Interface{kubelets: &made.watches, calls: &made.calls} {
		var err error
		if *client, err = kubernetes.NewForConfig(conf); err != nil {
			return nil, err
		}
	}
	var err error
	if made.dynamic, err = dynamic.NewForConfig(cloud); err != nil {
		return nil, err
	}
	services := rest.CopyConfig(cloud)
	services.UserAgent, services.ContentConfig = "kube-proxy tripod-"+c.Zone, kubelets.ContentConfig
	made.administrator, err = kubernetes.NewForConfig(services)
	return made, err
}

// reach tells the log when the API server goes out of reach of the kubelets, or refuses them, and when it is back,
// instead of every failure.
type reach struct {
	log    *slog.Logger
	server string

	mu   sync.Mutex
	away string // why; empty: it is not
}

// wrap makes a transport report to r.
func (r *reach) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(req)
		switch {
		case req.Context().Err() != nil:
		case errors.Is(err, errSignIn):
			r.note("is not asked", err)
		case err != nil:
			r.note("cannot be reached", err)
		case resp.StatusCode == http.StatusUnauthorized:
			r.note("does not let the nodes in: see 'tripod logs authenticator/...'", nil)
		default:
			r.note("", nil)
		}
		return resp, err
	})
}

func (r *reach) note(away string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if away == r.away {
		return
	}
	if r.away = away; away != "" {
		r.log.Warn("API server "+away+"; nodes keep trying", "server", r.server, "err", err)
	} else {
		r.log.Info("API server is back", "server", r.server)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// withQuietLogs makes Kubernetes' libraries, which log each failed attempt, log at debug level to log.
func withQuietLogs(ctx context.Context, log *slog.Logger) context.Context {
	return klog.NewContext(ctx, logr.FromSlogHandler(debugHandler{log.Handler()}))
}

// debugHandler makes every record one of debug level.
type debugHandler struct{ slog.Handler }

func (h debugHandler) Enabled(ctx context.Context, _ slog.Level) bool {
	return h.Handler.Enabled(ctx, slog.LevelDebug)
}

func (h debugHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level = slog.LevelDebug; !h.Enabled(ctx, r.Level) { // logr does not ask before errors
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

func (h debugHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return debugHandler{h.Handler.WithAttrs(attrs)}
}

func (h debugHandler) WithGroup(name string) slog.Handler {
	return debugHandler{h.Handler.WithGroup(name)}
}
