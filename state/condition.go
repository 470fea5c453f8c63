package state

// condition is what an Update has read, as it must still be where the proposal is decided: a record's revision (0: it
// was not there), or with an empty key a whole table's.
type condition struct {
	Kind     string `json:"kind"`
	Key      string `json:"key,omitempty"`
	Revision uint64 `json:"revision"`
	// Part is set where some of the table's records were read, since schema 2. Revision is that of the newest of them.
	Part *partCondition `json:"part,omitempty"`
}

// partCondition is about those records of a table whose keys, or whose places in one of its indexes, begin with a
// prefix.
type partCondition struct {
	Index  string `json:"index,omitempty"`
	Prefix string `json:"prefix,omitempty"`
	// Count is how many there were, where they were read. Together with the newest revision it says that they are the
	// same: each write gives its record a revision that is higher than all before, and a record that goes leaves fewer.
	Count int `json:"count,omitempty"`
	// Below and AtLeast bound how many there may be now, where only that was asked; 0: they do not.
	Below   int `json:"below,omitempty"`
	AtLeast int `json:"atLeast,omitempty"`
}

// conflict names the first of the conditions that no longer holds.
func (s *version) conflict(reads []condition) string {
	for _, c := range reads {
		switch {
		case c.Part != nil:
			if !s.holds(c) {
				return span{c.Kind, c.Part.Index, c.Part.Prefix}.String()
			}
		case c.Key == "":
			if s.revision(c.Kind) != c.Revision {
				return c.Kind
			}
		default:
			r := ref{c.Kind, c.Key}
			if rec, _ := s.record(r); rec.Revision != c.Revision {
				return r.String()
			}
		}
	}
	return ""
}

// holds says whether a condition about a part is still true.
func (s *version) holds(c condition) bool {
	records, part := s.records(c.Kind, c.Part.Index), c.Part
	if part.Count > 0 {
		count, newest := digest(records, part.Prefix)
		if count != part.Count || newest != c.Revision {
			return false
		}
	}
	if part.Below == 0 && part.AtLeast == 0 {
		return true
	}
	count := countWithin(records, part.Prefix)
	return count >= part.AtLeast && (part.Below == 0 || count < part.Below)
}

// digest is how many records a part has, and the newest revision of them.
func digest(records *tree, prefix string) (count int, newest uint64) {
	for _, rec := range within(records, prefix, "") {
		count, newest = count+1, max(newest, rec.Revision)
	}
	return count, newest
}

// span names a part of a table: the records whose keys, or whose places in an index, begin with prefix.
type span struct{ kind, index, prefix string }

// String is for people.
func (s span) String() string {
	switch {
	case s.index != "":
		return s.kind + " by " + s.index + " " + groupOf(s.prefix)
	case s.prefix != "":
		return s.kind + "/" + s.prefix + "*"
	}
	return s.kind
}

// place is where the record with that key stands in the span's tree, and key the other way round.
func (s span) place(key string) string {
	if s.index == "" {
		return key
	}
	return s.prefix + key
}

func (s span) key(place string) string {
	if s.index == "" {
		return place
	}
	return place[len(s.prefix):]
}

// bounds are what a transaction has read of a span: all of it, or whether it has fewer records than some number.
type bounds struct {
	all            bool
	below, atLeast int // 0: not asked
}

// condition is what the bounds demand of a span that the transaction read in that state.
func (b bounds) condition(s *version, sp span) condition {
	if b.all && sp.index == "" && sp.prefix == "" {
		return condition{Kind: sp.kind, Revision: s.revision(sp.kind)}
	}
	c := condition{Kind: sp.kind}
	c.Part = &partCondition{Index: sp.index, Prefix: sp.prefix, Below: b.below, AtLeast: b.atLeast}
	if b.all {
		c.Part.Below, c.Part.AtLeast = 0, 0 // the records themselves say more
		if c.Part.Count, c.Revision = digest(s.records(sp.kind, sp.index), sp.prefix); c.Part.Count == 0 {
			c.Part.Below = 1
		}
	}
	return c
}
