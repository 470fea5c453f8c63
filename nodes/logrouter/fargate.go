package logrouter

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"tripod/internal/sleep"
	"tripod/nodes/fluentbit"
)

// Fargate is an output of the log router on a machine of Fargate's, behind the router's filters. The records that go in are as Fluent
// Bit's tail input has them there: a field "log" with a line of the container's log file.
type Fargate struct {
	Filters fluentbit.Filters
	To      fluentbit.Output
	// Client signs by the pod execution role.
	Client *cloudwatchlogs.Client
}

// Send is Output's. What filters drop counts as sent.
func (f Fargate) Send(ctx context.Context, records []Record) error {
	var events []event
	gathered, refused := 0, &Refused{}
	send := func() error {
		err := streams{f.Client, f.To.CreateGroup, f.To.RetentionDays}.send(ctx, events)
		var some *Refused
		if errors.As(err, &some) {
			refused.Records, refused.Err = refused.Records+some.Records, cmp.Or(refused.Err, some.Err)
			err = nil
		}
		clear(events)
		events, gathered = events[:0], 0
		return err
	}
	for _, r := range records {
		if err := ctx.Err(); err != nil {
			return err
		}
		made := fluentbit.Record{At: r.At, Tag: "kube." + strings.TrimPrefix(r.Tag, "application."),
			Fields:     map[string]any{"log": r.body.Time + " " + r.body.Stream + " " + r.body.Part + " " + r.body.Log},
			Kubernetes: r.body.Kubernetes.fields, Ended: ctx.Err}
		if !f.To.Matches(made.Tag) || !f.Filters.Apply(&made) {
			continue
		}
		text, some := f.text(made.Fields)
		if !some {
			continue
		}
		to := place{f.To.Group, f.To.Stream}
		if to.stream == "" {
			to.stream = f.To.StreamPrefix + made.Tag
		}
		events = append(events, event{to, made.At, text})
		if gathered += len(text); gathered < mostBytes { // filters make more of a record than it was
			continue
		}
		if err := send(); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := send(); err != nil {
		return err
	}
	if refused.Records > 0 {
		return refused
	}
	return nil
}

// text is what is sent of a record: with a key that field alone, if there is one.
func (f Fargate) text(fields map[string]any) (text string, send bool) {
	var value any = fields
	if f.To.Key != "" {
		if value, send = fields[f.To.Key]; !send {
			return "", false
		}
		if text, isText := value.(string); isText {
			return text, text != ""
		}
	}
	encoded, err := json.Marshal(value)
	return string(encoded), err == nil
}

// fields are what the Kubernetes filter of Fargate's log router adds.
func (k *Kubernetes) fields() map[string]any {
	fields := map[string]any{"pod_name": k.PodName, "namespace_name": k.NamespaceName, "pod_id": k.PodID, "host": k.Host,
		"container_name": k.ContainerName}
	for name, value := range map[string]string{"docker_id": k.DockerID, "container_hash": k.ContainerHash,
		"container_image": k.ContainerImage} {
		if value != "" {
			fields[name] = value
		}
	}
	if len(k.Labels) > 0 {
		fields["labels"] = k.Labels
	}
	if len(k.Annotations) > 0 {
		fields["annotations"] = k.Annotations
	}
	return fields
}

// Machine is what a machine of Fargate's does with the logs of its pod.
type Machine struct {
	Outputs map[string]Output // by names that stay
	Process *ProcessLog       // nil: what the router itself logs is sent nowhere
}

// ProcessLog sends what a router itself logs to a stream of CloudWatch Logs (flb_log_cw). What cannot be sent waits, up to mostTold
// lines; then the oldest are dropped.
type ProcessLog struct {
	Client        *cloudwatchlogs.Client
	Group, Stream string

	mu    sync.Mutex
	lines []event
}

const (
	mostTold  = 1000
	tellEvery = time.Second
	tellAgain = time.Minute
)

// Write takes a line.
func (p *ProcessLog) Write(line []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if text := strings.TrimSpace(string(line)); text != "" {
		p.lines = append(p.lines[max(0, len(p.lines)-mostTold+1):], event{place{p.Group, p.Stream}, time.Now(), text})
	}
	return len(line), nil
}

// Run sends until ctx ends.
func (p *ProcessLog) Run(ctx context.Context) {
	pause := tellEvery
	for sleep.For(ctx, pause) == nil {
		pause = tellEvery
		p.mu.Lock()
		lines := p.lines
		p.lines = nil
		p.mu.Unlock()
		if len(lines) == 0 {
			continue
		}
		err := streams{client: p.Client, create: true}.send(ctx, lines)
		var never *Refused // again and again
		if err != nil && !errors.As(err, &never) {
			pause = tellAgain
			p.back(lines)
		}
	}
}

// back puts lines that were not sent before those which have come since.
func (p *ProcessLog) back(lines []event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	lines = append(lines, p.lines...)
	p.lines = lines[max(0, len(lines)-mostTold):]
}
