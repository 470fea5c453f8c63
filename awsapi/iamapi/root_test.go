package iamapi_test

import (
	"crypto/rand"
	"encoding/xml"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"tripod/awsapi/sts"
	"tripod/iam"
)

func (w *world) root() aws.Credentials {
	w.Helper()
	key, _, err := iam.EnsureRootKey(w.Context(), w, rand.Reader, account, time.Now())
	if err != nil {
		w.Fatal(err)
	}
	return aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}
}

// keyIDs are the keys that ListAccessKeys shows without a user's name.
func (w *world) keyIDs(by aws.Credentials) []string {
	w.Helper()
	var got struct {
		User string   `xml:"ListAccessKeysResult>UserName"`
		IDs  []string `xml:"ListAccessKeysResult>AccessKeyMetadata>member>AccessKeyId"`
	}
	if err := xml.Unmarshal([]byte(w.iam(by, "", "ListAccessKeys")), &got); err != nil {
		w.Fatal(err)
	}
	if by.AccessKeyID != w.admin.AccessKeyID && got.User != "" {
		w.Errorf("root is called %s", got.User)
	}
	return got.IDs
}

func (w *world) rootHasKeys() bool {
	w.Helper()
	text := strings.Join(strings.Fields(w.iam(w.admin, "", "GetAccountSummary")), "")
	return strings.Contains(text, "<key>AccountAccessKeysPresent</key><value>1</value>")
}

func TestRootsCallsWithoutANameAreAboutRoot(t *testing.T) {
	w := newWorld(t)
	if w.rootHasKeys() {
		t.Error("root has a key at first")
	}
	root := w.root()
	if !w.rootHasKeys() {
		t.Error("root's key does not show")
	}
	if text := w.iam(root, "", "GetUser"); !strings.Contains(text, "<Arn>arn:aws:iam::"+account+":root</Arn>") ||
		!strings.Contains(text, "<UserId>"+account+"</UserId>") || strings.Contains(text, "<UserName>") {
		t.Errorf("got %s", text)
	}
	w.iam(root, "NoSuchEntity", "GetUser", "UserName", "root")
	w.iam(w.admin, "", "CreateUser", "UserName", "root") // somebody else
	w.iam(root, "", "CreateAccessKey", "UserName", "root")

	var second struct {
		ID string `xml:"CreateAccessKeyResult>AccessKey>AccessKeyId"`
	}
	if err := xml.Unmarshal([]byte(w.iam(root, "", "CreateAccessKey")), &second); err != nil {
		t.Fatal(err)
	}
	w.iam(root, "LimitExceeded", "CreateAccessKey")
	if got := w.keyIDs(root); len(got) != 2 || !slices.Contains(got, root.AccessKeyID) ||
		!slices.Contains(got, second.ID) {
		t.Errorf("got the keys %v, want %s and %s", got, root.AccessKeyID, second.ID)
	}
	if got := w.keyIDs(w.admin); !slices.Equal(got, []string{w.admin.AccessKeyID}) {
		t.Errorf("the administrator's keys are %v", got)
	}
	if text := w.iam(w.admin, "", "GetAccessKeyLastUsed", "AccessKeyId", second.ID); strings.Contains(text, "<UserName>") {
		t.Errorf("got %s", text)
	}
	w.iam(root, "", "UpdateAccessKey", "AccessKeyId", second.ID, "Status", "Inactive")
	w.iam(root, "", "DeleteAccessKey", "AccessKeyId", second.ID)
	if got := w.keyIDs(root); !slices.Equal(got, []string{root.AccessKeyID}) {
		t.Errorf("after the deletion root has the keys %v", got)
	}
}

func TestNobodyElseTouchesRootsKeys(t *testing.T) {
	w := newWorld(t)
	root := w.root()
	w.iam(w.admin, "", "CreateRole", "RoleName", "boss", "AssumeRolePolicyDocument", accounts)
	w.iam(w.admin, "", "AttachRolePolicy", "RoleName", "boss", "PolicyArn", iam.AdministratorAccess)
	text, code := w.call(w.admin, sts.Name, sts.Version, "AssumeRole", "RoleArn", "arn:aws:iam::"+account+":role/boss",
		"RoleSessionName", "s1")
	if code != "" {
		t.Fatal(text)
	}
	boss := credentialsIn(text)
	for name, by := range map[string]aws.Credentials{"administrator": w.admin, "role's session": boss} {
		for _, params := range [][]string{{}, {"UserName", "arn:aws:iam::" + account + ":root"}, {"UserName", "root"}} {
			if by == w.admin && len(params) == 0 {
				params = []string{"UserName", "admin"}
			}
			id, code := append([]string{"AccessKeyId", root.AccessKeyID}, params...), "NoSuchEntity"
			if len(params) == 0 || strings.Contains(params[1], ":") {
				code = "ValidationError" // a session is no user's, and must name one; an ARN is no name
			}
			w.iam(by, code, "DeleteAccessKey", id...)
			w.iam(by, code, "UpdateAccessKey", append(id, "Status", "Inactive")...)
			if len(params) == 0 || params[1] != "admin" {
				w.iam(by, code, "CreateAccessKey", params...)
				w.iam(by, code, "ListAccessKeys", params...)
			}
		}
		if got := w.keyIDs(root); !slices.Equal(got, []string{root.AccessKeyID}) {
			t.Errorf("%s: root has the keys %v", name, got)
		}
	}
	session, code := w.call(root, sts.Name, sts.Version, "GetSessionToken")
	if code != "" {
		t.Fatal(session)
	}
	w.iam(credentialsIn(session), "InvalidClientTokenId", "ListAccessKeys")
}
