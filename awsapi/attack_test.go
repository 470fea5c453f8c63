package awsapi_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"tripod/awsapi"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// TestHostileRequestsAreRefused sends what no SDK does, signed by a real user where it says so: none may be answered
// with success, with an internal error, or with something that belongs to another request.
func TestHostileRequestsAreRefused(t *testing.T) {
	w := newWorld(t)
	signed := signAs(t, w.admin, "eks")
	after := func(change func(*http.Request)) func(*http.Request) {
		return func(r *http.Request) { signed(r); change(r) }
	}
	header := func(name string, values ...string) func(*http.Request) {
		return after(func(r *http.Request) { r.Header[name] = values })
	}
	for _, c := range []struct {
		name, method, path, body string
		header                   map[string]string
		sign                     func(*http.Request)
		status                   int
		code                     string
	}{
		{"two Authorization headers", "GET", "/clusters", "", nil,
			after(func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) }), 403,
			"IncompleteSignatureException"},
		{"header and presigned at once", "GET", "/clusters?X-Amz-Algorithm=AWS4-HMAC-SHA256", "", nil, signed, 403,
			"IncompleteSignatureException"},
		{"two dates", "GET", "/clusters", "", nil,
			after(func(r *http.Request) { r.Header.Add("X-Amz-Date", "20200101T000000Z") }), 403,
			"IncompleteSignatureException"},
		{"two content hashes", "GET", "/clusters", "", nil, header("X-Amz-Content-Sha256", "a", "b"), 403,
			"IncompleteSignatureException"},
		{"false content hash", "POST", "/clusters", `{"name":"x"}`,
			map[string]string{"X-Amz-Content-Sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
			signed, 403, "InvalidSignatureException"},
		{"unsigned payload", "POST", "/clusters", `{}`, map[string]string{"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"},
			signed, 403, "InvalidSignatureException"},
		{"streaming payload", "POST", "/clusters", "2;chunk-signature=00\r\n{}\r\n0;\r\n\r\n",
			map[string]string{"X-Amz-Content-Sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}, signed, 403,
			"InvalidSignatureException"},
		{"session token added", "GET", "/clusters", "", nil, header("X-Amz-Security-Token", "x"), 403, ""},
		{"target added", "GET", "/clusters", "", nil, header("X-Amz-Target", "Other.Operation"), 403,
			"InvalidSignatureException"},
		{"method override", "GET", "/clusters/demo", "",
			map[string]string{"X-Http-Method-Override": "DELETE", "X-Method-Override": "DELETE"}, signed, 200, ""},
		{"method in the query", "GET", "/clusters/demo?_method=DELETE", "", nil, signed, 200, ""},
		{"odd method", "PROPFIND", "/clusters/demo", "", nil, signed, 404, "UnknownOperationException"},
		{"lower-case method", "get", "/clusters/demo", "", nil, signed, 404, "UnknownOperationException"},
		{"encoded slash in a name", "GET", "/clusters/..%2fclusters", "", nil, signed, 404,
			"ResourceNotFoundException"},
		{"encoded twice", "GET", "/clusters/demo%252f", "", nil, signed, 404, "ResourceNotFoundException"},
		{"letters encoded", "GET", "/%63lusters/demo", "", nil, signed, 404, "UnknownOperationException"},
		{"dot segments", "GET", "/clusters/../healthz", "", nil, signed, 404, ""},
		{"encoded dot segments", "GET", "/clusters/%2e%2e/healthz", "", nil, signed, 404, ""},
		{"backslash", "GET", `/clusters\demo`, "", nil, signed, 404, ""},
		{"NUL in a name", "GET", "/clusters/demo%00", "", nil, signed, 404, "ResourceNotFoundException"},
		{"line ends in a name", "GET", "/clusters/demo%0d%0aX-Evil:%201", "", nil, signed, 404,
			"ResourceNotFoundException"},
		{"no UTF-8 in a name", "GET", "/clusters/%ff%fe", "", nil, signed, 404, "ResourceNotFoundException"},
		{"very long path", "GET", "/clusters/" + strings.Repeat("a", 20000), "", nil, signed, 404,
			"ResourceNotFoundException"},
		{"many parameters", "GET", "/clusters?" + strings.Repeat("a=b&", 5000), "", nil, signed, 200, ""},
		{"malformed query", "GET", "/clusters", "", nil, after(func(r *http.Request) { r.URL.RawQuery = "a=%zz" }), 403,
			"IncompleteSignatureException"},
		{"large header", "GET", "/clusters", "", map[string]string{"X-Big": strings.Repeat("x", 40000)}, signed, 200,
			""},
		{"large Authorization", "GET", "/clusters", "", nil,
			header("Authorization", "AWS4-HMAC-SHA256 "+strings.Repeat("a=b,", 10000)), 403,
			"IncompleteSignatureException"},
		{"many signed headers", "GET", "/clusters", "", nil,
			header("Authorization",
				"AWS4-HMAC-SHA256 Credential="+w.admin.AccessKeyID+"/20260304/us-east-1/eks/aws4_request, "+
					"SignedHeaders=host;"+strings.Repeat("x", 30000)+", Signature="+strings.Repeat("0", 64)), 403, ""},
		{"service with a line end", "GET", "/", "", nil,
			header("Authorization",
				"AWS4-HMAC-SHA256 Credential="+w.admin.AccessKeyID+"/20260304/us-east-1/e\tks/aws4_request, "+
					"SignedHeaders=host, Signature="+strings.Repeat("0", 64)), 403, ""},
		{"origin", "GET", "/clusters", "", map[string]string{"Origin": "http://localhost"}, signed, 403,
			"AccessDeniedException"},
		{"preflight", "OPTIONS", "/clusters", "", map[string]string{"Origin": "http://evil.example",
			"Access-Control-Request-Method": "POST"}, nil, 403, "AccessDeniedException"},
		{"rebound host", "GET", "/clusters", "", map[string]string{"Host": "rebind.evil.example"}, signed, 421,
			"MisdirectedRequestException"},
		{"host with userinfo", "GET", "/clusters", "", map[string]string{"Host": "127.0.0.1@evil.example"}, nil, 421,
			""},
		{"EKS as a form", "POST", "/", "Action=GetCallerIdentity&Version=2011-06-15",
			map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, nil, 403, ""},
		{"unsigned web identity without a token", "POST", "/", "Action=AssumeRoleWithWebIdentity&Version=2011-06-15",
			map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, nil, 400, ""},
		{"unsigned action and a signed one", "POST", "/?Action=AssumeRoleWithSAML",
			"Action=GetCallerIdentity&Version=2011-06-15",
			map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, nil, 400, ""},
		{"unsigned action on a path", "POST", "/clusters?Action=AssumeRoleWithSAML",
			"Action=AssumeRoleWithSAML&Version=2011-06-15",
			map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, nil, 403, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			response, body := w.raw(t, c.method, c.path, c.body, c.header, c.sign)
			if response.StatusCode != c.status || !strings.Contains(body+response.Header.Get("X-Amzn-Errortype"),
				c.code) {
				t.Errorf("got %d %.300s %s, want %d %s", response.StatusCode, body,
					response.Header.Get("X-Amzn-Errortype"), c.status, c.code)
			}
			if id := response.Header.Get("X-Amzn-Requestid"); len(id) != 36 {
				t.Errorf("got request id %q", id)
			}
			if response.Header.Get("X-Evil") != "" || response.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("got %v", response.Header)
			}
		})
	}
}

// TestPresignedURLIsGoodForItsOwnRequestOnly changes one thing at a time.
func TestPresignedURLIsGoodForItsOwnRequestOnly(t *testing.T) {
	w := newWorld(t)
	r, err := http.NewRequest("GET", w.url+"/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Expires=60", nil)
	if err != nil {
		t.Fatal(err)
	}
	const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	text, _, err := v4.NewSigner().PresignHTTP(context.Background(), w.admin, r, emptyHash, "sts", "us-east-1",
		time.Now())
	if err != nil {
		t.Fatal(err)
	}
	good := strings.TrimPrefix(text, w.url)
	if response, body := w.raw(t, "GET", good, "", nil, nil); response.StatusCode != http.StatusOK {
		t.Fatalf("got %d %s", response.StatusCode, body)
	}
	for name, c := range map[string]struct{ method, path, body string }{
		"other action":      {"GET", strings.Replace(good, "GetCallerIdentity", "GetSessionToken", 1), ""},
		"second action":     {"GET", good + "&Action=GetSessionToken", ""},
		"longer life":       {"GET", strings.Replace(good, "X-Amz-Expires=60", "X-Amz-Expires=6000", 1), ""},
		"life given twice":  {"GET", good + "&x-amz-expires=6000", ""},
		"other service":     {"GET", strings.Replace(good, "%2Fsts%2F", "%2Feks%2F", 1), ""},
		"other path":        {"GET", strings.Replace(good, "/?", "/clusters?", 1), ""},
		"other method":      {"POST", good, ""},
		"with a body":       {"POST", good, "Action=GetSessionToken"},
		"GET with a body":   {"GET", good, "Action=GetSessionToken"},
		"signature in caps": {"GET", strings.Replace(good, "X-Amz-Signature", "x-amz-signature", 1), ""},
		"other key":         {"GET", strings.Replace(good, w.admin.AccessKeyID, w.powerless.AccessKeyID, 1), ""},
	} {
		if response, body := w.raw(t, c.method, c.path, c.body, nil, nil); response.StatusCode < 400 ||
			response.StatusCode >= 500 {
			t.Errorf("%s: got %d %s", name, response.StatusCode, body)
		}
	}
}

// TestRawBytesGetAnAnswerOrAreCutOff speaks HTTP by hand, for what net/http's client does not send.
func TestRawBytesGetAnAnswerOrAreCutOff(t *testing.T) {
	w := newWorld(t)
	address := strings.TrimPrefix(w.url, "http://")
	for name, text := range map[string]string{
		"smuggled length": "POST /clusters HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: " +
			"chunked\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n",
		"two lengths": "POST /clusters HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: " +
			"4\r\n\r\nabcd",
		"two hosts":          "GET /clusters HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
		"no host":            "GET /clusters HTTP/1.1\r\n\r\n",
		"folded header":      "GET /clusters HTTP/1.1\r\nHost: localhost\r\nX-A: b\r\n c\r\n\r\n",
		"header with NUL":    "GET /clusters HTTP/1.1\r\nHost: localhost\r\nX-A: \x00\r\n\r\n",
		"absolute form":      "GET http://evil.example/clusters HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"CONNECT":            "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n",
		"bad chunk":          "POST /clusters HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"HTTP/0.9":           "GET /clusters\r\n\r\n",
		"response splitting": "GET /%0d%0aX-Evil:1 HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: a\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(5 * time.Second))
		io.WriteString(conn, text)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err == nil && (response.StatusCode < 400 || response.StatusCode >= 500 ||
			response.Header.Get("X-Evil") != "") {
			t.Errorf("%s: got %s", name, response.Status)
		}
		conn.Close()
	}
}

// FuzzFront gives arbitrary bytes as a request, signed by the administrator where they say so, to the whole front.
func FuzzFront(f *testing.F) {
	credentials := aws.Credentials{}
	store := region.NewMemory(func(tx *state.Txn) {
		random := bytes.NewReader(bytes.Repeat([]byte("0123456789abcdef"), 100))
		user, err := iam.NewUser(random, iam.DefaultAccountID, "admin", created, iam.AdministratorAccess)
		if err != nil {
			f.Fatal(err)
		}
		key, err := iam.NewAccessKey(random, iam.DefaultAccountID, "admin", created)
		if err != nil {
			f.Fatal(err)
		}
		region.Users.Put(tx, user.Name, user)
		region.AccessKeys.Put(tx, key.ID, key)
		credentials = aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}
	})
	front := &awsapi.Front{Backend: awsapi.Backend{
		Region: "us-east-1", AccountID: iam.DefaultAccountID, Zones: []string{"us-east-1a", "us-east-1b", "us-east-1c"},
		State: store, Now: func() time.Time { return created },
	}}
	handler := front.Handler()
	services := []string{"", "eks", "sts", "iam", "ec2", "logs", "s3"}
	for i, seed := range []struct{ method, target, header, body string }{
		{"GET", "/clusters", "", ""}, {"GET", "/clusters/demo", "Content-Type: application/json", `{"a":`},
		{"POST", "/clusters", "Content-Type: application/json",
			`{"name":"demo","roleArn":"x","resourcesVpcConfig":{"subnetIds":["a","b"]}}`},
		{"POST", "/", "Content-Type: application/x-www-form-urlencoded", "Action=GetCallerIdentity&Version=2011-06-15"},
		{"POST", "/", "Content-Type: application/x-www-form-urlencoded",
			"Action=RunInstances&Version=2016-11-15&Filter.1.Value.99999999=x"},
		{"POST", "/", "X-Amz-Target: Logs_20140328.DescribeLogGroups", "{}"},
		{"GET", "/id/0/keys?%zz", "Authorization: AWS4-HMAC-SHA256 Credential=a/b/c/d/e", ""},
		{"POST", "/tags/arn%3Aaws%3Aeks", "X-Amz-Security-Token: x", `{"tags":{"\u0000":null}}`},
		{"GET", "/?Action=AssumeRoleWithWebIdentity&Version=2011-06-15&WebIdentityToken=eyJ.e.", "", ""},
	} {
		f.Add(uint8(i), seed.method, seed.target, seed.header, seed.body)
	}
	f.Fuzz(func(t *testing.T, service uint8, method, target, header, body string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		r, err := http.NewRequest(method, "http://localhost/", strings.NewReader(body))
		if err != nil {
			return
		}
		r.URL.Path, r.URL.RawPath, r.URL.RawQuery = u.Path, u.RawPath, u.RawQuery
		if name, value, ok := strings.Cut(header, ": "); ok {
			r.Header.Set(name, value)
		}
		if name := services[int(service)%len(services)]; name != "" {
			signBody(r, body, credentials, name)
		}
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, r)
		if recorder.Code >= 500 && recorder.Code != http.StatusNotImplemented &&
			recorder.Code != http.StatusServiceUnavailable {
			t.Errorf("%s %s %q %q: got %d %s", method, target, header, body, recorder.Code, recorder.Body)
		}
	})
}
