package iam

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"tripod/region"
)

const (
	// DefaultAccountID is the account of a new region: the one of AWS's documentation.
	DefaultAccountID = "111122223333"
	// DefaultUser is the name of a new region's administrator.
	DefaultUser = "admin"
	// AdministratorAccess is the ARN of the managed policy that allows everything.
	AdministratorAccess = "arn:aws:iam::aws:policy/AdministratorAccess"

	statusActive = "Active"
)

// ErrUnknownKey says that an access key is not the region's, or not active.
var ErrUnknownKey = errors.New("the access key is not known here")

// Principal is who made a request, once its signature is verified.
type Principal struct {
	// ARN is the principal's, such as arn:aws:iam::111122223333:user/admin.
	ARN string
	// UserID is its unique id, AIDA... for a user.
	UserID string
	// AccountID has 12 digits.
	AccountID string
	// AccessKeyID signed the request.
	AccessKeyID string
	// Policies are the ARNs of the managed policies attached.
	Policies []string
}

// Allowed says whether the principal's policies allow an action on a resource. What is not allowed is denied.
// Of all policies only AdministratorAccess has a meaning so far.
func (p Principal) Allowed(action, resource string) bool {
	return slices.Contains(p.Policies, AdministratorAccess)
}

// Lookup finds the principal of an access key and the key's secret. The error wraps ErrUnknownKey where the key, or
// its user, is not there or not active, and says nothing that a caller must not see.
func Lookup(state region.Viewer, accessKeyID string) (Principal, string, error) {
	var (
		principal Principal
		secret    string
	)
	err := state.View(func(tx *region.Txn) error {
		key, found := region.AccessKeys.Get(tx, accessKeyID)
		if !found || key.Status != statusActive || key.Secret == "" {
			return ErrUnknownKey
		}
		user, found := region.Users.Get(tx, key.User)
		if !found {
			return ErrUnknownKey
		}
		principal = Principal{
			ARN: user.ARN, UserID: user.ID, AccountID: accountOf(user.ARN), AccessKeyID: key.ID,
			Policies: slices.Clone(user.Policies),
		}
		secret = key.Secret
		return nil
	})
	if err != nil {
		return Principal{}, "", fmt.Errorf("look up access key: %w", err)
	}
	return principal, secret, nil
}

// accountOf is an ARN's fifth field.
func accountOf(arn string) string {
	fields := strings.SplitN(arn, ":", 6)
	if len(fields) < 6 {
		return ""
	}
	return fields[4]
}
