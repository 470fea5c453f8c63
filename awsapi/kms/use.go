package kms

import (
	"strings"

	"tripod/awsapi/operation"
	"tripod/iam"
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

// Lets says whether a key is there and enabled, and whether its policy lets a service itself, such as
// logs.us-east-1.amazonaws.com, do all of the actions, such as Decrypt, in an encryption context: for services that use keys of
// their callers later, when nobody calls.
func (s *Service) Lets(tx *state.Txn, keyARN, service string, context map[string]string,
	actions ...string) (there, isEnabled, allowed bool) {
	key, err := s.find(tx, keyARN, false)
	if err != nil || key.gone(s.now()) {
		return false, false, false
	}
	document, err := iam.ParseResource(key.Policy)
	if err != nil { // it was valid when it was put
		return true, key.State == enabled, false
	}
	request := iam.Request{Resource: s.arn("key/" + key.ID), Keys: iam.Keys{"kms:calleraccount": {s.AccountID},
		"aws:sourceaccount": {s.AccountID}, "aws:principalservicename": {service}, "aws:principalisawsservice": {"true"}},
		Principal: func(kind, element string) bool { return kind == "Service" && element == service || element == "*" }}
	for name, value := range context {
		request.Keys["kms:encryptioncontext:"+strings.ToLower(name)] = []string{value}
		request.Keys["kms:encryptioncontextkeys"] = append(request.Keys["kms:encryptioncontextkeys"], name)
	}
	request.Keys = request.Keys.With(s.keysAbout(tx, key))
	allowed = true
	for _, action := range actions {
		request.Action = "kms:" + action
		allowed = allowed && iam.Decide(request, document) == iam.Allowed
	}
	return true, key.State == enabled, allowed
}
