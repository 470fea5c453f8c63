// Package iamapi is AWS Identity and Access Management, API version 2010-05-08: users, groups, roles, policies,
// instance profiles and OIDC providers of the account, as records of the regional state. Package iam is what they mean.
package iamapi

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/quota"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/state"
)

const (
	// Name is the service's signing name.
	Name = "iam"
	// Version is the API's version, which every request names.
	Version = "2010-05-08"
	// Namespace is the XML namespace of the answers.
	Namespace = "https://iam.amazonaws.com/doc/2010-05-08/"
)

// Service answers IAM calls.
type Service struct {
	// State has the account's users, roles and policies.
	State state.Updater
	// AccountID is the account's 12 digits.
	AccountID string
	// Quotas are the account's; nil: AWS's defaults.
	Quotas quota.Quotas
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// permit refuses temporary credentials of users, but for those that were asked for with MFA.
func permit(call *operation.Call) error {
	if call.Principal.IsUserSession() && !call.Principal.MFA {
		return wire.UnknownKey(wire.Query, "IAM cannot be called with credentials of sts get-federation-token, nor with "+
			"those of get-session-token without MFA: use the access key itself, or a role's.")
	}
	return nil
}

// subject is an input that is about one thing, on which the caller needs the permission; other inputs are about all.
type subject interface {
	subject(call *operation.Call) thing
}

// userSubject is an input about what a user has, which IAM authorizes on that user: its name, or nothing where there is
// none.
type userSubject interface {
	user(call *operation.Call, tx *state.Txn) string
}

// thing names an entity: of a new one path is where it comes to be, of one that exists path is empty.
type thing struct {
	kind, path, name string
}

// knownUser is the ARN of the user whom an input is about, and its condition keys; everything, where that is no user's.
func (s *Service) knownUser(call *operation.Call, about userSubject) (arn string, keys iam.Keys, err error) {
	name := ""
	if err := s.State.View(func(tx *state.Txn) error { name = about.user(call, tx); return nil }); err != nil ||
		name == "" {
		return "*", nil, err
	}
	return s.known(thing{kind: kindUser, name: name})
}

// known is the ARN of a thing and its condition keys; of one that does not exist the ARN is the one that it would have
// at the root of paths: who may not touch it does not learn which.
func (s *Service) known(t thing) (arn string, keys iam.Keys, err error) {
	if t.path != "" {
		return s.arn(t.kind, t.path+t.name), nil, nil
	}
	arn = s.arn(t.kind, "/"+t.name)
	if strings.HasPrefix(t.name, "arn:") {
		arn = t.name
	}
	err = s.State.View(func(tx *state.Txn) error {
		if e, err := find(tx, t.kind, t.name); err == nil {
			arn, keys = e.arn, e.keys()
		}
		return nil
	})
	return arn, keys, err
}

func (s *Service) arn(kind, rest string) string {
	return "arn:aws:iam::" + s.AccountID + ":" + kind + rest
}

// done is the result of actions that have none.
type done struct{}

// change runs a transaction, whose refusals reach the client, and answers what its last run made.
func change[Out any](s *Service, call *operation.Call, fn func(tx *state.Txn) (Out, error)) (Out, error) {
	var out Out
	err := s.State.Update(call.Request.Context(), func(tx *state.Txn) (err error) {
		out, err = fn(tx)
		return err
	})
	return out, wrap(call, err)
}

// view reads the state for an answer.
func view[Out any](s *Service, call *operation.Call, fn func(tx *state.Txn) (Out, error)) (Out, error) {
	var out Out
	err := s.State.View(func(tx *state.Txn) (err error) {
		out, err = fn(tx)
		return err
	})
	return out, wrap(call, err)
}

// wrap says which call an unexpected error met; refusals stay as they are.
func wrap(call *operation.Call, err error) error {
	var refusal *wire.Error
	if err == nil || errors.As(err, &refusal) {
		return err
	}
	return fmt.Errorf("iam %s: %w", call.Operation, err)
}

// now is the time in whole seconds, as IAM tells it.
func (s *Service) now() time.Time {
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	return now().UTC().Truncate(time.Second)
}
