package iam_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// Each of these tokens was good when it was made. What it rests on is gone, or is another's: the API server answers
// 401, and the log says why.
func TestTokenThatLostItsGroundIsRefused(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*testing.T, *world, *iam.Credentials) // before the token is made
		lose  func(*state.Txn)                           // after that
		later time.Duration
		want  string
	}{
		{name: "its key is deactivated", lose: func(tx *state.Txn) {
			for _, key := range region.AccessKeys.List(tx) {
				key.Status = "Inactive"
				region.AccessKeys.Put(tx, key.ID, key)
			}
		}, want: "not this region's"},
		{name: "its key is deleted", lose: func(tx *state.Txn) {
			for _, key := range region.AccessKeys.List(tx) {
				region.AccessKeys.Delete(tx, key.ID)
			}
		}, want: "not this region's"},
		{name: "its user is deleted", lose: func(tx *state.Txn) { region.Users.Delete(tx, iam.DefaultUser) },
			want: "not this region's"},
		{name: "its role is deleted", spoil: asDeployer, lose: func(tx *state.Txn) { region.Roles.Delete(tx, "deployer") },
			want: "not this region's"},
		{name: "its role is made anew", spoil: asDeployer, lose: func(tx *state.Txn) {
			region.Roles.Put(tx, "deployer",
				region.Role{Name: "deployer", ID: "AROABBBBBBBBBBBBBBBBB", ARN: deployerARN, Path: "/ci/"})
		}, want: "not this region's"},
		{name: "it has no session token", spoil: func(t *testing.T, w *world, as *iam.Credentials) {
			asDeployer(t, w, as)
			as.SessionToken = ""
		}, want: "AWS_SESSION_TOKEN"},
		{name: "it has another's session token", spoil: func(t *testing.T, w *world, as *iam.Credentials) {
			asDeployer(t, w, as)
			_, others := w.deployer(t)
			as.SessionToken = others.SessionToken
		}, want: "AWS_SESSION_TOKEN"},
		{name: "it is 16 minutes old", later: 16 * time.Minute, want: "was signed 16m0s ago"},
		{name: "its keys are real AWS's", spoil: func(_ *testing.T, _ *world, as *iam.Credentials) {
			*as = iam.Credentials{AccessKeyID: "ASIAIOSFODNN7EXAMPLE", SecretAccessKey: "live-secret",
				SessionToken: "live-session"}
		}, want: "real AWS credentials is refused here, and neither kept nor sent on"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.mode(t, "CONFIG_MAP")
			as := w.admin
			if c.spoil != nil {
				c.spoil(t, w, &as)
			}
			token, err := iam.Token(context.Background(), as, "us-east-1", endpoint, "demo", now)
			if err != nil {
				t.Fatal(err)
			}
			if c.lose != nil {
				w.update(t, c.lose)
			}
			var log bytes.Buffer
			a := w.authenticator(&log)
			a.Now = func() time.Time { return now.Add(c.later) }
			status := review(t, a, token)
			if status["authenticated"] != false || !strings.Contains(log.String(), "access denied") ||
				!strings.Contains(log.String(), c.want) {
				t.Errorf("got %v, logged %s; want something about %q", status, log.String(), c.want)
			}
			noSecrets(t, strings.TrimSuffix(log.String(), "\n"), token, w)
			for _, secret := range []string{as.SecretAccessKey, as.SessionToken} {
				if secret != "" && strings.Contains(log.String(), secret) {
					t.Errorf("the log tells a secret: %s", log.String())
				}
			}
		})
	}
}

// asDeployer makes the credentials those of a session of the world's role.
func asDeployer(t *testing.T, w *world, as *iam.Credentials) { _, *as = w.deployer(t) }
