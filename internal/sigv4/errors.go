package sigv4

import (
	"errors"
	"fmt"
)

// ErrMissing says that a request is not signed at all.
var ErrMissing = errors.New("the request is not signed")

// Kind groups the reasons to refuse a signature, as AWS has error codes for them.
type Kind int

const (
	// Incomplete: the signature cannot be understood (IncompleteSignature).
	Incomplete Kind = iota
	// Mismatch: it is another signature than the one computed here, or does not cover what it must.
	Mismatch
	// Scope: the credential is scoped to another date, region or service.
	Scope
	// Expired: signed too long ago, or in the future.
	Expired
	// Payload: the body is not the one whose hash was signed.
	Payload
)

// Error is a refused signature. Message is one sentence for the client, in AWS's words where they are known;
// it holds no secret.
type Error struct {
	Kind    Kind
	Message string
}

func (e *Error) Error() string { return e.Message }

func incomplete(format string, args ...any) error {
	return &Error{Incomplete, fmt.Sprintf(format, args...)}
}
