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

// Send is Output's. Of a stream with an entry that Loki refuses, which is too old or too long, it does not tell which ones it has taken:
// all of that stream's are counted as refused.
func (l Loki) Send(ctx context.Context, records []Record) error {
	streams := l.streams(records)
	err := l.push(ctx, streams)
	var no *lokiRefusal
	if !errors.As(err, &no) {
		return err
	}
	refused := &Refused{}
	for _, one := range streams { // an entry that is there already is not taken twice
		err := l.push(ctx, []*lokiStream{one})
		switch {
		case errors.As(err, &no):
			if refused.Records += len(one.Values); refused.Err == nil {
				refused.Err = err
			}
		case err != nil:
			return err
		}
	}
	if refused.Records > 0 {
		return refused
	}
	return nil
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
type lokiRefusal struct{ why string }

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
		return &lokiRefusal{said}
	case status >= 300:
		return fmt.Errorf("push to Loki: HTTP %d: %s", status, said)
	}
	return nil
}
