package az

import (
	"encoding/json"
	"fmt"
	"net/http"

	"tripod/api"
	"tripod/az/controlplane"
)

// handleWhoAmI tells whose token the body has, in the cluster.
func (z *Zone) handleWhoAmI(w http.ResponseWriter, r *http.Request) {
	var question api.TokenQuestion
	z.explain(w, r, &question, func(c *controlplane.Part) (any, error) { return c.ExplainToken(question.Token) })
}

// handleCanI tells whether a principal may do something in the cluster.
func (z *Zone) handleCanI(w http.ResponseWriter, r *http.Request) {
	var question api.AccessQuestion
	z.explain(w, r, &question, func(c *controlplane.Part) (any, error) { return c.Explain(r.Context(), question) })
}

// explain reads a question about a cluster, and writes what ask says of it.
func (z *Zone) explain(w http.ResponseWriter, r *http.Request, question any,
	ask func(*controlplane.Part) (any, error)) {
	if err := json.NewDecoder(r.Body).Decode(question); err != nil {
		answer(w, http.StatusBadRequest, err)
		return
	}
	c := z.clusterOf(w, r)
	if c == nil {
		return
	}
	explanation, err := ask(c)
	if err != nil {
		answer(w, http.StatusServiceUnavailable, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(explanation)
}

// clusterOf is the cluster that a request names. nil: it is answered.
func (z *Zone) clusterOf(w http.ResponseWriter, r *http.Request) *controlplane.Part {
	name := r.PathValue("name")
	c := z.clusterNamed(name)
	if c == nil {
		answer(w, http.StatusNotFound, fmt.Errorf("zone %s does not run cluster %q yet", z.config.Zone, name))
	}
	return c
}

func (z *Zone) clusterNamed(name string) *controlplane.Part {
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, c := range z.clusters {
		if c.Name() == name {
			return c
		}
	}
	return nil
}

// handleNode answers the credentials of a node's machine.
func (z *Zone) handleNode(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	for _, c := range z.parts() {
		credentials, found, err := c.MachineCredentials(r.Context(), name)
		switch {
		case !found:
			continue
		case err != nil:
			answer(w, http.StatusServiceUnavailable, err)
		default:
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(credentials)
		}
		return
	}
	answer(w, http.StatusNotFound, fmt.Errorf("there is no node %q: see 'tripod kubectl get nodes'", name))
}
