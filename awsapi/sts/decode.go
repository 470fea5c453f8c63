package sts

import (
	"net/http"

	"tripod/awsapi/wire"
)

// decodeMessage refuses every message: Tripod's services say why they deny a call in plain words, and encode nothing.
func decodeMessage(call *wire.Call) error {
	if err := call.Authorize(wire.Query, "sts:DecodeAuthorizationMessage", "*"); err != nil {
		return err
	}
	return &wire.Error{Code: "InvalidAuthorizationMessageException", Status: http.StatusBadRequest,
		Message: "The message is not one that was encoded here: Tripod's errors say in plain words why a call is denied."}
}
