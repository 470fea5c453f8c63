package boot

import (
	"fmt"
	"strconv"
	"strings"
)

// MaxPodsOf is how many pods an expression of nodeadm's (maxPodsExpression) makes of an instance type: of interfaces on its
// default network card, addresses on each of them, and the pods that nodeadm would compute without it. Of CEL it knows
// whole numbers, + - * / %, comparisons, && || !, the conditional and parentheses, which are all that numbers have there.
// As nodeadm does, who gets an error goes on with pods.
func MaxPodsOf(expression string, interfaces, addresses, pods int) (int, error) {
	e := &evaluator{tokens: tokensOf(expression), variables: map[string]int64{
		"default_enis": int64(interfaces), "ips_per_eni": int64(addresses), "max_pods": int64(pods),
	}}
	value, err := e.conditional()
	switch {
	case err != nil:
		return 0, fmt.Errorf("failed to compile custom max pods expression: %w", err)
	case e.peek() != "":
		return 0, fmt.Errorf("failed to compile custom max pods expression: Syntax error: extraneous input %q", e.peek())
	}
	number, is := value.(int64)
	if !is || number <= 0 || number > 1<<31-1 {
		return 0, fmt.Errorf("max pods value %v from custom expression evaluation is invalid: value must be a positive integer less than "+
			"2147483647", value)
	}
	return int(number), nil
}

// maxDepth bounds how deep expressions are nested.
const maxDepth = 64

type evaluator struct {
	tokens    []string
	variables map[string]int64
	depth     int
}

// tokensOf splits an expression.
func tokensOf(text string) (tokens []string) {
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		end := len(text) - len(strings.TrimLeft(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"))
		if end == 0 {
			end = 1
			for _, two := range []string{"<=", ">=", "==", "!=", "&&", "||"} {
				if strings.HasPrefix(text, two) {
					end = 2
				}
			}
		}
		tokens, text = append(tokens, text[:end]), text[end:]
	}
	return tokens
}

func (e *evaluator) peek() string {
	if len(e.tokens) == 0 {
		return ""
	}
	return e.tokens[0]
}

func (e *evaluator) take(wanted ...string) string {
	for _, w := range wanted {
		if e.peek() == w {
			e.tokens = e.tokens[1:]
			return w
		}
	}
	return ""
}

// conditional is a ? b : c, or what binds more tightly.
func (e *evaluator) conditional() (any, error) {
	if e.depth++; e.depth > maxDepth {
		return nil, sentence("Syntax error: expression recursion limit exceeded")
	}
	defer func() { e.depth-- }()
	condition, err := e.binary(0)
	if err != nil || e.take("?") == "" {
		return condition, err
	}
	yes, err := e.conditional()
	if err != nil {
		return nil, err
	}
	if e.take(":") == "" {
		return nil, sentence("Syntax error: mismatched input, expecting ':'")
	}
	no, err := e.conditional()
	chosen, is := condition.(bool)
	switch {
	case err != nil:
		return nil, err
	case !is:
		return nil, sentence("found no matching overload for '_?_:_'")
	case chosen:
		return yes, nil
	}
	return no, nil
}

// operators by how tightly they bind, the loosest first.
var operators = [][]string{{"||"}, {"&&"}, {"<", "<=", ">", ">=", "==", "!="}, {"+", "-"}, {"*", "/", "%"}}

func (e *evaluator) binary(level int) (any, error) {
	if level == len(operators) {
		return e.unary()
	}
	left, err := e.binary(level + 1)
	for err == nil {
		operator := e.take(operators[level]...)
		if operator == "" {
			break
		}
		var right any
		if right, err = e.binary(level + 1); err == nil {
			left, err = apply(operator, left, right)
		}
	}
	return left, err
}

func apply(operator string, left, right any) (any, error) {
	a, aIs := left.(bool)
	b, bIs := right.(bool)
	if aIs && bIs {
		switch operator {
		case "||":
			return a || b, nil
		case "&&":
			return a && b, nil
		case "==":
			return a == b, nil
		case "!=":
			return a != b, nil
		}
	}
	x, xIs := left.(int64)
	y, yIs := right.(int64)
	if !xIs || !yIs {
		return nil, fmt.Errorf("found no matching overload for '_%s_'", operator)
	}
	switch operator {
	case "+":
		return x + y, nil
	case "-":
		return x - y, nil
	case "*":
		return x * y, nil
	case "/", "%":
		if y == 0 {
			return nil, sentence("division by zero")
		}
		if operator == "/" {
			return x / y, nil
		}
		return x % y, nil
	case "<":
		return x < y, nil
	case "<=":
		return x <= y, nil
	case ">":
		return x > y, nil
	case ">=":
		return x >= y, nil
	case "==":
		return x == y, nil
	case "!=":
		return x != y, nil
	}
	return nil, fmt.Errorf("found no matching overload for '_%s_'", operator)
}

func (e *evaluator) unary() (any, error) {
	switch {
	case e.take("-") != "":
		value, err := e.unary()
		if number, is := value.(int64); is || err != nil {
			return -number, err
		}
		return nil, sentence("found no matching overload for '-_'")
	case e.take("!") != "":
		value, err := e.unary()
		if truth, is := value.(bool); is || err != nil {
			return !truth, err
		}
		return nil, sentence("found no matching overload for '!_'")
	case e.take("(") != "":
		value, err := e.conditional()
		if err == nil && e.take(")") == "" {
			err = sentence("Syntax error: missing ')'")
		}
		return value, err
	}
	word := e.peek()
	if word == "" {
		return nil, sentence("Syntax error: mismatched input '<EOF>'")
	}
	e.tokens = e.tokens[1:]
	if value, known := e.variables[word]; known {
		return value, nil
	}
	if word == "true" || word == "false" {
		return word == "true", nil
	}
	number, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("undeclared reference to '%s' (in container '')", clip(word))
	}
	return number, nil
}
