package lb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// failure is what an error says about a target.
type failure int

const (
	// failLocal says nothing about the target: this process has no descriptors or ports left.
	failLocal failure = iota
	// failUnready is a wrong answer: a server is there, lives, and may finish what it is at.
	failUnready
	// failSilent is a target that is paused or cut off.
	failSilent
	// failRefused is a target where nobody listens.
	failRefused
)

func classify(err error) failure {
	var timeout net.Error
	switch {
	case isAny(err, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL):
		return failLocal
	case isAny(err, syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ENOENT):
		return failRefused
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout(),
		isAny(err, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EAGAIN): // EAGAIN: a unix socket's queue is full
		return failSilent
	default:
		return failUnready
	}
}

func isAny(err error, codes ...syscall.Errno) bool {
	var got syscall.Errno
	if !errors.As(err, &got) {
		return false
	}
	for _, code := range codes {
		if got == code {
			return true
		}
	}
	return false
}

// probe checks a target's health until the run is reset.
func (r *run) probe(t *target) {
	// With the context that has ended by now, the check lets go of what it keeps.
	defer func() { _ = r.b.cfg.Check(r.ctx, t.Target) }()
	pause, known := r.b.cfg.Interval, r.b.generation(t)
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for r.awaitWork() {
		well := r.probeOnce(t)
		gen := r.b.generation(t)
		switch {
		case well, r.b.checksAlone(t):
			pause = r.b.cfg.Interval
		case pause == r.b.cfg.Interval && gen != known:
			pause = min(quickest, r.b.cfg.Interval)
		default:
			pause = min(2*pause, r.b.cfg.Interval)
		}
		known = gen
		timer.Reset(pause)
		select {
		case <-r.ctx.Done():
			return
		case <-timer.C:
		case <-t.kick:
		}
	}
}

// probeOnce says whether the target passed its check.
func (r *run) probeOnce(t *target) (well bool) {
	gen := r.b.generation(t)
	ctx, cancel := context.WithTimeout(r.ctx, r.b.cfg.Timeout)
	defer cancel()
	begun := time.Now()
	err := r.b.cfg.Check(ctx, t.Target)
	if r.ctx.Err() != nil {
		return true // it says nothing but that the balancer ends
	}
	if err != nil && classify(err) == failSilent && time.Since(begun) > r.b.cfg.Timeout+late {
		return true // this process was late itself: on a starved machine, silence says nothing about the target
	}
	r.b.judge(t, gen, err)
	return err == nil
}

// checksAlone is alone, with the lock.
func (b *Balancer) checksAlone(t *target) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.alone(t)
}

// hint asks for a health check now, unless only the checks themselves say how the target is.
func (b *Balancer) hint(t *target) {
	if !b.checksAlone(t) {
		t.probeSoon()
	}
}

// late is how much later than it should a timer fires in a process that waits for the processor itself.
const late = 100 * time.Millisecond

// judge counts the result of a health check that was begun in the generation gen.
func (b *Balancer) judge(t *target, gen uint64, err error) {
	kind := failLocal
	if err != nil {
		if kind = classify(err); kind == failLocal {
			b.cfg.Logger.Warn("cannot check a target's health", "target", t.Name, "error", err)
			return
		}
	}
	b.mutate(t, func() (cut bool) {
		if t.gen != gen {
			return false
		}
		t.suspected = false
		if err != nil {
			return b.fail(t, kind, b.sentence(kind, err))
		}
		t.fails = 0
		// A target that is new must pass one check, as with AWS.
		if t.passes++; !t.up && (t.passes >= b.cfg.Thresholds.Healthy || b.cfg.ChecksAlone && !t.met) {
			t.up, t.met, t.dead, t.reason = true, true, false, ""
			t.gen++
		}
		return false
	})
}

// fail counts one failure, and tells whether the target's connections are to be cut: those of a target that is gone or
// silent are, once; those of a target that merely says it is not ready are not. It assumes the lock.
func (b *Balancer) fail(t *target, kind failure, reason string) (cut bool) {
	t.passes = 0
	t.fails++
	if kind == failSilent && !b.witnessed(t) {
		kind = failUnready
	}
	if b.cfg.ChecksAlone {
		kind = failSilent // whatever is wrong, the target is unhealthy and its connections end
	}
	threshold := b.cfg.Thresholds.Failing
	switch {
	case kind == failRefused:
		threshold = b.cfg.Thresholds.Refused
	case kind == failSilent && b.cfg.Starved():
		threshold *= starvedFactor
	}
	if t.fails < threshold {
		return false
	}
	dead := kind != failUnready
	cut = dead && !t.dead
	if t.up || t.dead != dead {
		t.down(reason, dead)
	} else {
		t.reason = reason
	}
	return cut
}

// starvedFactor is how many times as often a target may be silent on a machine that is starved: slow is not dead.
const starvedFactor = 5

// witnessed says whether another target answers while this one is silent. When all are silent the machine may be
// starved, or just awake again; and even if they are dead, there is no better place for their connections. It assumes
// the lock.
func (b *Balancer) witnessed(silent *target) bool {
	for _, t := range b.targets {
		if t != silent && t.up && t.fails == 0 {
			return true
		}
	}
	return false
}

// suspect counts what a client's connection met: a failed dial, or no answer to its first bytes.
func (b *Balancer) suspect(t *target, gen uint64, err error) {
	if b.checksAlone(t) {
		return
	}
	kind := classify(err)
	if kind == failRefused || kind == failSilent {
		b.mutate(t, func() (cut bool) {
			if t.gen != gen {
				return false
			}
			if kind == failSilent {
				// Many clients wait at the same time: together they are one witness.
				if t.suspected {
					return false
				}
				t.suspected = true
			}
			return b.fail(t, kind, b.sentence(kind, err))
		})
	}
	t.probeSoon()
}

func (b *Balancer) sentence(kind failure, err error) string {
	switch kind {
	case failRefused:
		return "refuses connections"
	case failSilent:
		return "does not answer"
	default:
		return err.Error()
	}
}

// checkDial is the health check of a balancer that was given none.
func (b *Balancer) checkDial(ctx context.Context, t Target) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	conn, err := b.cfg.Dial(ctx, nil, t)
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	reset(conn) // an ordinary close ten times a second would leave hundreds of connections in TIME_WAIT
	return nil
}
