package iam

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Keys are the condition keys of a request, by their names in lower case.
type Keys map[string][]string

// With are the keys and others, the last of each name.
func (k Keys) With(others ...Keys) Keys {
	all := maps.Clone(k)
	if all == nil {
		all = Keys{}
	}
	for _, keys := range others {
		maps.Copy(all, keys)
	}
	return all
}

// Without are the keys but for those whose names begin so.
func (k Keys) Without(prefixes ...string) Keys {
	left := maps.Clone(k)
	maps.DeleteFunc(left, func(name string, _ []string) bool {
		return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
	})
	return left
}

// TagKeys are the condition keys of tags: prefix is aws:RequestTag, aws:ResourceTag and the like.
func TagKeys(prefix string, tags map[string]string) Keys {
	keys := make(Keys, len(tags))
	for _, key := range slices.Sorted(maps.Keys(tags)) { // of two that differ by case alone always the same one counts
		keys[strings.ToLower(prefix+"/"+key)] = []string{tags[key]}
	}
	return keys
}

// comparison says whether a request's value meets a policy's. Those that compare with patterns get them expanded.
type comparison func(have string, want pattern) bool

// comparisons are the operators in their positive form, without Not and IfExists.
var comparisons = map[string]comparison{
	"StringEquals":           func(have string, want pattern) bool { return have == want.text() },
	"StringEqualsIgnoreCase": func(have string, want pattern) bool { return strings.EqualFold(have, want.text()) },
	"StringLike":             func(have string, want pattern) bool { return want.matches(have) },
	"ArnEquals":              arnLike,
	"ArnLike":                arnLike,
	"Bool":                   func(have string, want pattern) bool { return strings.EqualFold(have, want.text()) },
	"BinaryEquals":           func(have string, want pattern) bool { return have == want.text() },
	"IpAddress":              inRange,
	"NumericEquals":          numeric(func(sign int) bool { return sign == 0 }),
	"NumericLessThan":        numeric(func(sign int) bool { return sign < 0 }),
	"NumericLessThanEquals":  numeric(func(sign int) bool { return sign <= 0 }),
	"NumericGreaterThan":     numeric(func(sign int) bool { return sign > 0 }),
	"NumericGreaterThanEquals": numeric(func(sign int) bool {
		return sign >= 0
	}),
	"DateEquals":            dated(func(sign int) bool { return sign == 0 }),
	"DateLessThan":          dated(func(sign int) bool { return sign < 0 }),
	"DateLessThanEquals":    dated(func(sign int) bool { return sign <= 0 }),
	"DateGreaterThan":       dated(func(sign int) bool { return sign > 0 }),
	"DateGreaterThanEquals": dated(func(sign int) bool { return sign >= 0 }),
}

// negations are the operators that hold where another does not, for any of the values.
var negations = map[string]string{
	"StringNotEquals": "StringEquals", "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
	"StringNotLike": "StringLike",
	"ArnNotEquals":  "ArnEquals", "ArnNotLike": "ArnLike", "NotIpAddress": "IpAddress",
	"NumericNotEquals": "NumericEquals", "DateNotEquals": "DateEquals",
}

// operator is a condition operator taken apart.
type operator struct {
	compare  comparison
	negated  bool
	ifExists bool
	set      string // ForAllValues, ForAnyValue or empty
	null     bool
}

func parseOperator(name string) (operator, bool) {
	var op operator
	if set, rest, found := strings.Cut(name, ":"); found {
		if set != "ForAllValues" && set != "ForAnyValue" {
			return op, false
		}
		op.set, name = set, rest
	}
	if name == "Null" {
		op.null = true
		return op, op.set == ""
	}
	name, op.ifExists = strings.CutSuffix(name, "IfExists")
	if positive, found := negations[name]; found {
		name, op.negated = positive, true
	}
	op.compare = comparisons[name]
	return op, op.compare != nil
}

func knownOperator(name string) bool { _, ok := parseOperator(name); return ok }

// holds says whether a condition is met.
func (c Condition) holds(keys Keys, variables bool) bool {
	op, known := parseOperator(c.Operator)
	if !known {
		return false
	}
	have, present := keys[strings.ToLower(c.Key)]
	present = present && len(have) > 0
	if op.null {
		for _, want := range c.Values {
			if strings.EqualFold(want, strconv.FormatBool(!present)) {
				return true
			}
		}
		return false
	}
	if !present {
		// As AWS has it: a missing key meets negated operators, ForAllValues and IfExists, and no others.
		return op.ifExists || op.set == "ForAllValues" || op.negated && op.set == ""
	}
	any := func(value string) bool {
		for _, want := range c.Values {
			if p, ok := expand(want, keys, variables); ok && op.compare(value, p) {
				return !op.negated
			}
		}
		return op.negated
	}
	for _, value := range have {
		switch met := any(value); {
		case op.set == "ForAllValues" && !met, op.set == "" && op.negated && !met:
			return false
		case (op.set == "ForAnyValue" || op.set == "" && !op.negated) && met:
			return true
		}
	}
	return op.set == "ForAllValues" || op.set == "" && op.negated
}

// arnLike compares each of an ARN's six parts by itself: a wildcard does not reach over a colon.
func arnLike(have string, want pattern) bool {
	fields := strings.SplitN(have, ":", 6)
	parts := want.split(':', 6)
	if len(fields) != 6 || len(parts) != 6 {
		return false
	}
	for i := range fields {
		if !parts[i].matches(fields[i]) {
			return false
		}
	}
	return true
}

func inRange(have string, want pattern) bool {
	address, err := netip.ParseAddr(have)
	if err != nil {
		return false
	}
	if prefix, err := netip.ParsePrefix(want.text()); err == nil {
		return prefix.Contains(address.Unmap())
	}
	single, err := netip.ParseAddr(want.text())
	return err == nil && single.Unmap() == address.Unmap()
}

func numeric(holds func(sign int) bool) comparison {
	return func(have string, want pattern) bool {
		a, err := strconv.ParseFloat(have, 64)
		b, err2 := strconv.ParseFloat(want.text(), 64)
		switch {
		case err != nil || err2 != nil || a != a || b != b:
			return false
		case a < b:
			return holds(-1)
		case a > b:
			return holds(1)
		}
		return holds(0)
	}
}

func dated(holds func(sign int) bool) comparison {
	return func(have string, want pattern) bool {
		a, ok := date(have)
		b, ok2 := date(want.text())
		return ok && ok2 && holds(a.Compare(b))
	}
}

// date reads ISO 8601 in the forms that IAM takes, or seconds since 1970.
func date(text string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	return time.Unix(seconds, 0), err == nil
}
