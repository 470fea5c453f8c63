package curve

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Forms is how texts of curves look, for sentences about those that do not.
const Forms = "a quantity like 250m or 300Mi, a share of the request like 80%, or a curve of either: sine(100m..400m, 10m), " +
	"steps(100m for 5m, 400m for 1m), noise(100m..400m, 10s)"

// Within which texts may be.
const (
	mostSteps             = 100
	leastTime, mostPeriod = time.Second, 366 * 24 * time.Hour
	mostAmount            = 1e18
)

// Parse reads a curve:
//
//	250m                             always
//	80%                              a share, as all amounts of the forms below may be, too
//	sine(100m..400m, 10m)            up and down once in 10 minutes; sine(100m..400m, 10m, 2m) is 2 minutes late
//	steps(100m for 5m, 400m for 1m)  one after the other, over and over
//	noise(100m..400m, 10s)           another amount every 10 seconds; noise(100m..400m, 10s, 7) another noise
func Parse(text string) (Curve, error) {
	text = strings.TrimSpace(text)
	name, rest, isCurve := strings.Cut(text, "(")
	if !isCurve {
		amount, share, err := parseAmount(text)
		return Curve{low: amount, share: share}, err
	}
	inner, closed := strings.CutSuffix(rest, ")")
	if !closed {
		return Curve{}, fmt.Errorf("%q has no closing bracket", text)
	}
	arguments := strings.Split(inner, ",")
	for i := range arguments {
		arguments[i] = strings.TrimSpace(arguments[i])
	}
	switch strings.TrimSpace(name) {
	case "sine":
		return parseSine(arguments)
	case "noise":
		return parseNoise(arguments)
	case "steps":
		return parseSteps(arguments)
	}
	return Curve{}, fmt.Errorf("there is no curve %q, only sine, steps and noise", name)
}

func parseSine(arguments []string) (Curve, error) {
	if len(arguments) != 2 && len(arguments) != 3 {
		return Curve{}, errors.New("sine has a range, a period, and perhaps by how much it is late: sine(100m..400m, 10m, 2m)")
	}
	c, err := parseRange(arguments[0])
	if err != nil {
		return Curve{}, err
	}
	if c.cycle, err = parseTime(arguments[1]); err != nil {
		return Curve{}, err
	}
	if len(arguments) == 3 {
		if c.shift, err = time.ParseDuration(arguments[2]); err != nil || c.shift < 0 || c.shift > mostPeriod {
			return Curve{}, fmt.Errorf("%q is no time like 2m", arguments[2])
		}
	}
	if c.kind = sine; c.low == c.high {
		c.kind, c.cycle = constant, 0
	}
	return c, nil
}

func parseNoise(arguments []string) (Curve, error) {
	if len(arguments) != 2 && len(arguments) != 3 {
		return Curve{}, errors.New("noise has a range, the time of a step, and perhaps a number: noise(100m..400m, 10s, 7)")
	}
	c, err := parseRange(arguments[0])
	if err != nil {
		return Curve{}, err
	}
	each, err := parseTime(arguments[1])
	if err != nil {
		return Curve{}, err
	}
	if len(arguments) == 3 {
		if c.seed, err = strconv.ParseUint(arguments[2], 10, 64); err != nil {
			return Curve{}, fmt.Errorf("%q is no whole number", arguments[2])
		}
	}
	c.kind, c.cycle = noise, each*noiseSteps
	return c, nil
}

func parseSteps(arguments []string) (Curve, error) {
	if len(arguments) > mostSteps {
		return Curve{}, fmt.Errorf("there are %d steps, and %d may be", len(arguments), mostSteps)
	}
	c := Curve{kind: steps}
	for i, argument := range arguments {
		amount, length, ok := strings.Cut(argument, " for ")
		if !ok {
			return Curve{}, fmt.Errorf("%q is no step like 100m for 5m", argument)
		}
		value, share, err := parseAmount(strings.TrimSpace(amount))
		if err != nil {
			return Curve{}, err
		}
		if i > 0 && share != c.share {
			return Curve{}, errors.New("some steps are shares, and others are quantities")
		}
		each, err := parseTime(strings.TrimSpace(length))
		if err != nil {
			return Curve{}, err
		}
		c.steps, c.cycle, c.share = append(c.steps, step{value, each}), c.cycle+each, share
	}
	return c, nil
}

// parseRange reads "100m..400m".
func parseRange(text string) (Curve, error) {
	from, to, ok := strings.Cut(text, "..")
	if !ok {
		return Curve{}, fmt.Errorf("%q is no range like 100m..400m", text)
	}
	low, share, err := parseAmount(strings.TrimSpace(from))
	if err != nil {
		return Curve{}, err
	}
	high, otherShare, err := parseAmount(strings.TrimSpace(to))
	switch {
	case err != nil:
		return Curve{}, err
	case share != otherShare:
		return Curve{}, fmt.Errorf("%s is half a share and half a quantity", text)
	case low > high:
		return Curve{}, fmt.Errorf("%s goes down: the smaller amount comes first", text)
	}
	return Curve{low: low, high: high, share: share}, nil
}

func parseAmount(text string) (amount float64, share bool, err error) {
	if percent, ok := strings.CutSuffix(text, "%"); ok {
		amount, err = strconv.ParseFloat(percent, 64)
		amount, share = amount/100, true
	} else {
		var q resource.Quantity
		q, err = resource.ParseQuantity(text)
		amount = q.AsApproximateFloat64()
	}
	if err != nil || !(amount >= 0 && amount <= mostAmount) || math.Signbit(amount) {
		return 0, false, fmt.Errorf("%q is neither a quantity like 250m nor a share like 80%%", text)
	}
	return amount, share, nil
}

func parseTime(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < leastTime || d > mostPeriod {
		return 0, fmt.Errorf("%q is no time like 10m, of at least 1s and at most a year", text)
	}
	return d, nil
}
