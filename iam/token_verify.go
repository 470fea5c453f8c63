package iam

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tripod/internal/partition"
	"tripod/internal/sigv4"
	"tripod/state"
)

const (
	maxTokenBytes = 4096
	maxTokenAge   = 15 * time.Minute
	maxExpires    = 900 // seconds
	globalRegion  = "us-east-1"
)

// tokenParams are the parameters that a token's URL may have, in lower case: those of aws-iam-authenticator.
var tokenParams = []string{
	"action", "version", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires",
	"x-amz-security-token", "x-amz-signature", "x-amz-signedheaders", "x-amz-user-agent",
}

// regionalSTS matches STS's endpoints in a region: the ordinary one and the one with FIPS, each also in the domain of
// the dual stack.
var regionalSTS = regexp.MustCompile(`^sts(?:-fips)?\.([a-z0-9](?:[a-z0-9-]*[a-z0-9])?)\.(.+)$`)

// Verifier checks the tokens of one cluster.
type Verifier struct {
	// ClusterName is what a token must be signed for.
	ClusterName string
	// Region is the one that tokens for Hosts are signed for.
	Region string
	// Hosts are Tripod's own STS endpoints as host:port, accepted over http and https beside AWS's endpoints over https.
	Hosts []string
	// State has the keys.
	State state.Viewer
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Passed is told of every check that a token passes, in words for people; nil means that nobody is.
	Passed func(check string)
}

// Verify says whose token this is. The errors are sentences for the log: they tell neither the token nor its
// signature, and quote what they tell of it. ErrUnknownKey is wrapped where the key is not this region's.
func (v Verifier) Verify(token string) (Principal, error) {
	request, err := v.parse(token)
	if err != nil {
		return Principal{}, err
	}
	v.passed("it is a URL of STS GetCallerIdentity at %s://%s", request.URL.Scheme, request.URL.Host)
	signature, err := sigv4.Parse(request)
	if err != nil {
		return Principal{}, fmt.Errorf("token's URL is not properly presigned: %w", err)
	}
	if err := v.checkSignature(request, signature); err != nil {
		return Principal{}, err
	}
	v.passed("its signature is for STS, covers the header %s, and is of the last %.0f minutes",
		strings.ToLower(clusterIDHeader), maxTokenAge.Minutes())
	principal, secret, err := Lookup(v.State, signature.AccessKeyID, signature.SessionToken, v.now())
	switch {
	case errors.Is(err, ErrUnknownKey):
		return Principal{}, fmt.Errorf(`token is signed with access key %s, which is not this region's: run eval `+
			`"$(tripod env)"; `+
			"a token made with real AWS credentials is refused here, and neither kept nor sent on: %w",
			quote(signature.AccessKeyID), err)
	case errors.Is(err, ErrBadSessionToken):
		return Principal{}, fmt.Errorf("token carries a session token that is not that of access key %s: "+
			"unset AWS_SESSION_TOKEN, or assume the role again: %w",
			quote(signature.AccessKeyID), err)
	case errors.Is(err, ErrExpired):
		return Principal{}, fmt.Errorf("token is signed with the temporary access key %s: assume the role again: %w",
			quote(signature.AccessKeyID), err)
	case err != nil:
		return Principal{}, fmt.Errorf("token: %w", err)
	}
	v.passed("its access key %s is this region's", signature.AccessKeyID)
	if err := signature.Verify(request, nil, secret); err != nil {
		return Principal{}, fmt.Errorf("token's signature is wrong: it is for another cluster than %s, or another secret "+
			"key signed it: %w",
			quote(v.ClusterName), err)
	}
	v.passed("its signature is the access key's, and for cluster %s", v.ClusterName)
	return principal, nil
}

func (v Verifier) passed(format string, args ...any) {
	if v.Passed != nil {
		v.Passed(fmt.Sprintf(format, args...))
	}
}

// parse is the request that the token's URL stands for, once everything but its signature is checked.
func (v Verifier) parse(token string) (*http.Request, error) {
	if len(token) > maxTokenBytes {
		return nil, fmt.Errorf("token is longer than %d bytes", maxTokenBytes)
	}
	encoded, found := strings.CutPrefix(token, tokenPrefix)
	if !found {
		return nil, fmt.Errorf("token does not begin with %s", tokenPrefix)
	}
	// Go's decoder skips line breaks, which would give one URL many tokens.
	text, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || strings.ContainsAny(encoded, "\r\n") {
		return nil, errors.New("token is not unpadded base64url")
	}
	u, err := url.Parse(string(text))
	if err != nil {
		return nil, errors.New("token does not hold a URL") // url's own error quotes all of it
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("token's URL has the scheme %s", quote(u.Scheme))
	case u.User != nil || u.Opaque != "" || u.Fragment != "":
		return nil, errors.New("token's URL has parts that a presigned URL has not")
	case u.EscapedPath() != "/":
		return nil, fmt.Errorf("token's URL has the path %s, not /", quote(u.EscapedPath()))
	}
	if _, err := v.regionOf(u); err != nil {
		return nil, err
	}
	if err := checkParams(u.RawQuery); err != nil {
		return nil, err
	}
	return &http.Request{
		Method: http.MethodGet, URL: u, Host: u.Host,
		Header: http.Header{clusterIDHeader: {v.ClusterName}},
	}, nil
}

// regionOf is the region that a token for this STS endpoint must be signed for.
func (v Verifier) regionOf(u *url.URL) (string, error) {
	if slices.Contains(v.Hosts, u.Host) {
		return v.Region, nil
	}
	if signedFor, ok := v.regionOfAWS(u.Host); ok && u.Scheme == "https" {
		return signedFor, nil
	}
	return "", fmt.Errorf("token's URL leads to %s://%s, which is not an STS endpoint", u.Scheme, quote(u.Host))
}

// regionOfAWS is the region that a token for this host of AWS must be signed for. As aws-iam-authenticator does, it
// takes the endpoints of all regions whose domain the region's own partition has, a region that was made up among them,
// and the global endpoint in the partition aws.
func (v Verifier) regionOfAWS(host string) (string, bool) {
	own := partition.Of(v.Region)
	if host == "sts.amazonaws.com" {
		return globalRegion, own.ID == partition.AWS
	}
	match := regionalSTS.FindStringSubmatch(host)
	if match == nil {
		return "", false
	}
	return match[1], own.Has(match[2]) && partition.Of(match[1]).Has(match[2])
}

func checkParams(rawQuery string) error {
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return errors.New("token's URL has a malformed query")
	}
	params := make(map[string]string, len(query))
	for name, values := range query {
		lower := strings.ToLower(name)
		if !slices.Contains(tokenParams, lower) {
			return fmt.Errorf("token's URL has the parameter %s, which a token has not", quote(name))
		}
		if _, twice := params[lower]; twice || len(values) != 1 {
			return fmt.Errorf("token's URL has the parameter %s more than once", quote(name))
		}
		params[lower] = values[0]
	}
	if action := params["action"]; action != "GetCallerIdentity" {
		return fmt.Errorf("token's URL has the action %s, not GetCallerIdentity", quote(action))
	}
	if version := params["version"]; version != stsVersion {
		return fmt.Errorf("token's URL has the version %s, not %s", quote(version), stsVersion)
	}
	expires := params["x-amz-expires"]
	if seconds, err := strconv.Atoi(expires); err != nil || seconds < 0 || seconds > maxExpires {
		return fmt.Errorf("token's URL has X-Amz-Expires %s, not 0 to %d", quote(expires), maxExpires)
	}
	return nil
}

// checkSignature is what a signature must be for, before it is worth computing. X-Amz-Expires does not count: the
// aws CLI signs 60 s and uses its token for 14 minutes; EKS goes by X-Amz-Date alone.
func (v Verifier) checkSignature(request *http.Request, signature *sigv4.Signature) error {
	if !slices.Contains(signature.SignedHeaders, strings.ToLower(clusterIDHeader)) {
		return fmt.Errorf("token's signature does not cover the header %s", strings.ToLower(clusterIDHeader))
	}
	switch age := v.now().Sub(signature.Time); {
	case age > maxTokenAge:
		return fmt.Errorf("token was signed %s ago: it is good for %s; a clock may be wrong", age.Round(time.Second),
			maxTokenAge)
	case age < -sigv4.MaxSkew:
		return fmt.Errorf("token was signed %s in the future; a clock is wrong", (-age).Round(time.Second))
	}
	signedFor, err := v.regionOf(request.URL)
	if err != nil {
		return err
	}
	if err := signature.CheckScope(signedFor, "sts"); err != nil {
		return fmt.Errorf("token's credential has the wrong scope: %w", err)
	}
	return nil
}

func (v Verifier) now() time.Time {
	if v.Now == nil {
		return time.Now()
	}
	return v.Now()
}

// quote is text from a token, fit for a log line: control characters escaped, and too short to hold a signature that
// stands in the wrong place.
func quote(text string) string {
	if len(text) > 40 {
		text = text[:40] + "..."
	}
	return strconv.QuoteToASCII(text)
}

// quoteARN is an ARN, fit for a log line: all of it, as what is wrong with it may be at its end.
func quoteARN(arn string) string { return strconv.QuoteToASCII(arn) }
