package eks

import (
	"github.com/aws/smithy-go"

	"tripod/awsapi/wire"
)

//go:generate go run ../../internal/constraints -model $EKS_MODEL -sdk $EKS_SDK -package eks -out constraints_gen.go

// Action answers one operation: its output, or an error (a *wire.Error for the client's eyes).
type Action func(*wire.Call) (smithy.Serializable, error)

// typed makes an Action of a method that takes the SDK's input and gives the SDK's output: it decodes by the schema, refuses what breaks the
// model's constraints, and calls.
func typed[In any, Out smithy.Serializable](handle func(*wire.Call, *In) (Out, error)) Action {
	schema := wire.InputSchema(any(new(In)).(smithy.Serializable))
	return func(call *wire.Call) (smithy.Serializable, error) {
		in := new(In)
		if err := read(call, schema, in); err != nil {
			return nil, err
		}
		out, err := handle(call, in)
		if err != nil {
			return nil, err // not out: a nil pointer in an interface is not nil
		}
		return out, nil
	}
}

// read decodes a call's input into in and validates it.
func read(call *wire.Call, schema *smithy.Schema, in any) error {
	input, err := wire.InputOf(call, schema)
	if err != nil {
		return err
	}
	if err := input.Into(in); err != nil {
		return err
	}
	if message := input.Validate(constraints); message != "" {
		return refusal(call.Operation, input, message)
	}
	return nil
}

// refusal is the operation's own exception for a value that breaks the constraints, with the names that the input has.
func refusal(operation string, input *wire.Input, message string) error {
	a := about{
		cluster: input.Text("clusterName"), nodegroup: input.Text("nodegroupName"),
		fargateProfile: input.Text("fargateProfileName"), addon: input.Text("addonName"),
	}
	switch refusals[operation] {
	case "BadRequestException":
		return badRequest("%s", message)
	case "InvalidRequestException":
		return a.invalidRequest("%s", message)
	}
	return a.invalidParameter("%s", message)
}
