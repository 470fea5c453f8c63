package diskfault

import (
	"context"
	"net/http"

	"tripod/internal/tell"
)

// Path is where Handler takes faults.
const Path = "/v1/disk"

// Handler sets what is wrong with the disk as Tell says. All else goes to next.
func (d *Disk) Handler(next http.Handler) http.Handler {
	routes := http.NewServeMux()
	routes.Handle("/", next)
	routes.HandleFunc("POST "+Path, tell.Take(func(Fault) bool { return true }, func(_ context.Context, f Fault) error { return d.Set(f) }))
	return routes
}

// Tell says to the process that serves Handler on a unix socket what is wrong with its disk.
func Tell(ctx context.Context, socket string, fault Fault) error {
	return tell.Send(ctx, socket, Path, fault)
}
