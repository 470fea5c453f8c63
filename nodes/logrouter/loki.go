package logrouter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Loki sends records by Loki's push API. A container's two streams are streams of Loki's: labels are job (fluent-bit, as Fluent Bit's
// output has it), cluster, node, namespace, pod, container and stream, and the lines are what the container says.
type Loki struct {
	URL     *url.URL
	Cluster string
	Calls   *http.Client
}

type lokiStream struct {
	Stream map[string]string `json:"stream"`
	Values [][2]string       `json:"values"` // nanoseconds and line
}

// mostPush is how many bytes of JSON are pushed at once. Loki's parts give each other at most 4 MiB, and its answer to more is the one
// of a failure that passes.
const mostPush = 1 << 20

// Send is Output's. Of a stream with an entry that Loki refuses, which is too old or too long, it does not tell which ones it has taken:
// all of that stream's are counted as refused.
func (l Loki) Send(ctx context.Context, records []Record) error {
	refused := &Refused{}
	for push := range pushes(l.streams(records), mostPush) {
		if err := l.send(ctx, push, refused); err != nil {
			return err // an entry that is there already is not taken twice
		}
	}
	if refused.Records > 0 {
		return refused
	}
	return nil
}

// send pushes streams, and counts what of them is refused.
func (l Loki) send(ctx context.Context, all []*lokiStream, refused *Refused) error {
	err := l.push(ctx, all)
	var no *lokiRefusal
	if !errors.As(err, &no) {
		return err
	}
	entries := 0
	for _, one := range all {
		entries += len(one.Values)
	}
	var parts [][]*lokiStream
	switch {
	case no.large && entries > 1:
		parts = halves(all, entries)
	case !no.large && len(all) > 1:
		for _, one := range all {
			parts = append(parts, []*lokiStream{one})
		}
	default:
		if refused.Records += entries; refused.Err == nil {
			refused.Err = err
		}
	}
	for _, part := range parts {
		if err := l.send(ctx, part, refused); err != nil {
			return err
		}
	}
	return nil
}

// pushes cuts streams into what is pushed at once; an entry that is larger comes alone.
func pushes(all []*lokiStream, most int) func(func([]*lokiStream) bool) {
	return func(yield func([]*lokiStream) bool) {
		var push []*lokiStream
		size := 0
		for _, stream := range all {
			labels, _ := json.Marshal(stream.Stream) // of strings alone
			first := 0
			if size += len(labels); size > most && len(push) > 0 {
				if !yield(push) {
					return
				}
				push, size = nil, len(labels)
			}
			for i, entry := range stream.Values {
				text, _ := json.Marshal(entry)
				if size += len(text); size > most && (i > first || len(push) > 0) {
					if i > first {
						push = append(push, &lokiStream{stream.Stream, stream.Values[first:i]})
					}
					if !yield(push) {
						return
					}
					push, first, size = nil, i, len(labels)+len(text)
				}
			}
			push = append(push, &lokiStream{stream.Stream, stream.Values[first:]})
		}
		if len(push) > 0 {
			yield(push)
		}
	}
}

// halves are the streams' first and last entries, of two or more.
func halves(all []*lokiStream, entries int) [][]*lokiStream {
	parts, left := make([][]*lokiStream, 2), entries/2
	for _, one := range all {
		here := min(left, len(one.Values))
		left -= here
		for i, values := range [][][2]string{one.Values[:here], one.Values[here:]} {
			if len(values) > 0 {
				parts[i] = append(parts[i], &lokiStream{one.Stream, values})
			}
		}
	}
	return parts
}

func (l Loki) streams(records []Record) (all []*lokiStream) {
	known := map[[4]string]*lokiStream{}
	for _, r := range records {
		k := r.body.Kubernetes
		key := [4]string{k.NamespaceName, k.PodName, k.ContainerName, r.body.Stream}
		s := known[key]
		if s == nil {
			s = &lokiStream{Stream: map[string]string{"job": "fluent-bit", "cluster": l.Cluster, "node": k.Host, "namespace": k.NamespaceName,
				"pod": k.PodName, "container": k.ContainerName, "stream": r.body.Stream}}
			known[key] = s
			all = append(all, s)
		}
		s.Values = append(s.Values, [2]string{strconv.FormatInt(r.At.UnixNano(), 10), r.body.Log})
	}
	for _, s := range all {
		slices.SortStableFunc(s.Values, func(a, b [2]string) int { // of as many digits
			return strings.Compare(a[0], b[0])
		})
	}
	return all
}

// lokiRefusal is an answer that is the same however often it is asked for.
type lokiRefusal struct {
	why   string
	large bool // in fewer entries it may be taken
}

func (r *lokiRefusal) Error() string { return "push to Loki: " + r.why }

func (l Loki) push(ctx context.Context, streams []*lokiStream) error {
	body, err := json.Marshal(map[string]any{"streams": streams})
	if err != nil {
		return err
	}
	status, answer, err := post(ctx, l.Calls, http.MethodPost, l.URL.JoinPath("loki/api/v1/push").String(),
		http.Header{"Content-Type": {"application/json"}}, body, nil)
	said := strings.TrimSpace(cut(string(answer), 300))
	switch {
	case err != nil:
		return err
	case status == http.StatusBadRequest, status == http.StatusRequestEntityTooLarge:
		return &lokiRefusal{said, status == http.StatusRequestEntityTooLarge}
	case status >= 300:
		return fmt.Errorf("push to Loki: HTTP %d: %s", status, said)
	}
	return nil
}
