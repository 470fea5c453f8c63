package histories

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// cloud is a control plane of three zones in memory, with a bug that the tests plant.
type cloud struct {
	bug    string
	random *rand.Rand
	things map[string]string
	before []map[string]string // of each write
	held   func()              // what is applied late
	// retried is applied much later, perhaps after other writes.
	retried []func()
	stuck   map[string]string // the copy of zone c, where that one does not follow
}

func newCloud(bug string, seed uint64) *cloud {
	return &cloud{bug: bug, random: rand.New(rand.NewPCG(seed, 2)), things: map[string]string{}}
}

func (s *cloud) strikes(bug string) bool { return s.bug == bug && s.random.IntN(6) == 0 }

func (s *cloud) apply(thing, value string) {
	s.before = append(s.before, maps.Clone(s.things))
	if s.things[thing] = value; value == "" {
		delete(s.things, thing)
	}
}

func (s *cloud) write(c Call) Outcome {
	if s.held != nil {
		s.held()
		s.held = nil
	}
	if len(s.retried) > 3 {
		s.retried[0]()
		s.retried = s.retried[1:]
	}
	is := s.things[c.Thing]
	switch {
	case s.strikes("a refused write that has its effect"):
		s.apply(c.Thing, c.leaves())
		return Refused
	case c.Kind == Make && is == "" && s.strikes("a thing that is said to be there already"):
		return Refused
	case c.Kind == Drop && is != "" && s.strikes("a thing that is said to be gone already"):
		return Refused
	case c.Kind == Make && is != "" && s.bug == "a thing that is made twice":
	case c.Kind == Drop && is == "" && s.bug == "a thing that is dropped twice":
	case c.Kind == Make && is != "", c.Kind == Drop && is == "":
		return Refused
	}
	switch {
	case s.strikes("an acknowledgement of a write that is lost"):
		return OK
	case s.strikes("a write that is applied after its acknowledgement"):
		s.held = func() { s.apply(c.Thing, c.leaves()) }
		return OK
	case s.strikes("a write that is applied again after a retry"):
		s.retried = append(s.retried, func() { s.apply(c.Thing, c.leaves()) })
	case s.strikes("acknowledged writes lost with a zone") && len(s.before) > 4:
		s.things = maps.Clone(s.before[len(s.before)-3])
	case s.strikes("a value that is damaged") && c.leaves() != "":
		s.apply(c.Thing, c.Value+"?")
		return OK
	case s.strikes("a write to another thing"):
		s.apply("tag 0", c.leaves())
		return OK
	case c.Kind == Drop && s.strikes("a deletion that is undone"):
		s.held = func() { s.apply(c.Thing, is) }
	}
	s.apply(c.Thing, c.leaves())
	return OK
}

func (s *cloud) read(c Call) string {
	is := s.things[c.Thing]
	switch {
	case c.Zone == "c" && s.bug == "a zone that was paused and does not catch up":
		if s.stuck == nil {
			s.stuck = maps.Clone(s.things)
		}
		return s.stuck[c.Thing]
	case s.strikes("a stale read") && len(s.before) > 8:
		return s.before[len(s.before)-8][c.Thing]
	case c.Zone == "b" && is == "" && s.bug == "a deleted key that still signs in one zone":
		for _, copied := range slices.Backward(s.before) {
			if was := copied[c.Thing]; was != "" {
				return was
			}
		}
	case c.Zone == "b" && s.strikes("a key that one zone does not know"):
		return ""
	case s.strikes("an authenticator that takes back what it has said"):
		if is != "" {
			return ""
		}
		return c.Thing + " of before"
	case s.strikes("a read of another thing"):
		return s.things["tag 1"]
	}
	return is
}

// cloudBugs are all that the cloud can have.
var cloudBugs = []string{
	"an acknowledgement of a write that is lost", "a refused write that has its effect", "a write that is applied after its acknowledgement",
	"a write that is applied again after a retry", "acknowledged writes lost with a zone", "a value that is damaged",
	"a write to another thing", "a deletion that is undone", "a thing that is said to be there already",
	"a thing that is said to be gone already", "a thing that is made twice", "a thing that is dropped twice",
	"a zone that was paused and does not catch up", "a stale read", "a deleted key that still signs in one zone",
	"a key that one zone does not know", "an authenticator that takes back what it has said", "a read of another thing",
}

// playCloud has clients call the cloud: entries are made and dropped again and again, keys once, and tags are set and cleared.
func playCloud(bug string, seed uint64) *Calls {
	s, h := newCloud(bug, seed), &Calls{}
	now := int64(0)
	tick := func() int64 { now++; return now }
	for n := range 400 {
		thing := []string{"tag", "entry", fmt.Sprintf("key %d", n/100)}[s.random.IntN(3)] + fmt.Sprintf(" %d", s.random.IntN(3))
		c := Call{Client: s.random.IntN(4), Thing: thing, Zone: []string{"", "a", "b", "c"}[s.random.IntN(4)], Began: tick(), Outcome: OK}
		is := s.things[thing]
		switch choice := s.random.IntN(4); {
		case choice > 1:
			c.Kind = Read
			c.Value = s.read(c)
		case strings.HasPrefix(thing, "tag"):
			c.Kind = []CallKind{Set, Set, Clear}[s.random.IntN(3)]
		case strings.HasPrefix(thing, "key"):
			if c.Kind = Drop; is == "" {
				c.Kind = Make
			}
		default:
			c.Kind = []CallKind{Make, Drop}[s.random.IntN(2)]
		}
		if c.writes() {
			if c.Kind == Make || c.Kind == Set {
				c.Value = fmt.Sprintf("v%d", n)
			}
			c.Outcome = s.write(c)
			if bug == "" && s.random.IntN(10) == 0 {
				c.Outcome = Unknown // the answer is lost on its way
			}
		}
		c.Ended = tick()
		h.Add(c)
	}
	return h
}

func TestEveryBugPlantedInACloudIsCaught(t *testing.T) {
	if len(slices.Compact(slices.Sorted(slices.Values(cloudBugs)))) != len(cloudBugs) {
		t.Error("some bugs are listed twice")
	}
	for _, bug := range cloudBugs {
		t.Run(bug, func(t *testing.T) {
			for seed := range uint64(5) {
				faults := playCloud(bug, seed).Check()
				if len(faults) == 0 {
					t.Errorf("seed %d: nothing is found", seed)
				} else if seed == 0 {
					t.Log(faults[0])
				}
			}
		})
	}
}

func TestARightHistoryOfCallsIsRight(t *testing.T) {
	for seed := range uint64(20) {
		if faults := playCloud("", seed).Check(); len(faults) > 0 {
			t.Errorf("seed %d: %v", seed, faults)
		}
	}
	var page bytes.Buffer
	if err := playCloud("", 1).Picture(&page); err != nil || !bytes.Contains(page.Bytes(), []byte("<html")) {
		t.Errorf("the picture: %v, %d bytes", err, page.Len())
	}
}

// TestACallWithoutAnAnswerMayHaveHappenedOrNot: but what was seen of it stays.
func TestACallWithoutAnAnswerMayHaveHappenedOrNot(t *testing.T) {
	key := Call{Kind: Make, Thing: "key", Value: "k", Began: 1, Ended: 2, Outcome: OK}
	dropped := Call{Client: 1, Kind: Drop, Thing: "key", Began: 6, Outcome: Unknown}
	signs := func(client int, at int64, value string) Call {
		return Call{Client: client, Kind: Read, Thing: "key", Began: at, Ended: at + 1, Outcome: OK, Value: value}
	}
	for name, c := range map[string]struct {
		after []Call
		right bool
	}{
		"it signs":                          {[]Call{signs(2, 10, "k"), signs(3, 20, "k")}, true},
		"it does not sign":                  {[]Call{signs(2, 10, ""), signs(3, 20, "")}, true},
		"it signs for a while":              {[]Call{signs(2, 10, "k"), signs(3, 20, "")}, true},
		"it signs again":                    {[]Call{signs(2, 10, ""), signs(3, 20, "k")}, false},
		"it does not sign while it is made": {[]Call{signs(2, 2, "")}, true},
		"it does not sign before its call":  {[]Call{signs(2, 3, "")}, false},
		"it signs after another call that was answered": {[]Call{
			{Client: 1, Kind: Drop, Thing: "key", Began: 8, Ended: 9, Outcome: OK}, signs(2, 20, "k")}, false},
	} {
		h := &Calls{}
		for _, one := range append([]Call{key, dropped}, c.after...) {
			h.Add(one)
		}
		if faults := h.Check(); (len(faults) == 0) != c.right {
			t.Errorf("%s: %v", name, faults)
		}
	}
}
