package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"tripod/api"
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
	body := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
	switch mux.Vars(r)["question"] {
	case "whoami":
		var question az.TokenQuestion
		if err := body.Decode(&question); err != nil {
			answer(w, refuse("the question is not JSON: %v", err))
			return
		}
		c.ask(w, r, func(ctx context.Context, agent az.Agent) (any, error) { return agent.WhoAmI(ctx, name, question) })
	default:
		var question api.AccessQuestion
		if err := body.Decode(&question); err != nil {
			answer(w, refuse("the question is not JSON: %v", err))
			return
		}
		c.ask(w, r, func(ctx context.Context, agent az.Agent) (any, error) { return agent.CanI(ctx, name, question) })
	}
}

// handleRoot passes on the credentials of the account's root user, which the first zone that can makes where there are
// none.
func (c *control) handleRoot(w http.ResponseWriter, r *http.Request) {
	c.ask(w, r, func(ctx context.Context, agent az.Agent) (any, error) { return agent.RootCredentials(ctx) })
}

// handleNode passes on the credentials of a node's machine.
func (c *control) handleNode(w http.ResponseWriter, r *http.Request) {
	name := mux.Vars(r)["name"]
	c.ask(w, r, func(ctx context.Context, agent az.Agent) (any, error) { return agent.NodeCredentials(ctx, name) })
}

// ask answers with what the first zone says that can answer.
func (c *control) ask(w http.ResponseWriter, r *http.Request, question func(context.Context, az.Agent) (any, error)) {
	var said any
	err := c.region.zones.first(errNoZone, func(z *zone) (err error) {
		ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
		defer cancel()
		said, err = question(ctx, z.agent())
		return err
	})
	if err != nil {
		answer(w, err)
		return
	}
	writeJSON(w, http.StatusOK, said)
}
