// Package curve has amounts that move with time, and their exact sums over time: constant, sine, steps and noise. What an
// amount is at a time follows from its text alone (and for noise from whose it is), so that nothing is kept, and answers at
// different times agree.
//
// Periods count from 1970-01-01 00:00 UTC: curves of one period move together, and one of 24h is lowest at midnight.
package curve

import (
	"hash/fnv"
	"math"
	"slices"
	"time"
)

// Curve is an amount of at least 0 over time. The zero Curve is 0 always.
type Curve struct {
	kind      kind
	low, high float64       // between which sine and noise move; a constant is low
	cycle     time.Duration // after which all is as before
	shift     time.Duration // by which a sine is late
	steps     []step
	seed      uint64 // of noise

	least, most float64 // by which it is bounded, if it is
	bounded     bool
	share       bool
}

type kind int

const (
	constant kind = iota
	sine
	steps
	noise
)

type step struct {
	value float64
	time  time.Duration
}

// noiseSteps is how many steps noise takes until it repeats itself: few enough to add them all up at each look.
const noiseSteps = 256

// Constant is the same amount always.
func Constant(amount float64) Curve { return Curve{low: amount} }

// Share says that the amounts are shares of something: "80%" is 0.8.
func (c Curve) Share() bool { return c.share }

// Scale is the curve with amounts that are so many times as large.
func (c Curve) Scale(by float64) Curve {
	c.low, c.high, c.least, c.most = c.low*by, c.high*by, c.least*by, c.most*by
	c.steps = slices.Clone(c.steps)
	for i := range c.steps {
		c.steps[i].value *= by
	}
	c.share = false
	return c
}

// Within is the curve kept between two amounts; most may be infinite.
func (c Curve) Within(least, most float64) Curve {
	between := func(x float64) float64 { return min(max(x, least), most) }
	if c.bounded {
		least, most = between(c.least), between(c.most)
	}
	c.least, c.most, c.bounded = least, most, true
	return c
}

// Of is the curve as it is for somebody: noise differs by whose it is.
func (c Curve) Of(whose string) Curve {
	if c.kind == noise {
		h := fnv.New64a()
		h.Write([]byte(whose))
		c.seed ^= h.Sum64()
	}
	return c
}

func (c *Curve) clamp(x float64) float64 {
	if !c.bounded {
		return x
	}
	return min(max(x, c.least), c.most)
}

// At is the amount at a time.
func (c Curve) At(t time.Time) float64 {
	x := c.into(t)
	switch c.kind {
	case sine:
		return c.clamp((c.low+c.high)/2 - (c.high-c.low)/2*math.Cos(c.angle(x)))
	case steps:
		for _, s := range c.steps {
			if x < s.time {
				return c.clamp(s.value)
			}
			x -= s.time
		}
	case noise:
		return c.clamp(c.random(int(x / (c.cycle / noiseSteps))))
	}
	return c.clamp(c.low)
}

// into is how far a time is into its cycle.
func (c Curve) into(t time.Time) time.Duration {
	if c.cycle == 0 {
		return 0
	}
	x := time.Duration(t.UnixNano()) - c.shift
	return x - c.number(t)*c.cycle
}

// number is of the cycle that a time is in.
func (c Curve) number(t time.Time) time.Duration {
	x := time.Duration(t.UnixNano()) - c.shift
	n := x / c.cycle
	if x%c.cycle < 0 {
		n--
	}
	return n
}

func (c Curve) angle(x time.Duration) float64 { return 2 * math.Pi * float64(x) / float64(c.cycle) }

// random is the value of noise in a step: by splitmix64 of the seed and the step.
func (c *Curve) random(step int) float64 {
	z := c.seed + uint64(step+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	return c.low + (c.high-c.low)*float64(z>>11)/(1<<53)
}
