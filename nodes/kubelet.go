package nodes

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// kubelet is the HTTPS server that all of a zone's nodes share.
type kubelet struct {
	sim      *Simulator
	server   *http.Server
	started  time.Time
	handlers sync.WaitGroup // requests that are being answered, also on connections that were taken over

	mu     sync.Mutex
	conns  map[net.Conn]struct{} // all that are open: a taken-over one is not the http.Server's any more
	closed bool
}

// ServeKubelet answers the API servers' requests to this zone's kubelets on l, which hands over connections to any of
// its nodes' port 10250 (a connection's LocalAddr may be the node's address, which then says which node it is). Only
// clients with a certificate of Config.ClientCAs are spoken to. It returns nil after Stop, when every request has
// ended, and l's error when l fails; l is closed then.
func (s *Simulator) ServeKubelet(l net.Listener) error {
	k := &kubelet{sim: s, started: time.Now(), conns: map[net.Conn]struct{}{}}
	k.server = &http.Server{
		Handler:           k.counted(k.routes()),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       90 * time.Second,
		ErrorLog:          slog.NewLogLogger(s.conf.Logger.Handler(), slog.LevelDebug), // handshakes that fail
		// HTTP/1.1 alone: exec, attach and port-forward take the connection over.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	stop := sync.OnceFunc(k.close)
	s.mu.Lock()
	s.servers[k] = stop
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.servers, k)
		s.mu.Unlock()
	}()

	err := k.server.Serve(tls.NewListener(tracked{l, k}, &tls.Config{
		GetCertificate: s.certificate(),
		ClientAuth:     tls.RequireAndVerifyClientCert,
		ClientCAs:      s.conf.ClientCAs,
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
	}))
	stop()
	k.handlers.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("kubelets of %s: %w", s.conf.Zone, err)
}

// close ends the server and every connection it ever accepted.
func (k *kubelet) close() {
	k.server.Close()
	k.mu.Lock()
	k.closed = true
	conns := k.conns
	k.conns = nil
	k.mu.Unlock()
	for conn := range conns {
		conn.Close()
	}
}

// counted makes close able to wait for requests.
func (k *kubelet) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.handlers.Add(1)
		defer k.handlers.Done()
		next.ServeHTTP(w, r)
	})
}

// tracked is a listener that knows its open connections.
type tracked struct {
	net.Listener
	kubelet *kubelet
}

func (t tracked) Accept() (net.Conn, error) {
	conn, err := t.Listener.Accept()
	if err != nil {
		return nil, err
	}
	k := t.kubelet
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		conn.Close()
		return nil, http.ErrServerClosed
	}
	k.conns[conn] = struct{}{}
	return &trackedConn{Conn: conn, kubelet: k}, nil
}

type trackedConn struct {
	net.Conn
	kubelet *kubelet
}

func (c *trackedConn) Close() error {
	c.kubelet.mu.Lock()
	delete(c.kubelet.conns, c.Conn)
	c.kubelet.mu.Unlock()
	return c.Conn.Close()
}

// routes of a kubelet's API.
func (k *kubelet) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	mux.HandleFunc("GET /pods", k.pods)
	mux.HandleFunc("GET /stats/summary", k.summary)
	mux.HandleFunc("GET /metrics/resource", k.resourceMetrics)
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", k.logs)
	for _, prefix := range []string{"/exec/{namespace}/{pod}/{container}", "/exec/{namespace}/{pod}/{uid}/{container}"} {
		mux.HandleFunc(prefix, k.exec)
	}
	for _, prefix := range []string{"/attach/{namespace}/{pod}/{container}",
		"/attach/{namespace}/{pod}/{uid}/{container}"} {
		mux.HandleFunc(prefix, k.attach)
	}
	for _, prefix := range []string{"/portForward/{namespace}/{pod}", "/portForward/{namespace}/{pod}/{uid}"} {
		mux.HandleFunc(prefix, k.portForward)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "tripod: the kubelet of a simulated node has no "+r.URL.Path, http.StatusNotFound)
	})
	return mux
}

// logs answers at once, also with follow: a process that runs and says nothing more would keep kubectl waiting.
func (k *kubelet) logs(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "tripod: pod %s/%s runs on a simulated node; it has no output.\n", r.PathValue("namespace"),
		r.PathValue("pod"))
}

// node is the one that the request is for, and its pods: the one whose address the connection was made to, if the
// listener says so, or that the request's Host names. The API server's own requests name it, those that it passes on
// from its clients (nodes/proxy) do not: then it is the zone's only node, or "" and the pods of all.
func (k *kubelet) node(r *http.Request) (string, []*corev1.Pod) {
	z := k.sim.current()
	if z == nil {
		return "", nil
	}
	n, found := z.roster.only()
	if !found {
		n, found = z.roster.named(hostOf(r.Host))
	}
	for _, address := range []any{r.Host, r.Context().Value(http.LocalAddrContextKey)} {
		if addr, err := netip.ParseAddr(hostOf(fmt.Sprint(address))); err == nil && !found {
			n, found = z.roster.at(addr)
		}
	}
	if !found {
		return "", z.player.podsOf("")
	}
	return n.name, z.player.podsOf(n.name)
}

// hostOf drops the port, if there is one.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}

func (k *kubelet) pods(w http.ResponseWriter, r *http.Request) {
	_, pods := k.node(r)
	list := corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}, Items: []corev1.Pod{}}
	for _, pod := range pods {
		list.Items = append(list.Items, *pod)
	}
	writeJSON(w, list)
}

// summary has the members that readers of the kubelet's summary look for, at rest.
func (k *kubelet) summary(w http.ResponseWriter, r *http.Request) {
	name, pods := k.node(r)
	now := time.Now().UTC().Truncate(time.Second)
	usage := func() map[string]any {
		return map[string]any{
			"cpu":    map[string]any{"time": now, "usageNanoCores": 0, "usageCoreNanoSeconds": 0},
			"memory": map[string]any{"time": now, "usageBytes": 0, "workingSetBytes": 0, "rssBytes": 0},
		}
	}
	node := usage()
	node["nodeName"], node["startTime"] = name, k.started.UTC()
	stats := []any{}
	for _, pod := range pods {
		one := usage()
		one["podRef"] = map[string]any{"name": pod.Name, "namespace": pod.Namespace, "uid": pod.UID}
		one["startTime"] = pod.Status.StartTime
		containers := []any{}
		for _, c := range pod.Spec.Containers {
			container := usage()
			container["name"], container["startTime"] = c.Name, pod.Status.StartTime
			containers = append(containers, container)
		}
		one["containers"] = containers
		stats = append(stats, one)
	}
	writeJSON(w, map[string]any{"node": node, "pods": stats})
}

// resourceMetrics is what metrics-server scrapes: a node and containers that use next to nothing. A working set of
// zero would make metrics-server leave them out.
func (k *kubelet) resourceMetrics(w http.ResponseWriter, r *http.Request) {
	_, pods := k.node(r)
	now := time.Now()
	at, seconds := now.UnixMilli(), now.Sub(k.started).Seconds()
	const idleCores, idleBytes = 0.001, 1 << 20
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	fmt.Fprintf(w, "# TYPE node_cpu_usage_seconds_total counter\nnode_cpu_usage_seconds_total %f %d\n",
		idleCores*seconds, at)
	fmt.Fprintf(w, "# TYPE node_memory_working_set_bytes gauge\nnode_memory_working_set_bytes %d %d\n", 256*idleBytes, at)
	series := []struct {
		name, kind string
		value      float64
	}{
		{"container_start_time_seconds", "gauge", float64(k.started.Unix())},
		{"container_cpu_usage_seconds_total", "counter", idleCores * seconds},
		{"container_memory_working_set_bytes", "gauge", idleBytes},
	}
	for _, s := range series {
		fmt.Fprintf(w, "# TYPE %s %s\n", s.name, s.kind)
		for _, pod := range pods {
			for _, c := range pod.Spec.Containers {
				fmt.Fprintf(w, "%s{container=%q,namespace=%q,pod=%q} %f %d\n", s.name, c.Name, pod.Namespace, pod.Name, s.value, at)
			}
		}
	}
	fmt.Fprint(w, "# TYPE resource_scrape_error gauge\nresource_scrape_error 0\n")
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(value) // the client has gone if this fails
}
