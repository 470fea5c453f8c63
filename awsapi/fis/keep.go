package fis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/fis/types"

	"tripod/internal/reconcile"
	"tripod/state"
)

// alarmed is the state of an alarm that stops experiments.
const alarmed = "ALARM"

// waiting is how soon it is looked again whether what an effect waits for has come, if no change of the records has told.
const waiting = time.Second

// mostTargets and mostFaults bound an experiment's record, and what one step writes.
const mostTargets, mostFaults = 500, 500

// run is an action of an experiment in a step.
type run struct {
	tx         *state.Txn // nil outside of the step's transaction
	now        time.Time
	experiment *experiment
	name       string
	action     types.ExperimentAction
	targets    []types.ResolvedTarget // its own
	effect     *effect
	note       string // what the action's state says while it runs; empty: as of all
}

// failure is why an experiment fails, with the code of its error.
type failure struct{ code, reason string }

func (f *failure) Error() string { return f.reason }

// Keep drives every experiment that has not ended, and says when it is to be called again. Two that do so at once, while the
// lead of the regional state changes, do no harm: a step is a transaction.
func (s *Service) Keep(ctx context.Context) (again time.Duration, err error) {
	var ids []string
	s.State.View(func(tx *state.Txn) error { ids = active.List(tx); return nil })
	var errs []error
	for _, id := range ids {
		next, err := s.step(ctx, id)
		errs = append(errs, err)
		if next != 0 && (again == 0 || next < again) {
			again = next
		}
	}
	return again, errors.Join(errs...)
}

// step brings an experiment on, and says when it is to be looked at next; 0: only a change matters.
func (s *Service) step(ctx context.Context, id string) (next time.Duration, err error) {
	var e experiment
	s.State.View(func(tx *state.Txn) error { e, _ = experiments.Get(tx, id); return nil })
	var pods map[string][]Pod
	var outside map[string]error
	var podsErr error
	switch {
	case e.State == nil:
		return 0, nil
	case len(e.Resolved) == 0 && e.StartTime == nil && e.State.Status != types.ExperimentStatusStopping:
		pods, podsErr = s.findPods(ctx, e)
	case e.State.Status == types.ExperimentStatusRunning:
		outside = s.doOutside(ctx, &e)
	}
	told, ended := "", false
	err = s.State.Update(ctx, func(tx *state.Txn) error {
		e, found := experiments.Get(tx, id)
		if !found {
			return nil
		}
		before, status := as[map[string]any](e), e.State.Status
		next = s.advance(tx, &e, pods, podsErr, outside)
		if !same(before, e) {
			put(tx, e)
			next = max(next, reconcile.Now)
		}
		told = ""
		if ended = over(e.State.Status); status != e.State.Status {
			told = fmt.Sprintf("the experiment %s is %s: %s", id, e.State.Status, aws.ToString(e.State.Reason))
		}
		return nil
	})
	if err == nil && told != "" && s.Tell != nil {
		s.Tell(id, told, ended)
	}
	return next, err
}

// same says whether an experiment is as it was.
func same(before map[string]any, e experiment) bool {
	return fmt.Sprint(before) == fmt.Sprint(as[map[string]any](e))
}

// advance does all that is due of an experiment, and says how long it is until the next of it; 0: only a change matters.
func (s *Service) advance(tx *state.Txn, e *experiment, pods map[string][]Pod, podsErr error, outside map[string]error) time.Duration {
	now := s.now()
	l, _ := levers.Get(tx, theLever)
	switch e.State.Status {
	case types.ExperimentStatusPending, types.ExperimentStatusInitiating:
		if l.Engaged {
			e.stop(types.ExperimentStatusCancelled, "Experiment cancelled: the safety lever is engaged.", "", "")
			return s.wind(tx, e, now) // all of its actions are cancelled
		}
		if err := s.initiate(tx, e, pods, podsErr); err != nil {
			e.fail(err, "")
			return s.wind(tx, e, now)
		}
		e.StartTime = &now
		e.become(types.ExperimentStatusRunning, "Experiment is running.")
	}
	if e.State.Status == types.ExperimentStatusRunning {
		switch reason := s.halted(tx, e); {
		case l.Engaged:
			e.stop(types.ExperimentStatusStopped, "Experiment stopped: the safety lever is engaged.", "", "")
		case reason != "":
			e.stop(types.ExperimentStatusStopped, reason, "", "")
		}
	}
	if e.State.Status == types.ExperimentStatusStopping {
		return s.wind(tx, e, now)
	}
	return s.proceed(tx, e, outside, now)
}

// initiate finds the targets, and sees that the role can be assumed.
func (s *Service) initiate(tx *state.Txn, e *experiment, pods map[string][]Pod, podsErr error) error {
	if _, err := s.principal(tx, e); err != nil {
		return err
	}
	if podsErr != nil {
		return &failure{"InvalidTarget", "Target resolution failed: " + podsErr.Error() + "."}
	}
	e.Resolved = []types.ResolvedTarget{}
	for _, name := range sortedNames(e.Targets) {
		found, err := s.resolve(tx, e.Targets[name], pods[name])
		if err != nil {
			return &failure{"InvalidTarget", "Target resolution failed for the target " + name + ": " + err.Error() + "."}
		}
		if len(found) == 0 && e.ExperimentOptions.EmptyTargetResolutionMode != types.EmptyTargetResolutionModeSkip {
			return &failure{"InvalidTarget", "Target resolution returned empty set: the target " + name + " has no resources."}
		}
		e.Resolved = append(e.Resolved, shownTargets(name, aws.ToString(e.Targets[name].ResourceType), found)...)
		if len(e.Resolved) > mostTargets {
			n := len(e.Resolved)
			e.Resolved = nil
			return &failure{"QuotaExceededFailure", fmt.Sprintf("Target resolution returned %d resources, and the limit is %d.", n, mostTargets)}
		}
	}
	return nil
}

// halted is why a stop condition ends the experiment; empty: none does.
func (s *Service) halted(tx *state.Txn, e *experiment) string {
	for _, one := range e.StopConditions {
		if aws.ToString(one.Source) != alarmCondition || s.Alarm == nil {
			continue
		}
		arn := aws.ToString(one.Value)
		if !strings.HasPrefix(arn, "arn:aws:cloudwatch:"+s.Region+":"+s.AccountID+":alarm:") {
			continue // another region's or account's, which are not here
		}
		if state, found := s.Alarm(tx, arn); found && state == alarmed {
			return "Experiment halted by stop condition."
		}
	}
	return ""
}

// proceed begins the actions that are due, and ends those whose time is over.
func (s *Service) proceed(tx *state.Txn, e *experiment, outside map[string]error, now time.Time) (next time.Duration) {
	for changed := true; changed; {
		changed = false
		for _, name := range sortedNames(e.Actions) {
			before := e.Actions[name].State.Status
			wait, err := s.act(tx, e, name, outside, now)
			if err != nil {
				e.fail(err, name)
				return s.wind(tx, e, now)
			}
			if wait != 0 && (next == 0 || wait < next) {
				next = wait
			}
			changed = changed || before != e.Actions[name].State.Status
		}
	}
	for _, one := range e.Actions {
		if !done(one.State.Status) {
			return next
		}
	}
	e.end(types.ExperimentStatusCompleted, "Experiment completed.", now)
	return 0
}

// act brings an action on.
func (s *Service) act(tx *state.Txn, e *experiment, name string, outside map[string]error, now time.Time) (time.Duration, error) {
	one := e.Actions[name]
	switch one.State.Status {
	case types.ExperimentActionStatusPending:
		if slices.ContainsFunc(one.StartAfter, func(before string) bool { return !done(e.Actions[before].State.Status) }) {
			return 0, nil
		}
		return 0, s.beginAction(tx, e, name, outside, now)
	case types.ExperimentActionStatusRunning:
		r := s.runOf(tx, e, name, now)
		kind, _ := actionOf(aws.ToString(one.ActionId))
		if kind.tick != nil {
			if err := kind.tick(s, r); err != nil {
				return 0, err
			}
			e.keep(r)
		}
		if wait := r.effect.Until.Sub(now); wait > 0 {
			if notice := r.effect.NoticeAt.Sub(now); notice > 0 {
				wait = min(wait, notice)
			}
			return wait, nil
		}
		if kind.end != nil {
			ended, err := kind.end(s, r)
			if err != nil || !ended {
				return waiting, err
			}
		}
		e.settle(name, types.ExperimentActionStatusCompleted, "Action was completed.", now)
	}
	return 0, nil
}

// beginAction begins an action: one that has no time, or nothing to take back, is complete at once.
func (s *Service) beginAction(tx *state.Txn, e *experiment, name string, outside map[string]error, now time.Time) error {
	r := s.runOf(tx, e, name, now)
	kind, _ := actionOf(aws.ToString(r.action.ActionId))
	switch {
	case e.ExperimentOptions.ActionsMode == types.ActionsModeSkipAll:
		e.settle(name, types.ExperimentActionStatusSkipped, "Action was skipped: actionsMode is skip-all.", now)
		return nil
	case kind.key != "" && len(r.targets) == 0:
		e.settle(name, types.ExperimentActionStatusSkipped, "Action was skipped: its targets resolved to an empty set.", now)
		return nil
	}
	if err := s.allowed(tx, e, kind, r.targets); err != nil {
		return err
	}
	if kind.outside != nil {
		err, tried := outside[name]
		if !tried {
			return nil // the next step does it
		}
		if refused := (*failure)(nil); errors.As(err, &refused) {
			return refused
		}
		if err != nil {
			return &failure{"DependentServiceFailure", err.Error()}
		}
	}
	if d, timed := duration(r.action.Parameters["duration"]); timed {
		r.effect.Until = now.Add(d)
	}
	if kind.begin != nil {
		err := kind.begin(s, r)
		e.keep(r) // what is done before an error is taken back, too
		if err != nil {
			return err
		}
	}
	e.keep(r)
	one := e.Actions[name]
	one.StartTime = &now
	one.State = &types.ExperimentActionState{Status: types.ExperimentActionStatusRunning,
		Reason: aws.String(cmp.Or(r.note, "Action is running."))}
	e.Actions[name] = one
	return nil
}

// doOutside does what no transaction can, for the actions that begin now, and tells what came of it.
func (s *Service) doOutside(ctx context.Context, e *experiment) map[string]error {
	results := map[string]error{}
	for _, name := range sortedNames(e.Actions) {
		one := e.Actions[name]
		kind, _ := actionOf(aws.ToString(one.ActionId))
		due := one.State.Status == types.ExperimentActionStatusPending &&
			!slices.ContainsFunc(one.StartAfter, func(before string) bool { return !done(e.Actions[before].State.Status) })
		if kind.outside == nil || !due || e.ExperimentOptions.ActionsMode == types.ActionsModeSkipAll {
			continue
		}
		var err error
		s.State.View(func(tx *state.Txn) error {
			err = s.allowed(tx, e, kind, s.runOf(tx, e, name, s.now()).targets)
			return nil
		})
		if err == nil {
			err = kind.outside(s, ctx, s.runOf(nil, e, name, s.now()))
		}
		results[name] = err
	}
	return results
}

// wind takes back what an experiment's actions have done, and ends it.
func (s *Service) wind(tx *state.Txn, e *experiment, now time.Time) time.Duration {
	open := false
	for _, name := range sortedNames(e.Actions) {
		one := e.Actions[name]
		switch one.State.Status {
		case types.ExperimentActionStatusPending:
			e.settle(name, types.ExperimentActionStatusCancelled, "Action was cancelled.", now)
		case types.ExperimentActionStatusFailed:
			if kind, _ := actionOf(aws.ToString(one.ActionId)); kind.end != nil && !s.undone(tx, e, name, kind, now) {
				open = true
			}
		case types.ExperimentActionStatusRunning, types.ExperimentActionStatusStopping:
			kind, _ := actionOf(aws.ToString(one.ActionId))
			if kind.end != nil {
				if ended, _ := kind.end(s, s.runOf(tx, e, name, now)); !ended {
					one.State = &types.ExperimentActionState{Status: types.ExperimentActionStatusStopping,
						Reason: aws.String("Action is stopping.")}
					e.Actions[name], open = one, true
					continue
				}
			}
			e.settle(name, types.ExperimentActionStatusStopped, "Action was stopped.", now)
		}
	}
	if open {
		return waiting
	}
	e.end(e.Ending.Status, e.Ending.Reason, now)
	if e.Ending.Code != "" {
		e.State.Error = &types.ExperimentError{AccountId: aws.String(s.AccountID), Code: aws.String(e.Ending.Code)}
		if e.Ending.Where != "" {
			e.State.Error.Location = aws.String(e.Ending.Where)
		}
	}
	return 0
}

// undone takes back what an action that failed had done before; false: that has to wait for something.
func (s *Service) undone(tx *state.Txn, e *experiment, name string, kind action, now time.Time) bool {
	if _, has := e.Effects[name]; !has {
		return true
	}
	if ended, _ := kind.end(s, s.runOf(tx, e, name, now)); !ended {
		return false
	}
	delete(e.Effects, name)
	return true
}

func (s *Service) runOf(tx *state.Txn, e *experiment, name string, now time.Time) *run {
	r := &run{tx: tx, now: now, experiment: e, name: name, action: e.Actions[name]}
	for _, key := range sortedNames(r.action.Targets) {
		for _, t := range e.Resolved {
			if aws.ToString(t.TargetName) == r.action.Targets[key] {
				r.targets = append(r.targets, t)
			}
		}
	}
	own := e.Effects[name]
	r.effect = &own
	return r
}

// keep writes down what an action has done.
func (e *experiment) keep(r *run) {
	if e.Effects == nil {
		e.Effects = map[string]effect{}
	}
	e.Effects[r.name] = *r.effect
}

// settle ends an action.
func (e *experiment) settle(name string, status types.ExperimentActionStatus, reason string, now time.Time) {
	one := e.Actions[name]
	one.State = &types.ExperimentActionState{Status: status, Reason: &reason}
	if status != types.ExperimentActionStatusCancelled && status != types.ExperimentActionStatusSkipped {
		one.EndTime = &now
	}
	e.Actions[name] = one
	delete(e.Effects, name)
}

func (e *experiment) become(status types.ExperimentStatus, reason string) {
	e.State = &types.ExperimentState{Status: status, Reason: &reason}
}

// end ends the experiment.
func (e *experiment) end(status types.ExperimentStatus, reason string, now time.Time) {
	e.become(status, reason)
	e.EndTime = &now
}

// stop begins to stop the experiment, which is to have that status when it has ended.
func (e *experiment) stop(status types.ExperimentStatus, reason, code, where string) {
	e.Ending = ending{Status: status, Reason: reason, Code: code, Where: where}
	e.become(types.ExperimentStatusStopping, "Experiment is stopping.")
}

// fail begins to end the experiment, whose action of that name, or none, has failed.
func (e *experiment) fail(err error, name string) {
	f := &failure{"InternalFailure", err.Error()}
	errors.As(err, &f)
	if name != "" {
		one := e.Actions[name]
		one.State = &types.ExperimentActionState{Status: types.ExperimentActionStatusFailed, Reason: aws.String(f.reason)}
		e.Actions[name] = one
	}
	e.stop(types.ExperimentStatusFailed, f.reason, f.code, name)
}

func done(status types.ExperimentActionStatus) bool {
	switch status {
	case types.ExperimentActionStatusCompleted, types.ExperimentActionStatusSkipped, types.ExperimentActionStatusStopped,
		types.ExperimentActionStatusFailed, types.ExperimentActionStatusCancelled:
		return true
	}
	return false
}
