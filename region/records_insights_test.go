package region

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCallsAreCountedByDayForThirtyDaysAcrossRestarts(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).AddDate(0, 0, n) }
	var calls DeprecatedCalls
	for _, reading := range []struct {
		counter int64
		at      time.Time
	}{{2, day(0)}, {5, day(0).Add(time.Hour)}, {5, day(1)}, {4, day(2)}, {0, day(3)}} { // the API server began anew twice
		calls.Count(reading.counter, reading.at)
	}
	want := DeprecatedCalls{Found: []FoundCalls{{day(0).Add(time.Hour), 5}, {day(2), 4}}}
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff(want.Found[1:], calls.Lately(day(31))); diff != "" {
		t.Errorf("after 31 days (-want +got):\n%s", diff)
	}
	calls.Count(0, day(33))
	if len(calls.Found) > 0 {
		t.Errorf("after 33 days: %+v", calls.Found)
	}
}
