package ec2

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"path"
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/state"
)

// page is what a Describe call takes to be given in parts.
type page struct {
	Filters    []filter `ec2:"Filter"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
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

// wildcard says whether value fits a pattern in which * is any text and ? any character; a backslash makes them
// ordinary.
func wildcard(pattern, value string) bool {
	if !strings.ContainsAny(pattern, `*?\`) {
		return pattern == value
	}
	fits, err := path.Match(literal.Replace(pattern), strings.ReplaceAll(value, "/", "\x00"))
	return err == nil && fits
}

// cut is the page of values that a call asks for, and the token of the next. A token belongs to the call that got it:
// the same operation and filters. ids are those asked for, with which MaxResults does not go.
func cut[T any](operation string, values []T, p page, ids []string, id func(T) string) ([]T, string, error) {
	if p.MaxResults != nil && (*p.MaxResults < 5 || *p.MaxResults > 1000) {
		return nil, "", refuse("InvalidParameterValue", "Value (%d) for parameter maxResults is invalid. Expecting a "+
			"value between 5 and 1000.", *p.MaxResults)
	}
	if p.MaxResults != nil && len(ids) > 0 {
		return nil, "", refuse("InvalidParameterCombination",
			"The parameter maxResults cannot be used with ids in the same call.")
	}
	asked, _ := json.Marshal(p.Filters)
	sum := sha256.Sum256(append([]byte(operation+"\x00"), asked...))
	prefix := hex.EncodeToString(sum[:8]) + ":"
	if p.NextToken != "" {
		text, err := base64.RawURLEncoding.DecodeString(p.NextToken)
		after, found := strings.CutPrefix(string(text), prefix)
		if err != nil || !found {
			return nil, "", refuse("InvalidNextToken", "The NextToken is not one that %s returned for these filters.", operation)
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

// describe is what every Describe call of a kind does: those with the ids, that pass the filters, a page of them, with
// what show adds of what is not stored.
func describe[T any](s *Service, call *operation.Call, k *kind[T], ids []string, p page,
	show func(tx *state.Txn, value *T)) (values []T, next string, err error) {
	for _, id := range ids {
		if err := k.check(id); err != nil {
			return nil, "", err
		}
	}
	err = s.State.View(func(tx *state.Txn) error {
		var all []T
		if len(ids) == 0 {
			all = k.all(s, tx)
		} else if all, err = k.named(s, tx, ids); err != nil {
			return err
		}
		shown := len(p.Filters) > 0 // filters look at all that is shown
		if shown {
			showAll(tx, all, show)
		}
		if values, err = matching(call.Operation, all, p.Filters,
			func(t T) []tag { return s.tagsOf(tx, k.id(t)) }); err != nil {
			return err
		}
		if values, next, err = cut(call.Operation, values, p, ids, k.id); err != nil {
			return err
		}
		if !shown {
			showAll(tx, values, show)
		}
		return nil
	})
	if err != nil {
		return nil, "", wrap(call, err)
	}
	return values, next, nil
}

func showAll[T any](tx *state.Txn, values []T, show func(tx *state.Txn, value *T)) {
	for i := range values {
		show(tx, &values[i])
	}
}
