package state

import (
	"encoding/json"
	"maps"
)

// record is a stored value and the log index that last wrote it.
type record struct {
	Revision uint64          `json:"revision"`
	Value    json.RawMessage `json:"value"`
}

// table is all records of a kind. revision is the log index that last wrote or deleted one.
type table struct {
	revision uint64
	records  *tree
	kind     kindIndexes
	// indexes are the same records once more, by the name of each of the kind's indexes. Their keys there are the
	// group, a zero byte and the record's key.
	indexes map[string]*tree
}

func (s Schema) newTable(kind string) *table {
	t := &table{records: new(tree), kind: s.byKind[kind], indexes: map[string]*tree{}}
	for _, name := range t.kind.names {
		t.indexes[name] = new(tree)
	}
	return t
}

// copy is a table that can be changed while others read this one.
func (t *table) copy() *table {
	next := &table{t.revision, t.records.Copy(), t.kind, make(map[string]*tree, len(t.indexes))}
	for name, index := range t.indexes {
		next.indexes[name] = index.Copy()
	}
	return next
}

// put stores the record; one with a nil value is none: what is there under the key is deleted. Whatever happens, the
// indexes follow.
func (t *table) put(key string, rec record) {
	before, there := t.records.Get(key)
	if rec.Value == nil {
		t.records.Delete(key)
	} else {
		t.records.Set(key, rec)
	}
	if len(t.kind.names) == 0 {
		return
	}
	if there {
		for i, groups := range t.kind.groups(before.Value) {
			for _, group := range groups {
				t.indexes[t.kind.names[i]].Delete(inGroup(group) + key)
			}
		}
	}
	if rec.Value != nil {
		for i, groups := range t.kind.groups(rec.Value) {
			for _, group := range groups {
				t.indexes[t.kind.names[i]].Set(inGroup(group)+key, rec)
			}
		}
	}
}

// version is the state at one log index. It never changes: a change makes a new version that shares the tables it did
// not touch, and of the others what it did not touch. So readers need no lock, and a slow one holds nobody up.
type version struct {
	schema Schema
	index  uint64
	tables map[string]*table
}

// noRecords stands for what is not there. Nothing is ever put into it.
var noRecords = new(tree)

// records are those of a kind, or of one of its indexes where that is not empty.
func (s *version) records(kind, index string) *tree {
	t := s.tables[kind]
	switch {
	case t == nil:
		return noRecords
	case index == "":
		return t.records
	case t.indexes[index] == nil:
		return noRecords
	}
	return t.indexes[index]
}

func (s *version) record(r ref) (record, bool) { return s.records(r.kind, "").Get(r.key) }

func (s *version) revision(kind string) uint64 {
	if t := s.tables[kind]; t != nil {
		return t.revision
	}
	return 0
}

// with returns the version after the writes, made at that log index.
func (s *version) with(index uint64, writes []recordOrDelete) *version {
	next := &version{schema: s.schema, index: index, tables: s.tables}
	if len(writes) == 0 {
		return next
	}
	next.tables = maps.Clone(s.tables)
	fresh := map[string]bool{}
	for _, w := range writes {
		if !fresh[w.Kind] {
			t := s.schema.newTable(w.Kind)
			if old := s.tables[w.Kind]; old != nil {
				t = old.copy()
			}
			t.revision = index
			next.tables[w.Kind], fresh[w.Kind] = t, true
		}
		next.tables[w.Kind].put(w.Key, record{Revision: index, Value: w.Value})
	}
	return next
}
