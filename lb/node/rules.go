package node

import (
	"cmp"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"tripod/region"
)

// actionsFor are those of the first rule whose conditions all hold, or the listener's own; how the rule rewrites the
// request; and its priority, 0 of the listener's own.
func actionsFor(l *Listener, r *http.Request, from netip.Addr) ([]region.RuleAction, []region.RuleTransform,
	int) {
	for i := range l.Rules {
		if rule := &l.Rules[i]; holdAll(rule.Conditions, r, from) {
			return rule.Actions, rule.Transforms, rule.Priority
		}
	}
	return l.Actions, nil, 0
}

func inOrder(actions []region.RuleAction) []region.RuleAction {
	return slices.SortedStableFunc(slices.Values(actions), func(a, b region.RuleAction) int {
		return cmp.Compare(a.Order, b.Order)
	})
}

func holdAll(conditions []region.RuleCondition, r *http.Request, from netip.Addr) bool {
	return !slices.ContainsFunc(conditions, func(c region.RuleCondition) bool { return !holds(c, r, from) })
}

// holds says whether one of a condition's values fits. Hosts, headers and queries are compared in any case, paths and
// methods are not.
func holds(c region.RuleCondition, r *http.Request, from netip.Addr) bool {
	switch c.Field {
	case "host-header":
		host, _ := hostAndPort(r.Host)
		return fits(c, strings.ToLower(host), true)
	case "path-pattern":
		return fits(c, r.URL.EscapedPath(), false)
	case "http-request-method":
		return slices.Contains(c.Values, r.Method)
	case "http-header":
		return slices.ContainsFunc(r.Header.Values(c.Header), func(value string) bool { return fits(c, value, true) })
	case "query-string":
		return slices.ContainsFunc(c.Query, func(want region.QueryPair) bool { return hasQuery(r.URL.RawQuery, want) })
	case "source-ip":
		return slices.ContainsFunc(c.Values, func(cidr string) bool {
			block, err := netip.ParsePrefix(cidr)
			return err == nil && block.Contains(from.Unmap())
		})
	}
	return false
}

func fits(c region.RuleCondition, value string, anyCase bool) bool {
	for _, pattern := range c.Values {
		if anyCase {
			pattern, value = strings.ToLower(pattern), strings.ToLower(value)
		}
		if matches(pattern, value) {
			return true
		}
	}
	return slices.ContainsFunc(c.Regex, func(expression string) bool {
		compiled := compile(expression)
		return compiled != nil && compiled.MatchString(value)
	})
}

// hasQuery says whether one of a query's pairs fits, as it stands in the URL or decoded.
func hasQuery(query string, want region.QueryPair) bool {
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if (want.Key == "" || matchesText(want.Key, key)) && matchesText(want.Value, value) {
			return true
		}
	}
	return false
}

func matchesText(pattern, text string) bool {
	pattern = strings.ToLower(pattern)
	if matches(pattern, strings.ToLower(text)) {
		return true
	}
	decoded, err := url.QueryUnescape(text)
	return err == nil && matches(pattern, strings.ToLower(decoded))
}

// matches compares with a pattern in which * stands for any characters or none, ? for one, and \ makes the next one plain.
// It takes time of the product of the lengths at most.
func matches(pattern, text string) bool {
	at, mark, back := 0, -1, 0 // mark: behind the last star; back: where the text goes on if that takes one more
	for i := 0; i < len(text); {
		switch {
		case at < len(pattern) && pattern[at] == '*':
			at++
			mark, back = at, i
			continue
		case at < len(pattern) && pattern[at] == '?':
			at, i = at+1, i+1
			continue
		case at+1 < len(pattern) && pattern[at] == '\\' && pattern[at+1] == text[i]:
			at, i = at+2, i+1
			continue
		case at < len(pattern) && pattern[at] != '\\' && pattern[at] == text[i]:
			at, i = at+1, i+1
			continue
		case mark < 0:
			return false
		}
		back++
		at, i = mark, back
	}
	return strings.Trim(pattern[at:], "*") == ""
}

// compiled are regular expressions of rules; nil: one that cannot be compiled fits nothing.
var compiled = struct {
	sync.Mutex
	of map[string]*regexp.Regexp
}{of: map[string]*regexp.Regexp{}}

const mostCompiled = 1000

func compile(expression string) *regexp.Regexp {
	compiled.Lock()
	defer compiled.Unlock()
	known, found := compiled.of[expression]
	if !found {
		if len(compiled.of) >= mostCompiled {
			clear(compiled.of)
		}
		known, _ = regexp.Compile(expression)
		compiled.of[expression] = known
	}
	return known
}

// weighted is the ARN of one of the groups, by their weights; empty where all are 0.
func weighted(groups []region.WeightedGroup) string {
	sum := 0
	for _, g := range groups {
		sum += g.Weight
	}
	if len(groups) == 1 { // whose weight is no matter
		return groups[0].TargetGroup
	}
	if sum == 0 {
		return ""
	}
	at := rand.IntN(sum)
	for _, g := range groups {
		if at -= g.Weight; at < 0 {
			return g.TargetGroup
		}
	}
	return ""
}

// hostAndPort are the parts of a Host header; the port is empty where it names none.
func hostAndPort(host string) (name, port string) {
	if at := strings.LastIndexByte(host, ':'); at >= 0 && !strings.HasSuffix(host, "]") {
		return host[:at], host[at+1:]
	}
	return host, ""
}

// redirection is where a redirect action leads, with the parts of the request in the places of its placeholders.
func redirection(a region.RedirectAction, r *http.Request, scheme string, port int) string {
	host, _ := hostAndPort(r.Host)
	fill := strings.NewReplacer("#{protocol}", scheme, "#{host}", host, "#{port}", itoa(port),
		"#{path}", strings.TrimPrefix(r.URL.EscapedPath(), "/"), "#{query}", r.URL.RawQuery)
	part := func(text, missing string) string { return fill.Replace(cmp.Or(text, missing)) }
	protocol := strings.ToLower(part(a.Protocol, "#{protocol}"))
	to := protocol + "://" + part(a.Host, "#{host}") + ":" + part(a.Port, "#{port}") + part(a.Path, "/#{path}")
	if query := part(a.Query, "#{query}"); query != "" {
		to += "?" + query
	}
	return to
}

// transform rewrites a request's host or its URL, as a rule's transforms say.
func transform(transforms []region.RuleTransform, r *http.Request) {
	for _, t := range transforms {
		for _, rewrite := range t.Rewrites {
			expression := compile(rewrite.Regex)
			if expression == nil {
				continue
			}
			switch t.Type {
			case "host-header-rewrite":
				r.Host = expression.ReplaceAllString(r.Host, rewrite.Replace)
			case "url-rewrite":
				if to, err := url.ParseRequestURI(expression.ReplaceAllString(r.URL.RequestURI(), rewrite.Replace)); err == nil {
					r.URL.Path, r.URL.RawPath, r.URL.RawQuery = to.Path, to.RawPath, to.RawQuery
				}
			}
		}
	}
}
