package wire

import "github.com/aws/smithy-go"

// Action answers one operation of a service with published schemas: its output, or an error (an *Error for the client's eyes).
type Action func(*Call) (smithy.Serializable, error)

// Refuse makes the error of an operation whose input breaks the model's constraints, as the message says.
type Refuse func(operation string, input *Input, message string) error

// Typed makes an Action of a method that takes the SDK's input and gives the SDK's output: it decodes by the schema, refuses what breaks the
// model's constraints, and calls.
func Typed[In any, Out smithy.Serializable](constraints Constraints, refuse Refuse, handle func(*Call, *In) (Out, error)) Action {
	schema := InputSchema(any(new(In)).(smithy.Serializable))
	return func(call *Call) (smithy.Serializable, error) {
		in := new(In)
		if err := Read(call, schema, in, constraints, refuse); err != nil {
			return nil, err
		}
		out, err := handle(call, in)
		if err != nil {
			return nil, err // not out: a nil pointer in an interface is not nil
		}
		return out, nil
	}
}

// Read decodes a call's input into in, a pointer to the SDK's type, and validates it. Its tags are those that count for condition keys: what else the
// request has, such as a member of that name in another case, the service does not see.
func Read(call *Call, schema *smithy.Schema, in any, constraints Constraints, refuse Refuse) error {
	input, err := InputOf(call, schema)
	if err != nil {
		return err
	}
	call.Input = input
	call.Keys = call.Keys.Without("aws:requesttag/", "aws:tagkeys").With(input.tagKeys())
	if err := input.Into(in); err != nil {
		return err
	}
	if message := input.Validate(constraints); message != "" {
		return refuse(call.Operation, input, message)
	}
	return nil
}

// InvalidInput is the ValidationException with which most services refuse what breaks the model's constraints.
func InvalidInput(_ string, _ *Input, message string) error {
	return &Error{Code: "ValidationException", Status: 400, Message: message}
}
