package iam_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"tripod/iam"
	"tripod/internal/issuer"
)

// FuzzVerify: only the very requests that were signed pass, up to the order and encoding of their parameters.
func FuzzVerify(f *testing.F) {
	w := newFixedWorld(f)
	_, session := w.deployer(f)
	var signed []string
	for _, credentials := range []iam.Credentials{w.admin, session} {
		token, err := iam.Token(context.Background(), credentials, "us-east-1", endpoint, "demo", now)
		if err != nil {
			f.Fatal(err)
		}
		signed = append(signed, decoded(token))
		f.Add(token)
		f.Add(decoded(token))
		f.Add(strings.Replace(decoded(token), "Action", "action", 1))
	}
	f.Add("http://127.0.0.1:4566/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Expires=60")
	f.Add("https://sts.amazonaws.com/?X-Amz-Credential=/////&x-amz-credential=%ff")
	f.Add("http://[::1%25eth0]:4566/")
	f.Fuzz(func(t *testing.T, text string) {
		for _, token := range []string{text, encode(text)} { // in its own form, and before it is encoded
			_, err := w.verifier().Verify(token)
			if err == nil && !sameRequest(decoded(token), signed[0]) && !sameRequest(decoded(token), signed[1]) {
				t.Errorf("accepted %q", token)
			}
			if err != nil {
				noSecrets(t, err.Error(), token, w)
			}
		}
	})
}

func FuzzSessionToken(f *testing.F) {
	w := newFixedWorld(f)
	_, credentials := w.deployer(f)
	_, other := w.deployer(f)
	f.Add(credentials.SessionToken)
	f.Add(other.SessionToken)
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		if _, _, err := iam.Lookup(w, credentials.AccessKeyID, token, now); err == nil && token != credentials.SessionToken {
			t.Errorf("accepted %q", token)
		}
	})
}

// FuzzWebToken: of what a key is said to have signed, it has signed the header and the claims.
func FuzzWebToken(f *testing.F) {
	by := issuer.Fixed(f)
	key, err := iam.PublicKey(by.PEM)
	if err != nil {
		f.Fatal(err)
	}
	signed := map[string]bool{}
	for _, claims := range []map[string]any{
		{"iss": "https://localhost:4566/id/A", "sub": "system:serviceaccount:default:shop",
			"aud": []string{"sts.amazonaws.com"}, "exp": now.Unix() + 60, "nbf": now.Unix(),
			"kubernetes.io": map[string]any{"namespace": "default", "pod": map[string]string{"name": "shop-1", "uid": "1"}}},
		{"iss": "i", "sub": "s", "aud": "one", "exp": 1e300}, {"iss": "i"},
	} {
		token := by.Sign(claims)
		signed[token[:strings.LastIndexByte(token, '.')]] = true
		f.Add(token)
		for _, algorithm := range []string{"none", "RS256", "HS256", "ES384", "es256"} {
			f.Add(by.SignAs(algorithm, claims))
		}
	}
	f.Add("e30.e30.")
	f.Fuzz(func(t *testing.T, text string) {
		token, err := iam.ParseWebToken(text)
		if err != nil {
			if !errors.Is(err, iam.ErrWebToken) {
				t.Errorf("got %v, which may tell of the token", err)
			}
			return
		}
		for _, audience := range token.Audiences() {
			if !token.IsFor(audience) {
				t.Errorf("it is not for its audience %q", audience)
			}
		}
		token.Timely(now)
		if part := text[:strings.LastIndexByte(text, '.')]; token.SignedBy(key) && !signed[part] {
			t.Errorf("accepted %q", text)
		}
	})
}

// FuzzPolicy: what is read is decided as the plain reference does, whatever it is.
func FuzzPolicy(f *testing.F) {
	for _, statement := range []string{
		`{"Effect":"Allow","Action":"a:*","Resource":"${a}*","Condition":{"ForAnyValue:StringLike":{"a":["*"]}}}`,
		`{"Effect":"Deny","NotAction":["eks:*"],"NotResource":"*${user}}","Condition":{"Null":{"k:ip":true},` +
			`"IpAddress":{"k:Ip":["10.0.0.0/8","::ffff:10.0.0.1"]}}}`,
		`{"Effect":"Allow","Action":"*","Principal":{"AWS":["1","*"],"Service":"eks.amazonaws.com"},` +
			`"Condition":{"NumericLessThanIfExists":{"k:numeric":2.5},"DateLessThan":{"k:date":1772600767}}}`,
		`{"Effect":"Deny","Action":"iam:PassRole","NotPrincipal":"*","Resource":"arn:*:role/${absent, 'ann'}"}`,
	} {
		f.Add(identity(statement))
		f.Add(`{"Statement":` + statement + `}`)
	}
	made := dice{rand.New(rand.NewPCG(1, 0))}
	for i := range 40 {
		f.Add(made.policy(f, i%2 == 0))
	}
	var requests []iam.Request
	for range 12 {
		requests = append(requests, made.request())
	}
	f.Fuzz(func(t *testing.T, text string) {
		for i, parse := range []func(string) (*iam.Document, error){iam.ParseIdentity, iam.ParseTrust, iam.ParseResource} {
			document, err := parse(text)
			if err != nil || unmarkable(text) {
				continue
			}
			for _, request := range requests {
				if got, want := iam.Decide(request, document), (reference{request, i == 2}).decide(text); got != want {
					t.Errorf("%s on %s with %q: got %d, want %d by %s", request.Action, request.Resource, request.Keys, got, want,
						text)
				}
			}
		}
	})
}

// unmarkable is a policy with the very runes that the reference marks wildcards with.
func unmarkable(text string) bool {
	return strings.ContainsAny(text, string([]rune{anyText, anyRune})) || strings.Contains(strings.ToLower(text), `\ue00`)
}
