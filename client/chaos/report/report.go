// Package report is what is told of an experiment on a region: as JSON, for JUnit, and as a page for people.
package report

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"time"

	"tripod/api"
)

// The outcomes of an experiment.
const (
	AsExpected    = "as expected"
	NotAsExpected = "not as expected"
	CouldNotRun   = "could not run"
)

// The phases of an experiment.
const (
	PhaseSteady   = "steady"   // before the first fault
	PhaseMethod   = "method"   // from the first fault until the last has been taken back
	PhaseRecovery = "recovery" // until the region is healthy again, and the probes have held for as long as in the steady phase
)

// Report is what came of an experiment. Times are the machine's; all spans are between Started and Ended.
type Report struct {
	Schema int `json:"schema"` // 1
	// Name, Title and Teaches are the experiment's.
	Name    string `json:"name"`
	Title   string `json:"title,omitempty"`
	Teaches string `json:"teaches,omitempty"`
	// Seed and Pace give the same timeline again; Replay is the command that does.
	Seed   uint64  `json:"seed"`
	Pace   float64 `json:"pace"`
	Replay string  `json:"replay"`
	// Outcome is AsExpected, NotAsExpected or CouldNotRun, and Reason says in a sentence why it is not the first.
	Outcome string `json:"outcome"`
	Reason  string `json:"reason,omitempty"`

	Region  string    `json:"region"`  // us-east-1
	Cluster string    `json:"cluster"` // demo
	Version string    `json:"version"` // of Kubernetes
	Zones   []string  `json:"zones"`   // us-east-1a, ...
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended"`

	Phases   []Phase   `json:"phases"`
	Verdicts []Verdict `json:"verdicts"`
	Faults   []Fault   `json:"faults"`
	Probes   []Result  `json:"probes"`
	// Leaders are who led what, from when on.
	Leaders []Leader `json:"leaders"`
	// Census is how many endpoints, nodes and pods were well, from when on.
	Census []Census `json:"census"`
	// Forecast is what was said before the first fault that it would hurt.
	Forecast []Finding   `json:"forecast"`
	Events   []api.Event `json:"events"`
}

// Phase is one of an experiment's phases.
type Phase struct {
	Name string    `json:"name"`
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Verdict is something that was expected, and what was observed.
type Verdict struct {
	// Probe is the name of the one that it is of; empty for the recovery's.
	Probe    string `json:"probe,omitempty"`
	What     string `json:"what"`     // longest time without a success
	Expected string `json:"expected"` // at most 1s
	Observed string `json:"observed"` // 340ms
	Holds    bool   `json:"holds"`
}

// Fault is a fault that was in force, or something else that a step did.
type Fault struct {
	Action string `json:"action"` // kill az/b, as on the command line
	Target string `json:"target"` // az/b
	// Zone is the name of the one that it happened to; empty where there is none, or several.
	Zone string    `json:"zone,omitempty"`
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Error is why it could not be done, or not be taken back.
	Error string `json:"error,omitempty"`
}

// Result is what a probe has seen.
type Result struct {
	Name string `json:"name"`
	Type string `json:"type"`
	What string `json:"what"` // GET /api/v1/namespaces/default on a new connection
	// Attempts, of which Failures failed, are those from the first fault to the end of the recovery; so are the figures.
	Attempts     int            `json:"attempts"`
	Failures     int            `json:"failures"`
	Availability float64        `json:"availability"` // in percent
	P50          time.Duration  `json:"p50"`          // in nanoseconds, of those that succeeded
	P99          time.Duration  `json:"p99"`
	Max          time.Duration  `json:"max"`
	Gap          Gap            `json:"gap"`
	Errors       map[string]int `json:"errors"` // how many, by the kind
	// Lost are acknowledged writes, or events of a watch, that were not there, in a clause each.
	Lost   []string `json:"lost,omitempty"`
	Series []Point  `json:"series"`
}

// Gap is the longest time without a success.
type Gap struct {
	From time.Time     `json:"from"`
	Long time.Duration `json:"long"`
}

// Point is a piece of an experiment's time: how many attempts that began in it succeeded and failed, and how long they took.
type Point struct {
	At     time.Time     `json:"at"` // its begin
	OK     int           `json:"ok"`
	Failed int           `json:"failed"`
	P50    time.Duration `json:"p50"`
	Max    time.Duration `json:"max"`
}

// What is led, in the order of the timeline's rows.
const (
	LedEtcd        = "etcd"
	LedControllers = "controllers"
	LedScheduler   = "scheduler"
	LedState       = "the regional state"
)

// Leader says who leads something from At on: nobody, where Zone is empty.
type Leader struct {
	At   time.Time `json:"at"`
	Of   string    `json:"of"` // LedEtcd and the like
	Zone string    `json:"zone,omitempty"`
}

// Census is a count of what is well.
type Census struct {
	At        time.Time `json:"at"`
	Endpoints int       `json:"endpoints"` // zones that the cluster's balancer finds healthy
	Nodes     int       `json:"nodes"`     // that are Ready
	Pods      int       `json:"pods"`      // that are Ready
}

// Finding is something that a zone's loss, or another fault of the method, would hurt.
type Finding struct {
	Kind   string `json:"kind"`   // workload, pdb, volume, quorum, client
	Object string `json:"object"` // default/web
	Why    string `json:"why"`    // all of its 2 pods are in us-east-1b
	// Came says what was observed of it; empty before the method has ended.
	Came string `json:"came,omitempty"`
}

// Failed are the verdicts that do not hold.
func (r *Report) Failed() (failed []Verdict) {
	for _, v := range r.Verdicts {
		if !v.Holds {
			failed = append(failed, v)
		}
	}
	return failed
}

// WriteJSON writes the report as one JSON object.
func (r *Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

type junitSuite struct {
	XMLName   xml.Name    `xml:"testsuite"`
	Name      string      `xml:"name,attr"`
	Tests     int         `xml:"tests,attr"`
	Failures  int         `xml:"failures,attr"`
	Errors    int         `xml:"errors,attr"`
	Time      string      `xml:"time,attr"`
	Timestamp string      `xml:"timestamp,attr"`
	Cases     []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string      `xml:"classname,attr"`
	Name    string      `xml:"name,attr"`
	Failure *junitTrace `xml:"failure"`
	Error   *junitTrace `xml:"error"`
}

type junitTrace struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes the verdicts as a test suite of JUnit, one test each. An experiment that could not run is an error.
func (r *Report) WriteJUnit(w io.Writer) error {
	suite := junitSuite{Name: r.Name, Tests: len(r.Verdicts), Failures: len(r.Failed()),
		Time: fmt.Sprintf("%.3f", r.Ended.Sub(r.Started).Seconds()), Timestamp: r.Started.UTC().Format("2006-01-02T15:04:05")}
	for _, v := range r.Verdicts {
		one := junitCase{Class: "chaos." + r.Name, Name: v.Title()}
		if !v.Holds {
			one.Failure = &junitTrace{Message: fmt.Sprintf("expected %s, observed %s", v.Expected, v.Observed), Text: "again: " + r.Replay}
		}
		suite.Cases = append(suite.Cases, one)
	}
	if r.Outcome == CouldNotRun {
		suite.Tests, suite.Errors = suite.Tests+1, 1
		suite.Cases = append(suite.Cases, junitCase{Class: "chaos." + r.Name, Name: "it runs", Error: &junitTrace{Message: r.Reason}})
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err := encoder.Encode(suite); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// Title is what the verdict is of.
func (v Verdict) Title() string {
	if v.Probe == "" {
		return v.What
	}
	return v.Probe + ": " + v.What
}
