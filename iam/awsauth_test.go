package iam_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tripod/iam"
)

func TestAWSAuthMapsRolesUsersAndAccounts(t *testing.T) {
	w := newWorld(t)
	w.mode(t, "CONFIG_MAP")
	role := w.deployerNamed(t, "build@1")
	const mapRoles = "- rolearn: arn:aws:iam::111122223333:role/deployer\n  username: ci:{{SessionName}}\n  " +
		"groups:\n  - builders\n"
	for _, c := range []struct {
		name     string
		data     map[string]string
		as       iam.Credentials
		username string
		groups   []string
	}{
		{"a role, without its path", map[string]string{"mapRoles": mapRoles}, role, "ci:build-1", []string{"builders"}},
		{"JSON, and members in any case",
			map[string]string{"mapRoles": `[{"RoleARN": "arn:aws:iam::111122223333:role/Deployer", "UserName": "x"}]`}, role,
			"x", nil},
		{"the last of two", map[string]string{
			"mapRoles": mapRoles + "- {rolearn: 'arn:aws:iam::111122223333:role/deployer', username: last}\n"}, role, "last", nil},
		{"a user", map[string]string{"mapUsers": "- userarn: " + otherARN + "\n  username: ops\n  groups: [admins]\n"},
			w.other, "ops", []string{"admins"}},
		{"an account, for a user", map[string]string{"mapAccounts": "- \"111122223333\""}, w.other, otherARN, nil},
		{"an account without quotes, for a role", map[string]string{"mapAccounts": "- 111122223333"}, role,
			"arn:aws:iam::111122223333:role/deployer", nil},
		{"a role before its account", map[string]string{"mapRoles": mapRoles, "mapAccounts": "['111122223333']"}, role,
			"ci:build-1", []string{"builders"}},
		{"the access key's id", map[string]string{"mapUsers": "[{userarn: '" +
			otherARN + "', username: 'key:{{AccessKeyID}}'}]"}, w.other, "key:" + w.other.AccessKeyID, nil},
		{"empty fields", map[string]string{"mapRoles": "``", "mapUsers": `""`, "mapAccounts": "  \n"}, role, "", nil},
		{"a role with its path", map[string]string{"mapRoles": "[{rolearn: '" + deployerARN + "', username: x}]"}, role, "",
			nil},
		{"another account", map[string]string{"mapAccounts": "['999999999999']"}, role, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			auth, _ := iam.ParseAWSAuth(c.data)
			username, groups, refusal := admitted(t, w, c.as,
				func(a *iam.Authenticator) { a.AWSAuth = func() iam.AWSAuth { return auth } })
			if username != c.username || !cmp.Equal(groups, c.groups) || (c.username == "") != (refusal != "") {
				t.Errorf("got %q in %q (%s), want %q in %q", username, groups, refusal, c.username, c.groups)
			}
		})
	}
}

func TestMalformedItemsOfAWSAuthAreSkippedAndTold(t *testing.T) {
	w := newWorld(t)
	w.mode(t, "CONFIG_MAP")
	const good = "- {userarn: '" + otherARN + "', username: ops}\n"
	for _, c := range []struct {
		name, users, want string
		counts            bool
	}{
		{"an item without ARN", "- {username: x}\n" + good, "item 1 has no ARN", true},
		{"a wrong type", "- {userarn: '" + otherARN + "x', groups: 7}\n" + good, "what can be read of it counts", true},
		{"not a list", "userarn: x", "mapUsers has an error", false},
		{"no YAML", "- {userarn: ", "mapUsers has an error", false},
	} {
		auth, problems := iam.ParseAWSAuth(map[string]string{"mapUsers": c.users})
		if len(problems) != 1 || !strings.Contains(problems[0], c.want) {
			t.Errorf("%s: told %q, want something about %q", c.name, problems, c.want)
		}
		username, _, _ := admitted(t, w, w.other,
			func(a *iam.Authenticator) { a.AWSAuth = func() iam.AWSAuth { return auth } })
		if (username == "ops") != c.counts {
			t.Errorf("%s: got %q, want the good item to count: %v", c.name, username, c.counts)
		}
	}
	if _, problems := iam.ParseAWSAuth(map[string]string{"mapRoles": "[{rolearn: '" +
		deployerARN + "'}]"}); len(problems) != 1 || !strings.Contains(problems[0], "leave the path out") {
		t.Errorf("a role's path: told %q", problems)
	}
}
