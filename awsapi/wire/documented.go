package wire

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
