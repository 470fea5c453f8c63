// Package chaos runs experiments on a region: faults at their times, probes that say what clients see of them, and a report of what
// was expected and what came. An experiment is a value, or a file of YAML (Parse). It links no Kubernetes.
package chaos

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"tripod/api"
)

// Experiment is one experiment. The times of its method are as written; Plan makes them longer or shorter.
type Experiment struct {
	// Name is a word for files and commands, Title one line for people, and Teaches some sentences.
	Name, Title, Teaches string
	// Cluster is the name of the cluster that is probed. Empty: the region's only one.
	Cluster string
	// Steady is how long the probes are watched before the first fault: they must hold, or nothing is broken.
	Steady time.Duration
	// Within is how long the region may take to be healthy after the last fault has been taken back.
	Within time.Duration
	Probes []Probe
	Method []Step
	// Stop ends the method early.
	Stop []Stop
}

// What Experiment has where it says nothing.
const (
	DefaultSteady = 3 * time.Second
	DefaultWithin = 2 * time.Minute
)

// The types of probes.
const (
	ProbeAPI       = "api"       // reads through the cluster's endpoint
	ProbeWrites    = "writes"    // writes through it, and looks that none is lost
	ProbeWatch     = "watch"     // a watch through it, that must lose, double and reorder nothing
	ProbeAWS       = "aws"       // a signed call of AWS's endpoint
	ProbeHTTP      = "http"      // a GET of a URL
	ProbeCommand   = "command"   // a command that ends with 0
	ProbeCondition = "condition" // a condition of a Kubernetes object
	ProbeRegion    = "region"    // a condition of `tripod wait`
	ProbeMetrics   = "metrics"   // a question in PromQL that has an answer
)

// Probe is a part of the hypothesis: what is tried again and again, and what is expected of it.
type Probe struct {
	Name, Type string
	// Every is the time between the begins of two attempts, and Timeout that of one.
	Every, Timeout time.Duration
	// Kept says that an attempt of ProbeAPI and ProbeWrites may use the connection of the one before; else each has a new one.
	Kept bool
	// URL is ProbeHTTP's, Run ProbeCommand's and Path (of the object at the API server) ProbeCondition's.
	URL  string
	Run  []string
	Path string
	// Operation is ProbeAWS's, one of AWSOperations.
	Operation string
	// Condition is ProbeCondition's (Available) and, with its target, ProbeRegion's (region quorum).
	Condition string
	// Query is ProbeMetrics': it succeeds while its answer has a series, as an alert's that fires: sum(up{job="apiserver"}) >= 2.
	Query  string
	Expect Expectation
}

// Expectation is what a probe's attempts must be like from the first fault to the end of the recovery. What is nil is not asked.
type Expectation struct {
	Availability *float64       // at least, in percent of the attempts
	Failures     *int           // at most
	Gap          *time.Duration // between two successes, at most
	P50, P99     *time.Duration // of what succeeded, at most
	Lost         *int           // acknowledged writes or events that were not there, at most
}

// Stop is when the method is ended early.
type Stop struct {
	Probe    string
	Gap      time.Duration // without a success; 0: not asked
	Failures int           // 0: not asked
}

// Step is one step of a method: one of its fields says what it does.
type Step struct {
	// At is when it begins, after the begin of the steps that it is one of; later where the one before it takes longer.
	At time.Duration

	Action   *Action
	Wait     time.Duration
	Await    *Await
	Run      []string
	Serial   []Step
	Parallel []Step
	Random   *Random
}

// Action is a verb of the command line.
type Action struct {
	// Verb is kill, pause, stop, partition, slow or fault, or one that takes back: start, resume, heal, reset.
	Verb string
	// Target is as on the command line. Where a zone's letter stands there may stand: leader, the zone of the leader of what the
	// target is (etcd's, or the controllers'), follower, another one, or random.
	Target string
	// Cluster narrows a target to one cluster's.
	Cluster string
	// Words are fault's: throttle.
	Words string
	// Link is what partition and slow do, and Order has fault's options.
	Link  api.LinkFault
	Order api.FaultOrder
	// For is after how long the step takes it back. 0: the end of the method does.
	For time.Duration
}

// Await waits for a condition of `tripod wait`.
type Await struct {
	Target, For string
	Within      time.Duration // 0: DefaultAwait
}

// Random is Count of the steps, drawn by the seed, one after the other, and the time Between behind each.
type Random struct {
	Count   int
	Between time.Duration
	Of      []Step
}

// DefaultAwait is how long an Await waits that says nothing of it.
const DefaultAwait = time.Minute

func (a Await) within() time.Duration { return cmp.Or(a.Within, DefaultAwait) }

// Times of a probe that says nothing of them.
const (
	DefaultEvery   = 200 * time.Millisecond
	DefaultTimeout = 2 * time.Second
)

// complete puts in what a value leaves out, and says what is wrong with it: Parse says so with its place.
func (e *Experiment) complete() error {
	if e.Within == 0 {
		e.Within = DefaultWithin
	}
	if e.Steady == 0 {
		e.Steady = DefaultSteady
	}
	e.Probes = slices.Clone(e.Probes)
	names := map[string]bool{}
	for i := range e.Probes {
		p := &e.Probes[i]
		p.Name, p.Every, p.Timeout = cmp.Or(p.Name, p.Type), cmp.Or(p.Every, DefaultEvery), cmp.Or(p.Timeout, DefaultTimeout)
		if p.Every < 0 || p.Timeout < 0 {
			return fmt.Errorf("probe %s: its times are negative", p.Name)
		}
		if _, known := probeKeys[p.Type]; !known {
			return fmt.Errorf("probe %s: %q is no type of a probe", p.Name, p.Type)
		}
		if err := p.check(); err != nil {
			return fmt.Errorf("probe %s: %w", p.Name, err)
		}
		if names[p.Name] {
			return fmt.Errorf("there are two probes with the name %q", p.Name)
		}
		names[p.Name] = true
	}
	for _, stop := range e.Stop {
		if !names[stop.Probe] {
			return fmt.Errorf("stop: there is no probe %q", stop.Probe)
		}
	}
	if len(e.Method) == 0 {
		return errors.New("the experiment breaks nothing: it has no method")
	}
	if err := checkSteps(e.Method); err != nil {
		return err
	}
	return checkSize(e.Method)
}

// mostSteps bounds a plan.
const mostSteps = 10_000

// checkSize refuses what has too many steps when it is drawn.
func checkSize(steps []Step) error {
	if n := sizeOf(steps); n > mostSteps {
		return fmt.Errorf("the method has more than %d steps, as random is counted: make it shorter, or use --repeat", mostSteps)
	}
	return nil
}

// sizeOf is how many steps a plan has at most; mostSteps+1 stands for more.
func sizeOf(steps []Step) (n int) {
	for _, s := range steps {
		one := 1 + sizeOf(s.Serial) + sizeOf(s.Parallel)
		if s.Random != nil {
			most := 0
			for _, of := range s.Random.Of {
				most = max(most, 1+sizeOf([]Step{of}))
			}
			one = mostSteps + 1
			if s.Random.Count <= mostSteps && most <= mostSteps {
				one = s.Random.Count * most
			}
		}
		if n = min(n+one, mostSteps+1); n > mostSteps {
			return n
		}
	}
	return n
}

func checkSteps(steps []Step) error {
	for _, s := range steps {
		var err error
		switch {
		case s.Action != nil:
			err = s.Action.check()
		case s.Await != nil:
			err = checkAwait(s.Await.Target, s.Await.For)
		case s.Random != nil && len(s.Random.Of) == 0:
			err = errors.New("random has no step")
		case s.Random != nil:
			err = checkSteps(s.Random.Of)
		default:
			err = errors.Join(checkSteps(s.Serial), checkSteps(s.Parallel))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
