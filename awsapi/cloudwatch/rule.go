package cloudwatch

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// rule is a composite alarm's: which other alarms have to be in which state.
type rule struct {
	root ruleNode
	// children are the names of the alarms that it is about, each once.
	children []string
}

// ruleNode is AND, OR and NOT of others, the state of an alarm, TRUE or FALSE.
type ruleNode struct {
	op   string // AND, OR, NOT, a state, TRUE or FALSE
	args []ruleNode
	name string
}

// The bounds of a rule: PutCompositeAlarm's reference.
const mostChildren, mostRuleDepth = 100, 100

// parseRule reads a rule such as ALARM("a") AND NOT OK(b). Words of the language may be written in any case.
func parseRule(source string) (*rule, error) {
	p := ruleParser{out: &rule{}}
	var err error
	if p.tokens, err = scanRule(source); err != nil {
		return nil, err
	}
	root, err := p.any(0)
	if err != nil {
		return nil, err
	}
	if len(p.tokens) > 0 {
		return nil, fmt.Errorf("%s is not expected", p.tokens[0])
	}
	if len(p.out.children) > mostChildren {
		return nil, fmt.Errorf("it names more than %d alarms", mostChildren)
	}
	p.out.root = root
	return p.out, nil
}

// scanRule cuts a rule into its words, names with a quote before them, and brackets.
func scanRule(source string) (tokens []string, err error) {
	for i := 0; i < len(source); {
		switch c := source[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case c == '(' || c == ')':
			tokens, i = append(tokens, source[i:i+1]), i+1
		case c == '"':
			var name strings.Builder
			end := i + 1
			for ; end < len(source) && source[end] != '"'; end++ {
				if source[end] == '\\' && end+1 < len(source) {
					end++
				}
				name.WriteByte(source[end])
			}
			if end >= len(source) {
				return nil, errors.New("a name has no end")
			}
			tokens, i = append(tokens, `"`+name.String()), end+1
		default:
			end := i
			for end < len(source) && !strings.ContainsRune(" \t\n\r()\"", rune(source[end])) {
				end++
			}
			tokens, i = append(tokens, source[i:end]), end
		}
	}
	return tokens, nil
}

type ruleParser struct {
	tokens []string
	out    *rule
}

// word is the next token in capitals.
func (p *ruleParser) word() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return strings.ToUpper(p.tokens[0])
}

func (p *ruleParser) any(depth int) (ruleNode, error) { return p.chain("OR", p.all, depth) }

func (p *ruleParser) all(depth int) (ruleNode, error) { return p.chain("AND", p.one, depth) }

// chain is one or more operands with the same operator between them.
func (p *ruleParser) chain(op string, operand func(int) (ruleNode, error), depth int) (ruleNode, error) {
	first, err := operand(depth)
	if err != nil || p.word() != op {
		return first, err
	}
	node := ruleNode{op: op, args: []ruleNode{first}}
	for p.word() == op {
		p.tokens = p.tokens[1:]
		next, err := operand(depth)
		if err != nil {
			return node, err
		}
		node.args = append(node.args, next)
	}
	return node, nil
}

func (p *ruleParser) one(depth int) (ruleNode, error) {
	if depth > mostRuleDepth {
		return ruleNode{}, errors.New("it is nested too deep")
	}
	word := p.word()
	if word == "" {
		return ruleNode{}, errors.New("it ends where more is expected")
	}
	p.tokens = p.tokens[1:]
	switch word {
	case "NOT":
		of, err := p.one(depth + 1)
		return ruleNode{op: "NOT", args: []ruleNode{of}}, err
	case "TRUE", "FALSE":
		return ruleNode{op: word}, nil
	case "(":
		inside, err := p.any(depth + 1)
		if err != nil {
			return inside, err
		}
		return inside, p.expect(")")
	case OK, Alarming, InsufficientData:
		if err := p.expect("("); err != nil {
			return ruleNode{}, err
		}
		if len(p.tokens) == 0 || p.tokens[0] == "(" || p.tokens[0] == ")" {
			return ruleNode{}, errors.New("an alarm's name is expected")
		}
		name := strings.TrimPrefix(p.tokens[0], `"`)
		p.tokens = p.tokens[1:]
		name = nameOf(name)
		if !slices.Contains(p.out.children, name) {
			p.out.children = append(p.out.children, name)
		}
		return ruleNode{op: word, name: name}, p.expect(")")
	}
	return ruleNode{}, fmt.Errorf("%s is not expected", word)
}

func (p *ruleParser) expect(token string) error {
	if p.word() != token {
		return fmt.Errorf("%s is expected", token)
	}
	p.tokens = p.tokens[1:]
	return nil
}

// nameOf is an alarm's name, of its name or its ARN.
func nameOf(nameOrARN string) string {
	if strings.HasPrefix(nameOrARN, "arn:") {
		_, name, _ := strings.Cut(nameOrARN, ":alarm:")
		return name
	}
	return nameOrARN
}

// holds says whether the rule is met; state tells an alarm's, or nothing of one that is gone.
func (n ruleNode) holds(state func(name string) string) bool {
	switch n.op {
	case "TRUE":
		return true
	case "NOT":
		return !n.args[0].holds(state)
	case "AND":
		return !slices.ContainsFunc(n.args, func(arg ruleNode) bool { return !arg.holds(state) })
	case "OR":
		return slices.ContainsFunc(n.args, func(arg ruleNode) bool { return arg.holds(state) })
	case "FALSE":
		return false
	}
	return state(n.name) == n.op
}
