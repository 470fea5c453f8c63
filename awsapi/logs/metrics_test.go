package logs

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod/logs/logstore"
	"tripod/region"
	"tripod/state"
)

// noted are metrics that are only noted.
type noted struct {
	mu   sync.Mutex
	said []string
}

func (n *noted) Put(_ context.Context, data []Datum) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, d := range data {
		said := fmt.Sprintf("%s %s %v %s", d.Namespace, d.Metric, d.Value, d.Unit)
		for _, name := range slices.Sorted(maps.Keys(d.Dimensions)) {
			said += " " + name + "=" + d.Dimensions[name]
		}
		n.said = append(n.said, said)
	}
	return nil
}

func TestMetricFiltersPutWhatTheyFind(t *testing.T) {
	const id = "0123456789abcdef0123456789abcdef"
	zero := 0.0
	memory := region.NewMemory(func(tx *state.Txn) {
		groups.Put(tx, "g", group{Name: "g", MetricFilters: []metricFilter{
			{Name: "errors", Pattern: "ERROR", Namespace: "Test", Metric: "Errors", Value: "1", Default: &zero, Unit: "Count"},
			{Name: "json", Pattern: "{ $.ms >= 0 }", Namespace: "Test", Metric: "Latency", Value: "$.ms",
				Dimensions: map[string]string{"Verb": "$.verb", "User": "$.user.name"}},
			{Name: "size", Pattern: "[ip, status = 200, size]", Namespace: "Test", Metric: "Size", Value: "$size"},
		}})
		addStream(tx, "g", "s", id, time.Now())
	})
	store, err := logstore.Open(logstore.Config{Dir: t.TempDir(), Zone: "us-east-1a", Zones: []string{"us-east-1a"}})
	if err != nil {
		t.Fatal(err)
	}
	metrics := &noted{}
	filters := &MetricFilters{State: memory, Events: store, Metrics: metrics, Logger: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { filters.Run(ctx) })
	defer running.Wait()
	defer cancel()
	put := func(messages ...string) {
		t.Helper()
		var events []logstore.Event
		for _, m := range messages {
			events = append(events, logstore.Event{Time: time.Now().UnixMilli(), Message: m})
		}
		if _, err := store.Append(id, events, nil); err != nil {
			t.Fatal(err)
		}
	}
	wait := func(has func([]string) bool, again func()) []string {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			metrics.mu.Lock()
			said := slices.Sorted(slices.Values(metrics.said))
			metrics.mu.Unlock()
			if has(said) {
				return said
			}
			if time.Now().After(end) {
				t.Fatalf("got %q", said)
			}
			again()
		}
	}
	// The filters follow from some moment on: until then nothing is found.
	wait(func(said []string) bool { return len(said) > 0 }, func() { put("nothing is here") })
	metrics.mu.Lock()
	metrics.said = nil
	metrics.mu.Unlock()
	put("an ERROR here", `{"ms":12.5,"verb":"get","user":{"name":"ann"}}`, `{"ms":3,"verb":"get"}`, "10.0.0.1 200 77", "10.0.0.1 500 78",
		"10.0.0.1 200 -")
	got := wait(func(said []string) bool {
		return slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, "Size") })
	}, func() {})
	got = slices.DeleteFunc(got, func(s string) bool { return s == "Test Errors 0 Count" }) // of the waiting
	if diff := cmp.Diff([]string{"Test Errors 1 Count", "Test Latency 12.5  User=ann Verb=get", "Test Size 77 "}, got); diff != "" {
		t.Error(diff)
	}
}
