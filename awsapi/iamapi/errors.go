package iamapi

import (
	"fmt"
	"net/http"

	"tripod/awsapi/wire"
)

func refuse(code string, status int, format string, args ...any) *wire.Error {
	return &wire.Error{Code: code, Status: status, Message: fmt.Sprintf(format, args...)}
}

func noSuchEntity(format string, args ...any) error {
	return refuse("NoSuchEntity", http.StatusNotFound, format, args...)
}

func alreadyExists(format string, args ...any) error {
	return refuse("EntityAlreadyExists", http.StatusConflict, format, args...)
}

func deleteConflict(format string, args ...any) error {
	return refuse("DeleteConflict", http.StatusConflict, format, args...)
}

func limitExceeded(format string, args ...any) error {
	return refuse("LimitExceeded", http.StatusConflict, format, args...)
}

func unmodifiable(format string, args ...any) error {
	return refuse("UnmodifiableEntity", http.StatusBadRequest, format, args...)
}

func malformedPolicy(err error) error {
	return refuse("MalformedPolicyDocument", http.StatusBadRequest, "%v", err)
}

func invalidInput(format string, args ...any) error {
	return refuse("InvalidInput", http.StatusBadRequest, format, args...)
}

func invalid(format string, args ...any) error {
	return refuse("ValidationError", http.StatusBadRequest, format, args...)
}
