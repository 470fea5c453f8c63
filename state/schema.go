package state

// Schema says which indexes a state keeps of its records. All voters of a region must have the same, and so must
// whoever reads what they left on disk. The zero value has no indexes; tables need no entry in it.
type Schema struct{ byKind map[string]kindIndexes }

// NewSchema is the schema with these tables' indexes. A table is in it once at most.
func NewSchema(all ...TableIndexes) Schema {
	s := Schema{map[string]kindIndexes{}}
	for _, one := range all {
		s.byKind[one.kind] = kindIndexes(one)
	}
	return s
}

// TableIndexes are the indexes of one table: see Indexed.
type TableIndexes kindIndexes
