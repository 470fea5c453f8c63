package az

import (
	"encoding/json"
	"net/http"
)

// handleCronJobs tells how the CronJobs of a cluster do.
func (z *Zone) handleCronJobs(w http.ResponseWriter, r *http.Request) {
	c := z.clusterOf(w, r)
	if c == nil {
		return
	}
	told, err := c.CronJobs(r.Context())
	if err != nil {
		answer(w, http.StatusServiceUnavailable, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(told)
}
