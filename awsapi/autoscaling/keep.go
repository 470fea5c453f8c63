package autoscaling

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tripod/region"
	"tripod/state"
)

// groupMarks are those of everything that a step of a group reads and that may change at any time: while they are the
// same, and no clock is awaited, a step would do nothing.
type groupMarks struct {
	group, members, instances, refreshes, schedules, policies state.PartVersion
	capacities, shifts, outages                               state.PartVersion
	balancing                                                 balancingMarks // of a group that load balancers send to
}

// balancingMarks are those of what is attached to groups, and what is found of its targets where that counts.
type balancingMarks struct{ balancers, groups, listeners, targets, reports state.PartVersion }

// follows says which of these change what a step of a group does.
type follows struct{ attached, health bool }

func followsOf(g region.AutoScalingGroup) follows {
	attached := len(sourcesOf(g))+len(g.Attachments) > 0
	return follows{attached, attached && asksELB(g)}
}

func (f follows) marks(tx *state.Txn) (m balancingMarks) {
	if f.attached {
		m.balancers, m.groups = region.LoadBalancers.Part("").Version(tx), region.TargetGroups.Part("").Version(tx)
	}
	if f.health {
		m.listeners, m.targets = region.Listeners.Part("").Version(tx), region.Targets.Part("").Version(tx)
		m.reports = region.TargetReports.Part("").Version(tx)
	}
	return m
}

func marksOf(tx *state.Txn, group string) groupMarks {
	return groupMarks{
		group:      region.AutoScalingGroups.Part(group).Version(tx),
		members:    region.GroupMembers.Part(group + "/").Version(tx),
		instances:  region.InstancesByGroup.Of(group).Version(tx),
		refreshes:  instanceRefreshes.Part(group + "/").Version(tx),
		schedules:  scheduledActions.Part(group + "/").Version(tx),
		policies:   scalingPolicies.Part(group + "/").Version(tx),
		capacities: region.Capacities.Part("").Version(tx),
		shifts:     region.ZonalShifts.Part("").Version(tx),
		outages:    region.ZoneOutages.Part("").Version(tx),
	}
}

// open is what decides where instances can be launched.
func (m groupMarks) open() [2]state.PartVersion { return [2]state.PartVersion{m.capacities, m.outages} }

// kept is what Keep remembers of a group.
type kept struct {
	marks groupMarks
	about follows
	again time.Time // zero: no clock is awaited
	// rest is until when changes can wait: see restAfter.
	rest time.Time
}

// restAfter is for how long a group is left alone after a step that took some time, whatever changes: so a thousand
// instances that boot do not keep a processor busy. Steps that take less than shortStep need no rest, and one that has
// not launched all that it is to launch goes on at once.
func restAfter(took time.Duration) time.Duration {
	if took < shortStep {
		return 0
	}
	return min(10*took, longestRest)
}

const (
	shortStep   = 5 * time.Millisecond
	longestRest = time.Second // where the machine was asleep, or has too much to do
)

// dueGroup is a group that may need a step.
type dueGroup struct {
	name  string
	marks groupMarks
	about follows
	hurry bool
}

// Keep makes all groups what they are to be, each in a transaction of its own, and returns when it is to be called again
// though nothing has changed; 0: then it need not be. It is called by one goroutine at a time, in the zone that leads the
// regional state: it remembers which groups were at rest.
func (s *Service) Keep(ctx context.Context) (again time.Duration, err error) {
	now := s.now()
	wake := func(t time.Time) {
		if wait := max(time.Millisecond, t.Sub(now)); !t.IsZero() && (again == 0 || wait < again) {
			again = wait
		}
	}
	due, err := s.dueGroups(now, wake)
	if err != nil {
		return 0, err
	}
	var failures []error
	for _, g := range due {
		var next time.Time
		began := s.now()
		// Instances change often, and each step reads them all: they are read beside the transaction, so that they are no
		// conflict. What a step does about one is none that would be wrong a moment later.
		err := s.State.Update(ctx, func(tx *state.Txn) error {
			return s.State.View(func(view *state.Txn) (err error) {
				next, err = s.step(tx, view, g.name, s.now(), g.hurry)
				return err
			})
		})
		if err != nil {
			delete(s.kept, g.name) // it is tried again
			failures = append(failures, fmt.Errorf("keep the Auto Scaling group %s: %w", g.name, err))
			continue
		}
		s.kept[g.name] = kept{g.marks, g.about, next, now.Add(restAfter(s.now().Sub(began)))}
	}
	for _, k := range s.kept {
		wake(k.again)
	}
	return again, errors.Join(failures...)
}

// dueGroups are the groups of which something has changed since their last step, and those whose time has come. wake is
// told of those that are to be looked at later.
func (s *Service) dueGroups(now time.Time, wake func(time.Time)) (due []dueGroup, err error) {
	err = s.State.View(func(tx *state.Txn) error {
		there := map[string]kept{}
		for name := range region.AutoScalingGroups.Part("").KeysAfter(tx, "") {
			marks := marksOf(tx, name)
			before, known := s.kept[name]
			about := before.about
			if known {
				there[name] = before
			}
			if !known || before.marks.group != marks.group {
				g, _ := region.AutoScalingGroups.Get(tx, name)
				about = followsOf(g)
			}
			marks.balancing = about.marks(tx)
			waits := before.again.IsZero() || now.Before(before.again)
			if known && waits && before.marks == marks {
				continue
			}
			if known && waits && now.Before(before.rest) {
				wake(before.rest)
				continue
			}
			due = append(due, dueGroup{name, marks, about, known && before.marks.open() != marks.open()})
		}
		s.kept = there
		return nil
	})
	return due, err
}
