package system

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

const nodeRole = "arn:aws:iam::111122223333:role/demo-node"

// nodeIdentity is a story of kubelets, which sign in as their instances, may do what a node may, and are out when
// nothing lets their role in.
func nodeIdentity(t *testing.T, r *testRegion) {
	ctx := within(t, time.Minute)
	kube := r.kube(t)
	var nodes []corev1.Node
	eventually(t, 20*time.Second, "three nodes", func() (bool, string) {
		list, err := kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		must(t, "list the nodes", err)
		nodes = list.Items
		return len(nodes) == 3, fmt.Sprint(len(nodes))
	})
	node, providerID := nodes[0].Name, nodes[0].Spec.ProviderID
	session := "arn:aws:sts::111122223333:assumed-role/demo-node/" + providerID[strings.LastIndexByte(providerID, '/')+1:]

	credentials, err := r.NodeCredentials(ctx, node)
	must(t, "ask for a node's credentials", err)
	identity, err := r.awsClientsWith(t, awsHTTP, *credentials).sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	must(t, "GetCallerIdentity as a node", err)
	if *identity.Arn != session || credentials.UserARN != session {
		t.Errorf("the node calls AWS as %s, and is said to be %s, want %s", *identity.Arn, credentials.UserARN, session)
	}
	everywhere := r.everyAPIServer(t, keysOf(*credentials))
	everywhere.want(t, "a node that lists all pods", "default", apierrors.IsForbidden)
	as := mustClient(t, everywhere[0])
	if _, err := as.CoreV1().Pods("").List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + node}); err != nil {
		t.Errorf("a node may not list its own pods: %v", err)
	}
	label := []byte(`{"metadata":{"labels":{"story":"told"}}}`)
	if _, err := as.CoreV1().Nodes().Patch(ctx, nodes[1].Name, types.MergePatchType, label,
		metav1.PatchOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("a node that labels another: %v, want it forbidden", err)
	}
	r.canI(t, session+" update nodes/"+node+" --subresource status", 0, "system:node:"+node)
	r.canI(t, session+" list secrets -n kube-system", 1, "the access entry of "+nodeRole)

	calls := r.awsClients(t, awsHTTP).eks
	_, err = calls.DeleteAccessEntry(ctx,
		&eks.DeleteAccessEntryInput{ClusterName: aws.String("demo"), PrincipalArn: aws.String(nodeRole)})
	must(t, "delete the nodes' access entry", err)
	everywhere.want(t, "a node whose role aws-auth maps", "default", apierrors.IsForbidden)
	auth, err := kube.CoreV1().ConfigMaps("kube-system").Get(ctx, "aws-auth", metav1.GetOptions{})
	must(t, "read aws-auth", err)
	r.mapInAWSAuth(t, "mapRoles", "")
	everywhere.want(t, "a node whose role nothing lets in", "default", apierrors.IsUnauthorized)

	r.mapInAWSAuth(t, "mapRoles", auth.Data["mapRoles"])
	_, err = calls.CreateAccessEntry(ctx,
		&eks.CreateAccessEntryInput{ClusterName: aws.String("demo"), PrincipalArn: aws.String(nodeRole),
			Type: aws.String("EC2_LINUX")})
	must(t, "create the nodes' access entry again", err)
	everywhere.want(t, "a node whose role has an access entry again", "default", apierrors.IsForbidden)
	nodesRenew(t, kube, len(nodes), time.Now())
}

// nodesRenew waits until so many nodes have renewed their leases since then.
func nodesRenew(t *testing.T, kube kubernetes.Interface, count int, since time.Time) {
	t.Helper()
	eventually(t, 15*time.Second, "all nodes renew their leases", func() (bool, string) {
		leases, err := kube.CoordinationV1().Leases(corev1.NamespaceNodeLease).List(within(t, 10*time.Second),
			metav1.ListOptions{})
		if err != nil {
			return false, err.Error()
		}
		renewed := 0
		for _, lease := range leases.Items {
			if lease.Spec.RenewTime.After(since) {
				renewed++
			}
		}
		return renewed == count, fmt.Sprint(renewed)
	})
}
