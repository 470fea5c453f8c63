package iamapi_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"tripod/awsapi/sts"
)

const (
	listClusters = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"eks:List*","Resource":"*"}}`
	userActs     = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:Get*",` +
		`"Resource":"arn:aws:iam::111122223333:user/${aws:username}"}}`
	clusterPath = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"
)

func TestRoleIsShownAsItWasMade(t *testing.T) {
	w := newWorld(t)
	w.iam(w.admin, "", "CreateRole", "RoleName", "node", "Path", "/eks/", "AssumeRolePolicyDocument", accounts,
		"Description", "of nodes",
		"MaxSessionDuration", "7200", "Tags.member.1.Key", "team", "Tags.member.1.Value", "blue", "PermissionsBoundary",
		clusterPath)
	type shown struct {
		ARN      string `xml:"GetRoleResult>Role>Arn"`
		ID       string `xml:"GetRoleResult>Role>RoleId"`
		Trust    string `xml:"GetRoleResult>Role>AssumeRolePolicyDocument"`
		Seconds  int    `xml:"GetRoleResult>Role>MaxSessionDuration"`
		Tag      string `xml:"GetRoleResult>Role>Tags>member>Value"`
		Boundary string `xml:"GetRoleResult>Role>PermissionsBoundary>PermissionsBoundaryArn"`
	}
	got := answer[shown](w, "GetRole", "RoleName", "node")
	trust, err := url.PathUnescape(got.Trust)
	if err != nil || trust != accounts || !strings.HasPrefix(got.ID, "AROA") || len(got.ID) != 21 {
		t.Errorf("got %q (%v), id %s", trust, err, got.ID)
	}
	if got.ARN != "arn:aws:iam::"+account+":role/eks/node" || got.Seconds != 7200 || got.Tag != "blue" ||
		got.Boundary != clusterPath {
		t.Errorf("got %+v", got)
	}
	w.iam(w.admin, "", "UpdateRole", "RoleName", "node", "MaxSessionDuration", "3600")
	w.iam(w.admin, "", "UntagRole", "RoleName", "node", "TagKeys.member.1", "team")
	w.iam(w.admin, "", "DeleteRolePermissionsBoundary", "RoleName", "node")
	w.iam(w.admin, "", "UpdateAssumeRolePolicy", "RoleName", "node", "PolicyDocument", nobody)
	got = answer[shown](w, "GetRole", "RoleName", "node")
	if got.Seconds != 3600 || got.Tag != "" || got.Boundary != "" || got.Trust == url.PathEscape(accounts) {
		t.Errorf("got %+v after the changes", got)
	}
}

func TestEntityInUseIsNotDeleted(t *testing.T) {
	w := newWorld(t)
	for _, step := range [][]string{
		{"", "CreateRole", "RoleName", "r", "AssumeRolePolicyDocument", nobody},
		{"", "AttachRolePolicy", "RoleName", "r", "PolicyArn", clusterPath},
		{"DeleteConflict", "DeleteRole", "RoleName", "r"},
		{"", "DetachRolePolicy", "RoleName", "r", "PolicyArn", clusterPath},
		{"NoSuchEntity", "DetachRolePolicy", "RoleName", "r", "PolicyArn", clusterPath},
		{"", "PutRolePolicy", "RoleName", "r", "PolicyName", "p", "PolicyDocument", listClusters},
		{"DeleteConflict", "DeleteRole", "RoleName", "r"},
		{"", "DeleteRolePolicy", "RoleName", "r", "PolicyName", "p"},
		{"", "CreateInstanceProfile", "InstanceProfileName", "i"},
		{"", "AddRoleToInstanceProfile", "InstanceProfileName", "i", "RoleName", "r"},
		{"LimitExceeded", "AddRoleToInstanceProfile", "InstanceProfileName", "i", "RoleName", "r"},
		{"DeleteConflict", "DeleteRole", "RoleName", "r"},
		{"DeleteConflict", "DeleteInstanceProfile", "InstanceProfileName", "i"},
		{"", "RemoveRoleFromInstanceProfile", "InstanceProfileName", "i", "RoleName", "r"},
		{"", "DeleteInstanceProfile", "InstanceProfileName", "i"},
		{"", "DeleteRole", "RoleName", "r"},
		{"NoSuchEntity", "GetRole", "RoleName", "r"},

		{"", "CreateUser", "UserName", "u"}, {"", "CreateGroup", "GroupName", "g"},
		{"", "AddUserToGroup", "GroupName", "g", "UserName", "u"},
		{"DeleteConflict", "DeleteUser", "UserName", "u"}, {"DeleteConflict", "DeleteGroup", "GroupName", "g"},
		{"", "RemoveUserFromGroup", "GroupName", "g", "UserName", "u"}, {"", "DeleteGroup", "GroupName", "g"},
		{"", "CreateAccessKey", "UserName", "u"}, {"", "CreateAccessKey", "UserName", "u"},
		{"LimitExceeded", "CreateAccessKey", "UserName", "u"},
		{"DeleteConflict", "DeleteUser", "UserName", "u"},

		{"", "CreatePolicy", "PolicyName", "own", "PolicyDocument", listClusters},
		{"", "AttachUserPolicy", "UserName", "u", "PolicyArn", "arn:aws:iam::" + account + ":policy/own"},
		{"DeleteConflict", "DeletePolicy", "PolicyArn", "arn:aws:iam::" + account + ":policy/own"},
		{"", "DetachUserPolicy", "UserName", "u", "PolicyArn", "arn:aws:iam::" + account + ":policy/own"},
		{"", "DeletePolicy", "PolicyArn", "arn:aws:iam::" + account + ":policy/own"},
	} {
		w.iam(w.admin, step[0], step[1], step[2:]...)
	}
}

func TestBadInputIsRefusedInIAMsWords(t *testing.T) {
	w := newWorld(t)
	w.iam(w.admin, "", "CreateRole", "RoleName", "r", "AssumeRolePolicyDocument", nobody)
	w.iam(w.admin, "", "CreateServiceLinkedRole", "AWSServiceName", "eks.amazonaws.com")
	for _, c := range [][]string{
		{"EntityAlreadyExists", "CreateRole", "RoleName", "R", "AssumeRolePolicyDocument", nobody},
		{"MalformedPolicyDocument", "CreateRole", "RoleName", "x", "AssumeRolePolicyDocument", listClusters},
		{"MalformedPolicyDocument", "CreateRole", "RoleName", "x", "AssumeRolePolicyDocument", "{"},
		{"ValidationError", "CreateRole", "RoleName", "a/b", "AssumeRolePolicyDocument", nobody},
		{"ValidationError", "CreateRole", "RoleName", "x"},
		{"ValidationError", "CreateRole", "RoleName", "x", "AssumeRolePolicyDocument", nobody, "Path", "x"},
		{"ValidationError", "CreateRole", "RoleName", "x", "AssumeRolePolicyDocument", nobody, "MaxSessionDuration", "60"},
		{"ValidationError", "CreateRole", "RoleName", "x", "AssumeRolePolicyDocument", nobody, "Unknown", "60"},
		{"ValidationError", "CreateRole", "RoleName", "x", "AssumeRolePolicyDocument", nobody, "Tags.member.x.Key", "60"},
		{"InvalidInput", "TagRole", "RoleName", "r", "Tags.member.1.Key", "a", "Tags.member.1.Value", "",
			"Tags.member.2.Key", "A", "Tags.member.2.Value", ""},
		{"ValidationError", "SimulateCustomPolicy", "PolicyInputList.member.1", listClusters, "ActionNames.member.1",
			"eks:ListClusters", "ResourceArns.member.1", strings.Repeat("x", 2049)},
		{"ValidationError", "SimulateCustomPolicy", "PolicyInputList.member.1", listClusters, "ActionNames.member.1",
			"eks:" + strings.Repeat("x", 125)},
		{"ValidationError", "SimulateCustomPolicy", "PolicyInputList.member.1", listClusters, "ActionNames.member.1",
			"eks:ListClusters",
			"ContextEntries.member.1.ContextKeyName", "k", "ContextEntries.member.1.ContextKeyValues.member.1",
			strings.Repeat("x", 2049)},
		{"NoSuchEntity", "AttachRolePolicy", "RoleName", "r", "PolicyArn", "arn:aws:iam::aws:policy/None"},
		{"NoSuchEntity", "GetRolePolicy", "RoleName", "r", "PolicyName", "p"},
		{"NoSuchEntity", "GetInstanceProfile", "InstanceProfileName", "i"},
		{"NoSuchEntity", "GetOpenIDConnectProvider", "OpenIDConnectProviderArn",
			"arn:aws:iam::" + account + ":oidc-provider/x"},
		{"UnmodifiableEntity", "DeleteRole", "RoleName", "AWSServiceRoleForAmazonEKS"},
		{"InvalidInput", "CreateServiceLinkedRole", "AWSServiceName", "eks.amazonaws.com"},
		{"AccessDenied", "CreatePolicyVersion", "PolicyArn", clusterPath, "PolicyDocument", listClusters},
		{"ValidationError", "ListRoles", "MaxItems", "0"},
		{"ValidationError", "ListRoles", "Marker", "x"},
		{"InvalidAction", "CreateServiceSpecificCredential", "UserName", "x", "ServiceName", "x"},
		{"InvalidAction", "MakeCoffee"},
	} {
		w.iam(w.admin, c[0], c[1], c[2:]...)
	}
}

func TestPagesShowAllOnce(t *testing.T) {
	w := newWorld(t)
	var want []string
	for i := range 7 {
		name := fmt.Sprintf("role-%d", i)
		want = append(want, name)
		w.iam(w.admin, "", "CreateRole", "RoleName", name, "AssumeRolePolicyDocument", nobody)
	}
	var got []string
	params := []string{"MaxItems", "3"}
	for {
		type roles struct {
			Names  []string `xml:"ListRolesResult>Roles>member>RoleName"`
			More   bool     `xml:"ListRolesResult>IsTruncated"`
			Marker string   `xml:"ListRolesResult>Marker"`
		}
		one := answer[roles](w, "ListRoles", params...)
		got = append(got, one.Names...)
		if !one.More {
			break
		}
		params = []string{"MaxItems", "3", "Marker", one.Marker}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPolicyVersionsAreFiveAtMostAndNumbersAreNotUsedAgain(t *testing.T) {
	w := newWorld(t)
	arn := "arn:aws:iam::" + account + ":policy/p"
	w.iam(w.admin, "", "CreatePolicy", "PolicyName", "p", "PolicyDocument", listClusters)
	for range 4 {
		w.iam(w.admin, "", "CreatePolicyVersion", "PolicyArn", arn, "PolicyDocument", userActs, "SetAsDefault", "true")
	}
	w.iam(w.admin, "LimitExceeded", "CreatePolicyVersion", "PolicyArn", arn, "PolicyDocument", userActs)
	w.iam(w.admin, "DeleteConflict", "DeletePolicyVersion", "PolicyArn", arn, "VersionId", "v5")
	w.iam(w.admin, "", "SetDefaultPolicyVersion", "PolicyArn", arn, "VersionId", "v1")
	w.iam(w.admin, "", "DeletePolicyVersion", "PolicyArn", arn, "VersionId", "v5")
	w.iam(w.admin, "", "CreatePolicyVersion", "PolicyArn", arn, "PolicyDocument", userActs)
	w.iam(w.admin, "DeleteConflict", "DeletePolicy", "PolicyArn", arn)
	type versions struct {
		IDs []string `xml:"ListPolicyVersionsResult>Versions>member>VersionId"`
	}
	if got, want := answer[versions](w, "ListPolicyVersions", "PolicyArn", arn).IDs,
		[]string{"v6", "v4", "v3", "v2", "v1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// newKey makes an access key of a user by the API.
func (w *world) newKey(user string) aws.Credentials {
	w.Helper()
	type key struct {
		ID     string `xml:"CreateAccessKeyResult>AccessKey>AccessKeyId"`
		Secret string `xml:"CreateAccessKeyResult>AccessKey>SecretAccessKey"`
	}
	made := answer[key](w, "CreateAccessKey", "UserName", user)
	return aws.Credentials{AccessKeyID: made.ID, SecretAccessKey: made.Secret}
}

func TestPoliciesDecideFromTheNextCall(t *testing.T) {
	w := newWorld(t)
	w.iam(w.admin, "", "CreateUser", "UserName", "ann")
	ann := w.newKey("ann")
	may := func(want string) { t.Helper(); w.iam(ann, want, "ListRoles") }
	own := "arn:aws:iam::" + account + ":policy/own"
	list, deny := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:ListRoles","Resource":"*"}}`,
		`{"Statement":{"Effect":"Deny","Action":"iam:*","Resource":"*"}}`

	may("AccessDenied")
	w.iam(w.admin, "", "PutUserPolicy", "UserName", "ann", "PolicyName", "p", "PolicyDocument", list)
	may("")
	w.iam(w.admin, "", "DeleteUserPolicy", "UserName", "ann", "PolicyName", "p")
	may("AccessDenied")
	w.iam(w.admin, "", "CreatePolicy", "PolicyName", "own", "PolicyDocument", list)
	w.iam(w.admin, "", "AttachUserPolicy", "UserName", "ann", "PolicyArn", own)
	may("")
	w.iam(w.admin, "", "PutUserPermissionsBoundary", "UserName", "ann", "PermissionsBoundary", clusterPath)
	may("AccessDenied")
	w.iam(w.admin, "", "DeleteUserPermissionsBoundary", "UserName", "ann")
	may("")
	w.iam(w.admin, "", "CreateGroup", "GroupName", "g")
	w.iam(w.admin, "", "PutGroupPolicy", "GroupName", "g", "PolicyName", "d", "PolicyDocument", deny)
	w.iam(w.admin, "", "AddUserToGroup", "GroupName", "g", "UserName", "ann")
	may("AccessDenied")
	if text := w.iam(ann, "AccessDenied", "ListRoles"); !strings.Contains(text,
		"with an explicit deny in an identity-based policy") {
		t.Errorf("the reason is not told: %s", text)
	}
	w.iam(w.admin, "", "RemoveUserFromGroup", "GroupName", "g", "UserName", "ann")
	may("")
	w.iam(w.admin, "", "UpdateAccessKey", "UserName", "ann", "AccessKeyId", ann.AccessKeyID, "Status", "Inactive")
	may("InvalidClientTokenId")
}

func TestUserTouchesOnlyWhatItsPolicyNames(t *testing.T) {
	w := newWorld(t)
	w.iam(w.admin, "", "PutUserPolicy", "UserName", "powerless", "PolicyName", "p", "PolicyDocument", userActs)
	w.iam(w.powerless, "", "GetUser")
	w.iam(w.powerless, "", "GetUser", "UserName", "powerless")
	w.iam(w.powerless, "AccessDenied", "GetUser", "UserName", "admin")
	w.iam(w.powerless, "AccessDenied", "GetUser", "UserName", "none")
	w.iam(w.powerless, "AccessDenied", "CreateUser", "UserName", "powerless2")
}

func TestRolesSessionDoesWhatTheRoleMay(t *testing.T) {
	w := newWorld(t)
	w.iam(w.admin, "", "CreateRole", "RoleName", "reader", "AssumeRolePolicyDocument", accounts)
	w.iam(w.admin, "", "PutRolePolicy", "RoleName", "reader", "PolicyName", "p", "PolicyDocument",
		`{"Statement":{"Effect":"Allow","Action":"iam:ListRoles","Resource":"*"}}`)
	text, code := w.call(w.admin, sts.Name, sts.Version, "AssumeRole", "RoleArn", "arn:aws:iam::"+account+":role/reader",
		"RoleSessionName", "s1")
	if code != "" {
		t.Fatal(text)
	}
	session := credentialsIn(text)
	w.iam(session, "", "ListRoles")
	w.iam(session, "AccessDenied", "ListUsers")
	narrow, code := w.call(w.admin, sts.Name, sts.Version, "AssumeRole", "RoleArn",
		"arn:aws:iam::"+account+":role/reader", "RoleSessionName", "s2", "Policy", listClusters)
	if code != "" {
		t.Fatal(narrow)
	}
	if text := w.iam(credentialsIn(narrow), "AccessDenied", "ListRoles"); !strings.Contains(text,
		"because no session policy allows") {
		t.Errorf("the reason is not told: %s", text)
	}
	w.iam(w.admin, "", "DeleteRolePolicy", "RoleName", "reader", "PolicyName", "p")
	w.iam(session, "AccessDenied", "ListRoles")
	w.iam(w.admin, "", "DeleteRole", "RoleName", "reader")
	w.iam(session, "InvalidClientTokenId", "ListRoles")
}

func TestSimulationDecidesAsCallsDo(t *testing.T) {
	w := newWorld(t)
	w.iam(w.admin, "", "PutUserPolicy", "UserName", "powerless", "PolicyName", "p", "PolicyDocument", listClusters)
	type results struct {
		Decisions []string `xml:"SimulatePrincipalPolicyResult>EvaluationResults>member>EvalDecision"`
	}
	got := answer[results](w, "SimulatePrincipalPolicy", "PolicySourceArn", "arn:aws:iam::"+account+":user/powerless",
		"ActionNames.member.1", "eks:ListClusters", "ActionNames.member.2", "eks:CreateCluster")
	if want := []string{"allowed", "implicitDeny"}; !slices.Equal(got.Decisions, want) {
		t.Errorf("got %q, want %q", got.Decisions, want)
	}
}

func TestSimulationTellsWhatItLacks(t *testing.T) {
	w := newWorld(t)
	const policy = `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"eks:*","Resource":"arn:aws:eks:*:*:cluster/${aws:PrincipalTag/team}","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"StringEquals":{"aws:username":"x"}}},
		{"Effect":"Allow","Action":"iam:PassRole","Resource":"*","Condition":{"StringEquals":{"iam:PassedToService":"eks.amazonaws.com"}}}]}`
	keys := answer[struct {
		Names []string `xml:"GetContextKeysForCustomPolicyResult>ContextKeyNames>member"`
	}](w, "GetContextKeysForCustomPolicy", "PolicyInputList.member.1", policy)
	if want := []string{"aws:PrincipalTag/team", "aws:SourceIp", "aws:username",
		"iam:PassedToService"}; !slices.Equal(keys.Names, want) {
		t.Errorf("got the keys %q, want %q", keys.Names, want)
	}
	type results struct {
		All []struct {
			EvalDecision string
			Missing      []string                                     `xml:"MissingContextValues>member"`
			Boundary     *struct{ AllowedByPermissionsBoundary bool } `xml:"PermissionsBoundaryDecisionDetail"`
		} `xml:"SimulateCustomPolicyResult>EvaluationResults>member"`
	}
	ask := []string{"PolicyInputList.member.1", policy, "ActionNames.member.1", "iam:PassRole", "ActionNames.member.2",
		"eks:ListClusters"}
	got := answer[results](w, "SimulateCustomPolicy", ask...).All
	if len(got) != 2 || !slices.Equal(got[0].Missing, []string{"iam:PassedToService"}) ||
		!slices.Equal(got[1].Missing, []string{"aws:PrincipalTag/team", "aws:SourceIp"}) || got[0].Boundary != nil {
		t.Errorf("got %+v", got)
	}
	ask = append(ask, "ContextEntries.member.1.ContextKeyName", "iam:passedtoservice",
		"ContextEntries.member.1.ContextKeyType", "string",
		"ContextEntries.member.1.ContextKeyValues.member.1", "eks.amazonaws.com")
	if got = answer[results](w, "SimulateCustomPolicy", ask...).All; got[0].EvalDecision != "allowed" ||
		len(got[0].Missing) > 0 {
		t.Errorf("with its key: got %+v", got[0])
	}
	ask = append(ask, "PermissionsBoundaryPolicyInputList.member.1",
		`{"Statement":{"Effect":"Allow","Action":"eks:*","Resource":"*"}}`)
	if got = answer[results](w, "SimulateCustomPolicy", ask...).All; got[0].EvalDecision != "implicitDeny" ||
		got[0].Boundary == nil || got[0].Boundary.AllowedByPermissionsBoundary ||
		!got[1].Boundary.AllowedByPermissionsBoundary {
		t.Errorf("beyond the boundary: got %+v", got)
	}
}
