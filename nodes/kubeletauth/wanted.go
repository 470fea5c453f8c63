package kubeletauth

import (
	"net/http"
	"strings"
)

// verbs of the API, by methods.
var verbs = map[string]string{
	http.MethodPost: "create", http.MethodGet: "get", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete",
}

// finer are paths that a part of a node is for, beside all of them (proxy): KubeletFineGrainedAuthz.
var finer = []struct{ path, subresource string }{
	{"/allocatedPods", "pods"}, {"/pods", "pods"}, {"/runningpods", "pods"}, {"/healthz", "healthz"}, {"/configz", "configz"},
}

// coarse are paths that a part of a node alone is for.
var coarse = []struct{ path, subresource string }{
	{"/stats", "stats"}, {"/metrics", "metrics"}, {"/logs", "log"}, {"/checkpoint", "checkpoint"}, {"/statusz", "statusz"},
	{"/flagz", "configz"},
}

// wanted is what a request does with a node, and with which part of it; any of these suffices. It is as
// k8s.io/kubernetes v1.37's pkg/kubelet/server/auth.go has it.
func wanted(r *http.Request) (verb string, subresources []string) {
	for _, f := range finer {
		if isAt(r.URL.Path, f.path) {
			subresources = append(subresources, f.subresource)
			break
		}
	}
	last := "proxy"
	for _, c := range coarse {
		if isAt(r.URL.Path, c.path) {
			last = c.subresource
			break
		}
	}
	return verbs[r.Method], append(subresources, last)
}

// isAt says that a path is the other one or below it.
func isAt(path, other string) bool { return path == other || strings.HasPrefix(path, other+"/") }
