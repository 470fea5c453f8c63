package upstream_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"tripod/awsapi/upstream"
)

func TestParseUpstreamSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		text   string
		remote bool
		want   string // of the error; "" where there is none
	}{
		{"http://127.0.0.1:5000", false, ""}, {"http://localhost:4566/", false, ""}, {"https://[::1]:5000", false, ""},
		{"http://a:b@127.0.0.1", false, ""},
		{"http://moto.localhost:5000", false, ""}, {"http://192.168.1.2:5000", true, ""}, {"http://moto.example", true, ""},
		{"http://192.168.1.2:5000", false, "--allow-remote-upstream"},
		{"http://127.0.0.1.evil.example", false, "not on this machine"},
		{"http://0.0.0.0:5000", false, "not on this machine"}, {"127.0.0.1:5000", false, "not a URL"},
		{"localhost:5000", false, "http or https"}, {"", false, "http or https"},
		{"ftp://127.0.0.1", false, "http or https"}, {"http://", false, "http or https"},
		{"http://127.0.0.1/path", false, "no path"},
		{"http://127.0.0.1?x", false, "no path"}, {"http://k3y@127.0.0.1", false, "half"},
		{"http://k3y:s3cret@127.0.0.1:x", false, "not a URL"}, {"http://:s3cret@127.0.0.1", false, "half"},
		{"http://127.0.0.1:5000\n", false, ""}, {"http://127.0.0.1\x7f", false, "not a URL"},
	} {
		_, err := upstream.ParseUpstream(c.text, c.remote)
		switch {
		case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%q: got %v, want %q", c.text, err, c.want)
		case err != nil && strings.Contains(err.Error(), "s3cret"):
			t.Errorf("%q: the error tells the secret: %v", c.text, err)
		}
	}
}

func parse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := upstream.ParseUpstream(text, true)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestCallsArriveSignedAnewWithoutTheCallersCredentials(t *testing.T) {
	var got *http.Request
	var body string
	emulator := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		text, _ := io.ReadAll(r.Body)
		body = string(text)
		w.Header().Set("Set-Cookie", "a=b")
		w.Header().Set("Connection", "X-Hop")
		w.Header().Set("X-Hop", "1")
		w.Header().Set("Location", "http://evil.example/")
		w.Header().Set("X-Kept", "yes")
		w.WriteHeader(http.StatusTemporaryRedirect)
		io.WriteString(w, "answer")
	}))
	defer emulator.Close()
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	u := upstream.New(parse(t, strings.Replace(emulator.URL, "//", "//key:other@", 1)), false, time.Now)
	r := httptest.NewRequest("POST",
		"/a%2Fb/%C3%BC?x=1&X-Amz-Signature=s3cret&x=%20&X-Amz-Security-Token=s3cret&X-Amz-Target=kept&y", nil)
	for name, value := range map[string]string{
		"Authorization": "AWS4-HMAC-SHA256 s3cret", "X-Amz-Security-Token": "s3cret", "Cookie": "s3cret",
		"Connection": "close, X-Secret", "X-Secret": "s3cret",
		"Proxy-Authorization": "s3cret", "X-Amz-Target": "Logs.X", "Content-Type": "application/json", "Upgrade": "h2c",
	} {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	if err := u.Forward(w, r, []byte("body"), "sqs", "eu-west-1"); err != nil {
		t.Fatal(err)
	}
	for name, values := range got.Header {
		if strings.Contains(strings.Join(values, " "), "s3cret") {
			t.Errorf("%s: %s arrived", name, values)
		}
	}
	if want := "/a%2Fb/%C3%BC?X-Amz-Target=kept&x=%20&x=1&y="; got.RequestURI != want || body != "body" ||
		got.Header.Get("X-Amz-Target") != "Logs.X" {
		t.Errorf("got %s with body %q, want %s", got.RequestURI, body, want)
	}
	if text := got.Header.Get("Authorization"); !strings.HasPrefix(text, "AWS4-HMAC-SHA256 Credential=key/") ||
		!strings.Contains(text, "/eu-west-1/sqs/aws4_request") {
		t.Errorf("signed as %s", text)
	}
	if w.Code != http.StatusTemporaryRedirect || w.Body.String() != "answer" || w.Header().Get("X-Kept") != "yes" ||
		w.Header().Get("Set-Cookie")+w.Header().Get("X-Hop") != "" {
		t.Errorf("got %d %s %v", w.Code, w.Body, w.Header())
	}
}

func TestOnlyLoopbackIsDialled(t *testing.T) {
	// A name of this machine that could resolve to anything: the address decides.
	u := upstream.New(parse(t, "http://192.0.2.1:5000"), false, time.Now)
	err := u.Forward(httptest.NewRecorder(), httptest.NewRequest("GET", "/?secret=s3cret", nil), nil, "s3", "us-east-1")
	if !errors.Is(err, upstream.ErrUnreachable) || !strings.Contains(err.Error(), "not a loopback address") ||
		strings.Contains(err.Error(), "s3cret") {
		t.Errorf("got %v", err)
	}
}

func TestNobodyThereIsUnreachable(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	w := httptest.NewRecorder()
	err := upstream.New(parse(t, closed.URL), false, time.Now).Forward(w, httptest.NewRequest("GET", "/", nil), nil,
		"s3", "us-east-1")
	if !errors.Is(err, upstream.ErrUnreachable) || w.Body.Len() > 0 {
		t.Errorf("got %v and %q", err, w.Body)
	}
}
