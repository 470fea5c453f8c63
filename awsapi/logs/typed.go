package logs

import (
	"github.com/aws/smithy-go"

	"tripod/awsapi/wire"
)

//go:generate go run ../../internal/constraints -model $LOGS_MODEL -sdk $LOGS_SDK -package logs -out constraints_gen.go

// typed makes an action of a method that takes the SDK's input and gives the SDK's output.
func typed[In any, Out smithy.Serializable](handle func(*wire.Call, *In) (Out, error)) wire.Action {
	refuse := func(_ string, _ *wire.Input, message string) error { return invalid("%s", message) }
	return wire.Typed(constraints, refuse, handle)
}
