package iamapi_test

import (
	"strings"
	"testing"

	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// TestWhoIsNotThereComesBeforeThePolicysGrammar: terraform tells a role that is gone by NoSuchEntity.
func TestWhoIsNotThereComesBeforeThePolicysGrammar(t *testing.T) {
	w := newWorld(t)
	w.iam(w.admin, "", "CreateUser", "UserName", "u")
	w.iam(w.admin, "", "CreateGroup", "GroupName", "g")
	w.iam(w.admin, "", "CreateRole", "RoleName", "r", "AssumeRolePolicyDocument", nobody)
	for kind, name := range map[string]string{"User": "u", "Group": "g", "Role": "r"} {
		w.iam(w.admin, "NoSuchEntity", "Put"+kind+"Policy", kind+"Name", "nope", "PolicyName", "p", "PolicyDocument",
			"nonsense")
		w.iam(w.admin, "MalformedPolicyDocument", "Put"+kind+"Policy", kind+"Name", name, "PolicyName", "p",
			"PolicyDocument", "nonsense")
	}
	w.iam(w.admin, "NoSuchEntity", "UpdateAssumeRolePolicy", "RoleName", "nope", "PolicyDocument", "nonsense")
}

func TestKeysAndDevicesAreAskedForByTheirUsers(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"ada", "bob"} {
		w.iam(w.admin, "", "CreateUser", "UserName", name, "Path", "/team/")
	}
	key := cut(w.iam(w.admin, "", "CreateAccessKey", "UserName", "ada"), "<AccessKeyId>", "<")
	serial := cut(w.iam(w.admin, "", "CreateVirtualMFADevice", "VirtualMFADeviceName", "phone"), "<SerialNumber>", "<")
	w.Update(t.Context(), func(tx *state.Txn) error {
		user, _ := region.Users.Get(tx, "ada")
		device, _ := iam.MFADevices.Get(tx, serial)
		device.UserID, device.EnabledAt = user.ID, &device.CreatedAt
		iam.MFADevices.Put(tx, serial, device)
		return nil
	})
	allow := func(resource string) {
		w.iam(w.admin, "", "PutUserPolicy", "UserName", "powerless", "PolicyName", "p", "PolicyDocument",
			`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["iam:GetAccessKeyLastUsed","iam:GetMFADevice"],`+
				`"Resource":"`+resource+`"}}`)
	}
	allow("arn:aws:iam::" + account + ":user/team/ada")
	w.iam(w.powerless, "", "GetAccessKeyLastUsed", "AccessKeyId", key)
	w.iam(w.powerless, "", "GetMFADevice", "SerialNumber", serial)
	w.iam(w.powerless, "", "GetMFADevice", "SerialNumber", serial, "UserName", "ada")
	w.iam(w.powerless, "AccessDenied", "GetMFADevice", "SerialNumber", serial, "UserName", "bob")
	allow("arn:aws:iam::" + account + ":user/team/bob")
	for _, call := range [][]string{{"GetAccessKeyLastUsed", "AccessKeyId", key},
		{"GetMFADevice", "SerialNumber", serial}} {
		if text := w.iam(w.powerless, "AccessDenied", call[0], call[1:]...); !strings.Contains(text, ":user/team/ada") {
			t.Errorf("%s: got %s", call[0], text)
		}
	}
}

// cut is what stands between two texts.
func cut(text, before, after string) string {
	_, rest, _ := strings.Cut(text, before)
	found, _, _ := strings.Cut(rest, after)
	return found
}
