package state

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
)

// Table is one kind of record of the regional state, stored as JSON under a key: a variable that NewTable makes. The
// zero value is of no use.
type Table[T any] struct{ kind string }

// NewTable names a kind of record, such as "nodegroup". A kind belongs to one package, and its name stays for good: it
// is on disk.
func NewTable[T any](kind string) Table[T] {
	if kinds[kind] != nil {
		panic(fmt.Sprintf("two tables are called %q", kind))
	}
	kinds[kind] = reflect.TypeFor[T]()
	return Table[T]{kind}
}

// kinds are the types of all records, by their kinds. Tables are made while packages are initialized, one after the other.
var kinds = map[string]reflect.Type{}

// Kinds are the types of the records that the program has, by their kinds.
func Kinds() map[string]reflect.Type { return maps.Clone(kinds) }

// Get returns the record with that key as the transaction sees it, its own writes included, and whether there is one.
// The record is the caller's copy. That it was read, or found missing, becomes a condition of an Update's success.
func (t Table[T]) Get(tx *Txn, key string) (T, bool) {
	var value T
	raw, ok := tx.get(ref{t.kind, key})
	if !ok {
		return value, false
	}
	if err := json.Unmarshal(raw, &value); err != nil {
		tx.fail(fmt.Errorf("read %s %q: %w", t.kind, key, err))
		return value, false
	}
	return value, true
}

// Put buffers the record, new or changed, under key (not empty). Nobody sees it before the Update succeeds.
// In a View, or when the record has no JSON form, the transaction fails once its function returns.
func (t Table[T]) Put(tx *Txn, key string, value T) {
	raw, err := json.Marshal(value)
	if err != nil {
		tx.fail(fmt.Errorf("write %s %q: %w", t.kind, key, err))
		return
	}
	tx.write(ref{t.kind, key}, raw)
}

// Delete buffers the removal of the record; one that does not exist is no error.
func (t Table[T]) Delete(tx *Txn, key string) { tx.write(ref{t.kind, key}, nil) }

// List returns all records as the transaction sees them, sorted by key. It makes the whole table a condition of an
// Update's success: whatever is written to the table meanwhile is a conflict.
func (t Table[T]) List(tx *Txn) []T { return t.Under(tx, "") }

// Under is List for those records whose keys begin with prefix. The others are no condition.
func (t Table[T]) Under(tx *Txn, prefix string) []T { return t.Part(prefix).List(tx) }
