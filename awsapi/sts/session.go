package sts

import (
	"net/http"
	"strings"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/state"
)

const defaultUserSession = 12 * time.Hour

type sessionTokenInput struct {
	DurationSeconds *int
	device
}

// SessionToken is the result of GetSessionToken.
type SessionToken struct{ Credentials Credentials }

// sessionToken makes temporary credentials of the user, or root, who calls. No permission is needed, as in AWS.
func (s *Service) sessionToken(call *operation.Call, in *sessionTokenInput) (*SessionToken, error) {
	mfa, err := s.take(call, in.device)
	if err != nil {
		return nil, err
	}
	life := duration(in.DurationSeconds, defaultUserSession)
	credentials, _, err := s.issue(call, call.Principal.AccountID,
		iam.Session{User: call.Principal.UserName(), ID: call.Principal.UserID, MFA: mfa}, life)
	if err != nil {
		return nil, err
	}
	return &SessionToken{credentials}, nil
}

// device is an MFA device and its code.
type device struct{ SerialNumber, TokenCode *string }

// take says whether the call brings a code of a device of the user who calls. A code is taken once.
func (s *Service) take(call *operation.Call, d device) (bool, error) {
	if d.SerialNumber == nil && d.TokenCode == nil {
		return false, nil
	}
	failed := forbidden("MultiFactorAuthentication failed with invalid MFA one time pass code. ")
	switch {
	case d.SerialNumber == nil || d.TokenCode == nil:
		return false, forbidden("MultiFactorAuthentication failed, must provide both MFA serial number and one time " +
			"pass code.")
	case call.Principal.UserName() == "":
		return false, failed
	}
	return true, s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		found, there := iam.MFADevices.Get(tx, *d.SerialNumber)
		if !there || found.UserID != call.Principal.UserID || found.Take(s.now(), *d.TokenCode) != nil {
			return failed
		}
		iam.MFADevices.Put(tx, found.Serial, found)
		return nil
	})
}

// callable refuses what credentials of the caller's kind cannot call, whatever their policies ("Compare AWS STS
// credentials" of the IAM user guide).
func callable(call *operation.Call) error {
	p := call.Principal
	switch {
	case p.IsRoot() && call.Operation == "AssumeRole":
		return forbidden("Roles may not be assumed by root accounts.")
	case call.Operation == "GetCallerIdentity" || !strings.HasPrefix(p.AccessKeyID, "ASIA"):
		return nil
	case p.IsFederated():
		return forbidden("Cannot call " + call.Operation + " with federation credentials")
	case p.IsUserSession() && call.Operation != "AssumeRole", call.Operation == "GetSessionToken",
		call.Operation == "GetFederationToken":
		return forbidden("Cannot call " + call.Operation + " with session credentials")
	}
	return nil
}

func forbidden(message string) error {
	return &wire.Error{Code: "AccessDenied", Status: http.StatusForbidden, Message: message}
}
