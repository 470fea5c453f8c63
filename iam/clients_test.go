package iam_test

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// sdkToken is what eksctl makes (pkg/eks/auth/generator.go), as do other users of the SDK's presigner: both headers are
// set on the request, and the presigner moves the second to the query.
func (w *world) sdkToken(t *testing.T, settings func(*sts.Options)) string {
	t.Helper()
	client := sts.New(sts.Options{Region: "us-east-1",
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: w.admin.AccessKeyID, SecretAccessKey: w.admin.SecretAccessKey}, nil
		})}, settings)
	presigned, err := sts.NewPresignClient(client).PresignGetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{},
		func(options *sts.PresignOptions) {
			options.ClientOptions = append(options.ClientOptions, func(options *sts.Options) {
				options.APIOptions = append(options.APIOptions, smithyhttp.SetHeaderValue("x-k8s-aws-id", "demo"),
					smithyhttp.SetHeaderValue("X-Amz-Expires", "60"))
			})
		})
	if err != nil {
		t.Fatal(err)
	}
	return encode(presigned.URL)
}

func TestTokensOfTheSDKsPresignerAreAccepted(t *testing.T) {
	w := newWorld(t)
	verifier := w.verifier()
	verifier.Now = nil // the presigner's clock is the machine's
	for name, settings := range map[string]func(*sts.Options){
		"for AWS":            func(*sts.Options) {},
		"for another region": func(o *sts.Options) { o.Region = "ap-southeast-2" },
		"for AWS with FIPS":  func(o *sts.Options) { o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled },
		"for the dual stack": func(o *sts.Options) { o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled },
		"for both": func(o *sts.Options) {
			o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
			o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
		},
		"for Tripod, http":    func(o *sts.Options) { o.BaseEndpoint = aws.String(endpoint) },
		"for Tripod, https":   func(o *sts.Options) { o.BaseEndpoint = aws.String("https://localhost:4566") },
		"for Tripod, slashed": func(o *sts.Options) { o.BaseEndpoint = aws.String(endpoint + "/") },
	} {
		t.Run(name, func(t *testing.T) {
			principal, err := verifier.Verify(w.sdkToken(t, settings))
			if err != nil || principal.ARN != w.adminUser.ARN {
				t.Errorf("got %s, %v; want %s", principal.ARN, err, w.adminUser.ARN)
			}
		})
	}
}

// Clients write the same request in their own ways.
func TestSpellingsOfOtherClientsAreAccepted(t *testing.T) {
	w := newWorld(t)
	for name, token := range map[string]func(*spec) string{
		"parameters in another order": func(s *spec) string {
			u, err := url.Parse(s.signed(t))
			if err != nil {
				t.Fatal(err)
			}
			params := strings.Split(u.RawQuery, "&")
			u.RawQuery = strings.Join(append(params[3:], params[:3]...), "&")
			return encode(u.String())
		},
		"slashes as they are": func(s *spec) string { return encode(strings.ReplaceAll(s.signed(t), "%2F", "/")) },
		"escapes in lower case": func(s *spec) string {
			return encode(strings.NewReplacer("%2F", "%2f", "%3B", "%3b").Replace(s.signed(t)))
		},
		"the SDK for JavaScript's user agent": func(s *spec) string {
			s.query.Set("X-Amz-User-Agent", "aws-sdk-js/3.1.0 ua/2.1 os/linux lang/js")
			return encode(s.signed(t))
		},
		"good for no time, as the SDK for JavaScript signs it in Backstage": func(s *spec) string {
			s.query.Set("X-Amz-Expires", "0")
			return encode(s.signed(t))
		},
		"good for 15 minutes": func(s *spec) string { s.query.Set("X-Amz-Expires", "900"); return encode(s.signed(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := w.spec()
			principal, err := w.verifier().Verify(token(&s))
			if err != nil || principal.ARN != w.adminUser.ARN {
				t.Errorf("got %s, %v; want %s", principal.ARN, err, w.adminUser.ARN)
			}
		})
	}
}

// The tokens that aws-iam-authenticator's own tests refuse (pkg/token/token_test.go, v0.6.13) before they ask STS, for
// the same reasons.
func TestWhatTheReferenceRefusesIsRefused(t *testing.T) {
	w := newWorld(t)
	date := "x-amz-date=" + now.Format("20060102T150405Z")
	const (
		global  = "https://sts.amazonaws.com/"
		sts     = global + "?action=GetCallerIdentity&version=2011-06-15"
		cluster = "&x-amz-signedheaders=x-k8s-aws-id"
	)
	for _, c := range []struct{ name, token, want string }{
		{"too large", string(make([]byte, 4097)), "longer than 4096"},
		{"another version", "k8s-aws-v2.asdfasdfa", "begin with k8s-aws-v1."},
		{"no base64", "k8s-aws-v1.decodingerror", "base64url"},
		{"no URL", encode(":ab:cd.af:/asda"), "URL"},
		{"no host", encode("http://"), "path"},
		{"another host, without a path", encode("https://google.com"), "path"},
		{"another host", encode("https://google.com/"), `"google.com", which is not an STS endpoint`},
		{"path", encode(global + "abc"), `path "/abc"`},
		{"unknown parameter", encode(global + "?NoInWhiteList=abc"), `parameter "NoInWhiteList"`},
		{"parameter twice", encode(global + "?action=get&action=post"), `"action" more than once`},
		{"action", encode(global + "?action=NotGetCallerIdenity"), `action "NotGetCallerIdenity"`},
		{"malformed query", encode(sts + cluster + "&" + date + "&x-amz-expires=60%gh"), "malformed"},
		{"expires", encode(sts + cluster + "&" + date + "&x-amz-expires=9999999"), `X-Amz-Expires "9999999"`},
		{"credential in two letter cases",
			encode(sts + cluster + "&X-Amz-Credential=ASIA&x-amz-credential=eve&" + date + "&x-amz-expires=60"),
			"more than once"},
	} {
		t.Run(c.name, func(t *testing.T) { wantRefused(t, w, c.token, c.want) })
	}
	// Here these need all that a signature has.
	presigned := func(change func(url.Values)) string {
		s := w.spec()
		u, err := url.Parse(s.signed(t))
		if err != nil {
			t.Fatal(err)
		}
		query := u.Query()
		change(query)
		u.RawQuery = query.Encode()
		return encode(u.String())
	}
	for _, c := range []struct{ name, token, want string }{
		{"cluster not among the signed headers",
			presigned(func(q url.Values) { q.Set("X-Amz-SignedHeaders", "abc;def;host;x-k8s-aws-i") }),
			"does not cover the header x-k8s-aws-id"},
		{"date that is none", presigned(func(q url.Values) { q.Set("X-Amz-Date", "xxxxxxx") }), "Date must be in ISO-8601"},
		{"no date", presigned(func(q url.Values) { q.Del("X-Amz-Date") }), "X-Amz-Date"},
		{"date long ago", presigned(func(q url.Values) { q.Set("X-Amz-Date", "19900422T010203Z") }), "ago"},
		{"signature in another letter case too",
			presigned(func(q url.Values) { q.Set("x-amz-signature", q.Get("X-Amz-Signature")) }), "more than once"},
	} {
		t.Run(c.name, func(t *testing.T) { wantRefused(t, w, c.token, c.want) })
	}
}

// The endpoints that aws-iam-authenticator's tests take in a partition, and those that they do not.
func TestEndpointsAreTheReferences(t *testing.T) {
	w := newWorld(t)
	for own, hosts := range map[string]map[string]string{
		"default-region": {
			"sts.amazonaws.com": "us-east-1", "sts-fips.us-west-2.amazonaws.com": "us-west-2",
			"sts-fips.us-east-1.amazonaws.com": "us-east-1",
			"sts.us-east-1.amazonaws.com":      "us-east-1", "sts.us-west-2.amazonaws.com": "us-west-2",
			"sts.ap-northeast-2.amazonaws.com": "ap-northeast-2",
			"sts.ca-central-1.amazonaws.com":   "ca-central-1", "sts.eu-north-1.amazonaws.com": "eu-north-1",
			"sts.sa-east-1.amazonaws.com":      "sa-east-1",
			"sts.default-region.amazonaws.com": "default-region", "sts.not-a-region.amazonaws.com": "not-a-region",
			"sts-fips.eu-west-1.amazonaws.com": "eu-west-1", "sts.us-gov-east-1.amazonaws.com": "us-gov-east-1",
			"sts.us-west-2.api.aws": "us-west-2", "sts-fips.us-west-2.api.aws": "us-west-2",
			"sts.default-region.api.aws": "default-region",
			"sts.amazonaws.com.cn":       "", "sts.cn-north-1.amazonaws.com.cn": "", "sts.us-iso-east-1.c2s.ic.gov": "",
			"website.amazonaws.com":                       "",
			"sts.cn-north-1.api.amazonwebservices.com.cn": "", "sts.cn-north-1.amazonaws.com": "", "sts.api.aws": "",
			"sts.us-west-2.api.aws.evil.example": "",
			"sts.a.us-west-2.api.aws":            "", "sts.-.amazonaws.com": "", "evil-sts.us-west-2.api.aws": "",
			"sts.global.amazonaws.org": "",
		},
		"cn-north-1": {
			"sts.cn-north-1.amazonaws.com.cn": "cn-north-1", "sts.cn-northwest-1.amazonaws.com.cn": "cn-northwest-1",
			"sts.cn-north-1.api.amazonwebservices.com.cn": "cn-north-1", "sts-fips.cn-north-1.amazonaws.com.cn": "cn-north-1",
			"sts.amazonaws.com": "", "sts.us-east-1.amazonaws.com": "", "sts-fips.us-east-1.amazonaws.com": "",
			"sts.us-isob-east-1.amazonaws.com.cn": "",
			"sts.not-a-region.amazonaws.com.cn":   "", "sts.us-west-2.amazonaws.com.cn": "",
		},
		"us-gov-west-1": {
			"sts.us-gov-west-1.amazonaws.com": "us-gov-west-1", "sts.us-gov-east-1.amazonaws.com": "us-gov-east-1",
			"sts.us-gov-west-1.api.aws": "us-gov-west-1",
			"sts.amazonaws.com":         "", "sts.cn-north-1.amazonaws.com.cn": "",
		},
		"us-iso-east-1": {"sts.us-iso-east-1.c2s.ic.gov": "us-iso-east-1", "sts.cn-north-1.amazonaws.com.cn": "",
			"sts.us-east-1.amazonaws.com": ""},
		"eusc-de-east-1": {"sts.eusc-de-east-1.amazonaws.eu": "eusc-de-east-1",
			"sts.eusc-de-east-1.api.amazonwebservices.eu": "eusc-de-east-1"},
	} {
		verifier := w.verifier()
		verifier.Region = own
		for host, region := range hosts {
			s := w.spec()
			s.url, s.region = "https://"+host+"/", region
			_, err := verifier.Verify(encode(s.signed(t)))
			if region == "" && (err == nil || !strings.Contains(err.Error(), "not an STS endpoint")) {
				t.Errorf("%s in %s: got %v, want that it is no STS endpoint", host, own, err)
			}
			if region != "" && err != nil {
				t.Errorf("%s in %s: %v", host, own, err)
			}
		}
	}
}
