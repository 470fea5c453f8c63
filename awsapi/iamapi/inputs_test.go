package iamapi_test

import (
	"fmt"
	"html"
	"strings"
	"testing"

	"tripod/awsapi/sts"
)

// TestInputsAreRefusedInTheModelsWords has what the model of IAM and STS forbids, with the whole value.
func TestInputsAreRefusedInTheModelsWords(t *testing.T) {
	w := newWorld(t)
	long := func(n int) string { return strings.Repeat("x", n) }
	one := func(value, member, constraint string) string {
		return "1 validation error detected: Value " + value + " at '" +
			member + "' failed to satisfy constraint: Member must " + constraint
	}
	var tags, keys []string
	for i := 1; i <= 51; i++ {
		tags = append(tags, fmt.Sprintf("Tags.member.%d.Key", i), fmt.Sprintf("k%d", i),
			fmt.Sprintf("Tags.member.%d.Value", i), "")
		keys = append(keys, fmt.Sprintf("TagKeys.member.%d", i), fmt.Sprintf("k%d", i))
	}
	role := "arn:aws:iam::" + account + ":role/r"
	for _, c := range []struct {
		service, action, want string
		params                []string
	}{
		{"iam", "CreateRole", one("null", "roleName", "not be null"), []string{"AssumeRolePolicyDocument", nobody}},
		{"iam", "CreateRole", "2 validation errors detected: Value null at 'assumeRolePolicyDocument' failed to satisfy " +
			"constraint: Member must not be null; " +
			"Value null at 'roleName' failed to satisfy constraint: Member must not be null", nil},
		{"iam", "CreateRole", one("''", "roleName", "have length greater than or equal to 1"),
			[]string{"RoleName", "", "AssumeRolePolicyDocument", nobody}},
		{"iam", "CreateRole", one("'"+long(65)+"'", "roleName", "have length less than or equal to 64"),
			[]string{"RoleName", long(65), "AssumeRolePolicyDocument", nobody}},
		{"iam", "CreateRole", one("'60'", "maxSessionDuration", "have value greater than or equal to 3600"),
			[]string{"RoleName", "x", "AssumeRolePolicyDocument", nobody, "MaxSessionDuration", "60"}},
		{"iam", "CreateRole", "The specified value for roleName is invalid. It must contain only alphanumeric characters " +
			"and/or the following: +=,.@_-", []string{"RoleName", "a/b", "AssumeRolePolicyDocument", nobody}},
		{"iam", "CreateRole", "The specified value for path is invalid. It must begin and end with / and contain only " +
			"alphanumeric characters and/or / characters.",
			[]string{"RoleName", "x", "AssumeRolePolicyDocument", nobody, "Path", "x"}},
		{"iam", "CreateRole", "The specified value for description is invalid. It must contain only printable ASCII " +
			"characters.", []string{"RoleName", "x", "AssumeRolePolicyDocument", nobody, "Description", "日本"}},
		{"iam", "UpdateUser", "The specified value for newUserName is invalid. It must contain only alphanumeric " +
			"characters and/or the following: +=,.@_-", []string{"UserName", "admin", "NewUserName", "a b"}},
		{"iam", "CreateUser", one("(a list of 51)", "tags", "have length less than or equal to 50"),
			append([]string{"UserName", "x"}, tags...)},
		{"iam", "CreateUser", one("'a*b'", "tags.1.member.key",
			`satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+`),
			[]string{"UserName", "x", "Tags.member.1.Key", "a*b", "Tags.member.1.Value", ""}},
		{"iam", "CreateUser", one("null", "tags.1.member.value", "not be null"),
			[]string{"UserName", "x", "Tags.member.1.Key", "a"}},
		{"iam", "UntagPolicy", one("(a list of 51)", "tagKeys", "have length less than or equal to 50"),
			append([]string{"PolicyArn", role}, keys...)},
		{"iam", "GetPolicy", one("'x'", "policyArn", "have length greater than or equal to 20"), []string{"PolicyArn", "x"}},
		{"iam", "ListRoles", one("'1001'", "maxItems", "have value less than or equal to 1000"),
			[]string{"MaxItems", "1001"}},
		{"iam", "ListPolicies", one("'Mine'", "scope", "satisfy enum value set: [All, AWS, Local]"),
			[]string{"Scope", "Mine"}},
		{"iam", "PutUserPolicy", "The specified value for policyDocument is invalid. It must contain only printable " +
			"ASCII characters.", []string{"UserName", "admin", "PolicyName", "p", "PolicyDocument", "日本"}},
		{"sts", "AssumeRole", one("'"+long(65)+"'", "roleSessionName", "have length less than or equal to 64"),
			[]string{"RoleArn", role, "RoleSessionName", long(65)}},
		{"sts", "AssumeRole", one("'a b'", "roleSessionName", `satisfy regular expression pattern: [\w+=,.@-]*`),
			[]string{"RoleArn", role, "RoleSessionName", "a b"}},
		{"sts", "AssumeRole", one("'x'", "roleArn", "have length greater than or equal to 20"),
			[]string{"RoleArn", "x", "RoleSessionName", "ab"}},
		{"sts", "AssumeRole", "arn:aws:iam::role/nowhere is invalid",
			[]string{"RoleArn", "arn:aws:iam::role/nowhere", "RoleSessionName", "ab"}},
		{"sts", "AssumeRole", one("'899'", "durationSeconds", "have value greater than or equal to 900"),
			[]string{"RoleArn", role, "RoleSessionName", "ab", "DurationSeconds", "899"}},
		{"sts", "AssumeRole", one("'a'", "externalId", "have length greater than or equal to 2"),
			[]string{"RoleArn", role, "RoleSessionName", "ab", "ExternalId", "a"}},
		{"sts", "AssumeRole", one("'a b'", "sourceIdentity", `satisfy regular expression pattern: [\w+=,.@-]*`),
			[]string{"RoleArn", role, "RoleSessionName", "ab", "SourceIdentity", "a b"}},
		{"sts", "GetFederationToken", one("'"+long(33)+"'", "name", "have length less than or equal to 32"),
			[]string{"Name", long(33)}},
		{"sts", "AssumeRoleWithWebIdentity",
			one("'***Sensitive Data Redacted***'", "webIdentityToken", "have length greater than or equal to 4"),
			[]string{"RoleArn", role, "RoleSessionName", "ab", "WebIdentityToken", "abc"}},
	} {
		version := "2010-05-08"
		if c.service == sts.Name {
			version = sts.Version
		}
		text, code := w.call(w.admin, c.service, version, c.action, c.params...)
		if !strings.Contains(html.UnescapeString(text), "<Message>"+c.want+"</Message>") || code != "ValidationError" {
			t.Errorf("%s:%s: got %s %s\nwant %s", c.service, c.action, code, text, c.want)
		}
	}
	w.iam(w.admin, "InvalidInput", "CreateUser", "UserName", "x", "Tags.member.1.Key", "AWS:x", "Tags.member.1.Value", "")
}

// TestEntitiesOfAPolicyAreFiltered lists those who have a policy, by how, of what kind, and where.
func TestEntitiesOfAPolicyAreFiltered(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"attached", "both", "bound"} {
		w.iam(w.admin, "", "CreateUser", "UserName", name, "Path", "/"+name+"/")
		if name != "bound" {
			w.iam(w.admin, "", "AttachUserPolicy", "UserName", name, "PolicyArn", clusterPath)
		}
		if name != "attached" {
			w.iam(w.admin, "", "PutUserPermissionsBoundary", "UserName", name, "PermissionsBoundary", clusterPath)
		}
	}
	type entities struct {
		Users  []string `xml:"ListEntitiesForPolicyResult>PolicyUsers>member>UserName"`
		More   bool     `xml:"ListEntitiesForPolicyResult>IsTruncated"`
		Marker string   `xml:"ListEntitiesForPolicyResult>Marker"`
	}
	for filters, want := range map[string]string{
		"":                                      "attached both bound",
		"EntityFilter User":                     "attached both bound",
		"EntityFilter LocalManagedPolicy":       "",
		"PolicyUsageFilter PermissionsPolicy":   "attached both",
		"PolicyUsageFilter PermissionsBoundary": "both bound",
		"PathPrefix /both/":                     "both",
		"PathPrefix /bound/ PolicyUsageFilter PermissionsPolicy": "",
	} {
		params := append([]string{"PolicyArn", clusterPath, "MaxItems", "1"}, strings.Fields(filters)...)
		var got []string
		for page := answer[entities](w, "ListEntitiesForPolicy", params...); ; page = answer[entities](w,
			"ListEntitiesForPolicy", append(params, "Marker", page.Marker)...) {
			if got = append(got, page.Users...); !page.More {
				break
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %q, want %q", filters, got, want)
		}
	}
}
