package insights

import (
	"errors"
	"math"
	"strings"
)

// stats is what a stats command asks for.
type stats struct {
	// by are what rows are grouped by, and tallies make what each group counts.
	by      []expr
	tallies []func() tally
	// columns make the rows of the result, of by first; in the order of the next scope's slots.
	columns []expr
}

// tally counts something of a group's rows.
type tally interface {
	add(e *env, memory *budget) error
	// merge takes in what another goroutine has counted of the same.
	merge(other tally, memory *budget) error
	result() value
}

// aggregation is a function of stats.
type aggregation struct {
	// optional says that it may have no argument, or *.
	optional bool
	// numbers is how many numbers follow its argument.
	numbers int
	make    func(of func(*env) value, numbers []float64) tally
}

var aggregations = map[string]aggregation{
	"count":          {optional: true, make: func(of func(*env) value, _ []float64) tally { return &count{of: of} }},
	"count_distinct": {make: func(of func(*env) value, _ []float64) tally { return &distinct{of: of, seen: map[string]bool{}} }},
	"sum":            {make: func(of func(*env) value, _ []float64) tally { return &moments{of: of, show: (*moments).total} }},
	"avg":            {make: func(of func(*env) value, _ []float64) tally { return &moments{of: of, show: (*moments).mean} }},
	"stddev":         {make: func(of func(*env) value, _ []float64) tally { return &moments{of: of, show: (*moments).deviation} }},
	"min":            {make: func(of func(*env) value, _ []float64) tally { return &best{of: of, rank: of, sign: -1} }},
	"max":            {make: func(of func(*env) value, _ []float64) tally { return &best{of: of, rank: of, sign: 1} }},
	"sortsfirst":     {make: func(of func(*env) value, _ []float64) tally { return &best{of: of, rank: of, sign: -1} }},
	"sortslast":      {make: func(of func(*env) value, _ []float64) tally { return &best{of: of, rank: of, sign: 1} }},
	"earliest":       {make: func(of func(*env) value, _ []float64) tally { return &best{of: of, rank: timeOf, sign: -1} }},
	"latest":         {make: func(of func(*env) value, _ []float64) tally { return &best{of: of, rank: timeOf, sign: 1} }},
	"pct": {numbers: 1, make: func(of func(*env) value, n []float64) tally {
		return &percentile{of: of, percent: n[0], buckets: map[int]int{}}
	}},
}

// timeOf is when the row's event was.
func timeOf(e *env) value {
	if e.event != nil {
		return momentOf(float64(e.event.Time))
	}
	if slot, found := e.scope.slots["@timestamp"]; found {
		return e.values[slot]
	}
	return value{}
}

// aggregate reads an aggregation's arguments, from the opening bracket on.
func (p *parser) aggregate(a aggregation, name string, from, to int) (expr, error) {
	if p.stats == nil {
		return expr{}, p.wrong(from, to, "the function %s stands in stats only", name)
	}
	p.next()
	of := func(*env) value { return truth(true) }
	var numbers []float64
	if p.phase.scope.late && !p.phase.scope.closed {
		p.phase.scope.slot("@timestamp") // earliest and latest ask for it
	}
	inside := p.stats
	p.stats = nil // aggregations stand in no others
	defer func() { p.stats = inside }()
	switch {
	case a.optional && p.take("*"):
	case a.optional && p.kind == tokenSymbol && p.text == ")":
	default:
		arg, err := p.expression()
		if err != nil {
			return expr{}, err
		}
		of = arg.eval
		for range a.numbers {
			if !p.take(",") {
				return expr{}, p.unexpected(",")
			}
			n, err := p.expression()
			if err != nil {
				return expr{}, err
			}
			f, isNumber := 0.0, false
			if n.constant {
				f, isNumber = n.eval(nil).number()
			}
			if !isNumber || f < 0 || f > 100 {
				return expr{}, p.wrong(n.from, n.to, "a percentage from 0 to 100 is expected")
			}
			numbers = append(numbers, f)
		}
	}
	if !p.take(")") {
		return expr{}, p.unexpected(")")
	}
	if len(inside.tallies) == mostTallies {
		return expr{}, p.wrong(from, p.ended, "stats has at most %d functions", mostTallies)
	}
	at := len(inside.tallies)
	inside.tallies = append(inside.tallies, func() tally { return a.make(of, numbers) })
	return p.until(expr{tallied: true, eval: func(e *env) value { return e.tallies[at].result() }}, from), nil
}

// mostTallies is how many aggregations a stats command may have.
const mostTallies = 100

// readStats reads stats EXPRESSION [as NAME], ... [by FIELD [as NAME], ...].
func (p *parser) readStats() error {
	made := &stats{}
	names := []string{}
	var columns []expr
	p.stats = made
	err := p.list(func() error {
		e, name, _, err := p.named()
		if err == nil && !e.tallied {
			err = p.wrong(e.from, e.to, "stats has no function such as count in %.128s", e.written(p.lexer.query))
		}
		columns, names = append(columns, e), append(names, name)
		return err
	})
	p.stats = nil
	if err != nil {
		return err
	}
	var byNames []string
	if p.takeWord("by") {
		if err := p.list(func() error {
			e, name, _, err := p.named()
			made.by, byNames = append(made.by, e), append(byNames, name)
			return err
		}); err != nil {
			return err
		}
	}
	made.columns = columns
	p.phase.stats = made
	behind := newScope()
	behind.closed = true
	for _, name := range append(byNames, names...) {
		if _, twice := behind.slots[name]; twice {
			return p.wrong(p.from, p.to, "stats has two columns with the name %.128s", name)
		}
		behind.show(behind.define(name))
	}
	p.ends(endByStats, behind)
	return nil
}

// errMemory says that a query needs more memory than it may have.
var errMemory = errors.New("the query holds too many groups or values in memory: group by fewer values, or search a shorter time")

// errRow says that a row is too long to be kept.
var errRow = errors.New("a row has more than 16 MiB: show, sort or group by fewer fields")

// budget is how many bytes may still be held.
type budget struct{ left int64 }

func (b *budget) take(bytes int) error {
	if b.left -= int64(bytes); b.left < 0 {
		return errMemory
	}
	return nil
}

type count struct {
	of func(*env) value
	n  float64
}

func (c *count) add(e *env, _ *budget) error {
	if c.of(e).kind != missing {
		c.n++
	}
	return nil
}

func (c *count) merge(other tally, _ *budget) error {
	c.n += other.(*count).n
	return nil
}

func (c *count) result() value { return numberOf(c.n) }

type distinct struct {
	of   func(*env) value
	seen map[string]bool
}

func (d *distinct) add(e *env, memory *budget) error {
	if v := d.of(e); v.kind != missing {
		return d.note(v.String(), memory)
	}
	return nil
}

func (d *distinct) note(s string, memory *budget) error {
	if d.seen[s] {
		return nil
	}
	d.seen[strings.Clone(s)] = true
	return memory.take(len(s) + 48)
}

func (d *distinct) merge(other tally, memory *budget) error {
	for s := range other.(*distinct).seen {
		if err := d.note(s, memory); err != nil {
			return err
		}
	}
	return nil
}

func (d *distinct) result() value { return numberOf(float64(len(d.seen))) }

// moments are the number, the mean and the squared differences from it, as Welford adds and Chan merges them.
type moments struct {
	of                   func(*env) value
	show                 func(*moments) value
	n, sum, mid, squares float64
}

func (m *moments) add(e *env, _ *budget) error {
	f, ok := m.of(e).number()
	if !ok {
		return nil
	}
	m.n++
	m.sum += f
	delta := f - m.mid
	m.mid += delta / m.n
	m.squares += delta * (f - m.mid)
	return nil
}

func (m *moments) merge(other tally, _ *budget) error {
	o := other.(*moments)
	if o.n == 0 {
		return nil
	}
	n, delta := m.n+o.n, o.mid-m.mid
	m.squares += o.squares + delta*delta*m.n*o.n/n
	m.mid += delta * o.n / n
	m.n, m.sum = n, m.sum+o.sum
	return nil
}

func (m *moments) result() value {
	if m.n == 0 {
		return value{}
	}
	return m.show(m)
}

func (m *moments) total() value     { return numberOf(m.sum) }
func (m *moments) mean() value      { return numberOf(m.sum / m.n) }
func (m *moments) deviation() value { return numberOf(math.Sqrt(m.squares / m.n)) }

// best is the value of the row that ranks first, or last.
type best struct {
	of, rank func(*env) value
	sign     int
	at       value
	v        value
}

func (b *best) add(e *env, memory *budget) error {
	v := b.of(e)
	if v.kind == missing {
		return nil
	}
	if at := b.rank(e); b.at.kind == missing || compare(at, b.at) == b.sign {
		held := v.keep()
		if at == v { // of min and max
			at = held
		} else {
			at = at.keep()
		}
		return b.hold(at, held, memory)
	}
	return nil
}

func (b *best) hold(at, v value, memory *budget) error {
	before := b.bytes()
	b.at, b.v = at, v
	return memory.take(b.bytes() - before)
}

func (b *best) bytes() int {
	if b.at == b.v {
		return len(b.v.text)
	}
	return len(b.at.text) + len(b.v.text)
}

func (b *best) merge(other tally, memory *budget) error {
	if o := other.(*best); o.at.kind != missing && (b.at.kind == missing || compare(o.at, b.at) == b.sign) {
		return b.hold(o.at, o.v, memory)
	}
	return nil
}

func (b *best) result() value { return b.v }
