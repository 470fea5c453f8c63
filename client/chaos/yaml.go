package chaos

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// document reads the nodes of a YAML file and keeps what is wrong with them, with its place.
type document struct {
	file   string
	faults []fault
}

// fault is something that is wrong with a file. Line and column count from 1; 0: it is of no place.
type fault struct {
	line, column int
	text         string
}

// wrong notes a sentence about a node.
func (d *document) wrong(n *yaml.Node, format string, args ...any) {
	d.faults = append(d.faults, fault{n.Line, n.Column, fmt.Sprintf("%s:%d:%d: %s", d.file, n.Line, n.Column, fmt.Sprintf(format, args...))})
}

// err is all that is wrong, in the order of the file.
func (d *document) err() error {
	slices.SortStableFunc(d.faults, func(a, b fault) int { return cmp.Or(a.line-b.line, a.column-b.column, strings.Compare(a.text, b.text)) })
	errs := make([]error, len(d.faults))
	for i, f := range d.faults {
		errs[i] = errors.New(f.text)
	}
	return errors.Join(errs...)
}

// field is one key of a mapping.
type field struct {
	key, value *yaml.Node
}

// fields are those of a mapping, by their keys. Keys that are not known are wrong, and so is one that is there twice.
func (d *document) fields(n *yaml.Node, what string, known ...string) map[string]field {
	if n.Kind != yaml.MappingNode {
		d.wrong(n, "%s is a mapping: write its keys, such as %s:", what, known[0])
		return nil
	}
	found := map[string]field{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch _, twice := found[key.Value]; {
		case twice:
			d.wrong(key, "%s is there twice", key.Value)
		case !slices.Contains(known, key.Value):
			d.wrong(key, "%s has no key %q: use %s", what, key.Value, strings.Join(known, ", "))
		default:
			found[key.Value] = field{key, value}
		}
	}
	return found
}

// items are those of a list.
func (d *document) items(f field, what string) []*yaml.Node {
	if f.value == nil {
		return nil
	}
	if f.value.Kind != yaml.SequenceNode {
		d.wrong(f.value, "%s is a list: begin each line with a dash", what)
		return nil
	}
	return f.value.Content
}

func (d *document) text(f field) string {
	if f.value == nil {
		return ""
	}
	if f.value.Kind != yaml.ScalarNode {
		d.wrong(f.value, "%s is a text", f.key.Value)
		return ""
	}
	return strings.TrimSpace(f.value.Value)
}

func (d *document) texts(f field) (all []string) {
	for _, n := range d.items(f, keyOf(f)) {
		if n.Kind != yaml.ScalarNode {
			d.wrong(n, "%s is a list of texts", f.key.Value)
			continue
		}
		all = append(all, n.Value)
	}
	return all
}

func keyOf(f field) string {
	if f.key == nil {
		return ""
	}
	return f.key.Value
}

// read reads a scalar; what is not there is nil.
func read[T any](d *document, f field, parse func(string) (T, error), form string) *T {
	if f.value == nil {
		return nil
	}
	value, err := parse(d.text(f))
	if err != nil {
		d.wrong(f.value, "%s %q is not understood: write %s", f.key.Value, f.value.Value, form)
		return nil
	}
	return &value
}

// or is the value behind a pointer, or another one.
func or[T any](p *T, other T) T {
	if p == nil {
		return other
	}
	return *p
}

func (d *document) duration(f field) *time.Duration {
	return read(d, f, parseDuration, "a time, such as 250ms, 30s or 5m")
}

// some is a time of more than nothing, which 0 stands for where it is not there.
func (d *document) some(f field) time.Duration {
	t := d.duration(f)
	if t != nil && *t == 0 {
		d.wrong(f.value, "%s is more than 0s: write a time, such as 30s, or leave it out", f.key.Value)
	}
	return or(t, 0)
}

func parseDuration(text string) (time.Duration, error) {
	t, err := time.ParseDuration(text)
	if err == nil && t < 0 {
		err = errors.New("it is negative")
	}
	return t, err
}

func (d *document) number(f field) *int {
	return read(d, f, func(text string) (int, error) {
		n, err := strconv.ParseUint(text, 10, 31)
		return int(n), err
	}, "a number, 0 or more")
}

func (d *document) percent(f field) *float64 {
	return read(d, f, parsePercent, "a share in percent, such as 99.5%")
}

func parsePercent(text string) (float64, error) {
	p, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(text, "%")), 64)
	if err == nil && !(p >= 0 && p <= 100) {
		err = errors.New("it is not between 0 and 100")
	}
	return p, err
}

func (d *document) truth(f field) bool {
	return or(read(d, f, strconv.ParseBool, "true or false"), false)
}

// root is the only document of a file.
func (d *document) root(text []byte) *yaml.Node {
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	var n, second yaml.Node
	if err := decoder.Decode(&n); err != nil {
		what := strings.TrimPrefix(err.Error(), "yaml: ") // line 3: ...
		if errors.Is(err, io.EOF) {
			what = "the file is empty"
		}
		d.faults = append(d.faults, fault{text: fmt.Sprintf("%s: %s", d.file, what)})
		return nil
	}
	if decoder.Decode(&second) == nil {
		d.wrong(&second, "a file has one experiment: take the rest into another file")
	}
	if d.refuseAliases(&n); len(d.faults) > 0 {
		return nil
	}
	return n.Content[0]
}

// refuseAliases says where an alias stands: one can be within what it stands for.
func (d *document) refuseAliases(n *yaml.Node) {
	if n.Kind == yaml.AliasNode {
		d.wrong(n, "an experiment has no aliases: write out what *%s stands for", n.Value)
	}
	for _, child := range n.Content {
		d.refuseAliases(child)
	}
}

// expand puts words where ${name} stands, in every scalar below a node.
func (d *document) expand(n *yaml.Node, with map[string]string) {
	if n.Kind == yaml.ScalarNode {
		n.Value = d.expanded(n, with)
	}
	for _, child := range n.Content {
		d.expand(child, with)
	}
}

func (d *document) expanded(n *yaml.Node, with map[string]string) string {
	text, rest := "", n.Value
	for {
		before, after, found := strings.Cut(rest, "${")
		name, behind, ended := strings.Cut(after, "}")
		if !found || !ended {
			return text + rest
		}
		word, known := with[name]
		if !known {
			d.wrong(n, "nothing says what ${%s} is: write with: {%s: ...}", name, name)
		}
		text += before + word
		rest = behind
	}
}
