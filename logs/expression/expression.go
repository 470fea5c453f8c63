// Package expression matches the regular expressions of queries and filter patterns: RE2's, in bounded time. That takes time
// in proportion to the expression and the text, which is long for a{1000} and a megabyte: so an expression has a most size,
// and a match ends with its context.
package expression

import (
	"context"
	"errors"
	"io"
	"regexp"
	"regexp/syntax"
	"unicode/utf8"
)

// MostSize is how large an expression may be, see Size.
const MostSize = 20000

const (
	// mostCopied is how large an expression may be of whose groups is told what they match, times its groups: for each
	// character up to so many places are copied.
	mostCopied = 10 * MostSize
	// quickWork is up to how many steps, an expression's size times a text's bytes, it is matched without looking whether
	// anybody still waits, and idleWork up to how many it is not even looked before.
	quickWork, idleWork = 1 << 20, 1 << 14
	// lookEvery is after how many steps it is looked otherwise.
	lookEvery = 1 << 18
)

// ErrSize says that an expression is too large.
var ErrSize = errors.New("the regular expression is too large")

// Expression is a regular expression.
type Expression struct {
	compiled *regexp.Regexp
	size     int
}

// Compile reads an expression, of up to most in size. The error is ErrSize or regexp/syntax's.
func Compile(source string, most int) (*Expression, error) {
	parsed, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return nil, err
	}
	size := sizeOf(parsed)
	if size > most {
		return nil, ErrSize
	}
	compiled, err := regexp.Compile(source)
	if err != nil {
		return nil, err
	}
	return &Expression{compiled: compiled, size: size}, nil
}

// sizeOf is about how many instructions an expression is compiled to, and not less. They are not made for that: it may be
// millions.
func sizeOf(e *syntax.Regexp) int {
	size := 2
	switch e.Op {
	case syntax.OpLiteral:
		return len(e.Rune) + 1
	case syntax.OpAlternate:
		size = len(e.Sub)
	case syntax.OpConcat:
		size = 0
	case syntax.OpCapture, syntax.OpPlus, syntax.OpQuest, syntax.OpStar: // of two instructions at most
	default:
		size = 1
	}
	for _, part := range e.Sub {
		size += sizeOf(part)
	}
	if e.Op == syntax.OpRepeat {
		size *= max(e.Min, e.Max, 1)
	}
	return size
}

// Size is about how many instructions the expression has.
func (e *Expression) Size() int { return e.size }

// Part is a text that everything has which the expression matches; it may be empty.
func (e *Expression) Part() string {
	prefix, _ := e.compiled.LiteralPrefix()
	return prefix
}

// Groups are the names of the expression's groups, the whole being the first; empty of those that have none.
func (e *Expression) Groups() []string { return e.compiled.SubexpNames() }

// Findable says whether the expression is small enough for Find.
func (e *Expression) Findable() bool { return e.size*e.compiled.NumSubexp() <= mostCopied }

// Match says whether a text has a match. It ends with ctx, and says no then.
func (e *Expression) Match(ctx context.Context, text string) bool {
	switch steps := e.size * len(text); {
	case steps > idleWork && ctx.Err() != nil:
		return false
	case steps <= quickWork:
		return e.compiled.MatchString(text)
	}
	return e.compiled.MatchReader(e.reader(ctx, text, e.size)) && ctx.Err() == nil
}

// Find is what the groups match in the text's first match, nil where there is none. It ends with ctx, and finds nothing then.
func (e *Expression) Find(ctx context.Context, text string) []string {
	size := e.size * (1 + e.compiled.NumSubexp())
	switch steps := size * len(text); {
	case steps > idleWork && ctx.Err() != nil:
		return nil
	case steps <= quickWork:
		return e.compiled.FindStringSubmatch(text)
	}
	places := e.compiled.FindReaderSubmatchIndex(e.reader(ctx, text, size))
	if places == nil || ctx.Err() != nil {
		return nil
	}
	found := make([]string, len(places)/2)
	for i := range found {
		if from, to := places[2*i], places[2*i+1]; from >= 0 {
			found[i] = text[from:to]
		}
	}
	return found
}

func (e *Expression) reader(ctx context.Context, text string, steps int) io.RuneReader {
	return &interruptible{ctx: ctx, text: text, every: max(1, lookEvery/steps)}
}

// interruptible reads a text until ctx ends.
type interruptible struct {
	ctx   context.Context
	text  string
	every int // runes are read before it is looked again
	read  int
}

func (i *interruptible) ReadRune() (rune, int, error) {
	if i.read++; i.read%i.every == 0 && i.ctx.Err() != nil || i.text == "" {
		return 0, 0, io.EOF
	}
	r, size := utf8.DecodeRuneInString(i.text)
	i.text = i.text[size:]
	return r, size, nil
}
