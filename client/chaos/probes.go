package chaos

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"tripod/api"
	"tripod/client"
	"tripod/internal/kubecall"
)

// prober tries one probe.
type prober interface {
	// attempt tries it once. It ends with ctx.
	attempt(ctx context.Context) error
	// finish looks, when all attempts are over, what is lost of what was acknowledged, in a clause each, and takes away what it
	// has made.
	finish(ctx context.Context) (lost []string, err error)
}

// what says what an attempt does.
func (p Probe) what() string {
	connection := " on a new connection"
	if p.Kept {
		connection = " on the connection of before"
	}
	switch p.Type {
	case ProbeAPI:
		return "GET " + readPath + connection
	case ProbeWrites:
		return "PATCH of a ConfigMap" + connection
	case ProbeWatch:
		return "a write, until a watch has its event"
	case ProbeAWS:
		return p.Operation
	case ProbeHTTP:
		return "GET " + p.URL
	case ProbeCommand:
		return strings.Join(p.Run, " ")
	case ProbeCondition:
		return p.Condition + " of " + p.Path
	case ProbeMetrics:
		return p.Query
	}
	return p.Condition
}

// prober makes what tries a probe. What it needs of the region is asked for now, while all is well.
func (r *run) prober(ctx context.Context, p Probe) (prober, error) {
	switch p.Type {
	case ProbeAPI:
		return simple(r.kube.reader(p.Kept)), nil
	case ProbeWrites:
		return newWriter(ctx, r.kube, p, r.id)
	case ProbeWatch:
		return newWatcher(ctx, r.kube, p, r.id)
	case ProbeAWS:
		return simple(r.awsCall(p.Operation)), nil
	case ProbeHTTP:
		return simple(getter(p.URL)), nil
	case ProbeCommand:
		return simple(r.command(p.Run)), nil
	case ProbeCondition:
		return simple(r.kube.condition(p.Path, p.Condition)), nil
	case ProbeMetrics:
		return simple(r.metrics(p.Query)), nil
	}
	target, condition, _ := strings.Cut(p.Condition, " ")
	return simple(func(ctx context.Context) error {
		status, err := r.region.Status(ctx)
		if err != nil {
			return err
		}
		met, missing, err := client.Condition{Target: target, Cluster: r.experiment.Cluster, For: condition}.Check(status)
		if err == nil && !met {
			err = fmt.Errorf("not %s: %s", condition, missing)
		}
		return err
	}), nil
}

// simple is a prober that acknowledges nothing.
type simple func(ctx context.Context) error

func (s simple) attempt(ctx context.Context) error               { return s(ctx) }
func (s simple) finish(context.Context) (lost []string, _ error) { return nil, nil }

// getter reads a URL on a new connection each time; a status of 400 or more is a failure.
func getter(url string) func(context.Context) error {
	calls := &http.Client{Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		return kubecall.Do(calls, request, nil)
	}
}

// command runs a command that is led to the region, as by `tripod env`.
func (r *run) command(args []string) func(context.Context) error {
	return func(ctx context.Context) error {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Env = r.environ
		cmd.WaitDelay = time.Second
		// What it has started ends with it.
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		var said tail
		cmd.Stdout, cmd.Stderr = &said, &said
		err := cmd.Run()
		out := said.text
		if err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		if text := strings.TrimSpace(string(out)); err != nil && text != "" {
			lines := strings.Split(text, "\n")
			return fmt.Errorf("%w: %s", err, lines[len(lines)-1])
		}
		return err
	}
}

// tail keeps the end of what is written.
type tail struct{ text []byte }

// mostTail is how much of a command's output is kept, in bytes.
const mostTail = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-mostTail):]
	return len(p), nil
}

// watchProbe tries a probe until ctx ends.
func watchProbe(ctx context.Context, p Probe, try prober, into *series) {
	ticker := time.NewTicker(p.Every)
	defer ticker.Stop()
	for {
		begin := time.Now()
		within, cancel := context.WithTimeout(ctx, p.Timeout)
		err := try.attempt(within)
		cancel()
		if ctx.Err() != nil {
			return // ended by us
		}
		into.add(attempt{begin, time.Since(begin), kindOf(err)})
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// AWSOperations are the operations that a probe can call.
func AWSOperations() []string { return slices.Sorted(maps.Keys(awsOperations)) }

// metrics asks about the region's metrics: no series is a failure.
func (r *run) metrics(query string) func(context.Context) error {
	return func(ctx context.Context) error {
		answer, err := r.region.Query(ctx, api.MetricsQuestion{Query: query})
		switch {
		case err != nil:
			return err
		case answer.Type != "vector":
			return fmt.Errorf("the query's answer is a %s: write a comparison of a vector, such as sum(up) >= 6", answer.Type)
		case len(answer.Series) == 0:
			return errors.New("the query has no series")
		}
		return nil
	}
}
