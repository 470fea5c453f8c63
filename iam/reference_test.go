package iam_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"tripod/iam"
)

// reference decides as "Policy evaluation logic" of the IAM user guide says it, from the policies' JSON, as plainly as
// it can be written and without a line of the evaluator's: no parsed form, no order that saves work. It is for valid
// policies.
type reference struct {
	iam.Request
	ofResource bool // the policies are those of resources: a statement of theirs without a resource has no effect
}

func (r reference) decide(policies ...string) iam.Decision {
	allowed := false
	for _, text := range policies {
		var policy struct {
			Version   string
			Statement any
		}
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber() // a number is the text that stands there
		if err := decoder.Decode(&policy); err != nil {
			panic(err)
		}
		statements, several := policy.Statement.([]any)
		if !several {
			statements = []any{policy.Statement}
		}
		for _, one := range statements {
			statement := one.(map[string]any)
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
	_, acts := statement["Action"]
	_, excepts := statement["NotAction"]
	_, covers := statement["Resource"]
	_, spares := statement["NotResource"]
	if r.ofResource && (!acts && !excepts || !covers && !spares) { // KMS takes it
		return false
	}
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
		return slices.ContainsFunc(want,
			func(text string) bool { return strings.EqualFold(text, strconv.FormatBool(len(have) == 0)) })
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
		before, behind, found := strings.Cut(text, "${")
		inside, after, closed := strings.Cut(behind, "}")
		if !variables || !found || !closed {
			filled.WriteString(mark(text))
			break
		}
		filled.WriteString(mark(before))
		text = after
		name, fallback, hasFallback := strings.Cut(inside, ",")
		values := r.Keys[strings.ToLower(strings.TrimSpace(name))]
		switch {
		case slices.Contains([]string{"*", "?", "$"}, name):
			filled.WriteString(name)
		case len(values) == 1:
			filled.WriteString(values[0])
		case len(values) == 0 && hasFallback:
			filled.WriteString(strings.Trim(strings.TrimSpace(fallback), "'"))
		default:
			return "", false
		}
	}
	return filled.String(), true
}

// like compares a marked pattern by all that it may stand for.
func like(pattern, text string) bool {
	s := []rune(text)
	reached := make([]bool, len(s)+1) // the lengths of the text that the pattern so far may stand for
	reached[0] = true
	for _, r := range pattern {
		next := make([]bool, len(s)+1)
		for i := range next {
			switch {
			case r == anyText:
				next[i] = reached[i] || i > 0 && next[i-1]
			case i > 0:
				next[i] = reached[i-1] && (r == anyRune || r == s[i-1])
			}
		}
		reached = next
	}
	return reached[len(s)]
}

// plain is a filled text where wildcards mean themselves.
func plain(text string) string {
	return strings.NewReplacer(string(anyText), "*", string(anyRune), "?").Replace(text)
}

func compare(operator, have, pattern string) bool {
	want := plain(pattern)
	sign := func(order int, ok bool) bool {
		wanted := map[string][]int{"Equals": {0}, "LessThan": {-1}, "LessThanEquals": {-1, 0}, "GreaterThan": {1},
			"GreaterThanEquals": {1, 0}}
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
			prefix, err2 = single.Unmap().Prefix(single.Unmap().BitLen())
		}
		return err == nil && err2 == nil && prefix.Contains(address)
	case strings.HasPrefix(operator, "Numeric"):
		a, err := strconv.ParseFloat(have, 64)
		b, err2 := strconv.ParseFloat(want, 64)
		return sign(cmp.Compare(a, b), err == nil && err2 == nil && !math.IsNaN(a) && !math.IsNaN(b))
	}
	a, ok := moment(have)
	b, ok2 := moment(want)
	return sign(a.Compare(b), ok && ok2)
}

// moment is ISO 8601 with a time, with minutes alone or with a date alone, or seconds since 1970.
func moment(text string) (time.Time, bool) {
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err == nil {
		return time.Unix(seconds, 0), true
	}
	for _, layout := range []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04Z07:00", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// texts is a text, or a list of texts, of a policy's JSON.
func texts(value any) []string {
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	var all []string
	for _, one := range list {
		if one != nil { // a null in a list is nothing
			all = append(all, fmt.Sprint(one)) // also of numbers and booleans
		}
	}
	return all
}
