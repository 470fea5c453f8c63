package curve

import (
	"math"
	"time"
)

// Sum is the amount over a time: amounts times seconds. It is exact, and never less for a longer time.
func (c Curve) Sum(from, to time.Time) float64 {
	return c.over(from, to, c.clamp, func(angle float64) float64 { return c.sineSum(angle) })
}

// Above is for how many seconds of a time the curve is above a level.
func (c Curve) Above(level float64, from, to time.Time) float64 {
	is := func(x float64) float64 {
		if c.clamp(x) > level {
			return 1
		}
		return 0
	}
	return c.over(from, to, is, func(angle float64) float64 { return c.sineAbove(level, angle) })
}

// over adds up what a function makes of the amount. Of a sine it is told the sum from the cycle's begin to an angle.
func (c Curve) over(from, to time.Time, of func(float64) float64, ofSine func(angle float64) float64) float64 {
	if !to.After(from) {
		return 0
	}
	if c.cycle == 0 {
		return of(c.low) * to.Sub(from).Seconds()
	}
	part := func(x time.Duration) float64 { return c.stepsUntil(x, of) }
	if c.kind == sine {
		part = func(x time.Duration) float64 { return ofSine(c.angle(x)) * c.cycle.Seconds() / (2 * math.Pi) }
	}
	whole := c.number(to) - c.number(from)
	if whole == 0 && c.kind != sine { // the same steps are not added and taken away again
		return part(c.into(to)) - part(c.into(from))
	}
	return float64(whole)*part(c.cycle) - part(c.into(from)) + part(c.into(to))
}

// stepsUntil adds up steps and noise from the cycle's begin on.
func (c Curve) stepsUntil(until time.Duration, of func(float64) float64) (sum float64) {
	if c.kind == noise {
		each := c.cycle / noiseSteps
		whole := int(until / each)
		for i := range whole {
			sum += of(c.random(i))
		}
		sum *= each.Seconds()
		if rest := until % each; rest > 0 {
			sum += of(c.random(whole)) * rest.Seconds()
		}
		return sum
	}
	for _, s := range c.steps {
		if until <= 0 {
			break
		}
		sum += of(s.value) * min(s.time, until).Seconds()
		until -= s.time
	}
	return sum
}

// mirrored continues what is known of the rising half of a sine to all of it.
func mirrored(angle float64, half func(angle float64) float64) float64 {
	if angle <= math.Pi {
		return half(angle)
	}
	return 2*half(math.Pi) - half(2*math.Pi-angle)
}

// reached is the angle at which a sine's rising half comes to a level.
func (c Curve) reached(level float64) float64 {
	middle, swing := (c.low+c.high)/2, (c.high-c.low)/2
	return math.Acos(min(max((middle-level)/swing, -1), 1))
}

// sineSum is the bounded sine's integral by the angle.
func (c Curve) sineSum(angle float64) float64 {
	middle, swing := (c.low+c.high)/2, (c.high-c.low)/2
	least, most := math.Inf(-1), math.Inf(1)
	if c.bounded {
		least, most = c.least, c.most
	}
	first, last := c.reached(least), c.reached(most)
	return mirrored(angle, func(angle float64) (sum float64) {
		if first > 0 {
			sum = least * min(angle, first)
		}
		if upper := min(angle, last); upper > first {
			sum += middle*(upper-first) - swing*(math.Sin(upper)-math.Sin(first))
		}
		if angle > last {
			sum += most * (angle - last)
		}
		return sum
	})
}

// sineAbove is for which part of the angle the bounded sine is above a level.
func (c Curve) sineAbove(level, angle float64) float64 {
	if c.bounded && c.least > level {
		return angle
	}
	if c.bounded && c.most <= level {
		return 0
	}
	first := c.reached(level)
	return mirrored(angle, func(angle float64) float64 { return max(0, angle-first) })
}
