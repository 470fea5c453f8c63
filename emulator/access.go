package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/gorilla/mux"

	"tripod/az"
)

// askTimeout is how long one zone is waited for: its API server may hang, and others can answer as well.
const askTimeout = 10 * time.Second

var errNoZone = errors.New("no zone can be asked: see 'tripod status'")

// handleAccess passes a question about access to a cluster on to the first zone that can answer it.
func (e *Emulator) handleAccess(w http.ResponseWriter, r *http.Request) {
	name := mux.Vars(r)["name"]
	if !slices.ContainsFunc(e.sortedClusters(), func(c cluster) bool { return c.state.Name == name }) {
		answer(w, refuse("there is no cluster %q", name))
		return
	}
	var question json.RawMessage
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&question); err != nil {
		answer(w, refuse("the question is not JSON: %v", err))
		return
	}
	e.ask(w, r, "/v1/clusters/"+url.PathEscape(name)+"/"+mux.Vars(r)["question"], question)
}

// handleRoot passes on the credentials of the account's root user, which the first zone that can makes where there are none.
func (e *Emulator) handleRoot(w http.ResponseWriter, r *http.Request) { e.ask(w, r, "/v1/root", nil) }

// handleNode passes on the credentials of a node's instance.
func (e *Emulator) handleNode(w http.ResponseWriter, r *http.Request) {
	e.ask(w, r, "/v1/nodes/"+url.PathEscape(mux.Vars(r)["name"])+"/credentials", nil)
}

// ask answers with what the first zone says that can answer.
func (e *Emulator) ask(w http.ResponseWriter, r *http.Request, path string, question any) {
	err := errNoZone
	for _, z := range e.zones {
		if z.reachable() != nil {
			continue
		}
		var said json.RawMessage
		ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
		err = az.Call(ctx, z.runDir, http.MethodPost, path, question, &said)
		cancel()
		if err == nil {
			writeJSON(w, http.StatusOK, said)
			return
		}
	}
	answer(w, err)
}
