package metricmath

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"tripod/awsapi/cloudwatch/metricdata"
)

// Search is a search expression that was read, such as {AWS/EKS,ClusterName} MetricName="scheduler_pending_pods".
type Search struct {
	schema bool
	// namespace and dimensions are the schema's: metrics have these dimensions and no others.
	namespace  string
	dimensions []string
	term       term
}

// term says whether a metric is meant.
type term func(*candidate) bool

// candidate is a metric that is looked at, and the words of its values, as far as a term has asked for them.
type candidate struct {
	metricdata.Metric
	words map[string][]string
}

func (c *candidate) wordsOf(value string) []string {
	words, known := c.words[value]
	if !known {
		words = wordsOf(value)
		c.words[value] = words
	}
	return words
}

// longestSearch is how long a search may be: "CloudWatch search expression syntax" of the guide.
const longestSearch = 1024

// ParseSearch reads a search expression.
func ParseSearch(source string) (*Search, error) {
	if len(source) > longestSearch {
		return nil, fmt.Errorf("the search has more than %d characters", longestSearch)
	}
	s := &Search{term: func(*candidate) bool { return true }}
	source = strings.TrimSpace(source)
	if strings.HasPrefix(source, "{") {
		schema, rest, ended := strings.Cut(source[1:], "}")
		if !ended {
			return nil, errors.New("the schema of the search has no end")
		}
		parts := strings.Split(schema, ",")
		for i := range parts {
			parts[i] = strings.Trim(strings.TrimSpace(parts[i]), `"`)
		}
		s.schema, s.namespace, s.dimensions, source = true, parts[0], parts[1:], rest
		slices.Sort(s.dimensions)
	}
	tokens, err := scanSearch(source)
	if err != nil {
		return nil, err
	}
	if len(tokens) == 0 {
		if !s.schema {
			return nil, errors.New("the search is empty")
		}
		return s, nil
	}
	p := searchParser{tokens: tokens}
	if s.term, err = p.any(0); err != nil {
		return nil, err
	}
	if len(p.tokens) > 0 {
		return nil, fmt.Errorf("%q is not expected in the search", p.tokens[0])
	}
	return s, nil
}

// Matches says whether the search finds the metric.
func (s *Search) Matches(m metricdata.Metric) bool {
	if s.schema {
		if m.Namespace != s.namespace || len(m.Dimensions) != len(s.dimensions) {
			return false
		}
		for i, d := range m.Dimensions {
			if d.Name != s.dimensions[i] {
				return false
			}
		}
	}
	return s.term(&candidate{m, map[string][]string{}})
}

// scanSearch cuts a search into words, exact texts with their first quote, brackets and equals signs.
func scanSearch(source string) (tokens []string, err error) {
	for i := 0; i < len(source); {
		switch c := source[i]; {
		case unicode.IsSpace(rune(c)):
			i++
		case c == '"':
			end := strings.IndexByte(source[i+1:], '"')
			if end < 0 {
				return nil, errors.New("a text of the search has no end")
			}
			tokens, i = append(tokens, source[i:i+1+end]), i+end+2
		case c == '(' || c == ')' || c == '=':
			tokens, i = append(tokens, source[i:i+1]), i+1
		default:
			end := i
			for end < len(source) && !unicode.IsSpace(rune(source[end])) && strings.IndexByte(`"()=`, source[end]) < 0 {
				end++
			}
			tokens, i = append(tokens, source[i:end]), end
		}
	}
	return tokens, nil
}

type searchParser struct {
	tokens []string
	// property is the one that the terms in brackets behind it are about.
	property string
}

func (p *searchParser) peek() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

func (p *searchParser) any(depth int) (term, error) {
	left, err := p.all(depth)
	for err == nil && p.peek() == "OR" {
		p.tokens = p.tokens[1:]
		var right term
		was := left
		if right, err = p.all(depth); err == nil {
			left = func(m *candidate) bool { return was(m) || right(m) }
		}
	}
	return left, err
}

func (p *searchParser) all(depth int) (term, error) {
	left, err := p.one(depth)
	for err == nil && p.peek() != "" && p.peek() != ")" && p.peek() != "OR" {
		if p.peek() == "AND" {
			p.tokens = p.tokens[1:]
		}
		var right term
		was := left
		if right, err = p.one(depth); err == nil {
			left = func(m *candidate) bool { return was(m) && right(m) }
		}
	}
	return left, err
}

func (p *searchParser) one(depth int) (term, error) {
	if depth > mostDepth {
		return nil, errors.New("the search is nested too deep")
	}
	token := p.peek()
	if token == "" || token == ")" || token == "=" {
		return nil, errors.New("the search lacks a term")
	}
	p.tokens = p.tokens[1:]
	switch {
	case token == "NOT":
		of, err := p.one(depth + 1)
		return func(m *candidate) bool { return !of(m) }, err
	case token == "(":
		inside, err := p.any(depth + 1)
		if err != nil {
			return nil, err
		}
		if p.peek() != ")" {
			return nil, errors.New("a bracket of the search has no end")
		}
		p.tokens = p.tokens[1:]
		return inside, nil
	case p.peek() == "=":
		p.tokens = p.tokens[1:]
		was := p.property
		p.property = strings.TrimPrefix(token, `"`)
		of, err := p.one(depth + 1)
		p.property = was
		return of, err
	}
	return matching(p.property, token), nil
}

// matching is the term of a word, or of an exact text, in a property or anywhere.
func matching(property, token string) term {
	exact, isExact := strings.CutPrefix(token, `"`)
	words := wordsOf(token)
	return func(m *candidate) bool {
		for _, value := range valuesOf(m.Metric, property) {
			if isExact && value == exact || !isExact && containsAll(m.wordsOf(value), words) {
				return true
			}
		}
		return false
	}
}

// valuesOf are the metric's values of a property; without one, all that it is named by.
func valuesOf(m metricdata.Metric, property string) (all []string) {
	switch property {
	case "":
		all = []string{m.Namespace, m.Name}
		for _, d := range m.Dimensions {
			all = append(all, d.Name, d.Value)
		}
		return all
	case "Namespace": // of Kubernetes too, which is a dimension of Container Insights
		all = []string{m.Namespace}
	case "MetricName":
		return []string{m.Name}
	}
	if value, found := m.Value(property); found {
		all = append(all, value)
	}
	return all
}

// wordsOf are the words of a text in lower case: CPUUtilization is cpu and utilization, and the whole too.
func wordsOf(text string) (words []string) {
	var word []rune
	end := func() {
		if len(word) > 0 {
			words, word = append(words, strings.ToLower(string(word))), nil
		}
	}
	runes := []rune(text)
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			end()
			continue
		case i > 0 && unicode.IsUpper(r) && (!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])):
			end()
		}
		word = append(word, r)
	}
	end()
	return words
}

// containsAll says whether the words are there, or stand for a text without gaps in it.
func containsAll(in, words []string) bool {
	whole := strings.Join(in, "")
	if strings.Join(words, "") == whole {
		return true
	}
	for _, word := range words {
		if !slices.Contains(in, word) {
			return false
		}
	}
	return true
}
