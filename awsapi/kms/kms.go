// Package kms is AWS KMS: keys with their aliases, policies and grants, and real encryption, signatures and MACs with
// them.
//
// Key material, KMS's own or imported, is in the regional state, AES-256 in GCM: what one zone encrypts any other
// decrypts. It is no hardware module: who reads the region's disk reads the keys.
package kms

import (
	"fmt"
	"slices"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/state"
)

// Name is the service's signing name.
const Name = "kms"

// Service answers KMS calls from a zone's copy of the regional state.
type Service struct {
	// Region is the region's name and AccountID the account's 12 digits: both are parts of ARNs.
	Region, AccountID string
	State             state.Updater
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// now is the time of a change, in the milliseconds that the API writes.
func (s *Service) now() time.Time {
	now := s.Now
	if now == nil {
		now = time.Now
	}
	return now().UTC().Truncate(time.Millisecond)
}

func (s *Service) arn(resource string) string {
	return "arn:aws:kms:" + s.Region + ":" + s.AccountID + ":" + resource
}

// request is a call that is about one key.
type request struct {
	call *operation.Call
	// id is the key's as the caller gives it; byAlias says that an alias will do.
	id      string
	byAlias bool
	// action is the permission that it takes; empty means the operation's own.
	action string
	// service is the one that calls in the caller's name, such as eks.us-east-1.amazonaws.com; empty where the caller does
	// itself.
	service string
	// named is how the caller names the key where id is how KMS found it; empty: by id.
	named string
	// grant is what the call makes; nil where it makes none.
	grant *Grant
	// about are condition keys of the operation's own.
	about iam.Keys
	// context is the encryption context, which policies and grants can ask for.
	context map[string]string
	// usage and algorithm are what the key must be for; empty means any.
	usage, algorithm string
	// states are those that the key may be in; empty means any.
	states []string
	dryRun *bool
}

// view finds the key, authorizes the caller and does what is asked, without changing anything.
func (s *Service) view(r request, do func(*state.Txn, Key) error) error {
	return s.State.View(func(tx *state.Txn) error { return s.within(tx, r, do) })
}

// change is view for what changes the key: do edits it.
func (s *Service) change(r request, do func(*state.Txn, *Key) error) error {
	return s.State.Update(r.call.Request.Context(), func(tx *state.Txn) error {
		return s.within(tx, r, func(tx *state.Txn, key Key) error {
			if err := do(tx, &key); err != nil {
				return err
			}
			keys.Put(tx, key.ID, key)
			return nil
		})
	})
}

func (s *Service) within(tx *state.Txn, r request, do func(*state.Txn, Key) error) error {
	key, err := s.find(tx, r.id, r.byAlias)
	if err != nil {
		return err
	}
	if err := s.authorize(tx, r, key); err != nil {
		return err
	}
	if len(r.states) > 0 && !slices.Contains(r.states, key.State) {
		return s.wrongState(key, r.states)
	}
	if r.usage != "" {
		if err := s.fits(key, r.call.Operation, r.usage, r.algorithm); err != nil {
			return err
		}
	}
	if r.dryRun != nil && *r.dryRun {
		return dryRun()
	}
	return do(tx, key)
}

// wrongState says why a key is of no use for a call.
func (s *Service) wrongState(key Key, states []string) error {
	arn := s.arn("key/" + key.ID)
	switch {
	case !slices.Contains(states, enabled):
		return invalidState("%s is not pending deletion.", arn)
	case key.State == pendingDeletion:
		return invalidState("%s is pending deletion.", arn)
	case key.State == pendingImport:
		return invalidState("%s is pending import.", arn)
	}
	return disabledKey("%s is disabled.", arn)
}

// page is a part of a list, with KMS's names for how it goes on.
func page[T any](call *operation.Call, filter string, limit *int32, marker *string, usual int, items []T,
	key func(T) string) (part []T, next *string, err error) {
	size := usual
	if limit != nil {
		size = int(*limit)
	}
	part, next, ok := wire.Page(fmt.Sprintf("%s %s", call.Operation, filter), size, marker, items, key)
	if !ok {
		return nil, nil, invalidMarker("The marker is not one that %s returned for the same parameters: start again "+
			"without it.", call.Operation)
	}
	return part, next, nil
}
