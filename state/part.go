package state

import (
	"encoding/json"
	"fmt"
	"iter"
)

// Part is some of a table's records: all whose keys begin with a prefix, or a group of an index. What is read of it
// becomes a condition of an Update's success, and no more: what others write elsewhere in the table is no conflict.
type Part[T any] struct{ span }

// Part are the records whose keys begin with prefix; with an empty one, all.
func (t Table[T]) Part(prefix string) Part[T] { return Part[T]{span{t.kind, "", prefix}} }

// List returns the part's records as the transaction sees them, sorted by key.
func (p Part[T]) List(tx *Txn) []T {
	values := []T{}
	for _, value := range p.After(tx, "") {
		values = append(values, value)
	}
	return values
}

// After are the part's records behind the one with that key (empty: from the first on) and their keys, sorted by key.
// They are read one by one: who needs a page of them pays for that alone.
func (p Part[T]) After(tx *Txn, key string) iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		for key, raw := range tx.scan(p.span, key) {
			var value T
			if err := json.Unmarshal(raw, &value); err != nil {
				tx.fail(fmt.Errorf("read %s %q: %w", p.kind, key, err))
				continue
			}
			if !yield(key, value) {
				return
			}
		}
	}
}

// KeysAfter is After for who needs the keys alone.
func (p Part[T]) KeysAfter(tx *Txn, key string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for key := range tx.scan(p.span, key) {
			if !yield(key) {
				return
			}
		}
	}
}

// Count is how many records the part has. It costs the same however many they are. In an Update others may write them,
// as long as the number stays.
func (p Part[T]) Count(tx *Txn) int {
	n, _ := tx.count(p.span)
	p.Fewer(tx, n+1)
	p.Fewer(tx, n)
	return n
}

// Fewer says whether the part has fewer than n records. Others may write and add records while an Update runs, as long
// as that stays as it was: so a limit is kept without those who create being in each other's way.
func (p Part[T]) Fewer(tx *Txn, n int) bool { return tx.fewer(p.span, n) }

// Empty says whether the part has no records.
func (p Part[T]) Empty(tx *Txn) bool { return p.Fewer(tx, 1) }

// Version tells whether the part is as it was: a View that gets the same twice would read the same records. It costs a
// walk over their places, and reads none of them.
func (p Part[T]) Version(tx *Txn) PartVersion {
	count, newest := digest(tx.version.records(p.kind, p.index), p.prefix)
	return PartVersion{count, newest}
}

// PartVersion compares by ==. The zero value is that of an empty part.
type PartVersion struct {
	count  int
	newest uint64
}
