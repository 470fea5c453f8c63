package kubeletapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tripod/nodes/podlogs"
	"tripod/nodes/podset"
)

// logOptions are those of PodLogOptions.
type logOptions struct {
	follow, previous, timestamps bool
	since                        time.Time // zero: from the beginning
	tail                         int       // lines; negative: all
	limit                        int64     // bytes; negative: none
	stdout, stderr               bool
}

var errQuery = errors.New(`{"message": "Unable to decode query."}`)

// parseLogOptions reads a query as a kubelet does.
func parseLogOptions(query url.Values, now time.Time) (logOptions, error) {
	o := logOptions{tail: -1, limit: -1, stdout: true, stderr: true}
	for name, to := range map[string]*bool{"follow": &o.follow, "previous": &o.previous, "timestamps": &o.timestamps} {
		if value := query.Get(name); value != "" {
			var err error
			if *to, err = strconv.ParseBool(value); err != nil {
				return o, errQuery
			}
		}
	}
	number := func(name string) (int64, bool, error) {
		value := query.Get(name)
		if value == "" || name == "tail" && value == "all" {
			return 0, false, nil
		}
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 {
			return 0, false, errQuery
		}
		return n, true, nil
	}
	for _, name := range []string{"tailLines", "tail"} {
		if n, set, err := number(name); err != nil {
			return o, err
		} else if set {
			o.tail = int(min(n, 1<<30))
		}
	}
	if n, set, err := number("limitBytes"); err != nil {
		return o, err
	} else if set {
		o.limit = n
	}
	if n, set, err := number("sinceSeconds"); err != nil {
		return o, err
	} else if set {
		o.since = now.Add(-time.Duration(min(n, 1<<32)) * time.Second)
	}
	if value := query.Get("sinceTime"); value != "" {
		var t metav1.Time
		if err := t.UnmarshalQueryParameter(value); err != nil {
			return o, errQuery
		}
		o.since = t.Time
	}
	switch stream := query.Get("stream"); stream {
	case "", corev1.LogStreamAll:
	case corev1.LogStreamStdout:
		o.stderr = false
	case corev1.LogStreamStderr:
		o.stdout = false
	default:
		return o, fmt.Errorf("invalid stream type %q", stream)
	}
	return o, nil
}

// containerLogs are a container's lines, up to now or, followed, until the container ends or the client goes.
func (a *API) containerLogs(w http.ResponseWriter, r *http.Request) {
	pod := a.conf.Pods.Pod(r.PathValue("namespace"), r.PathValue("pod"))
	if pod == nil {
		http.Error(w, fmt.Sprintf("pod %q does not exist", r.PathValue("pod")), http.StatusNotFound)
		return
	}
	container := r.PathValue("container")
	if podset.Container(pod, container) == nil {
		http.Error(w, fmt.Sprintf("container %q not found in pod %q", container, pod.Name), http.StatusNotFound)
		return
	}
	options, err := parseLogOptions(r.URL.Query(), a.conf.Now())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	run, err := instanceOf(pod, container, options.previous)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	ctx, cancel := a.until(r)
	defer cancel()
	out := &flushed{w: w, limit: options.limit}
	writer := logWriter{options: options}
	if options.stdout {
		writer.out = out
	}
	if options.stderr {
		writer.errs = out
	}
	a.tell(ctx, pod, container, run, options, writer)
}

// tell writes a run's log, of its file where it has one.
func (a *API) tell(ctx context.Context, pod *corev1.Pod, container string, run instance, o logOptions, w logWriter) {
	files := a.logFilesOf(pod.Spec.NodeName)
	if files == nil {
		a.stream(ctx, pod, container, run, o, w)
		return
	}
	if err := a.streamFile(ctx, files, pod, container, run, o, w); err != nil {
		a.conf.Logger.Warn("read a pod's log file", "pod", pod.Namespace+"/"+pod.Name, "container", container, "error", err)
	}
}

// flushed sends at once what is written, and no more than limit bytes.
type flushed struct {
	w     http.ResponseWriter
	limit int64 // negative: none
}

var errLimit = errors.New("as much as was asked for has been sent")

func (f *flushed) Write(b []byte) (int, error) {
	whole := len(b)
	if f.limit >= 0 && int64(whole) > f.limit {
		b = b[:f.limit]
	}
	n, err := f.w.Write(b)
	f.limit -= min(int64(n), max(0, f.limit))
	if err == nil && n < whole {
		err = errLimit
	}
	return n, err
}

func (f *flushed) Flush() {
	if flusher, ok := f.w.(http.Flusher); ok {
		flusher.Flush()
	}
}

// logWriter writes entries to one or two streams; a nil one is not wanted.
type logWriter struct {
	options   logOptions
	out, errs io.Writer
}

func (w logWriter) write(entries []entry) error {
	for _, e := range entries {
		to := w.out
		if e.stderr {
			to = w.errs
		}
		if to == nil {
			continue
		}
		line := e.text + "\n"
		if w.options.timestamps {
			line = e.at.UTC().Format(podlogs.Stamp) + " " + line
		}
		if _, err := io.WriteString(to, line); err != nil {
			return err
		}
	}
	for _, to := range []io.Writer{w.out, w.errs} {
		if flusher, ok := to.(interface{ Flush() }); ok {
			flusher.Flush()
		}
	}
	return nil
}

const (
	followEvery = time.Second           // how soon it is seen that a container has ended
	followLeast = 50 * time.Millisecond // between two looks, however many requests come
)

// stream writes a run's log until there is no more.
func (a *API) stream(ctx context.Context, pod *corev1.Pod, container string, run instance, o logOptions, w logWriter) {
	c := podset.Container(pod, container)
	n, _ := a.conf.Node(pod.Spec.NodeName)
	sources := a.sources(ctx, n, pod, c, run)
	from := run.started
	if o.since.After(from) {
		from = o.since
	}
	next, end := a.conf.HTTP.Requests().Follow(pod.UID)
	defer end()
	defer func() {
		if !a.conf.Pods.Has(pod) {
			a.seen.forget(pod.UID) // it went meanwhile
		}
	}()
	for first := true; ; first = false {
		answered := next()
		run = a.latest(pod, container, run)
		now := a.conf.Now()
		until := now
		if !run.ended.IsZero() {
			until = run.ended.Add(time.Second) // a status has whole seconds
			if until.After(now) {
				until = now
			}
		}
		most := mostEntries
		if first {
			if o.tail >= 0 {
				most = min(most, o.tail)
			}
			until = maxTime(until, run.started.Add(1)) // what it writes at its start, of which the status tells at once
		}
		entries, then := merge(sources, from, until, most)
		if w.write(entries) != nil || !o.follow || !run.ended.IsZero() {
			return
		}
		from = until
		pause := followEvery
		if !then.IsZero() {
			pause = max(followLeast, min(pause, then.Sub(now)))
		}
		if !wait(ctx, pause, answered) {
			return
		}
	}
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// wait returns after a pause, or when changed is closed, but not at once then; false: ctx has ended.
func wait(ctx context.Context, pause time.Duration, changed <-chan struct{}) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	case <-changed:
	}
	timer.Reset(followLeast)
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// latest is what is known of a run by now; of a pod that has gone every run has ended.
func (a *API) latest(pod *corev1.Pod, container string, run instance) instance {
	if !run.ended.IsZero() {
		return run
	}
	current := a.conf.Pods.Pod(pod.Namespace, pod.Name)
	if current == nil || current.UID != pod.UID {
		run.ended = a.conf.Now()
		return run
	}
	for _, previous := range []bool{false, true} {
		if now, err := instanceOf(current, container, previous); err == nil && now.same(run) {
			return now
		}
	}
	run.ended = a.conf.Now() // it has been restarted more than once meanwhile
	return run
}
