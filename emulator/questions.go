package emulator

import (
	"context"
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

// handleWhoAmI passes a question whose a token is on to the first zone that can answer it.
func (c *control) handleWhoAmI(w http.ResponseWriter, r *http.Request) {
	var question api.TokenQuestion
	c.askOf(w, r, &question, func(ctx context.Context, agent az.Agent, cluster string) (any, error) {
		return agent.WhoAmI(ctx, cluster, question)
	})
}

// handleCanI passes a question about access to a cluster on.
func (c *control) handleCanI(w http.ResponseWriter, r *http.Request) {
	var question api.AccessQuestion
	c.askOf(w, r, &question, func(ctx context.Context, agent az.Agent, cluster string) (any, error) {
		return agent.CanI(ctx, cluster, question)
	})
}

// handleCanReach passes a question about a connection on.
func (c *control) handleCanReach(w http.ResponseWriter, r *http.Request) {
	var question api.ReachQuestion
	c.askOf(w, r, &question, func(ctx context.Context, agent az.Agent, cluster string) (any, error) {
		return agent.CanReach(ctx, cluster, question)
	})
}

// question reads a request's question about a cluster. false: the request is answered.
func (c *control) question(w http.ResponseWriter, r *http.Request, question any) (cluster string, ok bool) {
	cluster = mux.Vars(r)["name"]
	if _, found := c.region.endpoints.named(cluster); !found {
		answer(w, refuse("there is no cluster %q", cluster))
		return cluster, false
	}
	return cluster, readBody(w, r, question, "the question is not JSON")
}

// askOf answers a question about a cluster, which it reads, with what the first zone says that can answer.
func (c *control) askOf(w http.ResponseWriter, r *http.Request, question any,
	ask func(context.Context, az.Agent, string) (any, error)) {
	cluster, ok := c.question(w, r, question)
	if ok {
		c.ask(w, r, func(ctx context.Context, agent az.Agent) (any, error) { return ask(ctx, agent, cluster) })
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
