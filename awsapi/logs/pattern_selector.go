package logs

import (
	"errors"
	"strconv"
	"strings"
)

// selector reads $.name.name[1]['name'][*] and returns what gives the values there.
func (p *reader) selector() (func(document any) []any, error) {
	if !p.take("$") {
		return nil, p.unexpected("a property such as $.name")
	}
	var steps []func(any) []any
	for {
		step, err := p.step()
		if errors.Is(err, errNoStep) {
			break
		}
		if err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	return func(document any) []any {
		found := []any{document}
		for _, step := range steps {
			var next []any
			for _, value := range found {
				next = append(next, step(value)...)
			}
			found = next
		}
		return found
	}, nil
}

var errNoStep = errors.New("the selector ends")

func (p *reader) step() (func(any) []any, error) {
	text := strings.TrimPrefix(p.rest, ".") // no space may stand inside a selector
	dotted := len(text) < len(p.rest)
	if strings.HasPrefix(text, "[") {
		inside, rest, closed := strings.Cut(text[1:], "]")
		if !closed {
			return nil, p.unexpected("]")
		}
		p.rest = rest
		return bracketStep(strings.TrimSpace(inside))
	}
	if !dotted {
		return nil, errNoStep
	}
	end := strings.IndexFunc(text, func(r rune) bool { return !inWord(r) && !strings.ContainsRune("-@/", r) })
	if end < 0 {
		end = len(text)
	}
	if end == 0 {
		return nil, p.unexpected("a property's name")
	}
	p.rest = text[end:]
	return member(text[:end]), nil
}

// bracketStep is what stands in brackets: an index, * for all, or a name in quotes.
func bracketStep(inside string) (func(any) []any, error) {
	if len(inside) >= 2 && (inside[0] == '\'' || inside[0] == '"') && inside[len(inside)-1] == inside[0] {
		return member(inside[1 : len(inside)-1]), nil
	}
	if inside == "*" {
		return func(value any) []any {
			list, _ := value.([]any)
			return list
		}, nil
	}
	index, err := strconv.Atoi(inside)
	if err != nil || index < 0 {
		return nil, badPattern("in brackets there must be an index, * or a name in quotes")
	}
	return func(value any) []any {
		if list, ok := value.([]any); ok && index < len(list) {
			return list[index : index+1]
		}
		return nil
	}, nil
}

func member(name string) func(any) []any {
	return func(value any) []any {
		object, _ := value.(map[string]any)
		found, ok := object[name]
		if !ok {
			return nil
		}
		return []any{found}
	}
}
