package eks

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"sort"
	"strings"
)

const (
	// defaultPage is the page of who asks for no size, and largestPage the most that can be asked for.
	defaultPage, largestPage = 100, 100
	// pageBinding is how many bytes of a token tell the operation and filters that it belongs to.
	pageBinding = 12
)

// paging is the part of a list operation's input that says which page it means.
type paging struct {
	// operation and filters are what a token is bound to: one of another list, or of the same with other filters, is refused.
	operation string
	filters   []string
	max       *int32
	token     *string
}

// page is the page of items that p asks for and the token of the next one, nil at the end. key names an item and orders the list; a
// token holds the last key, so that items which come and go between two pages shift nothing. The page is never nil: EKS writes [].
func page[T any](p paging, items []T, key func(T) string) ([]T, *string, error) {
	size := defaultPage
	if p.max != nil {
		size = int(*p.max)
	}
	if size < 1 || size > largestPage {
		return nil, nil, about{}.invalidParameter("maxResults must be a number from 1 to %d.", largestPage)
	}
	after, err := p.after()
	if err != nil {
		return nil, nil, err
	}
	sorted := slices.Clone(items)
	slices.SortFunc(sorted, func(a, b T) int { return strings.Compare(key(a), key(b)) })
	first := 0
	if after != "" {
		first = sort.Search(len(sorted), func(i int) bool { return key(sorted[i]) > after })
	}
	rest := sorted[first:]
	if len(rest) <= size {
		return append([]T{}, rest...), nil, nil
	}
	token := base64.RawURLEncoding.EncodeToString([]byte(p.binding() + key(rest[size-1])))
	return rest[:size], &token, nil
}

// after is the key after which the page begins; empty for the first page.
func (p paging) after() (string, error) {
	if p.token == nil || *p.token == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(*p.token)
	last, bound := strings.CutPrefix(string(raw), p.binding())
	if err != nil || !bound || last == "" {
		return "", about{}.invalidParameter("nextToken is not one that %s returned for the same parameters; start again without it.", p.operation)
	}
	return last, nil
}

func (p paging) binding() string {
	sum := sha256.Sum256([]byte(p.operation + "\x00" + strings.Join(p.filters, "\x00")))
	return string(sum[:pageBinding])
}

// itself is the key of a list of names.
func itself(name string) string { return name }
