package sts

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/state"
)

const (
	maxSessionPolicy   = 2048 // characters of the policy and the ARNs together
	maxSessionPolicies = 10
)

// Tag is one session tag.
type Tag struct {
	Key   string `query:",required"`
	Value string
}

// policyDescriptor names a managed policy.
type policyDescriptor struct {
	ARN string `query:"arn,required"`
}

// narrowing are the parameters by which a session may do less than its principal.
type narrowing struct {
	Policy     *string
	PolicyArns []policyDescriptor
}

// narrow gives the session its policies.
func (s *Service) narrow(session *iam.Session, by narrowing) error {
	size := 0
	if by.Policy != nil {
		size = len(*by.Policy)
		if err := iam.CheckIdentity(*by.Policy); err != nil {
			sentence := err.Error()
			if !json.Valid([]byte(*by.Policy)) {
				sentence = "The policy is not in the valid JSON format." // STS's own
			}
			return &wire.Error{Code: "MalformedPolicyDocument", Status: http.StatusBadRequest, Message: sentence}
		}
		var compact bytes.Buffer // it travels in the token
		if err := json.Compact(&compact, []byte(*by.Policy)); err != nil {
			return fmt.Errorf("compact session policy: %w", err)
		}
		session.Policy = compact.String()
	}
	if len(by.PolicyArns) > maxSessionPolicies {
		return invalid(fmt.Sprintf("PolicyArns must have at most %d policies.", maxSessionPolicies))
	}
	return s.State.View(func(tx *state.Txn) error {
		for _, policy := range by.PolicyArns {
			size += len(policy.ARN)
			if _, found := iam.PolicyDocument(tx, policy.ARN); !found {
				return invalid("The policy " + clip(policy.ARN) + " of PolicyArns does not exist or is not attachable.")
			}
			session.PolicyARNs = append(session.PolicyARNs, policy.ARN)
		}
		if size > maxSessionPolicy {
			return invalid(fmt.Sprintf("Policy and PolicyArns must have at most %d characters together.", maxSessionPolicy))
		}
		return nil
	})
}

// sessionTags makes a map of a call's tags.
func sessionTags(given []Tag) (map[string]string, error) {
	tags, seen := make(map[string]string, len(given)), map[string]bool{}
	for _, tag := range given {
		if iam.IsReservedTag(tag.Key) {
			return nil, invalid("Tag keys beginning with aws: are reserved for system use.")
		}
		if fold := strings.ToLower(tag.Key); seen[fold] {
			return nil, invalidParameter("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		} else {
			seen[fold] = true
		}
		tags[tag.Key] = tag.Value
	}
	return tags, nil
}

// duration is how long a session lasts: as long as it was asked, within the model's bounds.
func duration(seconds *int, usual time.Duration) time.Duration {
	if seconds == nil {
		return usual
	}
	return time.Duration(*seconds) * time.Second
}

// issue makes the credentials of a session. size is how much of the room for policies and tags they take, in percent;
// nil where it has none.
func (s *Service) issue(call *operation.Call, accountID string, session iam.Session,
	life time.Duration) (_ Credentials, size *int, err error) {
	session.IssuedAt = s.now().UTC().Truncate(time.Second)
	session.Expires = session.IssuedAt.Add(life)
	made, err := iam.Issue(call.Request.Context(), s.State, rand.Reader, accountID, session)
	if errors.Is(err, iam.ErrTokenTooLong) {
		return Credentials{}, nil, &wire.Error{Code: "PackedPolicyTooLarge", Status: http.StatusBadRequest,
			Message: "The session's policies and tags are too large together."}
	}
	if err != nil {
		return Credentials{}, nil, err
	}
	if session.Policy != "" || len(session.PolicyARNs)+len(session.Tags) > 0 {
		percent := len(made.SessionToken) * 100 / iam.MaxSessionToken
		size = &percent
	}
	return Credentials{
		AccessKeyID: made.AccessKeyID, SecretAccessKey: made.SecretAccessKey, SessionToken: made.SessionToken,
		Expiration: session.Expires.Format(time.RFC3339),
	}, size, nil
}

func invalid(message string) error {
	return &wire.Error{Code: "ValidationError", Status: http.StatusBadRequest, Message: message}
}

func invalidParameter(message string) error {
	return &wire.Error{Code: "InvalidParameterValue", Status: http.StatusBadRequest, Message: message}
}
