package chaos

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"tripod/internal/kubecall"
	"tripod/internal/sdkclient"
)

// awsOperations are calls that change nothing, as they cross the wire.
var awsOperations = map[string]struct{ service, method, path, body string }{
	"sts:GetCallerIdentity": {"sts", http.MethodPost, "/", "Action=GetCallerIdentity&Version=2011-06-15"},
	"iam:ListUsers":         {"iam", http.MethodPost, "/", "Action=ListUsers&Version=2010-05-08"},
	"ec2:DescribeInstances": {"ec2", http.MethodPost, "/", "Action=DescribeInstances&Version=2016-11-15"},
	"eks:ListClusters":      {"eks", http.MethodGet, "/clusters", ""},
}

// awsCall makes a signed call on a new connection, without a client's retries.
func (r *run) awsCall(name string) func(context.Context) error {
	operation := awsOperations[name]
	calls := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, operation.method, r.awsEndpoint+operation.path, strings.NewReader(operation.body))
		if err != nil {
			return err
		}
		if operation.body != "" {
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		if err := r.sign(request, []byte(operation.body), operation.service); err != nil {
			return err
		}
		return kubecall.Do(calls, request, nil)
	}
}

// sign signs a call of the region's user.
func (r *run) sign(request *http.Request, body []byte, service string) error {
	who := aws.Credentials{AccessKeyID: r.credentials.AccessKeyID, SecretAccessKey: r.credentials.SecretAccessKey,
		SessionToken: r.credentials.SessionToken}
	return sdkclient.Sign(request.Context(), request, body, who, service, r.regionName, time.Now())
}
