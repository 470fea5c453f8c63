package system

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// rotateAuthority gives a cluster a second certificate authority and makes it the signer. Clients that trust both, as
// the kubeconfig says in between, do not notice; those that trust the first alone work until the second one signs, as
// the EKS user guide has it.
func (r *testRegion) rotateAuthority(t testing.TB, api *eks.Client, name, arn string) {
	t.Helper()
	answers := func(kube *kubernetes.Clientset) error {
		_, err := kube.CoreV1().Namespaces().List(within(t, 20*time.Second), metav1.ListOptions{})
		return err
	}
	first := r.configOf(t, arn)
	made, err := api.CreateCertificateAuthority(within(t, 20*time.Second),
		&eks.CreateCertificateAuthorityInput{ClusterName: aws.String(name)})
	must(t, "CreateCertificateAuthority", err)
	awaitUpdate(t, api, name, made.Update.Id, ekstypes.UpdateStatusSuccessful)
	must(t, "with the first authority while it signs", answers(mustClient(t, first)))
	described, err := api.DescribeCluster(within(t, 20*time.Second), &eks.DescribeClusterInput{Name: aws.String(name)})
	must(t, "DescribeCluster", err)
	eventually(t, 20*time.Second, "the kubeconfig has both certificates", func() (bool, string) {
		return base64.StdEncoding.EncodeToString(r.configOf(t,
			arn).CAData) == aws.ToString(described.Cluster.CertificateAuthority.Data), ""
	})
	both := mustClient(t, r.configOf(t, arn))

	activated, err := api.ActivateCertificateAuthority(within(t, 20*time.Second),
		&eks.ActivateCertificateAuthorityInput{ClusterName: aws.String(name),
			CertificateAuthorityId: made.CertificateAuthority.Id})
	must(t, "ActivateCertificateAuthority", err)
	eventually(t, 60*time.Second, "the second authority signs", func() (bool, string) {
		if err := answers(both); err != nil { // a request may be on a connection that is reset with its API server
			return false, "with both authorities: " + err.Error()
		}
		got, err := api.DescribeUpdate(within(t, 20*time.Second), &eks.DescribeUpdateInput{Name: aws.String(name),
			UpdateId: activated.Update.Id})
		if err != nil {
			return false, err.Error()
		}
		return got.Update.Status == ekstypes.UpdateStatusSuccessful, string(got.Update.Status)
	})
	if err := answers(mustClient(t, first)); err == nil {
		t.Error("a client that trusts the first authority alone is still served")
	}
}
