package iam_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

const (
	otherARN    = "arn:aws:iam::111122223333:user/other"
	deployerARN = "arn:aws:iam::111122223333:role/ci/deployer"
	deployerID  = "AROAAAAAAAAAAAAAAAAAA"
)

func (w *world) mode(t *testing.T, mode string) {
	t.Helper()
	w.update(t, func(tx *state.Txn) {
		cluster, _ := region.Clusters.Get(tx, clusterID)
		cluster.AuthenticationMode = mode
		region.Clusters.Put(tx, clusterID, cluster)
	})
}

func (w *world) entry(t *testing.T, entry region.AccessEntry) {
	t.Helper()
	entry.ClusterID = clusterID
	w.update(t, func(tx *state.Txn) { region.AccessEntries.Put(tx, clusterID+"/"+entry.PrincipalARN, entry) })
}

// deployerNamed is credentials of a session of the world's role with that name.
func (w *world) deployerNamed(t *testing.T, session string) iam.Credentials {
	t.Helper()
	w.deployer(t)
	return w.session(t, iam.Session{Role: "deployer", ID: deployerID, Name: session})
}

// admitted is the user that a token's review names; its error says why there is none.
func admitted(t *testing.T, w *world, as iam.Credentials, edit func(*iam.Authenticator)) (username string,
	groups []string, refusal string) {
	t.Helper()
	token, err := iam.Token(context.Background(), as, "us-east-1", endpoint, "demo", now)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	a := w.authenticator(&log)
	if edit != nil {
		edit(a)
	}
	status := review(t, a, token)
	user, ok := status["user"].(map[string]any)
	if !ok {
		return "", nil, status["error"].(string)
	}
	members, _ := user["groups"].([]any)
	for _, group := range members {
		groups = append(groups, group.(string))
	}
	return user["username"].(string), groups, ""
}

func TestAccessEntryNamesTheUser(t *testing.T) {
	w := newWorld(t)
	w.mode(t, "API")
	for _, c := range []struct {
		name, session string
		entry         region.AccessEntry
		username      string
		groups        []string
	}{
		{"a role's default", "build@1",
			region.AccessEntry{Type: "STANDARD", Username: "arn:aws:sts::111122223333:assumed-role/deployer/{{SessionName}}"},
			"arn:aws:sts::111122223333:assumed-role/deployer/build-1", nil},
		{"an own name and groups", "build@1",
			region.AccessEntry{Type: "STANDARD", Username: "ci:{{SessionNameRaw}}", Groups: []string{"builders"}},
			"ci:build@1", []string{"builders"}},
		{"all templates", "x", region.AccessEntry{Type: "STANDARD", Username: "{{AccountID}}:{{SessionName}}",
			Groups: []string{"of-{{AccountID}}"}}, "111122223333:x", []string{"of-{{AccountID}}"}},
		{"a session that would complete a group's name", "tem",
			region.AccessEntry{Type: "STANDARD", Username: "u", Groups: []string{"sys{{SessionName}}:masters"}}, "u",
			[]string{"sys{{SessionName}}:masters"}},
		{"a node", "i-0123456789abcdef0",
			region.AccessEntry{Type: "EC2_LINUX", Username: "system:node:{{EC2PrivateDNSName}}",
				Groups: []string{"system:nodes"}},
			"system:node:ip-10-0-0-20.ec2.internal", []string{"system:bootstrappers", "system:nodes"}},
		{"a Windows node", "i-0123456789abcdef0",
			region.AccessEntry{Type: "EC2_WINDOWS", Username: "system:node:{{EC2PrivateDNSName}}",
				Groups: []string{"eks:kube-proxy-windows", "system:nodes"}},
			"system:node:ip-10-0-0-20.ec2.internal", []string{"eks:kube-proxy-windows", "system:bootstrappers", "system:nodes"}},
		{"a Fargate pod's node", "fargate-ip-10-0-0-9",
			region.AccessEntry{Type: "FARGATE_LINUX", Username: "system:node:{{SessionName}}",
				Groups: []string{"system:bootstrappers", "system:node-proxier", "system:nodes"}},
			"system:node:fargate-ip-10-0-0-9", []string{"system:bootstrappers", "system:node-proxier", "system:nodes"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			credentials := w.deployerNamed(t, c.session)
			c.entry.PrincipalARN, c.entry.PrincipalID = deployerARN, deployerID
			w.entry(t, c.entry)
			username, groups, refusal := admitted(t, w, credentials, func(a *iam.Authenticator) {
				a.PrivateDNSName = func(id string) (string, bool) {
					return "ip-10-0-0-20.ec2.internal",
						id == "i-0123456789abcdef0"
				}
			})
			if username != c.username || refusal != "" || !cmp.Equal(groups, c.groups) {
				t.Errorf("got %q in %q, refusal %q; want %q in %q", username, groups, refusal, c.username, c.groups)
			}
		})
	}
}

func TestNodeWithoutInstanceIsRefused(t *testing.T) {
	w := newWorld(t)
	w.mode(t, "API")
	w.entry(t, region.AccessEntry{PrincipalARN: deployerARN, PrincipalID: deployerID, Type: "EC2_LINUX",
		Username: "system:node:{{EC2PrivateDNSName}}", Groups: []string{"system:nodes"}})
	for session, want := range map[string]string{"me": "not an instance's id",
		"i-0123456789abcdef0": "there is no instance", "i-0123456789abcdef0-x": "not an instance's id"} {
		if _, _, refusal := admitted(t, w, w.deployerNamed(t, session), nil); !strings.Contains(refusal, want) {
			t.Errorf("session %s: got %q, want something about %q", session, refusal, want)
		}
	}
}

func TestPrincipalMadeAnewDoesNotMatchItsEntry(t *testing.T) {
	w := newWorld(t)
	w.mode(t, "API")
	entry := region.AccessEntry{PrincipalARN: deployerARN, PrincipalID: "AROABBBBBBBBBBBBBBBBB", Type: "STANDARD",
		Username: "ci"}
	for name, id := range map[string]string{"of an earlier role": "AROABBBBBBBBBBBBBBBBB", "without id": ""} {
		entry.PrincipalID = id
		w.entry(t, entry)
		if _, _, refusal := admitted(t, w, w.deployerNamed(t, "x"), nil); !strings.Contains(refusal,
			"earlier principal of that name") {
			t.Errorf("an entry %s: got %q", name, refusal)
		}
	}
}

// The same two principals in all modes: one with an access entry and a line in aws-auth, one with a line alone.
func TestAuthenticationModeSaysWhatCounts(t *testing.T) {
	auth, problems := iam.ParseAWSAuth(map[string]string{
		"mapRoles": `[{rolearn: "arn:aws:iam::111122223333:role/deployer", username: "mapped:{{SessionName}}", groups: ` +
			`[mapped]}]`,
		"mapUsers": `[{userarn: "arn:aws:iam::111122223333:user/other", username: other}]`,
	})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	w := newWorld(t)
	w.entry(t, region.AccessEntry{PrincipalARN: deployerARN, PrincipalID: deployerID, Type: "STANDARD", Username: "entry"})
	role := w.deployerNamed(t, "s")
	for _, c := range []struct{ mode, role, other string }{
		// API calls make no entries in this mode; one that is not the creator's means nothing
		{"CONFIG_MAP", "mapped:s", "other"},
		{"API_AND_CONFIG_MAP", "entry", "other"},
		{"API", "entry", ""},
	} {
		w.mode(t, c.mode)
		if c.mode == "CONFIG_MAP" {
			w.update(t, func(tx *state.Txn) { region.AccessEntries.Delete(tx, clusterID+"/"+deployerARN) })
		} else {
			w.entry(t, region.AccessEntry{PrincipalARN: deployerARN, PrincipalID: deployerID, Type: "STANDARD",
				Username: "entry"})
		}
		with := func(a *iam.Authenticator) { a.AWSAuth = func() iam.AWSAuth { return auth } }
		gotRole, _, _ := admitted(t, w, role, with)
		gotOther, _, refusal := admitted(t, w, w.other, with)
		if gotRole != c.role || gotOther != c.other || (c.other == "") != strings.Contains(refusal, "has no access entry") {
			t.Errorf("%s: got %q and %q (%s), want %q and %q", c.mode, gotRole, gotOther, refusal, c.role, c.other)
		}
	}
}

func TestStaleEntryLeavesThePrincipalToAWSAuth(t *testing.T) {
	auth, _ := iam.ParseAWSAuth(map[string]string{"mapRoles": `[{rolearn: "arn:aws:iam::111122223333:role/deployer", ` +
		`username: mapped}]`})
	w := newWorld(t)
	w.mode(t, "API_AND_CONFIG_MAP")
	w.entry(t, region.AccessEntry{PrincipalARN: deployerARN, PrincipalID: "AROABBBBBBBBBBBBBBBBB", Type: "STANDARD",
		Username: "entry"})
	got, _, refusal := admitted(t, w, w.deployerNamed(t, "s"),
		func(a *iam.Authenticator) { a.AWSAuth = func() iam.AWSAuth { return auth } })
	if got != "mapped" {
		t.Errorf("got %q (%s), want mapped", got, refusal)
	}
}

func TestCreatorOfAnOldRegionGetsInUntilItsEntryIsDeleted(t *testing.T) {
	w := newWorld(t)
	w.mode(t, "API")
	if got, groups, _ := admitted(t, w, w.admin, nil); got != "kubernetes-admin" ||
		!cmp.Equal(groups, []string{"system:masters"}) {
		t.Errorf("got %q in %q", got, groups)
	}
	w.update(t, func(tx *state.Txn) {
		cluster, _ := region.Clusters.Get(tx, clusterID)
		cluster.CreatorARN = "" // as DeleteAccessEntry leaves it
		region.Clusters.Put(tx, clusterID, cluster)
	})
	if got, _, refusal := admitted(t, w, w.admin, nil); got != "" || refusal == "" {
		t.Errorf("got %q, want a refusal", got)
	}
}
