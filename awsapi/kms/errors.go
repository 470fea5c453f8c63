package kms

import (
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms/schemas"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
)

// The modelled exceptions. The message is a format for one sentence that the client sees.

func notFound(format string, args ...any) error {
	return wire.Modelled(&types.NotFoundException{Message: sentence(format, args)}, schemas.NotFoundException)
}

// isNotFound says whether an error is that something is not there.
func isNotFound(err error) bool {
	var e *wire.Error
	return errors.As(err, &e) && e.Code == (&types.NotFoundException{}).ErrorCode()
}

func alreadyExists(format string, args ...any) error {
	return wire.Modelled(&types.AlreadyExistsException{Message: sentence(format, args)}, schemas.AlreadyExistsException)
}

func disabledKey(format string, args ...any) error {
	return wire.Modelled(&types.DisabledException{Message: sentence(format, args)}, schemas.DisabledException)
}

func invalidState(format string, args ...any) error {
	return wire.Modelled(&types.KMSInvalidStateException{Message: sentence(format, args)},
		schemas.KMSInvalidStateException)
}

func invalidARN(format string, args ...any) error {
	return wire.Modelled(&types.InvalidArnException{Message: sentence(format, args)}, schemas.InvalidArnException)
}

func invalidCiphertext(format string, args ...any) error {
	return wire.Modelled(&types.InvalidCiphertextException{Message: sentence(format, args)},
		schemas.InvalidCiphertextException)
}

func incorrectKey(format string, args ...any) error {
	return wire.Modelled(&types.IncorrectKeyException{Message: sentence(format, args)}, schemas.IncorrectKeyException)
}

func invalidGrant(format string, args ...any) error {
	return wire.Modelled(&types.InvalidGrantIdException{Message: sentence(format, args)}, schemas.InvalidGrantIdException)
}

func invalidMarker(format string, args ...any) error {
	return wire.Modelled(&types.InvalidMarkerException{Message: sentence(format, args)}, schemas.InvalidMarkerException)
}

func malformedPolicy(format string, args ...any) error {
	return wire.Modelled(&types.MalformedPolicyDocumentException{Message: sentence(format, args)},
		schemas.MalformedPolicyDocumentException)
}

func limitExceeded(format string, args ...any) error {
	return wire.Modelled(&types.LimitExceededException{Message: sentence(format, args)}, schemas.LimitExceededException)
}

func badTag(format string, args ...any) error {
	return wire.Modelled(&types.TagException{Message: sentence(format, args)}, schemas.TagException)
}

// incorrectMaterial is IncorrectKeyMaterialException.
func incorrectMaterial(format string, args ...any) error {
	return wire.Modelled(&types.IncorrectKeyMaterialException{Message: sentence(format, args)},
		schemas.IncorrectKeyMaterialException)
}

func invalidImportToken() error {
	return wire.Modelled(&types.InvalidImportTokenException{Message: aws.String("The import token is invalid or is " +
		"associated with a different KMS key.")},
		schemas.InvalidImportTokenException)
}

func expiredImportToken() error {
	return wire.Modelled(&types.ExpiredImportTokenException{Message: aws.String("The import token is expired. Use " +
		"GetParametersForImport to get a new one.")},
		schemas.ExpiredImportTokenException)
}

func unsupported(format string, args ...any) error {
	return wire.Modelled(&types.UnsupportedOperationException{Message: sentence(format, args)},
		schemas.UnsupportedOperationException)
}

func dryRun() error {
	return wire.Modelled(&types.DryRunOperationException{
		Message: aws.String("The request would have succeeded, but the DryRun option is set."),
	}, schemas.DryRunOperationException)
}

// invalid is the ValidationException of the values that the model cannot judge.
func invalid(format string, args ...any) error {
	return operation.InvalidInput(*sentence(format, args))
}

func sentence(format string, args []any) *string { return aws.String(fmt.Sprintf(format, args...)) }
