package etcdcluster

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// stage plays the others to a silence, of members 1, 2 and 3.
type stage struct {
	*silence
	leads   uint64
	bytes   map[uint64]float64
	answers map[string]func(ctx context.Context) error // by URL; none: nobody answers
	lean    bool                                       // the machine is starved
	told    bool                                       // of the leader's loss
	stood   int
}

func answersAtOnce(context.Context) error { return nil }

func hangs(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func newStage(t *testing.T, self, leader uint64) *stage {
	s := &stage{leads: leader, bytes: map[uint64]float64{}, answers: map[string]func(context.Context) error{
		"1": answersAtOnce, "2": answersAtOnce, "3": answersAtOnce}}
	s.silence = &silence{self: self, lead: func() uint64 { return s.leads },
		voters:  func() map[uint64]string { return map[uint64]string{1: "1", 2: "2", 3: "3"} },
		heard:   func(id uint64) float64 { return s.bytes[id] },
		ask:     func(ctx context.Context, url string) error { return s.answers[url](ctx) },
		starved: func() bool { return s.lean }, told: func() bool { return s.told }, stand: func() { s.stood++ }}
	t.Cleanup(s.end)
	return s
}

// looks are so many, before each of which those members have spoken. Answers that come at once are there at the next.
func (s *stage) looks(t *testing.T, n int, speaking ...uint64) {
	t.Helper()
	for range n {
		for _, id := range speaking {
			s.bytes[id]++
		}
		s.look(t.Context())
		if s.asking == nil {
			continue
		}
		for id, url := range s.voters() {
			for deadline := time.Now().Add(10 * time.Second); s.answers[url](expired) == nil && s.asking.questions[id].answered() == 0; {
				if time.Now().After(deadline) {
					t.Fatalf("no answer of %d", id)
				}
				time.Sleep(time.Millisecond)
			}
		}
	}
}

// expired is a context that has ended.
var expired = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// inLooks is how many looks of a round a time is.
func inLooks(d time.Duration) int { return int(d / askEvery) }

// TestSilentMembersAreAsked, and only they: who speaks is not, who answers is slow, and who does not is gone.
func TestSilentMembersAreAsked(t *testing.T) {
	t.Parallel()
	all, patience := []uint64{1, 2, 3}, inLooks(askLeast)+2
	for name, test := range map[string]struct {
		self, leader uint64
		speak        []uint64 // after the beginning, when all do
		hang         string   // URLs
		asks         bool
		stands       bool
		cutOff       bool
	}{
		"all speak":                            {2, 1, all, "", false, false, false},
		"another follower is silent":           {2, 1, []uint64{1}, "3", false, false, false},
		"the leader is slow":                   {2, 1, []uint64{3}, "", false, false, false},
		"the leader is gone":                   {2, 1, nil, "1", true, true, false},
		"all others are gone":                  {2, 1, nil, "1 3", true, false, true},
		"it knows of no leader":                {2, 0, nil, "1 3", false, false, false},
		"it leads, and one is gone":            {1, 1, []uint64{3}, "2", false, false, false},
		"it leads, and all are slow":           {1, 1, nil, "", false, false, false},
		"it leads, and all others are gone":    {1, 1, nil, "2 3", true, false, true},
		"it leads, one is slow, another gone":  {1, 1, nil, "2", false, false, false},
		"it does not even get its own answers": {2, 1, nil, "1 2 3", true, false, false},
	} {
		s := newStage(t, test.self, test.leader)
		s.looks(t, 5, all...)
		for _, url := range strings.Fields(test.hang) {
			s.answers[url] = hangs
		}
		s.looks(t, patience, test.speak...)
		if (s.asking != nil) != test.asks || (s.stood > 0) != test.stands || s.cutOff() != test.cutOff {
			t.Errorf("%s: asks %t, stood %d times, cut off %t; want %+v", name, s.asking != nil, s.stood, s.cutOff(), test)
		}
	}
}

// TestSilenceEndsWhenSomebodySpeaks: the leader, another one, or so many as a leader needs.
func TestSilenceEndsWhenSomebodySpeaks(t *testing.T) {
	t.Parallel()
	patience := inLooks(askLeast) + 2
	s := newStage(t, 2, 1)
	s.looks(t, 2, 1)
	s.answers["1"] = hangs
	s.looks(t, patience)
	stood := s.stood
	s.told = true
	if s.looks(t, 50); s.stood != stood {
		t.Error("it stands twice, as it was told of the loss")
	}
	s.told, s.leads = false, 0 // it stands, and has voted for itself
	s.looks(t, 1)
	if s.stood == 0 || s.asking == nil {
		t.Errorf("stood %d times, asks %t", s.stood, s.asking != nil)
	}
	s.looks(t, 200)
	if s.stood != attempts {
		t.Errorf("stood %d times in vain, want %d", s.stood, attempts)
	}
	s.leads = 3
	if s.looks(t, 1); s.asking != nil {
		t.Error("it asks with a new leader there")
	}
	for _, leads := range []uint64{1, 0} { // until its own time-out, and after it
		s = newStage(t, 1, 1)
		s.looks(t, 2, 2, 3)
		s.answers["2"], s.answers["3"] = hangs, hangs
		s.looks(t, patience)
		s.leads = leads
		if s.looks(t, 20); !s.cutOff() {
			t.Errorf("led by %d, it is not cut off", leads)
		}
		if s.looks(t, 1, 3); s.cutOff() || s.asking != nil {
			t.Errorf("led by %d, it is cut off though it hears a majority", leads)
		}
	}
}

// TestSlowMachineIsGivenTime: how long a member is asked follows from how long others take, or this one itself.
func TestSlowMachineIsGivenTime(t *testing.T) {
	t.Parallel()
	s := newStage(t, 1, 1)
	s.looks(t, 2, 2, 3)
	s.answers["2"], s.answers["3"], s.lean = hangs, hangs, true
	if s.looks(t, inLooks(askLeast)+2); s.cutOff() {
		t.Error("it takes the others for gone on a machine that is starved")
	}
	if s.looks(t, inLooks(starvedFactor*askLeast)); !s.cutOff() {
		t.Error("it waits for ever on a machine that is starved")
	}
	s = newStage(t, 2, 1)
	s.looks(t, 2, 1)
	s.answers["1"] = hangs
	s.looks(t, 1)
	const took = 300 * time.Millisecond
	s.asking.questions[3].mu.Lock()
	s.asking.questions[3].took = took
	s.asking.questions[3].mu.Unlock()
	if s.looks(t, inLooks(askFactor*took)-1); s.stood > 0 {
		t.Errorf("it takes the leader for gone as soon as four times what another one took, and less")
	}
	if s.looks(t, 3); s.stood == 0 {
		t.Error("it never takes the leader for gone")
	}
}

// newCutTrio makes a trio of which the member that is stored in cut neither reaches the others by questions nor is reached; -1: none. Their
// own time-outs are longer than a test waits.
func newCutTrio(t *testing.T) (c *trio, cut *atomic.Int32) {
	c, cut = newCluster(t, 3), new(atomic.Int32)
	cut.Store(-1)
	for i := range c.members {
		c.configs[i].Timers = patientTimers
		m := c.renew(i)
		m.ask = func(ctx context.Context, url string) error {
			for other, config := range c.configs {
				if config.Members[config.Name] == url && other != i && (cut.Load() == int32(other) || cut.Load() == int32(i)) {
					return hangs(ctx)
				}
			}
			return m.askPeer(ctx, url)
		}
	}
	return c, cut
}

// TestLeaderThatIsCutOffIsReplacedBeforeItsTimeOut, and follows when it is back.
func TestLeaderThatIsCutOffIsReplacedBeforeItsTimeOut(t *testing.T) {
	t.Parallel()
	c, cut := newCutTrio(t)
	c.start(t, 0, 1, 2)
	leader := c.leader(t, 0, 1, 2)
	left := slices.DeleteFunc([]int{0, 1, 2}, func(i int) bool { return i == leader })
	cut.Store(int32(leader))
	c.members[leader].etcd.Server.PauseSending() // and it takes nothing
	begun := time.Now()
	c.leader(t, left...)
	t.Logf("another one leads after %v", time.Since(begun))
	cut.Store(-1)
	c.members[leader].etcd.Server.ResumeSending()
	c.leader(t, 0, 1, 2)
	c.put(t, "after", "1")
}

// TestSilentLeaderThatAnswersIsLeftToItsTimeOut: it waits for its disk, perhaps.
func TestSilentLeaderThatAnswersIsLeftToItsTimeOut(t *testing.T) {
	t.Parallel()
	c, _ := newCutTrio(t)
	asked := make([]atomic.Int32, 3)
	for i, m := range c.members {
		ask := m.ask
		m.ask = func(ctx context.Context, url string) error {
			err := ask(ctx, url)
			asked[i].Add(1)
			return err
		}
	}
	c.start(t, 0, 1, 2)
	leader := c.leader(t, 0, 1, 2)
	term := c.members[leader].etcd.Server.Term()
	c.members[leader].etcd.Server.PauseSending()
	for i := range c.members {
		for before := asked[i].Load(); asked[i].Load() < before+6; time.Sleep(5 * time.Millisecond) { // two rounds
			if c.members[i].etcd.Server.Term() != term || !c.leads[leader].Load() {
				t.Fatal("the leader is replaced")
			}
		}
	}
	c.members[leader].etcd.Server.ResumeSending()
	c.put(t, "after", "1")
}

// TestSilenceKnowsWhoSpeaks by etcd's own metric, and asks what answers by itself.
func TestSilenceKnowsWhoSpeaks(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.start(t, 0, 1, 2)
	leader := c.leader(t, 0, 1, 2)
	s := c.members[(leader+1)%3].listen(t.Context(), c.members[(leader+1)%3].etcd)
	if voters := s.voters(); len(voters) != 3 || s.lead() == s.self {
		t.Fatalf("%d votes among %v, led by %d", s.self, voters, s.lead())
	}
	before := s.heard(s.lead())
	for deadline := time.Now().Add(10 * time.Second); s.heard(s.lead()) == before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing is heard of the leader")
		}
	}
	for id, url := range s.voters() {
		if err := s.ask(t.Context(), url); err != nil {
			t.Errorf("ask %d: %v", id, err)
		}
	}
}
