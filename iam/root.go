package iam

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"tripod/region"
	"tripod/state"
)

// RootARN is the ARN of an account's root user.
func RootARN(accountID string) string { return "arn:aws:iam::" + accountID + ":root" }

// IsRoot says whether the principal is its account's root user.
func (p Principal) IsRoot() bool { return p.ARN == RootARN(p.AccountID) }

// rootPrincipal is the account's root user. Its id is the account's. It may do everything: AdministratorAccess says
// that, and nobody can take it away or bound it.
func rootPrincipal(accountID, accessKeyID string) Principal {
	return Principal{ARN: RootARN(accountID), UserID: accountID, AccountID: accountID, AccessKeyID: accessKeyID,
		Policies: []string{AdministratorAccess}}
}

// NewRootKey is NewAccessKey for the account's root user.
func NewRootKey(random io.Reader, accountID string, now time.Time) (region.AccessKey, error) {
	key, err := NewAccessKey(random, accountID, "", now)
	key.Root = true
	return key, err
}

var errNoRootKey = errors.New("the account's root user has no active access key")

// EnsureRootKey is an active access key of the account's root user, who has none at first. Whoever asks stands where
// AWS's console is: with the region's files comes the right to make root a key, or to make one active again. operation
// is the one of IAM that did so; empty: none had to.
func EnsureRootKey(
	ctx context.Context, store state.Updater, random io.Reader, accountID string, now time.Time,
) (key region.AccessKey, operation string, err error) {
	find := func(tx *state.Txn) error {
		key = region.AccessKey{}
		for _, one := range region.KeysByOwner.Of(region.KeyOwner("", true)).List(tx) {
			if key = one; key.Status == statusActive {
				return nil
			}
		}
		return errNoRootKey
	}
	if err := store.View(find); !errors.Is(err, errNoRootKey) {
		return key, "", err
	}
	fresh, err := NewRootKey(random, accountID, now)
	if err != nil {
		return region.AccessKey{}, "", err
	}
	err = store.Update(ctx, func(tx *state.Txn) error {
		if operation = ""; find(tx) == nil { // another zone was faster
			return nil
		}
		if operation = "UpdateAccessKey"; key.ID == "" {
			key, operation = fresh, "CreateAccessKey"
		}
		key.Status = statusActive
		region.AccessKeys.Put(tx, key.ID, key)
		return nil
	})
	if err != nil {
		return region.AccessKey{}, "", fmt.Errorf("make an access key of the root user: %w", err)
	}
	return key, operation, nil
}
