package awsapi_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"tripod/region"
	"tripod/state"
)

// both calls an operation of each protocol and checks the errors that the SDKs make of the answers.
func both(t *testing.T, w *world, c aws.Credentials, eksCode, stsCode string) {
	t.Helper()
	_, err := w.eks(c).ListClusters(context.Background(), &eks.ListClustersInput{})
	wantCode(t, err, eksCode, http.StatusForbidden)
	_, err = w.sts(c).GetCallerIdentity(context.Background(), &sts.GetCallerIdentityInput{})
	wantCode(t, err, stsCode, http.StatusForbidden)
}

func TestWrongSecretIsRefused(t *testing.T) {
	w := newWorld(t)
	w.admin.SecretAccessKey = "wrong"
	both(t, w, w.admin, "InvalidSignatureException", "SignatureDoesNotMatch")
}

func TestUnknownKeyIsRefused(t *testing.T) {
	w := newWorld(t)
	both(t, w, aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "x"},
		"UnrecognizedClientException", "InvalidClientTokenId")
}

func TestInactiveKeyIsRefused(t *testing.T) {
	w := newWorld(t)
	w.update(t, func(tx *state.Txn) {
		key, _ := region.AccessKeys.Get(tx, w.admin.AccessKeyID)
		key.Status = "Inactive"
		region.AccessKeys.Put(tx, key.ID, key)
	})
	both(t, w, w.admin, "UnrecognizedClientException", "InvalidClientTokenId")
}

func TestSessionTokenIsRefused(t *testing.T) {
	w := newWorld(t)
	w.admin.SessionToken = "nobody issued this"
	both(t, w, w.admin, "UnrecognizedClientException", "InvalidClientTokenId")
}

func TestClockSkewIsRefused(t *testing.T) {
	w := newWorld(t)
	for _, skew := range []time.Duration{-6 * time.Minute, 6 * time.Minute} {
		w.clock = time.Now().Add(skew)
		both(t, w, w.admin, "InvalidSignatureException", "SignatureDoesNotMatch")
	}
	for _, skew := range []time.Duration{-4 * time.Minute, 4 * time.Minute} {
		w.clock = time.Now().Add(skew)
		if _, err := w.eks(w.admin).ListClusters(context.Background(), &eks.ListClustersInput{}); err != nil {
			t.Errorf("%s: %v", skew, err)
		}
	}
}

func TestAnotherRegionsSignatureIsRefused(t *testing.T) {
	w := newWorld(t)
	client := eks.New(eks.Options{Region: "eu-west-1", BaseEndpoint: &w.url, HTTPClient: near, Credentials: provide(w.admin),
		RetryMaxAttempts: 1})
	_, err := client.ListClusters(context.Background(), &eks.ListClustersInput{})
	wantCode(t, err, "InvalidSignatureException", http.StatusForbidden)
	if !strings.Contains(err.Error(), "eu-west-1") {
		t.Errorf("got %v, want the region named", err)
	}
}

func TestWithoutAPolicyIsDenied(t *testing.T) {
	w := newWorld(t)
	_, err := w.eks(w.powerless).ListClusters(context.Background(), &eks.ListClustersInput{})
	wantCode(t, err, "AccessDeniedException", http.StatusForbidden)
	_, err = w.eks(w.powerless).DescribeCluster(context.Background(),
		&eks.DescribeClusterInput{Name: aws.String("nope")})
	wantCode(t, err, "AccessDeniedException", http.StatusForbidden)
	if !strings.Contains(err.Error(), "not authorized to perform: eks:DescribeCluster on resource: "+
		"arn:aws:eks:us-east-1:111122223333:cluster/nope") {
		t.Errorf("got %v", err)
	}
}

func TestUnsignedAndForgedRequestsAreRefused(t *testing.T) {
	w := newWorld(t)
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
	signed := signAs(t, w.admin, "eks")
	for _, c := range []struct {
		name, method, path, body string
		header                   map[string]string
		sign                     func(*http.Request)
		status                   int
		want                     string
	}{
		{"unsigned REST", "GET", "/clusters", "", nil, nil, 403, "MissingAuthenticationTokenException"},
		{"unsigned POST to a path that takes GET", "POST", "/healthz", "", nil, nil, 403,
			"MissingAuthenticationTokenException"},
		{"unsigned query", "POST", "/", "Action=GetCallerIdentity&Version=2011-06-15", form, nil, 403,
			"<Code>MissingAuthenticationToken</Code>"},
		{"unsigned query in GET", "GET", "/?Action=GetCallerIdentity", "", nil, nil, 403,
			"<Code>MissingAuthenticationToken</Code>"},
		{"unsigned JSON", "POST", "/", "{}", map[string]string{"X-Amz-Target": "Logs.X"}, nil, 403,
			`"__type":"MissingAuthenticationTokenException"`},
		{"basic authentication", "GET", "/clusters", "", map[string]string{"Authorization": "Basic YTpi"}, nil, 403,
			"IncompleteSignatureException"},
		{"half a presigned URL", "GET", "/?Action=GetCallerIdentity&X-Amz-Signature=00", "", nil, nil, 403,
			"<Code>IncompleteSignature</Code>"},
		{"parameter twice", "GET", "/?Action=GetCallerIdentity&X-Amz-Date=1&x-amz-date=2", "", nil, nil, 403,
			"<Code>IncompleteSignature</Code>"},
		{"path changed", "GET", "/clusters/demo", "", nil,
			func(r *http.Request) { signed(r); r.URL.Path = "/clusters/prod" }, 403, "InvalidSignatureException"},
		{"method changed", "GET", "/clusters/demo", "", nil, func(r *http.Request) { signed(r); r.Method = "DELETE" },
			403, "InvalidSignatureException"},
		{"query added", "GET", "/clusters", "", nil,
			func(r *http.Request) { signed(r); r.URL.RawQuery = "maxResults=1" }, 403, "InvalidSignatureException"},
		{"body added", "POST", "/clusters", "{}", nil, func(r *http.Request) { signed(r) }, 403,
			"InvalidSignatureException"},
		{"EC2 with a forged signature", "GET", "/?Action=DescribeVpcs", "", nil,
			func(r *http.Request) { signAs(t, w.admin, "ec2")(r); r.URL.RawQuery += "&x=y" }, 401,
			"<Code>AuthFailure</Code>"},
		{"body too large", "POST", "/clusters", strings.Repeat("x", 1<<20+1), nil, signed, 413,
			"RequestEntityTooLargeException"},
	} {
		t.Run(c.name, func(t *testing.T) {
			response, body := w.raw(t, c.method, c.path, c.body, c.header, c.sign)
			text := body + response.Header.Get("X-Amzn-Errortype")
			if response.StatusCode != c.status || !strings.Contains(text, c.want) {
				t.Errorf("got %d %s, want %d with %s", response.StatusCode, text, c.status, c.want)
			}
			if id := response.Header.Get("X-Amzn-Requestid"); len(id) != 36 {
				t.Errorf("got request id %q", id)
			}
		})
	}
}

func TestLogTellsNoSecret(t *testing.T) {
	w := newWorld(t)
	w.eks(w.admin).ListClusters(context.Background(), &eks.ListClustersInput{})
	w.raw(t, "GET", "/a%0Alevel=ERROR?X-Amz-Signature=5ec5e75ec5e7", "", nil, nil)
	log := w.log.String()
	if strings.Contains(log, w.admin.SecretAccessKey) || strings.Contains(log, "5ec5e75ec5e7") {
		t.Errorf("the log tells a secret: %s", log)
	}
	if lines := strings.Count(log, "\n"); lines != 2 {
		t.Errorf("got %d lines, want one per call: %s", lines, log)
	}
}
