package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tripod/api"
	"tripod/az"
	"tripod/internal/datadir"
	"tripod/internal/process"
)

// startControl serves the control API on the region's socket, which only this user can reach.
func (e *Emulator) startControl() error {
	path := datadir.SocketPath(e.options.DataDir)
	listener, err := process.ListenUnix(path) // ours: we hold the data directory's lock
	if err != nil {
		return fmt.Errorf("cannot open the control socket %s: %w", path, cause(err))
	}
	e.control = &http.Server{Handler: e.controlHandler(), ReadHeaderTimeout: 5 * time.Second}
	go e.control.Serve(listener) // ends with Shutdown
	return nil
}

// startMetrics serves the metrics where the user asked for them.
func (e *Emulator) startMetrics(running context.Context) error {
	if e.options.MetricsAddress == "" {
		return nil
	}
	listener, err := net.Listen("tcp", e.options.MetricsAddress)
	if err != nil {
		return fmt.Errorf("cannot serve metrics on %s: %w", e.options.MetricsAddress, err)
	}
	if address, ok := listener.Addr().(*net.TCPAddr); !ok || !address.IP.IsLoopback() {
		listener.Close()
		return fmt.Errorf("metrics are served on loopback only, not on %s: use --metrics-address 127.0.0.1:PORT", e.options.MetricsAddress)
	}
	routes := mux.NewRouter()
	e.routeMetrics(routes.PathPrefix("").Subrouter(), "/metrics")
	server := &http.Server{Handler: routes, ReadHeaderTimeout: 5 * time.Second}
	e.wait.Go(func() { server.Serve(listener) })
	context.AfterFunc(running, func() { server.Close() })
	return nil
}

func (e *Emulator) controlHandler() http.Handler {
	routes := mux.NewRouter()
	v1 := routes.PathPrefix("/v1").Subrouter()
	v1.Use(e.speaks)
	v1.HandleFunc("/status", e.handleStatus).Methods(http.MethodGet)
	v1.HandleFunc("/events", e.handleEvents).Methods(http.MethodGet)
	v1.HandleFunc("/targets/{kind}/{name}/{verb}", e.handleVerb).Methods(http.MethodPost)
	v1.HandleFunc("/clusters/{name}/{question:whoami|can-i}", e.handleAccess).Methods(http.MethodPost)
	v1.HandleFunc("/root", e.handleRoot).Methods(http.MethodPost)
	v1.HandleFunc("/nodes/{name}/credentials", e.handleNode).Methods(http.MethodPost)
	v1.HandleFunc("/snapshots", e.handleSnapshot).Methods(http.MethodPost)
	v1.HandleFunc("/sleep", e.handleSleep).Methods(http.MethodPost)
	v1.HandleFunc("/wake", func(w http.ResponseWriter, _ *http.Request) { answer(w, nil) }).Methods(http.MethodPost)
	v1.HandleFunc("/reset", e.handleReset).Methods(http.MethodPost)
	v1.HandleFunc("/down", e.handleDown).Methods(http.MethodPost)
	e.routeMetrics(v1, "/metrics")
	return routes
}

// interestOf says what a request means to a region that sleeps or would like to.
func interestOf(r *http.Request) interest {
	switch r.URL.Path {
	case "/v1/status", "/v1/events":
		if r.FormValue("watching") == "true" || r.FormValue("follow") == "true" {
			return watches
		}
		return looks
	case "/v1/sleep", "/v1/metrics":
		return looks
	}
	return orders
}

func (e *Emulator) handleSleep(w http.ResponseWriter, r *http.Request) {
	answer(w, e.Sleep(r.Context()))
}

func (e *Emulator) routeMetrics(routes *mux.Router, path string) {
	routes.Handle(path, promhttp.HandlerFor(e.gatherers(), promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})).Methods(http.MethodGet)
	routes.HandleFunc(path+"/{component}/{zone}", e.handleInstanceMetrics).Methods(http.MethodGet)
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
	writeJSON(w, status, map[string]string{"error": err.Error()})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func (e *Emulator) handleStatus(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, e.Status())
}

func (e *Emulator) handleVerb(w http.ResponseWriter, r *http.Request) {
	v := mux.Vars(r)
	answer(w, e.Do(r.Context(), v["kind"], v["name"], v["verb"], r.FormValue("cluster")))
}

func (e *Emulator) handleReset(w http.ResponseWriter, r *http.Request) {
	answer(w, e.Reset(r.Context()))
}

func (e *Emulator) handleEvents(w http.ResponseWriter, r *http.Request) {
	since, err := strconv.ParseUint(orElse(r.FormValue("since"), "0"), 10, 64)
	if err != nil {
		answer(w, refuse("since is %q: it must be the number of an event", r.FormValue("since")))
		return
	}
	follow, err := strconv.ParseBool(orElse(r.FormValue("follow"), "false"))
	if err != nil {
		answer(w, refuse("follow is %q: it must be true or false", r.FormValue("follow")))
		return
	}
	e.streamEvents(w, r.Context().Done(), since, follow)
}

// streamEvents writes events as JSON lines until stop is closed or the client is gone.
func (e *Emulator) streamEvents(w http.ResponseWriter, stop <-chan struct{}, since uint64, follow bool) {
	w.Header().Set("Content-Type", "application/jsonl")
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w)
	flush.Flush()
	lines := json.NewEncoder(w)
	e.events.follow(since, follow, stop, func(event api.Event) error {
		if err := lines.Encode(event); err != nil {
			return err
		}
		return flush.Flush()
	})
}

// handleDown stops the region and tells how it goes; the answer ends when all but this process is stopped.
func (e *Emulator) handleDown(w http.ResponseWriter, _ *http.Request) {
	e.events.mu.Lock()
	since := e.events.seq
	e.events.mu.Unlock()
	go func() { // owned by Done, which whoever runs the region waits for
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := e.Stop(ctx); err != nil {
			e.logger.Error("stop", "error", err)
		}
	}()
	e.streamEvents(w, e.quiet, since, true)
}

func (e *Emulator) handleInstanceMetrics(w http.ResponseWriter, r *http.Request) {
	v := mux.Vars(r)
	z := e.zoneNamed(v["zone"])
	if z == nil {
		answer(w, refuse("there is no zone %q in %s", v["zone"], e.options.Region))
		return
	}
	if err := z.reachable(); err != nil {
		answer(w, err)
		return
	}
	cluster := r.FormValue("cluster")
	if all := e.sortedClusters(); cluster == "" && len(all) == 1 {
		cluster = all[0].state.Name
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	if err := az.Call(r.Context(), z.runDir, "GET", "/v1/metrics/"+v["component"]+"?cluster="+cluster, nil, w); err != nil {
		answer(w, err)
	}
}
