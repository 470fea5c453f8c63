package fluentbit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Record is what filters work on.
type Record struct {
	At     time.Time
	Tag    string
	Fields map[string]any
	// Kubernetes is what the Kubernetes filter adds.
	Kubernetes func() map[string]any
	// Ended is an error when nobody wants the record any more; nil: it is wanted to the end.
	Ended func() error
}

func (r *Record) ended() bool { return r.Ended != nil && r.Ended() != nil }

// What filters may make of a record: fields and elements at all levels, and bytes of text beside what it came with. A filter that would
// make more of it leaves it as it was. What several fields share counts for each of them, as it is written for each.
const (
	mostFields = 1000
	mostText   = 256 << 10
)

// filter does its work on a record; false: it drops it.
type filter struct {
	matches func(tag string) bool
	do      func(*Record) bool
}

// Filters are applied in their order.
type Filters []filter

// Apply does all that filters say; false: the record is dropped. When it has Ended, some of them may not have been applied.
func (f Filters) Apply(r *Record) bool {
	most := mostText + sizeOf(r.Fields).text
	for _, one := range f {
		if r.ended() {
			return false
		}
		if !one.matches(r.Tag) {
			continue
		}
		before := *r
		before.Fields = maps.Clone(r.Fields) // no filter changes what is below
		if !one.do(r) {
			return false
		}
		if !sizeOf(r.Fields).within(most) {
			*r = before
		}
	}
	return true
}

// size is what a record's fields hold.
type size struct{ values, text int }

func (s size) within(most int) bool { return s.values <= mostFields && s.text <= most }

// sizeOf counts no further than mostFields: what it is of then is not within any size.
func sizeOf(fields map[string]any) (s size) {
	s.add(fields)
	return s
}

func (s *size) add(value any) {
	switch value := value.(type) {
	case string:
		s.text += len(value)
	case json.Number:
		s.text += len(value)
	case map[string]any:
		for name, one := range value {
			if s.values++; s.values > mostFields {
				return
			}
			s.text += len(name)
			s.add(one)
		}
	case map[string]string:
		s.values += len(value)
		for name, one := range value {
			s.text += len(name) + len(one)
		}
	case []any:
		for _, one := range value {
			if s.values++; s.values > mostFields {
				return
			}
			s.add(one)
		}
	}
}

// NewFilters makes those of sections, with the parsers that these name.
func NewFilters(sections []Section, parsers map[string]Parser) (filters Filters, err error) {
	for _, s := range sections {
		make := filterKinds[s.Plugin()]
		if make == nil {
			return nil, fmt.Errorf("the filter %s is none that Tripod runs", s.Plugin())
		}
		one := filter{}
		if one.matches, err = s.matches(); err != nil {
			return nil, err
		}
		if one.do, err = make(s, parsers); err != nil {
			return nil, err
		}
		filters = append(filters, one)
	}
	return filters, nil
}

// filterKinds are the filters that run here.
var filterKinds = map[string]func(Section, map[string]Parser) (func(*Record) bool, error){
	"grep": newGrep, "kubernetes": newKubernetes, "modify": newModify, "nest": newNest, "parser": newParserFilter,
	"record_modifier": newRecordModifier,
}

// accessor reads a field: by its name, or as $a['b']['c'].
type accessor []string

var (
	accessorForm = regexp.MustCompile(`^\$([^\['"]+)((?:\[(?:'[^']*'|"[^"]*")\])*)$`)
	accessorKey  = regexp.MustCompile(`\[(?:'([^']*)'|"([^"]*)")\]`)
)

func newAccessor(text string) (accessor, error) {
	if !strings.HasPrefix(text, "$") {
		return accessor{text}, nil
	}
	parts := accessorForm.FindStringSubmatch(text)
	if parts == nil {
		return nil, fmt.Errorf("%q is no field of a record", text)
	}
	path := accessor{parts[1]}
	for _, key := range accessorKey.FindAllStringSubmatch(parts[2], -1) {
		path = append(path, key[1]+key[2])
	}
	return path, nil
}

// of is the field's value as a text; false: there is none.
func (a accessor) of(fields map[string]any) (string, bool) {
	var value any = fields
	for _, key := range a {
		if texts, isTexts := value.(map[string]string); isTexts {
			text, found := texts[key]
			value = text
			if !found {
				return "", false
			}
			continue
		}
		object, isObject := value.(map[string]any)
		if !isObject {
			return "", false
		}
		var found bool
		if value, found = object[key]; !found {
			return "", false
		}
	}
	return textOf(value), true
}

func textOf(value any) string {
	if text, isText := value.(string); isText {
		return text
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(encoded)
}

// newGrep keeps records that have what Regex says, and drops those that have what Exclude says.
func newGrep(s Section, _ map[string]Parser) (func(*Record) bool, error) {
	if err := s.only("regex", "exclude"); err != nil {
		return nil, err
	}
	type rule struct {
		of      accessor
		is      expression
		exclude bool
	}
	var rules []rule
	for _, p := range s.Properties {
		exclude := strings.EqualFold(p.Name, "exclude")
		if !exclude && !strings.EqualFold(p.Name, "regex") {
			continue
		}
		key, expression, _ := strings.Cut(p.Value, " ")
		of, err := newAccessor(key)
		if err != nil {
			return nil, err
		}
		is, err := compile(strings.TrimSpace(expression))
		if err != nil {
			return nil, err
		}
		rules = append(rules, rule{of, is, exclude})
	}
	return func(r *Record) bool {
		for _, rule := range rules {
			if r.ended() {
				return true
			}
			value, found := rule.of.of(r.Fields)
			if (found && rule.is.matches(value)) == rule.exclude {
				return false
			}
		}
		return true
	}, nil
}

// newKubernetes adds what is known of the pod, and takes apart what its line has as JSON.
func newKubernetes(s Section, _ map[string]Parser) (func(*Record) bool, error) {
	if err := s.only("merge_log", "keep_log", "merge_log_key", "merge_log_trim", "labels", "annotations", "buffer_size", "kube_url",
		"kube_ca_file", "kube_token_file", "kube_tag_prefix", "kube_meta_cache_ttl", "tls.verify", "dummy_meta", "use_kubelet",
		"kubelet_port"); err != nil {
		return nil, err
	}
	var is [4]bool
	for i, one := range []struct {
		name      string
		byDefault bool
	}{{"Merge_Log", false}, {"Keep_Log", true}, {"Labels", true}, {"Annotations", true}} {
		var err error
		if is[i], err = s.On(one.name, one.byDefault); err != nil {
			return nil, err
		}
	}
	merge, keep, labels, annotations, under := is[0], is[1], is[2], is[3], s.Get("Merge_Log_Key")
	return func(r *Record) bool {
		about := maps.Clone(r.Kubernetes())
		if !labels {
			delete(about, "labels")
		}
		if !annotations {
			delete(about, "annotations")
		}
		var parsed map[string]any
		text, isObject := r.Fields["log"].(string)
		if merge && isObject {
			parsed, isObject = object(text)
		}
		if merge && isObject && sizeOf(parsed).values+sizeOf(r.Fields).values <= mostFields {
			if !keep {
				delete(r.Fields, "log")
			}
			if under != "" {
				r.Fields[under] = parsed
			} else {
				maps.Copy(r.Fields, parsed)
			}
		}
		r.Fields["kubernetes"] = about // last: no pod says itself which one it is
		return true
	}, nil
}

// object reads an object of JSON. Numbers stay as they are written.
func object(text string) (fields map[string]any, ok bool) {
	if !strings.HasPrefix(strings.TrimSpace(text), "{") {
		return nil, false
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if decoder.Decode(&fields) != nil {
		return nil, false
	}
	_, err := decoder.Token()
	return fields, errors.Is(err, io.EOF)
}

// newRecordModifier adds and removes fields.
func newRecordModifier(s Section, _ map[string]Parser) (func(*Record) bool, error) {
	if err := s.only("record", "remove_key", "allowlist_key", "whitelist_key"); err != nil {
		return nil, err
	}
	add, remove := s.All("Record"), s.All("Remove_key")
	allow := append(s.All("Allowlist_key"), s.All("Whitelist_key")...)
	return func(r *Record) bool {
		for _, name := range remove {
			delete(r.Fields, name)
		}
		if len(allow) > 0 {
			maps.DeleteFunc(r.Fields, func(name string, _ any) bool { return !slices.Contains(allow, name) })
		}
		for _, one := range add {
			name, value, _ := strings.Cut(one, " ")
			r.Fields[name] = strings.TrimSpace(value)
		}
		return true
	}, nil
}

// modifications of the filter modify: with the first and the second word of their value.
var modifications = map[string]func(fields map[string]any, a, b string){
	"set": func(f map[string]any, a, b string) { f[a] = b },
	"add": func(f map[string]any, a, b string) {
		if _, found := f[a]; !found {
			f[a] = b
		}
	},
	"remove": func(f map[string]any, a, _ string) { delete(f, a) },
	"remove_wildcard": func(f map[string]any, a, _ string) {
		maps.DeleteFunc(f, func(name string, _ any) bool { return strings.HasPrefix(name, strings.TrimSuffix(a, "*")) })
	},
	"rename":      func(f map[string]any, a, b string) { move(f, a, b, false, false) },
	"hard_rename": func(f map[string]any, a, b string) { move(f, a, b, true, false) },
	"copy":        func(f map[string]any, a, b string) { move(f, a, b, false, true) },
	"hard_copy":   func(f map[string]any, a, b string) { move(f, a, b, true, true) },
}

// move gives a field another name, or a second one with keep; only hard, if there is one of that name.
func move(fields map[string]any, from, to string, hard, keep bool) {
	value, found := fields[from]
	if _, there := fields[to]; !found || there && !hard {
		return
	}
	if !keep {
		delete(fields, from)
	}
	fields[to] = value
}

func newModify(s Section, _ map[string]Parser) (func(*Record) bool, error) {
	if err := s.only(slices.Collect(maps.Keys(modifications))...); err != nil {
		return nil, err
	}
	return func(r *Record) bool {
		for _, p := range s.Properties {
			if do := modifications[strings.ToLower(p.Name)]; do != nil {
				a, b, _ := strings.Cut(p.Value, " ")
				do(r.Fields, a, strings.TrimSpace(b))
			}
		}
		return true
	}, nil
}

// newNest puts fields under one, or lifts those of one.
func newNest(s Section, _ map[string]Parser) (func(*Record) bool, error) {
	if err := s.only("operation", "wildcard", "nest_under", "nested_under", "add_prefix", "remove_prefix"); err != nil {
		return nil, err
	}
	wildcards, under := s.All("Wildcard"), s.Get("Nest_under")
	from, add, remove := s.Get("Nested_under"), s.Get("Add_prefix"), s.Get("Remove_prefix")
	renamed := func(name string) string { return add + strings.TrimPrefix(name, remove) }
	switch operation := strings.ToLower(s.Get("Operation")); {
	case operation == "nest" && under != "" && len(wildcards) > 0:
		return func(r *Record) bool {
			nested := map[string]any{}
			for name, value := range r.Fields {
				if slices.ContainsFunc(wildcards, func(w string) bool {
					prefix, isPrefix := strings.CutSuffix(w, "*")
					return name == w || isPrefix && strings.HasPrefix(name, prefix)
				}) {
					nested[renamed(name)] = value
					delete(r.Fields, name)
				}
			}
			if len(nested) > 0 {
				r.Fields[under] = nested
			}
			return true
		}, nil
	case operation == "lift" && from != "":
		return func(r *Record) bool {
			nested, isObject := r.Fields[from].(map[string]any)
			if isObject && len(r.Fields)+len(nested) <= mostFields {
				delete(r.Fields, from)
				for name, value := range nested {
					r.Fields[renamed(name)] = value
				}
			}
			return true
		}, nil
	}
	return nil, fmt.Errorf("nest has no Operation nest with Wildcard and Nest_under, and none lift with Nested_under")
}

// typed is a text as one of the types that a parser's Types has.
func typed(text, kind string) any {
	switch strings.ToLower(kind) {
	case "integer":
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
	case "float":
		if n, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(n) && !math.IsInf(n, 0) { // those that JSON has
			return n
		}
	case "bool":
		return strings.EqualFold(text, "true")
	}
	return text
}
