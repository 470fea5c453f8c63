package nodes

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tripod/nodes/kubeletapi"
	"tripod/nodes/kubeletauth"
	"tripod/nodes/kwokusage"
	"tripod/nodes/podhttp"
	"tripod/nodes/podlife"
	"tripod/nodes/podset"
)

// kubelet is the HTTPS server that all of a zone's nodes share.
type kubelet struct {
	sim      *Simulator
	server   *http.Server
	handlers sync.WaitGroup // requests that are being answered, also on connections that were taken over

	mu     sync.Mutex
	conns  map[net.Conn]struct{} // all that are open: a taken-over one is not the http.Server's any more
	closed bool
}

// ServeKubelet answers the API servers' requests to this zone's kubelets on l, which hands over connections to any of
// its nodes' port 10250 (a connection's LocalAddr may be the node's address, which then says which node it is). Who has a
// certificate of Config.ClientCAs, or a token, gets what the API server says that they may have. It returns nil after Stop,
// when every request has ended, and l's error when l fails; l is closed then.
func (s *Simulator) ServeKubelet(l net.Listener) error {
	k := &kubelet{sim: s, conns: map[net.Conn]struct{}{}}
	k.server = &http.Server{
		Handler:           k.counted(http.HandlerFunc(k.answer)),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       90 * time.Second,
		ErrorLog:          slog.NewLogLogger(s.conf.Logger.Handler(), slog.LevelDebug), // handshakes that fail
		ConnContext:       connContext,
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
		ClientAuth:     tls.RequestClientCert, // which the guard looks at: others come with a token
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

// answer is by the nodes that run now.
func (k *kubelet) answer(w http.ResponseWriter, r *http.Request) {
	z := k.sim.current()
	if z == nil {
		http.Error(w, errStopped.Error(), http.StatusServiceUnavailable)
		return
	}
	z.kubelet.ServeHTTP(w, r)
}

var errStopped = errors.New("the zone's nodes are stopped")

// answer makes what answers for the zone's kubelets and pods.
func (z *zone) answer() {
	z.pods = podset.New()
	z.links = newPodLinks()
	z.pods.OnChange(z.links.changed)
	z.http = podhttp.New(podhttp.Config{Zone: z.conf.Zone, Pods: z.pods, LocalPort: z.conf.LocalPort, Moves: &z.moves,
		Env:     func(pod *corev1.Pod, c *corev1.Container) []string { return z.api.Env(z.ctx, pod, c) },
		Network: func(pod *corev1.Pod) podhttp.Network { return podNetwork{z, pod} }, Logger: z.conf.Logger})
	guard := kubeletauth.New(z.conf.ClientCAs, z.clients.calls, as)
	z.api = kubeletapi.New(kubeletapi.Config{
		Admit: guard.Admit, Object: z.player.nodeNamed, KWOK: &kwokusage.Set{Tell: z.tellUsage}, LogFiles: z.keepLogs(),
		Wrote: z.logs.wrote, Expires: z.expires, Server: hostOf(z.conf.Server),
		Pods: z.pods, HTTP: z.http, Moves: &z.moves, Logger: z.conf.Logger,
		Source: func(pod *corev1.Pod) kubeletapi.Source {
			n, _ := z.roster.named(pod.Spec.NodeName)
			return podSource{z.clients.calls, pod, z.facts(n).Allocatable, &z.certificates}
		},
		Network: func(pod *corev1.Pod) kubeletapi.Network { return podNetwork{z, pod} },
		Node: func(nameOrAddress string) (kubeletapi.Node, bool) {
			n, found := z.roster.named(nameOrAddress)
			if addr, err := netip.ParseAddr(nameOrAddress); err == nil && !found {
				n, found = z.roster.at(addr)
			}
			return z.facts(n), found
		},
		Only: func() (kubeletapi.Node, bool) {
			n, found := z.roster.only()
			return z.facts(n), found
		},
	})
	z.kubelet, z.metrics = z.api.Handler(), z.api.Metrics()
}

// hostOf is a URL's host, as Kubernetes' clients count requests by.
func hostOf(server string) string {
	at, err := url.Parse(server)
	if err != nil {
		return ""
	}
	return at.Host
}

// tellUsage tells what is wrong with an object of KWOK's: the log, and the pod that it was met with.
func (z *zone) tellUsage(pod *corev1.Pod, wrong string) {
	z.conf.Logger.Warn(wrong)
	if pod != nil {
		z.player.events.aboutPod(pod, []podlife.Event{{Type: corev1.EventTypeWarning, Reason: "ResourceUsageIgnored", Message: wrong}})
	}
}

// facts are what a node's kubelet tells of it.
func (z *zone) facts(n node) kubeletapi.Node {
	if n.name == "" {
		return kubeletapi.Node{}
	}
	status := n.status(z.conf, n.since)
	return kubeletapi.Node{
		Name: n.name, Address: n.addr, ProviderID: n.providerID(z.conf), Version: status.NodeInfo.KubeletVersion,
		Architecture: n.architecture(), Capacity: status.Capacity, Allocatable: status.Allocatable,
		ClusterDNS: z.conf.ClusterDNS, Since: n.since, Info: status.NodeInfo,
	}
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
	return &trackedConn{Conn: conn, kubelet: k, gone: func() {}}, nil
}

// trackedConn tells who answers on it that the client has gone, also when it was taken over.
type trackedConn struct {
	net.Conn
	kubelet *kubelet
	gone    context.CancelFunc
}

// connContext ends with the connection.
func connContext(ctx context.Context, conn net.Conn) context.Context {
	if secure, ok := conn.(*tls.Conn); ok {
		if t, ok := secure.NetConn().(*trackedConn); ok {
			ctx, t.gone = context.WithCancel(ctx)
		}
	}
	return ctx
}

func (c *trackedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	var timeout net.Error
	if err != nil && !(errors.As(err, &timeout) && timeout.Timeout()) {
		c.gone()
	}
	return n, err
}

func (c *trackedConn) Close() error {
	c.gone()
	c.kubelet.mu.Lock()
	delete(c.kubelet.conns, c.Conn)
	c.kubelet.mu.Unlock()
	return c.Conn.Close()
}
