package state

import (
	"iter"
	"sort"
	"strings"

	"github.com/tidwall/btree"
)

// tree holds records in the order of their keys. A Copy costs next to nothing: the two share what neither changes
// afterwards. Readers of one that is no longer changed need no lock, also while it is copied.
type tree = btree.Map[string, record]

// within are the records of the tree whose keys begin with prefix and are not less than from, in order.
func within(t *tree, prefix, from string) iter.Seq2[string, record] {
	return func(yield func(string, record) bool) {
		t.Ascend(max(prefix, from), func(key string, rec record) bool {
			return strings.HasPrefix(key, prefix) && yield(key, rec)
		})
	}
}

// countWithin is the number of records whose keys begin with prefix. They stand together, so that their first and last
// tell it: it costs the same however many they are.
func countWithin(t *tree, prefix string) int {
	if prefix == "" {
		return t.Len()
	}
	keyAt := func(place int) string { key, _, _ := t.GetAt(place); return key }
	first := sort.Search(t.Len(), func(i int) bool { return keyAt(i) >= prefix })
	return sort.Search(t.Len()-first, func(i int) bool { return !strings.HasPrefix(keyAt(first+i), prefix) })
}
