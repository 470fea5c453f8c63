package link

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Effect is what happens to what is sent in one direction. The zero value: it arrives at once.
type Effect struct {
	// Drop: nothing arrives, and nobody is told. What was sent arrives when the effect ends, as TCP sends it again.
	Drop bool `json:"drop,omitempty"`
	// Reject: new connections are refused, and those that are open are reset.
	Reject bool `json:"reject,omitempty"`
	// Latency is how much later everything arrives, give or take Jitter. The order stays, as TCP keeps it.
	Latency time.Duration `json:"latency,omitempty"`
	Jitter  time.Duration `json:"jitter,omitempty"`
	// Loss is the share of segments that are lost, from 0 to 1: TCP sends them again after 200 ms, and twice as long each time
	// that they are lost again. What was sent behind them waits.
	Loss float64 `json:"loss,omitempty"`
	// Bandwidth is how many bytes a second pass, of all connections together; 0: any number.
	Bandwidth int64 `json:"bandwidth,omitempty"`
	// Share is of how many of the connections all this is true, from 0 to 1; 0: of all.
	Share float64 `json:"share,omitempty"`
}

// None says whether the effect changes nothing.
func (e Effect) None() bool { return e == Effect{Share: e.Share} }

// on is the effect for a connection that has drawn a number from 0 to 1.
func (e Effect) on(draw float64) Effect {
	if e.Share != 0 && draw >= e.Share {
		return Effect{}
	}
	e.Share = 0
	return e
}

// Effects are those in one direction.
type Effects []Effect

// on is what they are together for a connection that has drawn a number from 0 to 1: the worst of each.
func (es Effects) on(draw float64) (all Effect) {
	for _, one := range es {
		e := one.on(draw)
		all.Drop, all.Reject = all.Drop || e.Drop, all.Reject || e.Reject
		all.Latency, all.Jitter, all.Loss = max(all.Latency, e.Latency), max(all.Jitter, e.Jitter), max(all.Loss, e.Loss)
		if all.Bandwidth == 0 || e.Bandwidth != 0 && e.Bandwidth < all.Bandwidth {
			all.Bandwidth = e.Bandwidth
		}
	}
	return all
}

// Pair is what is true of a link, seen from one of its ends.
type Pair struct {
	Out Effects `json:"out,omitempty"` // of what this end sends
	In  Effects `json:"in,omitempty"`  // of what it is sent
}

// None says whether nothing is wrong with the link.
func (p Pair) None() bool { return len(p.Out) == 0 && len(p.In) == 0 }

// Cut says whether no new connection can be opened now.
func (p Pair) Cut() bool {
	always := func(e Effect) bool { return (e.Drop || e.Reject) && (e.Share == 0 || e.Share >= 1) }
	return slices.ContainsFunc(p.Out, always) || slices.ContainsFunc(p.In, always)
}

func (p Pair) equals(other Pair) bool {
	return slices.Equal(p.Out, other.Out) && slices.Equal(p.In, other.In)
}

// Pairs are links by the name of what is at their other end. Those that are well need not be there.
type Pairs map[string]Pair

// Settings are all links of a zone as they are from now on. Those with a lower number are older, and come to nothing.
type Settings struct {
	Number int64 `json:"number"`
	Links  Pairs `json:"links,omitempty"`
}

const (
	segment     = 1448                   // bytes: what an Ethernet frame carries
	firstResend = 200 * time.Millisecond // Linux' TCP_RTO_MIN
	firstSYN    = time.Second            // and TCP_TIMEOUT_INIT
	lastResend  = 2 * time.Minute        // and TCP_RTO_MAX
)

// delay is how much later n bytes arrive, without what bandwidth costs.
func (e Effect) delay(n int) time.Duration {
	d := e.Latency
	if e.Jitter > 0 {
		d += time.Duration(rand.Int64N(2*int64(e.Jitter)+1)) - e.Jitter
	}
	for sent := 0; e.Loss > 0 && sent < n; sent += segment {
		d += resends(e.Loss, firstResend)
	}
	return max(d, 0)
}

// resends is how long it takes until a segment that may be lost arrives.
func resends(loss float64, first time.Duration) (d time.Duration) {
	for wait := first; d < lastResend && rand.Float64() < loss; wait = min(2*wait, lastResend) {
		d += wait
	}
	return d
}
