package system

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"tripod/api"
	"tripod/az/plan"
	"tripod/client"
	"tripod/iam"
	"tripod/internal/datadir"
)

// access is a story of two principals that did not make the cluster: a role that may view one namespace, and a user
// whom aws-auth maps. Every zone's API server has to say the same of them.
func access(t *testing.T, r *testRegion) {
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("there is no aws on PATH")
	}
	ctx := within(t, time.Minute)
	services := r.awsClients(t, awsHTTP)
	role := r.aws(t, "iam", "create-role", "--role-name", "viewer", "--path", "/team/", "--query", "Role.Arn",
		"--assume-role-policy-document",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},`+
			`"Action":"sts:AssumeRole"}}`)[0]
	user := r.aws(t, "iam", "create-user", "--user-name", "ops", "--query", "User.Arn")[0]
	key := r.aws(t, "iam", "create-access-key", "--user-name", "ops", "--query", "AccessKey.[AccessKeyId,SecretAccessKey]")
	session, err := services.sts.AssumeRole(ctx,
		&sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("me@home")})
	must(t, "AssumeRole", err)
	viewer := r.everyAPIServer(t, sessionOf(session.Credentials))
	ops := r.everyAPIServer(t, iam.Credentials{AccessKeyID: key[0], SecretAccessKey: key[1]})
	viewer.want(t, "a role without access entry", "kube-system", apierrors.IsUnauthorized)

	_, err = services.eks.CreateAccessEntry(ctx,
		&eks.CreateAccessEntryInput{ClusterName: aws.String("demo"), PrincipalArn: &role})
	must(t, "CreateAccessEntry", err)
	viewer.want(t, "a role with an access entry", "kube-system", apierrors.IsForbidden)
	_, err = services.eks.AssociateAccessPolicy(ctx,
		&eks.AssociateAccessPolicyInput{ClusterName: aws.String("demo"), PrincipalArn: &role,
			PolicyArn:   aws.String(iam.AccessPolicyPrefix + "AmazonEKSViewPolicy"),
			AccessScope: &ekstypes.AccessScope{Type: ekstypes.AccessScopeTypeNamespace, Namespaces: []string{"kube-s*"}}})
	must(t, "AssociateAccessPolicy", err)
	viewer.want(t, "a viewer of kube-system, there", "kube-system", succeeds)
	viewer.want(t, "a viewer of kube-system, elsewhere", "default", apierrors.IsForbidden)
	r.canI(t, "role/viewer list pods -n kube-system", 0,
		"access policy AmazonEKSViewPolicy in namespaces kube-s*: allows it")
	r.canI(t, "role/viewer get /apis", 0, `ClusterRoleBinding "system:discovery"`)
	r.canI(t, role+" delete deploy/coredns -n kube-system", 1, "no rule of it allows this")

	ops.want(t, "a user whom nothing lets in", "default", apierrors.IsUnauthorized)
	r.mapInAWSAuth(t, "mapUsers", "- userarn: "+user+"\n  username: ops\n  groups: [system:masters]\n")
	ops.want(t, "a user whom aws-auth maps", "default", succeeds)
	r.canI(t, "ops delete nodes", 0, "the group system:masters may do everything")

	_, err = services.eks.DeleteAccessEntry(ctx,
		&eks.DeleteAccessEntryInput{ClusterName: aws.String("demo"), PrincipalArn: &role})
	must(t, "DeleteAccessEntry", err)
	viewer.want(t, "a role whose access entry is deleted", "kube-system", apierrors.IsUnauthorized)
	ops.forge(t)
	r.pastTheEndpoint(t)
}

func succeeds(err error) bool { return err == nil }

// canI polls until tripod can-i ends with that code, and gives that reason: each zone hears of a change at its own
// time.
func (r *testRegion) canI(t *testing.T, question string, code int, reason string) {
	t.Helper()
	eventually(t, 5*time.Second, "tripod can-i "+question, func() (bool, string) {
		out, errs, got := tripod(t, r.DataDir(), append([]string{"can-i"}, strings.Fields(question)...)...)
		return got == code && strings.Contains(out, reason), fmt.Sprint(got, " ", out, errs)
	})
}

// aws runs an aws command and returns the words that it prints.
func (r *testRegion) aws(t *testing.T, args ...string) []string {
	t.Helper()
	env, err := r.Env()
	must(t, "make the environment", err)
	command := exec.CommandContext(within(t, 60*time.Second), "aws", append(args, "--output", "text")...)
	command.Env = append(env, "HOME="+t.TempDir(), "PYENV_ROOT="+pyenvRoot())
	out, err := command.Output()
	must(t, "aws "+args[1], err)
	return strings.Fields(string(out))
}

// mapInAWSAuth sets what the ConfigMap aws-auth says under mapUsers or mapRoles. It makes the ConfigMap where the
// cluster's node groups, which make it too, have not come so far.
func (r *testRegion) mapInAWSAuth(t *testing.T, key, text string) {
	t.Helper()
	auth := applycorev1.ConfigMap("aws-auth", "kube-system").WithData(map[string]string{key: text})
	_, err := r.kube(t).CoreV1().ConfigMaps("kube-system").Apply(within(t, 10*time.Second), auth,
		metav1.ApplyOptions{FieldManager: "story-" + key, Force: true})
	must(t, "apply aws-auth", err)
}

// keysOf and sessionOf are credentials as tokens are signed with them.
func keysOf(c api.Credentials) iam.Credentials {
	return iam.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
}

func sessionOf(c *ststypes.Credentials) iam.Credentials {
	return iam.Credentials{AccessKeyID: *c.AccessKeyId, SecretAccessKey: *c.SecretAccessKey, SessionToken: *c.SessionToken}
}

// apiServers are clients of all zones' API servers, past the balancer.
type apiServers []*rest.Config

func (r *testRegion) everyAPIServer(t *testing.T, as iam.Credentials) (all apiServers) {
	t.Helper()
	status := r.status(t)
	token, err := iam.Token(context.Background(), as, "us-east-1", status.AWSEndpoint, "demo", time.Now())
	must(t, "make a token", err)
	cluster := r.cluster(t)
	for _, zone := range status.Zones {
		socket := plan.APIServerSocket(filepath.Join(filepath.Dir(datadir.SocketPath(r.dir)), plan.Letter(zone.Name)),
			cluster.ID)
		all = append(all, &rest.Config{Host: cluster.Endpoint, BearerToken: token,
			TLSClientConfig: rest.TLSClientConfig{CAData: r.config(t).CAData},
			Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", socket)
			}})
	}
	return all
}

// pastTheEndpoint shows that no API server takes a token at its own port, where the endpoint's access rules are not
// asked.
func (r *testRegion) pastTheEndpoint(t *testing.T) {
	t.Helper()
	credentials, err := client.ReadCredentials(r.dir)
	must(t, "read the credentials", err)
	endpoint, err := url.Parse(r.cluster(t).Endpoint)
	must(t, "read the endpoint", err)
	port, err := strconv.Atoi(endpoint.Port())
	must(t, "read the endpoint's port", err)
	for i, config := range r.everyAPIServer(t, keysOf(credentials)) {
		config.Host, config.Dial = "https://"+plan.APIServerAddress(port, i), nil
		set, err := kubernetes.NewForConfig(config)
		must(t, "make a client", err)
		if _, err = set.CoreV1().Pods("default").List(within(t, 10*time.Second),
			metav1.ListOptions{Limit: 1}); !apierrors.IsUnauthorized(err) {
			t.Errorf("zone %d's API server answers a token at its port with %v", i, err)
		}
	}
}

// want polls until listing a namespace's pods ends so in every zone.
func (all apiServers) want(t *testing.T, what, namespace string, ends func(error) bool) {
	t.Helper()
	for i, config := range all {
		set, err := kubernetes.NewForConfig(config)
		must(t, "make a client", err)
		eventually(t, 2*time.Second, fmt.Sprintf("%s, zone %d", what, i), func() (bool, string) {
			_, err := set.CoreV1().Pods(namespace).List(within(t, 10*time.Second), metav1.ListOptions{Limit: 1})
			return ends(err), fmt.Sprint(err)
		})
	}
}

// forge shows that not even an administrator can impersonate what the authenticator writes. The escape brings the
// capital I past the filter's lower-casing.
func (all apiServers) forge(t *testing.T) {
	t.Helper()
	set, err := kubernetes.NewForConfig(all[0])
	must(t, "make a client", err)
	for key, allowed := range map[string]bool{"Impersonate-Extra-scopes": true, "Impersonate-Extra-arn": false,
		"Impersonate-Extra-sigs.k8s.io%2faws-iam-authenticator%2fprincipal%49d": false} {
		_, err := set.CoreV1().RESTClient().Get().AbsPath("/version").SetHeader("Impersonate-User", "x").SetHeader(key,
			"AROA").DoRaw(within(t, 10*time.Second))
		if allowed && err != nil || !allowed && !apierrors.IsForbidden(err) {
			t.Errorf("%s: got %v, want it allowed: %v", key, err, allowed)
		}
	}
}
