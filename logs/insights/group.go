package insights

import (
	"context"
	"slices"
	"strings"
)

// groups are what stats collects.
type groups struct {
	run    *Run
	phase  *phase
	stats  *stats
	memory *budget
	byKey  map[string]*group
	key    []byte
	values []value
}

type group struct {
	by      []value
	tallies []tally
}

// groupBytes is what a group needs beside its key, and tallyBytes each of its tallies.
const groupBytes, tallyBytes = 128, 96

func (g *groups) add(e *env) error {
	g.values = g.values[:0]
	for _, by := range g.stats.by {
		g.values = append(g.values, by.eval(e))
	}
	one, err := g.group(g.values)
	if err != nil {
		return err
	}
	for _, t := range one.tallies {
		if err := t.add(e, g.memory); err != nil {
			return err
		}
	}
	return nil
}

// keyOf is one text for values, written over the one before.
func keyOf(key []byte, values []value) ([]byte, error) {
	key = key[:0]
	for _, v := range values {
		if v.kind != missing {
			key = append(append(key, 1), v.String()...)
		}
		if key = append(key, 0); len(key) > mostRow {
			return nil, errRow
		}
	}
	return key, nil
}

func (g *groups) group(by []value) (_ *group, err error) {
	if g.key, err = keyOf(g.key, by); err != nil {
		return nil, err
	}
	one := g.byKey[string(g.key)]
	if one != nil {
		return one, nil
	}
	one = &group{by: make([]value, len(by))}
	for i, v := range by {
		one.by[i] = v.keep()
	}
	for _, make := range g.stats.tallies {
		one.tallies = append(one.tallies, make())
	}
	g.byKey[string(g.key)] = one
	return one, g.memory.take(2*len(g.key) + groupBytes + tallyBytes*len(one.tallies))
}

func (g *groups) merge(other collector) error {
	for _, theirs := range other.(*groups).byKey {
		ours, err := g.group(theirs.by)
		if err != nil {
			return err
		}
		for i, t := range ours.tallies {
			if err := t.merge(theirs.tallies[i], g.memory); err != nil {
				return err
			}
		}
	}
	return nil
}

// rows are the groups by what they are grouped by: times backwards, all else forwards.
func (g *groups) rows() ([]row, bool, error) {
	if len(g.byKey) == 0 && len(g.stats.by) == 0 {
		if _, err := g.group(nil); err != nil { // of no events there is a count too
			return nil, false, err
		}
	}
	e, memory := g.run.env(g.phase.scope), &budget{left: g.run.memory} // fields beside aggregations are missing
	rows := make([]row, 0, len(g.byKey))
	for _, one := range g.byKey {
		if g.run.ctx.Err() != nil {
			return nil, false, context.Cause(g.run.ctx)
		}
		e.tallies, e.made = one.tallies, 0
		made := row{values: slices.Clone(one.by)}
		for _, column := range g.stats.columns {
			made.values = append(made.values, column.eval(e))
		}
		if err := memory.take(e.made); err != nil {
			return nil, false, err
		}
		rows = append(rows, made)
	}
	slices.SortFunc(rows, func(a, b row) int {
		for i := range g.stats.by {
			c := compare(a.values[i], b.values[i])
			if c != 0 && a.values[i].kind == moment {
				return -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
	return rows, false, nil
}

// deduped holds the first row of each key, in the order that is asked for.
type deduped struct {
	*sorted
	memory *budget
	byKey  map[string]row
	key    []byte
}

func (d *deduped) add(e *env) error {
	var few [4]value
	values := few[:0]
	for _, by := range d.phase.dedup {
		values = append(values, by.eval(e))
	}
	var err error
	if d.key, err = keyOf(d.key, values); err != nil {
		return err
	}
	keys := d.keysOf(e)
	if held, found := d.byKey[string(d.key)]; found && (d.keep || d.compareKeys(keys, held.keys) >= 0) {
		return nil
	}
	kept, err := keptRow(e, keys)
	if err != nil {
		return err
	}
	return d.put(string(d.key), kept)
}

func (d *deduped) put(key string, r row) error {
	old, found := d.byKey[key]
	if !found {
		key = strings.Clone(key)
		if d.keep { // in the order in which they come
			d.held = append(d.held, r)
		}
	}
	d.byKey[key] = r
	return d.memory.take(r.bytes - old.bytes + len(key))
}

func (d *deduped) merge(other collector) error {
	for key, r := range other.(*deduped).byKey {
		if held, found := d.byKey[key]; found && d.compareKeys(r.keys, held.keys) >= 0 {
			continue
		}
		if err := d.put(key, r); err != nil {
			return err
		}
	}
	return nil
}

func (d *deduped) rows() ([]row, bool, error) {
	if !d.keep {
		for _, r := range d.byKey {
			d.held = append(d.held, r)
		}
	}
	d.most = MostRows
	return d.sorted.rows()
}
