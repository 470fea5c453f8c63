package operation

import (
	"github.com/aws/smithy-go"

	"tripod/awsapi/wire"
	"tripod/iam"
)

// Model is what a service's model says of all inputs with published schemas.
type Model struct {
	// Constraints are those of all shapes.
	Constraints wire.Constraints
	// Refuse makes the error of a call whose input breaks the constraints, as the message says. Nil means InvalidInput.
	Refuse func(operation string, input *wire.Input, message string) error
	// Keys are the service's own condition keys of a call, and Passed the roles that it gives to services, once its
	// input is read. Nil means that there are none.
	Keys   func(*Call) iam.Keys
	Passed func(*Call) []PassedRole
}

// Typed makes an Action of a method that takes the SDK's input and gives the SDK's output: it decodes the input by the
// schema, refuses what breaks the model's constraints, and calls.
func Typed[In any, Out smithy.Serializable](model Model, handle func(*Call, *In) (Out, error)) Action {
	return typed(model, wire.InputSchema(any(new(In)).(smithy.Serializable)), handle, func(out Out) any { return out })
}

// TypedBy is Typed for an SDK whose types do not know their schemas: that of the input is given.
func TypedBy[In, Out any](model Model, schema *smithy.Schema, handle func(*Call, *In) (Out, error)) Action {
	return typed(model, schema, handle, func(out Out) any { return wire.SDKOutput{Shape: out} })
}

// TypedLowerBy is TypedBy for a service whose members' names begin with a small letter.
func TypedLowerBy[In, Out any](model Model, schema *smithy.Schema, handle func(*Call, *In) (Out, error)) Action {
	return typed(model, schema, handle, func(out Out) any { return wire.SDKOutput{Shape: out, Lower: true} })
}

func typed[In, Out any](model Model, schema *smithy.Schema, handle func(*Call, *In) (Out, error), shown func(Out) any) Action {
	return func(call *Call) (any, error) {
		in := new(In)
		if err := model.Decode(call, schema, in); err != nil {
			return nil, err
		}
		out, err := handle(call, in)
		if err != nil {
			return nil, err // not out: a nil pointer in an interface is not nil
		}
		return shown(out), nil
	}
}

// Decode reads a call's input into in, a pointer to the SDK's type, and validates it. Its tags are those that count for
// condition keys: what else the request has, such as a member of that name in another case, the service does not see.
func (m Model) Decode(call *Call, schema *smithy.Schema, in any) error {
	input, err := wire.InputOf(schema, wire.Parts{
		Labels: call.Labels, Params: call.Params, Header: call.header(), Body: call.Body,
	})
	if err != nil {
		return err
	}
	call.Input = input
	call.Keys = call.Keys.Without("aws:requesttag/", "aws:tagkeys").With(TagKeys(input.Tags()))
	if err := input.Into(in); err != nil {
		return err
	}
	if message := input.Validate(m.Constraints); message != "" {
		if m.Refuse == nil {
			return InvalidInput(message)
		}
		return m.Refuse(call.Operation, input, message)
	}
	if m.Keys != nil {
		call.Keys = call.Keys.With(m.Keys(call))
	}
	if m.Passed != nil {
		call.Passed = m.Passed(call)
	}
	return nil
}

// InvalidInput is the ValidationException with which most services refuse what breaks the model's constraints.
func InvalidInput(message string) error {
	return &wire.Error{Code: "ValidationException", Status: 400, Message: message}
}
