package kubeletapi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"tripod/nodes/podhttp"
	"tripod/nodes/podlogs"
	"tripod/nodes/podset"
)

const (
	// writeEvery is the least between two writes of a pod's logs, however many lines come.
	writeEvery = 50 * time.Millisecond
	// mostQueued is how many lines of a container wait to be written; more are dropped and counted, as no pod waits for its log.
	mostQueued = 10_000
	// mostBehind is how many lines of a source are made up for a time when nobody wrote, such as while the zone was dead.
	mostBehind = 100_000
	// writeRetry is how long after a failure it is tried again.
	writeRetry = 5 * time.Second
	// lookTime is how long what a pod's variables are made of may be asked for: the writer waits for it.
	lookTime = 3 * time.Second
)

// logFiles writes the log files of a zone's nodes, in one goroutine. It wakes when a pod changes, when a pod has answered a
// request, and at the time of the next line that is made up.
type logFiles struct {
	api   *API
	ended chan struct{} // closed when nobody writes any more

	mu   sync.Mutex
	pods map[types.UID]*podLog
	due  schedule
	wake chan struct{} // the first of due has changed; capacity 1
}

// podLog is what is known of a pod's logs.
type podLog struct {
	uid    types.UID
	at     time.Time // when it is looked at; zero: it need not be
	place  int       // in due; -1: it is not there
	pod    *corev1.Pod
	node   *podlogs.Node
	fresh  bool // pod has changed since its sources were made
	gone   bool // it is not in the set any more
	remove bool // its files are to go, too
	queued map[string][]entry
	missed int           // lines that did not fit
	wrote  chan struct{} // closed when it was looked at

	runs    map[string]*runLog // by container; the writer's alone
	failing bool
}

// runLog is the run of a container that is written.
type runLog struct {
	instance
	node    string
	name    podlogs.Name
	sources []source
	text    string // of LogsAnnotation
	known   bool   // upTo and skip are right
	upTo    time.Time
	skip    int // lines of the time upTo that are written already
}

func newLogFiles(a *API) *logFiles {
	return &logFiles{api: a, ended: make(chan struct{}), pods: map[types.UID]*podLog{}, wake: make(chan struct{}, 1)}
}

// WriteLogs writes the containers' log files until ctx ends.
func (a *API) WriteLogs(ctx context.Context) {
	defer close(a.files.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := a.conf.Now()
		for _, p := range a.files.take(now) {
			a.files.look(ctx, p, now)
		}
		if next, ok := a.files.next(); ok {
			timer.Reset(max(0, next.Sub(a.conf.Now())))
		} else {
			timer.Stop()
		}
		select {
		case <-ctx.Done():
			a.files.flush()
			return
		case <-timer.C:
		case <-a.files.wake:
		}
	}
}

// RemoveLogs deletes the log files of a pod that has gone.
func (a *API) RemoveLogs(node string, uid types.UID) {
	if files := a.logFilesOf(node); files != nil {
		a.files.change(uid, files, func(p *podLog) { p.gone, p.remove = true, true })
	}
}

// LoggedPods are the UIDs of the pods that have log files on a node.
func (a *API) LoggedPods(node string) []types.UID {
	files := a.logFilesOf(node)
	if files == nil {
		return nil
	}
	found, err := files.Pods()
	if err != nil {
		a.conf.Logger.Warn("look for log files", "node", node, "error", err)
	}
	uids := make([]types.UID, 0, len(found))
	for _, uid := range found {
		uids = append(uids, types.UID(uid))
	}
	return uids
}

// logFilesOf are a node's; nil: it has none.
func (a *API) logFilesOf(node string) *podlogs.Node {
	if a.conf.LogFiles == nil {
		return nil
	}
	return a.conf.LogFiles(node)
}

// changed takes note of a pod's change; current is nil when it has gone.
func (f *logFiles) changed(old, current *corev1.Pod) {
	pod := current
	if pod == nil {
		pod = old
	}
	if node := f.api.logFilesOf(pod.Spec.NodeName); node != nil {
		f.change(pod.UID, node, func(p *podLog) { p.pod, p.fresh, p.gone = pod, true, current == nil })
	}
}

// change has a pod looked at now.
func (f *logFiles) change(uid types.UID, node *podlogs.Node, change func(*podLog)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.pods[uid]
	if p == nil {
		p = &podLog{uid: uid, place: -1, wrote: make(chan struct{}), queued: map[string][]entry{}, runs: map[string]*runLog{}}
		f.pods[uid] = p
	}
	p.node = node
	change(p)
	f.schedule(p, f.api.conf.Now())
}

// answered queues a request that a pod has answered. It is called with the lock of the requests.
func (f *logFiles) answered(uid types.UID, l podhttp.Line) {
	f.queue(uid, l.Container, entry{at: l.At, text: l.Text})
}

// queue adds a line to a container's log; false: it has no log files.
func (f *logFiles) queue(uid types.UID, container string, e entry) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.pods[uid]
	if p == nil || p.gone {
		return false
	}
	if len(p.queued[container]) >= mostQueued {
		p.missed++
		return true
	}
	p.queued[container] = append(p.queued[container], e)
	f.schedule(p, f.api.conf.Now().Add(writeEvery))
	return true
}

// follow says when a pod's logs were looked at last: wrote is closed at the next time. nil: nobody writes them.
func (f *logFiles) follow(uid types.UID) (wrote <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p := f.pods[uid]; p != nil {
		return p.wrote
	}
	return nil
}

// upToDate returns when all that a pod has logged until now is in its files.
func (f *logFiles) upToDate(ctx context.Context, uid types.UID) {
	f.mu.Lock()
	p := f.pods[uid]
	if p == nil {
		f.mu.Unlock()
		return
	}
	wrote := p.wrote
	f.schedule(p, f.api.conf.Now())
	f.mu.Unlock()
	select {
	case <-wrote:
	case <-f.ended:
	case <-ctx.Done():
	}
}

// look writes what a pod has logged until now. Only the writer calls it.
func (f *logFiles) look(ctx context.Context, p *podLog, now time.Time) {
	f.mu.Lock()
	pod, node, fresh, remove, queued, missed := p.pod, p.node, p.fresh, p.remove, p.queued, p.missed
	p.fresh, p.queued, p.missed = false, map[string][]entry{}, 0
	f.mu.Unlock()
	var next time.Time
	var err error
	switch {
	case remove:
		err = node.Remove(string(p.uid))
	case pod != nil:
		next, err = f.write(ctx, p, pod, node, fresh, queued, now)
	}
	if missed > 0 {
		f.api.conf.Logger.Warn("lines of a pod's log were dropped: it answers more than can be written", "pod", p.uid, "lines", missed)
	}
	if err != nil && !p.failing {
		f.api.conf.Logger.Warn("write a pod's log files: it is tried again every 5 s", "pod", p.uid, "error", err)
	}
	p.failing = err != nil
	if err != nil {
		next = now.Add(writeRetry)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for container, rest := range queued { // what is of the next run, or could not be written
		if p.queued[container] = append(rest, p.queued[container]...); len(p.queued[container]) == 0 {
			delete(p.queued, container)
		}
	}
	close(p.wrote)
	p.wrote = make(chan struct{})
	switch {
	case p.gone && (p.remove == remove || err != nil):
		f.forget(p)
	case !next.IsZero():
		f.schedule(p, maxTime(next, now.Add(writeEvery)))
	}
}

// write writes the logs of all of a pod's containers, and says when the next line comes.
func (f *logFiles) write(ctx context.Context, p *podLog, pod *corev1.Pod, node *podlogs.Node, fresh bool,
	queued map[string][]entry, now time.Time) (next time.Time, err error) {
	for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses,
		pod.Status.EphemeralContainerStatuses} {
		for i := range list {
			for _, run := range runsOf(pod, list[i].Name) {
				r := f.runOf(ctx, p, pod, &list[i], run, fresh)
				if r == nil {
					continue
				}
				queue := &queueSource{queued[r.name.Container]}
				then, failure := f.writeRun(r, node, queue, now)
				if queued[r.name.Container] = queue.entries; failure != nil {
					r.known = false
					err = errors.Join(err, failure)
				}
				if !then.IsZero() && (next.IsZero() || then.Before(next)) {
					next = then
				}
			}
		}
	}
	return next, err
}

// runsOf are the runs of a container that have logs, the one before first.
func runsOf(pod *corev1.Pod, container string) (runs []instance) {
	for _, previous := range []bool{true, false} {
		if run, err := instanceOf(pod, container, previous); err == nil && (len(runs) == 0 || runs[0].number != run.number) {
			runs = append(runs, run)
		}
	}
	return runs
}

// runOf is what is known of a run; nil: a later one is written already.
func (f *logFiles) runOf(ctx context.Context, p *podLog, pod *corev1.Pod, status *corev1.ContainerStatus, run instance,
	fresh bool) *runLog {
	r := p.runs[status.Name]
	switch {
	case r != nil && r.number > run.number:
		return nil
	case r == nil || r.number < run.number:
		r = &runLog{instance: run, node: pod.Spec.NodeName, name: logName(pod, status, run)}
		p.runs[status.Name] = r
		fresh = true
	}
	r.instance = run
	text, _ := annotationOf(pod, LogsAnnotation, status.Name)
	changed := r.sources != nil && text != r.text
	if c := podset.Container(pod, status.Name); fresh && c != nil {
		ctx, cancel := context.WithTimeout(ctx, lookTime)
		defer cancel()
		n, _ := f.api.conf.Node(pod.Spec.NodeName)
		r.sources = f.api.made(ctx, n, pod, c, run)
		r.text = text
	}
	for i, s := range r.sources {
		if text, ok := s.(textSource); ok && changed { // a container has said what it said, and says this now
			text.at = r.upTo
			r.sources[i] = text
		}
	}
	return r
}

// logName is the name of a run's log.
func logName(pod *corev1.Pod, status *corev1.ContainerStatus, run instance) podlogs.Name {
	name := podlogs.Name{Namespace: pod.Namespace, Pod: pod.Name, UID: string(pod.UID), Container: status.Name,
		ContainerID: status.ContainerID, Run: run.number}
	if last := status.LastTerminationState.Terminated; last != nil && run.number < status.RestartCount {
		name.ContainerID = last.ContainerID
	}
	return name
}

// writeRun writes a run's log up to now, or to the run's end.
func (f *logFiles) writeRun(r *runLog, node *podlogs.Node, queue *queueSource, now time.Time) (next time.Time, err error) {
	most := mostEntries
	if !r.known { // how far it is written
		at, same, err := node.Last(r.name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return time.Time{}, err
		}
		if r.upTo, r.skip = r.started, 0; same > 0 {
			r.upTo, r.skip, most = at, same, mostBehind
		}
		r.known = true
	}
	until := maxTime(now, r.started).Add(1) // with what it writes at its start, of which the status tells at once
	if end := r.ended.Add(time.Second); !r.ended.IsZero() && end.Before(until) {
		until = end // a status has whole seconds
	}
	if !r.upTo.Before(until) {
		return time.Time{}, nil
	}
	if now.Sub(r.upTo) > time.Minute && r.upTo.After(r.started) { // the machine slept
		most = mostBehind
	}
	entries, next := merge(append(slices.Clone(r.sources), queue), r.upTo, until, most)
	for len(entries) > 0 && r.skip > 0 && entries[0].at.Equal(r.upTo) {
		entries, r.skip = entries[1:], r.skip-1
	}
	if len(entries) > 0 {
		if err := node.Write(r.name, linesOf(entries)); err != nil {
			return time.Time{}, fmt.Errorf("container %s: %w", r.name.Container, err)
		}
		if f.api.conf.Wrote != nil {
			f.api.conf.Wrote(r.node, r.name)
		}
	}
	if r.upTo, r.skip = until, 0; !r.ended.IsZero() {
		next = time.Time{}
	}
	return next, nil
}

func linesOf(entries []entry) []podlogs.Line {
	lines := make([]podlogs.Line, 0, len(entries))
	for _, e := range entries {
		lines = append(lines, podlogs.Line{At: e.at, Stderr: e.stderr, Text: e.text})
	}
	return lines
}

// queueSource are lines that have come since the last look.
type queueSource struct{ entries []entry }

// read takes what it returns out of the queue. What came a moment too late for the look before has the time of this one: a log is in
// order of time.
func (q *queueSource) read(from, until time.Time, _ int) (taken []entry, _ time.Time) {
	later := slices.IndexFunc(q.entries, func(e entry) bool { return !e.at.Before(until) })
	if later < 0 {
		later = len(q.entries)
	}
	taken, q.entries = q.entries[:later], q.entries[later:]
	for i := range taken {
		taken[i].at = maxTime(taken[i].at, from)
	}
	return taken, time.Time{}
}

// flush writes what is queued, when the writer ends.
func (f *logFiles) flush() {
	f.mu.Lock()
	var waiting []*podLog
	for _, p := range f.pods {
		if len(p.queued) > 0 && !p.fresh && !p.remove {
			waiting = append(waiting, p)
		}
	}
	f.mu.Unlock()
	for _, p := range waiting {
		f.look(f.api.ctx, p, f.api.conf.Now())
	}
}
