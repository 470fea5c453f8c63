package iamapi_test

import (
	"testing"

	"tripod/region"
	"tripod/state"
)

func TestTagsKeyIsOneInAnyLetterCase(t *testing.T) {
	w := newWorld(t)
	w.iam(w.admin, "", "TagUser", "UserName", "powerless", "Tags.member.1.Key", "Dept", "Tags.member.1.Value", "hr")
	w.iam(w.admin, "", "TagUser", "UserName", "powerless", "Tags.member.1.Key", "dept", "Tags.member.1.Value", "it")
	w.View(func(tx *state.Txn) error {
		if user, _ := region.Users.Get(tx, "powerless"); len(user.Tags) != 1 || user.Tags["dept"] != "it" {
			t.Errorf("got %v, want the second tag alone", user.Tags)
		}
		return nil
	})
}

func TestDenyOfAnIssuerHoldsForAllSpellingsOfItsURL(t *testing.T) {
	w := newWorld(t)
	w.iam(w.admin, "", "PutUserPolicy", "UserName", "powerless", "PolicyName", "p", "PolicyDocument",
		`{"Statement":[{"Effect":"Allow","Action":"iam:*","Resource":"*"},{"Effect":"Deny","Action":"iam:*",`+
			`"Resource":"arn:aws:iam::*:oidc-provider/id.example"}]}`)
	for url, want := range map[string]string{"https://id.example": "AccessDenied", "https://id.example/": "AccessDenied",
		"https://id.example/x": ""} {
		w.iam(w.powerless, want, "CreateOpenIDConnectProvider", "Url", url)
	}
}
