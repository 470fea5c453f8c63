package kubeletapi

import (
	"fmt"
	"io"
	"net/http"
	"path"
)

// nodeLogs serves /var/log of a node, in which a simulated one has no files: an empty list as the kubelet's file server
// writes it, and of a service's journal (?query=kubelet) that there is none.
func (a *API) nodeLogs(w http.ResponseWriter, r *http.Request) {
	n, ok := a.nodeOf(w, r)
	if !ok {
		return
	}
	switch service := r.URL.Query().Get("query"); {
	case service != "":
		http.Error(w, fmt.Sprintf("tripod: node %s has no log of %s", n.Name, service), http.StatusNotFound)
	case path.Clean(r.URL.Path) != "/logs":
		http.NotFound(w, r)
	default:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, "<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n</pre>\n")
	}
}
