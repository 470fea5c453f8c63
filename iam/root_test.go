package iam_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"

	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

const (
	rootARN = "arn:aws:iam::111122223333:root"
	rootID  = "111122223333"
)

// root is the credentials of the account's root user.
func (w *world) root(t *testing.T) iam.Credentials {
	t.Helper()
	key, _, err := iam.EnsureRootKey(context.Background(), w, rand.Reader, iam.DefaultAccountID, now)
	if err != nil {
		t.Fatal(err)
	}
	return iam.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}
}

func (w *world) look(t *testing.T, as iam.Credentials) iam.Principal {
	t.Helper()
	p, secret, err := iam.Lookup(w, as.AccessKeyID, as.SessionToken, now)
	if err != nil || secret != as.SecretAccessKey {
		t.Fatal(err)
	}
	return p
}

func TestRootMayEverythingAndIsNoUser(t *testing.T) {
	w := newWorld(t)
	w.update(t, func(tx *state.Txn) { // an IAM user of that name is somebody else
		region.Users.Put(tx, "root", region.User{Name: "root", ID: "AIDAROOT", ARN: "arn:aws:iam::111122223333:user/root"})
	})
	for name, as := range map[string]iam.Credentials{"key": w.root(t), "session": w.session(t, iam.Session{ID: rootID})} {
		p := w.look(t, as)
		if p.ARN != rootARN || p.UserID != rootID || p.AccountID != rootID || !p.IsRoot() || p.UserName() != "" ||
			p.IsFederated() {
			t.Errorf("%s: got %+v", name, p)
		}
		if !p.Allowed("iam:DeleteUser", "arn:aws:iam::111122223333:user/admin") {
			t.Errorf("%s: root may not do something", name)
		}
		if keys := p.Keys(); keys["aws:principaltype"][0] != "Account" || keys["aws:userid"][0] != rootID ||
			keys["aws:username"] != nil {
			t.Errorf("%s: got %v", name, keys)
		}
	}
	bob := w.look(t, w.session(t, iam.Session{ID: rootID, Name: "bob", Policy: `{"Statement":{"Effect":"Allow",` +
		`"Action":"eks:ListClusters","Resource":"*"}}`}))
	if bob.ARN != "arn:aws:sts::111122223333:federated-user/bob" || bob.IsRoot() ||
		!bob.Allowed("eks:ListClusters", "*") || bob.Allowed("iam:ListUsers", "*") {
		t.Errorf("a federated user of root's: got %+v", bob)
	}
	if nobody := w.session(t, iam.Session{ID: "444455556666"}); !unknown(w, nobody) {
		t.Error("a session of another account's root is taken for root's")
	}
}

func unknown(w *world, as iam.Credentials) bool {
	_, _, err := iam.Lookup(w, as.AccessKeyID, as.SessionToken, now)
	return errors.Is(err, iam.ErrUnknownKey)
}

func TestRootHasOneKeyForWhoeverAsks(t *testing.T) {
	w := newWorld(t)
	first := w.root(t)
	if w.root(t) != first {
		t.Error("the second asker gets another key")
	}
	edit := func(change func(*state.Txn, region.AccessKey)) {
		w.update(t, func(tx *state.Txn) {
			key, _ := region.AccessKeys.Get(tx, first.AccessKeyID)
			change(tx, key)
		})
	}
	edit(func(tx *state.Txn, key region.AccessKey) {
		key.Status = "Inactive"
		region.AccessKeys.Put(tx, key.ID, key)
	})
	if !unknown(w, first) {
		t.Error("an inactive key opens")
	}
	if w.root(t) != first || unknown(w, first) {
		t.Error("the key is not active again")
	}
	edit(func(tx *state.Txn, key region.AccessKey) { region.AccessKeys.Delete(tx, key.ID) })
	if !unknown(w, first) {
		t.Error("a deleted key opens")
	}
	if w.root(t) == first {
		t.Error("a deleted key comes back")
	}
}

func TestRootEntersAClusterByItsOwnEntryAlone(t *testing.T) {
	admin := region.AccessEntry{PrincipalARN: rootARN, PrincipalID: rootID, Type: "STANDARD", Username: rootARN,
		Policies: []region.AssociatedPolicy{clusterScope("AmazonEKSClusterAdminPolicy")}}
	w := newWorld(t)
	w.mode(t, "API_AND_CONFIG_MAP")
	root := w.root(t)
	if _, _, refusal := admitted(t, w, root, nil); !strings.Contains(refusal, "it has no access entry") {
		t.Errorf("without an entry: got %q", refusal)
	}
	mapUsers := func(a *iam.Authenticator) {
		auth, _ := iam.ParseAWSAuth(map[string]string{"mapUsers": "[{userarn: '" +
			rootARN + "', username: boss, groups: [bosses]}]"})
		a.AWSAuth = func() iam.AWSAuth { return auth }
	}
	if username, groups, refusal := admitted(t, w, root, mapUsers); username != "boss" ||
		!slices.Equal(groups, []string{"bosses"}) {
		t.Errorf("mapped in aws-auth: got %s %v %s", username, groups, refusal)
	}

	w.entry(t, admin)
	if username, _, refusal := admitted(t, w, root, nil); username != rootARN {
		t.Errorf("with an entry: got %s %s", username, refusal)
	}
	token, err := iam.Token(t.Context(), root, "us-east-1", endpoint, "demo", now)
	if err != nil {
		t.Fatal(err)
	}
	if explained, err := w.authenticator(&bytes.Buffer{}).ExplainToken(token); err != nil ||
		len(explained.Associated) != 1 || explained.Associated[0].ARN != admin.Policies[0].ARN {
		t.Errorf("explained: got %+v, %v", explained, err)
	}
	if _, _, refusal := admitted(t, w, w.other, nil); !strings.Contains(refusal, "it has no access entry") {
		t.Errorf("root's entry lets in another user: %q", refusal)
	}
	bob := w.session(t, iam.Session{ID: rootID, Name: "bob"})
	if _, _, refusal := admitted(t, w, bob, nil); !strings.Contains(refusal, "federated users have no access entries") {
		t.Errorf("root's entry lets in a federated user of root's: %q", refusal)
	}

	who := func(canonical, id string) subject {
		return subject{UID: iam.UIDPrefix + rootID + ":" + id,
			Extra: map[string][]string{"canonicalArn": {canonical}, iam.ExtraPrincipalID: {id}}}
	}
	for _, c := range []struct {
		canonical, id string
		allowed       bool
	}{
		{rootARN, rootID, true},
		{otherARN, rootID, false},
		{rootARN, w.otherID(t), false},
		{"arn:aws:sts::111122223333:federated-user/bob", rootID + ":bob", false},
		{"arn:aws:sts::111122223333:federated-user/bob", rootID, false},
	} {
		if allowed, _ := ask(t, w, who(c.canonical, c.id), "delete - nodes", "", "x"); allowed != c.allowed {
			t.Errorf("%s with the id %s: got %v", c.canonical, c.id, allowed)
		}
	}
}
