package kms

import (
	"tripod/awsapi/operation"
	"tripod/state"
)

// Use asks whether who calls another service may do something with a key in that service, such as Decrypt, in an encryption
// context: the key must be there and enabled. by is the service's endpoint, such as ssm.us-east-1.amazonaws.com. The error is
// KMS's own refusal.
func (s *Service) Use(tx *state.Txn, call *operation.Call, keyID, action, by string, context map[string]string) error {
	return s.within(tx, request{call: call, id: keyID, byAlias: true, action: action, service: by, context: context,
		states: []string{enabled}}, func(*state.Txn, Key) error { return nil })
}

// KeyARN is the ARN of the key that an id, an ARN or an alias names, for a service that keeps it. An alias of AWS's own gets
// its key by that.
func (s *Service) KeyARN(tx *state.Txn, named string) (string, error) {
	s.predefine(tx, named)
	key, err := s.find(tx, named, true)
	if err != nil {
		return "", err
	}
	return s.arn("key/" + key.ID), nil
}
