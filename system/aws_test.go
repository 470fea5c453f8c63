package system

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/arczonalshift"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"tripod/api"
	"tripod/client"
)

// awsScheme is how a client speaks to the AWS endpoint.
type awsScheme string

const (
	awsHTTP  awsScheme = "http"
	awsHTTPS awsScheme = "https"
)

// awsServices are the AWS SDK's clients for a region.
type awsServices struct {
	eks         *eks.Client
	iam         *iam.Client
	sts         *sts.Client
	shifts      *arczonalshift.Client
	credentials api.Credentials
	hangUp      func() // ends idle connections
}

// awsClients are made as `tripod env` makes a user's.
func (r *testRegion) awsClients(t testing.TB, scheme awsScheme) awsServices {
	t.Helper()
	credentials, err := client.ReadCredentials(r.dir)
	must(t, "read the credentials", err)
	return r.awsClientsWith(t, scheme, credentials)
}

func (r *testRegion) awsClientsWith(t testing.TB, scheme awsScheme, credentials api.Credentials) awsServices {
	t.Helper()
	transport := &http.Transport{}
	if scheme == awsHTTPS {
		ca, err := os.ReadFile(filepath.Join(r.dir, "pki", "region-ca.crt"))
		must(t, "read the region's authority", err)
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(ca)
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	t.Cleanup(transport.CloseIdleConnections)
	config := aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(strings.Replace(r.status(t).AWSEndpoint, "http", string(scheme), 1)),
		HTTPClient: &http.Client{Transport: transport, Timeout: time.Minute},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: credentials.AccessKeyID, SecretAccessKey: credentials.SecretAccessKey, SessionToken: credentials.SessionToken}, nil
		}),
	}
	return awsServices{eks: eks.NewFromConfig(config), iam: iam.NewFromConfig(config), sts: sts.NewFromConfig(config), shifts: arczonalshift.NewFromConfig(config), credentials: credentials,
		hangUp: transport.CloseIdleConnections}
}

// read asks what the services of this version answer.
func (s awsServices) read(t testing.TB) *ekstypes.Cluster {
	t.Helper()
	ctx := within(t, 30*time.Second)
	who, err := s.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	must(t, "GetCallerIdentity", err)
	if aws.ToString(who.Arn) != s.credentials.UserARN || aws.ToString(who.Account) != s.credentials.AccountID {
		t.Errorf("GetCallerIdentity: got %s of %s, want %s", aws.ToString(who.Arn), aws.ToString(who.Account), s.credentials.UserARN)
	}
	list, err := s.eks.ListClusters(ctx, &eks.ListClustersInput{})
	must(t, "ListClusters", err)
	if len(list.Clusters) != 1 || list.Clusters[0] != "demo" {
		t.Errorf("ListClusters: got %v, want demo", list.Clusters)
	}
	described, err := s.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String("demo")})
	must(t, "DescribeCluster", err)
	return described.Cluster
}

func TestAWSClients(t *testing.T) {
	t.Parallel()
	r := sharedRegion(t)
	for _, scheme := range []awsScheme{awsHTTP, awsHTTPS} {
		t.Run("SDK over "+string(scheme), func(t *testing.T) { sdkReads(t, r, scheme) })
	}
	t.Run("refusals", func(t *testing.T) { awsRefusals(t, r) })
	t.Run("a token made from DescribeCluster's answer", func(t *testing.T) { tokens(t, r) })
	t.Run("a role and a user that did not make the cluster", func(t *testing.T) { access(t, r) })
	t.Run("tokens of other clients", func(t *testing.T) { otherClients(t, r) })
	t.Run("the account's root user", func(t *testing.T) { rootUser(t, r) })
	t.Run("nodes are who their instances' role says", func(t *testing.T) { nodeIdentity(t, r) })
	t.Run("aws and kubectl", func(t *testing.T) { realCommands(t, r) })
	t.Run("logs of the control plane", func(t *testing.T) { logsOfTheControlPlane(t, r) })
}

func sdkReads(t *testing.T, r *testRegion, scheme awsScheme) {
	cluster := r.awsClients(t, scheme).read(t)
	want := r.cluster(t)
	if cluster.Status != ekstypes.ClusterStatusActive || aws.ToString(cluster.Version) != "1.36" {
		t.Errorf("DescribeCluster: got %s, version %s", cluster.Status, aws.ToString(cluster.Version))
	}
	if got := aws.ToString(cluster.Endpoint); got != want.Endpoint {
		t.Errorf("endpoint: got %s, want %s", got, want.Endpoint)
	}
	if got := aws.ToString(cluster.Arn); !strings.HasPrefix(got, "arn:aws:eks:us-east-1:") || !strings.HasSuffix(got, ":cluster/demo") {
		t.Errorf("arn: got %s", got)
	}
	if got := aws.ToString(cluster.KubernetesNetworkConfig.ServiceIpv4Cidr); got != "10.100.0.0/16" {
		t.Errorf("service CIDR: got %s", got)
	}
	if cluster.AccessConfig.AuthenticationMode != ekstypes.AuthenticationModeApiAndConfigMap {
		t.Errorf("authentication mode: got %s", cluster.AccessConfig.AuthenticationMode)
	}
	if aws.ToString(cluster.Identity.Oidc.Issuer) == "" || aws.ToString(cluster.CertificateAuthority.Data) == "" {
		t.Error("the answer lacks the issuer or the authority")
	}
}

func awsRefusals(t *testing.T, r *testRegion) {
	ctx := within(t, 30*time.Second)
	good := r.awsClients(t, awsHTTP)
	_, err := good.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String("nobody")})
	var missing *ekstypes.ResourceNotFoundException
	if !errors.As(err, &missing) {
		t.Errorf("a cluster that is not there: got %v, want ResourceNotFoundException", err)
	}
	wrong, unknown := good.credentials, good.credentials
	wrong.SecretAccessKey = "wrong" + wrong.SecretAccessKey[5:]
	unknown.AccessKeyID = "AKIAIOSFODNN7EXAMPLE"
	for _, refused := range []struct {
		name        string
		credentials api.Credentials
		sts, eks    string
	}{
		{"a wrong secret", wrong, "SignatureDoesNotMatch", "InvalidSignatureException"},
		{"an unknown key", unknown, "InvalidClientTokenId", "UnrecognizedClientException"},
	} {
		services := r.awsClientsWith(t, awsHTTP, refused.credentials)
		_, err := services.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		wantCode(t, refused.name+", STS", err, refused.sts)
		_, err = services.eks.ListClusters(ctx, &eks.ListClustersInput{})
		wantCode(t, refused.name+", EKS", err, refused.eks)
	}
	response, err := http.Get(r.status(t).AWSEndpoint + "/clusters")
	must(t, "ask without a signature", err)
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusForbidden {
		t.Errorf("without a signature: got %s %s, want 403", response.Status, body)
	}
}

func wantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	var got smithy.APIError
	var status interface{ HTTPStatusCode() int }
	if !errors.As(err, &got) || got.ErrorCode() != code || !errors.As(err, &status) || status.HTTPStatusCode() != http.StatusForbidden {
		t.Errorf("%s: got %v, want %s with 403", what, err, code)
	}
}

// tokens signs in as `tripod token` and `aws eks get-token` do, for this cluster and for another.
func tokens(t *testing.T, r *testRegion) {
	for cluster, want := range map[string]bool{"demo": true, "other": false} {
		token := execToken(t, r, []string{binary, "--data-dir", r.dir, "token", "--cluster", cluster})
		accepted(t, r, "tripod token for "+cluster, token, want)
	}
}

// execToken runs a command that prints an ExecCredential; more is added to what `tripod env` sets.
func execToken(t *testing.T, r *testRegion, command []string, more ...string) string {
	t.Helper()
	env, err := r.Env()
	must(t, "make the environment", err)
	run := exec.CommandContext(within(t, 60*time.Second), command[0], command[1:]...)
	run.Env = append(env, more...)
	var errs bytes.Buffer
	run.Stderr = &errs
	out, err := run.Output()
	if err != nil {
		t.Fatalf("%v: %v: %s", command, err, errs.String())
	}
	var credential struct {
		Status struct{ Token string }
	}
	if err := json.Unmarshal(out, &credential); err != nil || !strings.HasPrefix(credential.Status.Token, "k8s-aws-v1.") {
		t.Fatalf("%v: got %s, %v", command, out, err)
	}
	return credential.Status.Token
}

// accepted checks that a token is the cluster administrator's, or is refused with 401.
func accepted(t *testing.T, r *testRegion, what, token string, want bool) {
	t.Helper()
	config := r.config(t)
	set, err := kubernetes.NewForConfig(&rest.Config{Host: config.Host, BearerToken: token, TLSClientConfig: rest.TLSClientConfig{CAData: config.CAData}})
	must(t, "make a client", err)
	_, err = set.CoreV1().Nodes().List(within(t, 10*time.Second), metav1.ListOptions{})
	if want && err != nil {
		t.Errorf("%s: got %v, want the nodes", what, err)
	}
	if !want && !apierrors.IsUnauthorized(err) {
		t.Errorf("%s: got %v, want 401", what, err)
	}
}

// shell runs programs as a user does who has typed eval "$(tripod env)", with that home. Without an aws CLI the test is skipped.
func (r *testRegion) shell(t *testing.T, home string) func(args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("there is no aws on PATH")
	}
	env, err := r.Env()
	must(t, "make the environment", err)
	env = append(env, "HOME="+home, "PYENV_ROOT="+pyenvRoot())
	return func(args ...string) string {
		t.Helper()
		command := exec.CommandContext(within(t, 60*time.Second), args[0], args[1:]...)
		command.Env = env
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v: %s", args, err, out)
		}
		return string(out)
	}
}

// realCommands uses the programs that users have, each where it is installed.
func realCommands(t *testing.T, r *testRegion) {
	home := t.TempDir()
	run := r.shell(t, home)
	credentials, err := client.ReadCredentials(r.dir)
	must(t, "read the credentials", err)
	if got := run("aws", "sts", "get-caller-identity"); !strings.Contains(got, credentials.UserARN) {
		t.Errorf("aws sts get-caller-identity: got %s", got)
	}
	if got := run("aws", "eks", "describe-cluster", "--name", "demo", "--query", "cluster.[status,endpoint]", "--output", "text"); !strings.Contains(got, "ACTIVE") || !strings.Contains(got, r.cluster(t).Endpoint) {
		t.Errorf("aws eks describe-cluster: got %s", got)
	}
	subnets := strings.Fields(run("aws", "ec2", "describe-subnets", "--filters", "Name=map-public-ip-on-launch,Values=false", "--query", "Subnets[].SubnetId", "--output", "text"))
	if len(subnets) != 3 {
		t.Fatalf("aws ec2 describe-subnets: got private subnets %v, want three", subnets)
	}
	run(append([]string{"aws", "eks", "create-nodegroup", "--cluster-name", "demo", "--nodegroup-name", "workers", "--node-role", "arn:aws:iam::111122223333:role/demo-node", "--subnets"}, subnets...)...)
	run("aws", "eks", "wait", "nodegroup-active", "--cluster-name", "demo", "--nodegroup-name", "workers")
	run("aws", "eks", "delete-nodegroup", "--cluster-name", "demo", "--nodegroup-name", "workers")
	run("aws", "eks", "wait", "nodegroup-deleted", "--cluster-name", "demo", "--nodegroup-name", "workers")
	eventually(t, 10*time.Second, "tripod history shows both", func() (bool, string) { // it is written within a second
		got, errs, code := tripod(t, r.dir, "history", "--mutating")
		return code == 0 && strings.Contains(got, "eks:CreateNodegroup") && strings.Contains(got, "eks:DeleteNodegroup"), got + errs
	})
	run("aws", "logs", "create-log-group", "--log-group-name", "from-the-cli", "--tags", "a=b")
	run("aws", "logs", "create-log-stream", "--log-group-name", "from-the-cli", "--log-stream-name", "one")
	run("aws", "logs", "put-log-events", "--log-group-name", "from-the-cli", "--log-stream-name", "one", "--log-events",
		fmt.Sprintf(`[{"timestamp":%d,"message":"{\"level\":\"warn\",\"n\":7}"}]`, time.Now().UnixMilli()))
	eventually(t, 10*time.Second, "aws logs filter-log-events finds the event in whichever zone", func() (bool, string) {
		got := run("aws", "logs", "filter-log-events", "--log-group-name", "from-the-cli", "--filter-pattern", "{ $.level = warn && $.n > 6 }", "--query", "events[].message", "--output", "text")
		return strings.Contains(got, `"n":7`), got
	})
	run("aws", "logs", "delete-log-group", "--log-group-name", "from-the-cli")
	if got := run("aws", "logs", "test-metric-filter", "--filter-pattern", "[..., status=4*, size]", "--log-event-messages", `- "GET / HTTP/1.0" 404 15`, `- "GET / HTTP/1.0" 200 15`,
		"--query", "matches[].[eventNumber,extractedValues.\"$status\",extractedValues.\"$2\"]", "--output", "text"); strings.TrimSpace(got) != "1\t404\tGET / HTTP/1.0" {
		t.Errorf("aws logs test-metric-filter: got %q", got)
	}
	accepted(t, r, "aws eks get-token", execToken(t, r, []string{"aws", "eks", "get-token", "--cluster-name", "demo"}), true)
	accepted(t, r, "aws eks get-token for another cluster", execToken(t, r, []string{"aws", "eks", "get-token", "--cluster-name", "other"}), false)

	kubeconfig := filepath.Join(home, "kubeconfig")
	run("aws", "eks", "update-kubeconfig", "--name", "demo", "--kubeconfig", kubeconfig)
	if _, err := exec.LookPath("kubectl"); err != nil {
		t.Skip("there is no kubectl on PATH")
	}
	for _, config := range []string{kubeconfig, r.Kubeconfig()} {
		if got := run("kubectl", "--kubeconfig", config, "get", "nodes"); strings.Count(got, " Ready ") != 3 {
			t.Errorf("kubectl get nodes with %s: got\n%s", config, got)
		}
	}
	if got, errs, code := tripod(t, r.dir, "kubectl", "get", "nodes"); code != 0 || strings.Count(got, " Ready ") != 3 {
		t.Errorf("tripod kubectl get nodes: exit code %d, got\n%s%s", code, got, errs)
	}
}

// pyenvRoot keeps an aws command that pyenv installed working with another HOME.
func pyenvRoot() string {
	if root := os.Getenv("PYENV_ROOT"); root != "" {
		return root
	}
	home, _ := os.UserHomeDir()
	return filepath.Join(home, ".pyenv")
}
