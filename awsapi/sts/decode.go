package sts

import (
	"errors"
	"net/http"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

type decodeInput struct {
	EncodedMessage string `query:",required"`
}

// DecodedMessage is the result of DecodeAuthorizationMessage.
type DecodedMessage struct{ DecodedMessage string }

// decodeMessage tells why a call was refused, by the encoded message in EC2's refusal.
func (s *Service) decodeMessage(call *operation.Call, in *decodeInput) (*DecodedMessage, error) {
	if err := call.Authorize(wire.Query, "sts:DecodeAuthorizationMessage", "*"); err != nil {
		return nil, err
	}
	decoded := &DecodedMessage{}
	err := s.State.View(func(tx *state.Txn) (err error) {
		key, found := region.SessionKeys.Get(tx, region.CurrentSessionKey)
		if !found {
			return iam.ErrBadDenial
		}
		decoded.DecodedMessage, err = iam.OpenDenial(key, in.EncodedMessage)
		return err
	})
	if errors.Is(err, iam.ErrBadDenial) {
		return nil, &wire.Error{Code: "InvalidAuthorizationMessageException", Status: http.StatusBadRequest,
			Message: "Message is not valid"}
	}
	return decoded, err
}
