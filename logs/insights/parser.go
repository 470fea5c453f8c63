package insights

import (
	"strconv"
	"strings"
)

const (
	// MostRows is how many rows a result has at most, and StandardRows where the query does not say.
	MostRows, StandardRows = 100000, 10000
	// mostNames bounds the names and mostCommands the commands of a query.
	mostNames, mostCommands = 1000, 100
)

// Query is a query that was read.
type Query struct {
	phases []*phase
	limit  int // 0: the query does not say
	part   string
	// filtered says that the first phase has filters.
	filtered bool
}

// Part is a text that the message has of each event that the query's first filters want; empty: nothing is known of it. Events
// without it need not be taken, and are told to Run.Pass.
func (q *Query) Part() string { return q.part }

// Newest says that the query wants the newest events, whatever they are: of older ones than Run.Edge it needs only to know how many
// there are, which Run.Pass is told.
func (q *Query) Newest() bool {
	first := q.phases[0]
	if q.filtered || first.end != endByLimit && first.end != endOfQuery {
		return false
	}
	if len(first.sort) == 0 {
		return true
	}
	by := first.sort[0]
	return by.descending && by.by.field && first.scope.names[by.by.slot] == "@timestamp" && !first.scope.defined["@timestamp"]
}

// phase is a part of a query: what is done with each row, and what is done with all of them then.
type phase struct {
	scope *scope
	steps []func(*env) bool // false: the row is not wanted
	sort  []sortKey
	end   ending
	limit int
	dedup []expr
	stats *stats
}

// ending is what ends a phase.
type ending uint8

const (
	endOfQuery ending = iota
	endByLimit
	endByDedup
	endByStats
)

type sortKey struct {
	by         expr
	descending bool
}

// parser reads a query.
type parser struct {
	lexer
	query *Query
	phase *phase
	depth int
	// expressions is the size of the regular expressions that were read.
	expressions int
	// stats are those that are being read, in whose expressions aggregations may stand.
	stats *stats
}

// Parse reads a query. The error is a *SyntaxError.
func Parse(text string) (*Query, error) {
	p := &parser{lexer: lexer{query: text}, query: &Query{}}
	p.begin(newScope())
	p.next()
	for commands := 0; ; commands++ {
		if commands == mostCommands {
			return nil, p.wrong(p.from, p.to, "a query has at most %d commands", mostCommands)
		}
		if err := p.command(); err != nil {
			return nil, err
		}
		if p.kind == tokenEnd {
			break
		}
		if !p.take("|") {
			return nil, p.unexpected("| or the end of the query")
		}
	}
	last := p.phase.scope
	if len(last.names) > mostNames {
		return nil, p.wrong(0, len(text), "a query speaks of at most %d fields", mostNames)
	}
	last.late = true
	if !last.chosen && !last.closed && !last.listed { // what parse has found comes behind
		last.shown = append([]int{last.slot("@timestamp"), last.slot("@message")}, last.shown...)
	}
	if !last.closed {
		last.slot(pointer)
	}
	for _, slot := range last.shown {
		last.needed[slot] = true
	}
	return p.query, nil
}

// begin begins a phase.
func (p *parser) begin(s *scope) {
	p.phase = &phase{scope: s}
	p.query.phases = append(p.query.phases, p.phase)
}

// ends ends the phase; the next one has the names of the scope.
func (p *parser) ends(by ending, s *scope) {
	p.phase.end = by
	s.late = true
	p.begin(s)
}

// take reads the symbol if it is the token.
func (p *parser) take(symbol string) bool {
	if p.kind != tokenSymbol || p.text != symbol {
		return false
	}
	p.next()
	return true
}

// takeWord reads the keyword, in whatever case, if it is the token.
func (p *parser) takeWord(word string) bool {
	if p.kind != tokenName || !strings.EqualFold(p.text, word) {
		return false
	}
	p.next()
	return true
}

const commandsHere = "one of fields, display, filter, parse, stats, sort, limit and dedup"

func (p *parser) command() error {
	if p.kind != tokenName {
		return p.unexpected(commandsHere)
	}
	from, to, name := p.from, p.to, strings.ToLower(p.text)
	read := map[string]func() error{"fields": p.fields, "display": p.display, "filter": p.filter, "parse": p.parse,
		"stats": p.readStats, "sort": p.order, "order": p.order, "limit": p.limit, "head": p.limit, "dedup": p.dedup}[name]
	switch name {
	case "pattern", "diff", "anomaly", "unmask", "unnest", "lookup", "filterindex", "source", "tail", "search", "join", "appendcols":
		return p.wrong(from, to, "the command %s is not here: Tripod has fields, display, filter, parse, stats, sort, limit and dedup",
			name)
	}
	if read == nil {
		return p.unexpected(commandsHere)
	}
	p.next()
	return read()
}

// list reads what stands between commas.
func (p *parser) list(read func() error) error {
	for {
		if err := read(); err != nil || !p.take(",") {
			return err
		}
	}
}

// named reads EXPRESSION [as NAME]. name is the expression as it is written where it has none.
func (p *parser) named() (e expr, name string, aliased bool, err error) {
	if e, err = p.expression(); err != nil {
		return expr{}, "", false, err
	}
	if !p.takeWord("as") {
		return e, e.written(p.lexer.query), false, nil
	}
	name, err = p.name()
	return e, name, true, err
}

// name reads the name of a field.
func (p *parser) name() (string, error) {
	if p.kind != tokenName && p.kind != tokenQuoted || p.text == "" {
		return "", p.unexpected("a field's name")
	}
	name := p.text
	p.next()
	return name, nil
}

func (p *parser) fields() error {
	p.phase.scope.listed = true
	return p.list(func() error {
		slot, err := p.column()
		if err == nil {
			p.phase.scope.show(slot)
		}
		return err
	})
}

// column reads a field or an expression, with a name or not, and gives the slot where its value is.
func (p *parser) column() (int, error) {
	e, name, aliased, err := p.named()
	if err != nil {
		return 0, err
	}
	if e.field && !aliased {
		return e.slot, nil
	}
	slot := p.phase.scope.define(name)
	p.phase.steps = append(p.phase.steps, func(env *env) bool {
		env.set(slot, e.eval(env))
		return true
	})
	return slot, nil
}

func (p *parser) display() error {
	var shown []int
	err := p.list(func() error {
		slot, err := p.column()
		shown = append(shown, slot)
		return err
	})
	p.phase.scope.shown, p.phase.scope.chosen = shown, true
	return err
}

func (p *parser) filter() error {
	condition, err := p.expression()
	if err != nil {
		return err
	}
	if len(p.query.phases) == 1 {
		p.query.filtered = true
		if len(condition.part) > len(p.query.part) {
			p.query.part = condition.part
		}
	}
	p.phase.steps = append(p.phase.steps, func(e *env) bool { return condition.eval(e).holds() })
	return nil
}

func (p *parser) order() error {
	var keys []sortKey
	err := p.list(func() error {
		by, err := p.expression()
		if err != nil {
			return err
		}
		key := sortKey{by: by}
		if p.takeWord("desc") {
			key.descending = true
		} else {
			p.takeWord("asc")
		}
		keys = append(keys, key)
		return nil
	})
	p.phase.sort = keys
	return err
}

func (p *parser) limit() error {
	n, err := strconv.Atoi(p.text)
	if p.kind != tokenNumber || err != nil || n < 1 || n > MostRows {
		return p.unexpected("a number from 1 to " + strconv.Itoa(MostRows))
	}
	p.next()
	p.phase.limit, p.query.limit = n, n
	p.ends(endByLimit, p.phase.scope)
	return nil
}

func (p *parser) dedup() error {
	err := p.list(func() error {
		by, err := p.expression()
		p.phase.dedup = append(p.phase.dedup, by)
		return err
	})
	if err != nil {
		return err
	}
	p.ends(endByDedup, p.phase.scope)
	return nil
}
