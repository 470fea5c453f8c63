package nodes

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/go-logr/logr"
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
	calls     kubernetes.Interface
	watches   kubernetes.Interface
	reconnect func() // closes the connections: for when a server behind the balancer has gone silent
	close     func() // closes idle connections for good
}

func newClients(c Config) (*clients, error) {
	dialer := connrotation.NewDialer(c.Dial)
	reach := &reach{log: c.Logger, server: c.Server}
	conf := &rest.Config{
		Host:            c.Server,
		TLSClientConfig: rest.TLSClientConfig{CAData: c.CA, CertData: c.ClientCert, KeyData: c.ClientKey},
		UserAgent:       "kubelet/" + c.KubernetesVersion + " (linux/amd64) tripod-" + c.Zone,
		ContentConfig: rest.ContentConfig{
			AcceptContentTypes: "application/vnd.kubernetes.protobuf,application/json",
			ContentType:        "application/vnd.kubernetes.protobuf",
		},
		QPS:           -1, // the server's priority and fairness is the limit
		Dial:          dialer.DialContext,
		Proxy:         func(*http.Request) (*url.URL, error) { return nil, nil },
		WrapTransport: reach.wrap,
	}
	watches, err := kubernetes.NewForConfig(conf)
	if err != nil {
		return nil, err
	}
	callConf := rest.CopyConfig(conf)
	callConf.Timeout = callTimeout
	calls, err := kubernetes.NewForConfig(callConf)
	if err != nil {
		return nil, err
	}
	return &clients{calls: calls, watches: watches, reconnect: dialer.CloseAll, close: dialer.CloseAll}, nil
}

// reach tells the log when the API server goes out of reach and when it is back, instead of every failure.
type reach struct {
	log    *slog.Logger
	server string

	mu   sync.Mutex
	away bool
}

// wrap makes a transport report to r.
func (r *reach) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(req)
		if req.Context().Err() == nil {
			r.note(err)
		}
		return resp, err
	})
}

func (r *reach) note(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if away := err != nil; away != r.away {
		r.away = away
		if away {
			r.log.Warn("API server cannot be reached, nodes keep trying", "server", r.server, "err", err)
		} else {
			r.log.Info("API server is back", "server", r.server)
		}
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
