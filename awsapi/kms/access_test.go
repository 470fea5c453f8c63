package kms_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// statement is one of a key policy's, about a principal.
func statement(effect, principal, action string) string {
	return `{"Effect":"` + effect + `","Principal":{"AWS":"` + principal + `"},"Action":"` + action + `","Resource":"*"}`
}

// TestKeyPolicyAndIAMDecideTogether follows "Determining access to AWS KMS keys" of KMS's guide.
func TestKeyPolicyAndIAMDecideTogether(t *testing.T) {
	const (
		root = "arn:aws:iam::111122223333:root"
		user = "arn:aws:iam::111122223333:user/worker"
	)
	keep := statement("Allow", admin, "kms:*") // so that the policy can be changed again
	for _, c := range []struct {
		name, policy, identity, refused string
	}{
		{"the account's statement leaves it to IAM, which allows", statement("Allow", root, "kms:*"), "kms:Encrypt", ""},
		{"the account's statement leaves it to IAM, which does not", statement("Allow", root, "kms:*"), "",
			"because no identity-based policy allows the kms:Encrypt action"},
		{"IAM alone is not enough", keep, "kms:*", "because no resource-based policy allows the kms:Encrypt action"},
		{"a statement on the user is enough", statement("Allow", user, "kms:Encrypt"), "", ""},
		{"a statement on another action is not", statement("Allow", user, "kms:Decrypt"), "",
			"because no resource-based policy allows"},
		{"a deny on the account counts for all in it",
			statement("Allow", user, "kms:*") + "," + statement("Deny", root, "kms:Encrypt"), "kms:*",
			"with an explicit deny in a resource-based policy"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.User("worker")
			if c.identity != "" {
				w.Allow("worker", c.identity, "*")
			}
			_, err := w.PutKeyPolicy(t.Context(), &kms.PutKeyPolicyInput{KeyId: &w.keyID,
				Policy: aws.String(`{"Version":"2012-10-17","Statement":[` + keep + "," + c.policy + `]}`)})
			w.works(err)
			_, err = w.as("worker").Encrypt(t.Context(), &kms.EncryptInput{KeyId: &w.keyID, Plaintext: []byte("x")})
			if c.refused == "" {
				w.works(err)
			} else {
				w.fails(err, "AccessDeniedException", c.refused)
			}
		})
	}
}

// TestRootUsesKeysWhosePolicyLetsItIn shows that root is not above key policies, as it is above IAM's.
func TestRootUsesKeysWhosePolicyLetsItIn(t *testing.T) {
	keep := statement("Allow", admin, "kms:*")
	for policy, refused := range map[string]string{
		keep + "," + statement("Allow", "arn:aws:iam::111122223333:root", "kms:Encrypt"): "",
		keep: "because no resource-based policy allows the kms:Encrypt action",
		keep + "," + statement("Deny", "arn:aws:iam::111122223333:root",
			"kms:Encrypt"): "with an explicit deny in a resource-based policy",
	} {
		w := newWorld(t)
		w.Root()
		_, err := w.PutKeyPolicy(t.Context(),
			&kms.PutKeyPolicyInput{KeyId: &w.keyID, Policy: aws.String(`{"Version":"2012-10-17","Statement":[` + policy + `]}`),
				BypassPolicyLockoutSafetyCheck: true})
		w.works(err)
		if _, err = w.as("root").Encrypt(t.Context(),
			&kms.EncryptInput{KeyId: &w.keyID, Plaintext: []byte("x")}); refused == "" {
			w.works(err)
		} else {
			w.fails(err, "AccessDeniedException", refused)
		}
	}
}

func TestKeyPolicyThatShutsItsAuthorOutIsRefused(t *testing.T) {
	w := newWorld(t)
	put := func(policy string, bypass bool) error {
		_, err := w.PutKeyPolicy(t.Context(),
			&kms.PutKeyPolicyInput{KeyId: &w.keyID, Policy: &policy, BypassPolicyLockoutSafetyCheck: bypass})
		return err
	}
	other := `{"Version":"2012-10-17","Statement":[` + statement("Allow", "arn:aws:iam::111122223333:user/nobody",
		"kms:*") + `]}`
	w.fails(put(other, false), "MalformedPolicyDocumentException",
		"will not allow you to update the key policy in the future")
	w.fails(put("{}", true), "MalformedPolicyDocumentException", "The policy has no Statement")
	w.fails(put(`{"Version":"2012-10-17","Statement":[`+statement("Allow", "arn:aws:iam::111122223333:user/ghost",
		"kms:*")+`]}`, true),
		"MalformedPolicyDocumentException", "invalid principals")
	w.works(put(other, true))
	_, err := w.GetKeyPolicy(t.Context(), &kms.GetKeyPolicyInput{KeyId: &w.keyID})
	w.fails(err, "AccessDeniedException", "because no resource-based policy allows the kms:GetKeyPolicy action")
}

func TestGrantLetsInUntilItIsRevoked(t *testing.T) {
	w := newWorld(t)
	use := func(context map[string]string) error {
		_, err := w.as("nobody").Encrypt(t.Context(),
			&kms.EncryptInput{KeyId: &w.keyID, Plaintext: []byte("x"), EncryptionContext: context})
		return err
	}
	fits := map[string]string{"app": "shop", "more": "of it"}
	w.fails(use(fits), "AccessDeniedException", "")
	in := &kms.CreateGrantInput{KeyId: &w.keyID, Name: aws.String("g"),
		GranteePrincipal: aws.String("arn:aws:iam::111122223333:user/nobody"),
		Operations:       []types.GrantOperation{types.GrantOperationEncrypt},
		Constraints:      &types.GrantConstraints{EncryptionContextSubset: map[string]string{"app": "shop"}}}
	grant, err := w.CreateGrant(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.CreateGrant(t.Context(), in)
	if err != nil || *again.GrantId != *grant.GrantId {
		t.Errorf("the same grant again: got %v, %v", again, err)
	}
	w.works(use(fits))
	w.fails(use(nil), "AccessDeniedException", "")
	_, err = w.as("nobody").Decrypt(t.Context(),
		&kms.DecryptInput{CiphertextBlob: w.encrypt("x", fits), EncryptionContext: fits})
	w.fails(err, "AccessDeniedException", "kms:Decrypt")
	list, err := w.ListGrants(t.Context(), &kms.ListGrantsInput{KeyId: &w.keyID})
	if err != nil || len(list.Grants) != 1 || *list.Grants[0].GrantId != *grant.GrantId {
		t.Errorf("got %+v, %v", list, err)
	}
	_, err = w.RevokeGrant(t.Context(), &kms.RevokeGrantInput{KeyId: &w.keyID, GrantId: grant.GrantId})
	w.works(err)
	w.fails(use(fits), "AccessDeniedException", "")
}

func TestDryRunDoesNothing(t *testing.T) {
	w := newWorld(t)
	_, err := w.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &w.keyID, Plaintext: []byte("x"), DryRun: aws.Bool(true)})
	w.fails(err, "DryRunOperationException", "would have succeeded")
}
