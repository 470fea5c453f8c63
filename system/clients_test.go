package system

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// signerRecipe is the Python that AWS's customers copy from each other: botocore's RequestSigner, not STS's client.
const signerRecipe = `
import base64, json, botocore.session
from botocore.signers import RequestSigner
session = botocore.session.get_session()
signer = RequestSigner(session.get_service_model("sts").service_id, "us-east-1", "sts", "v4", session.get_credentials(), session.get_component("event_emitter"))
url = signer.generate_presigned_url({"method": "GET", "url": "https://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15",
    "body": {}, "headers": {"x-k8s-aws-id": "demo"}, "context": {}}, region_name="us-east-1", expires_in=60, operation_name="")
print(json.dumps({"status": {"token": "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")}}))
`

var getToken = []string{"aws", "eks", "get-token", "--cluster-name", "demo"}

// otherClients signs in with the tokens of other clients than Tripod's own, as a session of a role where nothing else
// is said. Those that sign for AWS's STS ask nobody there: a token is a request that was never sent.
func otherClients(t *testing.T, r *testRegion) {
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("there is no aws on PATH")
	}
	role, session := r.signer(t)
	const robot = "arn:aws:sts::111122223333:assumed-role/signer/"
	with := func(more ...string) []string { return append(more, session...) }
	authenticator := authenticatorClient(t)
	for _, c := range []struct {
		name    string
		command []string
		env     []string
		want    string // the user's name; empty: nobody
	}{
		{"aws-iam-authenticator, a user", []string{authenticator, "demo"}, nil, "arn:aws:iam::111122223333:user/admin"},
		{"aws-iam-authenticator", []string{authenticator, "demo"}, session, robot + "story"},
		{"aws-iam-authenticator with regional STS", []string{authenticator, "demo"},
			with("AWS_STS_REGIONAL_ENDPOINTS=regional"), robot + "story"},
		{"aws-iam-authenticator for another cluster", []string{authenticator, "other"}, session, ""},
		{"aws eks get-token by https", getToken,
			with("AWS_ENDPOINT_URL=" + strings.Replace(r.status(t).AWSEndpoint, "http", "https", 1)), robot + "story"},
		{"aws eks get-token for AWS", getToken, with("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true"), robot + "story"},
		{"aws eks get-token of a role", append(getToken, "--role-arn", role), nil, robot + "EKSGetTokenAuth"},
		{"botocore's RequestSigner", []string{"python3", "-c", signerRecipe}, session, robot + "story"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.command[0] == "python3" && exec.Command("python3", "-c", `import importlib.util; 1 / `+
				`(importlib.util.find_spec("botocore") is not None)`).Run() != nil {
				t.Skip("there is no python3 with botocore on PATH")
			}
			got, err := r.userOf(t, execToken(t, r, c.command, c.env...))
			if got != c.want || c.want == "" && !apierrors.IsUnauthorized(err) {
				t.Errorf("the API server takes the token for that of %q (%v), want %q", got, err, c.want)
			}
		})
	}
}

// authenticatorClient builds the program in authenticator/, which is a module of its own.
func authenticatorClient(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "authenticator")
	build := exec.CommandContext(within(t, 2*time.Minute), "go", "build", "-o", program, ".")
	build.Dir, build.Env = "authenticator", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the client of aws-iam-authenticator: %v: %s", err, out)
	}
	return program
}

// userOf asks the cluster whose token that is.
func (r *testRegion) userOf(t *testing.T, token string) (string, error) {
	t.Helper()
	config := r.config(t)
	set, err := kubernetes.NewForConfig(&rest.Config{Host: config.Host, BearerToken: token,
		TLSClientConfig: rest.TLSClientConfig{CAData: config.CAData}})
	must(t, "make a client", err)
	review, err := set.AuthenticationV1().SelfSubjectReviews().Create(within(t, 10*time.Second),
		&authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	return review.Status.UserInfo.Username, nil
}

// signer makes a role that has an access entry until the test ends, and the environment of a session of it.
func (r *testRegion) signer(t *testing.T) (role string, session []string) {
	t.Helper()
	ctx := within(t, time.Minute)
	services := r.awsClients(t, awsHTTP)
	role = r.aws(t, "iam", "create-role", "--role-name", "signer", "--query", "Role.Arn", "--assume-role-policy-document",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},`+
			`"Action":"sts:AssumeRole"}}`)[0]
	_, err := services.eks.CreateAccessEntry(ctx,
		&eks.CreateAccessEntryInput{ClusterName: aws.String("demo"), PrincipalArn: &role})
	must(t, "CreateAccessEntry", err)
	t.Cleanup(func() {
		_, err := services.eks.DeleteAccessEntry(within(t, time.Minute),
			&eks.DeleteAccessEntryInput{ClusterName: aws.String("demo"), PrincipalArn: &role})
		must(t, "DeleteAccessEntry", err)
		r.aws(t, "iam", "delete-role", "--role-name", "signer")
	})
	assumed, err := services.sts.AssumeRole(ctx,
		&sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("story")})
	must(t, "AssumeRole", err)
	as := sessionOf(assumed.Credentials)
	r.everyAPIServer(t, as).want(t, "a session of the role", "default", apierrors.IsForbidden)
	return role, []string{"AWS_ACCESS_KEY_ID=" + as.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + as.SecretAccessKey,
		"AWS_SESSION_TOKEN=" + as.SessionToken}
}
