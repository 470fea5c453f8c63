package state

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"

	"tripod/internal/sleep"
)

const (
	// freshLimit bounds how long a read waits for a majority of the voters.
	freshLimit = 5 * time.Second
	// freshRetry is the pause after a question that nobody could be asked.
	freshRetry = 20 * time.Millisecond
)

// Fresh returns when this voter's copy has every change that anybody can have seen, in any zone, when it was called. Each of those is in
// the logs of a majority of the voters, and so in this one's or in one of those that it asks: any other one where there are three. (How
// far the others' copies are would not do: what one zone shows already, of a change that is under way, the two others may both lack.)
//
// Where so many others are gone that no majority is left, nobody makes changes, and this copy is the best there is: Fresh returns at once.
// Of one that does not answer and is not gone, as behind a link that is cut, nothing is known: then Fresh waits, up to five seconds, and
// returns ErrCutOff. While its disk keeps this voter down the others go on without it: then Fresh returns ErrDown.
func (v *Voter) Fresh(ctx context.Context) error {
	l, err := v.current()
	if l == nil {
		return err
	}
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, v.patience)
	defer cancel()
	need := l.majority() - 1
	for need > 0 {
		index, gone, err := l.askMajority(ctx, need)
		if err == nil {
			if err = l.reach(ctx, max(index, l.disk.log.newest.Load())); err == nil {
				return nil
			}
		}
		if l.ctx.Err() != nil { // what was asked in a life that has ended is not answered: a new one has not caught up yet
			if l, err = v.current(); l == nil {
				return err
			}
			continue
		}
		if gone > len(l.askers)-need {
			return nil
		}
		if sleep.For(ctx, freshRetry) == nil {
			continue
		}
		if caller.Err() != nil {
			return fmt.Errorf("read the regional state: %w", caller.Err())
		}
		return fmt.Errorf("%w, and may have missed changes (%w): heal its links, or ask another zone", ErrCutOff, err)
	}
	return nil
}

// reach waits until this copy has what became of the proposals up to that index of the log.
func (l *life) reach(ctx context.Context, index uint64) error {
	for {
		waiting, cancel := context.WithTimeout(ctx, freshRetry)
		err := l.voter.store.wait(waiting, index)
		cancel()
		switch {
		case err == nil:
			return nil
		case l.raft.AppliedIndex() >= index && l.voter.store.load().index >= l.disk.log.newest.Load():
			return nil // a leader that was lost had proposed what stands there, and another one has replaced it by nothing
		case ctx.Err() != nil:
			return ctx.Err()
		case l.ctx.Err() != nil:
			return l.ctx.Err()
		}
	}
}

// majority of all voters, this one included.
func (l *life) majority() int { return len(l.cfg.Peers)/2 + 1 }

// askMajority asks all others how far their logs are, and returns with the highest answer once as many as needed have answered; or with
// an error as soon as too few can, and how many of them are gone.
func (l *life) askMajority(ctx context.Context, need int) (index uint64, gone int, err error) {
	answers := make(chan logAnswer, len(l.askers))
	for _, a := range l.askers {
		a.ask(answers)
	}
	for left := len(l.askers); left >= need; left-- {
		select {
		case answer := <-answers:
			switch {
			case answer.err == nil:
				index = max(index, answer.index)
				if need--; need == 0 {
					return index, 0, nil
				}
			case l.cfg.Gone != nil && l.cfg.Gone(answer.err):
				gone++
				err = answer.err
			default:
				err = answer.err
			}
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		}
	}
	return 0, gone, err
}

// asker asks one other voter how far its log is, for all who want to know. One question is under way at a time, however long its answer
// takes: who comes meanwhile needs a newer answer, and waits for the next question.
type asker struct {
	life *life
	zone string
	idle forwards // of askAll, too

	mu      sync.Mutex
	busy    bool
	ended   bool
	waiting []chan<- logAnswer
}

// logAnswer is the newest proposal that another voter had in its log when it was asked.
type logAnswer struct {
	index uint64
	err   error
}

// ask has the channel get one answer, of a question that is put from now on. It does not wait.
func (a *asker) ask(answers chan<- logAnswer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		answers <- logAnswer{err: net.ErrClosed}
		return
	}
	a.waiting = append(a.waiting, answers)
	if !a.busy {
		a.busy = true
		a.life.wg.Go(a.run)
	}
}

// end has nothing begin any more.
func (a *asker) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended = true
}

func (a *asker) run() {
	for {
		a.mu.Lock()
		asking := a.waiting
		a.waiting = nil
		if len(asking) == 0 {
			a.busy = false
			a.mu.Unlock()
			return
		}
		a.mu.Unlock()
		answer := a.question()
		for _, who := range asking {
			who <- answer // it has room for one of each
		}
	}
}

func (a *asker) question() logAnswer {
	ctx, cancel := context.WithTimeout(a.life.ctx, freshLimit)
	defer cancel()
	question, err := json.Marshal(uint64(0)) // it is not waited for
	if err != nil {
		return logAnswer{err: err} // never: it is a number
	}
	r, err := a.life.ask(ctx, &a.idle, a.zone, forApplied, question)
	return logAnswer{max(r.Outcome.Index, r.Logged), err}
}

// proposals is raft's log, which knows the newest proposal in it. Raft adds entries of its own, which no copy has.
type proposals struct {
	*wal.WAL
	newest atomic.Uint64 // 0: none is in the log
	lose   func(error)   // is told that the log is not what it should be; nil: nobody is
}

// StoreLog is raft.LogStore's.
func (p *proposals) StoreLog(entry *raft.Log) error { return p.StoreLogs([]*raft.Log{entry}) }

// StoreLogs is raft.LogStore's. It notes a proposal before raft can tell anybody that it is stored.
func (p *proposals) StoreLogs(entries []*raft.Log) error {
	if err := p.noticed(p.WAL.StoreLogs(entries)); err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Type == raft.LogCommand {
			p.newest.Store(entry.Index)
		}
	}
	return nil
}

// DeleteRange is raft.LogStore's: of old entries, or of those that another leader replaces.
func (p *proposals) DeleteRange(first, last uint64) error {
	if err := p.noticed(p.WAL.DeleteRange(first, last)); err != nil {
		return err
	}
	if newest := p.newest.Load(); first <= newest && newest <= last {
		return p.find()
	}
	return nil
}

// find looks for the newest proposal.
func (p *proposals) find() error {
	p.newest.Store(0)
	first, err := p.FirstIndex()
	if err != nil {
		return err
	}
	last, err := p.LastIndex()
	if err != nil {
		return err
	}
	for i := last; i >= max(first, 1); i-- {
		var entry raft.Log
		if err := p.GetLog(i, &entry); err != nil {
			return fmt.Errorf("read entry %d: %w", i, err)
		}
		if entry.Type == raft.LogCommand {
			p.newest.Store(i)
			return nil
		}
	}
	return nil
}
