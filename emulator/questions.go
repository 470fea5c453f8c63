package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/mux"

	"tripod/az"
)

// askTimeout is how long one zone is waited for: its API server may hang, and others can answer as well.
const askTimeout = 10 * time.Second

var errNoZone = errors.New("no zone can be asked: see 'tripod status'")

// handleAccess passes a question about access to a cluster on to the first zone that can answer it.
func (c *control) handleAccess(w http.ResponseWriter, r *http.Request) {
	name := mux.Vars(r)["name"]
	if _, found := c.region.endpoints.named(name); !found {
		answer(w, refuse("there is no cluster %q", name))
		return
	}
	var question json.RawMessage
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&question); err != nil {
		answer(w, refuse("the question is not JSON: %v", err))
		return
	}
	c.ask(w, r, "/v1/clusters/"+url.PathEscape(name)+"/"+mux.Vars(r)["question"], question)
}

// handleRoot passes on the credentials of the account's root user, which the first zone that can makes where there are
// none.
func (c *control) handleRoot(w http.ResponseWriter, r *http.Request) { c.ask(w, r, "/v1/root", nil) }

// handleNode passes on the credentials of a node's instance.
func (c *control) handleNode(w http.ResponseWriter, r *http.Request) {
	c.ask(w, r, "/v1/nodes/"+url.PathEscape(mux.Vars(r)["name"])+"/credentials", nil)
}

// ask answers with what the first zone says that can answer.
func (c *control) ask(w http.ResponseWriter, r *http.Request, path string, question any) {
	var said json.RawMessage
	err := c.region.zones.first(errNoZone, func(z *zone) error {
		ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
		defer cancel()
		return az.Call(ctx, z.runDir(), http.MethodPost, path, question, &said)
	})
	if err != nil {
		answer(w, err)
		return
	}
	writeJSON(w, http.StatusOK, said)
}
