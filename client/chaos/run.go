package chaos

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"tripod/api"
	"tripod/client"
	"tripod/client/chaos/report"
	"tripod/internal/sleep"
)

// Region is what an experiment does to a region, as *client.Client does it.
type Region interface {
	DataDir() string
	Status(ctx context.Context) (*api.Status, error)
	Events(ctx context.Context, since uint64, follow bool, each func(api.Event) error) error
	DoFor(ctx context.Context, target, verb, cluster string, span time.Duration) error
	Link(ctx context.Context, order api.LinkOrder) error
	Fault(ctx context.Context, order api.FaultOrder) (*api.FaultDone, error)
	Reset(ctx context.Context) error
	WaitFor(ctx context.Context, condition client.Condition, missing func(string)) error
	Query(ctx context.Context, question api.MetricsQuestion) (*api.MetricsAnswer, error)
}

// Options say how an experiment is run.
type Options struct {
	Seed uint64
	Pace float64 // 0: 1
	// Environ is the environment of commands, as os.Environ has it; it is led to the region.
	Environ []string
	// Replay is the command that runs it again.
	Replay string
	// Progress is told, in a line, of everything that begins or ends. It may be nil.
	Progress func(line string)
}

// run is one run of an experiment.
type run struct {
	experiment *Experiment
	plan       *Plan
	region     Region
	report     *report.Report
	say        func(format string, args ...any)
	id         string // a word of its own, for the names of what it makes

	kube        *kube
	awsEndpoint string
	regionName  string
	credentials api.Credentials
	environ     []string

	probers  []prober
	series   []*series
	forecast *forecast
	leash    time.Duration // after which the region takes a fault back by itself

	// What is under the lock is of the steps that go on side by side.
	mu     sync.Mutex
	active []*inForce // in the order that they were put in force
}

// verbTime bounds a verb, which returns when its effect is there: a member of etcd is replaced within 5 minutes.
const verbTime = 6 * time.Minute

// leashBehind is how long after the method should have ended the region itself takes back what a run has left, which was killed.
const leashBehind = 10 * time.Minute

// errStopped ends the method early: a stop condition of the experiment's has come true.
var errStopped = errors.New("stopped")

var errInterrupted = errors.New("it was interrupted")

// Run runs an experiment and returns what came of it. It takes back what it has broken also where it fails or ctx ends. The error is
// nil, or says why there is no report at all.
func (e *Experiment) Run(ctx context.Context, region Region, o Options) (*report.Report, error) {
	if o.Pace <= 0 {
		o.Pace = 1
	}
	own := *e
	wrong := own.complete()
	var saying sync.Mutex
	r := &run{experiment: &own, region: region, id: newID(), say: func(format string, args ...any) {
		if o.Progress != nil {
			saying.Lock()
			defer saying.Unlock()
			o.Progress(fmt.Sprintf(format, args...))
		}
	}}
	r.report = &report.Report{Schema: 1, Name: e.Name, Title: e.Title, Teaches: e.Teaches, Seed: o.Seed, Pace: o.Pace, Replay: o.Replay,
		Outcome: report.CouldNotRun, Started: time.Now()}
	err := wrong
	if err == nil {
		r.plan = own.Plan(o.Seed, o.Pace)
		r.leash = r.plan.longest() + leashBehind
		err = r.prepare(ctx, o)
	}
	var since uint64
	if err == nil {
		since, err = r.lastEvent(ctx)
	}
	if err != nil {
		for _, try := range r.probers {
			_, _ = try.finish(context.WithoutCancel(ctx))
		}
		r.report.Reason, r.report.Ended = err.Error(), time.Now()
		return r.report, nil
	}
	r.experimentOn(ctx)
	r.report.Ended = time.Now()
	var lost *bool
	if r.readEvents(context.WithoutCancel(ctx), since) {
		lost = new(slices.ContainsFunc(r.report.Events, func(event api.Event) bool { return event.Type == api.QuorumLost }))
	}
	if seen, err := r.readRepeats(context.WithoutCancel(ctx), r.report.Started, r.report.Ended); err == nil {
		r.forecast.compareClients(seen)
	}
	r.report.Forecast = r.forecast.compare(lost)
	return r.report, nil
}

func newID() string {
	b := make([]byte, 4)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// experimentOn goes through the phases.
func (r *run) experimentOn(ctx context.Context) {
	probing, endProbes := context.WithCancel(context.WithoutCancel(ctx))
	var wait sync.WaitGroup
	for i, p := range r.experiment.Probes {
		r.series[i].success = time.Now()
		wait.Go(func() { watchProbe(probing, p, r.probers[i], r.series[i]) })
	}
	wait.Go(func() { r.countAll(probing) })
	wait.Go(func() { r.tellProgress(probing) })

	begin := time.Now()
	trouble := r.steady(ctx)
	r.phase(report.PhaseSteady, begin)
	broken := time.Now()
	var stopped, undoing error
	if trouble == nil { // else nothing is broken
		r.say("the hypothesis holds; the method begins")
		trouble, stopped = r.method(ctx)
		undoing = r.takeAllBack(context.WithoutCancel(ctx))
		r.phase(report.PhaseMethod, broken)
		begin = time.Now()
		r.recover(ctx)
		r.phase(report.PhaseRecovery, begin)
		if trouble == nil && ctx.Err() != nil {
			trouble = errInterrupted
		}
	}
	end := time.Now()
	endProbes()
	wait.Wait()
	r.finishProbes(context.WithoutCancel(ctx), broken, end)
	r.judge(trouble, stopped, undoing)
}

// progressEvery is how often a run says how its probes are.
const progressEvery = 10 * time.Second

// tellProgress says how the probes are until ctx ends.
func (r *run) tellProgress(ctx context.Context) {
	for len(r.experiment.Probes) > 0 && pause(ctx, progressEvery) == nil {
		var said []string
		for i, p := range r.experiment.Probes {
			word := "well"
			if gap, _ := r.series[i].now(); gap > p.Every+p.Timeout {
				word = "no success for " + short(gap)
			} else if _, err := r.series[i].last(time.Time{}); err != "" {
				word = err
			}
			said = append(said, p.Name+": "+word)
		}
		r.say("  %s", strings.Join(said, ", "))
	}
}

func (r *run) phase(name string, from time.Time) {
	r.report.Phases = append(r.report.Phases, report.Phase{Name: name, From: from, To: time.Now()})
}

// steady waits until each probe has succeeded in its last attempt, for as long as the steady phase is; nothing is broken otherwise.
func (r *run) steady(ctx context.Context) error {
	if len(r.experiment.Probes) > 0 {
		r.say("the probes are watched for %v before anything is broken", r.experiment.Steady)
	}
	if err := pause(ctx, r.experiment.Steady); err != nil {
		return err
	}
	return again(within(ctx, min(10*time.Second, r.experiment.Within)), func(context.Context) error { return r.holds(r.report.Started) })
}

// holds says which probe's last attempt has failed, or began before since.
func (r *run) holds(since time.Time) error {
	for i, p := range r.experiment.Probes {
		switch tried, err := r.series[i].last(since); {
		case !tried:
			return fmt.Errorf("probe %s has not answered yet", p.Name)
		case err != "":
			return fmt.Errorf("probe %s fails: %s", p.Name, err)
		}
	}
	return nil
}

// within is a context with a limit, which ends with its parent.
func within(ctx context.Context, limit time.Duration) context.Context {
	limited, cancel := context.WithTimeout(ctx, limit)
	context.AfterFunc(limited, cancel)
	return limited
}

// pause waits, and fails at once where ctx has ended.
func pause(ctx context.Context, d time.Duration) error {
	if ctx.Err() == nil && sleep.For(ctx, d) == nil {
		return nil
	}
	return context.Cause(ctx)
}

// method does the plan's steps. The first error is why it could not be done, the second why it was ended early.
func (r *run) method(ctx context.Context) (trouble, stopped error) {
	for _, s := range r.series {
		s.forget()
	}
	doing, end := context.WithCancelCause(ctx)
	defer end(nil)
	var wait sync.WaitGroup
	wait.Go(func() { r.watchStops(doing, end) })
	err := r.serial(doing, r.plan.Steps)
	end(nil)
	wait.Wait()
	switch cause := context.Cause(doing); {
	case errors.Is(cause, errStopped):
		return nil, cause
	case ctx.Err() != nil:
		return errInterrupted, nil
	}
	return err, nil
}

// watchStops ends the method when one of the stop conditions comes true.
func (r *run) watchStops(ctx context.Context, end context.CancelCauseFunc) {
	if len(r.experiment.Stop) == 0 {
		return
	}
	for pause(ctx, 50*time.Millisecond) == nil {
		for _, stop := range r.experiment.Stop {
			i := slices.IndexFunc(r.experiment.Probes, func(p Probe) bool { return p.Name == stop.Probe })
			gap, failures := r.series[i].now()
			if stop.Gap > 0 && gap > stop.Gap {
				end(fmt.Errorf("%w: probe %s has not succeeded for %v", errStopped, stop.Probe, stop.Gap))
			}
			if stop.Failures > 0 && failures > stop.Failures {
				end(fmt.Errorf("%w: probe %s has failed more than %d times", errStopped, stop.Probe, stop.Failures))
			}
		}
	}
}

// recover waits until the region is healthy and the probes hold again.
func (r *run) recover(ctx context.Context) {
	interrupted := ctx
	ctx = context.WithoutCancel(ctx) // the region is mended all the same
	r.say("everything is taken back; the region recovers")
	begin := time.Now()
	err := r.recovered(within(ctx, r.experiment.Within))
	observed := fmt.Sprintf("after %v", time.Since(begin).Round(time.Millisecond))
	if err != nil {
		observed = err.Error()
	}
	r.report.Verdicts = append(r.report.Verdicts, report.Verdict{What: "the region is healthy, and the probes hold",
		Expected: fmt.Sprintf("within %v", r.experiment.Within), Observed: observed, Holds: err == nil})
	if err == nil {
		_ = pause(interrupted, r.experiment.Steady)
	}
}

func (r *run) recovered(ctx context.Context) error {
	if err := r.region.WaitFor(ctx, client.Condition{Target: "region", For: client.ForHealthy}, func(string) {}); err != nil {
		return err
	}
	since := time.Now()
	return again(ctx, func(context.Context) error { return r.holds(since) })
}

// finishProbes has the probes look for what is lost, and writes their results.
func (r *run) finishProbes(ctx context.Context, from, to time.Time) {
	results := make([]report.Result, len(r.probers))
	var wait sync.WaitGroup
	for i, p := range r.experiment.Probes {
		wait.Go(func() {
			results[i] = r.series[i].result(p, from, to)
			lost, err := r.probers[i].finish(ctx)
			if err != nil {
				r.say("probe %s: %v", p.Name, err)
			}
			results[i].Lost = lost
		})
	}
	wait.Wait()
	r.report.Probes = results
}
