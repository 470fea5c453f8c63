package nodes

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"tripod/internal/datadir"
	"tripod/nodes/logrouter"
	"tripod/nodes/podlogs"
	"tripod/nodes/podset"
)

// routerPort is where a node's log router tells what it has done: Fluent Bit's HTTP_Port.
const routerPort = 2020

// lastWords is how long a machine of Fargate's, which goes with its pod, may take to send what that has said at last.
const lastWords = 5 * time.Second

// route sends a node's logs on until ctx ends.
func (z *zone) route(ctx context.Context, n node) {
	if z.logs.nodes == nil {
		return
	}
	outputs, process := z.outputs(ctx, n)
	files := z.logFilesOf(n.name)
	if files == nil || len(outputs) == 0 {
		return
	}
	logger := z.conf.Logger
	var group sync.WaitGroup
	if process != nil {
		logger = slog.New(slog.NewMultiHandler(logger.Handler(), slog.NewTextHandler(process, nil)))
		group.Go(func() { process.Run(ctx) })
	}
	routers := map[string]*logrouter.Router{}
	for name, output := range outputs {
		r := &logrouter.Router{Node: n.name, Files: files, Output: output, Describe: z.describeLog,
			State: filepath.Join(datadir.RouterDir(z.conf.NodeDir(n.instanceID)), name+".json"), Logger: logger.With("output", name)}
		if slow, is := output.(interface{ Gather() time.Duration }); is {
			r.Flush = slow.Gather()
		}
		if n.machine.Fargate != nil {
			r.Rest = func() (context.Context, context.CancelFunc) { return context.WithTimeout(z.ctx, lastWords) }
		}
		routers[name] = r
	}
	z.logs.setRouters(n.name, routers)
	for _, r := range routers {
		group.Go(func() { r.Run(ctx) })
	}
	group.Wait()
	z.logs.setRouters(n.name, nil)
}

func (l *logFiles) setRouters(node string, routers map[string]*logrouter.Router) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.routers == nil {
		l.routers = map[string]map[string]*logrouter.Router{}
	}
	if l.routers[node] = routers; len(routers) == 0 {
		delete(l.routers, node)
	}
}

// of are a node's routers, by their outputs' names.
func (l *logFiles) of(node string) map[string]*logrouter.Router {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.routers[node]
}

// wrote tells a node's routers of a log that has grown.
func (l *logFiles) wrote(node string, log podlogs.Name) {
	for _, r := range l.of(node) {
		r.Wrote(log)
	}
}

// describeLog adds what Fluent Bit's Kubernetes filter says of a log's pod, if that is still there.
func (z *zone) describeLog(log podlogs.Name, k *logrouter.Kubernetes) {
	pod := z.pods.Pod(log.Namespace, log.Pod)
	if pod == nil || string(pod.UID) != log.UID {
		return
	}
	k.Labels, k.Annotations = pod.Labels, pod.Annotations
	if status := podset.Status(pod, log.Container); status != nil {
		k.ContainerHash, k.ContainerImage = status.ImageID, status.Image
	}
}

// routerMetrics tells what a node's routers have done, by Fluent Bit's names; nil: it has none.
func (z *zone) routerMetrics(node string) http.Handler {
	routers := z.logs.of(node)
	if len(routers) == 0 {
		return nil
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/metrics/prometheus", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		for _, metric := range []struct {
			name, label string
			of          func(*logrouter.Counts) int64
		}{
			{"fluentbit_input_records_total", "tail.", func(c *logrouter.Counts) int64 { return c.Read.Load() }},
			{"fluentbit_output_proc_records_total", "", func(c *logrouter.Counts) int64 { return c.Sent.Load() }},
			{"fluentbit_output_retried_records_total", "", func(c *logrouter.Counts) int64 { return c.Retried.Load() }},
			{"fluentbit_output_dropped_records_total", "", func(c *logrouter.Counts) int64 { return c.Dropped.Load() }},
		} {
			io.WriteString(w, "# TYPE "+metric.name+" counter\n")
			for _, name := range slices.Sorted(maps.Keys(routers)) {
				fmt.Fprintf(w, "%s{name=%q} %d\n", metric.name, metric.label+name, metric.of(&routers[name].Counts))
			}
		}
	})
	return mux
}
