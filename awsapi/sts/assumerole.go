package sts

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
)

const (
	minSession       = 900 * time.Second
	defaultSession   = time.Hour
	maxRoleSession   = 12 * time.Hour
	maxChained       = time.Hour // of a role's session made by another role's
	maxSessionPolicy = 2048
	maxExternalID    = 1224 // bytes: more than a regexp's repeat count may say
)

var (
	sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
	externalID  = regexp.MustCompile(`^[\w+=,.@:/-]{2,}$`)
	roleARN     = regexp.MustCompile(`^arn:aws:iam::(\d{12}):role/(?:[!-~]+/)?([\w+=,.@-]{1,64})$`)
)

// Credentials are temporary credentials as STS writes them.
type Credentials struct {
	AccessKeyID     string `xml:"AccessKeyId" json:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      string
}

// AssumedRole is the result of AssumeRole.
type AssumedRole struct {
	Credentials     Credentials
	AssumedRoleUser AssumedRoleUser
}

// AssumedRoleUser is who the credentials make of their bearer.
type AssumedRoleUser struct {
	AssumedRoleID string `xml:"AssumedRoleId" json:"AssumedRoleId"`
	ARN           string `xml:"Arn" json:"Arn"`
}

// unsupported are parameters of AssumeRole that would narrow or mark the session. A session that ignored them could do more than was
// asked for: so they are refused until Tripod has them.
var unsupported = []string{"PolicyArns.", "Tags.", "TransitiveTagKeys.", "SourceIdentity", "SerialNumber", "TokenCode", "ProvidedContexts."}

// assumeRole makes credentials of a role for a principal that the role trusts.
func (s *Service) assumeRole(call *wire.Call) (*AssumedRole, error) {
	for name := range call.Params {
		for _, prefix := range unsupported {
			if name == prefix || strings.HasSuffix(prefix, ".") && strings.HasPrefix(name, prefix) {
				return nil, invalid("Tripod does not have AssumeRole's parameter " + strings.TrimSuffix(prefix, ".") + " yet: leave it out.")
			}
		}
	}
	arn, name := call.Params.Get("RoleArn"), call.Params.Get("RoleSessionName")
	parts := roleARN.FindStringSubmatch(arn)
	switch {
	case parts == nil:
		return nil, invalid("RoleArn must be a role's ARN, such as arn:aws:iam::111122223333:role/NAME.")
	case !sessionName.MatchString(name):
		return nil, invalid("RoleSessionName must be 2 to 64 letters, digits and characters of _+=,.@-.")
	case call.Params.Has("ExternalId") && (len(call.Params.Get("ExternalId")) > maxExternalID || !externalID.MatchString(call.Params.Get("ExternalId"))):
		return nil, invalid("ExternalId must be 2 to 1224 letters, digits and characters of _+=,.@:/-.")
	}
	role, err := s.trusting(call, arn, parts[2])
	if err != nil {
		return nil, err
	}
	life, err := sessionLife(call, role)
	if err != nil {
		return nil, err
	}
	policy, err := sessionPolicy(call)
	if err != nil {
		return nil, err
	}
	now := s.now().UTC().Truncate(time.Second)
	credentials, err := s.issue(call, parts[1], iam.Session{Role: role.Name, ID: role.ID, Name: name, Policy: policy, IssuedAt: now, Expires: now.Add(life)})
	if err != nil {
		return nil, err
	}
	return &AssumedRole{Credentials: credentials, AssumedRoleUser: roleUser(role, parts[1], name)}, nil
}

func roleUser(role region.Role, accountID, session string) AssumedRoleUser {
	return AssumedRoleUser{AssumedRoleID: role.ID + ":" + session, ARN: "arn:aws:sts::" + accountID + ":assumed-role/" + role.Name + "/" + session}
}

// trusting is the role, if it trusts the caller. A role that is not there is denied in the same words: who may not assume a role
// does not learn whether it exists.
func (s *Service) trusting(call *wire.Call, arn, name string) (region.Role, error) {
	denied := wire.AccessDenied(wire.Query, call.Principal.ARN, "sts:AssumeRole", arn,
		"because no resource-based policy allows the sts:AssumeRole action")
	var role region.Role
	err := s.State.View(func(tx *region.Txn) error {
		found := false
		if role, found = region.Roles.Get(tx, name); !found || role.ARN != arn {
			return denied
		}
		return nil
	})
	if err != nil {
		return role, err
	}
	trust, err := iam.ParseTrust(role.TrustPolicy)
	if err != nil {
		return role, fmt.Errorf("trust policy of role %s: %w", role.Name, err)
	}
	keys := iam.Keys{"sts:rolesessionname": call.Params["RoleSessionName"]}
	if id := call.Params["ExternalId"]; id != nil {
		keys["sts:externalid"] = id
	}
	if !call.Principal.MayAssume("sts:AssumeRole", arn, trust, keys) {
		return role, denied
	}
	return role, nil
}

func sessionLife(call *wire.Call, role region.Role) (time.Duration, error) {
	longest := time.Duration(max(role.MaxSessionSeconds, 3600)) * time.Second
	life, err := duration(call, min(defaultSession, longest), maxRoleSession)
	switch {
	case err != nil:
		return 0, err
	case life > longest:
		return 0, invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	case call.Principal.IssuerARN != "" && life > maxChained:
		return 0, invalid("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	}
	return life, nil
}

// sessionPolicy is the policy that narrows the session, or empty.
func sessionPolicy(call *wire.Call) (string, error) {
	text := call.Params.Get("Policy")
	switch {
	case !call.Params.Has("Policy"):
		return "", nil
	case len(text) > maxSessionPolicy:
		return "", invalid("Policy must be at most 2048 characters.")
	}
	if _, err := iam.ParseIdentity(text); err != nil {
		return "", &wire.Error{Code: "MalformedPolicyDocument", Status: http.StatusBadRequest, Message: fmt.Sprintf("The session policy is refused: %v.", err)}
	}
	var compact bytes.Buffer // it travels in the token
	if err := json.Compact(&compact, []byte(text)); err != nil {
		return "", fmt.Errorf("compact session policy: %w", err)
	}
	return compact.String(), nil
}

// duration is how long a session is asked to last.
func duration(call *wire.Call, usual, longest time.Duration) (time.Duration, error) {
	if !call.Params.Has("DurationSeconds") {
		return usual, nil
	}
	seconds, err := strconv.ParseInt(call.Params.Get("DurationSeconds"), 10, 32)
	life := time.Duration(seconds) * time.Second
	if err != nil || life < minSession || life > longest {
		return 0, invalid(fmt.Sprintf("DurationSeconds must be a number from %d to %d.", minSession/time.Second, longest/time.Second))
	}
	return life, nil
}

// issue makes the credentials of a session.
func (s *Service) issue(call *wire.Call, accountID string, session iam.Session) (Credentials, error) {
	made, err := iam.Issue(call.Request.Context(), s.State, rand.Reader, accountID, session)
	if errors.Is(err, iam.ErrTokenTooLong) {
		return Credentials{}, &wire.Error{Code: "PackedPolicyTooLarge", Status: http.StatusBadRequest, Message: "The session's policies and tags are too large together."}
	}
	if err != nil {
		return Credentials{}, err
	}
	return Credentials{
		AccessKeyID: made.AccessKeyID, SecretAccessKey: made.SecretAccessKey, SessionToken: made.SessionToken, Expiration: session.Expires.Format(time.RFC3339),
	}, nil
}

func (s *Service) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

func invalid(message string) error {
	return &wire.Error{Code: "ValidationError", Status: http.StatusBadRequest, Message: message}
}
