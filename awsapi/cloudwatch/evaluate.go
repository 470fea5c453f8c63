package cloudwatch

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"tripod/state"
)

const (
	// settled is how long after a period's end it is evaluated, so that data of its last moments are in every zone's copy.
	settled = 2 * time.Second
	// undisturbed is how long a state that somebody has just set stays, so that whoever listens to alarms sees it.
	undisturbed = 5 * time.Second
	// evaluatedEvery is how often an alarm with longer periods is evaluated.
	evaluatedEvery = 60
)

// Evaluator decides the states of alarms by their data, where the regional state is led. While there are no alarms it does
// nothing.
type Evaluator struct {
	*Service
	done map[string]evaluation // by name
}

// evaluation is the last one of an alarm.
type evaluation struct {
	configured time.Time
	period     int64 // its own, in seconds
	end        int64 // of the last period
	acted      time.Time
}

// Keep evaluates what is due, and says when the next is. It may be called at any moment.
func (e *Evaluator) Keep(ctx context.Context) (again time.Duration, err error) {
	all := e.all()
	if len(all) == 0 {
		e.done = nil
		return 0, nil
	}
	if e.done == nil {
		e.done = map[string]evaluation{}
	}
	maps.DeleteFunc(e.done, func(name string, _ evaluation) bool { _, there := all[name]; return !there })
	now, composites := e.now(), false
	for _, name := range slices.Sorted(maps.Keys(all)) {
		a := all[name]
		composites = composites || a.kind() == compositeAlarm
		if a.kind() != metricAlarm || text(a.Given, "ThresholdMetricId") != "" {
			continue
		}
		wait, err := e.evaluate(ctx, a, now)
		if err != nil {
			return 0, err
		}
		again = sooner(again, wait)
	}
	if !composites {
		return again, nil
	}
	wait, err := e.evaluateComposites(ctx, now)
	return sooner(again, wait), err
}

// sooner is the shorter of two times, of which 0 means never.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

func (e *Evaluator) all() map[string]Alarm {
	all := map[string]Alarm{}
	e.State.View(func(tx *state.Txn) error {
		for _, a := range alarms.List(tx) {
			all[a.Name] = a
		}
		return nil
	})
	return all
}

// evaluate evaluates a metric alarm if a period has ended since the last time, or it was changed. It says when the next period
// has ended.
func (e *Evaluator) evaluate(ctx context.Context, a Alarm, now time.Time) (wait time.Duration, err error) {
	c, last := criterionOf(a.Given), e.done[a.Name]
	switch {
	case last.configured.Equal(a.Configured):
		c.period = last.period
	case a.Given["Metrics"] != nil:
		c.period = periodOf(a)
	}
	every := min(c.period, evaluatedEvery)
	end := now.Add(-settled).Unix()
	end -= end % every
	wait = time.Unix(end+every, 0).Add(settled).Sub(now)
	if quiet := a.quiet(now); quiet > 0 {
		return sooner(quiet, wait), nil
	}
	if last.end == end && last.configured.Equal(a.Configured) {
		return wait, nil
	}
	found, low, err := e.datapoints(a.Given, c, end)
	var v verdict
	switch {
	case err != nil: // of an expression, say
		v = verdict{state: InsufficientData, reason: clipped("Insufficient Data: "+err.Error(), 1023)}
	case !low || !c.keepLow:
		v = c.judge(found, now)
	}
	acted, err := e.decide(ctx, a, v, now, last.acted)
	if err != nil {
		return 0, err
	}
	e.done[a.Name] = evaluation{a.Configured, c.period, end, acted}
	return wait, nil
}

// quiet is how long a state that was set by hand stays yet.
func (a Alarm) quiet(now time.Time) time.Duration {
	if !a.ByHand {
		return 0
	}
	return max(a.Updated.Add(undisturbed).Sub(now), 0)
}

// periodOf is the period of a metric math alarm: that of what it returns.
func periodOf(a Alarm) int64 {
	queries, err := queriesIn(a.Given, "Metrics")
	if err != nil {
		return evaluatedEvery
	}
	for _, q := range queries {
		if q.returned {
			return periodAmong(queries, q)
		}
	}
	return evaluatedEvery
}

// decide makes an evaluation's verdict the alarm's state, if the alarm is still the one that was evaluated. Policies of Auto
// Scaling are followed once a minute for as long as the state lasts; acted is when that was.
func (e *Evaluator) decide(ctx context.Context, a Alarm, v verdict, now, acted time.Time) (time.Time, error) {
	again := v.state == a.State && a.scales() && now.Sub(acted) >= time.Minute
	if v.state == "" || v.state == a.State && !again {
		return acted, nil
	}
	var told []item
	err := e.State.Update(ctx, func(tx *state.Txn) error {
		told = nil
		current, found := alarms.Get(tx, a.Name)
		if !found || !current.Configured.Equal(a.Configured) || !current.Updated.Equal(a.Updated) {
			return nil
		}
		if again {
			told = e.act(tx, &current, v, now, isScaling)
			return nil
		}
		told = e.turn(tx, &current, v, now)
		alarms.Put(tx, a.Name, current)
		return nil
	})
	if err != nil {
		return acted, fmt.Errorf("evaluate alarm %s: %w", a.Name, err)
	}
	e.note(now, told...)
	return now, nil
}

// evaluateComposites evaluates the composite alarms until no state changes any more: some are about others.
func (e *Evaluator) evaluateComposites(ctx context.Context, now time.Time) (wait time.Duration, err error) {
	for changed, rounds := true, 0; changed && rounds < mostChildren; rounds++ {
		changed, wait = false, 0
		all := e.all()
		for _, name := range slices.Sorted(maps.Keys(all)) {
			a := all[name]
			if a.kind() != compositeAlarm {
				continue
			}
			turned, err := e.evaluateComposite(ctx, a, all, now)
			if err != nil {
				return 0, err
			}
			changed = changed || turned
			if a.SuppressedBy != "" && !a.SuppressedUntil.IsZero() {
				wait = sooner(wait, max(a.SuppressedUntil.Sub(now), time.Millisecond))
			}
			wait = sooner(wait, a.quiet(now))
		}
	}
	return wait, nil
}

func (e *Evaluator) evaluateComposite(ctx context.Context, a Alarm, all map[string]Alarm, now time.Time) (changed bool, err error) {
	v := e.judgeComposite(a, all)
	suppressor := all[nameOf(text(a.Given, "ActionsSuppressor"))].State
	probe := a
	waits, acts := probe.suppressedNext(suppressor, now)
	turns := v.state != "" && v.state != a.State && a.quiet(now) == 0
	if !turns && !waits && !acts {
		return false, nil
	}
	var told []item
	err = e.State.Update(ctx, func(tx *state.Txn) error {
		told, changed = nil, false
		current, found := alarms.Get(tx, a.Name)
		if !found || !current.Configured.Equal(a.Configured) || !current.Updated.Equal(a.Updated) ||
			current.SuppressedBy != a.SuppressedBy {
			return nil
		}
		changed = true
		if turns {
			told = e.turn(tx, &current, v, now)
		} else if _, acts := current.suppressedNext(suppressor, now); acts {
			told = e.act(tx, &current, verdict{}, now, anyAction)
		}
		alarms.Put(tx, a.Name, current)
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("evaluate alarm %s: %w", a.Name, err)
	}
	e.note(now, told...)
	return changed, nil
}
