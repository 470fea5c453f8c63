// Package loss tells of a process that is known to be gone, or to answer nobody. Whoever waits for it would else have
// to guess that by a time-out: long ones make a failover slow, and short ones take a process for dead that only waits
// for its turn. It tells of the opposite, too: that all are stopped for a while, so that nobody is to be taken for
// dead.
package loss

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Loss is one process, or all those of a zone, that ended without being asked to, or was stopped by a signal.
type Loss struct {
	Zone      string    `json:"zone"`                // us-east-1b
	Component string    `json:"component,omitempty"` // etcd, apiserver or controllers; empty: all that the zone has
	ClusterID string    `json:"clusterId,omitempty"` // of the component
	At        time.Time `json:"at"`
	// Rank is the place of the zone that is told among those that live: what one of them alone should do, the first does
	// at once, and the others only where that came to nothing.
	Rank int `json:"rank"`
}

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
	routes.HandleFunc("POST "+Path, take(func(l Loss) bool { return l.Zone != "" }, lost))
	routes.HandleFunc("POST "+SuspensionPath, take(func(Suspension) bool { return true }, suspended))
	return routes
}

func take[T any](valid func(T) bool, told func(context.Context, T)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var news T
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&news); err != nil || !valid(news) {
			http.Error(w, "these are no news", http.StatusBadRequest)
			return
		}
		told(r.Context(), news)
		w.WriteHeader(http.StatusNoContent)
	}
}

// Tell sends a Loss to the process that serves Handler on a unix socket.
func Tell(ctx context.Context, socket string, l Loss) error { return send(ctx, socket, Path, l) }

// TellSuspension sends a Suspension to the process that serves Handler on a unix socket.
func TellSuspension(ctx context.Context, socket string, s Suspension) error {
	return send(ctx, socket, SuspensionPath, s)
}

func send(ctx context.Context, socket, path string, news any) error {
	body, err := json.Marshal(news)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://instance"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	transport := &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		return fmt.Errorf("it was answered with %s", response.Status)
	}
	return nil
}
