package podcmd

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// list is commands one after the other; chain those joined by && and ||.
type (
	list  []chain
	chain []link
	link  struct {
		join string // "&&", "||" or "" for the first
		not  bool   // "!" stands before it
		node node
	}
)

// node is a *simple, *loop, *group or *pipeline.
type node interface{}

type (
	simple struct {
		assign []assignment
		words  []word
		stderr bool        // goes to standard error
		silent bool        // goes to /dev/null
		errors destination // what it says on standard error
	}
	// pipeline is commands of which each reads what the one before it has written.
	pipeline   struct{ stages []node }
	assignment struct {
		name  string
		value word
	}
	loop struct {
		variable string // of for; "" is while true
		in       []word
		body     list
	}
	group struct{ body list }
)

// destination is where standard error goes.
type destination int

const (
	errorsShow   destination = iota
	errorsOutput             // to standard output
	errorsNone               // to /dev/null
)

// word is parts that stand together.
type word []part

// part is text, or with a kind something to expand: a "var", a "cmd" list or an "arith" expression.
type part struct {
	kind   string
	text   string
	list   list
	quoted bool // is not split
}

// token is an operator, or a word.
type token struct {
	op   string
	word word
	raw  string // of a word without quotes and expansions: keywords
}

const mostNested = 8

type parser struct {
	tokens []token
	depth  int
}

func unreadable(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnreadable, fmt.Sprintf(format, args...))
}

func parseScript(script string) (list, error) { return parseNested(script, 0) }

func parseNested(script string, depth int) (list, error) {
	if depth > mostNested {
		return nil, unreadable("it is nested too deeply")
	}
	tokens, err := (&lexer{rest: strings.ReplaceAll(script, "\\\n", " "), depth: depth}).all()
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens, depth: depth}
	parsed, err := p.list()
	if err != nil {
		return nil, err
	}
	if len(p.tokens) > 0 {
		return nil, unreadable("%q is out of place", p.peek())
	}
	return parsed, nil
}

// peek is the next operator or keyword, or "" before another word and at the end.
func (p *parser) peek() string {
	if len(p.tokens) == 0 {
		return ""
	}
	if p.tokens[0].op != "" {
		return p.tokens[0].op
	}
	if slices.Contains([]string{"do", "done", "while", "until", "for", "{", "}", "if", "case", "then", "function"},
		p.tokens[0].raw) {
		return p.tokens[0].raw
	}
	return ""
}

func (p *parser) next() token {
	first := p.tokens[0]
	p.tokens = p.tokens[1:]
	return first
}

func (p *parser) take(want string) bool {
	if len(p.tokens) > 0 && (p.tokens[0].op == want || p.tokens[0].raw == want && want != "") {
		p.next()
		return true
	}
	return false
}

// list reads up to what ends it: "done", "}", ")" or the end.
func (p *parser) list() (list, error) {
	if p.depth++; p.depth > mostNested {
		return nil, unreadable("it is nested too deeply")
	}
	defer func() { p.depth-- }()
	var all list
	for {
		for p.take(";") {
		}
		if len(p.tokens) == 0 || slices.Contains([]string{"done", "}", ")"}, p.peek()) {
			return all, nil
		}
		c, err := p.chain()
		if err != nil {
			return nil, err
		}
		all = append(all, c)
		if len(p.tokens) > 0 && !slices.Contains([]string{";", "done", "}", ")"}, p.peek()) {
			return nil, unreadable("%q is not known here", p.tokens[0].op+p.tokens[0].raw)
		}
	}
}

func (p *parser) chain() (chain, error) {
	var c chain
	join := ""
	for {
		not := p.take("!")
		n, err := p.pipeline()
		if err != nil {
			return nil, err
		}
		c = append(c, link{join, not, n})
		switch {
		case p.take("&&"):
			join = "&&"
		case p.take("||"):
			join = "||"
		default:
			return c, nil
		}
		for p.take(";") { // a line's end after && or ||
		}
	}
}

func (p *parser) pipeline() (node, error) {
	first, err := p.command()
	if err != nil || !p.take("|") {
		return first, err
	}
	all := &pipeline{[]node{first}}
	for {
		for p.take(";") { // a line's end after |
		}
		next, err := p.command()
		if err != nil {
			return nil, err
		}
		if all.stages = append(all.stages, next); !p.take("|") {
			return all, nil
		}
	}
}

func (p *parser) command() (node, error) {
	switch word := p.peek(); word {
	case "while", "until":
		p.next()
		condition := map[string][]string{"while": {"true", ":", "1"}, "until": {"false"}}[word]
		if len(p.tokens) == 0 || !slices.Contains(condition, p.tokens[0].raw) {
			return nil, unreadable("%s has a condition", word)
		}
		p.next()
		body, err := p.body()
		return &loop{body: body}, err
	case "for":
		p.next()
		return p.forLoop()
	case "{", "(":
		p.next()
		body, err := p.list()
		if err == nil && !p.take(map[string]string{"{": "}", "(": ")"}[word]) {
			err = unreadable("%q is not closed", word)
		}
		return &group{body}, err
	case "":
		return p.simple()
	default:
		return nil, unreadable("%q is not known here", word)
	}
}

func (p *parser) forLoop() (node, error) {
	if len(p.tokens) < 2 || !isName(p.tokens[0].raw) || p.tokens[1].raw != "in" {
		return nil, unreadable("for without a list")
	}
	l := &loop{variable: p.next().raw}
	p.next()
	for len(p.tokens) > 0 && p.tokens[0].op == "" {
		l.in = append(l.in, p.next().word)
	}
	var err error
	l.body, err = p.body()
	return l, err
}

// body is "; do ...; done".
func (p *parser) body() (list, error) {
	for p.take(";") {
	}
	if !p.take("do") {
		return nil, unreadable("a loop without do")
	}
	body, err := p.list()
	if err == nil && !p.take("done") {
		err = unreadable("a loop without done")
	}
	return body, err
}

var assigns = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)=`)

func isName(s string) bool { return assigns.MatchString(s + "=") }

func (p *parser) simple() (node, error) {
	s := &simple{}
	for len(p.tokens) > 0 {
		t := p.tokens[0]
		if target, ok := strings.CutPrefix(t.op, ">"); ok {
			p.next()
			switch target {
			case "&2", "/dev/stderr":
				s.stderr = true
			case "/dev/null":
				s.silent = true
			case "2&1":
				s.errors = errorsOutput
			case "2none":
				s.errors = errorsNone
			case "all":
				s.silent, s.errors = true, errorsNone
			case "none":
			default:
				return nil, unreadable("it writes into a file")
			}
			continue
		}
		if t.op != "" {
			break
		}
		p.next()
		if len(s.words) == 0 && len(t.word) > 0 && t.word[0].kind == "" && !t.word[0].quoted {
			if m := assigns.FindStringSubmatch(t.word[0].text); m != nil {
				value := slices.Clone(t.word)
				value[0].text = strings.TrimPrefix(value[0].text, m[0])
				s.assign = append(s.assign, assignment{m[1], value})
				continue
			}
		}
		s.words = append(s.words, t.word)
	}
	if len(s.words) == 0 && len(s.assign) == 0 {
		return nil, unreadable("a command is missing")
	}
	if s.silent && s.errors == errorsOutput {
		s.errors = errorsNone
	}
	return s, s.check()
}

// check says whether the command's name is known.
func (s *simple) check() error {
	if len(s.words) == 0 {
		return nil
	}
	name := s.words[0]
	if len(name) != 1 || name[0].kind != "" {
		return unreadable("the command's name is not plain")
	}
	base := commandName(name[0].text)
	if base == "exec" {
		return (&simple{words: s.words[1:]}).check()
	}
	if _, known := commands[base]; !known {
		return unreadable("%s is not known", name[0].text)
	}
	return nil
}
