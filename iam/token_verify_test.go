package iam_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"tripod/iam"
	"tripod/region"
)

const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// spec is a token that may be wrong in one way, and properly signed all the same.
type spec struct {
	url     string
	query   url.Values
	cluster string // "" leaves the header out
	headers http.Header
	method  string
	region  string
	service string
	at      time.Time
	as      iam.Credentials
}

func (w *world) spec() spec {
	return spec{
		url: endpoint + "/", cluster: "demo", method: "GET", region: "us-east-1", service: "sts", at: now, as: w.admin,
		query: url.Values{"Action": {"GetCallerIdentity"}, "Version": {"2011-06-15"}, "X-Amz-Expires": {"60"}},
	}
}

func (s spec) signed(t *testing.T) string {
	t.Helper()
	r, err := http.NewRequest(s.method, s.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.URL.RawQuery = s.query.Encode()
	for name, values := range s.headers {
		r.Header[name] = values
	}
	if s.cluster != "" {
		r.Header.Set("x-k8s-aws-id", s.cluster)
	}
	credentials := aws.Credentials{AccessKeyID: s.as.AccessKeyID, SecretAccessKey: s.as.SecretAccessKey,
		SessionToken: s.as.SessionToken}
	signed, _, err := v4.NewSigner().PresignHTTP(context.Background(), credentials, r, emptyHash, s.service, s.region,
		s.at)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func encode(signed string) string {
	return "k8s-aws-v1." + base64.RawURLEncoding.EncodeToString([]byte(signed))
}

func TestTokenIsItsSigners(t *testing.T) {
	w := newWorld(t)
	for name, endpoint := range map[string]string{
		"own endpoint":         "http://127.0.0.1:4566",
		"own endpoint, slash":  "http://localhost:4566/",
		"own endpoint, https":  "https://localhost:4566",
		"AWS's global STS":     "https://sts.amazonaws.com",
		"AWS's STS in region":  "https://sts.us-east-1.amazonaws.com",
		"STS in other regions": "https://sts.eu-central-1.amazonaws.com",
	} {
		t.Run(name, func(t *testing.T) {
			region := "us-east-1"
			if strings.Contains(endpoint, "eu-central-1") {
				region = "eu-central-1"
			}
			token, err := iam.Token(context.Background(), w.admin, region, endpoint, "demo", now)
			if err != nil {
				t.Fatal(err)
			}
			principal, err := w.verifier().Verify(token)
			if err != nil {
				t.Fatal(err)
			}
			if principal.ARN != w.adminUser.ARN {
				t.Errorf("got %s, want %s", principal.ARN, w.adminUser.ARN)
			}
		})
	}
}

func TestTokenOutlivesItsURLsExpiry(t *testing.T) {
	w := newWorld(t)
	token, err := iam.Token(context.Background(), w.admin, "us-east-1", endpoint, "demo", now)
	if err != nil {
		t.Fatal(err)
	}
	for age, ok := range map[time.Duration]bool{
		-5 * time.Minute: true, 0: true, 2 * time.Minute: true, iam.TokenLife: true, 15 * time.Minute: true,
		-5*time.Minute - time.Second: false, 15*time.Minute + time.Second: false, 24 * time.Hour: false,
	} {
		v := w.verifier()
		v.Now = func() time.Time { return now.Add(age) }
		if _, err := v.Verify(token); (err == nil) != ok {
			t.Errorf("at an age of %s: got %v, want accepted %v", age, err, ok)
		}
	}
}

// Each of these is properly signed with the administrator's key, and wrong in what it says.
func TestWellSignedTokensThatSayTheWrongThingAreRefused(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name  string
		spoil func(*spec)
		want  string
	}{
		{"another cluster", func(s *spec) { s.cluster = "prod" }, "another cluster"},
		{"no cluster", func(s *spec) { s.cluster = "" }, "does not cover the header x-k8s-aws-id"},
		{"another host", func(s *spec) { s.url = "https://evil.example/" }, "not an STS endpoint"},
		{"another port", func(s *spec) { s.url = "http://127.0.0.1:4567/" }, "not an STS endpoint"},
		{"AWS over http", func(s *spec) { s.url = "http://sts.amazonaws.com/" }, "not an STS endpoint"},
		{"AWS with a port", func(s *spec) { s.url = "https://sts.amazonaws.com:8443/" }, "not an STS endpoint"},
		{"host that ends in AWS's", func(s *spec) { s.url = "https://evil-sts.amazonaws.com/" }, "not an STS endpoint"},
		{"host that begins with AWS's", func(s *spec) { s.url = "https://sts.amazonaws.com.evil.example/" },
			"not an STS endpoint"},
		{"another partition", func(s *spec) { s.url = "https://sts.cn-north-1.amazonaws.com.cn/" }, "not an STS endpoint"},
		{"path", func(s *spec) { s.url = endpoint + "/x" }, `path "/x"`},
		{"encoded path", func(s *spec) { s.url = endpoint + "/%2F" }, "path"},
		{"user info", func(s *spec) { s.url = "http://a@127.0.0.1:4566/" }, "parts"},
		{"action", func(s *spec) { s.query.Set("Action", "AssumeRole") }, "action"},
		{"no action", func(s *spec) { s.query.Del("Action") }, "action"},
		{"version", func(s *spec) { s.query.Set("Version", "2010-05-08") }, "version"},
		{"unknown parameter", func(s *spec) { s.query.Set("Extra", "x") }, `parameter "Extra"`},
		{"action twice", func(s *spec) { s.query.Add("Action", "AssumeRole") }, "more than once"},
		{"action twice in other case", func(s *spec) { s.query.Set("action", "AssumeRole") }, "more than once"},
		{"expires too long", func(s *spec) { s.query.Set("X-Amz-Expires", "901") }, "X-Amz-Expires"},
		{"expires negative", func(s *spec) { s.query.Set("X-Amz-Expires", "-1") }, "X-Amz-Expires"},
		{"no expires", func(s *spec) { s.query.Del("X-Amz-Expires") }, "X-Amz-Expires"},
		{"method", func(s *spec) { s.method = "POST" }, "signature is wrong"},
		{"region", func(s *spec) { s.region = "eu-west-1" }, "scope"},
		{"region of another endpoint",
			func(s *spec) { s.url, s.region = "https://sts.eu-west-1.amazonaws.com/", "us-east-1" }, "scope"},
		{"service", func(s *spec) { s.service = "iam" }, "scope"},
		{"old", func(s *spec) { s.at = now.Add(-time.Hour) }, "ago"},
		{"early", func(s *spec) { s.at = now.Add(time.Hour) }, "future"},
		{"another header signed", func(s *spec) { s.headers = http.Header{"X-Other": {"x"}} }, "signature is wrong"},
		{"wrong secret", func(s *spec) { s.as.SecretAccessKey = "wrong" }, "signature is wrong"},
		{"unknown key", func(s *spec) { s.as.AccessKeyID = "ASIAIOSFODNN7EXAMPLE" }, "tripod env"},
		{"session token", func(s *spec) { s.as.SessionToken = "x" }, "AWS_SESSION_TOKEN"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := w.spec()
			c.spoil(&s)
			wantRefused(t, w, encode(s.signed(t)), c.want)
		})
	}
}

// And each of these changes a good token after it was signed.
func TestTamperedTokensAreRefused(t *testing.T) {
	w := newWorld(t)
	good := w.spec().signed(t)
	edit := func(name, value string) string {
		u, _ := url.Parse(good)
		q := u.Query()
		q.Set(name, value)
		u.RawQuery = q.Encode()
		return encode(u.String())
	}
	for _, c := range []struct{ name, token, want string }{
		{"empty", "", "begin with"},
		{"another kind of token", "eyJhbGciOiJSUzI1NiJ9.e30.c2ln", "begin with"},
		{"prefix alone", "k8s-aws-v1.", "scheme"},
		{"not base64url", "k8s-aws-v1.aGVsbG8+", "base64url"},
		{"padded", encode(good) + "=", "base64url"},
		{"line break", encode(good)[:40] + "\n" + encode(good)[40:], "base64url"},
		{"too long", encode(good + "&X-Amz-User-Agent=" + strings.Repeat("x", 4096)), "longer than 4096"},
		{"not a URL", encode("http://\x7f/"), "URL"},
		{"not absolute", encode("/?Action=GetCallerIdentity"), "scheme"},
		{"file", encode("file:///etc/passwd"), "scheme"},
		{"opaque", encode("http:127.0.0.1"), "parts"},
		{"fragment", encode(good + "#x"), "parts"},
		{"malformed query", encode(good + ";a=b"), "malformed"},
		{"header and file break", encode("http://evil\r\nX: y/"), "URL"},
		{"signature", edit("X-Amz-Signature", strings.Repeat("0", 64)), "signature is wrong"},
		{"signature short", edit("X-Amz-Signature", "00"), "presigned"},
		{"date", edit("X-Amz-Date", now.Add(time.Minute).Format("20060102T150405Z")), "signature is wrong"},
		{"date of another day", edit("X-Amz-Date", now.Add(-5*time.Hour-7*time.Minute).Format("20060102T150405Z")), "ago"},
		{"expires", edit("X-Amz-Expires", "900"), "signature is wrong"},
		{"credential", edit("X-Amz-Credential", w.other.AccessKeyID+"/20260304/us-east-1/sts/aws4_request"),
			"signature is wrong"},
		{"host", encode(strings.Replace(good, "127.0.0.1", "localhost", 1)), "signature is wrong"},
		{"user agent added", edit("X-Amz-User-Agent", "x"), "signature is wrong"},
	} {
		t.Run(c.name, func(t *testing.T) { wantRefused(t, w, c.token, c.want) })
	}
}

func TestUnknownKeyIsTold(t *testing.T) {
	w := newWorld(t)
	s := w.spec()
	s.as.AccessKeyID = "AKIAIOSFODNN7EXAMPLE"
	if _, err := w.verifier().Verify(encode(s.signed(t))); !errors.Is(err, iam.ErrUnknownKey) {
		t.Errorf("got %v, want ErrUnknownKey", err)
	}
}

func wantRefused(t *testing.T, w *world, token, want string) {
	t.Helper()
	principal, err := w.verifier().Verify(token)
	if err == nil {
		t.Fatalf("accepted as %s", principal.ARN)
	}
	if !strings.Contains(err.Error(), want) {
		t.Errorf("got %q, want something about %q", err, want)
	}
	noSecrets(t, err.Error(), token, w)
}

// noSecrets fails where a text tells a token, the signature in it or a secret key, or breaks the line.
func noSecrets(t *testing.T, text, token string, w *world) {
	t.Helper()
	secrets := []string{w.admin.SecretAccessKey, w.other.SecretAccessKey}
	if len(token) > 40 {
		secrets = append(secrets, token[20:])
	}
	if raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, "k8s-aws-v1.")); err == nil {
		if _, signature, found := strings.Cut(string(raw), "X-Amz-Signature="); found && len(signature) >= 64 {
			secrets = append(secrets, signature[:64])
		}
	}
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			t.Errorf("%q tells a secret", text)
		}
	}
	if strings.ContainsAny(text, "\r\n\x00\x1b") {
		t.Errorf("%q has control characters", text)
	}
}

func sameRequest(a, b string) bool {
	u, err := url.Parse(a)
	if err != nil {
		return false
	}
	v, _ := url.Parse(b)
	// A signature in other letter case is the same number.
	return u.Host == v.Host && strings.EqualFold(u.Query().Encode(), v.Query().Encode())
}

// BenchmarkAuthenticate is all that a token costs: its checks, its signature, the principal, and its access entry.
func BenchmarkAuthenticate(b *testing.B) {
	w := newWorld(&testing.T{})
	w.mode(&testing.T{}, "API")
	_, credentials := w.deployer(b)
	w.entry(&testing.T{}, region.AccessEntry{PrincipalARN: deployerARN, PrincipalID: deployerID, Type: "STANDARD",
		Username: "ci:{{SessionName}}"})
	token, err := iam.Token(context.Background(), credentials, "us-east-1", endpoint, "demo", now)
	if err != nil {
		b.Fatal(err)
	}
	body := []byte(`{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{"token":"` + token + `"}}`)
	a := &iam.Authenticator{ClusterID: clusterID, Region: "us-east-1", Hosts: hosts, State: w,
		Now: func() time.Time { return now }}
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, "/authenticate", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		answer := httptest.NewRecorder()
		a.ServeHTTP(answer, r)
		if !strings.Contains(answer.Body.String(), "ci:build-1") {
			b.Fatal(answer.Body)
		}
	}
}
