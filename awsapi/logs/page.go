package logs

import (
	"strings"

	"tripod/awsapi/wire"
)

// paged is the page of items that a token asks for and the next one's token, nil at the end. key names an item and
// orders the list; list is the operation with its filters, to which tokens are bound. limit is what the client asks
// for: without it the page has standard items.
func paged[T any](list []string, items []T, key func(T) string, limit *int32, standard int, token *string) ([]T,
	*string, error) {
	if limit != nil {
		standard = int(*limit)
	}
	page, next, ok := wire.Page(bound(list), standard, token, items, key)
	if !ok {
		return nil, nil, errToken
	}
	return page, next, nil
}

// bound is one text for a list and its filters.
func bound(list []string) string { return strings.Join(list, "\x00") }

// reversed orders as the text does, backwards.
func reversed(text string) string {
	turned := []byte(text + "\x00")
	for i := range turned {
		turned[i] = ^turned[i]
	}
	return string(turned)
}

// errToken is AWS's for a token that it did not give for the same call.
var errToken = invalid("The specified nextToken is invalid.")
