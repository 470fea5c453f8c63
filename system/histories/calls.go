package histories

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// CallKind is what a call of a control plane's API does to one thing of it: an access key, a tag, an access entry.
type CallKind string

// The kinds. Make is refused where the thing is there, and Drop where it is not. Set and Clear are never refused. Read finds the thing's
// value; that an access key signs is a Read, too.
const (
	Make  CallKind = "make"
	Drop  CallKind = "drop"
	Set   CallKind = "set"
	Clear CallKind = "clear"
	Read  CallKind = "read"
)

// Call is one call of a client. Values are unique among all that Make and Set write to a thing, and never empty.
type Call struct {
	Client int
	Kind   CallKind
	Thing  string // such as "key AKIA..."
	Zone   string // whose own front was asked; empty: the region's endpoint
	Value  string // what Make and Set write, and what Read has found: empty where the thing is absent
	Began  int64  // nanoseconds since the history's begin
	Ended  int64
	// Outcome Refused is an answer that says that the thing is there, or is not. Unknown: nobody answered, or not clearly.
	Outcome Outcome
}

func (c Call) String() string {
	what := fmt.Sprintf("%s %s", c.Kind, c.Thing)
	switch {
	case c.Kind == Read && c.Value == "":
		what += " finds nothing"
	case c.Kind == Read:
		what += " finds " + c.Value
	case c.Value != "":
		what += "=" + c.Value
	}
	where := "the endpoint"
	if c.Zone != "" {
		where = "zone " + c.Zone
	}
	return fmt.Sprintf("client %d by %s: %s, %s, from %v to %v", c.Client, where, what, c.Outcome, time.Duration(c.Began),
		time.Duration(c.Ended))
}

func (c Call) writes() bool { return c.Kind != Read }

// leaves is the value that a write which has its effect leaves.
func (c Call) leaves() string {
	if c.Kind == Make || c.Kind == Set {
		return c.Value
	}
	return ""
}

// Calls is what many clients of a control plane's API have recorded. Its zero value is ready: all things are absent at its begin.
type Calls struct {
	clock
	mu  sync.Mutex
	all []Call
}

// Add records a call that has ended.
func (h *Calls) Add(c Call) {
	if c.Outcome == Unknown {
		c.Ended = math.MaxInt64 // its effect may come at any time
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, c)
}

// All are copies, in the order in which they began.
func (h *Calls) All() []Call {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := slices.Clone(h.all)
	slices.SortStableFunc(all, func(a, b Call) int { return cmp.Compare(a.Began, b.Began) })
	return all
}

// Check says what no correct API could have answered, in a sentence each; none: the history is right. Acknowledged writes are there
// for whoever asks later, in every zone, until they are overwritten or asked to be; and every thing is linearizable.
func (h *Calls) Check() (faults []string) {
	for _, calls := range partsOf(h.All(), func(c Call) string { return c.Thing }) {
		faults = append(faults, checkThing(calls)...)
	}
	if len(faults) > 0 { // what is wrong already makes no thing linearizable, and takes long to search
		return faults
	}
	return linearizable(thing, h.operations(), "a thing")
}

// checkThing checks that each answer about a thing rests on a write that may have been the newest one at that time. It finds most of
// what is wrong, and names it.
func checkThing(calls []Call) (faults []string) {
	writes := []Call{{Kind: Clear, Thing: calls[0].Thing, Began: math.MinInt64, Ended: math.MinInt64, Outcome: OK}} // absent at first
	for _, c := range calls {
		if c.writes() && c.Outcome != Refused {
			writes = append(writes, c)
		}
	}
	for _, c := range calls {
		there, says := answerOf(c)
		if !says {
			continue
		}
		newest := Call{Began: math.MinInt64} // of the acknowledged writes that were over before the call, the one that began last
		for _, w := range writes {
			if w != c && w.Outcome == OK && w.Ended < c.Began && w.Began > newest.Began {
				newest = w
			}
		}
		known, possible := false, false
		for _, w := range writes {
			if w != c && w.Began <= c.Ended && (w.leaves() != "") == there && (c.Kind != Read || !there || w.leaves() == c.Value) {
				known, possible = true, possible || newest.Began <= w.Ended
			}
		}
		switch {
		case !known:
			faults = append(faults, fmt.Sprintf("nobody can have written what is found: %v", c))
		case !possible:
			faults = append(faults, fmt.Sprintf("an acknowledged write is missed: %v; after %v", c, newest))
		}
	}
	return faults
}

// answerOf is whether a call has found its thing; says is false where it tells nothing of that.
func answerOf(c Call) (there, says bool) {
	switch {
	case c.Kind == Read && c.Outcome == OK:
		return c.Value != "", true
	case c.Kind == Make && c.Outcome != Unknown:
		return c.Outcome == Refused, true
	case c.Kind == Drop && c.Outcome != Unknown:
		return c.Outcome == OK, true
	}
	return false, false
}

// thing is one thing, whose state is its value, and empty where it is absent.
var thing = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		return partsOf(history, func(o porcupine.Operation) string { return o.Input.(Call).Thing })
	},
	Init: func() any { return "" },
	Step: func(state, input, _ any) (bool, any) {
		is, c := state.(string), input.(Call)
		there, says := answerOf(c)
		switch {
		case c.Kind == Read:
			return c.Value == is, is
		case says && there != (is != ""):
			return false, is
		case c.Outcome == Refused, c.Kind == Make && is != "": // the latter is Unknown, and has no effect
			return true, is
		}
		return true, c.leaves()
	},
	DescribeOperation: func(input, _ any) string { return input.(Call).String() },
}

// operations are what the search for a linearization has to place. A Set that nobody answered and whose value nobody has seen may as well
// have had no effect: each one of them would double the search.
func (h *Calls) operations() (all []porcupine.Operation) {
	calls := h.All()
	seen := map[[2]string]bool{}
	for _, c := range calls {
		if c.Kind == Read {
			seen[[2]string{c.Thing, c.Value}] = true
		}
	}
	for _, c := range calls {
		if c.Kind == Read && c.Outcome != OK || c.Kind == Set && c.Outcome == Unknown && !seen[[2]string{c.Thing, c.Value}] {
			continue
		}
		all = append(all, porcupine.Operation{ClientId: c.Client, Input: c, Call: c.Began, Return: c.Ended})
	}
	return all
}

// Picture writes porcupine's picture of the things, a page of HTML.
func (h *Calls) Picture(w io.Writer) error {
	return picture(w, thing, h.operations())
}
