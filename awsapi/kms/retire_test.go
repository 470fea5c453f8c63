package kms_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// TestGrantIsRetiredByWhomItLets follows "Retiring and revoking grants" of KMS's guide.
func TestGrantIsRetiredByWhomItLets(t *testing.T) {
	const root = "arn:aws:iam::111122223333:root"
	for name, c := range map[string]struct {
		retiring, operations, by string
		allowed                  bool // by an IAM policy
		may                      bool
	}{
		"the retiring principal":                  {users + "nobody", "Encrypt", "nobody", false, true},
		"the grantee":                             {users + "admin", "Encrypt", "friend", false, false},
		"the grantee whose grant has RetireGrant": {users + "admin", "Encrypt RetireGrant", "friend", false, true},
		"somebody else":                           {users + "admin", "Encrypt RetireGrant", "nobody", false, false},
		"somebody else with a policy":             {users + "admin", "Encrypt RetireGrant", "nobody", true, false},
		"the account, without a policy":           {root, "Encrypt", "nobody", false, false},
		"the account, with a policy":              {root, "Encrypt", "nobody", true, true},
		"root":                                    {users + "admin", "Encrypt", "root", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.Root()
			w.User("friend")
			if c.allowed {
				w.Allow("nobody", "kms:RetireGrant", "*")
			}
			made, err := w.CreateGrant(t.Context(),
				&kms.CreateGrantInput{KeyId: &w.keyID, GranteePrincipal: aws.String(users + "friend"),
					RetiringPrincipal: &c.retiring,
					Operations:        operations(c.operations)})
			if err != nil {
				t.Fatal(err)
			}
			list, err := w.ListRetirableGrants(t.Context(), &kms.ListRetirableGrantsInput{RetiringPrincipal: &c.retiring})
			if err != nil || len(list.Grants) != 1 || *list.Grants[0].GrantId != *made.GrantId {
				t.Errorf("got %+v, %v", list, err)
			}
			if _, err = w.as(c.by).RetireGrant(t.Context(), &kms.RetireGrantInput{GrantToken: made.GrantToken}); c.may {
				w.works(err)
			} else {
				w.fails(err, "AccessDeniedException", "kms:RetireGrant")
				_, err = w.as("root").RetireGrant(t.Context(), &kms.RetireGrantInput{KeyId: &w.arn, GrantId: made.GrantId})
				w.works(err)
			}
			_, err = w.as("root").RetireGrant(t.Context(), &kms.RetireGrantInput{KeyId: &w.arn, GrantId: made.GrantId})
			w.fails(err, "InvalidGrantIdException", "not found")
			_, err = w.as("root").RetireGrant(t.Context(), &kms.RetireGrantInput{GrantToken: made.GrantToken})
			w.fails(err, "InvalidGrantTokenException", "")
		})
	}
}

// TestDeniedPrincipalRetiresNothing shows that a deny counts against a grant.
func TestDeniedPrincipalRetiresNothing(t *testing.T) {
	w := newWorld(t)
	w.User("ann", iam.AdministratorAccess)
	w.Write(func(tx *state.Txn) {
		user, _ := region.Users.Get(tx, "ann")
		user.Inline = map[string]string{"deny": `{"Version":"2012-10-17","Statement":{"Effect":"Deny",` +
			`"Action":"kms:RetireGrant","Resource":"*"}}`}
		region.Users.Put(tx, "ann", user)
	})
	made, err := w.CreateGrant(t.Context(),
		&kms.CreateGrantInput{KeyId: &w.keyID, GranteePrincipal: aws.String(users + "nobody"),
			RetiringPrincipal: aws.String(users + "ann"),
			Operations:        operations("Encrypt")})
	w.works(err)
	_, err = w.as("ann").RetireGrant(t.Context(), &kms.RetireGrantInput{GrantToken: made.GrantToken})
	w.fails(err, "AccessDeniedException", "with an explicit deny")
}
