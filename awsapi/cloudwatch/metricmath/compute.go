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

// mostTimes bounds the times of a frame, and mostListed the series of a list.
const mostTimes, mostListed = 100_800, 500

// count is how many times the frame has.
func (f Frame) count() int {
	if f.Period <= 0 || f.To <= f.From {
		return 0
	}
	return int(min((f.To-f.From-1)/f.Period+1, mostTimes))
}

// times are the frame's.
func (f Frame) times() (all []int64) {
	for at := f.From; at < f.To && len(all) < mostTimes && f.Period > 0; at += f.Period {
		all = append(all, at)
	}
	return all
}

// Budget is what the expressions of one request may have in all of their parts together; the zero value is a whole one.
type Budget struct{ spent int }

// MostSpent is how many datapoints a budget has. A series counts as seriesCost of them, beside its own.
const MostSpent, seriesCost = 2_000_000, 8

var errBudget = errors.New("the request has more than 2,000,000 datapoints in all parts of its expressions: ask for fewer metrics, " +
	"longer periods or less time")

// Spend takes so many datapoints from the budget. The error says that they are not there.
func (b *Budget) Spend(datapoints int) error {
	if err := b.has(datapoints); err != nil {
		b.spent = MostSpent // whoever asks on gets nothing more
		return err
	}
	b.spent += datapoints
	return nil
}

// has says whether so many datapoints, which are about to be made and to be spent then, are there.
func (b *Budget) has(datapoints int) error {
	if datapoints > MostSpent-b.spent {
		return errBudget
	}
	return nil
}

// SpendOn takes series from the budget.
func (b *Budget) SpendOn(all ...Series) error {
	cost := 1
	for _, s := range all {
		cost += seriesCost + len(s.Times)
	}
	return b.Spend(cost)
}

type computation struct {
	host   Host
	frame  Frame
	budget *Budget
}

// Compute is the value of the expression. All its parts are taken from the budget.
func (e *Expression) Compute(host Host, frame Frame, budget *Budget) (Value, error) {
	return computation{host, frame, budget}.of(e.root)
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
	value, err := c.node(n)
	if err == nil {
		err = c.budget.SpendOn(value.series...)
	}
	return value, err
}

func (c computation) node(n node) (Value, error) {
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
	for i, arg := range n.args { // of which each is taken from the budget, so that these are not many
		value, err := c.of(arg)
		if err != nil {
			return Value{}, err
		}
		args[i] = value
	}
	if op := operators[n.call]; op != nil {
		if err := c.budget.Spend(repeated(args[0], args[1]) + repeated(args[1], args[0])); err != nil {
			return Value{}, err
		}
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

// repeated is how many datapoints of a single series are read for those of a list, beyond what the list has itself.
func repeated(one, list Value) int {
	if one.kind != single || list.kind != several {
		return 0
	}
	all := len(one.series[0].Times) * len(list.series)
	for _, s := range list.series {
		all -= len(s.Times)
	}
	return max(all, 0)
}

func listOf(args []Value) (Value, error) {
	n := 0
	for _, arg := range args {
		if arg.kind != single && arg.kind != several {
			return Value{}, errors.New("an array has time series only")
		}
		n += len(arg.series)
	}
	if n > mostListed {
		return Value{}, fmt.Errorf("an array has at most %d time series, and not %d", mostListed, n)
	}
	all := make([]Series, 0, n)
	for _, arg := range args {
		all = append(all, arg.series...)
	}
	return Several(all), nil
}
