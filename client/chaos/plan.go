package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// Plan is an experiment's method with everything drawn that the seed draws, and its times at the pace: the same seed and pace give
// the same plan. Who leads is found when a step begins.
type Plan struct {
	Seed  uint64
	Steps []Step

	drawing sync.Mutex
	random  *rand.Rand // of what is drawn when a step begins: zones beside who leads then
}

// draw puts zones where a target says random.
func (p *Plan) draw(target string) string {
	p.drawing.Lock()
	defer p.drawing.Unlock()
	return planner{random: p.random}.draw(target)
}

// Plan draws the method's plan. A pace of 0.1 makes its times ten times shorter.
func (e *Experiment) Plan(seed uint64, pace float64) *Plan {
	p := planner{random: rand.New(rand.NewPCG(seed, 1)), pace: pace}
	return &Plan{Seed: seed, Steps: p.steps(e.Method), random: rand.New(rand.NewPCG(seed, 2))}
}

type planner struct {
	random *rand.Rand
	pace   float64
}

func (p planner) time(d time.Duration) time.Duration { return time.Duration(float64(d) * p.pace) }

func (p planner) steps(steps []Step) []Step {
	planned := make([]Step, len(steps))
	for i, s := range steps {
		planned[i] = p.step(s)
	}
	return planned
}

func (p planner) step(s Step) Step {
	s.At, s.Wait = p.time(s.At), p.time(s.Wait)
	switch {
	case s.Action != nil:
		action := *s.Action
		action.For = p.time(action.For)
		if !strings.Contains(action.Target, zoneLeader) && !strings.Contains(action.Target, zoneFollower) {
			action.Target = p.draw(action.Target)
		}
		s.Action = &action
	case s.Random != nil:
		r := *s.Random
		s.Random = nil
		for range r.Count {
			s.Serial = append(s.Serial, p.step(r.Of[p.random.IntN(len(r.Of))]))
			if r.Between > 0 {
				s.Serial = append(s.Serial, Step{Wait: p.time(r.Between)})
			}
		}
	default:
		s.Serial, s.Parallel = p.steps(s.Serial), p.steps(s.Parallel)
	}
	return s
}

// draw puts zones where a target says random; those of one target differ.
func (p planner) draw(target string) string {
	kind, name, _ := strings.Cut(target, "/")
	ends := strings.Split(name, "-")
	if !slices.Contains(ends, zoneRandom) || !isZoneTarget(kind) {
		return target
	}
	free := slices.DeleteFunc(slices.Clone(zones), func(zone string) bool { return slices.Contains(ends, zone) })
	for i, end := range ends {
		if end == zoneRandom {
			n := p.random.IntN(len(free))
			ends[i] = free[n]
			free = slices.Delete(free, n, n+1)
		}
	}
	return kind + "/" + strings.Join(ends, "-")
}

// longest is how long the method may take: all of its times, one after another. What commands and verbs take is not known.
func (p *Plan) longest() time.Duration { return longestOf(p.Steps) }

func longestOf(steps []Step) (all time.Duration) {
	for _, s := range steps {
		all += s.At + s.Wait + longestOf(s.Serial) + longestOf(s.Parallel)
		if s.Action != nil {
			all += s.Action.For
		}
		if s.Await != nil {
			all += s.Await.within()
		}
	}
	return all
}

// Lines are the plan as people read it, one step each.
func (p *Plan) Lines() []string { return linesOf(p.Steps, "") }

func linesOf(steps []Step, indent string) (lines []string) {
	add := func(s Step, format string, args ...any) {
		at := ""
		if s.At > 0 {
			at = fmt.Sprintf("at %v ", s.At)
		}
		lines = append(lines, indent+at+fmt.Sprintf(format, args...))
	}
	for _, s := range steps {
		switch {
		case s.Action != nil && s.Action.For > 0:
			add(s, "%v for %v", s.Action, s.Action.For)
		case s.Action != nil:
			add(s, "%v", s.Action)
		case s.Await != nil:
			add(s, "await %s %s, within %v", s.Await.Target, s.Await.For, s.Await.within())
		case len(s.Run) > 0:
			add(s, "run %s", strings.Join(s.Run, " "))
		case len(s.Parallel) > 0:
			add(s, "side by side:")
			lines = append(lines, linesOf(s.Parallel, indent+"  ")...)
		case len(s.Serial) > 0:
			add(s, "one after the other:")
			lines = append(lines, linesOf(s.Serial, indent+"  ")...)
		default:
			add(s, "wait %v", s.Wait)
		}
	}
	return lines
}
