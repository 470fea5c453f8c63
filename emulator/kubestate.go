package emulator

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"tripod/api"
)

// stateTimeout is how long one zone is waited for: a cluster of 20,000 pods needs some seconds.
const stateTimeout = 25 * time.Second

// handleKubeState passes on the state of a cluster's objects, of the first zone whose API server answers.
func (c *control) handleKubeState(w http.ResponseWriter, r *http.Request) {
	cluster := mux.Vars(r)["cluster"]
	if _, found := c.region.endpoints.named(cluster); !found {
		answer(w, refuse("there is no cluster %q", cluster))
		return
	}
	var packed bytes.Buffer
	err := c.region.zones.first(errNoZone, func(z *zone) error {
		ctx, cancel := context.WithTimeout(r.Context(), stateTimeout)
		defer cancel()
		packed.Reset()
		return z.agent().KubeState(ctx, cluster, &packed)
	})
	if err != nil {
		writeJSON(w, http.StatusServiceUnavailable, api.Refused{Error: err.Error()})
		return
	}
	w.Header().Set("Content-Type", api.MediaMetrics)
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(packed.Bytes())
		return
	}
	plain, err := gzip.NewReader(&packed)
	if err == nil {
		_, err = io.Copy(w, plain)
	}
	if err != nil {
		c.region.logger.Warn("kube-state", "cluster", cluster, "error", err)
	}
}
