package iam

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"time"

	"tripod/region"
)

// NewUser makes the record of an IAM user. Its id is AIDA and 17 characters, drawn from random.
func NewUser(random io.Reader, accountID, name string, now time.Time, policies ...string) (region.User, error) {
	bits := make([]byte, 11)
	if _, err := io.ReadFull(random, bits); err != nil {
		return region.User{}, fmt.Errorf("new user %s: %w", name, err)
	}
	return region.User{
		Name:      name,
		ID:        "AIDA" + base32.StdEncoding.EncodeToString(bits)[:17],
		ARN:       "arn:aws:iam::" + accountID + ":user/" + name,
		CreatedAt: now.UTC(),
		Policies:  policies,
	}, nil
}

// NewAccessKey makes the record of an active access key of a user: AKIA and 16 characters, and a secret of 40, drawn from
// random. As in AWS, the id tells the account to those who decode it (sts get-access-key-info).
func NewAccessKey(random io.Reader, accountID, user string, now time.Time) (region.AccessKey, error) {
	account, err := strconv.ParseUint(accountID, 10, 40)
	if err != nil {
		return region.AccessKey{}, fmt.Errorf("new access key: account %q is not a number of 12 digits", accountID)
	}
	bits := make([]byte, 10+30)
	if _, err := io.ReadFull(random, bits); err != nil {
		return region.AccessKey{}, fmt.Errorf("new access key: %w", err)
	}
	id, secret := bits[:10], bits[10:]
	// The first 48 bits: one that is set, 40 of the account, 7 random.
	head := binary.BigEndian.Uint64(id)
	head = head&(1<<23-1) | 1<<63 | account<<23
	binary.BigEndian.PutUint64(id, head)
	return region.AccessKey{
		ID:        "AKIA" + base32.StdEncoding.EncodeToString(id),
		Secret:    base64.StdEncoding.EncodeToString(secret),
		User:      user,
		Status:    statusActive,
		CreatedAt: now.UTC(),
	}, nil
}
