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
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/arczonalshift"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/efs"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/fis"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"tripod/api"
	"tripod/client"
	"tripod/internal/sdkclient"
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
	ec2         *ec2.Client
	efs         *efs.Client
	groups      *autoscaling.Client
	balancers   *elbv2.Client
	sqs         *sqs.Client
	events      *eventbridge.Client
	experiments *fis.Client
	alarms      *cloudwatch.Client
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
		HTTPClient: sdkclient.New(transport, time.Minute),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: credentials.AccessKeyID, SecretAccessKey: credentials.SecretAccessKey,
				SessionToken: credentials.SessionToken}, nil
		}),
	}
	return awsServices{eks: eks.NewFromConfig(config), iam: iam.NewFromConfig(config), sts: sts.NewFromConfig(config),
		shifts: arczonalshift.NewFromConfig(config), ec2: ec2.NewFromConfig(config), efs: efs.NewFromConfig(config),
		groups: autoscaling.NewFromConfig(config), balancers: elbv2.NewFromConfig(config), sqs: sqs.NewFromConfig(config),
		events: eventbridge.NewFromConfig(config), experiments: fis.NewFromConfig(config), alarms: cloudwatch.NewFromConfig(config),
		credentials: credentials,
		hangUp:      transport.CloseIdleConnections}
}

// read asks what the services of this version answer.
func (s awsServices) read(t testing.TB) *ekstypes.Cluster {
	t.Helper()
	ctx := within(t, 30*time.Second)
	who, err := s.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	must(t, "GetCallerIdentity", err)
	if aws.ToString(who.Arn) != s.credentials.UserARN || aws.ToString(who.Account) != s.credentials.AccountID {
		t.Errorf("GetCallerIdentity: got %s of %s, want %s", aws.ToString(who.Arn), aws.ToString(who.Account),
			s.credentials.UserARN)
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

// TestOneClusterManyClients runs the promises that one cluster, which they leave as they found it, can show one after
// the other: some change for a while who may sign in, or what is logged.
func TestOneClusterManyClients(t *testing.T) {
	t.Parallel()
	r := sharedRegion(t)
	for _, promise := range []struct {
		name string
		test func(*testing.T, *testRegion)
	}{
		{"the SDK reads the cluster over http", func(t *testing.T, r *testRegion) { sdkReads(t, r, awsHTTP) }},
		{"the SDK reads the cluster over https", func(t *testing.T, r *testRegion) { sdkReads(t, r, awsHTTPS) }},
		{"a cluster that is not there is ResourceNotFoundException", missingCluster},
		{"wrong and unknown keys have AWS's codes", wrongKeys},
		{"an unsigned call is refused", unsignedCall},
		{"tripod token signs in to its cluster alone", tokens},
		{"a role and a user need an access entry or aws-auth", access},
		{"tokens of other clients sign in", otherClients},
		{"the account's root user needs an access entry", rootUser},
		{"nodes are who their instances' role says", nodeIdentity},
		{"simulated pods answer over HTTP behind their service", podsServe},
		{"pods end as their commands say", podsEnd},
		{"a TokenReview knows a pod's token", podsTokenIsReviewed},
		{"a watch gets no bookmarks that it has not asked for", unaskedBookmarks},
		{"aws sts get-caller-identity names the user", cliNamesTheUser},
		{"aws eks describe-cluster shows the endpoint", cliShowsTheEndpoint},
		{"aws eks makes and deletes a node group", cliMakesANodeGroup},
		{"aws logs finds what it wrote in whichever zone", cliFindsItsLogs},
		{"aws logs test-metric-filter matches as AWS does", cliTestsAFilter},
		{"aws eks get-token signs in to its cluster alone", cliTokens},
		{"aws eks update-kubeconfig serves kubectl", cliUpdatesKubeconfig},
		{"tripod kubectl needs no kubectl", ownKubectl},
		{"logs of the control plane reach CloudWatch Logs", logsOfTheControlPlane},
	} {
		t.Run(promise.name, func(t *testing.T) { promise.test(t, r) })
	}
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
	if got := aws.ToString(cluster.Arn); !strings.HasPrefix(got, "arn:aws:eks:us-east-1:") ||
		!strings.HasSuffix(got, ":cluster/demo") {
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

func missingCluster(t *testing.T, r *testRegion) {
	_, err := r.awsClients(t, awsHTTP).eks.DescribeCluster(within(t, 30*time.Second),
		&eks.DescribeClusterInput{Name: aws.String("nobody")})
	var missing *ekstypes.ResourceNotFoundException
	if !errors.As(err, &missing) {
		t.Errorf("got %v, want ResourceNotFoundException", err)
	}
}

func wrongKeys(t *testing.T, r *testRegion) {
	ctx := within(t, 30*time.Second)
	wrong := r.awsClients(t, awsHTTP).credentials
	unknown := wrong
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
}

func unsignedCall(t *testing.T, r *testRegion) {
	response, err := http.Get(r.status(t).AWSEndpoint + "/clusters")
	must(t, "ask without a signature", err)
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusForbidden {
		t.Errorf("got %s %s, want 403", response.Status, body)
	}
}

func wantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	var got smithy.APIError
	var status interface{ HTTPStatusCode() int }
	if !errors.As(err, &got) || got.ErrorCode() != code || !errors.As(err, &status) ||
		status.HTTPStatusCode() != http.StatusForbidden {
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
	set, err := kubernetes.NewForConfig(&rest.Config{Host: config.Host, BearerToken: token,
		TLSClientConfig: rest.TLSClientConfig{CAData: config.CAData}})
	must(t, "make a client", err)
	_, err = set.CoreV1().Nodes().List(within(t, 10*time.Second), metav1.ListOptions{})
	if want && err != nil {
		t.Errorf("%s: got %v, want the nodes", what, err)
	}
	if !want && !apierrors.IsUnauthorized(err) {
		t.Errorf("%s: got %v, want 401", what, err)
	}
}

// shell runs programs as a user does who has typed eval "$(tripod env)", with that home. Without an aws CLI the test is
// skipped.
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

func cliNamesTheUser(t *testing.T, r *testRegion) {
	credentials, err := client.ReadCredentials(r.dir)
	must(t, "read the credentials", err)
	if got := r.shell(t, t.TempDir())("aws", "sts", "get-caller-identity"); !strings.Contains(got, credentials.UserARN) {
		t.Errorf("got %s", got)
	}
}

func cliShowsTheEndpoint(t *testing.T, r *testRegion) {
	got := r.shell(t, t.TempDir())("aws", "eks", "describe-cluster", "--name", "demo", "--query",
		"cluster.[status,endpoint]", "--output", "text")
	if !strings.Contains(got, "ACTIVE") || !strings.Contains(got, r.cluster(t).Endpoint) {
		t.Errorf("got %s", got)
	}
}

func cliMakesANodeGroup(t *testing.T, r *testRegion) {
	run := r.shell(t, t.TempDir())
	subnets := strings.Fields(run("aws", "ec2", "describe-subnets", "--filters",
		"Name=map-public-ip-on-launch,Values=false",
		"--query", "Subnets[].SubnetId", "--output", "text"))
	if len(subnets) != 3 {
		t.Fatalf("aws ec2 describe-subnets: got private subnets %v, want three", subnets)
	}
	group := []string{"--cluster-name", "demo", "--nodegroup-name", "more"}
	eks := func(command []string, more ...string) {
		run(slices.Concat([]string{"aws", "eks"}, command, group, more)...)
	}
	eks([]string{"create-nodegroup"}, append([]string{"--node-role", nodeRole, "--subnets"}, subnets...)...)
	eks([]string{"wait", "nodegroup-active"})
	eks([]string{"delete-nodegroup"})
	eks([]string{"wait", "nodegroup-deleted"})
	eventually(t, 10*time.Second, "tripod history shows both", func() (bool, string) { // it is written within a second
		got, errs, code := tripod(t, r.dir, "history", "--mutating")
		return code == 0 && strings.Contains(got, "eks:CreateNodegroup") && strings.Contains(got, "eks:DeleteNodegroup"),
			got + errs
	})
}

func cliFindsItsLogs(t *testing.T, r *testRegion) {
	run := r.shell(t, t.TempDir())
	group := []string{"--log-group-name", "from-the-cli"}
	logs := func(command string, more ...string) string {
		return run(slices.Concat([]string{"aws", "logs", command}, group, more)...)
	}
	logs("create-log-group", "--tags", "a=b")
	logs("create-log-stream", "--log-stream-name", "one")
	logs("put-log-events", "--log-stream-name", "one", "--log-events",
		fmt.Sprintf(`[{"timestamp":%d,"message":"{\"level\":\"warn\",\"n\":7}"}]`, time.Now().UnixMilli()))
	eventually(t, 10*time.Second, "aws logs filter-log-events finds the event", func() (bool, string) {
		got := logs("filter-log-events", "--filter-pattern", "{ $.level = warn && $.n > 6 }", "--query", "events[].message",
			"--output", "text")
		return strings.Contains(got, `"n":7`), got
	})
	logs("delete-log-group")
}

func cliTestsAFilter(t *testing.T, r *testRegion) {
	got := r.shell(t, t.TempDir())("aws", "logs", "test-metric-filter", "--filter-pattern", "[..., status=4*, size]",
		"--log-event-messages", `- "GET / HTTP/1.0" 404 15`, `- "GET / HTTP/1.0" 200 15`,
		"--query", "matches[].[eventNumber,extractedValues.\"$status\",extractedValues.\"$2\"]", "--output", "text")
	if strings.TrimSpace(got) != "1\t404\tGET / HTTP/1.0" {
		t.Errorf("got %q", got)
	}
}

func cliTokens(t *testing.T, r *testRegion) {
	r.shell(t, t.TempDir()) // skips where there is no aws
	for cluster, want := range map[string]bool{"demo": true, "other": false} {
		token := execToken(t, r, []string{"aws", "eks", "get-token", "--cluster-name", cluster})
		accepted(t, r, "aws eks get-token for "+cluster, token, want)
	}
}

func cliUpdatesKubeconfig(t *testing.T, r *testRegion) {
	if _, err := exec.LookPath("kubectl"); err != nil {
		t.Skip("there is no kubectl on PATH")
	}
	home := t.TempDir()
	run := r.shell(t, home)
	kubeconfig := filepath.Join(home, "kubeconfig")
	run("aws", "eks", "update-kubeconfig", "--name", "demo", "--kubeconfig", kubeconfig)
	for _, config := range []string{kubeconfig, r.Kubeconfig()} {
		if got := run("kubectl", "--kubeconfig", config, "get", "nodes"); strings.Count(got, " Ready ") != 3 {
			t.Errorf("kubectl get nodes with %s: got\n%s", config, got)
		}
	}
}

func ownKubectl(t *testing.T, r *testRegion) {
	if got, errs, code := tripod(t, r.dir, "kubectl", "get", "nodes"); code != 0 || strings.Count(got, " Ready ") != 3 {
		t.Errorf("exit code %d, got\n%s%s", code, got, errs)
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
