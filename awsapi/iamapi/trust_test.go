package iamapi_test

import (
	"net/url"
	"strings"
	"testing"

	"tripod/awsapi/sts"
)

// trusting is a trust policy for one principal.
func trusting(principal string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` +
		principal + `"},"Action":"sts:AssumeRole"}]}`
}

// TestTrustEndsWithWhoWasTrusted deletes a user whom a role trusts, and makes another one under that name.
func TestTrustEndsWithWhoWasTrusted(t *testing.T) {
	w := newWorld(t)
	ann := "arn:aws:iam::" + account + ":user/ann"
	shows := func(want string) {
		t.Helper()
		for _, action := range [][]string{{"GetRole", "RoleName", "r"}, {"ListRoles"}} {
			if text := w.iam(w.admin, "", action[0], action[1:]...); !strings.Contains(text,
				url.QueryEscape(`"AWS":"`+want+`"`)) {
				t.Errorf("%s shows no %s: %s", action[0], want, text)
			}
		}
	}
	assume := func(want string) {
		t.Helper()
		text, code := w.call(w.newKey("ann"), sts.Name, sts.Version, "AssumeRole", "RoleArn",
			"arn:aws:iam::"+account+":role/r", "RoleSessionName", "s1")
		if code != want {
			t.Errorf("AssumeRole: got %q, want %q: %s", code, want, text)
		}
	}
	type made struct {
		ID string `xml:"CreateUserResult>User>UserId"`
	}
	first := answer[made](w, "CreateUser", "UserName", "ann").ID
	w.iam(w.admin, "", "CreateRole", "RoleName", "r", "AssumeRolePolicyDocument", trusting(ann))
	shows(ann)
	assume("")
	w.iam(w.admin, "", "UpdateUser", "UserName", "ann", "NewPath", "/team/") // the same user by another ARN
	assume("")
	shows("arn:aws:iam::" + account + ":user/team/ann")
	type keys struct {
		IDs []string `xml:"ListAccessKeysResult>AccessKeyMetadata>member>AccessKeyId"`
	}
	for _, key := range answer[keys](w, "ListAccessKeys", "UserName", "ann").IDs {
		w.iam(w.admin, "", "DeleteAccessKey", "UserName", "ann", "AccessKeyId", key)
	}
	w.iam(w.admin, "", "DeleteUser", "UserName", "ann")
	shows(first)
	w.iam(w.admin, "", "CreateUser", "UserName", "ann")
	assume("AccessDenied")
	shows(first)
	if text := w.iam(w.admin, "MalformedPolicyDocument", "UpdateAssumeRolePolicy", "RoleName", "r", "PolicyDocument",
		trusting(first)); !strings.Contains(text,
		`Invalid principal in policy: &#34;AWS&#34;:&#34;`+first+`&#34;`) {
		t.Errorf("got %s", text)
	}
	w.iam(w.admin, "", "UpdateAssumeRolePolicy", "RoleName", "r", "PolicyDocument", trusting(ann))
	assume("")
	shows(ann)
}

// TestTrustInWhoIsNotThereIsRefused are principals that IAM looks up.
func TestTrustInWhoIsNotThereIsRefused(t *testing.T) {
	w := newWorld(t)
	for principal, want := range map[string]string{
		"arn:aws:iam::" + account + ":user/none":           "MalformedPolicyDocument",
		"arn:aws:iam::" + account + ":role/none":           "MalformedPolicyDocument",
		"arn:aws:iam::" + account + ":group/g":             "MalformedPolicyDocument",
		"arn:aws:iam::" + account + ":user/*":              "MalformedPolicyDocument",
		"arn:aws:sts::" + account + ":assumed-role/none/s": "MalformedPolicyDocument",
		"AIDANOBODY": "MalformedPolicyDocument",
		"arn:aws:iam::" + account + ":user/admin": "", "arn:aws:iam::999999999999:role/theirs": "", account: "", "*": "",
	} {
		w.iam(w.admin, want, "CreateRole", "RoleName", "r", "AssumeRolePolicyDocument", trusting(principal))
		if want == "" {
			w.iam(w.admin, "", "DeleteRole", "RoleName", "r")
		}
	}
}
