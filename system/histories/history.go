// Package histories records what clients of a store have asked and seen, and says whether a correct store could have answered so: one
// whose registers are linearizable, whose lists are snapshots, whose revisions follow the order of writes, and whose watches lose,
// double and reorder nothing. It knows nothing of Kubernetes: the stories of package system translate.
package histories

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"time"
)

// Kind is what an operation does.
type Kind string

// The kinds. A CAS writes where the key has the value From.
const (
	Get  Kind = "get"
	Put  Kind = "put"
	CAS  Kind = "cas"
	List Kind = "list"
)

// Outcome is what became of an operation.
type Outcome string

// The outcomes. Refused: it had no effect, for a CAS as the key had another value. Unknown: nobody answered, or not clearly: a write may
// have its effect, once, at any time from its call on.
const (
	OK      Outcome = "ok"
	Refused Outcome = "refused"
	Unknown Outcome = "unknown"
)

// Op is one operation of a client. Values are unique among all writes of a history, and never empty.
type Op struct {
	Client       int
	Kind         Kind
	Key          string
	From, To     string // of writes
	Call, Return int64  // nanoseconds since the history's begin
	Outcome      Outcome
	// Value is what a Get has found, empty where the key is absent, and Values what a List has, by key.
	Value  string
	Values map[string]string
	// Revision is that of a write or a List, and of what a Get has found.
	Revision int64
}

func (o Op) String() string {
	what := fmt.Sprintf("%s %s", o.Kind, o.Key)
	switch o.Kind {
	case Put:
		what += "=" + o.To
	case CAS:
		what += fmt.Sprintf(" %s->%s", o.From, o.To)
	case Get:
		what += " is " + o.Value
	case List:
		what = fmt.Sprintf("list of %d keys", len(o.Values))
	}
	return fmt.Sprintf("client %d: %s, %s, revision %d, from %v to %v", o.Client, what, o.Outcome, o.Revision, time.Duration(o.Call),
		time.Duration(o.Return))
}

// Event is what a watch has told.
type Event struct {
	Key, Value string
	Revision   int64
}

// Watch is one watch without a gap: from the revision Since on, not including that, as far as its last event, or a revision that it has
// been told to have reached. One that resumes after its connection was lost goes on; one that had to list again is another.
type Watch struct {
	Client  int
	Since   int64
	Events  []Event
	Reached int64
}

// History is what many clients have recorded. Its zero value is ready.
type History struct {
	clock
	mu      sync.Mutex
	ops     []Op
	watches []*Watch
}

// Add records an operation that has ended.
func (h *History) Add(o Op) {
	if o.Outcome == Unknown {
		o.Return = math.MaxInt64 // its effect may come at any time
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, o)
}

// AddWatch records a watch that has ended.
func (h *History) AddWatch(w *Watch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watches = append(h.watches, w)
}

// Size is how many operations and events there are.
func (h *History) Size() (ops, events int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range h.watches {
		events += len(w.Events)
	}
	return len(h.ops), events
}

// Operations are copies of all, in the order of their calls.
func (h *History) Operations() []Op {
	h.mu.Lock()
	defer h.mu.Unlock()
	ops := slices.Clone(h.ops)
	slices.SortStableFunc(ops, func(a, b Op) int { return int(min(max(a.Call-b.Call, -1), 1)) })
	return ops
}
