// Package loss tells of a process that is known to be gone, or to answer nobody. Whoever waits for it would else have
// to guess that by a time-out: long ones make a failover slow, and short ones take a process for dead that only waits
// for its turn. It tells of the opposite, too: that all are stopped for a while, so that nobody is to be taken for
// dead.
package loss

import (
	"context"
	"net/http"
	"time"

	"tripod/internal/tell"
)

// Loss is one process, or all those of a zone, that ended without being asked to, or was stopped by a signal.
type Loss struct {
	Zone      string    `json:"zone"`                // us-east-1b
	Component string    `json:"component,omitempty"` // etcd, apiserver, controllers or Voter; empty: all that the zone has
	ClusterID string    `json:"clusterId,omitempty"` // of the component
	At        time.Time `json:"at"`
	// Paused says that it was stopped by a signal, and may go on: what it holds is not lost for good.
	Paused bool `json:"paused,omitempty"`
	// Rank is the place of the zone that is told among those that live: what one of them alone should do, the first does
	// at once, and the others only where that came to nothing.
	Rank int `json:"rank"`
}

// Voter is the component that is a zone's part of the regional state. It is no process of its own.
const Voter = "voter"

// Of says whether a component of the zone is lost.
func (l Loss) Of(component string) bool { return l.Component == "" || l.Component == component }

// Letter is what tells the zone from the others of its region: the "b" of us-east-1b.
func (l Loss) Letter() string { return l.Zone[len(l.Zone)-1:] }

// Path is where Handler takes losses.
const Path = "/v1/loss"

// Suspension says that all processes of the region are about to be stopped as a whole, or that they go on: what nobody
// was to be taken for dead for.
type Suspension struct {
	Suspended bool `json:"suspended"`
}

// SuspensionPath is where Handler takes suspensions.
const SuspensionPath = "/v1/suspension"

// Handler calls lost for every Loss that Tell sends, and suspended for every Suspension that TellSuspension sends, each
// in a goroutine of its own: the answer waits for it. All else goes to next.
func Handler(next http.Handler, lost func(context.Context, Loss),
	suspended func(context.Context, Suspension)) http.Handler {
	routes := http.NewServeMux()
	routes.Handle("/", next)
	routes.HandleFunc("POST "+Path, tell.Take(func(l Loss) bool { return l.Zone != "" }, quiet(lost)))
	routes.HandleFunc("POST "+SuspensionPath, tell.Take(func(Suspension) bool { return true }, quiet(suspended)))
	return routes
}

// quiet is a listener that cannot fail.
func quiet[T any](told func(context.Context, T)) func(context.Context, T) error {
	return func(ctx context.Context, news T) error {
		told(ctx, news)
		return nil
	}
}

// Tell sends a Loss to the process that serves Handler on a unix socket.
func Tell(ctx context.Context, socket string, l Loss) error { return tell.Send(ctx, socket, Path, l) }

// TellSuspension sends a Suspension to the process that serves Handler on a unix socket.
func TellSuspension(ctx context.Context, socket string, s Suspension) error {
	return tell.Send(ctx, socket, SuspensionPath, s)
}
