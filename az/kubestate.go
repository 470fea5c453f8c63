package az

import "net/http"

// handleKubeState answers with the state of a cluster's objects, packed as it was read.
func (z *Zone) handleKubeState(w http.ResponseWriter, r *http.Request) {
	c := z.clusterOf(w, r)
	if c == nil {
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
