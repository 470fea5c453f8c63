package iamapi_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"tripod/awsapi/sts"
	"tripod/iam"
)

func TestAccountHasOneAlias(t *testing.T) {
	w := newWorld(t)
	type aliases struct {
		Names []string `xml:"ListAccountAliasesResult>AccountAliases>member"`
	}
	shows := func(want ...string) {
		t.Helper()
		if got := answer[aliases](w, "ListAccountAliases").Names; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	shows()
	for _, bad := range []string{"ab", "-abc", "a--b", "Abc", "abc-"} {
		w.iam(w.admin, "ValidationError", "CreateAccountAlias", "AccountAlias", bad)
	}
	w.iam(w.admin, "", "CreateAccountAlias", "AccountAlias", "our-lab")
	w.iam(w.admin, "EntityAlreadyExists", "CreateAccountAlias", "AccountAlias", "our-lab")
	w.iam(w.admin, "", "CreateAccountAlias", "AccountAlias", "other-lab")
	shows("other-lab")
	w.iam(w.admin, "NoSuchEntity", "DeleteAccountAlias", "AccountAlias", "our-lab")
	w.iam(w.admin, "", "DeleteAccountAlias", "AccountAlias", "other-lab")
	shows()
}

func TestLoginProfileIsKeptWithoutItsPassword(t *testing.T) {
	w := newWorld(t)
	w.iam(w.admin, "", "CreateUser", "UserName", "ann")
	w.iam(w.admin, "NoSuchEntity", "GetLoginProfile", "UserName", "ann")
	w.iam(w.admin, "PasswordPolicyViolation", "CreateLoginProfile", "UserName", "ann", "Password", "secret")
	w.iam(w.admin, "", "CreateLoginProfile", "UserName", "ann", "Password", "Correct-Horse-1", "PasswordResetRequired",
		"true")
	w.iam(w.admin, "EntityAlreadyExists", "CreateLoginProfile", "UserName", "ann", "Password", "Correct-Horse-1")
	if text := w.iam(w.admin, "", "GetLoginProfile", "UserName", "ann"); !strings.Contains(text,
		"<PasswordResetRequired>true</PasswordResetRequired>") || strings.Contains(text, "Horse") {
		t.Errorf("got %s", text)
	}
	w.iam(w.admin, "", "UpdateUser", "UserName", "ann", "NewUserName", "anna") // the login stays the user's
	w.iam(w.admin, "", "UpdateLoginProfile", "UserName", "anna", "PasswordResetRequired", "false")
	w.iam(w.admin, "", "PutUserPolicy", "UserName", "anna", "PolicyName", "p", "PolicyDocument",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:ChangePassword",`+
			`"Resource":"arn:aws:iam::*:user/${aws:username}"}}`)
	anna := w.newKey("anna")
	w.iam(anna, "AccessDenied", "ChangePassword", "OldPassword", "Wrong-Horse-1", "NewPassword", "Another-Horse-2")
	w.iam(anna, "PasswordPolicyViolation", "ChangePassword", "OldPassword", "Correct-Horse-1", "NewPassword", "short")
	w.iam(anna, "", "ChangePassword", "OldPassword", "Correct-Horse-1", "NewPassword", "Another-Horse-2")
	w.iam(w.powerless, "AccessDenied", "ChangePassword", "OldPassword", "Correct-Horse-1", "NewPassword",
		"Another-Horse-2")
	w.iam(w.admin, "", "DeleteUserPolicy", "UserName", "anna", "PolicyName", "p")
	w.iam(w.admin, "", "DeleteAccessKey", "UserName", "anna", "AccessKeyId", anna.AccessKeyID)
	if text := w.iam(w.admin, "DeleteConflict", "DeleteUser", "UserName", "anna"); !strings.Contains(text,
		"must delete login profile first") {
		t.Errorf("got %s", text)
	}
	w.iam(w.admin, "", "DeleteLoginProfile", "UserName", "anna")
	w.iam(w.admin, "NoSuchEntity", "DeleteLoginProfile", "UserName", "anna")
	w.iam(w.admin, "", "DeleteUser", "UserName", "anna")
}

func TestSAMLProviderIsKeptAndShown(t *testing.T) {
	w := newWorld(t)
	metadata := `<?xml version="1.0"?><EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" ` +
		`entityID="https://idp.example"><!--` + strings.Repeat("x", 1000) + `--></EntityDescriptor>`
	arn := "arn:aws:iam::" + account + ":saml-provider/idp"
	w.iam(w.admin, "ValidationError", "CreateSAMLProvider", "Name", "idp", "SAMLMetadataDocument", "short")
	w.iam(w.admin, "InvalidInput", "CreateSAMLProvider", "Name", "idp", "SAMLMetadataDocument", strings.Repeat("x", 1000))
	w.iam(w.admin, "", "CreateSAMLProvider", "Name", "idp", "SAMLMetadataDocument", metadata, "Tags.member.1.Key", "a",
		"Tags.member.1.Value", "b")
	w.iam(w.admin, "EntityAlreadyExists", "CreateSAMLProvider", "Name", "idp", "SAMLMetadataDocument", metadata)
	if text := w.iam(w.admin, "", "GetSAMLProvider", "SAMLProviderArn", arn); !strings.Contains(text, "idp.example") ||
		!strings.Contains(text, "<Key>a</Key>") {
		t.Errorf("got %s", text)
	}
	if text := w.iam(w.admin, "", "ListSAMLProviders"); !strings.Contains(text, "<Arn>"+arn+"</Arn>") {
		t.Errorf("got %s", text)
	}
	w.iam(w.admin, "", "TagSAMLProvider", "SAMLProviderArn", arn, "Tags.member.1.Key", "c", "Tags.member.1.Value", "d")
	w.iam(w.admin, "", "UpdateSAMLProvider", "SAMLProviderArn", arn, "SAMLMetadataDocument",
		strings.Replace(metadata, "idp.", "new.", 1))
	w.iam(w.admin, "", "CreateRole", "RoleName", "saml", "AssumeRolePolicyDocument",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":"`+
			arn+`"},"Action":"sts:AssumeRoleWithSAML"}}`)
	w.iam(w.admin, "", "DeleteSAMLProvider", "SAMLProviderArn", arn)
	w.iam(w.admin, "NoSuchEntity", "GetSAMLProvider", "SAMLProviderArn", arn)
}

// TestMFACodesCount makes a device, and asks policies that want one.
func TestMFACodesCount(t *testing.T) {
	w := newWorld(t)
	w.iam(w.admin, "", "CreateUser", "UserName", "ann")
	ann := w.newKey("ann")
	w.iam(w.admin, "", "PutUserPolicy", "UserName", "ann", "PolicyName", "p", "PolicyDocument",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:ListRoles","Resource":"*",`+
			`"Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"},"NumericLessThan":{"aws:MultiFactorAuthAge":"3600"}}}}`)
	w.iam(w.admin, "", "CreateRole", "RoleName", "r", "AssumeRolePolicyDocument",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::`+
			account+`:user/ann"},"Action":"sts:AssumeRole","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}}}`)
	type made struct {
		Serial string `xml:"CreateVirtualMFADeviceResult>VirtualMFADevice>SerialNumber"`
		Seed   string `xml:"CreateVirtualMFADeviceResult>VirtualMFADevice>Base32StringSeed"`
	}
	got := answer[made](w, "CreateVirtualMFADevice", "VirtualMFADeviceName", "phone")
	seed, err := base64.StdEncoding.DecodeString(got.Seed)
	if want := "arn:aws:iam::" + account + ":mfa/phone"; err != nil || got.Serial != want {
		t.Fatalf("got %+v, %v", got, err)
	}
	device, now := iam.MFADevice{Seed: string(seed)}, time.Now()
	code := func(steps int) string { return device.Code(now.Add(time.Duration(steps) * 30 * time.Second)) }
	w.iam(w.admin, "EntityAlreadyExists", "CreateVirtualMFADevice", "VirtualMFADeviceName", "phone")
	enable := []string{"UserName", "ann", "SerialNumber", got.Serial, "AuthenticationCode1"}
	w.iam(w.admin, "InvalidAuthenticationCode", "EnableMFADevice",
		append(slices.Clone(enable), code(0), "AuthenticationCode2", code(0))...)
	w.iam(w.admin, "", "EnableMFADevice", append(slices.Clone(enable), code(-2), "AuthenticationCode2", code(-1))...)
	w.iam(w.admin, "EntityAlreadyExists", "EnableMFADevice",
		append(slices.Clone(enable), code(-1), "AuthenticationCode2", code(0))...)
	if text := w.iam(ann, "AccessDenied", "ListMFADevices"); !strings.Contains(text, "iam:ListMFADevices") {
		t.Errorf("got %s", text)
	}
	if text := w.iam(w.admin, "", "ListMFADevices", "UserName", "ann"); !strings.Contains(text, got.Serial) {
		t.Errorf("got %s", text)
	}
	for status, want := range map[string]bool{"Assigned": true, "Unassigned": false, "Any": true} {
		if text := w.iam(w.admin, "", "ListVirtualMFADevices", "AssignmentStatus", status); strings.Contains(text,
			got.Serial) != want || strings.Contains(text, string(seed)) {
			t.Errorf("%s: got %s", status, text)
		}
	}
	session := func(want string, params ...string) aws.Credentials {
		t.Helper()
		text, code := w.call(ann, sts.Name, sts.Version, "GetSessionToken", params...)
		if code != want {
			t.Fatalf("GetSessionToken %q: got %q, want %q: %s", params, code, want, text)
		}
		return credentialsIn(text)
	}
	w.iam(ann, "AccessDenied", "ListRoles")
	w.iam(session(""), "InvalidClientTokenId", "ListRoles") // IAM takes no sessions without MFA
	session("AccessDenied", "SerialNumber", got.Serial, "TokenCode", "000000")
	session("AccessDenied", "SerialNumber", got.Serial)
	session("AccessDenied", "SerialNumber", got.Serial, "TokenCode", code(-1)) // taken already
	w.iam(session("", "SerialNumber", got.Serial, "TokenCode", code(0)), "", "ListRoles")
	session("AccessDenied", "SerialNumber", got.Serial, "TokenCode", code(0))
	assume := []string{"RoleArn", "arn:aws:iam::" + account + ":role/r", "RoleSessionName", "s1"}
	for want, more := range map[string][]string{"AccessDenied": nil,
		"": {"SerialNumber", got.Serial, "TokenCode", code(1)}} {
		if text, code := w.call(ann, sts.Name, sts.Version, "AssumeRole",
			append(slices.Clone(assume), more...)...); code != want {
			t.Errorf("AssumeRole %q: got %q: %s", more, code, text)
		}
	}
	w.iam(w.admin, "DeleteConflict", "DeleteVirtualMFADevice", "SerialNumber", got.Serial)
	w.iam(w.admin, "", "DeactivateMFADevice", "UserName", "ann", "SerialNumber", got.Serial)
	w.iam(w.admin, "NoSuchEntity", "DeactivateMFADevice", "UserName", "ann", "SerialNumber", got.Serial)
	session("AccessDenied", "SerialNumber", got.Serial, "TokenCode", code(2))
	w.iam(w.admin, "", "TagMFADevice", "SerialNumber", got.Serial, "Tags.member.1.Key", "a", "Tags.member.1.Value", "b")
	w.iam(w.admin, "", "DeleteVirtualMFADevice", "SerialNumber", got.Serial)
	w.iam(w.admin, "NoSuchEntity", "GetMFADevice", "SerialNumber", got.Serial)
}
