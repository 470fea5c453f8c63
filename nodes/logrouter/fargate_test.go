package logrouter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"tripod/nodes/fluentbit"
	"tripod/nodes/podlogs"
)

// fargateOutput is the first output of a configuration of Fargate's log router.
func fargateOutput(t *testing.T, endpoint *logsEndpoint, output, filters string) Fargate {
	t.Helper()
	config, err := fluentbit.Fargate(map[string]string{"output.conf": output, "filters.conf": filters}, "us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	return Fargate{Filters: config.Filters, To: config.Outputs[0], Client: toEndpoint(t, endpoint).Client}
}

const fargateSection = "[OUTPUT]\n Name cloudwatch_logs\n Match kube.*\n region us-east-1\n log_group_name g\n log_stream_prefix from-\n"

func fargateRecords(texts ...string) (records []Record) {
	about := describe(logOf("web"), "fargate-1")
	about.Labels = map[string]string{"app": "shop"}
	for i, text := range texts {
		records = append(records, record(podlogs.Line{At: time.Unix(int64(i), 0), Text: text}, "application.web", &about))
	}
	return records
}

func TestFargatesRecordsGoWhereTheConfigMapSays(t *testing.T) {
	endpoint := &logsEndpoint{}
	f := fargateOutput(t, endpoint, fargateSection+" auto_create_group On\n log_retention_days 7\n",
		"[FILTER]\n Name kubernetes\n Match *\n[FILTER]\n Name grep\n Match *\n Exclude log secret\n")
	if err := f.Send(t.Context(), fargateRecords("hello", "secret")); err != nil {
		t.Fatal(err)
	}
	want := `{"kubernetes":{"container_name":"app","docker_id":"0123","host":"fargate-1","labels":{"app":"shop"},"namespace_name":"shop",` +
		`"pod_id":"uid-web","pod_name":"web"},"log":"1970-01-01T00:00:00.000000000Z stdout F hello"}`
	if got := endpoint.events["g|from-kube.web"]; !slices.Equal(got, []string{want}) || endpoint.days != 7 {
		t.Errorf("%v, kept for %d days", endpoint.events, endpoint.days)
	}
	f = fargateOutput(t, endpoint, strings.Replace(fargateSection, "log_stream_prefix from-", "log_stream_name one\n log_key log", 1), "")
	endpoint.there["g|one"] = true
	if err := f.Send(t.Context(), fargateRecords("hello")); err != nil {
		t.Fatal(err)
	}
	if got := endpoint.events["g|one"]; len(got) != 1 || !strings.HasSuffix(got[0], "Z stdout F hello") || strings.HasPrefix(got[0], "{") {
		t.Errorf("of a key: %v", got)
	}
	f.To.Matches = func(string) bool { return false }
	if err := f.Send(t.Context(), fargateRecords("other")); err != nil || len(endpoint.events["g|one"]) != 1 {
		t.Errorf("what does not match: %v, %v", err, endpoint.events)
	}
}

// Without auto_create_group a group that is not there is an error, which the router tries again.
func TestFargatesGroupsAreMadeWhereTheConfigMapSaysSo(t *testing.T) {
	endpoint := &logsEndpoint{refuse: "g|from-kube.web"}
	f := fargateOutput(t, endpoint, fargateSection, "")
	f.Send(t.Context(), fargateRecords("x"))
	if endpoint.there["g|"] {
		t.Error("the group is made")
	}
	endpoint.denied = true
	if err := f.Send(t.Context(), fargateRecords("x")); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("without the permission: %v", err)
	}
}

func TestTheRoutersOwnLogIsSent(t *testing.T) {
	endpoint := &logsEndpoint{}
	p := &ProcessLog{Client: toEndpoint(t, endpoint).Client, Group: "demo-fluent-bit-logs", Stream: "fluent-bit-web-shop"}
	logger := slog.New(slog.NewTextHandler(p, nil))
	for range 2 * mostTold {
		logger.Warn("AccessDenied")
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); p.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		endpoint.mu.Lock()
		got := endpoint.events["demo-fluent-bit-logs|fluent-bit-web-shop"]
		endpoint.mu.Unlock()
		if len(got) == mostTold && strings.Contains(got[0], "msg=AccessDenied") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d lines came", len(got))
		}
	}
}

// What filters make of a batch is never there at once.
func TestFargatesRecordsAreSentAsTheyAreMade(t *testing.T) {
	endpoint := &logsEndpoint{}
	f := fargateOutput(t, endpoint, fargateSection+" auto_create_group On\n", "")
	endpoint.old = 1
	made := 0
	records := fargateRecords(slices.Repeat([]string{strings.Repeat("x", 1<<20)}, 9)...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f.To.Matches = func(string) bool {
		endpoint.mu.Lock()
		defer endpoint.mu.Unlock()
		if made++; made == len(records) && len(endpoint.events["g|from-kube.web"]) < 4 {
			t.Errorf("of %d records there are %d", made, len(endpoint.events["g|from-kube.web"]))
		}
		return true
	}
	var refused *Refused
	if err := f.Send(ctx, records); !errors.As(err, &refused) || refused.Records != len(records) || refused.Err == nil {
		t.Errorf("of those that are refused: %v", err)
	}
	made = 0
	f.To.Matches = func(string) bool { made++; cancel(); return true }
	if err := f.Send(ctx, records); !errors.Is(err, context.Canceled) || made != 1 {
		t.Errorf("as the router ends: %v after %d records", err, made)
	}
}

func TestFiltersEndWithTheirRouter(t *testing.T) {
	f := fargateOutput(t, &logsEndpoint{}, fargateSection, "[FILTER]\n Name grep\n Match *\n"+strings.Repeat(" Regex log x\n", 9))
	ctx, cancel := context.WithCancel(t.Context())
	f.To.Matches = func(string) bool { cancel(); return true }
	if err := f.Send(ctx, fargateRecords("x")); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "log group") {
		t.Errorf("%v", err)
	}
}

func TestLinesOfTheRoutersOwnLogWaitInTheirOrder(t *testing.T) {
	p := &ProcessLog{}
	write := func(from, to int) (lines []event) {
		for i := from; i < to; i++ {
			fmt.Fprintf(p, "%d\n", i)
		}
		return p.lines
	}
	for _, more := range []int{5, mostTold} {
		p.lines = nil
		lines := write(0, 10)
		p.lines = nil
		write(10, 10+more)
		p.back(lines)
		if n := min(10+more, mostTold); len(p.lines) != n || p.lines[0].text != fmt.Sprint(10+more-n) || p.lines[n-1].text != fmt.Sprint(9+more) {
			t.Errorf("after %d more there are %d, from %s", more, len(p.lines), p.lines[0].text)
		}
	}
}

// What is refused for good isn't tried again: the next line doesn't wait for it.
func TestLinesOfTheRoutersOwnLogThatAreRefusedAreDone(t *testing.T) {
	endpoint := &logsEndpoint{bad: "PutLogEvents"}
	p := &ProcessLog{Client: toEndpoint(t, endpoint).Client, Group: "g", Stream: "s"}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); p.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	fmt.Fprintln(p, "refused")
	refused := func() bool {
		endpoint.mu.Lock()
		defer endpoint.mu.Unlock()
		return endpoint.bad == ""
	}
	for end := time.Now().Add(20 * time.Second); !refused(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing was sent")
		}
	}
	fmt.Fprintln(p, "taken")
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		endpoint.mu.Lock()
		got := endpoint.events["g|s"]
		endpoint.mu.Unlock()
		if len(got) > 0 {
			if !slices.Equal(got, []string{"taken"}) {
				t.Errorf("%v", got)
			}
			return
		}
		if time.Now().After(end) {
			t.Fatal("the next line waits")
		}
	}
}
