package ec2

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"tripod/awsapi/wire"
	"tripod/region"
)

// filter is one of a call's filters: any of its values, all of the filters.
type filter struct {
	Name   string   `ec2:"Name,required"`
	Values []string `ec2:"Value"`
}

// filters are the filters of a kind of resource by name: the values that a resource has for it.
type filters[T any] map[string]func(T) []string

// one makes a filter's function of one that has a single value.
func one[T any](value func(T) string) func(T) []string {
	return func(t T) []string { return []string{value(t)} }
}

// page is what a Describe call takes to be given in parts.
type page struct {
	Filters    []filter `ec2:"Filter"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
}

// maxFilterValues bounds all values of a call's filters, as EC2 does.
const maxFilterValues = 200

// matching are the values that pass all filters. tagsOf may be nil, for what has no tags.
func matching[T any](all []T, wanted []filter, known filters[T], tagsOf func(T) []tag) ([]T, error) {
	total := 0
	for _, f := range wanted {
		isTag := tagsOf != nil && (f.Name == "tag-key" || f.Name == "tag-value" || strings.HasPrefix(f.Name, "tag:"))
		if total += len(f.Values); total > maxFilterValues {
			return nil, refuse("FilterLimitExceeded", fmt.Sprintf("The filters have more than %d values.", maxFilterValues))
		}
		if known[f.Name] == nil && !isTag {
			return nil, refuse("InvalidParameterValue", fmt.Sprintf("The filter '%s' is invalid", clip(f.Name)))
		}
		all = slices.DeleteFunc(slices.Clone(all), func(t T) bool {
			var values []string
			if isTag {
				values = tagValues(tagsOf(t), f.Name)
			} else {
				values = known[f.Name](t)
			}
			return !slices.ContainsFunc(values, func(value string) bool {
				return slices.ContainsFunc(f.Values, func(pattern string) bool { return wildcard(pattern, value) })
			})
		})
	}
	return all, nil
}

// tagValues are what a tag filter looks at.
func tagValues(tags []tag, name string) []string {
	var values []string
	for _, t := range tags {
		switch {
		case name == "tag-key":
			values = append(values, t.Key)
		case name == "tag-value" || name == "tag:"+t.Key:
			values = append(values, t.Value)
		}
	}
	return values
}

// literal takes from a pattern what path.Match understands and EC2 does not.
var literal = strings.NewReplacer(`[`, `\[`, "/", "\x00")

// wildcard says whether value fits a pattern in which * is any text and ? any character; a backslash makes them ordinary.
func wildcard(pattern, value string) bool {
	if !strings.ContainsAny(pattern, `*?\`) {
		return pattern == value
	}
	fits, err := path.Match(literal.Replace(pattern), strings.ReplaceAll(value, "/", "\x00"))
	return err == nil && fits
}

// cut is the page of values that a call asks for, and the token of the next. A token belongs to the call that got it: the same operation and
// filters. ids are those asked for, with which MaxResults does not go.
func cut[T any](operation string, values []T, p page, ids []string, id func(T) string) ([]T, string, error) {
	if p.MaxResults != nil && (*p.MaxResults < 5 || *p.MaxResults > 1000) {
		return nil, "", refuse("InvalidParameterValue", fmt.Sprintf("Value (%d) for parameter maxResults is invalid. Expecting a value between 5 and 1000.", *p.MaxResults))
	}
	if p.MaxResults != nil && len(ids) > 0 {
		return nil, "", refuse("InvalidParameterCombination", "The parameter maxResults cannot be used with ids in the same call.")
	}
	asked, _ := json.Marshal(p.Filters)
	sum := sha256.Sum256(append([]byte(operation+"\x00"), asked...))
	prefix := hex.EncodeToString(sum[:8]) + ":"
	if p.NextToken != "" {
		text, err := base64.RawURLEncoding.DecodeString(p.NextToken)
		after, found := strings.CutPrefix(string(text), prefix)
		if err != nil || !found {
			return nil, "", refuse("InvalidNextToken", "The NextToken is not one that "+operation+" returned for these filters.")
		}
		values = slices.DeleteFunc(slices.Clone(values), func(t T) bool { return id(t) <= after })
	}
	limit := 1000
	if p.MaxResults != nil {
		limit = *p.MaxResults
	}
	if len(values) <= limit {
		return values, "", nil
	}
	values = values[:limit]
	return values, base64.RawURLEncoding.EncodeToString([]byte(prefix + id(values[limit-1]))), nil
}

// describe is what every Describe call of a kind does: those with the ids, that pass the filters, a page of them, with what show adds of what
// is not stored.
func describe[T any](s *Service, call *wire.Call, k *kind[T], ids []string, p page, show func(tx *region.Txn, value *T)) (values []T, next string, err error) {
	for _, id := range ids {
		if err := k.check(id); err != nil {
			return nil, "", err
		}
	}
	err = s.State.View(func(tx *region.Txn) error {
		all := k.all(s, tx)
		if len(ids) > 0 {
			for _, id := range ids {
				if !slices.ContainsFunc(all, func(t T) bool { return k.id(t) == id }) {
					return k.notFound(id)
				}
			}
			all = slices.DeleteFunc(all, func(t T) bool { return !slices.Contains(ids, k.id(t)) })
		}
		if values, err = matching(all, p.Filters, k.filters, func(t T) []tag { return s.tagsOf(tx, k.id(t)) }); err != nil {
			return err
		}
		if values, next, err = cut(call.Operation, values, p, ids, k.id); err != nil {
			return err
		}
		for i := range values {
			show(tx, &values[i])
		}
		return nil
	})
	if err != nil {
		return nil, "", wrap(call, err)
	}
	return values, next, nil
}

func flag(b bool) string { return strconv.FormatBool(b) }
