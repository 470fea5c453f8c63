package iam_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// deployer is a role of the world and credentials of a session of it that lasts an hour.
func (w *world) deployer(t testing.TB) (region.Role, iam.Credentials) {
	t.Helper()
	role := region.Role{Name: "deployer", ID: "AROAAAAAAAAAAAAAAAAAA", ARN: "arn:aws:iam::111122223333:role/ci/deployer",
		Path: "/ci/"}
	if err := w.Update(context.Background(),
		func(tx *state.Txn) error { region.Roles.Put(tx, role.Name, role); return nil }); err != nil {
		t.Fatal(err)
	}
	return role, w.session(t, iam.Session{Role: role.Name, ID: role.ID, Name: "build-1"})
}

// session is credentials of a session that lasts an hour.
func (w *world) session(t testing.TB, session iam.Session) iam.Credentials {
	t.Helper()
	key, err := iam.EnsureSessionKey(context.Background(), w, w.random, now)
	if err != nil {
		t.Fatal(err)
	}
	id, secret, err := iam.NewTemporaryKey(w.random, iam.DefaultAccountID)
	if err != nil {
		t.Fatal(err)
	}
	session.Secret, session.IssuedAt, session.Expires = secret, now, now.Add(time.Hour)
	token, err := iam.Seal(w.random, key, id, session)
	if err != nil {
		t.Fatal(err)
	}
	return iam.Credentials{AccessKeyID: id, SecretAccessKey: secret, SessionToken: token}
}

func TestTokenOfARoleSessionIsItsRoles(t *testing.T) {
	w := newWorld(t)
	role, credentials := w.deployer(t)
	token, err := iam.Token(context.Background(), credentials, "us-east-1", endpoint, "demo", now)
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.verifier().Verify(token)
	if err != nil {
		t.Fatal(err)
	}
	want := iam.Principal{
		ARN: "arn:aws:sts::111122223333:assumed-role/deployer/build-1", UserID: role.ID + ":build-1",
		AccountID:   iam.DefaultAccountID,
		AccessKeyID: credentials.AccessKeyID, IssuerARN: role.ARN, IssuerID: role.ID, SessionName: "build-1", IssuedAt: now,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("principal (-want +got):\n%s", diff)
	}
}

// aws-iam-authenticator takes a session's name from an assumed role's id alone: of a federated user the id is
// ACCOUNT:NAME as a whole.
func TestFederatedUserHasNoSessionName(t *testing.T) {
	w := newWorld(t)
	credentials := w.session(t, iam.Session{User: "other", ID: w.otherID(t), Name: "bob"})
	token, err := iam.Token(context.Background(), credentials, "us-east-1", endpoint, "demo", now)
	if err != nil {
		t.Fatal(err)
	}
	arn, id := "arn:aws:sts::111122223333:federated-user/bob", "111122223333:bob"
	auth, _ := iam.ParseAWSAuth(map[string]string{"mapUsers": `[{userarn: "` +
		arn + `", username: "fed:{{SessionName}}", groups: [dev]}]`})
	authenticator := w.authenticator(&bytes.Buffer{})
	authenticator.AWSAuth = func() iam.AWSAuth { return auth }
	want := map[string]any{
		"username": "fed:", "uid": "aws-iam-authenticator:111122223333:" + id, "groups": []any{"dev"},
		"extra": map[string]any{
			"arn": []any{arn}, "canonicalArn": []any{arn}, "sessionName": []any{""},
			"accessKeyId": []any{credentials.AccessKeyID},
			"principalId": []any{id}, "sigs.k8s.io/aws-iam-authenticator/principalId": []any{id},
		},
	}
	w.mode(t, "API_AND_CONFIG_MAP")
	if diff := cmp.Diff(want, review(t, authenticator, token)["user"]); diff != "" {
		t.Errorf("user (-want +got):\n%s", diff)
	}
}

func TestSessionEndsWithItsTimeItsRoleAndItsToken(t *testing.T) {
	w := newWorld(t)
	role, credentials := w.deployer(t)
	_, others := w.deployer(t)
	last := credentials.SessionToken[len(credentials.SessionToken)-5:]
	for name, c := range map[string]struct {
		id, token string
		at        time.Time
		want      error
	}{
		"in time":   {credentials.AccessKeyID, credentials.SessionToken, now.Add(time.Hour - 1), nil},
		"expired":   {credentials.AccessKeyID, credentials.SessionToken, now.Add(time.Hour), iam.ErrExpired},
		"no token":  {credentials.AccessKeyID, "", now, iam.ErrBadSessionToken},
		"another's": {credentials.AccessKeyID, others.SessionToken, now, iam.ErrBadSessionToken},
		"cut": {credentials.AccessKeyID, credentials.SessionToken[:len(credentials.SessionToken)-5], now,
			iam.ErrBadSessionToken},
		"changed":       {credentials.AccessKeyID, last + credentials.SessionToken[5:], now, iam.ErrBadSessionToken},
		"line break":    {credentials.AccessKeyID, credentials.SessionToken + "\n", now, iam.ErrBadSessionToken},
		"long-term key": {w.admin.AccessKeyID, credentials.SessionToken, now, iam.ErrBadSessionToken},
	} {
		if _, _, err := iam.Lookup(w, c.id, c.token, c.at); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	w.update(t, func(tx *state.Txn) { role.ID = "AROABBBBBBBBBBBBBBBBB"; region.Roles.Put(tx, role.Name, role) })
	if _, _, err := iam.Lookup(w, credentials.AccessKeyID, credentials.SessionToken, now); !errors.Is(err,
		iam.ErrUnknownKey) {
		t.Errorf("role made anew: got %v, want ErrUnknownKey", err)
	}
}
