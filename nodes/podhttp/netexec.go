package podhttp

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tripod/nodes/podcmd"
	"tripod/nodes/podset"
)

// Network is what a pod reaches.
type Network interface {
	Dial(ctx context.Context, to netip.AddrPort) (net.Conn, error)
	Lookup(ctx context.Context, name string, search bool) (podcmd.Record, error)
}

// agnhostServes says that a container is one of agnhost that runs a subcommand, and with which arguments.
func agnhostServes(c *corev1.Container, subcommand string) (args []string, ok bool) {
	words := podcmd.Argv(c.Image, c.Command, c.Args)
	if len(words) < 2 || !strings.HasPrefix(path.Base(words[0]), "agnhost") || words[1] != subcommand {
		return nil, false
	}
	return words[2:], true
}

// saysHostname says that a container writes its hostname to whoever connects, and speaks no HTTP: agnhost serve-hostname --tcp
// --http=false.
func saysHostname(c *corev1.Container) bool {
	args, ok := agnhostServes(c, "serve-hostname")
	return ok && slices.Contains(args, "--http=false") && (slices.Contains(args, "--tcp") || slices.Contains(args, "--tcp=true"))
}

// netexecPaths are those of agnhost netexec that change nothing in its container.
var netexecPaths = map[string]func(s *Server, w http.ResponseWriter, r *http.Request, at netexecPlace){
	"/": func(_ *Server, w http.ResponseWriter, _ *http.Request, _ netexecPlace) {
		fmt.Fprintf(w, "NOW: %v", time.Now())
	},
	"/clientip": func(_ *Server, w http.ResponseWriter, r *http.Request, _ netexecPlace) {
		io.WriteString(w, r.RemoteAddr)
	},
	"/serverport": func(_ *Server, w http.ResponseWriter, _ *http.Request, at netexecPlace) { fmt.Fprint(w, at.port) },
	"/hostname":   netexecHostname, "/hostName": netexecHostname,
	"/header": netexecHeader, "/echo": netexecEcho, "/envvar": netexecEnv, "/redirect": netexecRedirect, "/dial": netexecDial,
}

// netexecPlace is where a request is answered.
type netexecPlace struct {
	pod       *corev1.Pod
	container *corev1.Container
	port      int
}

// netexec answers as k8s.io/kubernetes/test/images/agnhost/netexec does; false: it is none, or of what it does not answer here.
func (s *Server) netexec(w http.ResponseWriter, r *http.Request, at netexecPlace) bool {
	if _, is := agnhostServes(at.container, "netexec"); !is {
		return false
	}
	answer := netexecPaths[r.URL.Path]
	if answer == nil {
		answer = netexecPaths["/"] // of its mux
	}
	if slices.Contains([]string{"/shell", "/upload", "/exit", "/shutdown"}, r.URL.Path) {
		http.Error(w, "tripod: pod "+at.pod.Namespace+"/"+at.pod.Name+" is on a simulated node, which runs no process", http.StatusNotImplemented)
		return true
	}
	answer(s, w, r, at)
	return true
}

func netexecHostname(_ *Server, w http.ResponseWriter, _ *http.Request, at netexecPlace) {
	io.WriteString(w, podset.Hostname(at.pod))
}

func netexecHeader(_ *Server, w http.ResponseWriter, r *http.Request, _ netexecPlace) {
	if key := r.FormValue("key"); key != "" {
		io.WriteString(w, r.Header.Get(key))
		return
	}
	json.NewEncoder(w).Encode(r.Header)
}

func netexecEcho(_ *Server, w http.ResponseWriter, r *http.Request, _ netexecPlace) {
	if text := r.FormValue("code"); text != "" {
		code, err := strconv.Atoi(text)
		if err != nil || code < 200 || code > 999 {
			fmt.Fprintf(w, "argument 'code' must be an integer or empty, got %q\n", text)
			return
		}
		w.WriteHeader(code)
	}
	io.WriteString(w, r.FormValue("msg"))
}

func netexecEnv(s *Server, w http.ResponseWriter, r *http.Request, at netexecPlace) {
	name := r.FormValue("var")
	if name == "" {
		http.Error(w, "'var' query parameter is required", http.StatusBadRequest)
		return
	}
	if s.config.Env != nil {
		for _, entry := range s.config.Env(at.pod, at.container) {
			if value, found := strings.CutPrefix(entry, name+"="); found {
				io.WriteString(w, value)
				return
			}
		}
	}
	http.Error(w, fmt.Sprintf("env var %q is not set", name), http.StatusInternalServerError)
}

func netexecRedirect(_ *Server, w http.ResponseWriter, r *http.Request, _ netexecPlace) {
	location, code := r.FormValue("location"), http.StatusFound
	if text := r.FormValue("code"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 300 || n > 399 {
			fmt.Fprintf(w, "argument 'code' must be an integer or empty, got %q\n", text)
			return
		}
		code = n
	}
	http.Redirect(w, r, location, code)
}

const (
	dialPatience = 5 * time.Second
	mostDials    = 100
	mostDialed   = 1 << 20
)

// netexecDial makes requests from the pod, and says what came of them.
func netexecDial(s *Server, w http.ResponseWriter, r *http.Request, at netexecPlace) {
	query := r.URL.Query()
	tries := 1
	if text := query.Get("tries"); text != "" {
		var err error
		if tries, err = strconv.Atoi(text); err != nil {
			http.Error(w, fmt.Sprintf("tries parameter is invalid. %v", err), http.StatusBadRequest)
			return
		}
	}
	port, err := strconv.ParseUint(query.Get("port"), 10, 16)
	switch protocol := strings.ToLower(query.Get("protocol")); {
	case query.Get("request") == "":
		http.Error(w, "request parameter not specified. <nil>", http.StatusBadRequest)
		return
	case protocol != "" && protocol != "http":
		http.Error(w, "unsupported protocol. "+protocol, http.StatusBadRequest)
		return
	case err != nil || s.config.Network == nil:
		http.Error(w, fmt.Sprintf("host and/or port param are invalid. %v", err), http.StatusBadRequest)
		return
	}
	inside := s.config.Network(at.pod)
	address, err := netip.ParseAddr(query.Get("host"))
	if err != nil {
		found, err := inside.Lookup(r.Context(), query.Get("host"), true)
		if err != nil || len(found.Addresses) == 0 {
			http.Error(w, fmt.Sprintf("host and/or port param are invalid. lookup %s: no such host", query.Get("host")), http.StatusBadRequest)
			return
		}
		address = found.Addresses[0]
	}
	to := netip.AddrPortFrom(address, uint16(port))
	output := map[string][]string{}
	for range min(tries, mostDials) {
		if text, err := dialed(r.Context(), inside, to, query.Get("request")); err != nil {
			output["errors"] = append(output["errors"], err.Error())
		} else {
			output["responses"] = append(output["responses"], text)
		}
	}
	text, _ := json.Marshal(output)
	w.Write(text)
}

// dialed is the answer to one request.
func dialed(ctx context.Context, inside Network, to netip.AddrPort, request string) (string, error) {
	client := http.Client{Timeout: dialPatience, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return inside.Dial(ctx, to) }}}
	asking, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/%s", to, request), nil)
	if err != nil {
		return "", err
	}
	answer, err := client.Do(asking)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, mostDialed))
	return string(body), err
}
