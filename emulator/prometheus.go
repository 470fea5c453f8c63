package emulator

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"tripod/api"
	"tripod/internal/pki"
)

const (
	// metricsTokenFile holds, in the data directory, what a Prometheus must show. It is good for metrics alone.
	metricsTokenFile = "metrics-token"
	// metricsPortFile remembers the port for the next start; without it none is opened.
	metricsPortFile = "metrics-port.json"
	// firstMetricsPort and lastMetricsPort are above the ranges of regions, and below the range that systems take clients' ports from.
	firstMetricsPort, lastMetricsPort = 32128, 32767
)

// scrapeDoor is the port at which a Prometheus reads metrics: closed until somebody asks for it.
type scrapeDoor struct {
	mu      sync.Mutex
	server  *http.Server // nil while it is closed
	port    int
	serving sync.WaitGroup
}

// handlePrometheus opens or closes the door.
func (c *control) handlePrometheus(w http.ResponseWriter, r *http.Request) {
	var order api.PrometheusOrder
	if !readBody(w, r, &order, "the order is no JSON") {
		return
	}
	if order.Port < 0 || order.Port > 65535 {
		answer(w, refuse("%d is no port", order.Port))
		return
	}
	if order.Off {
		err := os.Remove(c.region.dir.file(metricsPortFile))
		c.closeScrapeDoor()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			answer(w, err)
			return
		}
		writeJSON(w, http.StatusOK, api.Prometheus{})
		return
	}
	port, err := c.openScrapeDoor(order.Port)
	if err != nil {
		answer(w, err)
		return
	}
	writeJSON(w, http.StatusOK, api.Prometheus{Address: loopback(port), TokenFile: c.region.dir.file(metricsTokenFile),
		CAFile: c.region.dir.file("pki", "region-ca.crt")})
}

// reopenScrapeDoor opens the door that the region had when it ran last. A port that somebody else has by now holds up nothing.
func (c *control) reopenScrapeDoor() {
	port := c.region.dir.metricsPort()
	if port == 0 {
		return
	}
	if _, err := c.openScrapeDoor(port); err != nil {
		c.region.logger.Warn("a Prometheus cannot read metrics", "error", err)
	}
}

// metricsPort is the port of the door; 0: none is open.
func (d *dataDir) metricsPort() int {
	var remembered api.PrometheusOrder
	text, err := os.ReadFile(d.file(metricsPortFile))
	if err != nil || json.Unmarshal(text, &remembered) != nil {
		return 0
	}
	return remembered.Port
}

// openScrapeDoor opens the door at the port, or at the one that it had, or at a free one, and remembers that.
func (c *control) openScrapeDoor(port int) (int, error) {
	d := &c.door
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.server != nil && (port == 0 || port == d.port) {
		return d.port, nil
	}
	if port == 0 {
		port = c.region.dir.metricsPort()
	}
	listener, err := listenForMetrics(port)
	if err != nil {
		return 0, err
	}
	port = listener.Addr().(*net.TCPAddr).Port
	server, err := c.newScrapeServer(port)
	if err == nil {
		err = c.region.dir.writeJSON(metricsPortFile, api.PrometheusOrder{Port: port})
	}
	if err != nil {
		listener.Close()
		return 0, err
	}
	if d.server != nil { // at another port
		d.server.Close()
	}
	d.server, d.port = server, port
	d.serving.Go(func() { server.ServeTLS(listener, "", "") })
	return port, nil
}

// listenForMetrics takes the port, or a free one where it is 0.
func listenForMetrics(port int) (net.Listener, error) {
	if port != 0 {
		listener, err := net.Listen("tcp", loopback(port))
		if err != nil {
			return nil, fmt.Errorf("metrics cannot be served on port %d of 127.0.0.1: %w: stop the program that has it, or choose another "+
				"with 'tripod prometheus --port'", port, cause(err))
		}
		return listener, nil
	}
	for range 100 {
		listener, err := net.Listen("tcp", loopback(firstMetricsPort+rand.IntN(lastMetricsPort-firstMetricsPort+1)))
		if err == nil {
			return listener, nil
		}
	}
	return nil, fmt.Errorf("no port between %d and %d of 127.0.0.1 is free: choose another with 'tripod prometheus --port'",
		firstMetricsPort, lastMetricsPort)
}

// newScrapeServer makes what answers there: those of api.Routes that are scraped, to who shows the token, by HTTPS, so that the token goes
// to no program that has taken the port while the region did not run.
func (c *control) newScrapeServer(port int) (*http.Server, error) {
	token, err := c.region.dir.token(metricsTokenFile)
	if err != nil {
		return nil, err
	}
	authority, err := c.region.authority("region-ca", "Tripod "+c.region.options.Region)
	if err != nil {
		return nil, err
	}
	pair, err := authority.Issue(pki.Leaf{CommonName: "Tripod metrics", Server: true, DNS: []string{"localhost"},
		IPs: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}})
	if err != nil {
		return nil, err
	}
	cert, err := pair.TLS()
	if err != nil {
		return nil, err
	}
	door := &controlDoor{next: c.scrapedRoutes(), file: metricsTokenFile, token: sha256.Sum256([]byte(token)), port: port}
	return &http.Server{Handler: door, ConnState: door.count, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 16 << 10, TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}},
		ErrorLog: slog.NewLogLogger(c.region.logger.Handler(), slog.LevelDebug)}, nil
}

// scrapedRoutes answers those calls that read metrics. Nobody is woken by them, and nobody kept awake.
func (c *control) scrapedRoutes() http.Handler {
	return c.someRoutes(api.ControlRoot, func(route api.Route) bool { return route.Scraped })
}

// someRoutes answers those calls that are wanted, below a path. A region that sleeps is not woken by them.
func (c *control) someRoutes(root string, wanted func(api.Route) bool) http.Handler {
	routes := mux.NewRouter()
	routes.NotFoundHandler = http.HandlerFunc(handleNoCall)
	routes.MethodNotAllowedHandler = routes.NotFoundHandler
	handlers := c.handlers()
	for _, route := range api.Routes {
		if wanted(route) {
			routes.Handle(root+route.Path, c.unlessAsleep(route, handlers[route.Name])).Methods(route.Method)
		}
	}
	return routes
}

var errAsleep = errors.New("the region sleeps, and is not woken for its metrics")

// unlessAsleep refuses what the zones would have to answer, while they sleep.
func (c *control) unlessAsleep(route api.Route, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !route.Looks && c.region.sleeper.asleep.Load() != nil {
			answer(w, errAsleep)
			return
		}
		next(w, r)
	}
}

// closeScrapeDoor closes it, as long as the region runs.
func (c *control) closeScrapeDoor() {
	d := &c.door
	d.mu.Lock()
	server := d.server
	d.server, d.port = nil, 0
	d.mu.Unlock()
	if server == nil {
		return
	}
	closing, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if server.Shutdown(closing) != nil {
		server.Close()
	}
	d.serving.Wait()
}
