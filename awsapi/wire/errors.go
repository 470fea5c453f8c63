package wire

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/traits"
)

// Error is an error as a client sees it, whatever the protocol.
type Error struct {
	// Code is the exception's name, such as ResourceNotFoundException.
	Code string
	// Status is the HTTP status.
	Status int
	// Message is one sentence for the user. It holds no secret and nothing internal.
	Message string
	// Shape is the modelled exception with its members, where the service's schemas have one. JSON protocols write it.
	Shape smithy.Serializable
	// Members are those of an exception without published schema, in place of its message alone. JSON protocols write them.
	Members map[string]string
	// QueryCode is the code that a service which once spoke the query protocol had for it; SDKs show it where they did.
	// Empty: the same.
	QueryCode string
	// Cause is for the log only.
	Cause error
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.Cause)
	}
	return e.Code + ": " + e.Message
}

func (e *Error) Unwrap() error { return e.Cause }

// Exception is an exception of a service's published model: an SDK's error type.
type Exception interface {
	smithy.APIError
	smithy.Serializable
}

// Modelled makes an Error of an exception of a service's model. The status is its schema's.
func Modelled(exception Exception, schema *smithy.Schema) *Error {
	status := http.StatusBadRequest
	if exception.ErrorFault() == smithy.FaultServer {
		status = http.StatusInternalServerError
	}
	if trait, ok := smithy.SchemaTrait[*traits.HTTPError](schema); ok {
		status = trait.Code
	}
	return &Error{Code: exception.ErrorCode(), Status: status, Message: exception.ErrorMessage(), Shape: exception}
}

// The errors that are the same in every service, after "Common errors" of AWS's API references.

// MissingAuthentication answers a request that is not signed.
func MissingAuthentication(p Protocol) *Error {
	code, message := "MissingAuthenticationTokenException", "Missing Authentication Token"
	switch p {
	case Query, EC2Query, RestXML:
		code = "MissingAuthenticationToken"
	case S3XML:
		code, message = "AccessDenied", "Access Denied"
	}
	return &Error{Code: code, Status: http.StatusForbidden, Message: message}
}

// UnknownKey answers a request signed with an access key that is not there, is inactive, or comes with a session token
// that nobody issued. hint is a sentence for the user, or empty.
func UnknownKey(p Protocol, hint string) *Error {
	code, status, message := "UnrecognizedClientException", http.StatusForbidden,
		"The security token included in the request is invalid."
	switch p {
	case Query, RestXML:
		code = "InvalidClientTokenId"
	case EC2Query:
		code, status = "AuthFailure", http.StatusUnauthorized
	case S3XML:
		code, message = "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."
	}
	if hint != "" {
		message += " " + hint
	}
	return &Error{Code: code, Status: status, Message: message}
}

// BadSignature answers a signature that is wrong, wrongly scoped, or too old or new for the clock.
func BadSignature(p Protocol, message string) *Error {
	code, status := "InvalidSignatureException", http.StatusForbidden
	switch p {
	case Query, RestXML, S3XML:
		code = "SignatureDoesNotMatch"
	case EC2Query:
		code, status = "AuthFailure", http.StatusUnauthorized
	}
	return &Error{Code: code, Status: status, Message: message}
}

// ExpiredURL answers a presigned URL used after its X-Amz-Expires.
func ExpiredURL(p Protocol, message string) *Error {
	switch p {
	case Query, EC2Query, RestXML:
		return &Error{Code: "RequestExpired", Status: http.StatusForbidden, Message: message}
	case S3XML:
		return &Error{Code: "AccessDenied", Status: http.StatusForbidden, Message: "Request has expired"}
	}
	return BadSignature(p, message)
}

// IncompleteSignature answers a signature that cannot be understood.
func IncompleteSignature(p Protocol, message string) *Error {
	e := &Error{Code: "IncompleteSignatureException", Status: http.StatusForbidden, Message: message}
	switch p {
	case Query, EC2Query, RestXML:
		e.Code = "IncompleteSignature"
	case S3XML:
		e.Code, e.Status = "AuthorizationHeaderMalformed", http.StatusBadRequest
	}
	return e
}

// AccessDenied answers a principal whose policies do not allow the action. reason is the end of the sentence, such as
// "because no identity-based policy allows the eks:ListClusters action".
func AccessDenied(p Protocol, principalARN, action, resourceARN, reason string) *Error {
	e := &Error{Code: "AccessDeniedException", Status: http.StatusForbidden,
		Message: fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s %s", principalARN, action,
			resourceARN, reason)}
	switch p {
	case AWSJSON:
		e.Status = http.StatusBadRequest
	case Query, RestXML, S3XML:
		e.Code = "AccessDenied"
	case EC2Query:
		e.Code = "UnauthorizedOperation"
		e.Message = "You are not authorized to perform this operation. " +
			strings.Replace(e.Message, " on resource: * ", " ", 1)
	}
	return e
}

// Unsupported answers an operation that AWS has and Tripod has not. The status is 501, which no SDK retries, or what
// the query protocols have for an action that is none.
func Unsupported(p Protocol, service, operation string) *Error {
	message := fmt.Sprintf("Tripod does not have the service %s yet.", service)
	if operation != "" {
		message = fmt.Sprintf("Tripod does not have %s:%s yet.", service, operation)
	}
	if p == Query || p == EC2Query {
		return &Error{Code: "InvalidAction", Status: http.StatusBadRequest, Message: message}
	}
	if p == S3XML || p == RestXML {
		return &Error{Code: "NotImplemented", Status: http.StatusNotImplemented, Message: message}
	}
	return &Error{Code: "UnknownOperationException", Status: http.StatusNotImplemented, Message: message}
}

// UnknownOperation answers a path or action that AWS has not either.
func UnknownOperation(p Protocol, message string) *Error {
	if p == Query || p == EC2Query {
		return &Error{Code: "InvalidAction", Status: http.StatusBadRequest, Message: message}
	}
	return &Error{Code: "UnknownOperationException", Status: http.StatusNotFound, Message: message}
}

// UnsupportedTarget answers a header X-Amz-Target that names an operation that Tripod has not.
func UnsupportedTarget(service, target string) *Error {
	return Unsupported(AWSJSON, service, excerpt(target[strings.LastIndexByte(target, '.')+1:]))
}

// Throttled answers a call of an operation that was called too often.
func Throttled(p Protocol, message string) *Error {
	switch p {
	case Query:
		return &Error{Code: "Throttling", Status: http.StatusBadRequest, Message: message}
	case EC2Query:
		return &Error{Code: "RequestLimitExceeded", Status: http.StatusServiceUnavailable,
			Message: "Request limit exceeded."}
	case RestXML:
		return &Error{Code: "Throttling", Status: http.StatusBadRequest, Message: message}
	case S3XML:
		return &Error{Code: "SlowDown", Status: http.StatusServiceUnavailable, Message: "Please reduce your request rate."}
	case RestJSON:
		return &Error{Code: "ThrottlingException", Status: http.StatusTooManyRequests, Message: message}
	}
	return &Error{Code: "ThrottlingException", Status: http.StatusBadRequest, Message: message}
}

// Unavailable answers a call that cannot be done at the moment; SDKs try again.
func Unavailable(p Protocol, message string) *Error {
	e := &Error{Code: "ServiceUnavailableException", Status: http.StatusServiceUnavailable, Message: message}
	switch p {
	case Query, RestXML, S3XML:
		e.Code = "ServiceUnavailable"
	case EC2Query:
		e.Code = "Unavailable"
	}
	return e
}

// UnavailableMessage is what AWS says where it is unavailable and gives no reason.
func UnavailableMessage(p Protocol) string {
	switch p {
	case EC2Query:
		return "The service is unavailable. Please try again shortly."
	case S3XML:
		return "Service is unable to handle request."
	}
	return "The request has failed due to a temporary failure of the server."
}

// InternalMessage is what AWS says of its internal errors.
func InternalMessage(p Protocol) string {
	switch p {
	case EC2Query:
		return "An internal error has occurred"
	case S3XML:
		return "We encountered an internal error. Please try again."
	}
	return "The request processing has failed because of an unknown error, exception or failure."
}

// TooLarge answers a body over the limit of so many bytes.
func TooLarge(limit int64) *Error {
	return &Error{Code: "RequestEntityTooLargeException", Status: http.StatusRequestEntityTooLarge,
		Message: fmt.Sprintf("The request's body is larger than %d bytes.", limit)}
}

// Unexpected is the internal error of a service, which says nothing of what happened. cause is for the log.
func Unexpected(p Protocol, cause error) *Error {
	code := "ServerException"
	switch p {
	case Query, EC2Query, RestXML:
		code = "InternalFailure"
	case S3XML:
		code = "InternalError"
	}
	return &Error{Code: code, Status: http.StatusInternalServerError,
		Message: "The service met an unexpected error; Tripod's log has it under the request's id.", Cause: cause}
}
