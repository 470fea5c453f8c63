package iam

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	tokenPrefix     = "k8s-aws-v1."
	clusterIDHeader = "X-K8s-Aws-Id"
	stsVersion      = "2011-06-15"
	emptyHash       = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" // SHA-256 of nothing

	// TokenLife is how long clients use a token before they make another, as aws eks get-token announces it:
	// a minute less than the 15 that a cluster accepts it.
	TokenLife = 14 * time.Minute
)

// Credentials sign requests.
type Credentials struct {
	AccessKeyID, SecretAccessKey string
	// SessionToken goes with temporary credentials; empty for long-term keys.
	SessionToken string
}

// Token makes the bearer token for a cluster, as aws eks get-token does: an STS GetCallerIdentity URL, presigned for 60
// s together with the cluster's name. endpoint is STS's, such as http://127.0.0.1:4566; nothing is sent to it.
func Token(ctx context.Context, credentials Credentials, region, endpoint, clusterName string, now time.Time) (string,
	error) {
	if credentials.AccessKeyID == "" || credentials.SecretAccessKey == "" {
		return "", errors.New(`make token: there are no AWS credentials: run eval "$(tripod env)" first`)
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Path != "" && u.Path != "/" {
		return "", fmt.Errorf("make token: the STS endpoint %q is not a URL of scheme and host", endpoint)
	}
	u.Path = "/"
	u.RawQuery = url.Values{"Action": {"GetCallerIdentity"}, "Version": {stsVersion}, "X-Amz-Expires": {"60"}}.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", fmt.Errorf("make token: %w", err)
	}
	request.Header.Set(clusterIDHeader, clusterName)
	signed, _, err := v4.NewSigner().PresignHTTP(ctx, aws.Credentials{
		AccessKeyID: credentials.AccessKeyID, SecretAccessKey: credentials.SecretAccessKey,
		SessionToken: credentials.SessionToken,
	}, request, emptyHash, "sts", region, now)
	if err != nil {
		return "", fmt.Errorf("make token: %w", err)
	}
	return tokenPrefix + base64.RawURLEncoding.EncodeToString([]byte(signed)), nil
}

const (
	execV1      = "client.authentication.k8s.io/v1"
	execV1beta1 = "client.authentication.k8s.io/v1beta1"
)

// ExecCredential is what a kubeconfig's exec plugin prints: the token and when to ask for another. execInfo is the
// value of KUBERNETES_EXEC_INFO, in which kubectl says the API version it wants; empty means v1beta1.
func ExecCredential(token string, expiry time.Time, execInfo string) ([]byte, error) {
	version := execV1beta1
	if execInfo != "" {
		var info struct {
			APIVersion string `json:"apiVersion"`
		}
		if err := json.Unmarshal([]byte(execInfo), &info); err != nil {
			return nil, fmt.Errorf("KUBERNETES_EXEC_INFO is not the JSON of an ExecCredential: %w", err)
		}
		if info.APIVersion != "" {
			version = info.APIVersion
		}
	}
	if version != execV1 && version != execV1beta1 {
		return nil, fmt.Errorf("KUBERNETES_EXEC_INFO asks for %q: write %s as the exec plugin's apiVersion in the "+
			"kubeconfig", version, execV1)
	}
	type status struct {
		ExpirationTimestamp string `json:"expirationTimestamp"`
		Token               string `json:"token"`
	}
	text, err := json.Marshal(struct {
		Kind       string   `json:"kind"`
		APIVersion string   `json:"apiVersion"`
		Spec       struct{} `json:"spec"`
		Status     status   `json:"status"`
	}{Kind: "ExecCredential", APIVersion: version,
		Status: status{expiry.UTC().Format(time.RFC3339), token}})
	if err != nil {
		return nil, fmt.Errorf("write exec credential: %w", err)
	}
	return append(text, '\n'), nil
}
