package kubeproxy

import (
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// The ports of a node that are kube-proxy's own: its health, and its metrics, which EKS binds to all addresses.
const (
	healthPort  = 10256
	metricsPort = 10249
)

// Own answers at kube-proxy's own ports of a node; nil: the port is none of them.
func Own(port int) http.Handler {
	switch port {
	case healthPort:
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/healthz" && r.URL.Path != "/livez" {
				http.NotFound(w, r)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("X-Content-Type-Options", "nosniff")
			now := time.Now().UTC()
			health := map[string]any{"healthy": true, "lastUpdated": now, "currentTime": now, "status": map[string]any{
				"IPv4": map[string]any{"lastUpdated": now, "healthy": true}}}
			if r.URL.Path == "/healthz" {
				health["nodeEligible"] = true
			}
			json.NewEncoder(w).Encode(health)
		})
	case metricsPort:
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/healthz":
				io.WriteString(w, "ok")
			case "/proxyMode":
				io.WriteString(w, "iptables")
			default:
				http.NotFound(w, r)
			}
		})
	}
	return nil
}
