package iamapi_test

import (
	"strings"
	"testing"
)

// TestRenameAndMoveNeedBothARNs lets somebody act below /team/ alone: neither out of it nor into it may be moved or
// renamed.
func TestRenameAndMoveNeedBothARNs(t *testing.T) {
	for _, k := range []struct{ noun, kind string }{{"User", "user"}, {"Group", "group"}} {
		t.Run(k.noun, func(t *testing.T) {
			w := newWorld(t)
			create, update, name, newName := "Create"+k.noun, "Update"+k.noun, k.noun+"Name", "New"+k.noun+"Name"
			w.iam(w.admin, "", "PutUserPolicy", "UserName", "powerless", "PolicyName", "p", "PolicyDocument",
				`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:*","Resource":"arn:aws:iam::`+account+`:`+
					k.kind+`/team/*"},
				{"Effect":"Deny","Action":"iam:*","Resource":"arn:aws:iam::`+account+`:`+k.kind+`/team/locked-*"}]}`)
			for name2, path := range map[string]string{"one": "/team/", "locked-one": "/team/", "other": "/other/"} {
				w.iam(w.admin, "", create, name, name2, "Path", path)
			}
			for _, c := range [][]string{
				{"AccessDenied", name, "one", "NewPath", "/other/"},         // out of the path
				{"AccessDenied", name, "other", "NewPath", "/team/"},        // into it
				{"AccessDenied", name, "one", newName, "locked-two"},        // into a deny
				{"AccessDenied", name, "locked-one", newName, "unlocked"},   // out of a deny
				{"AccessDenied", name, "one", newName, "x", "NewPath", "/"}, // both at once
				// also where the name is taken: who may not does not learn that
				{"AccessDenied", name, "other", newName, "one"},
				{"", name, "one", newName, "two"},
				{"", name, "two", "NewPath", "/team/sub/"},
				{"", name, "two", "NewPath", "/team/sub/"}, // as it is already
			} {
				w.iam(w.powerless, c[0], update, c[1:]...)
			}
			if text := w.iam(w.powerless, "AccessDenied", update, name, "two", "NewPath", "/"); !strings.Contains(text,
				k.kind+"/two") {
				t.Errorf("the ARN that it would get is not told: %s", text)
			}
		})
	}
}

// TestRenamedGroupKeepsMembersAndPolicies shows that a group's name is no more than that.
func TestRenamedGroupKeepsMembersAndPolicies(t *testing.T) {
	w := newWorld(t)
	w.iam(w.admin, "", "CreateGroup", "GroupName", "g")
	w.iam(w.admin, "", "CreateGroup", "GroupName", "taken")
	w.iam(w.admin, "", "PutGroupPolicy", "GroupName", "g", "PolicyName", "p", "PolicyDocument",
		`{"Statement":{"Effect":"Allow","Action":"iam:ListRoles","Resource":"*"}}`)
	w.iam(w.admin, "", "AddUserToGroup", "GroupName", "g", "UserName", "powerless")
	w.iam(w.admin, "EntityAlreadyExists", "UpdateGroup", "GroupName", "g", "NewGroupName", "Taken")
	w.iam(w.admin, "NoSuchEntity", "UpdateGroup", "GroupName", "none", "NewGroupName", "x")
	w.iam(w.admin, "", "UpdateGroup", "GroupName", "g", "NewGroupName", "h", "NewPath", "/team/")
	w.iam(w.powerless, "", "ListRoles")
	w.iam(w.admin, "NoSuchEntity", "GetGroup", "GroupName", "g")
	if text := w.iam(w.admin, "", "GetGroup", "GroupName", "h"); !strings.Contains(text, "group/team/h") ||
		!strings.Contains(text, "powerless") {
		t.Errorf("got %s", text)
	}
	w.iam(w.admin, "", "RemoveUserFromGroup", "GroupName", "h", "UserName", "powerless")
	w.iam(w.powerless, "AccessDenied", "ListRoles")
}
