package etcdcluster

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Nobody is told of a link that is cut: members have to notice. etcd's election time-out takes a leader for gone that says nothing, and so
// is long, as one that waits for its disk says nothing either. Here a member asks instead: a leader that has said nothing for a moment is
// asked whether it is there, over a connection of its own that its raft has no part in. Who answers is slow, and is left to the time-out.
// Who does not, while others do, is gone.

const (
	// lookEvery is how often a member looks whether the others have spoken, while they do: a leader speaks twice meanwhile.
	lookEvery = 500 * time.Millisecond
	// askEvery is how often it looks for answers once it asks.
	askEvery = 50 * time.Millisecond
	// askLeast is for how long it asks at least, and askFactor how many times as long as the slowest that answered took. What is counted
	// is its own looks: a member that was stopped itself has not asked meanwhile.
	askLeast  = 500 * time.Millisecond
	askFactor = 4
	// askOften is for how long it asks so often.
	askOften = 5 * time.Second
	// starvedFactor is how many times as long it asks on a machine that is starved, when only itself has answered.
	starvedFactor = 5
)

// silence is what a member makes of those that say nothing. Its methods are called by one goroutine.
type silence struct {
	self    uint64
	lead    func() uint64                               // 0: it knows of no leader
	voters  func() map[uint64]string                    // peer URLs of all that vote, its own too, by their ids
	heard   func(member uint64) float64                 // a number that grows when that one speaks
	ask     func(ctx context.Context, url string) error // returns nil when somebody answers there
	starved func() bool
	told    func() bool // it stands already, as it was told of a loss: two who do that for one member get in each other's way
	stand   func()      // has this member ask for votes

	last map[uint64]float64 // what was heard, at the last look
	// asking is the round of questions under way; nil while all speak that have to.
	asking *round
}

// round is of questions to all that vote, and this member itself, until those that count speak or answer.
type round struct {
	leader    uint64
	before    map[uint64]float64 // what was heard of each when it began
	questions map[uint64]*question
	cancel    context.CancelFunc
	wait      sync.WaitGroup

	asked    time.Duration // for how long, in looks
	cutOff   bool          // those that neither speak nor answer are a majority
	standsAt time.Duration // when asked has come to that, this member stands
	stood    int           // how often it has
}

// question is one to a member.
type question struct {
	mu   sync.Mutex
	took time.Duration // until it was answered; 0: it is not
}

func (q *question) answered() time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.took
}

// cutOff says that this member neither hears nor reaches as many others as a leader needs.
func (s *silence) cutOff() bool { return s.asking != nil && s.asking.cutOff }

// look draws the consequences of what has been heard and answered since the last look, and says how long until the next one.
func (s *silence) look(ctx context.Context) (next time.Duration) {
	if s.asking == nil && !s.quiet() {
		return lookEvery
	}
	if s.asking == nil {
		s.begin(ctx)
		return askEvery
	}
	s.asking.asked += s.every()
	if s.settled() {
		s.end()
		s.last = nil // what is heard from now on counts
		return lookEvery
	}
	s.judge()
	return s.every()
}

// every is how long until the next look at a round: long once all has been concluded of it that can be.
func (s *silence) every() time.Duration {
	if r := s.asking; r.cutOff || r.stood == attempts {
		return lookEvery
	}
	return askEvery
}

// quiet says whether the leader has said nothing since the last look or, where this member leads, so many followers that the others would
// be no majority.
func (s *silence) quiet() bool {
	leader, now, before := s.lead(), map[uint64]float64{}, s.last
	speaks := func(id uint64) bool { return id == s.self || now[id] > before[id] }
	for id := range s.voters() {
		now[id] = s.heard(id)
	}
	s.last = now
	switch {
	case leader == 0 || before == nil:
		return false
	case leader == s.self:
		return !s.majority(speaks)
	default:
		return !speaks(leader)
	}
}

// majority says whether those that vote and are so are one.
func (s *silence) majority(is func(id uint64) bool) bool {
	voters, so := s.voters(), 0
	for id := range voters {
		if is(id) {
			so++
		}
	}
	return 2*so > len(voters)
}

// begin asks all that vote, until end.
func (s *silence) begin(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	r := &round{leader: s.lead(), before: s.last, questions: map[uint64]*question{}, cancel: cancel}
	for id, url := range s.voters() {
		q := &question{}
		r.questions[id] = q
		r.wait.Go(func() { q.put(ctx, func(ctx context.Context) error { return s.ask(ctx, url) }) })
	}
	s.asking = r
}

// end takes the questions back.
func (s *silence) end() {
	if s.asking != nil {
		s.asking.cancel()
		s.asking.wait.Wait()
		s.asking = nil
	}
}

// alive says whether a member has spoken or answered since the round began.
func (s *silence) alive(id uint64) bool {
	r := s.asking
	if id == s.self || s.heard(id) > r.before[id] {
		return true
	}
	q := r.questions[id]
	return q != nil && q.answered() > 0
}

// settled says whether there is nothing to ask any more.
func (s *silence) settled() bool {
	r := s.asking
	switch leader := s.lead(); {
	case leader != 0 && leader != r.leader:
		return true
	case r.cutOff || r.leader == s.self:
		return s.majority(s.alive)
	default:
		return s.alive(r.leader)
	}
}

// judge says of those that have been asked for long enough that they are gone. When this member itself has not answered, it knows nothing.
func (s *silence) judge() {
	r := s.asking
	self := r.questions[s.self] // nil: it does not vote any more
	if r.cutOff || self == nil || self.answered() == 0 || r.asked < s.patience() {
		return
	}
	if !s.majority(s.alive) {
		r.cutOff = true
		return
	}
	if r.standsAt == 0 {
		r.standsAt = r.asked + time.Duration(s.rank())*turn
	}
	if r.asked < r.standsAt || r.stood == attempts || s.told() {
		return
	}
	s.stand()
	// As in Lost: two that stand at once take each other's votes.
	r.standsAt = r.asked + time.Duration(s.rank()+1)*turn<<r.stood + rand.N(turn)
	r.stood++
}

// patience is for how long the members are asked before those that are silent count as gone.
func (s *silence) patience() time.Duration {
	slowest, others := time.Duration(0), false
	for id, q := range s.asking.questions {
		took := q.answered()
		slowest = max(slowest, took)
		others = others || took > 0 && id != s.self
	}
	long := max(askLeast, askFactor*slowest)
	switch {
	case !s.starved():
	case others: // the silent one may be who gets nothing to run on
		long *= 2
	default: // it takes more to reach another process than oneself
		long *= starvedFactor
	}
	return long
}

// rank is this member's place, by their ids, among those that live.
func (s *silence) rank() (rank int) {
	for id := range s.voters() {
		if id < s.self && s.alive(id) {
			rank++
		}
	}
	return rank
}

// put asks until somebody answers, or ctx ends: often at first, and seldom once it has become a state, as each question is a connection.
func (q *question) put(ctx context.Context, ask func(context.Context) error) {
	pause := time.NewTimer(askEvery)
	defer pause.Stop()
	for begun, every := time.Now(), askEvery; ; {
		if err := ask(ctx); err == nil {
			q.mu.Lock()
			defer q.mu.Unlock()
			q.took = max(time.Since(begun), 1)
			return
		}
		if time.Since(begun) > askOften {
			every = min(2*every, lookEvery)
		}
		pause.Reset(every)
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
	}
}
