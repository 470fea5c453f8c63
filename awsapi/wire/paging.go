package wire

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"sort"
	"strings"
)

// pageBinding is how many bytes of a token tell the list that it belongs to.
const pageBinding = 12

// Page is the page of at most size items that comes after a token (nil or empty: the first), and the token of the next
// one, nil at the end. list names the operation and its filters: the token of another list is refused, and ok false.
// key names an item and orders the list; a token holds the last key, so that items which come and go between two pages
// shift nothing. The page is never nil: services write [].
func Page[T any](list string, size int, token *string, items []T, key func(T) string) (page []T, next *string,
	ok bool) {
	after := ""
	if token != nil && *token != "" {
		if after, ok = AfterToken(list, *token); !ok {
			return nil, nil, false
		}
	}
	sorted := slices.Clone(items)
	slices.SortFunc(sorted, func(a, b T) int { return strings.Compare(key(a), key(b)) })
	first := 0
	if after != "" {
		first = sort.Search(len(sorted), func(i int) bool { return key(sorted[i]) > after })
	}
	rest := sorted[first:]
	if len(rest) <= size {
		return append([]T{}, rest...), nil, true
	}
	text := Token(list, key(rest[size-1]))
	return rest[:size], &text, true
}

// Token is what Page gives for the page behind the item with that key, which is not empty.
func Token(list, last string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(binding(list) + last))
}

// AfterToken is the key behind which the page of a token begins; ok is false where the token is not that list's.
func AfterToken(list, token string) (last string, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	last, bound := strings.CutPrefix(string(raw), binding(list))
	return last, err == nil && bound && last != ""
}

func binding(list string) string {
	sum := sha256.Sum256([]byte(list))
	return string(sum[:pageBinding])
}
