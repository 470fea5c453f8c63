package sts_test

import (
	"encoding/xml"
	"errors"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/sts"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

const (
	account = iam.DefaultAccountID
	arn     = "arn:aws:iam::" + account + ":role/ci/deployer"
)

var (
	now   = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	admin = iam.Principal{ARN: "arn:aws:iam::" + account + ":user/admin", UserID: "AIDAX", AccountID: account,
		Policies: []string{iam.AdministratorAccess}}
	ann   = iam.Principal{ARN: "arn:aws:iam::" + account + ":user/ann", UserID: "AIDAY", AccountID: account}
	robot = iam.Principal{ARN: "arn:aws:sts::" + account + ":assumed-role/robot/r2", UserID: "AROAZ:r2",
		AccountID: account,
		IssuerARN: "arn:aws:iam::" + account + ":role/robot", IssuerID: "AROAZ", Policies: []string{iam.AdministratorAccess}}
)

// assume calls AssumeRole on a role with that trust policy.
func assume(t *testing.T, trust string, by iam.Principal, change url.Values) (*state.Memory, sts.Credentials, error) {
	t.Helper()
	store := region.NewMemory(func(tx *state.Txn) {
		region.Roles.Put(tx, "deployer",
			region.Role{Name: "deployer", ID: "AROAD", ARN: arn, Path: "/ci/", MaxSessionSeconds: 7200, TrustPolicy: trust})
	})
	params := url.Values{"Action": {"AssumeRole"}, "Version": {sts.Version}, "RoleArn": {arn},
		"RoleSessionName": {"build-1"}}
	for name, values := range change {
		params[name] = values
	}
	service := sts.Service{State: store, Now: func() time.Time { return now }}
	w := httptest.NewRecorder()
	err := service.API().Serve(w,
		&operation.Call{Operation: "AssumeRole", Principal: by, Params: params,
			Request: httptest.NewRequest("POST", "/", nil)})
	if err != nil {
		return store, sts.Credentials{}, err
	}
	var answer struct {
		Credentials sts.Credentials `xml:"AssumeRoleResult>Credentials"`
	}
	if err := xml.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	return store, answer.Credentials, nil
}

func trusts(effect, principal, condition string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"` + effect + `","Action":"sts:AssumeRole","Principal":` +
		principal + condition + `}}`
}

func TestAssumedRolesCredentialsWork(t *testing.T) {
	store, got, err := assume(t, trusts("Allow", `{"AWS":"`+account+`"}`, ""), admin,
		url.Values{"DurationSeconds": {"900"}})
	if err != nil {
		t.Fatal(err)
	}
	principal, secret, err := iam.Lookup(store, got.AccessKeyID, got.SessionToken, now.Add(899*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if want := "arn:aws:sts::" + account + ":assumed-role/deployer/build-1"; principal.ARN != want ||
		secret != got.SecretAccessKey {
		t.Errorf("got %s, want %s and the secret that was told", principal.ARN, want)
	}
	if _, _, err := iam.Lookup(store, got.AccessKeyID, got.SessionToken, now.Add(900*time.Second)); !errors.Is(err,
		iam.ErrExpired) {
		t.Errorf("got %v after its time, want ErrExpired", err)
	}
}

func TestRoleDecidesWhoAssumesIt(t *testing.T) {
	root := `{"AWS":"arn:aws:iam::` + account + `:root"}`
	external := `,"Condition":{"StringEquals":{"sts:ExternalId":"e-1"}}`
	for name, c := range map[string]struct {
		trust  string
		by     iam.Principal
		change url.Values
		want   string
	}{
		"account, and own policy":     {trusts("Allow", root, ""), admin, nil, ""},
		"account, without own policy": {trusts("Allow", root, ""), ann, nil, "AccessDenied"},
		"named, without own policy":   {trusts("Allow", `{"AWS":"`+ann.ARN+`"}`, ""), ann, nil, ""},
		"named, but denied by own policy": {trusts("Allow", `{"AWS":"`+ann.ARN+`"}`, ""),
			ann.With(`{"Statement":{"Effect":"Deny","Action":"sts:*","Resource":"*"}}`), nil, "AccessDenied"},
		"another named":             {trusts("Allow", `{"AWS":"`+ann.ARN+`"}`, ""), admin, nil, "AccessDenied"},
		"role of the session named": {trusts("Allow", `{"AWS":"`+robot.IssuerARN+`"}`, ""), robot, nil, ""},
		"another account":           {trusts("Allow", `{"AWS":"999999999999"}`, ""), admin, nil, "AccessDenied"},
		"service":                   {trusts("Allow", `{"Service":"eks.amazonaws.com"}`, ""), admin, nil, "AccessDenied"},
		"denied":                    {trusts("Deny", root, ""), admin, nil, "AccessDenied"},
		"external id":               {trusts("Allow", root, external), admin, url.Values{"ExternalId": {"e-1"}}, ""},
		"wrong external id": {trusts("Allow", root, external), admin, url.Values{"ExternalId": {"e-2"}},
			"AccessDenied"},
		"no external id": {trusts("Allow", root, external), admin, nil, "AccessDenied"},
		"no such role": {trusts("Allow", root, ""), admin, url.Values{"RoleArn": {arn + "x"}},
			"AccessDenied"},
		"path left out": {trusts("Allow", root, ""), admin,
			url.Values{"RoleArn": {"arn:aws:iam::" + account + ":role/deployer"}}, "AccessDenied"},
		"no ARN": {trusts("Allow", root, ""), admin, url.Values{"RoleArn": {"deployer"}},
			"ValidationError"},
		"session name": {trusts("Allow", root, ""), admin, url.Values{"RoleSessionName": {"a/b"}},
			"ValidationError"},
		"too short": {trusts("Allow", root, ""), admin, url.Values{"DurationSeconds": {"899"}},
			"ValidationError"},
		"longer than the role has it": {trusts("Allow", root, ""), admin, url.Values{"DurationSeconds": {"7201"}},
			"ValidationError"},
		"chained for two hours": {trusts("Allow", root, ""), robot, url.Values{"DurationSeconds": {"7200"}},
			"ValidationError"},
		"a malformed session policy": {trusts("Allow", root, ""), admin, url.Values{"Policy": {"{}"}},
			"MalformedPolicyDocument"},
		"session tags are not ignored": {trusts("Allow", root, ""), admin, url.Values{"Tags.member.1.Key": {"a"}},
			"ValidationError"},
	} {
		_, _, err := assume(t, c.trust, c.by, c.change)
		var got *wire.Error
		switch errors.As(err, &got); {
		case c.want == "" && err != nil, c.want != "" && (got == nil || got.Code != c.want):
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}
