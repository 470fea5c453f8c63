package logs

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/schemas"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"tripod/awsapi/wire"
)

// The exceptions of the service's model. The message is a format for one sentence that the client sees.

// invalid is InvalidParameterException.
func invalid(format string, args ...any) error {
	return wire.Modelled(&types.InvalidParameterException{Message: sentence(format, args)},
		schemas.InvalidParameterException)
}

// notFound is ResourceNotFoundException.
func notFound(format string, args ...any) error {
	return wire.Modelled(&types.ResourceNotFoundException{Message: sentence(format, args)},
		schemas.ResourceNotFoundException)
}

// exists is ResourceAlreadyExistsException.
func exists(format string, args ...any) error {
	return wire.Modelled(&types.ResourceAlreadyExistsException{Message: sentence(format, args)},
		schemas.ResourceAlreadyExistsException)
}

// limitExceeded is LimitExceededException.
func limitExceeded(format string, args ...any) error {
	return wire.Modelled(&types.LimitExceededException{Message: sentence(format, args)}, schemas.LimitExceededException)
}

// protected is the ValidationException of a group that must not be deleted, or that is of another class.
func protected(format string, args ...any) error {
	return wire.Modelled(&types.ValidationException{Message: sentence(format, args)}, schemas.ValidationException)
}

// invalidOperation is InvalidOperationException.
func invalidOperation(format string, args ...any) error {
	return wire.Modelled(&types.InvalidOperationException{Message: sentence(format, args)}, schemas.InvalidOperationException)
}

// tooManyTags is TooManyTagsException.
func tooManyTags(arn string) error {
	return wire.Modelled(&types.TooManyTagsException{Message: sentence("A resource has at most %d tags.",
		[]any{maxTags}), ResourceName: &arn}, schemas.TooManyTagsException)
}

// unavailable is ServiceUnavailableException, which SDKs retry.
func unavailable(format string, args ...any) error {
	return wire.Modelled(&types.ServiceUnavailableException{Message: sentence(format, args)},
		schemas.ServiceUnavailableException)
}

func sentence(format string, args []any) *string {
	text := fmt.Sprintf(format, args...)
	return &text
}

var (
	errNoGroup  = notFound("The specified log group does not exist.")
	errNoStream = notFound("The specified log stream does not exist.")
)
