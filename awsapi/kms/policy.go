package kms

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
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

// authorize decides as KMS does ("Determining access to AWS KMS keys"): the key's policy or a grant must let the caller in. A statement on the
// account's root lets in those whom IAM policies allow it, and a deny anywhere counts.
func (s *Service) authorize(tx *region.Txn, r request, key Key) error {
	action := r.action
	if action == "" {
		action = r.call.Operation
	}
	if reason := s.refused(tx, r.call.Principal, key, action, r.keys(s)); reason != "" && !granted(tx, r.call.Principal, key, action, r.context, reason) {
		return wire.AccessDenied(wire.AWSJSON, r.call.Principal.ARN, "kms:"+action, s.arn("key/"+key.ID), reason)
	}
	return nil
}

// keys are the condition keys that the request has.
func (r request) keys(s *Service) iam.Keys {
	keys := r.call.Keys.With(iam.Keys{"kms:calleraccount": {s.AccountID}, "kms:keyspec": {"SYMMETRIC_DEFAULT"}, "kms:keyusage": {"ENCRYPT_DECRYPT"}, "kms:keyorigin": {"AWS_KMS"}})
	for name, value := range r.context {
		keys["kms:encryptioncontext:"+strings.ToLower(name)] = []string{value}
		keys["kms:encryptioncontextkeys"] = append(keys["kms:encryptioncontextkeys"], name)
	}
	if r.service != "" {
		keys["kms:viaservice"], keys["kms:grantisforawsresource"], keys["aws:viaawsservice"] = []string{r.service}, []string{"true"}, []string{"true"}
	}
	if _, alias, found := strings.Cut(r.id, "alias/"); found {
		keys["kms:requestalias"] = []string{"alias/" + alias}
	}
	return keys
}

// The ends of the sentences for callers whom a deny keeps out: no grant helps against it.
const (
	deniedByKey = "with an explicit deny in a resource-based policy"
	denied      = "with an explicit deny"
)

// refused is the end of the sentence for a caller whom policies do not let in; empty for one whom they do.
func (s *Service) refused(tx *region.Txn, principal iam.Principal, key Key, action string, keys iam.Keys) string {
	document, err := iam.ParseResource(key.Policy)
	if err != nil { // it was valid when it was put
		return "because the key's policy cannot be read"
	}
	keys = keys.With(iam.TagKeys("aws:ResourceTag", key.Tags))
	for _, a := range aliases.List(tx) {
		if a.KeyID == key.ID {
			keys["kms:resourcealiases"] = append(keys["kms:resourcealiases"], a.Name)
		}
	}
	arn, name := s.arn("key/"+key.ID), "kms:"+action
	request := iam.Request{Action: name, Resource: arn, Keys: principal.Keys().With(keys)}
	byKey := func(account bool) iam.Decision {
		asked := request
		asked.Principal = func(kind, element string) bool {
			matched, _ := principal.Match(element)
			return kind == "AWS" && matched && (account || principal.Named(element, request))
		}
		return iam.Decide(asked, document)
	}
	letsIn := byKey(true)
	if letsIn == iam.ExplicitDeny {
		return deniedByKey
	}
	identity, reason := principal.Evaluate(name, arn, keys)
	switch {
	case identity == iam.ExplicitDeny:
		return reason
	case byKey(false) == iam.Allowed:
		return ""
	case letsIn != iam.Allowed:
		return "because no resource-based policy allows the " + name + " action"
	case identity != iam.Allowed:
		return reason
	}
	return ""
}

// checkPolicy refuses a policy that is none, names principals that do not exist, or would shut its author out.
func (s *Service) checkPolicy(tx *region.Txn, call *wire.Call, key Key, text string, bypass bool) error {
	document, err := iam.ParseResource(text)
	if err != nil {
		return malformedPolicy("%s.", strings.ToUpper(err.Error()[:1])+err.Error()[1:])
	}
	for _, statement := range document.Statements {
		for _, element := range append(statement.Principals["AWS"], statement.NotPrincipals["AWS"]...) {
			if _, found := iam.PrincipalOf(tx, element); !found && strings.HasPrefix(element, "arn:aws:iam::"+s.AccountID+":") && !strings.HasSuffix(element, ":root") {
				return malformedPolicy("Policy contains a statement with one or more invalid principals: %s does not exist.", element)
			}
		}
	}
	key.Policy = text
	if !bypass && s.refused(tx, call.Principal, key, "PutKeyPolicy", request{call: call}.keys(s)) != "" {
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

func (s *Service) getKeyPolicy(call *wire.Call, in *kms.GetKeyPolicyInput) (*kms.GetKeyPolicyOutput, error) {
	out := &kms.GetKeyPolicyOutput{PolicyName: aws.String(policyName)}
	return out, s.view(request{call: call, id: aws.ToString(in.KeyId)}, func(_ *region.Txn, key Key) error {
		out.Policy = aws.String(key.Policy)
		return named(in.PolicyName)
	})
}

func (s *Service) putKeyPolicy(call *wire.Call, in *kms.PutKeyPolicyInput) (*kms.PutKeyPolicyOutput, error) {
	return &kms.PutKeyPolicyOutput{}, s.change(request{call: call, id: aws.ToString(in.KeyId), states: []string{enabled, disabled}}, func(tx *region.Txn, key *Key) error {
		if err := named(in.PolicyName); err != nil {
			return err
		}
		if err := s.checkPolicy(tx, call, *key, aws.ToString(in.Policy), in.BypassPolicyLockoutSafetyCheck); err != nil {
			return err
		}
		key.Policy = *in.Policy
		return nil
	})
}

func (s *Service) listKeyPolicies(call *wire.Call, in *kms.ListKeyPoliciesInput) (*kms.ListKeyPoliciesOutput, error) {
	return &kms.ListKeyPoliciesOutput{PolicyNames: []string{policyName}}, s.view(request{call: call, id: aws.ToString(in.KeyId)}, func(*region.Txn, Key) error { return nil })
}
