package state

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

// scan are the records of a span behind the one with the key after, as the transaction sees them, by their keys in
// order.
func (tx *Txn) scan(sp span, after string) iter.Seq2[string, json.RawMessage] {
	own := tx.own(sp)
	tx.note(sp, bounds{all: true})
	return func(yield func(string, json.RawMessage) bool) {
		pending := slices.DeleteFunc(slices.Sorted(maps.Keys(own)), func(key string) bool { return key <= after })
		from := ""
		if after != "" {
			from = sp.place(after + "\x00") // the least that is greater
		}
		for place, rec := range within(tx.version.records(sp.kind, sp.index), sp.prefix, from) {
			key := sp.key(place)
			for ; len(pending) > 0 && pending[0] < key; pending = pending[1:] {
				if raw := own[pending[0]]; raw != nil && !yield(pending[0], raw) {
					return
				}
			}
			if _, changed := own[key]; !changed && !yield(key, rec.Value) {
				return
			}
		}
		for _, key := range pending {
			if raw := own[key]; raw != nil && !yield(key, raw) {
				return
			}
		}
	}
}

// own are the transaction's own writes that a span has to do with, by key: the record, or nil where it is not in the
// span, or not any more.
func (tx *Txn) own(sp span) map[string]json.RawMessage {
	ours := tx.version.schema.byKind[sp.kind]
	index := slices.Index(ours.names, sp.index)
	if sp.index != "" && index < 0 {
		tx.fail(fmt.Errorf("read %s: there is no such index", sp))
		return nil
	}
	var own map[string]json.RawMessage
	for r, raw := range tx.writes {
		switch {
		case r.kind != sp.kind, sp.index == "" && !strings.HasPrefix(r.key, sp.prefix):
			continue
		case sp.index != "" && raw != nil && !ours.has(index, raw, sp.prefix):
			raw = nil
		}
		if own == nil {
			own = map[string]json.RawMessage{}
		}
		own[r.key] = raw
	}
	return own
}

// count is how many records the span has as the transaction sees it, and added how many of them are there by its own
// writes; less than none where those took some away. Whether a record that it wrote was there before becomes a
// condition, since added depends on it.
func (tx *Txn) count(sp span) (all, added int) {
	records := tx.version.records(sp.kind, sp.index)
	for key, raw := range tx.own(sp) {
		tx.stored(ref{sp.kind, key})
		if _, was := records.Get(sp.place(key)); was {
			added--
		}
		if raw != nil {
			added++
		}
	}
	return countWithin(records, sp.prefix) + added, added
}

// fewer says whether the span has fewer than n records, and makes that a condition.
func (tx *Txn) fewer(sp span, n int) bool {
	all, added := tx.count(sp)
	if all < n {
		tx.note(sp, bounds{below: n - added})
		return true
	}
	tx.note(sp, bounds{atLeast: n - added})
	return false
}

// note adds to what an Update has read of a span. The narrowest bounds count.
func (tx *Txn) note(sp span, b bounds) {
	if tx.readOnly {
		return
	}
	known := tx.parts[sp]
	known.all = known.all || b.all
	known.atLeast = max(known.atLeast, b.atLeast)
	if b.below > 0 && (known.below == 0 || b.below < known.below) {
		known.below = b.below
	}
	tx.parts[sp] = known
}
