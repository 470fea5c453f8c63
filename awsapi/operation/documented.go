package operation

import (
	"slices"
	"strings"
)

// State is how far Tripod does an operation.
type State string

const (
	// Works: it does here what it does in AWS, as far as its effect says.
	Works State = "works"
	// Recorded: what is asked is checked, kept and shown again, and nothing beside that changes.
	Recorded State = "recorded"
	// Refused: the call is answered with an error that names the operation.
	Refused State = "refused"
)

// Documented is one operation's line in docs/operations.md.
type Documented struct {
	Operation string
	State     State
	// Effect is the real effect in one clause, without a full stop; for what is recorded or refused, what is missing.
	Effect string
}

// Clause says of all operations whose names contain one of Words how far they go.
type Clause struct {
	Words  []string
	State  State
	Effect string
}

// DocumentBy makes the lines of operations, in their order, each by the first clause that speaks of it.
func DocumentBy(operations []string, clauses []Clause) []Documented {
	lines := make([]Documented, len(operations))
	for i, name := range operations {
		lines[i].Operation = name
		for _, c := range clauses {
			if slices.ContainsFunc(c.Words, func(word string) bool { return strings.Contains(name, word) }) {
				lines[i].State, lines[i].Effect = c.State, c.Effect
				break
			}
		}
	}
	return lines
}
