package state

import (
	"encoding/json"
	"slices"
	"strings"
)

// Index finds records of a table by what they hold, such as the access keys of an owner. A record is in as many groups
// as it says. No disk has it: each copy makes it of the records, so that whoever writes a record need not know of it.
// Because conditions of what is in the log name groups, what an index says of a record is as fixed as the record's
// form: a change of it needs a higher schemaVersion. The zero value is of no use.
type Index[T any] struct {
	kind, name string
	groups     func(T) []string
}

// NewIndex names an index of the table. groups are those of a record; none of them has a zero byte. It is of use once a
// Schema has it.
func NewIndex[T any](table Table[T], name string, groups func(T) []string) Index[T] {
	return Index[T]{table.kind, name, groups}
}

// Of are the records in a group.
func (i Index[T]) Of(group string) Part[T] { return Part[T]{span{i.kind, i.name, inGroup(group)}} }

// inGroup is how the places of a group's records in an index begin.
func inGroup(group string) string { return group + "\x00" }

// groupOf is inGroup's group.
func groupOf(prefix string) string { return strings.TrimSuffix(prefix, "\x00") }

// kindIndexes are the indexes of one kind of records.
type kindIndexes struct {
	kind  string
	names []string
	// groups are those of a record as it is stored, in each of the indexes. A record that cannot be read is in none.
	groups func(value json.RawMessage) [][]string
}

// Indexed are a table's indexes, for NewSchema.
func Indexed[T any](table Table[T], all ...Index[T]) TableIndexes {
	k := TableIndexes{kind: table.kind}
	for _, index := range all {
		k.names = append(k.names, index.name)
	}
	k.groups = func(value json.RawMessage) [][]string {
		groups := make([][]string, len(all))
		var typed T
		if json.Unmarshal(value, &typed) != nil {
			return groups
		}
		for i, index := range all {
			groups[i] = index.groups(typed)
		}
		return groups
	}
	return k
}

// has says whether a record is, in the index of that number, in the group of which the places begin with prefix.
func (k kindIndexes) has(index int, value json.RawMessage, prefix string) bool {
	return slices.Contains(k.groups(value)[index], groupOf(prefix))
}
