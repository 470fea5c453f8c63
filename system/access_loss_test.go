package system

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"tripod/iam"
)

// guests are a role with an access entry, which may view kube-system, and a user whom aws-auth makes an administrator.
type guests struct {
	region   *testRegion
	services awsServices
	role     string
	user     iam.Credentials
}

const guestName = "guest"

// invite lets the guests in.
func invite(t *testing.T, r *testRegion) *guests {
	t.Helper()
	ctx := within(t, time.Minute)
	g := &guests{region: r, services: r.awsClients(t, awsHTTP)}
	role, err := g.services.iam.CreateRole(ctx,
		&awsiam.CreateRoleInput{RoleName: aws.String(guestName), AssumeRolePolicyDocument: aws.String(
			`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"},` +
				`"Action":"sts:AssumeRole"}}`)})
	must(t, "create a role", err)
	g.role = *role.Role.Arn
	user, err := g.services.iam.CreateUser(ctx, &awsiam.CreateUserInput{UserName: aws.String(guestName)})
	must(t, "create a user", err)
	key, err := g.services.iam.CreateAccessKey(ctx, &awsiam.CreateAccessKeyInput{UserName: aws.String(guestName)})
	must(t, "create an access key", err)
	g.user = iam.Credentials{AccessKeyID: *key.AccessKey.AccessKeyId, SecretAccessKey: *key.AccessKey.SecretAccessKey}

	_, err = g.services.eks.CreateAccessEntry(ctx,
		&eks.CreateAccessEntryInput{ClusterName: aws.String("demo"), PrincipalArn: &g.role})
	must(t, "create an access entry", err)
	g.mayView(t, "kube-system")
	r.mapInAWSAuth(t, "mapUsers", "- userarn: "+*user.User.Arn+"\n  groups: [system:masters]\n")
	g.viewer(t).want(t, "a viewer", "kube-system", succeeds)
	r.everyAPIServer(t, g.user).want(t, "a user whom aws-auth maps", "default", succeeds)
	return g
}

// mayView gives the role the namespace, and no other.
func (g *guests) mayView(t *testing.T, namespace string) {
	t.Helper()
	_, err := g.services.eks.AssociateAccessPolicy(within(t, 20*time.Second),
		&eks.AssociateAccessPolicyInput{ClusterName: aws.String("demo"),
			PrincipalArn: &g.role, PolicyArn: aws.String(iam.AccessPolicyPrefix + "AmazonEKSViewPolicy"),
			AccessScope: &ekstypes.AccessScope{Type: ekstypes.AccessScopeTypeNamespace, Namespaces: []string{namespace}}})
	must(t, "associate an access policy", err)
}

// key makes the user's access key active or inactive.
func (g *guests) key(t *testing.T, status iamtypes.StatusType) {
	t.Helper()
	_, err := g.services.iam.UpdateAccessKey(within(t, 20*time.Second), &awsiam.UpdateAccessKeyInput{
		UserName: aws.String(guestName), AccessKeyId: &g.user.AccessKeyID, Status: status})
	must(t, "update an access key", err)
}

// viewer is the role at every API server, by a session and a token that are made now.
func (g *guests) viewer(t *testing.T) apiServers {
	t.Helper()
	session, err := g.services.sts.AssumeRole(within(t, 20*time.Second),
		&sts.AssumeRoleInput{RoleArn: &g.role, RoleSessionName: aws.String("me@home")})
	must(t, "AssumeRole", err)
	return g.region.everyAPIServer(t, sessionOf(session.Credentials))
}

// without leaves a zone's API server out.
func (all apiServers) without(zone int) apiServers {
	return slices.Delete(slices.Clone(all), zone, zone+1)
}

// withoutZone shows that the living zones know the guests, and hear of what changes about them meanwhile. It leaves the
// role with the namespace default and the user with an inactive key.
func (g *guests) withoutZone(t *testing.T, lost int) {
	t.Helper()
	what := fmt.Sprintf("without zone %d: ", lost)
	viewer, user := g.viewer(t).without(lost), g.region.everyAPIServer(t, g.user).without(lost)
	viewer.want(t, what+"a viewer of kube-system, there", "kube-system", succeeds)
	viewer.want(t, what+"a viewer of kube-system, elsewhere", "default", apierrors.IsForbidden)
	user.want(t, what+"a user whom aws-auth maps", "default", succeeds)
	g.mayView(t, "default")
	g.key(t, iamtypes.StatusTypeInactive)
	viewer.want(t, what+"a viewer of default now, there", "default", succeeds)
	viewer.want(t, what+"a viewer of default now, elsewhere", "kube-system", apierrors.IsForbidden)
	user.want(t, what+"a user whose key is inactive", "default", apierrors.IsUnauthorized)
}

// withAllZones shows that also the zone that was lost knows what changed meanwhile, and makes the guests what they
// were.
func (g *guests) withAllZones(t *testing.T) {
	t.Helper()
	viewer, user := g.viewer(t), g.region.everyAPIServer(t, g.user)
	viewer.want(t, "with all zones: a viewer of default", "default", succeeds)
	viewer.want(t, "with all zones: a viewer of default, elsewhere", "kube-system", apierrors.IsForbidden)
	user.want(t, "with all zones: a user whose key is inactive", "default", apierrors.IsUnauthorized)
	g.mayView(t, "kube-system")
	g.key(t, iamtypes.StatusTypeActive)
	viewer.want(t, "with all zones: a viewer of kube-system", "kube-system", succeeds)
	user.want(t, "with all zones: a user whose key is active again", "default", succeeds)
}
