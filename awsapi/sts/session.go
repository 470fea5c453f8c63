package sts

import (
	"net/http"
	"strings"
	"time"

	"tripod/awsapi/wire"
	"tripod/iam"
)

const defaultUserSession = 12 * time.Hour

type sessionTokenInput struct {
	DurationSeconds *int
	device
}

// SessionToken is the result of GetSessionToken.
type SessionToken struct{ Credentials Credentials }

// sessionToken makes temporary credentials of the user, or root, who calls. No permission is needed, as in AWS.
func (s *Service) sessionToken(call *wire.Call, in *sessionTokenInput) (*SessionToken, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	life := duration(in.DurationSeconds, defaultUserSession)
	credentials, _, err := s.issue(call, call.Principal.AccountID, iam.Session{User: call.Principal.UserName(), ID: call.Principal.UserID}, life)
	if err != nil {
		return nil, err
	}
	return &SessionToken{credentials}, nil
}

// device is an MFA device and its code. A session that ignored them would pass for one with MFA.
type device struct{ SerialNumber, TokenCode *string }

func (d device) check() error {
	for name, given := range map[string]*string{"SerialNumber": d.SerialNumber, "TokenCode": d.TokenCode} {
		if given != nil {
			return invalid("Tripod has no MFA devices: leave " + name + " out.")
		}
	}
	return nil
}

// callable refuses what credentials of the caller's kind cannot call, whatever their policies ("Compare AWS STS credentials" of the IAM user guide).
func callable(call *wire.Call) error {
	p := call.Principal
	switch {
	case p.IsRoot() && call.Operation == "AssumeRole":
		return forbidden("Roles may not be assumed by root accounts.")
	case call.Operation == "GetCallerIdentity" || !strings.HasPrefix(p.AccessKeyID, "ASIA"):
		return nil
	case p.IsFederated():
		return forbidden("Cannot call " + call.Operation + " with federation credentials")
	case p.IsUserSession() && call.Operation != "AssumeRole", call.Operation == "GetSessionToken", call.Operation == "GetFederationToken":
		return forbidden("Cannot call " + call.Operation + " with session credentials")
	}
	return nil
}

func forbidden(message string) error {
	return &wire.Error{Code: "AccessDenied", Status: http.StatusForbidden, Message: message}
}
