package chaos

import (
	"errors"
	"fmt"
	"time"

	"tripod/client/chaos/report"
)

// judge compares what was expected with what was observed.
func (r *run) judge(trouble, stopped, undoing error) {
	if len(r.report.Phases) > 1 { // else the method has not begun
		var verdicts []report.Verdict
		for i, p := range r.experiment.Probes {
			verdicts = append(verdicts, judged(p, r.report.Probes[i])...)
		}
		r.report.Verdicts = append(verdicts, r.report.Verdicts...)
	}
	r.decide(trouble, stopped, undoing)
}

// decide says what the outcome is, and why.
func (r *run) decide(trouble, stopped, undoing error) {
	failed := r.report.Failed()
	switch {
	case trouble != nil:
		r.report.Outcome, r.report.Reason = report.CouldNotRun, trouble.Error()
	case stopped != nil:
		r.report.Outcome, r.report.Reason = report.NotAsExpected, stopped.Error()
	case len(failed) > 0:
		r.report.Outcome = report.NotAsExpected
		r.report.Reason = fmt.Sprintf("%s: expected %s, observed %s", failed[0].Title(), failed[0].Expected, failed[0].Observed)
	default:
		r.report.Outcome = report.AsExpected
	}
	if undoing != nil {
		if r.report.Outcome == report.AsExpected {
			r.report.Outcome = report.NotAsExpected
		}
		text := "not all could be taken back: " + undoing.Error()
		if r.report.Reason != "" {
			text = r.report.Reason + "; " + text
		}
		r.report.Reason = text
	}
}

// judged are the verdicts of one probe.
func judged(p Probe, seen report.Result) (all []report.Verdict) {
	e := p.Expect
	add := func(what, expected, observed string, holds bool) {
		all = append(all, report.Verdict{Probe: p.Name, What: what, Expected: expected, Observed: observed, Holds: holds})
	}
	if e.Availability != nil {
		add("availability", fmt.Sprintf("at least %.4g %%", *e.Availability),
			fmt.Sprintf("%.4g %% of %d", seen.Availability, seen.Attempts), seen.Attempts > 0 && seen.Availability >= *e.Availability)
	}
	if e.Failures != nil {
		add("failures", fmt.Sprintf("at most %d", *e.Failures), fmt.Sprintf("%d of %d", seen.Failures, seen.Attempts),
			seen.Attempts > 0 && seen.Failures <= *e.Failures)
	}
	atMost := func(what string, limit *time.Duration, observed time.Duration, some bool) {
		if limit == nil {
			return
		}
		text := short(observed)
		if !some {
			text = "there is none"
		}
		add(what, "at most "+short(*limit), text, some && observed <= *limit)
	}
	atMost("longest time without a success", e.Gap, seen.Gap.Long, seen.Attempts > 0)
	succeeded := seen.Attempts > seen.Failures
	atMost("median time", e.P50, seen.P50, succeeded)
	atMost("99th percentile", e.P99, seen.P99, succeeded)
	if e.Lost != nil {
		observed := fmt.Sprint(len(seen.Lost))
		if len(seen.Lost) > 0 {
			observed += ": " + seen.Lost[0]
		}
		add("lost, doubled or out of order", fmt.Sprintf("at most %d", *e.Lost), observed, len(seen.Lost) <= *e.Lost)
	}
	return all
}

// short is a time as people read it.
func short(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(time.Millisecond).String()
	}
	return d.String()
}

var errNoCluster = errors.New("the region has no cluster to try: make one, or name it by cluster")
