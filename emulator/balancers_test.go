package emulator

import (
	"testing"
	"time"

	"tripod/internal/options"
	"tripod/lb"
)

func TestHealthChecksAreThoseOfTheTimers(t *testing.T) {
	for name, c := range map[string]struct {
		options options.Up
		want    lb.Config
	}{
		"calm": {options.Up{}, lb.Config{}},
		"fast": {options.Up{Agent: options.Agent{FastTimers: true}},
			lb.Config{Interval: 250 * time.Millisecond, Timeout: 300 * time.Millisecond, FirstByteDeadline: time.Second}},
		// https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-health-checks.html
		"aws": {options.Up{AWSHealthChecks: true}, lb.Config{ChecksAlone: true, Interval: 30 * time.Second, Timeout: 10 * time.Second,
			Thresholds: lb.Thresholds{Healthy: 5, Refused: 2, Failing: 2}, FirstByteDeadline: 350 * time.Second}},
	} {
		got := (&endpoints{site: &site{options: c.options}}).healthChecks(lb.Config{})
		if (got.Starved != nil) != (name == "calm") {
			t.Errorf("%s: whether the machine is starved is asked: %t", name, got.Starved != nil)
		}
		if got.ChecksAlone != c.want.ChecksAlone || got.Interval != c.want.Interval || got.Timeout != c.want.Timeout ||
			got.Thresholds != c.want.Thresholds || got.FirstByteDeadline != c.want.FirstByteDeadline {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}
