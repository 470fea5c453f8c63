package podcmd

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"strconv"
	"strings"
	"time"
)

// errTooLong ends what would never end by itself, or not soon enough.
var errTooLong = errors.New("the command does more than is simulated")

const (
	mostSteps    = 50_000 // simple commands of one run
	mostVariable = 64 << 10
)

// Skipper is a Host whose time may be skipped, as it is told what would have been.
type Skipper interface {
	// Skip is how many more turns of an endless loop, each of which takes that long, need not be done. Their time passes.
	Skip(turn time.Duration) int
}

type shell struct {
	host    Host
	vars    map[string]string
	errexit bool
	status  int // $?
	steps   int
	capture *strings.Builder // what $( ) and a pipeline collect, instead of the host
	piped   io.Reader        // what the command before in a pipeline has written; nil: the host's input is read
	errors  destination      // of the present command's standard error
}

func (s *shell) list(l list) (code int, err error) {
	for _, c := range l {
		if code, err = s.chain(c); err != nil {
			return code, err
		}
	}
	return code, nil
}

func (s *shell) chain(c chain) (code int, err error) {
	last := 0
	for i, link := range c {
		if link.join == "&&" && code != 0 || link.join == "||" && code == 0 {
			continue
		}
		if code, err = s.node(link.node); err != nil {
			return code, err
		}
		if link.not {
			code = map[bool]int{true: 1}[code == 0]
		}
		s.status, last = code, i
	}
	if s.errexit && code != 0 && last == len(c)-1 && !c[last].not {
		return code, exitError(code)
	}
	return code, nil
}

func (s *shell) node(n node) (code int, err error) {
	switch n := n.(type) {
	case *group:
		return s.list(n.body)
	case *pipeline:
		return s.pipeline(n)
	case *loop:
		if n.variable == "" {
			return 0, s.forever(n.body)
		}
		for _, w := range n.in {
			fields, err := s.fields(w)
			if err != nil {
				return 1, err
			}
			for _, field := range fields {
				s.vars[n.variable] = field
				if code, err = s.list(n.body); err != nil {
					return code, err
				}
			}
		}
		return code, nil
	}
	return s.simple(n.(*simple))
}

// forever does a loop's body until something ends it. Turns that differ in nothing but numbers that grow evenly are
// skipped as far as the host lets them.
func (s *shell) forever(body list) error {
	skipper, _ := s.host.(Skipper)
	var before, growth map[string]string
	for {
		start := s.host.Now()
		if s.steps++; s.steps > mostSteps {
			return errTooLong
		}
		if _, err := s.list(body); err != nil {
			return err
		}
		if skipper == nil {
			continue
		}
		now := differences(before, s.vars)
		if turn := s.host.Now().Sub(start); turn > 0 && now != nil && maps.Equal(now, growth) {
			n := skipper.Skip(turn)
			for name, by := range now {
				value, _ := strconv.ParseInt(s.vars[name], 10, 64)
				each, _ := strconv.ParseInt(by, 10, 64)
				s.vars[name] = strconv.FormatInt(value+int64(n)*each, 10)
			}
		}
		before, growth = maps.Clone(s.vars), now
	}
}

// differences of variables, as the number by which each has grown; nil where they differ in anything else.
func differences(before, now map[string]string) map[string]string {
	if len(before) != len(now) {
		return nil
	}
	growth := map[string]string{}
	for name, value := range now {
		old := before[name]
		if old == value {
			continue
		}
		a, errA := strconv.ParseInt(old, 10, 64)
		b, errB := strconv.ParseInt(value, 10, 64)
		if errA != nil || errB != nil {
			return nil
		}
		growth[name] = strconv.FormatInt(b-a, 10)
	}
	return growth
}

// commandName is what a command is known by: "/bin/echo" is echo.
func commandName(text string) string {
	if text == "[" || text == ":" {
		return text
	}
	return path.Base(text)
}

func (s *shell) simple(c *simple) (int, error) {
	if s.steps++; s.steps > mostSteps {
		return 1, errTooLong
	}
	for _, a := range c.assign {
		value, err := s.expand(a.value)
		if err != nil {
			return 1, err
		}
		s.vars[a.name] = value
	}
	var argv []string
	for _, w := range c.words {
		fields, err := s.fields(w)
		if err != nil {
			return 1, err
		}
		argv = append(argv, fields...)
	}
	if len(argv) == 0 {
		return 0, nil
	}
	name := commandName(argv[0])
	if name == "exec" {
		argv = argv[1:]
		name = commandName(argv[0])
		code, err := s.call(c, name, argv)
		if err == nil {
			err = exitError(code)
		}
		return code, err
	}
	return s.call(c, name, argv)
}

func (s *shell) call(c *simple, name string, argv []string) (int, error) {
	run := commands[name]
	if run == nil {
		return 127, unreadable("%s is not known", name)
	}
	if !c.stderr {
		s.errors = c.errors
		defer func() { s.errors = errorsShow }()
	}
	return run(s, streams{c.stderr, c.silent}, argv)
}

// pipeline does one command after the other: none of them begins before the one before it has ended.
func (s *shell) pipeline(p *pipeline) (code int, err error) {
	in := s.piped
	for i, stage := range p.stages {
		inner := s.inner()
		inner.piped = in
		if i == len(p.stages)-1 {
			inner.capture = s.capture
		}
		code, err = inner.node(stage)
		s.steps = inner.steps
		var exit exitError
		if errors.As(err, &exit) {
			code = int(exit)
		} else if err != nil {
			return code, err
		}
		if i < len(p.stages)-1 {
			in = strings.NewReader(inner.capture.String())
		}
	}
	return code, nil
}

// inner is a shell within this one, whose output is collected.
func (s *shell) inner() *shell {
	return &shell{host: s.host, vars: maps.Clone(s.vars), steps: s.steps, capture: new(strings.Builder), piped: s.piped,
		errexit: s.errexit}
}

// input is what the present command reads; nil is empty.
func (s *shell) input() io.Reader {
	if s.piped != nil {
		return s.piped
	}
	return s.host.Input()
}

// streams is where a command's output goes.
type streams struct{ stderr, silent bool }

func (s *shell) print(to streams, text string) error {
	if to.stderr && s.errors == errorsOutput {
		to.stderr = false
	}
	switch {
	case to.silent || text == "" || to.stderr && s.errors == errorsNone:
		return nil
	case s.capture != nil && !to.stderr:
		if s.capture.Len()+len(text) > mostVariable {
			return errTooLong
		}
		s.capture.WriteString(text)
		return nil
	}
	return s.host.Output(text, to.stderr)
}

// complain says a sentence on standard error and fails.
func (s *shell) complain(code int, format string, args ...any) (int, error) {
	return code, s.print(streams{stderr: true}, fmt.Sprintf(format, args...)+"\n")
}

// fields expands a word, and splits what was not quoted at blanks.
func (s *shell) fields(w word) ([]string, error) {
	var fields []string
	current, open := "", false
	for _, p := range w {
		text, err := s.expandPart(p)
		if err != nil {
			return nil, err
		}
		if p.quoted || p.kind == "" {
			current, open = current+text, true
			continue
		}
		split := strings.Fields(text)
		for i, field := range split {
			if i > 0 || open && strings.TrimLeft(text, " \t\n") != text {
				if open {
					fields = append(fields, current)
				}
				current = ""
			}
			current, open = current+field, true
		}
		if open && len(split) > 0 && strings.TrimRight(text, " \t\n") != text {
			fields, current, open = append(fields, current), "", false
		}
	}
	if open {
		fields = append(fields, current)
	}
	return fields, nil
}

// expand expands a word that is not split.
func (s *shell) expand(w word) (string, error) {
	var b strings.Builder
	for _, p := range w {
		text, err := s.expandPart(p)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	if b.Len() > mostVariable {
		return "", errTooLong
	}
	return b.String(), nil
}

func (s *shell) expandPart(p part) (string, error) {
	switch p.kind {
	case "var":
		if p.text == "?" {
			return strconv.Itoa(s.status), nil
		}
		return s.vars[p.text], nil
	case "arith":
		value, err := s.arithmetic(p.text)
		return strconv.FormatInt(value, 10), err
	case "cmd":
		inner := s.inner()
		inner.errexit = false
		_, err := inner.list(p.list)
		s.steps = inner.steps
		var exit exitError
		if err != nil && !errors.As(err, &exit) {
			return "", err
		}
		return strings.TrimRight(inner.capture.String(), "\n"), nil
	}
	return p.text, nil
}

// arithmetic knows sums, differences and products of numbers and variables, from the left to the right.
func (s *shell) arithmetic(text string) (int64, error) {
	spaced := strings.NewReplacer("+", " + ", "-", " - ", "*", " * ").Replace(text)
	total, op := int64(0), "+"
	for _, field := range strings.Fields(spaced) {
		if strings.Contains("+-*", field) {
			op = field
			continue
		}
		name := strings.TrimPrefix(field, "$")
		if isName(name) {
			if field = s.vars[name]; field == "" {
				field = "0"
			}
		}
		value, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, unreadable("$((%s)) is not known", text)
		}
		switch op {
		case "+":
			total += value
		case "-":
			total -= value
		case "*":
			total *= value
		default:
			return 0, unreadable("$((%s)) is not known", text)
		}
		op = ""
	}
	return total, nil
}
