package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"tripod/api"
	"tripod/client"
	"tripod/client/chaos/report"
)

// inForce is an action whose effect is there, and what takes it back.
type inForce struct {
	action Action
	fault  *report.Fault
	lift   string
}

// serial does steps one after the other.
func (r *run) serial(ctx context.Context, steps []Step) error {
	begin := time.Now()
	for _, s := range steps {
		if err := r.step(ctx, s, begin); err != nil {
			return err
		}
	}
	return nil
}

// parallel does steps side by side, and returns when all have ended. An error of one ends the others.
func (r *run) parallel(ctx context.Context, steps []Step) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	begin, errs := time.Now(), make([]error, len(steps))
	var wait sync.WaitGroup
	for i, s := range steps {
		wait.Go(func() {
			if errs[i] = r.step(ctx, s, begin); errs[i] != nil {
				end(errs[i])
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// step does one step, which is one of steps that began at begin.
func (r *run) step(ctx context.Context, s Step, begin time.Time) error {
	if err := pause(ctx, time.Until(begin.Add(s.At))); err != nil { // also where it has ended already
		return err
	}
	switch {
	case s.Action != nil:
		return r.act(ctx, *s.Action)
	case s.Await != nil:
		return r.await(ctx, *s.Await)
	case len(s.Run) > 0:
		return r.runCommand(ctx, s.Run)
	case len(s.Serial) > 0:
		return r.serial(ctx, s.Serial)
	case len(s.Parallel) > 0:
		return r.parallel(ctx, s.Parallel)
	}
	return pause(ctx, s.Wait)
}

func (r *run) await(ctx context.Context, a Await) error {
	r.say("await %s %s", a.Target, a.For)
	ctx, cancel := context.WithTimeout(ctx, a.within())
	defer cancel()
	return r.region.WaitFor(ctx, client.Condition{Target: a.Target, Cluster: r.experiment.Cluster, For: a.For}, func(string) {})
}

func (r *run) runCommand(ctx context.Context, args []string) error {
	text := strings.Join(args, " ")
	r.say("run %s", text)
	done := r.note(Action{Verb: "run", Target: text})
	err := r.command(args)(ctx)
	r.ended(done, err)
	if err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	return nil
}

// note begins a bar of the report's timeline.
func (r *run) note(a Action) *report.Fault {
	f := &report.Fault{Action: a.String(), Target: a.Target, Zone: r.zoneOf(a.Target), From: time.Now()}
	if a.Verb == "run" {
		f.Action, f.Target = "run "+a.Target, ""
	}
	return f
}

func (r *run) ended(f *report.Fault, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f.To = time.Now()
	if err != nil {
		f.Error = err.Error()
	}
	r.report.Faults = append(r.report.Faults, *f)
}

// act puts an action in force, and takes it back where it says for how long.
func (r *run) act(ctx context.Context, a Action) error {
	var err error
	if a.Target, err = r.leading(ctx, a); err != nil {
		return err
	}
	f := r.note(a)
	r.say("%v", &a)
	// A verb is not left half-way: what it has begun is known then, and taken back.
	doing, cancel := context.WithTimeout(context.WithoutCancel(ctx), verbTime)
	defer cancel()
	if a.lift() == "" {
		err := r.apply(doing, a)
		r.ended(f, err)
		if err != nil {
			return fmt.Errorf("%v: %w", &a, err)
		}
		r.forgetLifted(a)
		return nil
	}
	one := &inForce{action: a, fault: f, lift: a.lift()}
	r.mu.Lock()
	r.active = append(r.active, one)
	r.mu.Unlock()
	if err := r.apply(doing, a); err != nil { // some of it may be in force, and is taken back
		f.Error = err.Error()
		return fmt.Errorf("%v: %w", &a, err)
	}
	if a.For == 0 {
		return nil
	}
	if err := pause(ctx, a.For); err != nil {
		return err // takeAllBack does it
	}
	return r.takeBack(context.WithoutCancel(ctx), one)
}

// apply does a verb; it returns when the effect is there.
func (r *run) apply(ctx context.Context, a Action) error {
	kind, name, _ := strings.Cut(a.Target, "/")
	switch {
	case kind == api.KindLink && a.Verb != api.Reset:
		order := a.linkOrder(name)
		if a.Verb != api.Heal {
			order.For = r.leash
		}
		return r.region.Link(ctx, order)
	case a.Verb == api.FaultVerb:
		order := a.faultOrder(api.Target{Kind: kind, Name: name})
		if order.For = r.leash; order.Check() != nil { // what happens once has no time
			order.For = 0
		}
		_, err := r.region.Fault(ctx, order)
		return err
	}
	span := r.leash
	if verb, _ := api.FindVerb(a.Verb); verb.CheckSpan(kind, span) != nil {
		span = 0
	}
	return r.region.DoFor(ctx, a.Target, a.Verb, a.Cluster, span)
}

// forgetLifted closes the bars of what an action of the method has taken back.
func (r *run) forgetLifted(a Action) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.active = slices.DeleteFunc(r.active, func(one *inForce) bool {
		lifted := one.action.Target == a.Target && (one.lift == a.Verb || a.Verb == api.Reset)
		if lifted {
			one.fault.To = time.Now()
			r.report.Faults = append(r.report.Faults, *one.fault)
		}
		return lifted
	})
}

// takeBack takes one action back.
func (r *run) takeBack(ctx context.Context, one *inForce) error {
	ctx, cancel := context.WithTimeout(ctx, verbTime)
	defer cancel()
	r.mu.Lock()
	there := slices.Contains(r.active, one)
	r.mu.Unlock()
	if !there {
		return nil // another step has done it
	}
	back := one.action
	back.Verb, back.Words, back.Link, back.Order = one.lift, "", api.LinkFault{OneWay: back.Link.OneWay}, api.FaultOrder{}
	r.say("%v", &back)
	if err := r.apply(ctx, back); err != nil {
		return fmt.Errorf("%v: %w", &back, err)
	}
	r.mu.Lock()
	r.active = slices.DeleteFunc(r.active, func(other *inForce) bool { return other == one })
	others := slices.Clone(r.active)
	r.mu.Unlock()
	r.ended(one.fault, nil)
	return r.restore(ctx, one, others)
}

// restore puts in force again what went with what was taken back: heal takes every fault off a link, and reset off a target.
func (r *run) restore(ctx context.Context, one *inForce, others []*inForce) error {
	kind, _, _ := strings.Cut(one.action.Target, "/")
	for _, other := range others {
		same, _, _ := strings.Cut(other.action.Target, "/")
		if kind == api.KindLink && same == kind || one.action.Target == other.action.Target && one.action.Verb == api.FaultVerb {
			if err := r.apply(ctx, other.action); err != nil {
				return fmt.Errorf("%v again: %w", &other.action, err)
			}
		}
	}
	return nil
}

// takeAllBack takes back everything that is in force, the last one first.
func (r *run) takeAllBack(ctx context.Context) error {
	r.mu.Lock()
	left := slices.Clone(r.active)
	r.mu.Unlock()
	var errs []error
	for _, one := range slices.Backward(left) {
		errs = append(errs, r.takeBack(ctx, one))
	}
	err := errors.Join(errs...)
	if err == nil {
		return nil
	}
	r.say("%v; the region is reset", err)
	limited, cancel := context.WithTimeout(ctx, verbTime)
	defer cancel()
	reset := r.region.Reset(limited)
	for _, one := range r.active { // nobody else is at it any more
		one.fault.Error = err.Error()
		r.ended(one.fault, reset)
	}
	r.active = nil
	if reset != nil {
		return errors.Join(err, fmt.Errorf("reset: %w", reset))
	}
	return nil
}

// leading is an action's target with a zone where it says leader or follower.
func (r *run) leading(ctx context.Context, a Action) (string, error) {
	kind, name, _ := strings.Cut(a.Target, "/")
	ends := strings.Split(name, "-")
	if !isZoneTarget(kind) || !slices.Contains(ends, zoneLeader) && !slices.Contains(ends, zoneFollower) {
		return a.Target, nil
	}
	leader := ""
	err := again(within(ctx, electionTime), func(ctx context.Context) error {
		status, err := r.region.Status(ctx)
		if err != nil {
			return err
		}
		for _, cluster := range status.Clusters {
			if cluster.Name == cmp.Or(a.Cluster, r.experiment.Cluster) {
				leader = cluster.EtcdLeader
				if kind == "controllers" {
					leader = cluster.Controllers
				}
			}
		}
		if leader == "" {
			return fmt.Errorf("%s: nobody leads now", a.Target)
		}
		leader = status.Letter(leader)
		return nil
	})
	if err != nil {
		return "", err
	}
	follower := zones[(slices.Index(zones, leader)+1)%len(zones)]
	for i, end := range ends {
		switch end {
		case zoneLeader:
			ends[i] = leader
		case zoneFollower:
			ends[i] = follower
		}
	}
	return r.plan.draw(kind + "/" + strings.Join(ends, "-")), nil
}

// electionTime is how long a leader is waited for.
const electionTime = 15 * time.Second

// isZoneTarget says whether the targets of a kind are named by zones.
func isZoneTarget(kind string) bool {
	return slices.Contains(api.TargetKinds, kind) || kind == api.KindLink || kind == api.KindCapacity || kind == api.KindDisk
}

// zoneOf is the name of the zone that a target is in or, of a link, the one whose links it has cut; empty: there is none.
func (r *run) zoneOf(target string) string {
	kind, name, _ := strings.Cut(target, "/")
	if !isZoneTarget(kind) {
		return ""
	}
	first, second, link := strings.Cut(name, "-")
	if link && slices.Contains(zones, second) {
		return "" // it is of both
	}
	if i := slices.Index(zones, first); i >= 0 && i < len(r.report.Zones) {
		return r.report.Zones[i]
	}
	return ""
}
