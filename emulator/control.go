package emulator

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"tripod/api"
	"tripod/docs"
	"tripod/internal/datadir"
	"tripod/internal/process"
)

// control is the control socket's server, over the region.
type control struct {
	region  *Emulator
	server  *http.Server
	address *http.Server // of --control-address, or nil
	serving sync.WaitGroup
	scraper *scraper
	door    scrapeDoor // for a Prometheus
}

// start serves the control API on the region's socket, which only this user can reach.
func (c *control) start() error {
	path := datadir.SocketPath(c.region.options.DataDir)
	listener, err := process.ListenUnix(path) // ours: we hold the data directory's lock
	if err != nil {
		return fmt.Errorf("cannot open the control socket %s: %w", path, cause(err))
	}
	c.server = &http.Server{Handler: c.handler(), ReadHeaderTimeout: 5 * time.Second}
	c.serving.Go(func() { c.server.Serve(listener) })
	return nil
}

// stop ends the server when all are answered: whoever asked for the region's stop is told of its end.
func (c *control) stop() {
	if c.server == nil {
		return
	}
	closing, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	c.server.Shutdown(closing)
	c.stopAddress(closing)
	c.closeScrapeDoor()
	c.serving.Wait()
}

// startMetrics serves the metrics where the user asked for them.
func (c *control) startMetrics() error {
	if c.region.options.MetricsAddress == "" {
		return nil
	}
	listener, err := net.Listen("tcp", c.region.options.MetricsAddress)
	if err != nil {
		return fmt.Errorf("cannot serve metrics on %s: %w", c.region.options.MetricsAddress, err)
	}
	if address, ok := listener.Addr().(*net.TCPAddr); !ok || !address.IP.IsLoopback() {
		listener.Close()
		return fmt.Errorf("metrics are served on loopback only, not on %s: use --metrics-address 127.0.0.1:PORT",
			c.region.options.MetricsAddress)
	}
	served := []string{"metrics", "kubeState", "instanceMetrics"}
	routes := c.someRoutes("", func(route api.Route) bool { return slices.Contains(served, route.Name) })
	server := &http.Server{Handler: routes, ReadHeaderTimeout: 5 * time.Second}
	c.region.wait.Go(func() { server.Serve(listener) })
	context.AfterFunc(c.region.running, func() { server.Close() })
	return nil
}

// handler answers api.Routes.
func (c *control) handler() http.Handler {
	routes := mux.NewRouter()
	routes.NotFoundHandler = http.HandlerFunc(handleNoCall)
	routes.MethodNotAllowedHandler = routes.NotFoundHandler
	v1 := routes.PathPrefix(api.ControlRoot).Subrouter()
	handlers := c.handlers()
	for _, route := range api.Routes {
		v1.Handle(route.Path, c.speaks(route, handlers[route.Name])).Methods(route.Method)
	}
	return routes
}

// handleNoCall refuses what is none of api.Routes.
func handleNoCall(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusNotFound, api.Refused{Error: fmt.Sprintf("there is no call %s %s: GET %s/openapi.json describes all",
		r.Method, r.URL.Path, api.ControlRoot)})
}

// handlers are those of api.Routes, by their names.
func (c *control) handlers() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"status":            c.handleStatus,
		"events":            c.handleEvents,
		"metrics":           c.handleMetrics,
		"nodeMetrics":       c.handleNodeMetrics,
		"podMetrics":        c.handlePodMetrics,
		"instanceMetrics":   c.handleInstanceMetrics,
		"kubeState":         c.handleKubeState,
		"prometheus":        c.handlePrometheus,
		"prometheusTargets": c.handleTargets,
		"openapi":           handleOpenAPI,
		"query":             c.handleQuery,
		"verb":              c.handleVerb,
		"fault":             c.handleFault,
		"link":              c.handleLink,
		"logLevel":          c.handleLogLevel,
		"reset":             c.handleReset,
		"sleep":             c.handleSleep,
		"wake":              func(w http.ResponseWriter, _ *http.Request) { answer(w, nil) }, // the request itself has woken it
		"snapshot":          c.handleSnapshot,
		"down":              c.handleDown,
		"whoami":            c.handleWhoAmI,
		"canI":              c.handleCanI,
		"canReach":          c.handleCanReach,
		"connect":           c.handleConnect,
		"root":              c.handleRoot,
		"nodeCredentials":   c.handleNode,
	}
}

// interestOf says what a call means to a region that sleeps or would like to.
func interestOf(route api.Route, r *http.Request) interest {
	query := r.URL.Query() // FormValue would read a body that is for the call itself
	switch {
	case !route.Looks:
		return orders
	case query.Get("watching") == "true" || query.Get("follow") == "true":
		return watches
	}
	return looks
}

// speaks lets the region know who asks.
func (c *control) speaks(route api.Route, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer c.region.sleeper.attend(interestOf(route, r), "an order over the control socket, "+r.URL.Path)()
		next.ServeHTTP(w, r)
	})
}

func (c *control) handleSleep(w http.ResponseWriter, r *http.Request) {
	answer(w, c.region.Sleep(r.Context()))
}

// handleOpenAPI gives the description of this API.
func handleOpenAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Write(docs.OpenAPI)
}

// readBody reads a request's JSON. false: it is none, and the request is answered with what is wrong and why.
func readBody(w http.ResponseWriter, r *http.Request, into any, wrong string) bool {
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, mostBody)).Decode(into)
	if err != nil {
		answer(w, refuse("%s: %v", wrong, err))
	}
	return err == nil
}

func answer(w http.ResponseWriter, err error) {
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	status := http.StatusConflict
	var r refusal
	if errors.As(err, &r) {
		status = http.StatusBadRequest
	}
	writeJSON(w, status, api.Refused{Error: err.Error()})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func (c *control) handleStatus(w http.ResponseWriter, r *http.Request) {
	status := c.region.Status()
	if r.URL.Query().Get("cronJobs") == "true" {
		c.region.addCronJobs(r.Context(), &status)
	}
	writeJSON(w, http.StatusOK, status)
}

func (c *control) handleVerb(w http.ResponseWriter, r *http.Request) {
	v := mux.Vars(r)
	span, err := time.ParseDuration(cmp.Or(r.FormValue("for"), "0s"))
	if err != nil {
		answer(w, refuse("for is %q: it must be a time such as 30s", r.FormValue("for")))
		return
	}
	answer(w, c.region.Do(r.Context(), api.Order{Target: api.Target{Kind: v["kind"], Name: v["name"]}, Verb: v["verb"],
		Cluster: r.FormValue("cluster"), For: span}))
}

func (c *control) handleReset(w http.ResponseWriter, r *http.Request) {
	answer(w, c.region.Reset(r.Context()))
}

func (c *control) handleEvents(w http.ResponseWriter, r *http.Request) {
	since, err := strconv.ParseUint(cmp.Or(r.FormValue("since"), "0"), 10, 64)
	if err != nil {
		answer(w, refuse("since is %q: it must be the number of an event", r.FormValue("since")))
		return
	}
	follow, err := strconv.ParseBool(cmp.Or(r.FormValue("follow"), "false"))
	if err != nil {
		answer(w, refuse("follow is %q: it must be true or false", r.FormValue("follow")))
		return
	}
	c.streamEvents(w, r.Context().Done(), since, follow)
}

// streamEvents writes events as JSON lines until stop is closed or the client is gone.
func (c *control) streamEvents(w http.ResponseWriter, stop <-chan struct{}, since uint64, follow bool) {
	w.Header().Set("Content-Type", "application/jsonl")
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w)
	flush.Flush()
	lines := json.NewEncoder(w)
	c.region.events.follow(since, follow, stop, func(event api.Event) error {
		if err := lines.Encode(event); err != nil {
			return err
		}
		return flush.Flush()
	})
}

// handleDown stops the region and tells how it goes; the answer ends when all but this process is stopped.
func (c *control) handleDown(w http.ResponseWriter, _ *http.Request) {
	since := c.region.events.last()
	go func() { // owned by Done, which whoever runs the region waits for
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := c.region.Stop(ctx); err != nil {
			c.region.logger.Error("stop", "error", err)
		}
	}()
	c.streamEvents(w, c.region.quiet, since, true)
}

// handleSnapshot saves a snapshot and tells how far it is, a line at a time. What fails before there is anything to
// tell is refused as any order.
func (c *control) handleSnapshot(w http.ResponseWriter, r *http.Request) {
	var request api.SnapshotRequest
	if !readBody(w, r, &request, "the request is no JSON of a snapshot's name and file") {
		return
	}
	lines, flush, begun := json.NewEncoder(w), http.NewResponseController(w), false
	tell := func(line api.SnapshotAnswer) {
		if !begun {
			w.Header().Set("Content-Type", "application/jsonl")
			begun = true
		}
		lines.Encode(line) // whoever is gone has ended the request's context
		flush.Flush()
	}
	saved, err := c.region.SaveSnapshot(r.Context(), request,
		func(p api.SnapshotProgress) { tell(api.SnapshotAnswer{Progress: &p}) })
	switch {
	case err == nil:
		tell(api.SnapshotAnswer{Saved: saved})
	case begun:
		tell(api.SnapshotAnswer{Error: err.Error()})
	default:
		answer(w, err)
	}
}
