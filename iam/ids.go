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
	id, err := NewID(random, "AIDA")
	if err != nil {
		return region.User{}, fmt.Errorf("new user %s: %w", name, err)
	}
	return region.User{
		Name:      name,
		ID:        id,
		ARN:       "arn:aws:iam::" + accountID + ":user/" + name,
		CreatedAt: now.UTC(),
		Policies:  policies,
	}, nil
}

// NewID makes the unique id of an IAM entity: a prefix of four letters that tells its kind (AIDA, AROA, AGPA, ANPA,
// AIPA) and 17 characters, drawn from random.
func NewID(random io.Reader, prefix string) (string, error) {
	bits := make([]byte, 11)
	if _, err := io.ReadFull(random, bits); err != nil {
		return "", err
	}
	return prefix + base32.StdEncoding.EncodeToString(bits)[:17], nil
}

// NewAccessKey makes the record of an active access key of a user: AKIA and 16 characters, and a secret of 40, drawn
// from random. As in AWS, the id tells the account to those who decode it (sts get-access-key-info).
func NewAccessKey(random io.Reader, accountID, user string, now time.Time) (region.AccessKey, error) {
	id, secret, err := newKey(random, "AKIA", accountID)
	if err != nil {
		return region.AccessKey{}, err
	}
	return region.AccessKey{ID: id, Secret: secret, User: user, Status: statusActive, CreatedAt: now.UTC()}, nil
}

// NewTemporaryKey makes the id (ASIA and 16 characters) and secret of a session's access key.
func NewTemporaryKey(random io.Reader, accountID string) (id, secret string, err error) {
	return newKey(random, temporaryPrefix, accountID)
}

func newKey(random io.Reader, prefix, accountID string) (id, secret string, err error) {
	account, err := strconv.ParseUint(accountID, 10, 40)
	if err != nil {
		return "", "", fmt.Errorf("new access key: account %q is not a number of 12 digits", accountID)
	}
	bits := make([]byte, 10+30)
	if _, err := io.ReadFull(random, bits); err != nil {
		return "", "", fmt.Errorf("new access key: %w", err)
	}
	// The first 48 bits: one that is set, 40 of the account, 7 random.
	head := binary.BigEndian.Uint64(bits)
	head = head&(1<<23-1) | 1<<63 | account<<23
	binary.BigEndian.PutUint64(bits, head)
	return prefix + base32.StdEncoding.EncodeToString(bits[:10]), base64.StdEncoding.EncodeToString(bits[10:]), nil
}

// AccountOfKey is the account of an access key's id, and whether the id is one that tells it.
func AccountOfKey(id string) (string, bool) {
	if len(id) != 20 {
		return "", false
	}
	bits, err := base32.StdEncoding.DecodeString(id[4:])
	if err != nil || bits[0]&0x80 == 0 {
		return "", false
	}
	return fmt.Sprintf("%012d", binary.BigEndian.Uint64(bits)<<1>>24), true
}
