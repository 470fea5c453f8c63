package eks

import (
	"strings"

	"tripod/awsapi/wire"
)

// defaultPage is the page of who asks for no size, and largestPage the most that can be asked for.
const defaultPage, largestPage = 100, 100

// paging is the part of a list operation's input that says which page it means.
type paging struct {
	// operation and filters are what a token is bound to: one of another list, or of the same with other filters, is refused.
	operation string
	filters   []string
	max       *int32
	token     *string
}

// page is the page of items that p asks for and the token of the next one, nil at the end. See wire.Page.
func page[T any](p paging, items []T, key func(T) string) ([]T, *string, error) {
	size := defaultPage
	if p.max != nil {
		size = int(*p.max)
	}
	if size < 1 || size > largestPage {
		return nil, nil, about{}.invalidParameter("maxResults must be a number from 1 to %d.", largestPage)
	}
	part, next, ok := wire.Page(p.operation+"\x00"+strings.Join(p.filters, "\x00"), size, p.token, items, key)
	if !ok {
		return nil, nil, about{}.invalidParameter("nextToken is not one that %s returned for the same parameters; start again without it.", p.operation)
	}
	return part, next, nil
}

// itself is the key of a list of names.
func itself(name string) string { return name }
