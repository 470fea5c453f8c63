package histories

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/anishathalye/porcupine"
)

// Check says what no correct store could have answered, in a sentence each; none: the history is right.
func (h *History) Check() (faults []string) {
	ops := h.Operations()
	h.mu.Lock()
	watches := slices.Clone(h.watches)
	h.mu.Unlock()
	c := checker{ops: ops, byRevision: map[int64]Op{}, byValue: map[string]Op{}}
	c.index()
	c.order()
	c.reads()
	c.lists()
	for _, w := range watches {
		c.watch(w)
	}
	if len(c.faults) == 0 { // what is wrong already makes no register linearizable, and takes long to search
		c.registers()
	}
	return c.faults
}

// checker looks at one history.
type checker struct {
	ops        []Op
	byRevision map[int64]Op // the acknowledged writes
	byValue    map[string]Op
	faults     []string
}

func (c *checker) fault(format string, args ...any) {
	c.faults = append(c.faults, fmt.Sprintf(format, args...))
}

func (o Op) writes() bool { return o.Kind == Put || o.Kind == CAS }

// index finds the writes by their revisions and values.
func (c *checker) index() {
	for _, o := range c.ops {
		if !o.writes() {
			continue
		}
		c.byValue[o.To] = o
		if o.Outcome != OK {
			continue
		}
		if other, taken := c.byRevision[o.Revision]; taken {
			c.fault("two writes have the revision %d: %v; %v", o.Revision, other, o)
		}
		c.byRevision[o.Revision] = o
	}
}

// order checks that a write that began after another one had ended has a higher revision.
func (c *checker) order() {
	var ended []Op
	for _, o := range c.byRevision {
		ended = append(ended, o)
	}
	slices.SortFunc(ended, func(a, b Op) int { return cmp.Compare(a.Return, b.Return) })
	begun := slices.SortedFunc(maps.Values(c.byRevision), func(a, b Op) int { return cmp.Compare(a.Call, b.Call) })
	highest, next := Op{}, 0
	for _, o := range begun {
		for next < len(ended) && ended[next].Return < o.Call {
			if ended[next].Revision > highest.Revision {
				highest = ended[next]
			}
			next++
		}
		if o.Revision < highest.Revision {
			c.fault("a revision goes back: %v; after %v", o, highest)
		}
	}
}

// origin is the write of a value that somebody has seen for a key with a revision. It is false, and a fault, where there is none that
// can have had that effect.
func (c *checker) origin(key, value string, revision int64, where string) (Op, bool) {
	o, known := c.byValue[value]
	switch {
	case !known:
		c.fault("%s has %s=%s, which nobody wrote", where, key, value)
	case o.Key != key:
		c.fault("%s has %s=%s, which was written to %s", where, key, value, o.Key)
	case o.Outcome == Refused:
		c.fault("%s has %s=%s, of a write that was refused", where, key, value)
	case revision != 0 && o.Outcome == OK && o.Revision != revision:
		c.fault("%s has %s=%s with the revision %d, and that write has %d", where, key, value, revision, o.Revision)
	default:
		return o, true
	}
	return o, false
}

// reads checks what Gets have found.
func (c *checker) reads() {
	for _, o := range c.ops {
		if o.Kind == Get && o.Outcome == OK && o.Value != "" {
			c.origin(o.Key, o.Value, o.Revision, "a get")
		}
	}
}

// lists checks that each list is a snapshot: of each key the newest write as of the list's revision, which is not older than what was
// acknowledged before the list was asked for.
func (c *checker) lists() {
	writes := map[string][]Op{} // by key, in the order of their revisions
	for _, revision := range slices.Sorted(maps.Keys(c.byRevision)) {
		o := c.byRevision[revision]
		writes[o.Key] = append(writes[o.Key], o)
	}
	for _, list := range c.ops {
		if list.Kind != List || list.Outcome != OK {
			continue
		}
		for key, all := range writes {
			c.listed(list, key, all)
		}
		for key, value := range list.Values {
			c.origin(key, value, 0, "a list")
		}
	}
}

// listed checks what a list has of one key, of which all are the acknowledged writes.
func (c *checker) listed(list Op, key string, all []Op) {
	newest := Op{}
	for _, o := range all {
		if o.Revision <= list.Revision {
			newest = o
		} else if o.Return < list.Call {
			c.fault("a list is stale: it has the revision %d, and before it was asked for there was %v", list.Revision, o)
			return
		}
	}
	value, found := list.Values[key]
	if !found {
		if newest.To != "" {
			c.fault("a list of revision %d lacks %s, which has %v", list.Revision, key, newest)
		}
		return
	}
	if value == newest.To || c.byValue[value].Outcome == Unknown {
		return // an unknown write may be newer, or older: the registers and watches tell
	}
	c.fault("a list of revision %d has %s=%s, where %v is the newest", list.Revision, key, value, newest)
}

// watch checks one watch.
func (c *checker) watch(w *Watch) {
	seen, last := map[int64]bool{}, w.Since
	values := map[string]bool{}
	for _, e := range w.Events {
		where := fmt.Sprintf("a watch from revision %d", w.Since)
		if e.Revision <= last {
			c.fault("%s tells of the revision %d after %d", where, e.Revision, last)
		}
		if values[e.Value] {
			c.fault("%s tells of %s=%s twice", where, e.Key, e.Value)
		}
		last = max(last, e.Revision)
		seen[e.Revision], values[e.Value] = true, true
		if o, found := c.origin(e.Key, e.Value, e.Revision, where); found && o.Outcome == OK && o.Revision != e.Revision {
			c.fault("%s tells of %s=%s with the revision %d, and that write has %d", where, e.Key, e.Value, e.Revision, o.Revision)
		}
	}
	last = max(last, w.Reached)
	for revision, o := range c.byRevision {
		if revision > w.Since && revision <= last && !seen[revision] {
			c.fault("a watch from revision %d to %d does not tell of %v", w.Since, last, o)
		}
	}
}

// found is a register's output.
type found struct {
	outcome Outcome
	value   string
}

// register is one key, whose state is its value.
var register = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		return partsOf(history, func(o porcupine.Operation) string { return o.Input.(Op).Key })
	},
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		is, o, out := state.(string), input.(Op), output.(found)
		switch {
		case o.Kind == Get:
			return out.outcome != OK || out.value == is, is
		case out.outcome == Refused && o.Kind == CAS:
			return is != o.From, is
		case out.outcome == Refused:
			return true, is
		case o.Kind == Put, is == o.From:
			return true, o.To
		default: // a CAS that does not find its value has no effect, and is not acknowledged
			return out.outcome == Unknown, is
		}
	},
	DescribeOperation: func(input, output any) string {
		o := input.(Op)
		o.Outcome, o.Value = output.(found).outcome, output.(found).value
		return o.String()
	},
}

// registers checks that every key is linearizable.
func (c *checker) registers() {
	c.faults = append(c.faults, linearizable(register, registerOps(c.ops), "a register")...)
}

func registerOps(ops []Op) (all []porcupine.Operation) {
	for _, o := range ops {
		if o.Kind == List || o.Kind == Get && o.Outcome != OK {
			continue
		}
		all = append(all, porcupine.Operation{ClientId: o.Client, Input: o, Output: found{o.Outcome, o.Value}, Call: o.Call, Return: o.Return})
	}
	return all
}

// Picture writes porcupine's picture of the registers, a page of HTML.
func (h *History) Picture(w io.Writer) error {
	return picture(w, register, registerOps(h.Operations()))
}
