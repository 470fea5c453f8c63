package iamapi_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"tripod/awsapi/sts"
	"tripod/internal/issuer"
	"tripod/region"
	"tripod/state"
)

const (
	issuerURL = "https://localhost:4566/id/0123456789ABCDEF0123456789ABCDEF"
	provider  = "arn:aws:iam::" + account + ":oidc-provider/localhost:4566/id/0123456789ABCDEF0123456789ABCDEF"
)

// between is the text of an answer's first element of that name.
func between(text, name string) string {
	_, rest, _ := strings.Cut(text, "<"+name+">")
	value, _, _ := strings.Cut(rest, "<")
	return value
}

func credentialsIn(text string) aws.Credentials {
	return aws.Credentials{AccessKeyID: between(text, "AccessKeyId"), SecretAccessKey: between(text, "SecretAccessKey"),
		SessionToken: between(text, "SessionToken")}
}

func TestServiceAccountAssumesOnlyARoleThatTrustsIt(t *testing.T) {
	w := newWorld(t)
	own, other := issuer.New(t), issuer.New(t)
	cluster := region.Cluster{ID: "0123456789ABCDEF0123456789ABCDEF", Name: "demo", Issuer: issuerURL,
		Secrets: region.ClusterSecrets{ServiceAccountKey: own.PEM}}
	if err := w.Update(context.Background(),
		func(tx *state.Txn) error { region.Clusters.Put(tx, cluster.ID, cluster); return nil }); err != nil {
		t.Fatal(err)
	}
	host := strings.TrimPrefix(issuerURL, "https://")
	w.iam(w.admin, "", "CreateRole", "RoleName", "pod",
		"AssumeRolePolicyDocument", `{"Version":"2012-10-17","Statement":{"Effect":"Allow",
		"Action":"sts:AssumeRoleWithWebIdentity","Principal":{"Federated":"`+provider+`"},
		"Condition":{"StringEquals":{"`+host+`:aud":"sts.amazonaws.com","`+host+`:sub":"system:serviceaccount:default:app"}}}}`)
	w.iam(w.admin, "", "AttachRolePolicy", "RoleName", "pod", "PolicyArn", "arn:aws:iam::aws:policy/IAMReadOnlyAccess")
	with := func(changes ...any) map[string]any {
		claims := map[string]any{"iss": issuerURL, "sub": "system:serviceaccount:default:app",
			"aud": []string{"sts.amazonaws.com"},
			"exp": time.Now().Add(time.Hour).Unix(), "nbf": time.Now().Add(-time.Minute).Unix()}
		for i := 0; i < len(changes); i += 2 {
			claims[changes[i].(string)] = changes[i+1]
		}
		return claims
	}
	assume := func(token string) (string, string) {
		return w.call(aws.Credentials{}, sts.Name, sts.Version, "AssumeRoleWithWebIdentity",
			"RoleArn", "arn:aws:iam::"+account+":role/pod", "RoleSessionName", "app", "WebIdentityToken", token)
	}
	good := own.Sign(with())
	if text, code := assume(good); code != "InvalidIdentityToken" {
		t.Fatalf("without a provider: got %q: %s", code, text)
	}
	w.iam(w.admin, "", "CreateOpenIDConnectProvider", "Url", issuerURL, "ClientIDList.member.1", "sts.amazonaws.com")
	text, code := assume(good)
	if code != "" {
		t.Fatal(text)
	}
	if got, want := between(text, "Arn"), "arn:aws:sts::"+account+":assumed-role/pod/app"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	w.iam(credentialsIn(text), "", "ListRoles")
	w.iam(credentialsIn(text), "AccessDenied", "CreateUser", "UserName", "x")

	for name, c := range map[string]struct{ token, want string }{
		"another's key":           {other.Sign(with()), "InvalidIdentityToken"},
		"no algorithm":            {own.SignAs("none", with()), "InvalidIdentityToken"},
		"another algorithm":       {own.SignAs("HS256", with()), "InvalidIdentityToken"},
		"another issuerURL":       {own.Sign(with("iss", "https://example.com")), "InvalidIdentityToken"},
		"another audience":        {own.Sign(with("aud", "vault")), "InvalidIdentityToken"},
		"another service account": {own.Sign(with("sub", "system:serviceaccount:default:other")), "AccessDenied"},
		"expired":                 {own.Sign(with("exp", time.Now().Add(-time.Second).Unix())), "ExpiredTokenException"},
		"without expiry":          {own.Sign(with("exp", nil)), "ExpiredTokenException"},
		"not yet valid":           {own.Sign(with("nbf", time.Now().Add(time.Hour).Unix())), "ExpiredTokenException"},
		"shortened":               {good[:len(good)-4], "InvalidIdentityToken"},
		"no token":                {"", "ValidationError"},
	} {
		if text, code := assume(c.token); code != c.want {
			t.Errorf("%s: got %q, want %q: %s", name, code, c.want, text)
		}
	}
}

func TestUsersOfAForeignIssuerAssumeARole(t *testing.T) {
	w := newWorld(t)
	foreign := issuer.New(t)
	foreign.Serve(nil)
	host := strings.TrimPrefix(foreign.URL, "https://")
	w.iam(w.admin, "", "CreateOpenIDConnectProvider", "Url", foreign.URL, "ClientIDList.member.1", "app",
		"ThumbprintList.member.1", foreign.Thumbprint)
	w.iam(w.admin, "", "CreateRole", "RoleName", "guest",
		"AssumeRolePolicyDocument", `{"Version":"2012-10-17","Statement":{"Effect":"Allow",
		"Action":"sts:AssumeRoleWithWebIdentity","Principal":{"Federated":"arn:aws:iam::`+account+`:oidc-provider/`+host+`"},
		"Condition":{"StringEquals":{"`+host+`:sub":"ann"}}}}`)
	for _, c := range []struct{ subject, want string }{{"ann", ""}, {"bob", "AccessDenied"}} {
		token := foreign.Sign(map[string]any{"iss": foreign.URL, "sub": c.subject, "aud": "app",
			"exp": time.Now().Add(time.Hour).Unix()})
		text, code := w.call(aws.Credentials{}, sts.Name, sts.Version, "AssumeRoleWithWebIdentity",
			"RoleArn", "arn:aws:iam::"+account+":role/guest", "RoleSessionName", "guest", "WebIdentityToken", token)
		if code != c.want {
			t.Errorf("%s: got %q, want %q: %s", c.subject, code, c.want, text)
		}
	}
}

func TestUsersSessionActsAsTheUserButForIAM(t *testing.T) {
	w := newWorld(t)
	text, code := w.call(w.admin, sts.Name, sts.Version, "GetSessionToken", "DurationSeconds", "900")
	if code != "" {
		t.Fatal(text)
	}
	session := credentialsIn(text)
	if text, code := w.call(session, sts.Name, sts.Version, "GetCallerIdentity"); code != "" ||
		between(text, "Arn") != "arn:aws:iam::"+account+":user/admin" {
		t.Errorf("got %s", text)
	}
	w.iam(session, "InvalidClientTokenId", "ListRoles")
	for _, c := range [][]string{{"AccessDenied"}, {"ValidationError", "DurationSeconds", "899"},
		{"AccessDenied", "TokenCode", "123456"}} {
		by := w.admin
		if len(c) == 1 {
			by = session
		}
		if text, code := w.call(by, sts.Name, sts.Version, "GetSessionToken", c[1:]...); code != c[0] {
			t.Errorf("%q: got %q: %s", c, code, text)
		}
	}
}
