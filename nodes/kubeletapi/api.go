package kubeletapi

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tripod/nodes/kwokusage"
	"tripod/nodes/podfiles"
	"tripod/nodes/podhttp"
	"tripod/nodes/podlogs"
	"tripod/nodes/podset"
)

// Node is what a kubelet knows of its node.
type Node struct {
	Name                  string
	Address               netip.Addr
	ProviderID            string
	Version               string // of the kubelet: "v1.36.2-eks-3025e55"
	Architecture          string // empty is amd64
	Capacity, Allocatable corev1.ResourceList
	Info                  corev1.NodeSystemInfo
	ClusterDNS            string    // address of the cluster's DNS service; empty: 10.100.0.10
	Since                 time.Time // when the kubelet started
}

func (n Node) architecture() string {
	if n.Architecture == "" {
		return "amd64"
	}
	return n.Architecture
}

// Config says for which nodes an API answers.
type Config struct {
	Pods *podset.Set
	HTTP *podhttp.Server
	// Moves has what commands of clients move in containers; nil: they can move nothing.
	Moves *podfiles.Moves
	// Node is the one of that name or address.
	Node func(nameOrAddress string) (Node, bool)
	// Object is a Node object of the zone, as expressions of KWOK's see it; nil, or a nil: it is not known.
	Object func(name string) *corev1.Node
	// KWOK is what KWOK's objects of the cluster say of use; nil: there are none. Change it by API.Declare.
	KWOK *kwokusage.Set
	// Expires is when the kubelets' serving certificate does; nil: it is not known.
	Expires func() (at time.Time, known bool)
	// Server is the API server's host, as the kubelets' requests to it are counted by.
	Server string
	// Only is the zone's node, if it has exactly one.
	Only func() (Node, bool)
	// Admit says whether a node's kubelet does what is asked of it; where not, it has answered. nil: all is done.
	Admit func(w http.ResponseWriter, r *http.Request, node string) bool
	// Source is where the pod's kubelet reads what its containers see; nil: ConfigMaps, Secrets and volumes are not known.
	Source func(*corev1.Pod) Source
	// Network is the network as a pod sees it; nil: commands of clients have none.
	Network func(*corev1.Pod) Network
	// LogFiles are the log files of the node of that name, which WriteLogs writes; nil, or where it returns nil: there are none.
	LogFiles func(node string) *podlogs.Node
	// Wrote is told that a log of a node has grown, and must be quick; nil: nobody is.
	Wrote func(node string, log podlogs.Name)
	// MaxStreams of logs that are followed, exec, attach and port-forward may be open at once; 0 means 1,024.
	MaxStreams int
	Now        func() time.Time // nil is time.Now
	Logger     *slog.Logger
}

// capacity is that of a node; nil: it is not known.
func (c Config) capacity(node string) corev1.ResourceList {
	n, _ := c.Node(node)
	return n.Capacity
}

// API answers for kubelets.
type API struct {
	conf    Config
	usage   *accounts
	tally   *tally
	probed  *probed
	seen    *seen
	files   *logFiles
	streams chan struct{}
	ctx     context.Context // ended by Close
	end     context.CancelFunc
	extra   sync.WaitGroup // goroutines beside the handlers'
}

// New returns an API. It is told of changes of c.Pods.
func New(c Config) *API {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.MaxStreams == 0 {
		c.MaxStreams = 1024
	}
	a := &API{conf: c, usage: newAccounts(c), tally: newTally(), probed: newProbed(), seen: newSeen(),
		streams: make(chan struct{}, c.MaxStreams)}
	a.ctx, a.end = context.WithCancel(context.Background())
	a.files = newLogFiles(a)
	if c.LogFiles != nil {
		c.Pods.OnChange(a.files.changed)
		c.HTTP.Requests().Tell(a.files.answered)
	}
	c.Pods.OnChange(a.changed)
	return a
}

func (a *API) changed(old, current *corev1.Pod) {
	a.usage.changed(old, current, a.conf.Now())
	a.tally.changed(old, current, a.conf.Now())
	a.probed.changed(old, current, a.conf.Now())
	if current == nil {
		a.conf.HTTP.Forget(old.UID)
		a.seen.forget(old.UID)
		a.conf.Moves.Forget(old.UID)
		return
	}
	if old == nil || !maps.Equal(usageAnnotations(old), usageAnnotations(current)) {
		if err := usageError(current); err != nil {
			a.conf.Logger.Warn(err.Error())
		}
	}
}

// Declare makes a change of what Config.KWOK says: what has been used until now stays as it is. Nobody waits while it is read.
func (a *API) Declare(read func(*kwokusage.Set) kwokusage.Change) {
	change := read(a.usage.kwok)
	a.usage.settle(a.conf.Pods.All(), a.conf.Now(), change)
}

// ForgetNode drops what is kept of a node that has gone.
func (a *API) ForgetNode(name string) {
	a.usage.forgetNode(name)
	a.tally.forgetNode(name)
}

// Close ends what is still being answered, as far as it does not depend on a connection. Wait for the handlers after it.
func (a *API) Close() { a.end() }

// Wait returns when no goroutine of the API's is left; the handlers must have returned.
func (a *API) Wait() { a.extra.Wait() }

// Handler has the routes of a kubelet's API, for those whom Config.Admit lets in.
func (a *API) Handler() http.Handler { return a.admitted(a.routes()) }

// Metrics has those of them whose paths begin with /metrics, for who need not be asked about.
func (a *API) Metrics() http.Handler {
	routes := a.routes()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/metrics" && !strings.HasPrefix(r.URL.Path, "/metrics/") {
			http.Error(w, "tripod: "+r.URL.Path+" has no metrics", http.StatusNotFound)
			return
		}
		routes.ServeHTTP(w, r)
	})
}

func (a *API) routes() http.Handler {
	mux := http.NewServeMux()
	say := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }
	}
	mux.HandleFunc("GET /healthz", a.healthz)
	for _, check := range []string{"/healthz/ping", "/healthz/log", "/healthz/syncloop"} {
		mux.HandleFunc("GET "+check, say("ok"))
	}
	mux.HandleFunc("GET /pods", a.pods)
	mux.HandleFunc("GET /pods/", a.pods)
	mux.HandleFunc("GET /runningpods", a.runningPods)
	mux.HandleFunc("GET /runningpods/", a.runningPods)
	mux.HandleFunc("GET /configz", a.configz)
	mux.HandleFunc("GET /stats/summary", a.summary)
	mux.HandleFunc("GET /metrics", a.metricsOf(a.kubeletMetrics))
	mux.HandleFunc("GET /metrics/resource", a.metricsOf(resourceMetrics))
	mux.HandleFunc("GET /metrics/cadvisor", a.metricsOf(cadvisorMetrics))
	mux.HandleFunc("GET /metrics/probes", a.metricsOf(a.probeMetrics))
	mux.HandleFunc("GET /metrics/", a.declaredMetrics)
	mux.HandleFunc("GET /logs/", a.nodeLogs)
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", a.bounded(a.containerLogs))
	for path, handler := range map[string]http.HandlerFunc{"exec": a.exec, "attach": a.attach} {
		mux.HandleFunc("/"+path+"/{namespace}/{pod}/{container}", a.bounded(handler))
		mux.HandleFunc("/"+path+"/{namespace}/{pod}/{uid}/{container}", a.bounded(handler))
	}
	mux.HandleFunc("/portForward/{namespace}/{pod}", a.bounded(a.portForward))
	mux.HandleFunc("/portForward/{namespace}/{pod}/{uid}", a.bounded(a.portForward))
	mux.HandleFunc("/", nothing)
	return mux
}

func nothing(w http.ResponseWriter, r *http.Request) {
	http.Error(w, "tripod: the kubelet of a simulated node has no "+r.URL.Path, http.StatusNotFound)
}

// admitted counts requests, and hands on what Config.Admit lets in.
func (a *API) admitted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, found := a.find(r)
		if found {
			a.tally.served(n.Name, r.Method, r.URL.Path)
			r = r.WithContext(context.WithValue(r.Context(), nodeKey{}, n))
		}
		if a.conf.Admit != nil {
			if _, ok := a.nodeOf(w, r); !ok || !a.conf.Admit(w, r, n.Name) {
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// bounded refuses what would be one stream too many.
func (a *API) bounded(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case a.streams <- struct{}{}:
			defer func() { <-a.streams }()
			next(w, r)
		default:
			http.Error(w, fmt.Sprintf("tripod: %d streams of the zone's pods are open already", cap(a.streams)),
				http.StatusServiceUnavailable)
		}
	}
}

// until returns a context that ends with the request's, and with the API.
func (a *API) until(r *http.Request) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(r.Context())
	stop := context.AfterFunc(a.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// nodeOf is the node that a request is for. Where it is not known, an answer has been given.
func (a *API) nodeOf(w http.ResponseWriter, r *http.Request) (Node, bool) {
	n, ok := r.Context().Value(nodeKey{}).(Node)
	if !ok {
		n, ok = a.find(r)
	}
	if !ok {
		http.Error(w, fmt.Sprintf("tripod: it is not known which node of the zone is meant: none has the address or name %s",
			hostOf(r.Host)), http.StatusNotFound)
	}
	return n, ok
}

// nodeKey is the context's key of the node that a request is for.
type nodeKey struct{}

// find is the node that a request is for: the one whose address the connection was made to, if the listener says so,
// or that the request's Host names. The API server's own requests name it, those that it passes on from its clients
// (nodes/proxy) do not.
func (a *API) find(r *http.Request) (Node, bool) {
	if local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr); local != nil {
		if n, ok := a.conf.Node(hostOf(local.String())); ok {
			return n, true
		}
	}
	if n, ok := a.conf.Node(hostOf(r.Host)); ok {
		return n, true
	}
	return a.conf.Only()
}

// hostOf drops the port, if there is one.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}

func (a *API) healthz(w http.ResponseWriter, r *http.Request) {
	if _, verbose := r.URL.Query()["verbose"]; verbose {
		io.WriteString(w, "[+]ping ok\n[+]log ok\n[+]syncloop ok\nhealthz check passed\n")
		return
	}
	io.WriteString(w, "ok")
}

func (a *API) pods(w http.ResponseWriter, r *http.Request) {
	n, ok := a.nodeOf(w, r)
	if !ok {
		return
	}
	list := corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}, Items: []corev1.Pod{}}
	for _, pod := range a.conf.Pods.OfNode(n.Name) {
		list.Items = append(list.Items, *pod)
	}
	writeJSON(w, list)
}

// runningPods are as a container runtime knows them: names and images, and only containers that run.
func (a *API) runningPods(w http.ResponseWriter, r *http.Request) {
	n, ok := a.nodeOf(w, r)
	if !ok {
		return
	}
	list := corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}, Items: []corev1.Pod{}}
	for _, pod := range a.conf.Pods.OfNode(n.Name) {
		running := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID}}
		for s := range podset.Running(pod) {
			running.Spec.Containers = append(running.Spec.Containers, corev1.Container{Name: s.Name, Image: s.ImageID})
		}
		if len(running.Spec.Containers) > 0 {
			list.Items = append(list.Items, running)
		}
	}
	writeJSON(w, list)
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(value) // the client has gone if this fails
}
