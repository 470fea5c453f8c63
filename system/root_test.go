package system

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"tripod/api"
	"tripod/iam"
)

// rootUser is a story of the account's root user, whom nothing lets into a cluster that it did not make: neither its
// account's name in an access entry nor a federated user of its own stand for one another.
func rootUser(t *testing.T, r *testRegion) {
	ctx := within(t, time.Minute)
	credentials, err := r.RootCredentials(ctx)
	must(t, "ask for root's credentials", err)
	arn := credentials.UserARN
	services := r.awsClientsWith(t, awsHTTP, *credentials)
	services.read(t)
	boss := r.everyAPIServer(t, keysOf(*credentials))
	boss.want(t, "root without an access entry", "default", apierrors.IsUnauthorized)
	r.canI(t, "root list pods", 1, "it has no access entry")

	_, err = services.eks.CreateAccessEntry(ctx,
		&eks.CreateAccessEntryInput{ClusterName: aws.String("demo"), PrincipalArn: &arn})
	must(t, "CreateAccessEntry", err)
	_, err = services.eks.AssociateAccessPolicy(ctx,
		&eks.AssociateAccessPolicyInput{ClusterName: aws.String("demo"), PrincipalArn: &arn,
			PolicyArn:   aws.String(iam.AccessPolicyPrefix + "AmazonEKSViewPolicy"),
			AccessScope: &ekstypes.AccessScope{Type: ekstypes.AccessScopeTypeCluster}})
	must(t, "AssociateAccessPolicy", err)
	boss.want(t, "root with an access entry", "default", succeeds)
	r.canI(t, "root list pods", 0, "access policy AmazonEKSViewPolicy in the whole cluster: allows it")
	r.canI(t, arn+" delete pods", 1, "no rule of it allows this")
	r.whoIsRoot(t, arn)

	made, err := services.sts.GetFederationToken(ctx, &sts.GetFederationTokenInput{Name: aws.String("bob")})
	must(t, "GetFederationToken", err)
	bob := r.everyAPIServer(t, sessionOf(made.Credentials))
	bob.want(t, "a federated user of root's", "default", apierrors.IsUnauthorized)
	r.canI(t, "federated-user/bob list pods", 1, "federated users have no access entries")
	r.mapInAWSAuth(t, "mapUsers", "- userarn: "+*made.FederatedUser.Arn+"\n  username: bob\n  groups: [system:masters]\n")
	bob.want(t, "a federated user whom aws-auth maps", "default", succeeds)
	r.canI(t, *made.FederatedUser.Arn+" list pods", 0, "the group system:masters may do everything")

	r.canI(t, "system:serviceaccount:kube-system:coredns list services -A", 0, `ClusterRoleBinding "system:coredns"`)
	r.canI(t, "system:serviceaccount:kube-system:nobody list services -A", 1, `has no service account "nobody"`)
	r.canI(t, "user:jane list pods", 1, "no rule allows it")
	r.canI(t, "user:jane list pods --as-group system:masters", 0, "the group system:masters may do everything")

	_, err = services.eks.DeleteAccessEntry(ctx,
		&eks.DeleteAccessEntryInput{ClusterName: aws.String("demo"), PrincipalArn: &arn})
	must(t, "DeleteAccessEntry", err)
	boss.want(t, "root whose access entry is deleted", "default", apierrors.IsUnauthorized)
	r.inHistory(t, arn)
}

// whoIsRoot asks for the explanation of a token of root's, in a shell that has done what `tripod env --root` says.
func (r *testRegion) whoIsRoot(t *testing.T, arn string) {
	t.Helper()
	shell := func(command string) string {
		t.Helper()
		script := fmt.Sprintf(`eval "$('%s' --data-dir '%s' env --root)" && '%s' --data-dir '%s' %s`, binary, r.dir, binary,
			r.dir, command)
		var errs bytes.Buffer
		run := exec.CommandContext(within(t, 30*time.Second), "sh", "-c", script)
		run.Stderr = &errs
		out, err := run.Output()
		if err != nil {
			t.Fatalf("%s as root: %v: %s%s", command, err, out, errs.String())
		}
		return string(out)
	}
	text := shell("whoami --cluster demo")
	for _, want := range []string{"token         its access key AKIA", "principal     " + arn + " (111122223333)",
		"let in by     the access entry of " + arn,
		"user          " + arn, "access policy AmazonEKSViewPolicy in the whole cluster"} {
		if !strings.Contains(text, want) {
			t.Errorf("whoami does not say %q: %s", want, text)
		}
	}
	var identity api.Identity
	must(t, "read whoami's JSON", json.Unmarshal([]byte(shell("whoami --cluster demo -o json")), &identity))
	policy := api.AccessPolicy{ARN: iam.AccessPolicyPrefix + "AmazonEKSViewPolicy", Scope: "cluster"}
	if identity.ARN != arn || identity.ID != "111122223333" || len(identity.Checks) != 4 ||
		len(identity.Associated) != 1 || identity.Associated[0].ARN != policy.ARN {
		t.Errorf("whoami -o json: got %+v", identity)
	}
	if got := shell("kubectl auth whoami -o jsonpath={.status.userInfo.username}"); got != arn {
		t.Errorf("the API server takes root for %s", got)
	}
}

// inHistory looks for root's calls as CloudTrail shows them.
func (r *testRegion) inHistory(t *testing.T, arn string) {
	t.Helper()
	out, errs, code := tripod(t, r.DataDir(), "history", "-o", "json", "--mutating")
	lines := strings.Split(out, "\n")
	wanted := `"type":"Root","principalId":"111122223333","arn":"` + arn + `"`
	if code != 0 || !slices.ContainsFunc(lines, func(line string) bool {
		return strings.Contains(line, wanted) && strings.Contains(line, `"CreateAccessEntry"`)
	}) {
		t.Errorf("the history has no CreateAccessEntry by root: %s", errs)
	}
}
