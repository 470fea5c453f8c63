package insights

import (
	"strings"

	"tripod/logs/expression"
)

// parse reads parse [FIELD] "GLOB" as NAMES and parse [FIELD] /EXPRESSION/ [as NAMES]. What does not match has no such
// fields then.
func (p *parser) parse() error {
	of := expr{}
	if p.kind == tokenString || p.kind == tokenSymbol && p.text == "/" {
		slot := p.phase.scope.slot("@message")
		of.eval = func(e *env) value { return e.get(slot) }
	} else {
		var err error
		from := p.from
		if p.kind != tokenName && p.kind != tokenQuoted {
			return p.unexpected("a field, a text in quotes or a regular expression between slashes")
		}
		if of, err = p.reference(from); err != nil {
			return err
		}
	}
	from := p.from
	var extract func(e *env, s string) []string // nil: it does not match
	var names []string
	switch {
	case p.kind == tokenSymbol && p.text == "/":
		pattern, err := p.pattern()
		if err != nil {
			return err
		}
		if !pattern.Findable() {
			return p.wrong(from, p.ended, "the regular expression is too large for so many groups, each of which is found: "+
				"(?:...) is a group that is not")
		}
		extract, names = groupsOf(pattern)
	case p.kind == tokenString:
		parts := strings.Split(p.text, "*")
		p.next()
		names = make([]string, len(parts)-1)
		extract = func(_ *env, s string) []string { return glob(parts, s) }
	default:
		return p.unexpected("a text in quotes or a regular expression between slashes")
	}
	return p.parsed(of, names, extract, from)
}

// parsed reads the names of what is found and makes it fields.
func (p *parser) parsed(of expr, names []string, extract func(*env, string) []string, from int) error {
	if p.takeWord("as") {
		var given []string
		if err := p.list(func() error {
			name, err := p.name()
			given = append(given, name)
			return err
		}); err != nil {
			return err
		}
		if len(given) != len(names) {
			return p.wrong(from, p.ended, "parse finds %d fields, and %d names are given", len(names), len(given))
		}
		names = given
	}
	slots := make([]int, len(names))
	for i, name := range names {
		if name == "" {
			return p.wrong(from, p.ended, "parse finds fields that have no names: as is expected, or groups such as (?<name>...)")
		}
		slots[i] = p.phase.scope.define(name)
		p.phase.scope.show(slots[i])
	}
	if len(names) == 0 {
		return p.wrong(from, p.ended, "parse finds no fields: * or a group is expected in its pattern")
	}
	p.phase.steps = append(p.phase.steps, func(e *env) bool {
		var found []string
		if v := of.eval(e); v.kind != missing {
			found = extract(e, v.String())
		}
		for i, slot := range slots {
			if found == nil {
				e.set(slot, value{})
			} else {
				e.set(slot, textOf(found[i]))
			}
		}
		return true
	})
	return nil
}

// groupsOf is what an expression finds, and the names of its groups: all of them where none has a name.
func groupsOf(pattern *expression.Expression) (extract func(*env, string) []string, names []string) {
	var indices []int
	named := strings.Join(pattern.Groups(), "") != ""
	for i, name := range pattern.Groups() {
		if i > 0 && (name != "" || !named) {
			indices, names = append(indices, i), append(names, name)
		}
	}
	return func(e *env, s string) []string {
		groups := pattern.Find(e.ctx, s)
		if groups == nil {
			return nil
		}
		found := make([]string, len(indices))
		for i, index := range indices {
			found[i] = groups[index]
		}
		return found
	}, names
}

// glob is what stands for the stars between the parts of a pattern, the first place where it matches: as little as possible
// for each, and all that is left for one at the end.
func glob(parts []string, s string) []string {
	_, rest, ok := strings.Cut(s, parts[0])
	if !ok {
		return nil
	}
	found := make([]string, 0, len(parts)-1)
	for i, part := range parts[1:] {
		if part == "" && i == len(parts)-2 {
			return append(found, rest)
		}
		var between string
		if between, rest, ok = strings.Cut(rest, part); !ok {
			return nil
		}
		found = append(found, between)
	}
	return found
}
