package metricmath

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Expression is a metric math expression that was read.
type Expression struct {
	root node
	// Names are the ids of other queries that it names.
	Names []string
}

// node is a part of an expression: a call of a function or operator, a list, a name, a number or a text.
type node struct {
	call   string // of a function in capitals, an operator, or [ of a list; the arguments follow
	args   []node
	name   string
	number *float64
	text   *string
}

// mostDepth bounds how deep parts may stand in each other.
const mostDepth = 100

// Parse reads an expression.
func Parse(source string) (*Expression, error) {
	tokens, err := scan(source)
	if err != nil {
		return nil, err
	}
	p := parser{tokens: tokens, out: &Expression{}}
	root, err := p.binary(0, 0)
	if err != nil {
		return nil, err
	}
	if p.peek() != "" {
		return nil, fmt.Errorf("%q is not expected", p.peek())
	}
	p.out.root = root
	return p.out, nil
}

// scan cuts a source into its tokens; texts keep their first quote.
func scan(source string) (tokens []string, err error) {
	for i := 0; i < len(source); {
		c := source[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case c == '"' || c == '\'':
			end := strings.IndexByte(source[i+1:], c)
			if end < 0 {
				return nil, errors.New("a text has no end")
			}
			tokens = append(tokens, source[i:i+1+end])
			i += end + 2
		case isDigit(c) || c == '.' && i+1 < len(source) && isDigit(source[i+1]):
			end := i
			for end < len(source) && (isDigit(source[end]) || source[end] == '.' || source[end] == 'e' || source[end] == 'E' ||
				(source[end] == '-' || source[end] == '+') && (source[end-1] == 'e' || source[end-1] == 'E')) {
				end++
			}
			tokens, i = append(tokens, source[i:end]), end
		case isLetter(c):
			end := i
			for end < len(source) && (isLetter(source[end]) || isDigit(source[end])) {
				end++
			}
			tokens, i = append(tokens, source[i:end]), end
		case i+1 < len(source) && strings.Contains(" == != <= >= && || ", " "+source[i:i+2]+" "):
			tokens, i = append(tokens, source[i:i+2]), i+2
		case strings.IndexByte("+-*/^()[],<>", c) >= 0:
			tokens, i = append(tokens, source[i:i+1]), i+1
		default:
			return nil, fmt.Errorf("the character %q is not expected", c)
		}
	}
	return tokens, nil
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }

type parser struct {
	tokens []string
	out    *Expression
}

func (p *parser) peek() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

func (p *parser) next() string {
	token := p.peek()
	if token != "" {
		p.tokens = p.tokens[1:]
	}
	return token
}

func (p *parser) expect(token string) error {
	if got := p.next(); got != token {
		return fmt.Errorf("%q is expected where %q stands", token, got)
	}
	return nil
}

// precedence of the operators; those with more bind closer.
var precedence = map[string]int{"||": 1, "OR": 1, "&&": 2, "AND": 2, "==": 3, "!=": 3, "<": 4, "<=": 4, ">": 4, ">=": 4,
	"+": 5, "-": 5, "*": 6, "/": 6, "^": 8}

func (p *parser) binary(least, depth int) (node, error) {
	left, err := p.unary(depth)
	if err != nil {
		return node{}, err
	}
	for {
		op := p.peek()
		binds := precedence[op]
		if binds == 0 || binds <= least {
			return left, nil
		}
		p.next()
		right, err := p.binary(binds, depth+1)
		if err != nil {
			return node{}, err
		}
		left = node{call: op, args: []node{left, right}}
	}
}

func (p *parser) unary(depth int) (node, error) {
	if depth > mostDepth {
		return node{}, errors.New("it is nested too deep")
	}
	if p.peek() == "-" {
		p.next()
		of, err := p.binary(7, depth+1)
		zero := 0.0
		return node{call: "-", args: []node{{number: &zero}, of}}, err
	}
	return p.operand(depth)
}

func (p *parser) operand(depth int) (node, error) {
	token := p.next()
	switch {
	case token == "":
		return node{}, errors.New("it ends where more is expected")
	case token == "(":
		inside, err := p.binary(0, depth+1)
		if err != nil {
			return node{}, err
		}
		return inside, p.expect(")")
	case token == "[":
		args, err := p.list("]", depth)
		return node{call: "[", args: args}, err
	case token[0] == '"' || token[0] == '\'':
		inside := token[1:]
		return node{text: &inside}, nil
	case isDigit(token[0]) || token[0] == '.':
		number, err := strconv.ParseFloat(token, 64)
		if err != nil {
			return node{}, fmt.Errorf("%q is no number", token)
		}
		return node{number: &number}, nil
	case !isLetter(token[0]) || precedence[token] > 0:
		return node{}, fmt.Errorf("%q is not expected", token)
	case p.peek() == "(":
		p.next()
		name := strings.ToUpper(token)
		if functions[name] == nil {
			return node{}, fmt.Errorf("the function %s is not known", name)
		}
		args, err := p.list(")", depth)
		return node{call: name, args: args}, err
	}
	if token[0] >= 'a' && token[0] <= 'z' { // an id; other words are arguments, such as REPEAT
		p.out.Names = append(p.out.Names, token)
	}
	return node{name: token}, nil
}

func (p *parser) list(end string, depth int) (all []node, err error) {
	if p.peek() == end {
		p.next()
		return nil, nil
	}
	for {
		one, err := p.binary(0, depth+1)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
		if p.peek() != "," {
			return all, p.expect(end)
		}
		p.next()
	}
}
