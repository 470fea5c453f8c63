package insights

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"tripod/logs/expression"
)

// expr is an expression: eval gives its value of a row.
type expr struct {
	eval     func(*env) value
	from, to int // where it is written
	// field says that it is just a field, which is in that slot.
	field bool
	slot  int
	// constant says that it is the same of every row.
	constant bool
	// part is a text that the message has of each event for which it holds; empty: nothing is known of it.
	part string
	// tallied says that it has an aggregation in it.
	tallied bool
}

// written is the expression as the query has it.
func (e expr) written(query string) string { return strings.TrimSpace(query[e.from:e.to]) }

// deepestExpression is how many brackets and functions may stand in each other.
const deepestExpression = 50

// until gives an expression its place: it ends where the token before this one ended.
func (p *parser) until(e expr, from int) expr {
	e.from, e.to = from, p.ended
	return e
}

func (p *parser) expression() (expr, error) {
	if p.depth++; p.depth > deepestExpression {
		return expr{}, p.wrong(p.from, p.to, "the expression is nested too deep")
	}
	defer func() { p.depth-- }()
	from := p.from
	left, err := p.conjunction()
	for err == nil && p.takeWord("or") {
		var right expr
		if right, err = p.conjunction(); err == nil {
			a, b := left.eval, right.eval
			left = join(left, right, func(e *env) value { return truth(a(e).holds() || b(e).holds()) })
		}
	}
	return p.until(left, from), err
}

// join is an expression of two.
func join(a, b expr, eval func(*env) value) expr {
	return expr{eval: eval, constant: a.constant && b.constant, tallied: a.tallied || b.tallied}
}

func (p *parser) conjunction() (expr, error) {
	left, err := p.negation()
	for err == nil && p.takeWord("and") {
		var right expr
		if right, err = p.negation(); err == nil {
			a, b, part := left.eval, right.eval, left.part
			if len(right.part) > len(part) {
				part = right.part
			}
			left = join(left, right, func(e *env) value { return truth(a(e).holds() && b(e).holds()) })
			left.part = part
		}
	}
	return left, err
}

func (p *parser) negation() (expr, error) {
	nots := 0
	for p.takeWord("not") {
		nots++
	}
	inner, err := p.comparison()
	if nots%2 == 1 && err == nil {
		eval := inner.eval
		return expr{eval: func(e *env) value { return truth(!eval(e).holds()) }, constant: inner.constant, tallied: inner.tallied}, nil
	}
	return inner, err
}

// comparisons are the operators that compare, by what the order of the two sides must be.
var comparisons = map[string]func(int) bool{
	"=": func(c int) bool { return c == 0 }, "==": func(c int) bool { return c == 0 },
	"!=": func(c int) bool { return c != 0 }, "<>": func(c int) bool { return c != 0 },
	"<": func(c int) bool { return c < 0 }, ">": func(c int) bool { return c > 0 },
	"<=": func(c int) bool { return c <= 0 }, ">=": func(c int) bool { return c >= 0 },
}

func (p *parser) comparison() (expr, error) {
	left, err := p.sum()
	if err != nil {
		return expr{}, err
	}
	if p.kind == tokenSymbol && comparisons[p.text] != nil {
		operator := p.text
		p.next()
		right, err := p.sum()
		return compared(operator, left, right), err
	}
	if p.take("=~") {
		return p.matches(left, false)
	}
	not := p.takeWord("not")
	switch {
	case p.takeWord("like"):
		return p.matches(left, not)
	case p.takeWord("in"):
		return p.among(left, not)
	case not:
		return expr{}, p.unexpected("like or in")
	}
	return left, nil
}

// compared compares two expressions. What is missing is equal to nothing: != holds for it, as in CloudWatch.
func compared(operator string, left, right expr) expr {
	test, unequal := comparisons[operator], operator == "!=" || operator == "<>"
	a, b := left.eval, right.eval
	eval := func(e *env) value {
		x, y := a(e), b(e)
		if x.kind == missing || y.kind == missing {
			return truth(unequal)
		}
		return truth(test(compare(x, y)))
	}
	if equals := operator == "=" || operator == "=="; equals && left.field && right.constant {
		if text := right.eval(nil); findable(text) {
			slow := eval
			eval = func(e *env) value {
				if !e.mayHold(left.slot, text.text) {
					return truth(false)
				}
				return slow(e)
			}
		}
	}
	return join(left, right, eval)
}

// findable says whether a field with that text must have it in the message as it stands: numbers and truths have other
// ways to be written, and so have characters that JSON escapes.
func findable(v value) bool {
	if v.kind != text || len(v.text) < 2 {
		return false
	}
	if _, isNumber := v.number(); isNumber {
		return false
	}
	for _, c := range []byte(v.text) {
		if c < ' ' || c > '~' || strings.IndexByte(`"\/<>&`, c) >= 0 {
			return false
		}
	}
	return true
}

// matches reads what like and =~ ask for: a text that is a part, or a regular expression.
func (p *parser) matches(left expr, not bool) (expr, error) {
	a := left.eval
	if p.kind == tokenSymbol && p.text == "/" {
		pattern, err := p.pattern()
		if err != nil {
			return expr{}, err
		}
		return expr{tallied: left.tallied, part: p.partOf(left, not, pattern.Part()), eval: func(e *env) value {
			v := a(e)
			return truth((v.kind != missing && pattern.Match(e.ctx, v.String())) != not)
		}}, nil
	}
	if p.kind != tokenString {
		return expr{}, p.unexpected("a text in quotes, or a regular expression between slashes,")
	}
	part := p.text
	p.next()
	return expr{tallied: left.tallied, part: p.partOf(left, not, part), eval: func(e *env) value {
		if left.field && !not && findable(textOf(part)) && !e.mayHold(left.slot, part) {
			return truth(false)
		}
		v := a(e)
		return truth((v.kind != missing && strings.Contains(v.String(), part)) != not)
	}}, nil
}

// partOf is what is known of a message by a comparison that asks for a part: the part, if it is the message that is compared.
func (p *parser) partOf(left expr, not bool, part string) string {
	s := p.phase.scope
	if not || !left.field || s.names[left.slot] != "@message" || s.closed || s.defined["@message"] {
		return ""
	}
	return part
}

// mostExpression is how long a regular expression may be. All of a query may be expression.MostSize in size.
const mostExpression = 4096

// pattern reads a regular expression between slashes.
func (p *parser) pattern() (*expression.Expression, error) {
	from := p.from
	source, ok := p.lexer.expression()
	if !ok {
		return nil, p.wrong(from, len(p.lexer.query), "the regular expression is not closed by a slash")
	}
	if len(source) > mostExpression {
		return nil, p.wrong(from, p.from, "a regular expression has at most %d characters", mostExpression)
	}
	pattern, err := expression.Compile(source, expression.MostSize-p.expressions)
	if errors.Is(err, expression.ErrSize) {
		return nil, p.wrong(from, p.from, "the regular expressions of the query are too large: with repetitions written out, "+
			"as aaa for a{3}, they may have about %d characters and operators in all", expression.MostSize)
	}
	if err != nil {
		return nil, p.wrong(from, p.from, "the regular expression cannot be read: %s; Tripod has those of RE2, "+
			"which know no lookahead, lookbehind and backreferences", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	p.expressions += pattern.Size()
	return pattern, nil
}

func (p *parser) among(left expr, not bool) (expr, error) {
	closing := "]"
	if !p.take("[") {
		if !p.take("(") {
			return expr{}, p.unexpected("[")
		}
		closing = ")"
	}
	var all []func(*env) value
	err := p.list(func() error {
		one, err := p.expression()
		all = append(all, one.eval)
		return err
	})
	if err != nil {
		return expr{}, err
	}
	if !p.take(closing) {
		return expr{}, p.unexpected(", or " + closing)
	}
	a := left.eval
	return expr{tallied: left.tallied, eval: func(e *env) value {
		v := a(e)
		for _, one := range all {
			if w := one(e); v.kind != missing && w.kind != missing && equal(v, w) {
				return truth(!not)
			}
		}
		return truth(not)
	}}, nil
}

func (p *parser) sum() (expr, error) { return p.operators(p.product, "+", "-") }

func (p *parser) product() (expr, error) { return p.operators(p.power, "*", "/", "%") }

func (p *parser) power() (expr, error) { return p.operators(p.unary, "^") }

// operators reads operands with operators of one rank between them.
func (p *parser) operators(operand func() (expr, error), operators ...string) (expr, error) {
	left, err := operand()
	for err == nil {
		operator := ""
		for _, one := range operators {
			if p.take(one) {
				operator = one
				break
			}
		}
		if operator == "" {
			return left, nil
		}
		var right expr
		if right, err = operand(); err == nil {
			a, b := left.eval, right.eval
			left = join(left, right, func(e *env) value { return calculate(operator, a(e), b(e)) })
		}
	}
	return left, err
}

func calculate(operator string, a, b value) value {
	x, ok := a.number()
	y, too := b.number()
	if !ok || !too {
		return value{}
	}
	var result float64
	switch operator {
	case "+":
		result = x + y
	case "-":
		result = x - y
	case "*":
		result = x * y
	case "/":
		result = x / y
	case "%":
		result = math.Mod(x, y)
	case "^":
		result = math.Pow(x, y)
	}
	if math.IsNaN(result) || math.IsInf(result, 0) {
		return value{} // of a division by zero
	}
	return numberOf(result)
}

func (p *parser) unary() (expr, error) {
	if p.take("-") {
		inner, err := p.unary()
		eval := inner.eval
		return expr{constant: inner.constant, tallied: inner.tallied,
			eval: func(e *env) value { return calculate("-", numberOf(0), eval(e)) }}, err
	}
	return p.primary()
}

func (p *parser) primary() (expr, error) {
	from := p.from
	switch p.kind {
	case tokenNumber:
		f, err := strconv.ParseFloat(p.text, 64)
		if err != nil {
			return expr{}, p.unexpected("a number")
		}
		return p.constant(value{kind: number, num: f}), nil
	case tokenString:
		return p.constant(textOf(p.text)), nil
	case tokenQuoted, tokenName:
		return p.reference(from)
	}
	if p.take("(") {
		inner, err := p.expression()
		if err != nil {
			return expr{}, err
		}
		if !p.take(")") {
			return expr{}, p.unexpected(")")
		}
		inner.field = false // its name is with the brackets
		return inner, nil
	}
	return expr{}, p.unexpected("a field, a value or a function")
}

func (p *parser) constant(v value) expr {
	from := p.from
	p.next()
	return p.until(expr{constant: true, eval: func(*env) value { return v }}, from)
}

// reference reads a field, true, false, or a function.
func (p *parser) reference(from int) (expr, error) {
	name, quoted := p.text, p.kind == tokenQuoted
	to := p.to
	if name == "" {
		return expr{}, p.unexpected("a field's name")
	}
	p.next()
	if !quoted && p.kind == tokenSymbol && p.text == "(" {
		return p.call(name, from, to)
	}
	known := p.phase.scope.slots
	_, isField := known[name]
	if !quoted && !isField {
		switch strings.ToLower(name) {
		case "true", "false":
			v := truth(strings.EqualFold(name, "true"))
			return p.until(expr{constant: true, eval: func(*env) value { return v }}, from), nil
		}
	}
	s := p.phase.scope
	if outer, path, ok := s.inside(name); ok {
		slot := s.slot(outer)
		path = strings.ReplaceAll(path, "`", "")
		return p.until(expr{eval: func(e *env) value { return member(e, e.get(slot), path) }}, from), nil
	}
	if s.closed && !isField {
		return expr{}, p.wrong(from, to, "Unknown symbols found in or after stats: %.128s", name)
	}
	slot := s.slot(name)
	return p.until(expr{eval: func(e *env) value { return e.get(slot) }, field: true, slot: slot}, from), nil
}

// member is what a document has at a path.
func member(e *env, v value, path string) (found value) {
	if v.kind != document {
		return value{}
	}
	var inner walker
	inner.walk(v.text, []wanted{{0, path}}, func(_ int, v value) { found = v })
	if found.kind == text && !e.makes(len(found.text)) {
		return value{}
	}
	return found
}
