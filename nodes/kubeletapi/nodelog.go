package kubeletapi

import (
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// nodeLogs serves /var/log of a node: a list of its files as the kubelet's file server writes it, and the files. The
// query of a service's journal (?query=kubelet) is answered with the file of that name or with messages, as by a kubelet
// whose enableSystemLogQuery is on; tailLines and pattern hold for it.
func (a *API) nodeLogs(w http.ResponseWriter, r *http.Request) {
	n, ok := a.nodeOf(w, r)
	if !ok {
		return
	}
	files := map[string]string{}
	if a.conf.NodeLog != nil {
		files = a.conf.NodeLog(n.Name)
	}
	query := r.URL.Query()
	if service := query.Get("query"); service != "" {
		content, found := files[service]
		for _, name := range []string{service + ".log", "messages"} {
			if !found {
				content, found = files[name]
			}
		}
		if !found {
			http.Error(w, fmt.Sprintf("tripod: node %s has no log of %s", n.Name, service), http.StatusNotFound)
			return
		}
		content, err := selectLines(content, query.Get("tailLines"), query.Get("pattern"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, content)
		return
	}
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/logs")
	if name = strings.TrimPrefix(name, "/"); name == "" {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, "<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n")
		for _, file := range slices.Sorted(maps.Keys(files)) {
			fmt.Fprintf(w, "<a href=\"%s\">%[1]s</a>\n", html.EscapeString(file))
		}
		io.WriteString(w, "</pre>\n")
		return
	}
	content, found := files[name]
	if !found {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, content)
}

// selectLines are the last ones that match.
func selectLines(content, tail, pattern string) (string, error) {
	lines := slices.Collect(strings.Lines(content))
	if pattern != "" {
		matcher, err := regexp.Compile(pattern)
		if err != nil {
			return "", err
		}
		lines = slices.DeleteFunc(lines, func(l string) bool { return !matcher.MatchString(l) })
	}
	if tail != "" {
		n, err := strconv.Atoi(tail)
		if err != nil || n < 0 {
			return "", fmt.Errorf("tailLines must be a number, not %q", tail)
		}
		lines = lines[len(lines)-min(n, len(lines)):]
	}
	return strings.Join(lines, ""), nil
}
