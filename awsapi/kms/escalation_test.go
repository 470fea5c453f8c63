package kms_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

const users = "arn:aws:iam::111122223333:user/"

func operations(names string) (all []types.GrantOperation) {
	for _, name := range strings.Fields(names) {
		all = append(all, types.GrantOperation(name))
	}
	return all
}

// grant makes a grant on the world's key by the client.
func (w *world) grant(by *kms.Client, grantee, names string, constraints *types.GrantConstraints) (string, error) {
	out, err := by.CreateGrant(w.Context(),
		&kms.CreateGrantInput{KeyId: &w.keyID, GranteePrincipal: &grantee, Operations: operations(names),
			Constraints: constraints})
	if err != nil {
		return "", err
	}
	return *out.GrantId, nil
}

func equals(pairs ...string) *types.GrantConstraints {
	return &types.GrantConstraints{EncryptionContextEquals: pairsOf(pairs)}
}

func subset(pairs ...string) *types.GrantConstraints {
	return &types.GrantConstraints{EncryptionContextSubset: pairsOf(pairs)}
}

func pairsOf(pairs []string) map[string]string {
	all := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return all
}

// TestGranteeGrantsNoMoreThanItHas follows "Granting CreateGrant permission" of KMS's guide.
func TestGranteeGrantsNoMoreThanItHas(t *testing.T) {
	const parent = "CreateGrant Decrypt Encrypt"
	for name, c := range map[string]struct {
		constraints, child *types.GrantConstraints
		operations         string
		may                bool
	}{
		"all of it":                        {nil, nil, parent, true},
		"some of it":                       {nil, nil, "Decrypt", true},
		"some of it, narrower":             {nil, equals("a", "1"), "Decrypt", true},
		"an operation more":                {nil, nil, "Decrypt DescribeKey", false},
		"another operation":                {nil, nil, "GenerateDataKey", false},
		"equals, unchanged":                {equals("a", "1"), equals("a", "1"), "Decrypt", true},
		"equals, dropped":                  {equals("a", "1"), nil, "Decrypt", false},
		"equals, another value":            {equals("a", "1"), equals("a", "2"), "Decrypt", false},
		"equals, more pairs":               {equals("a", "1"), equals("a", "1", "b", "2"), "Decrypt", false},
		"equals, as a subset":              {equals("a", "1"), subset("a", "1"), "Decrypt", false},
		"subset, unchanged":                {subset("a", "1"), subset("a", "1"), "Decrypt", true},
		"subset, dropped":                  {subset("a", "1"), nil, "Decrypt", false},
		"subset, more pairs":               {subset("a", "1"), subset("a", "1", "b", "2"), "Decrypt", true},
		"subset, fewer pairs":              {subset("a", "1", "b", "2"), subset("a", "1"), "Decrypt", false},
		"subset, as equals":                {subset("a", "1"), equals("a", "1"), "Decrypt", true},
		"subset, as equals of more":        {subset("a", "1"), equals("a", "1", "b", "2"), "Decrypt", true},
		"subset, as equals without a pair": {subset("a", "1"), equals("b", "2"), "Decrypt", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.User("friend")
			_, err := w.grant(w.Client, users+"nobody", parent, c.constraints)
			w.works(err)
			if _, err = w.grant(w.as("nobody"), users+"friend", c.operations, c.child); c.may {
				w.works(err)
			} else {
				w.fails(err, "AccessDeniedException", "kms:CreateGrant")
			}
		})
	}
}

// TestGrantsOfOneGranteeAreNotAddedUp has the rights of each grant alone.
func TestGrantsOfOneGranteeAreNotAddedUp(t *testing.T) {
	w := newWorld(t)
	w.User("friend")
	for _, names := range []string{"CreateGrant Decrypt", "Encrypt", "CreateGrant DescribeKey"} {
		_, err := w.grant(w.Client, users+"nobody", names, nil)
		w.works(err)
	}
	_, err := w.grant(w.Client, users+"friend", "CreateGrant Encrypt", nil)
	w.works(err)
	for _, names := range []string{"Encrypt", "Decrypt DescribeKey", "Decrypt Encrypt"} {
		_, err := w.grant(w.as("nobody"), users+"nobody", names, nil)
		w.fails(err, "AccessDeniedException", "kms:CreateGrant")
	}
	_, err = w.grant(w.as("nobody"), users+"nobody", "Decrypt", nil)
	w.works(err)
	w.Allow("nobody", "kms:CreateGrant", "*") // who may by a policy is not bound to a grant
	_, err = w.grant(w.as("nobody"), users+"nobody", "Encrypt", nil)
	w.works(err)
}

// TestConstraintIsNoneOnDescribeKey is what AWS says of constraints: they do not apply to operations without an
// encryption context.
func TestConstraintIsNoneOnDescribeKey(t *testing.T) {
	w := newWorld(t)
	_, err := w.grant(w.Client, users+"nobody", "DescribeKey", equals("a", "1"))
	w.works(err)
	_, err = w.as("nobody").DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &w.keyID})
	w.works(err)
}

// TestGrantToTheAccountLeavesItToPolicies keeps out who has no policy, and lets in who has one.
func TestGrantToTheAccountLeavesItToPolicies(t *testing.T) {
	w := newWorld(t)
	policy := `{"Version":"2012-10-17","Statement":[` + statement("Allow", admin, "kms:*") + `]}`
	_, err := w.PutKeyPolicy(t.Context(), &kms.PutKeyPolicyInput{KeyId: &w.keyID, Policy: &policy})
	w.works(err)
	_, err = w.grant(w.Client, "arn:aws:iam::111122223333:root", "Encrypt", nil)
	w.works(err)
	encrypt := func() error {
		_, err := w.as("nobody").Encrypt(t.Context(), &kms.EncryptInput{KeyId: &w.keyID, Plaintext: []byte("x")})
		return err
	}
	w.fails(encrypt(), "AccessDeniedException", "kms:Encrypt")
	w.Allow("nobody", "kms:Encrypt", w.arn)
	w.works(encrypt())
	w.Write(func(tx *state.Txn) {
		user, _ := region.Users.Get(tx, "nobody")
		user.Inline["deny"] = `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"kms:*","Resource":"*"}}`
		region.Users.Put(tx, "nobody", user)
	})
	w.fails(encrypt(), "AccessDeniedException", "with an explicit deny")
}

// again deletes a user and makes another one of that name.
func (w *world) again(name string) {
	w.Helper()
	w.Write(func(tx *state.Txn) {
		region.Users.Delete(tx, name)
		for _, key := range region.KeysByOwner.Of(region.KeyOwner(name, false)).List(tx) {
			region.AccessKeys.Delete(tx, key.ID)
		}
	})
	w.User(name)
}

func (w *world) idOf(name string) (id string) {
	_ = w.View(func(tx *state.Txn) error {
		user, _ := region.Users.Get(tx, name)
		id = user.ID
		return nil
	})
	return id
}

// TestKeyPolicyAndGrantEndWithWhomTheyName makes a user anew under a name that a key's policy and a grant have.
func TestKeyPolicyAndGrantEndWithWhomTheyName(t *testing.T) {
	w := newWorld(t)
	w.User("ann")
	w.User("bob")
	first, bob := w.idOf("ann"), w.idOf("bob")
	policy := `{"Version":"2012-10-17","Statement":[` + statement("Allow", admin, "kms:*") + "," +
		statement("Allow", users+"ann", "kms:Encrypt") + `]}`
	_, err := w.PutKeyPolicy(t.Context(), &kms.PutKeyPolicyInput{KeyId: &w.keyID, Policy: &policy})
	w.works(err)
	_, err = w.grant(w.Client, users+"bob", "Encrypt", nil)
	w.works(err)
	for _, name := range []string{"ann", "bob"} {
		_, err = w.as(name).Encrypt(t.Context(), &kms.EncryptInput{KeyId: &w.keyID, Plaintext: []byte("x")})
		w.works(err)
		w.again(name)
		_, err = w.as(name).Encrypt(t.Context(), &kms.EncryptInput{KeyId: &w.keyID, Plaintext: []byte("x")})
		w.fails(err, "AccessDeniedException", "because no resource-based policy allows")
	}
	shown, err := w.GetKeyPolicy(t.Context(), &kms.GetKeyPolicyInput{KeyId: &w.keyID})
	if want := strings.Replace(policy, users+"ann", first, 1); err != nil || *shown.Policy != want {
		t.Errorf("got %v %v, want %s", aws.ToString(shown.Policy), err, want)
	}
	_, err = w.PutKeyPolicy(t.Context(), &kms.PutKeyPolicyInput{KeyId: &w.keyID, Policy: shown.Policy})
	w.fails(err, "MalformedPolicyDocumentException", "Policy contains a statement with one or more invalid principals.")
	list, err := w.ListGrants(t.Context(), &kms.ListGrantsInput{KeyId: &w.keyID})
	if err != nil || len(list.Grants) != 1 || *list.Grants[0].GranteePrincipal != bob {
		t.Errorf("got %+v, %v", list, err)
	}
}

// TestConditionKeysOfKMSCount denies by one key each.
func TestConditionKeysOfKMSCount(t *testing.T) {
	alias := aws.String("alias/secret")
	encryption := map[string]string{"app": "shop"}
	encrypt := func(w *world, c *kms.Client) error {
		_, err := c.Encrypt(w.Context(),
			&kms.EncryptInput{KeyId: &w.keyID, Plaintext: []byte("x"), EncryptionContext: encryption})
		return err
	}
	grant := func(w *world, c *kms.Client) error {
		_, err := c.CreateGrant(w.Context(),
			&kms.CreateGrantInput{KeyId: &w.keyID, GranteePrincipal: aws.String(users + "nobody"),
				RetiringPrincipal: aws.String(admin),
				Operations:        operations("Encrypt Decrypt"), Constraints: subset("app", "shop")})
		return err
	}
	for condition, call := range map[string]func(*world, *kms.Client) error{
		`"StringEquals":{"kms:CallerAccount":"111122223333"}`:                  encrypt,
		`"StringEquals":{"kms:KeySpec":"SYMMETRIC_DEFAULT"}`:                   encrypt,
		`"StringEquals":{"kms:CustomerMasterKeySpec":"SYMMETRIC_DEFAULT"}`:     encrypt,
		`"StringEquals":{"kms:KeyUsage":"ENCRYPT_DECRYPT"}`:                    encrypt,
		`"StringEquals":{"kms:CustomerMasterKeyUsage":"ENCRYPT_DECRYPT"}`:      encrypt,
		`"StringEquals":{"kms:KeyOrigin":"AWS_KMS"}`:                           encrypt,
		`"Bool":{"kms:MultiRegion":"false"}`:                                   encrypt,
		`"StringEquals":{"kms:EncryptionAlgorithm":"SYMMETRIC_DEFAULT"}`:       encrypt,
		`"StringEquals":{"kms:EncryptionContext:app":"shop"}`:                  encrypt,
		`"ForAnyValue:StringEquals":{"kms:EncryptionContextKeys":"app"}`:       encrypt,
		`"ForAnyValue:StringEquals":{"kms:ResourceAliases":"alias/secret"}`:    encrypt,
		`"Null":{"kms:ViaService":"true"}`:                                     encrypt,
		`"Null":{"kms:RequestAlias":"true"}`:                                   encrypt,
		`"ForAnyValue:StringEquals":{"kms:GrantOperations":["Decrypt"]}`:       grant,
		`"StringEquals":{"kms:GranteePrincipal":"` + users + `nobody"}`:        grant,
		`"StringEquals":{"kms:RetiringPrincipal":"` + admin + `"}`:             grant,
		`"StringEquals":{"kms:GrantConstraintType":"EncryptionContextSubset"}`: grant,
		`"Bool":{"kms:GrantIsForAWSResource":"false"}`:                         grant,
		`"StringEquals":{"kms:EncryptionContext:app": "shop"}`:                 grant,
		`"StringEquals":{"kms:RequestAlias":"alias/secret"}`: func(w *world, c *kms.Client) error {
			_, err := c.Encrypt(w.Context(), &kms.EncryptInput{KeyId: alias, Plaintext: []byte("x")})
			return err
		},
		`"StringLike":{"kms:RequestAlias":"alias/s*"}`: func(w *world, c *kms.Client) error {
			_, err := c.Decrypt(w.Context(),
				&kms.DecryptInput{KeyId: aws.String(strings.Replace(w.arn, "key/"+w.keyID, *alias, 1)),
					CiphertextBlob: w.encrypt("x", nil)})
			return err
		},
		`"Bool":{"kms:ReEncryptOnSameKey":"true"}`: func(w *world, c *kms.Client) error {
			_, err := c.ReEncrypt(w.Context(),
				&kms.ReEncryptInput{CiphertextBlob: w.encrypt("x", nil), DestinationKeyId: &w.keyID})
			return err
		},
		`"Bool":{"kms:BypassPolicyLockoutSafetyCheck":"true"}`: func(w *world, c *kms.Client) error {
			policy, err := c.GetKeyPolicy(w.Context(), &kms.GetKeyPolicyInput{KeyId: &w.keyID})
			if err == nil {
				_, err = c.PutKeyPolicy(w.Context(),
					&kms.PutKeyPolicyInput{KeyId: &w.keyID, Policy: policy.Policy, BypassPolicyLockoutSafetyCheck: true})
			}
			return err
		},
		`"NumericLessThan":{"kms:ScheduleKeyDeletionPendingWindowInDays":"10"}`: func(w *world, c *kms.Client) error {
			_, err := c.ScheduleKeyDeletion(w.Context(),
				&kms.ScheduleKeyDeletionInput{KeyId: &w.keyID, PendingWindowInDays: aws.Int32(9)})
			return err
		},
		`"NumericGreaterThan":{"kms:RotationPeriodInDays":"100"}`: func(w *world, c *kms.Client) error {
			_, err := c.EnableKeyRotation(w.Context(),
				&kms.EnableKeyRotationInput{KeyId: &w.keyID, RotationPeriodInDays: aws.Int32(101)})
			return err
		},
		`"StringEquals":{"kms:KeySpec": "SYMMETRIC_DEFAULT"}`: func(w *world, c *kms.Client) error {
			_, err := c.CreateKey(w.Context(), &kms.CreateKeyInput{})
			return err
		},
		`"StringEquals":{"aws:RequestTag/team":"red"}`: func(w *world, c *kms.Client) error {
			_, err := c.CreateKey(w.Context(),
				&kms.CreateKeyInput{Tags: []types.Tag{{TagKey: aws.String("team"), TagValue: aws.String("red")}}})
			return err
		},
	} {
		t.Run(condition, func(t *testing.T) {
			w := newWorld(t)
			w.User("ann", iam.AdministratorAccess)
			_, err := w.CreateAlias(t.Context(), &kms.CreateAliasInput{AliasName: alias, TargetKeyId: &w.keyID})
			w.works(err)
			w.works(call(w, w.as("ann")))
			w.Write(func(tx *state.Txn) {
				user, _ := region.Users.Get(tx, "ann")
				user.Inline = map[string]string{"deny": `{"Version":"2012-10-17","Statement":{"Effect":"Deny",` +
					`"NotAction":"kms:GetKeyPolicy","Resource":"*","Condition":{` + condition + `}}}`}
				region.Users.Put(tx, "ann", user)
			})
			w.fails(call(w, w.as("ann")), "AccessDeniedException", "explicit deny")
		})
	}
}

// TestAliasIsMovedByWhoMayForBothKeys needs kms:UpdateAlias for the alias, for the key that it stood for, and for the
// next one.
func TestAliasIsMovedByWhoMayForBothKeys(t *testing.T) {
	w := newWorld(t)
	w.User("ann", iam.AdministratorAccess)
	next, err := w.CreateKey(t.Context(), &kms.CreateKeyInput{})
	w.works(err)
	name := aws.String("alias/moved")
	_, err = w.CreateAlias(t.Context(), &kms.CreateAliasInput{AliasName: name, TargetKeyId: &w.keyID})
	w.works(err)
	move := func() error {
		_, err := w.as("ann").UpdateAlias(t.Context(),
			&kms.UpdateAliasInput{AliasName: name, TargetKeyId: next.KeyMetadata.KeyId})
		return err
	}
	for _, resource := range []string{w.arn, *next.KeyMetadata.Arn, strings.Replace(w.arn, "key/"+w.keyID, *name, 1)} {
		w.Write(func(tx *state.Txn) {
			user, _ := region.Users.Get(tx, "ann")
			user.Inline = map[string]string{"deny": `{"Version":"2012-10-17","Statement":{"Effect":"Deny",` +
				`"Action":"kms:UpdateAlias","Resource":"` + resource + `"}}`}
			region.Users.Put(tx, "ann", user)
		})
		w.fails(move(), "AccessDeniedException", resource)
	}
	w.Write(func(tx *state.Txn) {
		user, _ := region.Users.Get(tx, "ann")
		user.Inline = nil
		region.Users.Put(tx, "ann", user)
	})
	w.works(move())
}
