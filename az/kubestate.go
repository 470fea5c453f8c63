package az

import (
	"fmt"
	"net/http"
)

// handleKubeState answers with the state of a cluster's objects, packed as it was read.
func (z *Zone) handleKubeState(w http.ResponseWriter, r *http.Request) {
	c := z.clusterNamed(r.PathValue("name"))
	if c == nil {
		answer(w, http.StatusNotFound, fmt.Errorf("zone %s does not run cluster %q yet", z.config.Zone, r.PathValue("name")))
		return
	}
	state, err := c.KubeState(r.Context())
	if err != nil {
		answer(w, http.StatusServiceUnavailable, err)
		return
	}
	w.Header().Set("Content-Type", "application/gzip")
	w.Write(state.Packed())
}
