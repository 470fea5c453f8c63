package logrouter

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
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
