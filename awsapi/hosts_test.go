package awsapi_test

import (
	"net/http"
	"strings"
	"testing"

	"tripod/awsapi"
)

// TestOnlyTheEndpointsOwnHostsAreHeard, since a web page's owner can make another name resolve to loopback.
func TestOnlyTheEndpointsOwnHostsAreHeard(t *testing.T) {
	w := newWorld(t, func(f *awsapi.Front) { f.Hosts = []string{"aws.example", "192.168.1.20"} })
	for host, ok := range map[string]bool{
		"aws.example": true, "AWS.example:4566": true, "192.168.1.20:4566": true,
		"stream-aws.example": false, "streaming-aws.example:4566": false, "stream-192.168.1.20": false,
		"streaming-logs.us-east-1.amazonaws.com": true, "stream-logs.us-east-1.api.aws": true, "streaming-localhost:4566": true,
		"stream-aws.tripod.internal": true, "streaming-127.0.0.1:4566": true, "stream-streaming-localhost": false,
		"127.0.0.1": true, "127.0.0.1:4566": true, "127.9.9.9:80": true, "[::1]:4566": true, "[::1]": true,
		"localhost": true, "LocalHost:4566": true, "eks.localhost:4566": true, "aws.tripod.internal:4566": true,
		"eks.us-east-1.amazonaws.com": true, "sts.amazonaws.com": true, "oidc.eks.us-east-1.amazonaws.com": true,
		"eks.us-east-1.api.aws": true,
		"sts.us-west-2.api.aws": true, "sts-fips.us-east-1.amazonaws.com": true, "sts-fips.us-east-1.api.aws": true,
		"fips.eks.us-east-1.amazonaws.com": true,
		"oidc-eks.us-east-1.api.aws":       true, "iam.global.api.aws": true, "iam-fips.amazonaws.com": true,
		"iam.us-gov.amazonaws.com":       true,
		"eks-auth.us-gov-west-1.api.aws": true, "kms.us-gov-west-1.amazonaws.com": true,
		"ec2.mx-central-1.api.aws":        true,
		"eks.cn-north-1.amazonaws.com.cn": true, "oidc.eks.cn-north-1.amazonaws.com.cn": true,
		"logs.cn-north-1.api.amazonwebservices.com.cn": true,
		"sts.eusc-de-east-1.amazonaws.eu":              true, "sts.us-iso-east-1.c2s.ic.gov": true,
		"eks.us-east-1.amazonaws.com.": true,
		"ec2.cn-north-1.amazonaws.com": false, "ec2.us-east-1.amazonaws.com.cn": false,
		"bucket.s3.us-east-1.amazonaws.com": false,
		"fips.s3.us-east-1.amazonaws.com":   false, "x.us-east-1.elb.amazonaws.com": false,
		"eks.us-east-1.api.aws.evil.example":          false,
		"ec2-1-2-3-4.us-west-2.compute.amazonaws.com": false, "ec2-1-2-3-4.cn-north-1.compute.amazonaws.com.cn": false,
		"evil.example": false, "evil.example:4566": false, "localhost.evil.example": false, "evillocalhost": false,
		"192.168.1.10:4566":                   false,
		"ec2-1-2-3-4.compute-1.amazonaws.com": false, "bucket.s3.amazonaws.com": false,
		"amazonaws.com.evil.example": false, "169.254.169.254": false,
	} {
		response, body := w.raw(t, "GET", "/clusters", "", map[string]string{"Host": host}, nil)
		want := http.StatusMisdirectedRequest
		if ok {
			want = http.StatusForbidden // unsigned, but heard
		}
		if response.StatusCode != want {
			t.Errorf("Host %s: got %d %s, want %d", host, response.StatusCode, body, want)
		}
	}
}

func TestRequestsOfWebPagesAreRefused(t *testing.T) {
	w := newWorld(t)
	signed := signAs(t, w.admin, "eks")
	for _, origin := range []string{"https://evil.example", "null", "http://localhost:3000"} {
		response, body := w.raw(t, "GET", "/clusters", "", map[string]string{"Origin": origin}, signed)
		if response.StatusCode != http.StatusForbidden || !strings.Contains(body, "Origin") {
			t.Errorf("Origin %s: got %d %s", origin, response.StatusCode, body)
		}
	}
}

func TestHealthIsToldUnderAnyName(t *testing.T) {
	w := newWorld(t)
	if response, body := w.raw(t, "GET", "/healthz", "", map[string]string{"Host": "zone-a"},
		nil); response.StatusCode != http.StatusOK || body != "ok\n" {
		t.Errorf("/healthz: got %d %s", response.StatusCode, body)
	}
}
