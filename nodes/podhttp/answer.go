package podhttp

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tripod/internal/sleep"
	"tripod/nodes/podfiles"
	"tripod/nodes/podset"
)

// healthPaths tell whether the pod is Ready, whatever its annotations say.
var healthPaths = []string{"/healthz", "/readyz", "/livez", "/health", "/ready"}

const mostWait = 30 * time.Second // of ?wait=

// answer is every port's handler.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	conn := r.Context().Value(connection{}).(*podConn)
	pod := s.config.Pods.Pod(conn.pod.Namespace, conn.pod.Name)
	if pod == nil || pod.UID != conn.pod.UID {
		panic(http.ErrAbortHandler) // the pod has gone, and its connections with it
	}
	container := Listener(pod, conn.port)
	if container == nil {
		panic(http.ErrAbortHandler)
	}
	if status := podset.Status(pod, container.Name); status == nil || status.State.Running == nil {
		panic(http.ErrAbortHandler)
	}
	response := &recorded{ResponseWriter: w, status: http.StatusOK}
	begin := time.Now()
	defer func() {
		s.requests.add(pod.UID, Line{Container: container.Name, Text: logLine(r, response, begin)}, conn.in.Swap(0), conn.out.Swap(0))
		if !s.config.Pods.Has(pod) {
			s.requests.Forget(pod.UID) // it went meanwhile
		}
	}()
	s.respond(response, r, pod, container, conn)
}

func (s *Server) respond(w http.ResponseWriter, r *http.Request, pod *corev1.Pod, container *corev1.Container, conn *podConn) {
	if slices.Contains(healthPaths, r.URL.Path) {
		if !podset.Ready(pod) {
			http.Error(w, "pod is not ready", http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, "ok\n")
		return
	}
	b, err := behaviourOf(pod, conn.port)
	if err != nil {
		http.Error(w, "tripod: "+err.Error(), http.StatusInternalServerError)
		return
	}
	pause := b.least
	if b.most > b.least {
		pause += rand.N(b.most - b.least)
	}
	if wait, err := time.ParseDuration(r.URL.Query().Get("wait")); err == nil && wait > 0 {
		pause += min(wait, mostWait)
	}
	if pause > 0 && sleep.For(r.Context(), pause) != nil {
		panic(http.ErrAbortHandler)
	}
	if b.failing > 0 && rand.Float64() < b.failing {
		if b.failStatus == 0 {
			if recorded, ok := w.(*recorded); ok {
				recorded.status = statusReset
			}
			panic(http.ErrAbortHandler)
		}
		http.Error(w, fmt.Sprintf("tripod: this request fails by annotation %s", FailAnnotation), b.failStatus)
		return
	}
	if s.config.Moves.Gone(pod, container.Name, r.URL.Path) {
		http.NotFound(w, r)
		return
	}
	if b.body == nil && b.status == http.StatusOK && s.netexec(w, r, netexecPlace{pod, container, conn.port}) {
		return
	}
	body, contentType := "", ""
	if b.body != nil {
		body, contentType = *b.body, http.DetectContentType([]byte(*b.body))
		if strings.HasPrefix(strings.TrimSpace(body), "{") || strings.HasPrefix(strings.TrimSpace(body), "[") {
			contentType = "application/json"
		}
	} else if page, known := podfiles.Page(container, r.URL.Path); known {
		body, contentType = page, http.DetectContentType([]byte(page))
		if strings.HasSuffix(r.URL.Path, ".json") {
			contentType = "application/json"
		}
	} else if servesHostname(container) {
		body, contentType = podset.Hostname(pod), "text/plain; charset=utf-8"
	} else {
		body, contentType = newPage(pod, container.Name, s.config.Zone, conn.address, r, time.Now()).render(format(r))
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Pod", pod.Namespace+"/"+pod.Name)
	w.Header().Set("X-Zone", s.config.Zone)
	w.WriteHeader(b.status)
	if r.Method != http.MethodHead && b.status != http.StatusNoContent && b.status != http.StatusNotModified {
		io.WriteString(w, body)
	}
}

// statusReset is what nginx logs of a request whose connection it closes without an answer.
const statusReset = 444

// recorded is a response that remembers what was answered.
type recorded struct {
	http.ResponseWriter
	status, bytes int
}

func (r *recorded) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorded) Write(b []byte) (int, error) {
	n, err := r.ResponseWriter.Write(b)
	r.bytes += n
	return n, err
}

// logLine is in the combined log format.
func logLine(r *http.Request, w *recorded, at time.Time) string {
	client, _, _ := strings.Cut(r.RemoteAddr, ":")
	dash := func(s string) string {
		if s == "" {
			return "-"
		}
		return s
	}
	const most = 128 // of a part, so that the line has all parts
	cut := func(s string) string { return s[:min(len(s), most)] }
	return fmt.Sprintf("%s - - [%s] %q %d %d %q %q", client, at.UTC().Format("02/Jan/2006:15:04:05 -0700"),
		r.Method+" "+cut(r.URL.RequestURI())+" "+r.Proto, w.status, w.bytes, dash(cut(r.Referer())), dash(cut(r.UserAgent())))
}
