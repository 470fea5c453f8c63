package iam_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

const (
	clusterID = "0123456789ABCDEF0123456789ABCDEF"
	endpoint  = "http://127.0.0.1:4566"
)

var (
	now   = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	hosts = []string{"127.0.0.1:4566", "localhost:4566"}
)

// world is a region with the cluster demo, its creator admin, and another user.
type world struct {
	*state.Memory
	random       io.Reader
	admin, other iam.Credentials
	adminUser    region.User
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldOf(t, rand.Reader)
}

// newFixedWorld has the same keys in every process, as fuzzing has several: what one has signed the others must know.
func newFixedWorld(t testing.TB) *world {
	t.Helper()
	return newWorldOf(t, mathrand.NewChaCha8([32]byte{}))
}

func newWorldOf(t testing.TB, random io.Reader) *world {
	t.Helper()
	w := &world{random: random}
	var records []func(*state.Txn)
	for _, u := range []struct {
		name string
		into *iam.Credentials
	}{{iam.DefaultUser, &w.admin}, {"other", &w.other}} {
		user, err := iam.NewUser(random, iam.DefaultAccountID, u.name, now, iam.AdministratorAccess)
		if err != nil {
			t.Fatal(err)
		}
		key, err := iam.NewAccessKey(random, iam.DefaultAccountID, u.name, now)
		if err != nil {
			t.Fatal(err)
		}
		*u.into = iam.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}
		if u.name == iam.DefaultUser {
			w.adminUser = user
		}
		records = append(records, func(tx *state.Txn) {
			region.Users.Put(tx, user.Name, user)
			region.AccessKeys.Put(tx, key.ID, key)
		})
	}
	records = append(records, func(tx *state.Txn) {
		region.Clusters.Put(tx, clusterID, region.Cluster{ID: clusterID, Name: "demo", CreatorARN: w.adminUser.ARN})
	})
	w.Memory = region.NewMemory(records...)
	return w
}

func (w *world) update(t *testing.T, fn func(*state.Txn)) {
	t.Helper()
	err := w.Update(context.Background(), func(tx *state.Txn) error { fn(tx); return nil })
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) verifier() iam.Verifier {
	return iam.Verifier{ClusterName: "demo", Region: "us-east-1", Hosts: hosts, State: w,
		Now: func() time.Time { return now }}
}

func TestIDsHaveAWSsShapes(t *testing.T) {
	user, err := iam.NewUser(rand.Reader, iam.DefaultAccountID, "admin", now, iam.AdministratorAccess)
	if err != nil {
		t.Fatal(err)
	}
	key, err := iam.NewAccessKey(rand.Reader, iam.DefaultAccountID, "admin", now)
	if err != nil {
		t.Fatal(err)
	}
	for text, pattern := range map[string]string{
		user.ID:    `^AIDA[A-Z2-7]{17}$`,
		user.ARN:   `^arn:aws:iam::111122223333:user/admin$`,
		key.ID:     `^AKIA[A-Z2-7]{16}$`,
		key.Secret: `^[A-Za-z0-9+/]{40}$`,
		key.Status: `^Active$`,
	} {
		if !regexp.MustCompile(pattern).MatchString(text) {
			t.Errorf("%q does not match %s", text, pattern)
		}
	}
	// Decoded as sts get-access-key-info does.
	bits, err := base32.StdEncoding.DecodeString(key.ID[4:])
	if err != nil {
		t.Fatal(err)
	}
	head := binary.BigEndian.Uint64(append([]byte{0, 0}, bits[:6]...))
	if got := fmt.Sprint(head & 0x7fffffffff80 >> 7); got != iam.DefaultAccountID {
		t.Errorf("the key's account is %s, want %s", got, iam.DefaultAccountID)
	}
	if _, err := iam.NewAccessKey(rand.Reader, "none", "admin", now); err == nil {
		t.Error("an account that is no number was accepted")
	}
	if _, err := iam.NewUser(strings.NewReader("short"), iam.DefaultAccountID, "admin", now); err == nil {
		t.Error("exhausted randomness was accepted")
	}
}

func TestLookupKnowsActiveKeysOfUsersOnly(t *testing.T) {
	w := newWorld(t)
	principal, secret, err := iam.Lookup(w, w.admin.AccessKeyID, "", now)
	if err != nil {
		t.Fatal(err)
	}
	want := iam.Principal{
		ARN: w.adminUser.ARN, UserID: w.adminUser.ID, AccountID: iam.DefaultAccountID,
		AccessKeyID: w.admin.AccessKeyID, Policies: []string{iam.AdministratorAccess},
	}
	if diff := cmp.Diff(want, principal); diff != "" || secret != w.admin.SecretAccessKey {
		t.Errorf("principal (-want +got):\n%s", diff)
	}
	if !principal.Allowed("eks:ListClusters", "*") || (iam.Principal{}).Allowed("eks:ListClusters", "*") {
		t.Error("an administrator must be allowed, and a principal without policies must not")
	}

	w.update(t, func(tx *state.Txn) { region.Users.Delete(tx, "other") })
	w.update(t, func(tx *state.Txn) {
		key, _ := region.AccessKeys.Get(tx, w.admin.AccessKeyID)
		key.Status = "Inactive"
		region.AccessKeys.Put(tx, key.ID, key)
	})
	for name, id := range map[string]string{"inactive": w.admin.AccessKeyID, "without user": w.other.AccessKeyID,
		"foreign": "AKIAIOSFODNN7EXAMPLE", "empty": ""} {
		if _, _, err := iam.Lookup(w, id, "", now); !errors.Is(err, iam.ErrUnknownKey) {
			t.Errorf("%s key: got %v, want ErrUnknownKey", name, err)
		}
	}
}

func TestExecCredentialSpeaksTheVersionThatWasAsked(t *testing.T) {
	expiry := time.Date(2026, 3, 4, 5, 20, 7, 999, time.FixedZone("", 3600))
	for _, c := range []struct{ info, want, refused string }{
		{"", "client.authentication.k8s.io/v1beta1", ""},
		{`{"apiVersion":"client.authentication.k8s.io/v1beta1"}`, "client.authentication.k8s.io/v1beta1", ""},
		{`{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"interactive":false}}`,
			"client.authentication.k8s.io/v1", ""},
		{`{"apiVersion":"client.authentication.k8s.io/v1alpha1"}`, "", "v1alpha1"},
		{`{`, "", "KUBERNETES_EXEC_INFO"},
	} {
		text, err := iam.ExecCredential("k8s-aws-v1.x", expiry, c.info)
		if c.refused != "" {
			if err == nil || !strings.Contains(err.Error(), c.refused) {
				t.Errorf("%s: got %v, want an error about %s", c.info, err, c.refused)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{
			"kind": "ExecCredential", "apiVersion": c.want, "spec": map[string]any{},
			"status": map[string]any{"token": "k8s-aws-v1.x", "expirationTimestamp": "2026-03-04T04:20:07Z"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.info, diff)
		}
	}
}

func TestTokenNeedsCredentialsAndEndpoint(t *testing.T) {
	ctx := context.Background()
	good := iam.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "secret"}
	for name, make := range map[string]func() (string, error){
		"no credentials": func() (string, error) {
			return iam.Token(ctx, iam.Credentials{}, "us-east-1", endpoint, "demo", now)
		},
		"no host":     func() (string, error) { return iam.Token(ctx, good, "us-east-1", "127.0.0.1", "demo", now) },
		"with a path": func() (string, error) { return iam.Token(ctx, good, "us-east-1", endpoint+"/x", "demo", now) },
	} {
		if token, err := make(); err == nil || bytes.Contains([]byte(err.Error()), []byte("secret")) {
			t.Errorf("%s: got token %q, error %v", name, token, err)
		}
	}
}
