package iam_test

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"tripod/iam"
)

// reference decides as "Policy evaluation logic" of the IAM user guide says it, from the policies' JSON, as plainly as it can be written and without
// a line of the evaluator's: no parsed form, no order that saves work. It is for valid policies.
type reference struct {
	iam.Request
}

func (r reference) decide(policies ...string) iam.Decision {
	allowed := false
	for _, text := range policies {
		var policy struct {
			Version   string
			Statement []map[string]any
		}
		if err := json.Unmarshal([]byte(text), &policy); err != nil {
			panic(err)
		}
		for _, statement := range policy.Statement {
			if !r.applies(statement, policy.Version == "2012-10-17") {
				continue
			}
			if statement["Effect"] == "Deny" {
				return iam.ExplicitDeny
			}
			allowed = true
		}
	}
	if allowed {
		return iam.Allowed
	}
	return iam.ImplicitDeny
}

// all decides about a principal that has all these kinds of policies; nil is none of a kind.
func (r reference) all(identity, boundary, session []string) iam.Decision {
	decisions := []iam.Decision{r.decide(identity...)}
	if boundary != nil {
		decisions = append(decisions, r.decide(boundary...))
	}
	if session != nil {
		decisions = append(decisions, r.decide(session...))
	}
	switch {
	case slices.Contains(decisions, iam.ExplicitDeny):
		return iam.ExplicitDeny
	case slices.Contains(decisions, iam.ImplicitDeny):
		return iam.ImplicitDeny
	}
	return iam.Allowed
}

func (r reference) applies(statement map[string]any, variables bool) bool {
	if list, has := statement["Action"]; has && !r.anyAction(list) {
		return false
	}
	if list, has := statement["NotAction"]; has && r.anyAction(list) {
		return false
	}
	if list, has := statement["Resource"]; has && !r.anyResource(list, variables) {
		return false
	}
	if list, has := statement["NotResource"]; has {
		for _, text := range texts(list) {
			if _, filled := r.fill(text, variables); !filled {
				return false
			}
		}
		if r.anyResource(list, variables) {
			return false
		}
	}
	if principals, has := statement["Principal"]; has && !r.anyPrincipal(principals) {
		return false
	}
	if principals, has := statement["NotPrincipal"]; has && r.anyPrincipal(principals) {
		return false
	}
	conditions, _ := statement["Condition"].(map[string]any)
	for operator, keys := range conditions {
		for key, values := range keys.(map[string]any) {
			if !r.holds(operator, key, texts(values), variables) {
				return false
			}
		}
	}
	return true
}

func (r reference) anyAction(list any) bool {
	return slices.ContainsFunc(texts(list), func(pattern string) bool {
		return like(mark(strings.ToLower(pattern)), strings.ToLower(r.Action))
	})
}

func (r reference) anyResource(list any, variables bool) bool {
	return slices.ContainsFunc(texts(list), func(text string) bool {
		pattern, filled := r.fill(text, variables)
		return filled && like(pattern, r.Resource)
	})
}

func (r reference) anyPrincipal(principals any) bool {
	if principals == "*" {
		return r.Principal("AWS", "*")
	}
	for kind, list := range principals.(map[string]any) {
		if slices.ContainsFunc(texts(list), func(text string) bool { return r.Principal(kind, text) }) {
			return true
		}
	}
	return false
}

func (r reference) holds(operator, key string, want []string, variables bool) bool {
	have := r.Keys[strings.ToLower(key)]
	if operator == "Null" {
		return slices.Contains(want, strconv.FormatBool(len(have) == 0))
	}
	set := ""
	if before, after, found := strings.Cut(operator, ":"); found {
		set, operator = before, after
	}
	operator, optional := strings.CutSuffix(operator, "IfExists")
	negated := strings.Contains(operator, "Not")
	operator = strings.Replace(operator, "Not", "", 1)
	if len(have) == 0 {
		return optional || set == "ForAllValues" || set == "" && negated
	}
	meets := func(value string) bool {
		found := slices.ContainsFunc(want, func(text string) bool {
			pattern, filled := r.fill(text, variables)
			return filled && compare(operator, value, pattern)
		})
		return found != negated
	}
	all, some := true, false
	for _, value := range have {
		all, some = all && meets(value), some || meets(value)
	}
	// Without a set operator any value may meet a positive operator, and all must meet a negated one.
	if set == "ForAllValues" || set == "" && negated {
		return all
	}
	return some
}

// wild are stand-ins for a policy's own * and ?, so that a variable's value is never taken for one.
const anyText, anyRune = '\uE000', '\uE001'

func mark(text string) string {
	return strings.NewReplacer("*", string(anyText), "?", string(anyRune)).Replace(text)
}

// fill puts the request's values into a policy's text, and says whether there is one for each variable.
func (r reference) fill(text string, variables bool) (string, bool) {
	var filled strings.Builder
	for text != "" {
		start, end := strings.Index(text, "${"), strings.Index(text, "}")
		if !variables || start < 0 || end < start {
			filled.WriteString(mark(text))
			break
		}
		filled.WriteString(mark(text[:start]))
		name, fallback, hasFallback := strings.Cut(text[start+2:end], ", ")
		text = text[end+1:]
		values := r.Keys[strings.ToLower(name)]
		switch {
		case slices.Contains([]string{"*", "?", "$"}, name):
			filled.WriteString(name)
		case len(values) == 1:
			filled.WriteString(values[0])
		case len(values) == 0 && hasFallback:
			filled.WriteString(strings.Trim(fallback, "'"))
		default:
			return "", false
		}
	}
	return filled.String(), true
}

// like compares a marked pattern by trying all that it may stand for.
func like(pattern, text string) bool {
	p, s := []rune(pattern), []rune(text)
	switch {
	case len(p) == 0:
		return len(s) == 0
	case p[0] == anyText:
		return like(string(p[1:]), text) || len(s) > 0 && like(pattern, string(s[1:]))
	case len(s) == 0:
		return false
	}
	return (p[0] == anyRune || p[0] == s[0]) && like(string(p[1:]), string(s[1:]))
}

// plain is a filled text where wildcards mean themselves.
func plain(text string) string {
	return strings.NewReplacer(string(anyText), "*", string(anyRune), "?").Replace(text)
}

func compare(operator, have, pattern string) bool {
	want := plain(pattern)
	sign := func(order int, ok bool) bool {
		wanted := map[string][]int{"Equals": {0}, "LessThan": {-1}, "LessThanEquals": {-1, 0}, "GreaterThan": {1}, "GreaterThanEquals": {1, 0}}
		return ok && slices.Contains(wanted[strings.TrimPrefix(strings.TrimPrefix(operator, "Numeric"), "Date")], order)
	}
	switch {
	case operator == "StringEquals", operator == "BinaryEquals":
		return have == want
	case operator == "StringEqualsIgnoreCase", operator == "Bool":
		return strings.EqualFold(have, want)
	case operator == "StringLike":
		return like(pattern, have)
	case strings.HasPrefix(operator, "Arn"):
		a, b := strings.SplitN(have, ":", 6), strings.SplitN(pattern, ":", 6)
		if len(a) != 6 || len(b) != 6 {
			return false
		}
		for i := range a {
			if !like(b[i], a[i]) {
				return false
			}
		}
		return true
	case operator == "IpAddress":
		address, err := netip.ParseAddr(have)
		prefix, err2 := netip.ParsePrefix(want)
		if single, err := netip.ParseAddr(want); err == nil {
			prefix, err2 = single.Prefix(single.BitLen())
		}
		return err == nil && err2 == nil && prefix.Contains(address)
	case strings.HasPrefix(operator, "Numeric"):
		a, err := strconv.Atoi(have)
		b, err2 := strconv.Atoi(want)
		return sign(min(1, max(-1, a-b)), err == nil && err2 == nil)
	}
	a, err := time.Parse(time.RFC3339, have)
	b, err2 := time.Parse(time.RFC3339, want)
	return sign(a.Compare(b), err == nil && err2 == nil)
}

// texts is a text, or a list of texts, of a policy's JSON.
func texts(value any) []string {
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	var all []string
	for _, one := range list {
		all = append(all, one.(string))
	}
	return all
}
