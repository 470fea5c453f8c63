package podhttp

import (
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// page is what a pod says of itself and of a request.
type page struct {
	Pod        string      `json:"pod"`
	Namespace  string      `json:"namespace"`
	Container  string      `json:"container"`
	Node       string      `json:"node"`
	Zone       string      `json:"zone"`
	Address    string      `json:"address"` // the pod's, with the port
	RemoteAddr string      `json:"remoteAddr"`
	Time       time.Time   `json:"time"`
	Method     string      `json:"method"`
	Host       string      `json:"host"`
	Path       string      `json:"path"` // with the query
	Proto      string      `json:"proto"`
	Headers    http.Header `json:"headers"`
}

func newPage(pod *corev1.Pod, container, zone, address string, r *http.Request, now time.Time) page {
	return page{
		Pod: pod.Name, Namespace: pod.Namespace, Container: container, Node: pod.Spec.NodeName, Zone: zone,
		Address: address, RemoteAddr: r.RemoteAddr, Time: now.UTC(), Method: r.Method, Host: r.Host,
		Path: r.URL.RequestURI(), Proto: r.Proto, Headers: r.Header,
	}
}

// format is how a client wants the page: "json", "html" or "text".
func format(r *http.Request) string {
	wanted := r.URL.Query().Get("format")
	if slices.Contains([]string{"json", "html", "text"}, wanted) {
		return wanted
	}
	accept := r.Header.Get("Accept")
	switch {
	case r.URL.Path == "/api" || strings.HasPrefix(accept, "application/json"):
		return "json"
	case strings.Contains(accept, "text/html"):
		return "html"
	}
	return "text"
}

// render is the page and its type.
func (p page) render(format string) (body, contentType string) {
	switch format {
	case "json":
		data, err := json.MarshalIndent(p, "", "  ")
		if err != nil {
			return err.Error(), "text/plain; charset=utf-8"
		}
		return string(data) + "\n", "application/json"
	case "html":
		var b strings.Builder
		if err := html.Execute(&b, p); err != nil {
			return err.Error(), "text/plain; charset=utf-8"
		}
		return b.String(), "text/html; charset=utf-8"
	}
	return p.text(), "text/plain; charset=utf-8"
}

// text is in the manner of traefik/whoami.
func (p page) text() string {
	var b strings.Builder
	ip, _, _ := strings.Cut(p.Address, ":")
	fmt.Fprintf(&b, "Hostname: %s\nNamespace: %s\nNode: %s\nZone: %s\nIP: %s\nAddress: %s\nRemoteAddr: %s\nTime: %s\n", p.Pod,
		p.Namespace, p.Node, p.Zone, ip, p.Address, p.RemoteAddr, p.Time.Format(time.RFC3339Nano))
	fmt.Fprintf(&b, "%s %s %s\nHost: %s\n", p.Method, p.Path, p.Proto, p.Host)
	for _, name := range slices.Sorted(maps.Keys(p.Headers)) {
		for _, value := range p.Headers[name] {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	return b.String()
}

var html = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Pod}}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 44em; margin: 2em auto; padding: 0 1em; color-scheme: light dark }
th { text-align: left; font-weight: normal; opacity: .7; padding-right: 1.5em; vertical-align: top; white-space: nowrap }
td { overflow-wrap: anywhere }
h1 { font-size: 1.4em; overflow-wrap: anywhere }
h2 { font-size: 1em; margin: 1.5em 0 .3em }
</style>
</head>
<body>
<h1>{{.Namespace}}/{{.Pod}}</h1>
<table>
<tr><th>Node</th><td>{{.Node}}</td></tr>
<tr><th>Zone</th><td>{{.Zone}}</td></tr>
<tr><th>Container</th><td>{{.Container}}</td></tr>
<tr><th>Address</th><td>{{.Address}}</td></tr>
<tr><th>Client</th><td>{{.RemoteAddr}}</td></tr>
<tr><th>Time</th><td>{{.Time.Format "2006-01-02T15:04:05.000Z07:00"}}</td></tr>
</table>
<h2>{{.Method}} {{.Path}} {{.Proto}}</h2>
<table>
<tr><th>Host</th><td>{{.Host}}</td></tr>
{{range $name, $values := .Headers}}{{range $values}}<tr><th>{{$name}}</th><td>{{.}}</td></tr>
{{end}}{{end}}</table>
</body>
</html>
`))
