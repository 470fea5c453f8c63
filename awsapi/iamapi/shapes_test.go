package iamapi_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"tripod/awsapi/sts"
)

// TestPolicyIsShownAsIAMShowsIt has what CreatePolicy leaves out, and GetPolicy shows though it is empty.
func TestPolicyIsShownAsIAMShowsIt(t *testing.T) {
	w := newWorld(t)
	made := w.iam(w.admin, "", "CreatePolicy", "PolicyName", "p", "Description", "of a test", "PolicyDocument",
		listClusters)
	if strings.Contains(made, "Description") || strings.Contains(made, "Tags") {
		t.Errorf("CreatePolicy: got %s", made)
	}
	if got := w.iam(w.admin, "", "GetPolicy", "PolicyArn", "arn:aws:iam::"+account+":policy/p"); !strings.Contains(got,
		"<Description>of a test</Description>") || !strings.Contains(got, "<Tags></Tags>") {
		t.Errorf("GetPolicy: got %s", got)
	}
	tagged := w.iam(w.admin, "", "CreatePolicy", "PolicyName", "q", "PolicyDocument", listClusters, "Tags.member.1.Key",
		"a", "Tags.member.1.Value", "b")
	if !strings.Contains(tagged, "<Key>a</Key>") {
		t.Errorf("CreatePolicy with a tag: got %s", tagged)
	}
}

func TestServiceLinkedRolesHaveSuffixesWhereTheServiceTakesThem(t *testing.T) {
	w := newWorld(t)
	w.iam(w.admin, "", "CreateServiceLinkedRole", "AWSServiceName", "autoscaling.amazonaws.com")
	if text := w.iam(w.admin, "", "CreateServiceLinkedRole", "AWSServiceName", "autoscaling.amazonaws.com",
		"CustomSuffix", "blue"); !strings.Contains(text, "<RoleName>AWSServiceRoleForAutoScaling_blue</RoleName>") {
		t.Errorf("got %s", text)
	}
	w.iam(w.admin, "InvalidInput", "CreateServiceLinkedRole", "AWSServiceName", "autoscaling.amazonaws.com",
		"CustomSuffix", "blue")
	w.iam(w.admin, "InvalidInput", "CreateServiceLinkedRole", "AWSServiceName", "eks.amazonaws.com", "CustomSuffix",
		"blue")
	task := between(w.iam(w.admin, "", "DeleteServiceLinkedRole", "RoleName", "AWSServiceRoleForAutoScaling_blue"),
		"DeletionTaskId")
	if text := w.iam(w.admin, "", "GetServiceLinkedRoleDeletionStatus", "DeletionTaskId", task); !strings.Contains(text,
		"SUCCEEDED") {
		t.Errorf("got %s", text)
	}
}

// TestSessionOutlivesARename goes by the user's id, as trust does.
func TestSessionOutlivesARename(t *testing.T) {
	w := newWorld(t)
	w.iam(w.admin, "", "CreateUser", "UserName", "ann")
	text, code := w.call(w.newKey("ann"), sts.Name, sts.Version, "GetSessionToken")
	if code != "" {
		t.Fatal(text)
	}
	session := credentialsIn(text)
	w.iam(w.admin, "", "UpdateUser", "UserName", "ann", "NewUserName", "anna", "NewPath", "/team/")
	if text, code := w.call(session, sts.Name, sts.Version, "GetCallerIdentity"); code != "" ||
		between(text, "Arn") != "arn:aws:iam::"+account+":user/team/anna" {
		t.Errorf("got %s %s", code, text)
	}
}

func TestAccountSummaryHasAllOfIAMsKeys(t *testing.T) {
	w := newWorld(t)
	got := w.iam(w.admin, "", "GetAccountSummary")
	for _, key := range types.SummaryKeyType("").Values() {
		if !strings.Contains(got, "<key>"+string(key)+"</key>") {
			t.Errorf("there is no %s", key)
		}
	}
}
