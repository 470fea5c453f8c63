package logrouter

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"tripod/nodes/podlogs"
)

// What is wrong with a group is no fault of the events that go there.
func TestEventsAreKeptWhenTheirGroupIsRefused(t *testing.T) {
	for _, operation := range []string{"CreateLogGroup", "PutRetentionPolicy", "CreateLogStream"} {
		endpoint := &logsEndpoint{bad: operation}
		to := streams{toEndpoint(t, endpoint).Client, true, 8}
		events := []event{{place{"g", "s"}, time.Unix(1, 0), "x"}}
		err := to.send(t.Context(), events)
		var refused *Refused
		var invalid *types.InvalidParameterException
		if errors.As(err, &refused) || !errors.As(err, &invalid) || !strings.Contains(err.Error(), operation) {
			t.Errorf("of %s: %v", operation, err)
		}
		if err := to.send(t.Context(), events); err != nil || len(endpoint.events["g|s"]) != 1 {
			t.Errorf("after that of %s: %v, %v", operation, err, endpoint.events)
		}
	}
}

func TestAGroupThatAnotherMadeFasterHasItsRetention(t *testing.T) {
	endpoint := &logsEndpoint{raced: true}
	to := streams{toEndpoint(t, endpoint).Client, true, 7}
	if err := to.send(t.Context(), []event{{place{"g", "s"}, time.Unix(1, 0), "x"}}); err != nil || endpoint.days != 7 {
		t.Errorf("%v, kept for %d days", err, endpoint.days)
	}
	endpoint.days = 0 // as an operator may set it
	if err := to.send(t.Context(), []event{{place{"g", "other"}, time.Unix(1, 0), "x"}}); err != nil || endpoint.days != 0 {
		t.Errorf("%v, of a group that was there it is set to %d days", err, endpoint.days)
	}
}

// A group without a permission must not have the events of others sent again with each attempt.
func TestWhatCloudWatchTookIsNotSentAgain(t *testing.T) {
	endpoint := &logsEndpoint{old: 1, full: "dataplane"}
	out := toEndpoint(t, endpoint)
	var records []Record
	for _, pod := range []string{"web", "web", "aws-node-1"} {
		about := describe(logOf(pod), "n1")
		records = append(records, record(podlogs.Line{At: time.Unix(1, 0), Text: "x"}, "tag", &about))
	}
	r := &Router{Node: "n1", Output: out, Retry: time.Millisecond, Logger: slog.New(slog.DiscardHandler)}
	if err := r.send(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"application": 2, "dataplane": 1} {
		if got := endpoint.events["/aws/containerinsights/demo/"+name+"|n1-tag"]; len(got) != want {
			t.Errorf("%s has %d events, not %d", name, len(got), want)
		}
	}
	if c := &r.Counts; c.Sent.Load() != 1 || c.Dropped.Load() != 2 || c.Retried.Load() != 1 {
		t.Errorf("sent %d, dropped %d, retried %d", c.Sent.Load(), c.Dropped.Load(), c.Retried.Load())
	}
}
