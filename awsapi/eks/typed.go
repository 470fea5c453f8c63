package eks

import (
	"github.com/aws/smithy-go"

	"tripod/awsapi/wire"
)

//go:generate go run ../../internal/constraints -model $EKS_MODEL -sdk $EKS_SDK -package eks -out constraints_gen.go

// Action answers one operation.
type Action = wire.Action

// typed makes an Action of a method that takes the SDK's input and gives the SDK's output.
func typed[In any, Out smithy.Serializable](handle func(*wire.Call, *In) (Out, error)) Action {
	return wire.Typed(constraints, refusal, func(call *wire.Call, in *In) (Out, error) {
		call.Keys, call.Passed = call.Keys.With(requestKeys(call)), passedRoles(call)
		return handle(call, in)
	})
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
