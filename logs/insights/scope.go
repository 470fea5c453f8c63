package insights

import (
	"context"
	"slices"
	"strings"
)

// Event is a log event as a query sees it.
type Event struct {
	Time, Ingested int64 // milliseconds since 1970
	Message        string
	Stream, Log    string // what @logStream and @log show
	// Pointer tells what @ptr shows. It is asked for while the event is taken.
	Pointer func() string
}

// system are the fields that every event has.
var system = map[string]func(*Event) value{
	"@message":       func(e *Event) value { return textOf(e.Message) },
	"@timestamp":     func(e *Event) value { return momentOf(float64(e.Time)) },
	"@ingestionTime": func(e *Event) value { return momentOf(float64(e.Ingested)) },
	"@logStream":     func(e *Event) value { return textOf(e.Stream) },
	"@log":           func(e *Event) value { return textOf(e.Log) },
	pointer:          func(e *Event) value { return textOf(e.Pointer()) },
}

// pointer is the field that every row has which stands for one event.
const pointer = "@ptr"

// scope are the names that a query knows, up to stats or behind it, each with its slot in the rows' values.
type scope struct {
	slots map[string]int
	names []string
	// loads give the values of fields that events have. Nil: of what the query itself defines, and of what is in JSON.
	loads []func(*Event) value
	// paths are the slots of fields in JSON.
	paths []wanted
	// defined are those that the query itself defines.
	defined map[string]bool
	// closed says that there are no other names: behind stats.
	closed bool

	// late says that what is referred to now is needed of rows that are kept; needed are such slots.
	late   bool
	needed map[int]bool
	// shown are the slots of the result's columns, in order; listed says that fields has named some, and chosen that display
	// has said which.
	shown          []int
	listed, chosen bool
}

func newScope() *scope {
	return &scope{slots: map[string]int{}, defined: map[string]bool{}, needed: map[int]bool{}}
}

// slot is a name's.
func (s *scope) slot(name string) int {
	at, known := s.slots[name]
	if !known {
		at = len(s.names)
		s.slots[name] = at
		s.names, s.loads = append(s.names, name), append(s.loads, nil)
		switch load, found := system[name]; {
		case s.closed || s.defined[name]:
		case found:
			s.loads[at] = load
		case strings.HasPrefix(name, "@@"): // how fields of JSON are named that begin with @ themselves
			s.paths = append(s.paths, wanted{at, name[1:]})
		case name[0] != '@':
			s.paths = append(s.paths, wanted{at, name})
		}
	}
	if s.late {
		s.needed[at] = true
	}
	return at
}

// define is the slot of a name that the query gives a value.
func (s *scope) define(name string) int {
	s.defined[name] = true
	return s.slot(name)
}

// show adds a column.
func (s *scope) show(slot int) {
	if !s.chosen && !slices.Contains(s.shown, slot) {
		s.shown = append(s.shown, slot)
	}
}

// inside splits a name such as json.a.b of which json is defined by the query, and json.a.b is not.
func (s *scope) inside(name string) (outer, path string, ok bool) {
	for i, c := range name {
		if (c == '.' || c == '[') && s.defined[name[:i]] && !s.defined[name] {
			return name[:i], strings.TrimPrefix(name[i:], "."), true
		}
	}
	return "", "", false
}

// env is the row that is looked at.
type env struct {
	scope  *scope
	values []value
	loaded []bool
	event  *Event // nil: the values are all there are
	walked bool
	walker walker
	// tallies are those of the group whose row is made, where stats are.
	tallies []tally
	now     float64
	// ctx ends what takes long.
	ctx context.Context
	// made are the bytes of the texts that functions have made for the row.
	made int
}

func (r *Run) env(s *scope) *env {
	return &env{scope: s, values: make([]value, len(s.names)), loaded: make([]bool, len(s.names)), now: r.now, ctx: r.ctx}
}

const (
	// mostText is how long a text may become that a function makes, and mostMade all those together that are made for a row,
	// in bytes. What is longer is missing.
	mostText, mostMade = 1 << 20, 8 << 20
	// mostRow is how many bytes a row may have that is kept: the same text may be in many columns.
	mostRow = 16 << 20
)

// makes says whether a text of that length may be made, and counts it.
func (e *env) makes(length int) bool {
	if length > mostText || e.made+length > mostMade {
		return false
	}
	e.made += length
	return true
}

// at makes the env look at an event.
func (e *env) at(event *Event) {
	e.event, e.walked, e.made = event, false, 0
	clear(e.loaded)
}

// atRow makes the env look at a row that was kept.
func (e *env) atRow(values []value) {
	e.event, e.made = nil, 0
	copy(e.values, values)
}

// get is the value in a slot.
func (e *env) get(slot int) value {
	if e.event == nil || e.loaded[slot] {
		return e.values[slot]
	}
	if load := e.scope.loads[slot]; load != nil {
		e.set(slot, load(e.event))
		return e.values[slot]
	}
	if !e.walked {
		e.walk()
	}
	if !e.loaded[slot] {
		return value{}
	}
	return e.values[slot]
}

func (e *env) set(slot int, v value) { e.values[slot], e.loaded[slot] = v, true }

// walk finds all fields in the message's JSON that the query speaks of.
func (e *env) walk() {
	e.walked = true
	json := fragment(e.event.Message)
	if json == "" {
		return
	}
	var found []int
	valid := e.walker.walk(json, e.scope.paths, func(slot int, v value) {
		if !e.loaded[slot] {
			e.set(slot, v)
			found = append(found, slot)
		}
	})
	if !valid {
		for _, slot := range found {
			e.loaded[slot] = false
		}
	}
}

// mayHold says whether a field in JSON may be that text, without reading the JSON: not where the message has no such text,
// and no character that is written otherwise.
func (e *env) mayHold(slot int, text string) bool {
	if e.event == nil || e.loaded[slot] || e.walked || e.scope.loads[slot] != nil || e.scope.defined[e.scope.names[slot]] {
		return true
	}
	return strings.Contains(e.event.Message, text) || strings.Contains(e.event.Message, `\u`)
}
