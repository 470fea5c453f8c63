package metricmath

import (
	"errors"
	"fmt"
	"math"
)

// Host has what an expression asks for.
type Host interface {
	// Get is the value of another query of the request.
	Get(id string) (Value, error)
	// Metrics are all metrics of the request whose ids contain a text.
	Metrics(within string) ([]Series, error)
	// Search are the metrics that a search expression finds.
	Search(expression, statistic string, period int64) ([]Series, error)
}

// Frame says for which times an expression is computed: from From on, before To, each Period seconds.
type Frame struct{ From, To, Period int64 }

// mostTimes bounds the times of a frame.
const mostTimes = 100_800

// times are the frame's.
func (f Frame) times() (all []int64) {
	for at := f.From; at < f.To && len(all) < mostTimes && f.Period > 0; at += f.Period {
		all = append(all, at)
	}
	return all
}

type computation struct {
	host  Host
	frame Frame
}

// Compute is the value of the expression.
func (e *Expression) Compute(host Host, frame Frame) (Value, error) {
	return computation{host, frame}.of(e.root)
}

var operators = map[string]func(x, y float64) (float64, bool){
	"+":  func(x, y float64) (float64, bool) { return x + y, true },
	"-":  func(x, y float64) (float64, bool) { return x - y, true },
	"*":  func(x, y float64) (float64, bool) { return x * y, true },
	"/":  func(x, y float64) (float64, bool) { return x / y, y != 0 },
	"^":  func(x, y float64) (float64, bool) { z := math.Pow(x, y); return z, !math.IsNaN(z) && !math.IsInf(z, 0) },
	"==": func(x, y float64) (float64, bool) { return truth(x == y), true },
	"!=": func(x, y float64) (float64, bool) { return truth(x != y), true },
	"<":  func(x, y float64) (float64, bool) { return truth(x < y), true },
	"<=": func(x, y float64) (float64, bool) { return truth(x <= y), true },
	">":  func(x, y float64) (float64, bool) { return truth(x > y), true },
	">=": func(x, y float64) (float64, bool) { return truth(x >= y), true },
	"&&": func(x, y float64) (float64, bool) { return truth(x != 0 && y != 0), true },
	"||": func(x, y float64) (float64, bool) { return truth(x != 0 || y != 0), true },
}

func init() { operators["AND"], operators["OR"] = operators["&&"], operators["||"] }

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func (c computation) of(n node) (Value, error) {
	switch {
	case n.number != nil:
		return scalarOf(*n.number), nil
	case n.text != nil:
		return Value{kind: text, text: *n.text}, nil
	case n.call == "":
		if n.name[0] >= 'a' && n.name[0] <= 'z' {
			return c.host.Get(n.name)
		}
		return Value{kind: text, text: n.name}, nil
	}
	args := make([]Value, len(n.args))
	for i, arg := range n.args {
		value, err := c.of(arg)
		if err != nil {
			return Value{}, err
		}
		args[i] = value
	}
	if op := operators[n.call]; op != nil {
		return combine(args[0], args[1], op)
	}
	if n.call == "[" {
		return listOf(args)
	}
	value, err := functions[n.call](c, args)
	if err != nil {
		return Value{}, fmt.Errorf("%s: %w", n.call, err)
	}
	return value, nil
}

func listOf(args []Value) (Value, error) {
	all := []Series{}
	for _, arg := range args {
		if arg.kind != single && arg.kind != several {
			return Value{}, errors.New("an array has time series only")
		}
		all = append(all, arg.series...)
	}
	return Several(all), nil
}
