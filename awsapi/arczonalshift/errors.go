package arczonalshift

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/arczonalshift/schemas"
	"github.com/aws/aws-sdk-go-v2/service/arczonalshift/types"

	"tripod/awsapi/wire"
)

// The modelled exceptions. The message is a format for one sentence that the client sees.

func notFound(format string, args ...any) error {
	return wire.Modelled(&types.ResourceNotFoundException{Message: aws.String(fmt.Sprintf(format, args...))},
		schemas.ResourceNotFoundException)
}

// invalid is ValidationException; the reason is empty where the model has none that fits.
func invalid(reason types.ValidationExceptionReason, format string, args ...any) error {
	if reason == "" {
		reason = types.ValidationExceptionReasonMissingValue
	}
	return wire.Modelled(&types.ValidationException{Message: aws.String(fmt.Sprintf(format, args...)), Reason: reason},
		schemas.ValidationException)
}

func conflict(reason types.ConflictExceptionReason, shiftID, format string, args ...any) error {
	exception := &types.ConflictException{Message: aws.String(fmt.Sprintf(format, args...)), Reason: reason}
	if shiftID != "" {
		exception.ZonalShiftId = &shiftID
	}
	return wire.Modelled(exception, schemas.ConflictException)
}
