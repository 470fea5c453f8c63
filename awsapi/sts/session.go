package sts

import (
	"net/http"
	"strings"
	"time"

	"tripod/awsapi/wire"
	"tripod/iam"
)

const (
	defaultUserSession = 12 * time.Hour
	maxUserSession     = 36 * time.Hour
)

// SessionToken is the result of GetSessionToken.
type SessionToken struct{ Credentials Credentials }

// sessionToken makes temporary credentials of the user who calls. No permission is needed, as in AWS.
func (s *Service) sessionToken(call *wire.Call) (*SessionToken, error) {
	for _, name := range []string{"SerialNumber", "TokenCode"} {
		if call.Params.Has(name) {
			return nil, invalid("Tripod has no MFA devices: leave " + name + " out.")
		}
	}
	if temporary(call) {
		return nil, &wire.Error{Code: "AccessDenied", Status: http.StatusForbidden, Message: "Cannot call GetSessionToken with session credentials"}
	}
	life, err := duration(call, defaultUserSession, maxUserSession)
	if err != nil {
		return nil, err
	}
	now := s.now().UTC().Truncate(time.Second)
	credentials, err := s.issue(call, call.Principal.AccountID, iam.Session{
		User: call.Principal.UserName(), ID: call.Principal.UserID, IssuedAt: now, Expires: now.Add(life),
	})
	if err != nil {
		return nil, err
	}
	return &SessionToken{credentials}, nil
}

// temporary says whether the call is signed with a session's credentials.
func temporary(call *wire.Call) bool { return strings.HasPrefix(call.Principal.AccessKeyID, "ASIA") }
