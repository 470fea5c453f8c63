package kms

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/state"
)

// policyName is the only policy that a key has.
const policyName = "default"

// defaultPolicy is that of a key that was made without one: it leaves the decision to the account's IAM policies.
func (s *Service) defaultPolicy() string {
	return fmt.Sprintf(`{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:aws:iam::%s:root"
    },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
}`, s.AccountID)
}

// authorize decides as KMS does ("Determining access to AWS KMS keys"): the key's policy or a grant must let the caller
// in. A statement on the account's root lets in those whom IAM policies allow it, and a deny anywhere counts.
func (s *Service) authorize(tx *state.Txn, r request, key Key) error {
	q := question{by: r.call.Principal, action: cmp.Or(r.action, r.call.Operation), arn: s.arn("key/" + key.ID)}
	q.keys = s.keysOf(r, q.action).With(s.keysAbout(tx, key))
	reason, denied := q.refused(key)
	if reason == "" || !denied && q.granted(tx, r, key) {
		return nil
	}
	return wire.AccessDenied(wire.AWSJSON, q.by.ARN, "kms:"+q.action, q.arn, reason)
}

// question is whether somebody may do something with a key.
type question struct {
	by          iam.Principal
	action, arn string // the action without kms:
	keys        iam.Keys
}

func (q question) request() iam.Request {
	return iam.Request{Action: "kms:" + q.action, Resource: q.arn, Keys: q.by.Keys().With(q.keys)}
}

// refused is the end of the sentence for a caller whom policies do not let in, and empty for one whom they do. Against
// a deny no grant helps.
func (q question) refused(key Key) (reason string, denied bool) {
	document, err := iam.ParseResource(key.Policy)
	if err != nil { // it was valid when it was put
		return "because the key's policy cannot be read", true
	}
	document = iam.Bindings(key.PolicyIDs).With(document)
	letsIn := iam.Decide(q.by.Asking(q.request(), false), document)
	if letsIn == iam.ExplicitDeny {
		return "with an explicit deny in a resource-based policy", true
	}
	identity, reason := q.by.Evaluate("kms:"+q.action, q.arn, q.keys)
	switch {
	case identity == iam.ExplicitDeny:
		return reason, true
	case iam.Decide(q.by.Asking(q.request(), true), document) == iam.Allowed:
		return "", false
	case letsIn != iam.Allowed:
		return "because no resource-based policy allows the kms:" + q.action + " action", false
	case identity != iam.Allowed:
		return reason, false
	}
	return "", false
}

// setPolicy gives the key a policy, unless that is none, names principals that do not exist, or would shut its author
// out.
func (s *Service) setPolicy(tx *state.Txn, call *operation.Call, key *Key, text string, bypass bool) error {
	document, err := iam.ParseResource(text)
	if err != nil {
		return malformedPolicy("%s.", strings.ToUpper(err.Error()[:1])+err.Error()[1:])
	}
	bound, unknown := iam.Bind(tx, s.AccountID, document)
	if len(unknown) > 0 {
		return malformedPolicy("Policy contains a statement with one or more invalid principals.")
	}
	key.Policy, key.PolicyIDs = text, bound
	if bypass {
		return nil
	}
	again := question{by: call.Principal, action: "PutKeyPolicy", arn: s.arn("key/" + key.ID)}
	again.keys = s.keysOf(request{call: call, about: bypassing(false)}, again.action).With(s.keysAbout(tx, *key))
	if reason, _ := again.refused(*key); reason != "" {
		return malformedPolicy("The new key policy will not allow you to update the key policy in the future.")
	}
	return nil
}

// named refuses other policies than the one that a key has.
func named(name *string) error {
	if name != nil && *name != policyName {
		return notFound("No such policy exists")
	}
	return nil
}

func (s *Service) getKeyPolicy(call *operation.Call, in *kms.GetKeyPolicyInput) (*kms.GetKeyPolicyOutput, error) {
	out := &kms.GetKeyPolicyOutput{PolicyName: aws.String(policyName)}
	return out, s.view(request{call: call, id: aws.ToString(in.KeyId)}, func(tx *state.Txn, key Key) error {
		out.Policy = aws.String(iam.Bindings(key.PolicyIDs).Shown(tx, key.Policy))
		return named(in.PolicyName)
	})
}

func (s *Service) putKeyPolicy(call *operation.Call, in *kms.PutKeyPolicyInput) (*kms.PutKeyPolicyOutput, error) {
	r := request{call: call, id: aws.ToString(in.KeyId), states: kept, about: bypassing(in.BypassPolicyLockoutSafetyCheck)}
	return &kms.PutKeyPolicyOutput{}, s.change(r, func(tx *state.Txn, key *Key) error {
		if err := named(in.PolicyName); err != nil {
			return err
		}
		return s.setPolicy(tx, call, key, aws.ToString(in.Policy), in.BypassPolicyLockoutSafetyCheck)
	})
}

func (s *Service) listKeyPolicies(call *operation.Call, in *kms.ListKeyPoliciesInput) (*kms.ListKeyPoliciesOutput,
	error) {
	return &kms.ListKeyPoliciesOutput{PolicyNames: []string{policyName}},
		s.view(request{call: call, id: aws.ToString(in.KeyId)}, func(*state.Txn, Key) error { return nil })
}
