package sts_test

import (
	"encoding/xml"
	"errors"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod/awsapi/operation"
	"tripod/awsapi/sts"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

const everyone = `{"AWS":"` + account + `"}`

// answer is what of STS's answers the tests look at.
type answer struct {
	Credentials      sts.Credentials
	ARN              string
	PackedPolicySize int
	SourceIdentity   string
}

// call makes a call of the service, with parameters as a query.
func call(t *testing.T, service *sts.Service, by iam.Principal, action, query string) (answer, error) {
	t.Helper()
	params, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	params.Set("Action", action)
	params.Set("Version", sts.Version)
	w := httptest.NewRecorder()
	if err := service.API().Serve(w,
		&operation.Call{Operation: action, Principal: by, Params: params,
			Request: httptest.NewRequest("POST", "/", nil)}); err != nil {
		return answer{}, err
	}
	var read struct {
		Result struct {
			Credentials      sts.Credentials
			Role             sts.AssumedRoleUser `xml:"AssumedRoleUser"`
			Federated        sts.FederatedUser   `xml:"FederatedUser"`
			PackedPolicySize int
			SourceIdentity   string
		} `xml:",any"`
	}
	if err := xml.Unmarshal(w.Body.Bytes(), &read); err != nil {
		t.Fatal(err)
	}
	r := read.Result
	return answer{r.Credentials, r.Role.ARN + r.Federated.ARN, r.PackedPolicySize, r.SourceIdentity}, nil
}

// principal is who has the credentials.
func principal(t *testing.T, service *sts.Service, c sts.Credentials) iam.Principal {
	t.Helper()
	p, _, err := iam.Lookup(service.State, c.AccessKeyID, c.SessionToken, now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// newService is STS over a region with the user admin and roles with these trust policies.
func newService(trusts map[string]string) *sts.Service {
	return &sts.Service{Now: func() time.Time { return now }, State: region.NewMemory(func(tx *state.Txn) {
		region.Users.Put(tx, "admin",
			region.User{Name: "admin", ID: "AIDAX", ARN: admin.ARN, Policies: []string{iam.AdministratorAccess},
				Tags: map[string]string{"Team": "red", "site": "x"}})
		for name, trust := range trusts {
			region.Roles.Put(tx, name,
				region.Role{Name: name, ID: "AROA" + name, ARN: role(name), Path: "/", TrustPolicy: trust,
					Policies: []string{iam.AdministratorAccess}, Tags: map[string]string{"Team": "role's"}})
		}
	})}
}

func role(name string) string { return "arn:aws:iam::" + account + ":role/" + name }

// may is a trust policy that allows the account these actions on a condition in JSON.
func may(actions, condition string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":[` + actions + `],"Principal":` +
		everyone + `,"Condition":` + condition + `}}`
}

const (
	tag      = "&Tags.member.1.Key=team&Tags.member.1.Value=blue"
	twoTags  = tag + "&Tags.member.2.Key=cost&Tags.member.2.Value=7"
	passCost = "&TransitiveTagKeys.member.1=cost"
)

func code(err error) string {
	var refused *wire.Error
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

func TestSessionTagsNeedTheRolesLeave(t *testing.T) {
	const both = `"sts:AssumeRole","sts:TagSession"`
	for name, c := range map[string]struct{ trust, query, want string }{
		"none":               {may(`"sts:AssumeRole"`, `{}`), "", ""},
		"without TagSession": {may(`"sts:AssumeRole"`, `{}`), tag, "AccessDenied"},
		"with it":            {may(both, `{}`), twoTags, ""},
		"the right value":    {may(both, `{"StringEquals":{"aws:RequestTag/Team":"blue"}}`), tag, ""},
		"another value":      {may(both, `{"StringEquals":{"aws:RequestTag/Team":"red"}}`), tag, "AccessDenied"},
		"only these keys": {may(both, `{"ForAllValues:StringEquals":{"aws:TagKeys":["team"]}}`), twoTags,
			"AccessDenied"},
		"only these transitive": {may(both, `{"ForAllValues:StringEquals":{"sts:TransitiveTagKeys":["cost"]}}`),
			twoTags + passCost, ""},
		"not these transitive": {may(both, `{"ForAllValues:StringEquals":{"sts:TransitiveTagKeys":["team"]}}`),
			twoTags + passCost, "AccessDenied"},
		"twice, but for case": {may(both, `{}`), tag + "&Tags.member.2.Key=TEAM&Tags.member.2.Value=x",
			"InvalidParameterValue"},
		"of AWS":                   {may(both, `{}`), "&Tags.member.1.Key=aws:x&Tags.member.1.Value=x", "ValidationError"},
		"transitive without a tag": {may(both, `{}`), passCost, "InvalidParameterValue"},
		"session's name by a tag": {may(both, `{"StringEquals":{"sts:RoleSessionName":"${aws:RequestTag/team}"}}`), tag,
			"AccessDenied"},
		"source identity": {may(`"sts:AssumeRole"`, `{}`), "&SourceIdentity=ann", "AccessDenied"},
		"source identity with leave": {may(`"sts:AssumeRole","sts:SetSourceIdentity"`,
			`{"StringLike":{"sts:SourceIdentity":"a*"}}`), "&SourceIdentity=ann", ""},
		"another source identity": {may(`"sts:AssumeRole","sts:SetSourceIdentity"`,
			`{"StringLike":{"sts:SourceIdentity":"a*"}}`), "&SourceIdentity=bob", "AccessDenied"},
		"a policy that is not there": {may(both, `{}`), "&PolicyArns.member.1.arn=" +
			url.QueryEscape("arn:aws:iam::"+account+":policy/none"), "ValidationError"},
		"too many seconds": {may(both, `{}`), "&DurationSeconds=43201", "ValidationError"},
		"MFA":              {may(both, `{}`), "&SerialNumber=x&TokenCode=123456", "ValidationError"},
	} {
		_, err := call(t, newService(map[string]string{"r": c.trust}), admin, "AssumeRole",
			"RoleSessionName=s-1&RoleArn="+role("r")+c.query)
		if code(err) != c.want || err != nil && c.want == "" {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestChainPassesOnTransitiveTagsAndSourceIdentity(t *testing.T) {
	all := may(`"sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"`, `{}`)
	service := newService(map[string]string{"first": all, "second": all})
	first, err := call(t, service, admin, "AssumeRole",
		"RoleSessionName=s-1&SourceIdentity=ann&RoleArn="+role("first")+twoTags+passCost)
	if err != nil {
		t.Fatal(err)
	}
	by := principal(t, service, first.Credentials)
	if diff := cmp.Diff(map[string]string{"team": "blue", "cost": "7"}, by.Tags); diff != "" ||
		first.SourceIdentity != "ann" || first.PackedPolicySize == 0 {
		t.Errorf("first %+v (-want +got):\n%s", first, diff)
	}
	second, err := call(t, service, by, "AssumeRole", "RoleSessionName=s-2&RoleArn="+role("second"))
	if err != nil {
		t.Fatal(err)
	}
	got := principal(t, service, second.Credentials)
	if diff := cmp.Diff(map[string]string{"Team": "role's", "cost": "7"}, got.Tags); diff != "" ||
		got.SourceIdentity != "ann" || got.Transitive["cost"] != "7" {
		t.Errorf("second %+v (-want +got):\n%s", got, diff)
	}
	for query, want := range map[string]string{
		"&Tags.member.1.Key=COST&Tags.member.1.Value=8": "InvalidParameterValue", "&SourceIdentity=bob": "AccessDenied",
		"&SourceIdentity=ann": "", "&DurationSeconds=3601": "ValidationError",
	} {
		if _, err := call(t, service, by, "AssumeRole",
			"RoleSessionName=s-2&RoleArn="+role("second")+query); code(err) != want {
			t.Errorf("%s: got %v, want %q", query, err, want)
		}
	}
}

func TestPoliciesNarrowASession(t *testing.T) {
	service := newService(map[string]string{"r": may(`"sts:AssumeRole"`, `{}`)})
	policy := url.QueryEscape(`{"Statement":{"Effect":"Allow","Action":"eks:ListClusters","Resource":"*"}}`)
	got, err := call(t, service, admin, "AssumeRole",
		"RoleSessionName=s-1&RoleArn="+role("r")+"&Policy="+policy+"&PolicyArns.member.1.arn=arn:aws:iam::aws:policy/IAMReadOnlyAccess")
	if err != nil {
		t.Fatal(err)
	}
	p := principal(t, service, got.Credentials)
	for action, want := range map[string]bool{"eks:ListClusters": true, "iam:ListRoles": true, "iam:CreateRole": false,
		"eks:DeleteCluster": false} {
		if p.Allowed(action, "*") != want {
			t.Errorf("%s: got %t", action, !want)
		}
	}
}

func TestFederatedUserMayWhatUserAndPoliciesAllow(t *testing.T) {
	service := newService(nil)
	policy := url.QueryEscape(`{"Statement":{"Effect":"Allow","Action":["eks:ListClusters","sts:*"],"Resource":"*",` +
		`"Condition":{"StringEquals":{"aws:PrincipalTag/team":"blue"}}}}`)
	got, err := call(t, service, admin, "GetFederationToken", "Name=bob&DurationSeconds=900&Policy="+policy+tag)
	if err != nil {
		t.Fatal(err)
	}
	p := principal(t, service, got.Credentials)
	if want := "arn:aws:sts::" + account + ":federated-user/bob"; p.ARN != want || got.ARN != want ||
		p.UserID != account+":bob" || p.UserName() != "" {
		t.Errorf("got %+v and %+v, want %s", got, p, want)
	}
	if !p.Allowed("eks:ListClusters", "*") || p.Allowed("eks:DeleteCluster", "*") {
		t.Error("the policy does not narrow the session")
	}
	if diff := cmp.Diff(map[string]string{"team": "blue", "site": "x"}, p.Tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	if keys := p.Keys(); keys["aws:principaltype"][0] != "FederatedUser" || keys["aws:username"] != nil ||
		keys["aws:tokenissuetime"][0] != "2026-03-04T05:06:07Z" || keys["aws:multifactorauthpresent"][0] != "false" {
		t.Errorf("got %v", keys)
	}
	for action, want := range map[string]string{"GetFederationToken": "AccessDenied", "GetSessionToken": "AccessDenied",
		"AssumeRole": "AccessDenied", "GetCallerIdentity": ""} {
		if _, err := call(t, service, p, action, ""); code(err) != want {
			t.Errorf("%s by a federated user: got %v", action, err)
		}
	}
	if got, err = call(t, service, admin, "GetFederationToken", "Name=bob"); err != nil ||
		principal(t, service, got.Credentials).Allowed("eks:ListClusters", "*") {
		t.Errorf("a federated user without policies may something (%v)", err)
	}
	if _, err = call(t, service, ann, "GetFederationToken", "Name=bob"); code(err) != "AccessDenied" {
		t.Errorf("without permission: got %v", err)
	}
}

func TestRootGetsSessionsButAssumesNoRoles(t *testing.T) {
	service := newService(map[string]string{"r": may(`"sts:AssumeRole"`, `{}`)})
	root := iam.Principal{ARN: iam.RootARN(account), UserID: account, AccountID: account, AccessKeyID: "AKIAROOT",
		Policies: []string{iam.AdministratorAccess}}
	got, err := call(t, service, root, "GetSessionToken", "")
	if err != nil {
		t.Fatal(err)
	}
	session := principal(t, service, got.Credentials)
	if session.ARN != root.ARN || session.UserID != account || !session.Allowed("eks:DeleteCluster", "*") {
		t.Errorf("root's session: got %+v", session)
	}
	for name, p := range map[string]iam.Principal{"root": root, "root's session": session} {
		_, err := call(t, service, p, "AssumeRole", "RoleSessionName=s-1&RoleArn="+role("r"))
		if code(err) != "AccessDenied" || !strings.Contains(err.Error(), "Roles may not be assumed by root accounts.") {
			t.Errorf("AssumeRole by %s: got %v", name, err)
		}
	}
	got, err = call(t, service, root, "GetFederationToken",
		"Name=bob&PolicyArns.member.1.arn="+url.QueryEscape("arn:aws:iam::aws:policy/ReadOnlyAccess"))
	if err != nil {
		t.Fatal(err)
	}
	if bob := principal(t, service, got.Credentials); bob.UserID != account+":bob" ||
		!bob.Allowed("eks:ListClusters", "*") || bob.Allowed("eks:DeleteCluster", "*") {
		t.Errorf("root's federated user: got %+v", bob)
	}
}

func TestWhatSessionsCannotCall(t *testing.T) {
	service := newService(nil)
	got, err := call(t, service, admin, "GetSessionToken", "")
	if err != nil {
		t.Fatal(err)
	}
	p := principal(t, service, got.Credentials)
	for action, want := range map[string]string{"GetSessionToken": "AccessDenied", "GetFederationToken": "AccessDenied",
		"GetAccessKeyInfo": "AccessDenied", "GetCallerIdentity": ""} {
		if _, err := call(t, service, p, action, ""); code(err) != want {
			t.Errorf("%s by a user's session: got %v, want %q", action, err, want)
		}
	}
	robot := robot
	robot.AccessKeyID = "ASIAROBOT"
	for action, want := range map[string]string{"GetSessionToken": "AccessDenied", "GetFederationToken": "AccessDenied",
		"GetAccessKeyInfo": "ValidationError"} {
		if _, err := call(t, service, robot, action, ""); code(err) != want {
			t.Errorf("%s by a role's session: got %v, want %q", action, err, want)
		}
	}
}

// TestSessionsPoliciesAndTagsArePacked asks for as much as a token in an EKS token's 4,096 bytes can take only because
// it is compressed.
func TestSessionsPoliciesAndTagsArePacked(t *testing.T) {
	service := newService(map[string]string{"r": may(`"sts:AssumeRole","sts:TagSession"`, `{}`)})
	statement := `{"Effect":"Allow","Action":"eks:DescribeCluster",` +
		`"Resource":"arn:aws:eks:us-east-1:111122223333:cluster/team-`
	var statements []string
	for _, team := range strings.Split("abcdefghijklmn", "") {
		statements = append(statements, statement+team+`"}`)
	}
	policy := `{"Statement":[` + strings.Join(statements, ",") + `]}`
	got, err := call(t, service, admin, "AssumeRole",
		"RoleSessionName=s-1&RoleArn="+role("r")+twoTags+"&Policy="+url.QueryEscape(policy))
	if err != nil {
		t.Fatal(err)
	}
	if p := principal(t, service, got.Credentials); p.SessionPolicies[0] != policy ||
		len(got.Credentials.SessionToken) > 900 || got.PackedPolicySize < 1 || got.PackedPolicySize > 100 {
		t.Errorf("a token of %d bytes (%d %%) for %d of policy: %v", len(got.Credentials.SessionToken),
			got.PackedPolicySize, len(policy), p.SessionPolicies)
	}
}

func TestKeysIDTellsItsAccountWhereItCan(t *testing.T) {
	service := newService(nil)
	for id, want := range map[string]string{
		// of 20 characters, and of before ids told the account
		"AKIAIOSFODNN7EXAMPLE": "The access key with id AKIAIOSFODNN7EXAMPLE doesn't exist.",
		"AKIAI44QH8DHBEXAMPLE": "The access key with id AKIAI44QH8DHBEXAMPLE doesn't exist.",
		"AKIAQAAAAAAAAAAAAAA1": "doesn't exist", // no base32
		"AKIAIOSFODNN7EXAMPL":  "doesn't exist",
		"AKIA":                 "1 validation error detected",
	} {
		if _, err := call(t, service, admin, "GetAccessKeyInfo", "AccessKeyId="+id); code(err) != "ValidationError" ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", id, err, want)
		}
	}
}
