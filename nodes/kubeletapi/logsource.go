package kubeletapi

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/third_party/forked/golang/expansion"

	"tripod/nodes/podcmd"
	"tripod/nodes/podset"
)

// Annotations on a pod that say what its containers have written. With "." and a container's name behind it, one is for
// that container alone and comes before the general one.
const (
	// LogsAnnotation is text that a container writes when it starts.
	LogsAnnotation = "tripod.internal/logs"
	// LogsGenerateAnnotation has lines made up: "10/s", "30/m json".
	LogsGenerateAnnotation = "tripod.internal/logs-generate"
)

// mostEntries is how many entries of each of its sources a log has: a kubelet's rotation would leave about as much.
const mostEntries = 10_000

// entry is a line of a log.
type entry struct {
	at     time.Time
	text   string
	stderr bool
}

// source is where lines of a container's log come from.
type source interface {
	// read returns the entries of [from, until), the last ones if they are more than most, and when the next may come
	// (zero: nobody knows).
	read(from, until time.Time, most int) (entries []entry, next time.Time)
}

// annotationOf is an annotation's value for a container.
func annotationOf(pod *corev1.Pod, annotation, container string) (string, bool) {
	value, ok := pod.Annotations[annotation+"."+container]
	if !ok {
		value, ok = pod.Annotations[annotation]
	}
	return value, ok
}

// sources of a run of a container.
func (a *API) sources(ctx context.Context, n Node, pod *corev1.Pod, c *corev1.Container, run instance) []source {
	return append(a.made(ctx, n, pod, c, run), requestSource{a, pod, c.Name})
}

// made are the sources that follow from what is said of a container, and not from what others ask of it.
func (a *API) made(ctx context.Context, n Node, pod *corev1.Pod, c *corev1.Container, run instance) []source {
	var all []source
	fixed := func(lines ...string) { all = append(all, textSource{run.started, lines}) }
	if len(podcmd.Argv(c.Image, c.Command, c.Args)) > 0 {
		v := a.view(ctx, n, pod, c)
		if command, err := podcmd.Parse(commandOf(c, v.env)); err == nil {
			all = append(all, commandSource{command, podcmd.Scene{Start: run.started, Env: v.env, Hostname: podset.Hostname(pod),
				User: v.user(), File: a.seen.by(v, run.number, a.conf.Now)}, v})
		}
	}
	if value, ok := annotationOf(pod, LogsAnnotation, c.Name); ok {
		fixed(strings.Split(strings.TrimSuffix(value, "\n"), "\n")...)
	}
	if value, ok := annotationOf(pod, LogsGenerateAnnotation, c.Name); ok {
		g, err := newGenerator(value, run.started, fmt.Sprintf("%s/%s/%d", pod.UID, c.Name, run.number))
		if err != nil {
			fixed(fmt.Sprintf("tripod: annotation %s %v", LogsGenerateAnnotation, err))
		} else {
			all = append(all, g)
		}
	}
	return all
}

// commandOf is what a container runs, with variables expanded.
func commandOf(c *corev1.Container, env []string) []string {
	known := map[string]string{}
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		known[name] = value
	}
	var argv []string
	for _, arg := range podcmd.Argv(c.Image, c.Command, c.Args) {
		argv = append(argv, expansion.Expand(arg, expansion.MappingFuncFor(known)))
	}
	return argv
}

// textSource is written when a container starts.
type textSource struct {
	at    time.Time
	lines []string
}

func (t textSource) read(from, until time.Time, most int) ([]entry, time.Time) {
	if t.at.Before(from) || !t.at.Before(until) {
		return nil, time.Time{}
	}
	var entries []entry
	for _, line := range t.lines[len(t.lines)-min(most, len(t.lines)):] {
		entries = append(entries, entry{at: t.at, text: line})
	}
	return entries, time.Time{}
}

// commandSource is what a plain command prints.
type commandSource struct {
	command podcmd.Command
	scene   podcmd.Scene
	view    *view
}

func (c commandSource) read(from, until time.Time, most int) ([]entry, time.Time) {
	scene := c.scene
	scene.From, scene.Until = from, until.Add(-1)
	c.view.look()
	got, err := c.command.Play(scene)
	var entries []entry
	for _, l := range got.Lines {
		entries = append(entries, entry{l.At, l.Text, l.Stderr})
	}
	entries = entries[len(entries)-min(most, len(entries)):]
	if err != nil || got.Ended {
		return entries, time.Time{}
	}
	return entries, got.At
}

// requestSource is what the pod has answered.
type requestSource struct {
	api       *API
	pod       *corev1.Pod
	container string
}

func (r requestSource) read(from, until time.Time, most int) ([]entry, time.Time) {
	lines := r.api.conf.HTTP.Requests().Lines(r.pod.UID, r.container)
	var entries []entry
	for _, l := range lines {
		if !l.At.Before(from) && l.At.Before(until) {
			entries = append(entries, entry{at: l.At, text: l.Text})
		}
	}
	return entries[len(entries)-min(most, len(entries)):], time.Time{}
}

// merge reads several sources, in order of time.
func merge(sources []source, from, until time.Time, most int) (entries []entry, next time.Time) {
	for _, s := range sources {
		more, then := s.read(from, until, most)
		entries = append(entries, more...)
		if !then.IsZero() && (next.IsZero() || then.Before(next)) {
			next = then
		}
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return a.at.Compare(b.at) })
	return entries[len(entries)-min(most, len(entries)):], next
}
