package sigv4_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"tripod/internal/sigv4"
)

const (
	keyID  = "AKIAIOSFODNN7EXAMPLE"
	secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func newRequest(t *testing.T, method, target, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sign signs r with the AWS SDK's signer, as a client does.
func sign(t *testing.T, r *http.Request, body, service string) *http.Request {
	t.Helper()
	sum := sha256.Sum256([]byte(body))
	credentials := aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}
	if err := v4.NewSigner().SignHTTP(context.Background(), credentials, r, hex.EncodeToString(sum[:]), service,
		"us-east-1", now); err != nil {
		t.Fatal(err)
	}
	r.Host = r.URL.Host
	return r
}

func presign(t *testing.T, r *http.Request, body, service string) *http.Request {
	t.Helper()
	sum := sha256.Sum256([]byte(body))
	query := r.URL.Query()
	query.Set("X-Amz-Expires", "60")
	r.URL.RawQuery = query.Encode()
	credentials := aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}
	signed, header, err := v4.NewSigner().PresignHTTP(context.Background(), credentials, r, hex.EncodeToString(sum[:]),
		service, "us-east-1", now)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(signed)
	if err != nil {
		t.Fatal(err)
	}
	out := newRequest(t, r.Method, signed, body)
	out.URL, out.Host = u, u.Host
	for name, values := range header {
		if name != "Host" && name != "Content-Length" {
			out.Header[name] = values
		}
	}
	return out
}

// check is everything that a service checks.
func check(r *http.Request, body string) error {
	s, err := sigv4.Parse(r)
	if err != nil {
		return err
	}
	if err := s.CheckTime(now); err != nil {
		return err
	}
	if err := s.CheckScope("us-east-1", "eks"); err != nil {
		return err
	}
	return s.Verify(r, []byte(body), secret)
}

func TestSignaturesOfTheSDKVerify(t *testing.T) {
	for _, c := range []struct{ name, method, target, body string }{
		{"plain", "GET", "http://127.0.0.1:4566/clusters", ""},
		{"no path", "GET", "http://127.0.0.1:4566", ""},
		{"query", "GET", "http://127.0.0.1:4566/clusters?maxResults=1&nextToken=a%2Bb%3D&include=all&include=", ""},
		{"query order", "GET", "http://127.0.0.1:4566/clusters?b=2&a=2&a=1&A=3&a-b=4", ""},
		{"escaped path", "GET", "http://127.0.0.1:4566/tags/arn%3Aaws%3Aeks%3Aus-east-1%3A111122223333%3Acluster%2Fdemo", ""},
		{"space and plus in path", "GET", "http://127.0.0.1:4566/clusters/a%20b+c", ""},
		{"dots in path", "GET", "http://127.0.0.1:4566/clusters/../x", ""},
		{"unicode", "GET", "http://127.0.0.1:4566/clusters/%C3%BC?x=%C3%BC%20y~z", ""},
		{"body", "POST", "http://127.0.0.1:4566/clusters", `{"name":"demo"}`},
		{"default port", "GET", "https://eks.us-east-1.amazonaws.com/clusters", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRequest(t, c.method, c.target, c.body)
			r.Header.Set("X-Amz-Meta-Spaces", "  a   b ")
			if err := check(sign(t, r, c.body, "eks"), c.body); err != nil {
				t.Errorf("header: %v", err)
			}
			if err := check(presign(t, newRequest(t, c.method, c.target, c.body), c.body, "eks"), c.body); err != nil {
				t.Errorf("presigned: %v", err)
			}
		})
	}
}

func TestForgedHeaderSignaturesAreRefused(t *testing.T) {
	const body = `{"name":"demo"}`
	replace := func(old, new string) func(*http.Request) {
		return func(r *http.Request) {
			text := r.Header.Get("Authorization")
			if !strings.Contains(text, old) {
				panic("no " + old + " in " + text)
			}
			r.Header.Set("Authorization", strings.Replace(text, old, new, 1))
		}
	}
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for _, c := range []struct {
		name  string
		forge func(*http.Request)
		body  string
		want  sigv4.Kind
	}{
		{"method", func(r *http.Request) { r.Method = "DELETE" }, body, sigv4.Mismatch},
		{"path", func(r *http.Request) { r.URL.Path = "/clusters/prod" }, body, sigv4.Mismatch},
		{"query added", func(r *http.Request) { r.URL.RawQuery = "x=1" }, body, sigv4.Mismatch},
		{"malformed query", func(r *http.Request) { r.URL.RawQuery = "a=1;b=2" }, body, sigv4.Incomplete},
		{"host", func(r *http.Request) { r.Host = "evil.example" }, body, sigv4.Mismatch},
		{"body", func(*http.Request) {}, `{"name":"prod"}`, sigv4.Mismatch},
		{"body with its own hash", header("X-Amz-Content-Sha256", "00"), body, sigv4.Mismatch},
		{"signed header changed", header("X-Amz-Extra", "changed"), body, sigv4.Mismatch},
		{"signed header removed", func(r *http.Request) { r.Header.Del("X-Amz-Extra") }, body, sigv4.Mismatch},
		{"unsigned x-amz header", header("X-Amz-Other", "x"), body, sigv4.Mismatch},
		{"session token slipped in", header("X-Amz-Security-Token", "x"), body, sigv4.Mismatch},
		{"signature", replace("Signature=", "Signature=0000"), body, sigv4.Incomplete},
		{"signature of zeros", func(r *http.Request) {
			text := r.Header.Get("Authorization")
			r.Header.Set("Authorization", text[:len(text)-64]+strings.Repeat("0", 64))
		}, body, sigv4.Mismatch},
		{"signature not hex", func(r *http.Request) {
			text := r.Header.Get("Authorization")
			r.Header.Set("Authorization", text[:len(text)-64]+strings.Repeat("z", 64))
		}, body, sigv4.Incomplete},
		{"host not signed", replace("host;", ""), body, sigv4.Mismatch},
		{"headers out of order", replace("content-length;content-type;host", "host;content-length;content-type"), body,
			sigv4.Incomplete},
		{"header name in upper case", replace("host;", "Host;"), body, sigv4.Incomplete},
		{"region", replace("us-east-1", "eu-west-1"), body, sigv4.Scope},
		{"service", replace("/eks/", "/sts/"), body, sigv4.Scope},
		{"day", replace("20260304", "20260303"), body, sigv4.Scope},
		{"terminator", replace("aws4_request", "aws5_request"), body, sigv4.Incomplete},
		{"scope too short", replace("/us-east-1", ""), body, sigv4.Incomplete},
		{"empty key id", replace("Credential="+keyID, "Credential="), body, sigv4.Incomplete},
		{"algorithm", replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), body, sigv4.Incomplete},
		{"credential twice", replace("Credential=", "Credential=x, Credential="), body, sigv4.Incomplete},
		{"unknown parameter", replace("Credential=", "Extra=x, Credential="), body, sigv4.Incomplete},
		{"no signature", replace("Signature=", "Sig="), body, sigv4.Incomplete},
		{"two authorizations", func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) },
			body, sigv4.Incomplete},
		{"two dates", func(r *http.Request) { r.Header.Add("X-Amz-Date", r.Header.Get("X-Amz-Date")) }, body,
			sigv4.Incomplete},
		{"no date", func(r *http.Request) { r.Header.Del("X-Amz-Date") }, body, sigv4.Incomplete},
		{"bad date", header("X-Amz-Date", "yesterday"), body, sigv4.Incomplete},
		{"date moved", header("X-Amz-Date", now.Add(time.Minute).Format(sigv4.TimeFormat)), body, sigv4.Mismatch},
		{"too old", header("X-Amz-Date", now.Add(-5*time.Minute-time.Second).Format(sigv4.TimeFormat)), body,
			sigv4.Expired},
		{"too new", header("X-Amz-Date", now.Add(5*time.Minute+time.Second).Format(sigv4.TimeFormat)), body,
			sigv4.Expired},
		{"header and query", func(r *http.Request) { r.URL.RawQuery = "X-Amz-Signature=00" }, body, sigv4.Incomplete},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRequest(t, "POST", "http://127.0.0.1:4566/clusters", body)
			r.Header.Set("X-Amz-Extra", "x")
			r.Header.Set("Content-Type", "application/json")
			sign(t, r, body, "eks")
			if err := check(r, body); err != nil {
				t.Fatalf("before the forgery: %v", err)
			}
			c.forge(r)
			wantRefused(t, check(r, c.body), c.want)
		})
	}
}

func TestForgedPresignedURLsAreRefused(t *testing.T) {
	set := func(name, value string) func(url.Values) {
		return func(q url.Values) { q.Set(name, value) }
	}
	for _, c := range []struct {
		name  string
		forge func(url.Values)
		want  sigv4.Kind
	}{
		{"parameter changed", set("maxResults", "2"), sigv4.Mismatch},
		{"parameter added", set("x", "1"), sigv4.Mismatch},
		{"expiry stretched", set("X-Amz-Expires", "3600"), sigv4.Mismatch},
		{"expiry in words", set("X-Amz-Expires", "soon"), sigv4.Incomplete},
		{"expiry negative", set("X-Amz-Expires", "-1"), sigv4.Incomplete},
		{"expiry over a week", set("X-Amz-Expires", "604801"), sigv4.Incomplete},
		{"expired", set("X-Amz-Date", now.Add(-61*time.Second).Format(sigv4.TimeFormat)), sigv4.Expired},
		{"future", set("X-Amz-Date", now.Add(6*time.Minute).Format(sigv4.TimeFormat)), sigv4.Expired},
		{"twice", func(q url.Values) { q.Add("X-Amz-Date", q.Get("X-Amz-Date")) }, sigv4.Incomplete},
		{"twice in other case", set("x-amz-credential", "x"), sigv4.Incomplete},
		{"no credential", func(q url.Values) { q.Del("X-Amz-Credential") }, sigv4.Incomplete},
		{"no signature", func(q url.Values) { q.Del("X-Amz-Signature") }, sigv4.Incomplete},
		{"algorithm", set("X-Amz-Algorithm", "none"), sigv4.Incomplete},
		{"session token added", set("X-Amz-Security-Token", "x"), sigv4.Mismatch},
		{"nothing signed", set("X-Amz-SignedHeaders", "date"), sigv4.Mismatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := presign(t, newRequest(t, "GET", "http://127.0.0.1:4566/clusters?maxResults=1", ""), "", "eks")
			query := r.URL.Query()
			c.forge(query)
			r.URL.RawQuery = query.Encode()
			wantRefused(t, check(r, ""), c.want)
		})
	}
}

func TestUnsignedPayloadIsS3sAlone(t *testing.T) {
	for service, ok := range map[string]bool{"s3": true, "eks": false} {
		r := newRequest(t, "PUT", "http://127.0.0.1:4566/bucket/key", "body")
		r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
		credentials := aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}
		err := v4.NewSigner().SignHTTP(context.Background(), credentials, r, "UNSIGNED-PAYLOAD", service, "us-east-1",
			now,
			func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" })
		if err != nil {
			t.Fatal(err)
		}
		r.Host = r.URL.Host
		s, err := sigv4.Parse(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Verify(r, []byte("body"), secret); (err == nil) != ok {
			t.Errorf("%s: got error %v, want accepted %v", service, err, ok)
		}
	}
}

func TestSignedHashMustBeTheBodys(t *testing.T) {
	r := newRequest(t, "POST", "http://127.0.0.1:4566/clusters", "a")
	sum := sha256.Sum256([]byte("a"))
	r.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
	sign(t, r, "a", "eks")
	if err := check(r, "a"); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, check(r, "b"), sigv4.Payload)
}

func TestUnsignedRequestIsMissing(t *testing.T) {
	if _, err := sigv4.Parse(newRequest(t, "GET", "http://127.0.0.1:4566/clusters?x=1", "")); !errors.Is(err,
		sigv4.ErrMissing) {
		t.Errorf("got %v, want ErrMissing", err)
	}
}

func wantRefused(t *testing.T, err error, kind sigv4.Kind) {
	t.Helper()
	var refused *sigv4.Error
	if !errors.As(err, &refused) {
		t.Fatalf("got %v, want it refused", err)
	}
	if refused.Kind != kind {
		t.Errorf("got kind %d (%v), want %d", refused.Kind, err, kind)
	}
	if strings.Contains(err.Error(), secret) || bytes.ContainsAny([]byte(err.Error()), "\n\r") {
		t.Errorf("message %q tells too much or has line breaks", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=AKIA/20260304/us-east-1/eks/aws4_request, SignedHeaders=host;x-amz-date, "+
		"Signature="+strings.Repeat("0", 64), "a=1")
	f.Add("AWS4-HMAC-SHA256 =,=,=", "X-Amz-Signature=&x-amz-signature=")
	f.Add("", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20260304T050607Z&X-Amz-SignedHeaders=host")
	f.Fuzz(func(t *testing.T, authorization, query string) {
		r := &http.Request{Method: "GET", Host: "localhost", URL: &url.URL{Path: "/", RawQuery: query},
			Header: http.Header{"X-Amz-Date": {"20260304T050607Z"}}}
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		s, err := sigv4.Parse(r)
		if err != nil {
			return
		}
		if err := s.Verify(r, nil, secret); err == nil {
			t.Errorf("accepted %q %q", authorization, query)
		}
	})
}
