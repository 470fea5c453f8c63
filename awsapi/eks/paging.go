package eks

import (
	"iter"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"tripod/awsapi/wire"
)

// defaultPage is the page of who asks for no size, and largestPage the most that can be asked for.
const defaultPage, largestPage = 100, 100

// paging is the part of a list operation's input that says which page it means.
type paging struct {
	// operation and filters are what a token is bound to: one of another list, or of the same with other filters, is
	// refused.
	operation string
	filters   []string
	max       *int32
	token     *string
}

// size is that of the page.
func (p paging) size() (int, error) {
	size := defaultPage
	if p.max != nil {
		size = int(*p.max)
	}
	if size < 1 || size > largestPage {
		return 0, about{}.invalidParameter("maxResults must be a number from 1 to %d.", largestPage)
	}
	return size, nil
}

// list names the list to which tokens are bound.
func (p paging) list() string { return p.operation + "\x00" + strings.Join(p.filters, "\x00") }

func (p paging) foreignToken() error {
	return about{}.invalidParameter("nextToken is not one that %s returned for the same parameters; start again "+
		"without it.", p.operation)
}

// page is the page of items that p asks for and the token of the next one, nil at the end. See wire.Page.
func page[T any](p paging, items []T, key func(T) string) ([]T, *string, error) {
	size, err := p.size()
	if err != nil {
		return nil, nil, err
	}
	part, next, ok := wire.Page(p.list(), size, p.token, items, key)
	if !ok {
		return nil, nil, p.foreignToken()
	}
	return part, next, nil
}

// pageOf is page of items that from gives behind a key, sorted by their keys. It is read no further than the page
// needs.
func pageOf[T any](p paging, from func(after string) iter.Seq2[string, T]) ([]T, *string, error) {
	size, err := p.size()
	if err != nil {
		return nil, nil, err
	}
	after := ""
	if token := aws.ToString(p.token); token != "" {
		known := false
		if after, known = wire.AfterToken(p.list(), token); !known {
			return nil, nil, p.foreignToken()
		}
	}
	items, last := []T{}, ""
	for key, item := range from(after) {
		if len(items) == size {
			return items, aws.String(wire.Token(p.list(), last)), nil
		}
		items, last = append(items, item), key
	}
	return items, nil, nil
}

// itsOwnKey gives pageOf a list of names.
func itsOwnKey(names iter.Seq[string]) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for name := range names {
			if !yield(name, name) {
				return
			}
		}
	}
}

// itself is the key of a list of names.
func itself(name string) string { return name }
