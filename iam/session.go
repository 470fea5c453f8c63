package iam

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"tripod/region"
	"tripod/state"
)

// MaxSessionToken is the longest session token in bytes that is issued: a presigned URL with it, in base64, must fit
// into the 4,096 bytes of a cluster's token.
const MaxSessionToken = 2048

var (
	// ErrExpired says that temporary credentials have outlived their session.
	ErrExpired = errors.New("the session has expired")
	// ErrBadSessionToken says that a session token is missing, comes with another access key than its own, or was not
	// issued here.
	ErrBadSessionToken = errors.New("the session token is not this region's")
	// ErrTokenTooLong says that session policies and tags do not fit into a session token.
	ErrTokenTooLong = errors.New("the session's policies and tags do not fit into its token")

	errNoSessionKey = errors.New("the region has no session key yet")
)

// Session is what temporary credentials stand for. It travels sealed in the session token itself, so that a zone issues
// and verifies credentials without a write: AssumeRole is as cheap as a read, and works without a quorum once the
// region has its key. What the principal may do is not in it: that is looked up at each call, and so is whether the
// principal still exists.
type Session struct {
	// Role or User is the name of the principal that the session acts as, both are empty for root; ID is that one's unique
	// id, which a principal made anew under the same name has not.
	Role string `json:"r,omitempty"`
	User string `json:"u,omitempty"`
	ID   string `json:"i"`
	// Name is the role session's or the federated user's; empty in a user's own session.
	Name string `json:"n,omitempty"`
	// Policy is the session policy, which narrows what the principal may do, and PolicyARNs are managed policies that do
	// so too: what any of them allows. Empty means that there is none.
	Policy     string   `json:"p,omitempty"`
	PolicyARNs []string `json:"pa,omitempty"`
	// Tags are the session's, which count before the role's own of the same key. Transitive are the keys of those that
	// sessions have that are begun from this one.
	Tags       map[string]string `json:"t,omitempty"`
	Transitive []string          `json:"tt,omitempty"`
	// SourceIdentity is who began the first session of a chain, where that said so.
	SourceIdentity string `json:"si,omitempty"`
	// Provider is the ARN of the OIDC provider whose token began the session; empty for others.
	Provider string `json:"fp,omitempty"`
	// Service is the AWS service that acts by the session, such as eks.amazonaws.com; empty where the account's own people
	// and programs do.
	Service string `json:"sv,omitempty"`
	// MFA says that the user had a code of an MFA device when the session began.
	MFA      bool      `json:"m,omitempty"`
	Secret   string    `json:"s"`
	IssuedAt time.Time `json:"a"`
	Expires  time.Time `json:"e"`
}

// Seal makes the session token of an access key: only that key's id opens it again.
func Seal(random io.Reader, key region.SessionKey, accessKeyID string, session Session) (string, error) {
	text, err := json.Marshal(session)
	if err != nil {
		return "", fmt.Errorf("seal session: %w", err)
	}
	token, err := seal(random, key, accessKeyID, pack(text))
	if err == nil && len(token) > MaxSessionToken {
		return "", ErrTokenTooLong
	}
	return token, err
}

// seal encrypts a text, which opens again only with what it is for.
func seal(random io.Reader, key region.SessionKey, purpose string, text []byte) (string, error) {
	box, err := sealer(key)
	if err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	nonce := make([]byte, box.NonceSize())
	if _, err := io.ReadFull(random, nonce); err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	// Without + and /, so that it grows no longer in a URL.
	return base64.RawURLEncoding.EncodeToString(box.Seal(nonce, nonce, text, []byte(purpose))), nil
}

// open is the session in a token. The error is ErrBadSessionToken or ErrExpired, and tells nothing of the token.
func open(key region.SessionKey, accessKeyID, token string, now time.Time) (Session, error) {
	if len(token) > MaxSessionToken {
		return Session{}, ErrBadSessionToken
	}
	text, ok, err := unseal(key, accessKeyID, token)
	if err != nil {
		return Session{}, fmt.Errorf("open session: %w", err)
	}
	if !ok {
		return Session{}, ErrBadSessionToken
	}
	if text, err = unpack(text); err != nil {
		return Session{}, fmt.Errorf("open session: %w", err)
	}
	var session Session
	if err := json.Unmarshal(text, &session); err != nil {
		return Session{}, fmt.Errorf("open session: %w", err)
	}
	if !now.Before(session.Expires) {
		return Session{}, ErrExpired
	}
	return session, nil
}

// unseal decrypts what seal made for that purpose, and says whether it did.
func unseal(key region.SessionKey, purpose, sealed string) (text []byte, ok bool, err error) {
	box, err := sealer(key)
	if err != nil {
		return nil, false, err
	}
	// Strict, and by its length: one text must not have many forms.
	raw, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err != nil || len(raw) < box.NonceSize() || base64.RawURLEncoding.EncodedLen(len(raw)) != len(sealed) {
		return nil, false, nil
	}
	text, err = box.Open(nil, raw[:box.NonceSize()], raw[box.NonceSize():], []byte(purpose))
	return text, err == nil, nil
}

func sealer(key region.SessionKey) (cipher.AEAD, error) {
	raw, err := base64.StdEncoding.DecodeString(key.Key)
	if err != nil || len(raw) != 32 {
		return nil, errors.New("the region's session key is not 32 bytes in base64")
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// Issue makes the credentials of a session in an account. The error wraps ErrTokenTooLong where policies and tags do
// not fit.
func Issue(ctx context.Context, store state.Updater, random io.Reader, accountID string,
	session Session) (Credentials, error) {
	key, err := EnsureSessionKey(ctx, store, random, session.IssuedAt)
	if err != nil {
		return Credentials{}, err
	}
	id, secret, err := NewTemporaryKey(random, accountID)
	if err != nil {
		return Credentials{}, err
	}
	session.Secret = secret
	token, err := Seal(random, key, id, session)
	if err != nil {
		return Credentials{}, err
	}
	return Credentials{AccessKeyID: id, SecretAccessKey: secret, SessionToken: token}, nil
}

// EnsureSessionKey is the region's session key. The first call ever makes it, and needs a quorum; all others read it.
func EnsureSessionKey(ctx context.Context, store state.Updater, random io.Reader, now time.Time) (region.SessionKey,
	error) {
	var key region.SessionKey
	find := func(tx *state.Txn) error {
		found := false
		if key, found = region.SessionKeys.Get(tx, region.CurrentSessionKey); !found {
			return errNoSessionKey
		}
		return nil
	}
	err := store.View(find)
	if !errors.Is(err, errNoSessionKey) {
		return key, err
	}
	raw := make([]byte, 32)
	if _, err := io.ReadFull(random, raw); err != nil {
		return region.SessionKey{}, fmt.Errorf("make session key: %w", err)
	}
	fresh := region.SessionKey{Key: base64.StdEncoding.EncodeToString(raw), CreatedAt: now.UTC()}
	err = store.Update(ctx, func(tx *state.Txn) error {
		if find(tx) != nil { // another zone may have been faster: then its key counts
			key = fresh
			region.SessionKeys.Put(tx, region.CurrentSessionKey, fresh)
		}
		return nil
	})
	if err != nil {
		return region.SessionKey{}, fmt.Errorf("make session key: %w", err)
	}
	return key, nil
}
