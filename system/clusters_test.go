package system

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"tripod/client"
)

// configOf is what a user's client makes of the kubeconfig for one of several clusters.
func (r *testRegion) configOf(t testing.TB, arn string) *rest.Config {
	t.Helper()
	var config *rest.Config
	eventually(t, 20*time.Second, "the kubeconfig has "+arn, func() (bool, string) {
		var err error
		config, err = clientcmd.NewNonInteractiveDeferredLoadingClientConfig(&clientcmd.ClientConfigLoadingRules{ExplicitPath: r.Kubeconfig()},
			&clientcmd.ConfigOverrides{CurrentContext: arn}).ClientConfig()
		if err != nil {
			return false, err.Error()
		}
		return true, ""
	})
	config.Timeout = 30 * time.Second
	return config
}

// TestClustersComeAndGo makes a second cluster beside a first that is written to, uses it, and deletes it while a zone is down: what that zone has of
// it goes when the zone returns.
func TestClustersComeAndGo(t *testing.T) {
	t.Parallel()
	r := startRegion(t)
	entries := keepWriting(t, r, "journal")
	api := r.awsClients(t, awsHTTP).eks
	ctx := within(t, 60*time.Second)
	demo, err := api.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String("demo")})
	must(t, "DescribeCluster", err)
	network := &ekstypes.VpcConfigRequest{SubnetIds: demo.Cluster.ResourcesVpcConfig.SubnetIds}
	begin := time.Now()
	made, err := api.CreateCluster(ctx, &eks.CreateClusterInput{Name: aws.String("second"), RoleArn: demo.Cluster.RoleArn, Version: aws.String("1.35"),
		ResourcesVpcConfig: network, AccessConfig: &ekstypes.CreateAccessConfigRequest{AuthenticationMode: ekstypes.AuthenticationModeApi}})
	must(t, "CreateCluster", err)
	if made.Cluster.Status != ekstypes.ClusterStatusCreating || made.Cluster.Endpoint != nil {
		t.Errorf("CreateCluster answers with status %s and endpoint %v", made.Cluster.Status, made.Cluster.Endpoint)
	}
	name := &eks.DescribeClusterInput{Name: aws.String("second")}
	must(t, "wait cluster-active", eks.NewClusterActiveWaiter(api).Wait(ctx, name, 5*time.Minute, func(o *eks.ClusterActiveWaiterOptions) {
		o.MinDelay, o.MaxDelay = 200*time.Millisecond, 200*time.Millisecond
	}))
	t.Logf("the second cluster was ACTIVE after %.1f s", time.Since(begin).Seconds())

	kube := mustClient(t, r.configOf(t, aws.ToString(made.Cluster.Arn)))
	if version, err := kube.Discovery().ServerVersion(); err != nil || version.Minor != "35" {
		t.Errorf("the second cluster says version %+v, %v", version, err)
	}
	_, err = kube.CoreV1().ConfigMaps("default").Create(within(t, 20*time.Second), configMap("here", ""), metav1.CreateOptions{})
	must(t, "write to the second cluster", err)
	if _, err := r.kube(t).CoreV1().ConfigMaps("default").Get(within(t, 20*time.Second), "here", metav1.GetOptions{}); err == nil {
		t.Error("what was written to the second cluster is in the first")
	}

	r.do(t, "kill", "az/c")
	gone, err := api.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: aws.String("second")})
	must(t, "DeleteCluster", err)
	if gone.Cluster.Status != ekstypes.ClusterStatusDeleting {
		t.Errorf("DeleteCluster answers with status %s", gone.Cluster.Status)
	}
	must(t, "wait cluster-deleted", eks.NewClusterDeletedWaiter(api).Wait(ctx, name, 5*time.Minute, func(o *eks.ClusterDeletedWaiterOptions) {
		o.MinDelay, o.MaxDelay = 200*time.Millisecond, 200*time.Millisecond
	}))
	r.do(t, "start", "az/c")
	demoID := r.cluster(t).ID
	eventually(t, 30*time.Second, "no zone has files of the deleted cluster", func() (bool, string) {
		left, _ := filepath.Glob(filepath.Join(r.dir, "zones", "*", "clusters", "*"))
		left = slices.DeleteFunc(left, func(path string) bool { return filepath.Base(path) == demoID })
		return len(left) == 0, filepath.Join(left...)
	})
	r.await(t, 60*time.Second, "region", client.ForHealthy)
	entries.goesOn(t, 10, 20*time.Second)
	entries.verify(t)
	if text, err := os.ReadFile(r.Kubeconfig()); err != nil || slices.Contains(contextsOf(t, text), aws.ToString(made.Cluster.Arn)) {
		t.Errorf("the kubeconfig still has the deleted cluster (%v)", err)
	}
}

func contextsOf(t testing.TB, kubeconfig []byte) (names []string) {
	t.Helper()
	config, err := clientcmd.Load(kubeconfig)
	must(t, "read the kubeconfig", err)
	for name := range config.Contexts {
		names = append(names, name)
	}
	return names
}

// TestUpgradeGoesOnAfterEverythingWasKilled changes a cluster's version under a writer, kills all processes in the middle and starts the region
// again: the upgrade ends well, and nothing acknowledged is lost.
func TestUpgradeGoesOnAfterEverythingWasKilled(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	r := bringUp(t, dir, "--kubernetes-version", "1.35")
	entries := keepWriting(t, r, "journal")
	entries.goesOn(t, 20, 30*time.Second)
	api := r.awsClients(t, awsHTTP).eks
	begun, err := api.UpdateClusterVersion(within(t, 20*time.Second), &eks.UpdateClusterVersionInput{Name: aws.String("demo"), Version: aws.String("1.36")})
	must(t, "UpdateClusterVersion", err)
	_, err = api.UpdateClusterConfig(within(t, 20*time.Second), &eks.UpdateClusterConfigInput{Name: aws.String("demo"), DeletionProtection: aws.Bool(true)})
	var inUse *ekstypes.ResourceInUseException
	if !errors.As(err, &inUse) {
		t.Errorf("another update meanwhile: got %v, want ResourceInUseException", err)
	}
	eventually(t, 60*time.Second, "the second zone's turn", func() (bool, string) {
		turns := 0
		must(t, "read the events", r.Events(within(t, 10*time.Second), 0, false, func(event client.Event) error {
			if event.Type == "VersionUpdate" {
				turns++
			}
			return nil
		}))
		return turns >= 2, ""
	})
	killAll(processesOf(dir))
	noProcesses(t, dir)

	r = bringUp(t, dir)
	eventually(t, 60*time.Second, "the update is Successful", func() (bool, string) {
		got, err := api.DescribeUpdate(within(t, 20*time.Second), &eks.DescribeUpdateInput{Name: aws.String("demo"), UpdateId: begun.Update.Id})
		if err != nil {
			return false, err.Error()
		}
		return got.Update.Status == ekstypes.UpdateStatusSuccessful, string(got.Update.Status)
	})
	r.await(t, 60*time.Second, "region", client.ForHealthy)
	entries.goesOn(t, 10, 30*time.Second)
	entries.verify(t)
	for range 6 { // whichever zone answers
		if version, err := mustClient(t, r.config(t)).Discovery().ServerVersion(); err != nil || version.Minor != "36" {
			t.Errorf("after the upgrade a zone says version %+v, %v", version, err)
		}
	}
}
