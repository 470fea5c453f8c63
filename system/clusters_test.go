package system

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"tripod/api"
	"tripod/client"
)

// configOf is what a user's client makes of the kubeconfig for one of several clusters.
func (r *testRegion) configOf(t testing.TB, arn string) *rest.Config {
	t.Helper()
	var config *rest.Config
	eventually(t, 20*time.Second, "the kubeconfig has "+arn, func() (bool, string) {
		var err error
		config, err = clientcmd.NewNonInteractiveDeferredLoadingClientConfig(&clientcmd.ClientConfigLoadingRules{
			ExplicitPath: r.Kubeconfig()},
			&clientcmd.ConfigOverrides{CurrentContext: arn}).ClientConfig()
		if err != nil {
			return false, err.Error()
		}
		return true, ""
	})
	config.Timeout = 30 * time.Second
	return config
}

// TestClustersComeAndGo moves a first cluster's traffic away from a zone and back, makes a second cluster beside it
// while it is written to, uses it, and deletes it while a zone is down: what that zone has of it goes when the zone
// returns.
func TestClustersComeAndGo(t *testing.T) {
	t.Parallel()
	r := startRegion(t)
	entries := keepWriting(t, r, "journal")
	shiftAwayAndBack(t, r)
	service := r.awsClients(t, awsHTTP).eks
	ctx := within(t, 60*time.Second)
	demo, err := service.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String("demo")})
	must(t, "DescribeCluster", err)
	network := &ekstypes.VpcConfigRequest{SubnetIds: demo.Cluster.ResourcesVpcConfig.SubnetIds}
	begin := time.Now()
	made, err := service.CreateCluster(ctx,
		&eks.CreateClusterInput{Name: aws.String("second"), RoleArn: demo.Cluster.RoleArn, Version: aws.String("1.35"),
			ResourcesVpcConfig:         network,
			AccessConfig:               &ekstypes.CreateAccessConfigRequest{AuthenticationMode: ekstypes.AuthenticationModeApi},
			BootstrapSelfManagedAddons: aws.Bool(false),
			ControlPlaneScalingConfig:  &ekstypes.ControlPlaneScalingConfig{Tier: "tier-xl"},
			KubeApiServerConfig: &ekstypes.KubeApiServerConfigRequest{EventTtl: aws.String("10m"),
				ServiceNodePortRange: &ekstypes.ServiceNodePortRange{MinPort: 20000, MaxPort: 20100}},
			KubeSchedulerConfig: &ekstypes.KubeSchedulerConfigRequest{NodeResourcesFit: &ekstypes.NodeResourcesFitConfig{
				ScoringStrategy: &ekstypes.ScoringStrategy{Type: "MostAllocated"}}},
			KubeControllerManagerConfig: &ekstypes.KubeControllerManagerConfigRequest{
				HorizontalPodAutoscalerControllerConfig: &ekstypes.HorizontalPodAutoscalerControllerConfigRequest{
					HorizontalPodAutoscalerSyncPeriod: aws.String("10s")},
				PodGcControllerConfig: &ekstypes.PodGcControllerConfigRequest{TerminatedPodGcThreshold: aws.Int32(100)}}})
	must(t, "CreateCluster", err)
	if made.Cluster.Status != ekstypes.ClusterStatusCreating || made.Cluster.Endpoint != nil {
		t.Errorf("CreateCluster answers with status %s and endpoint %v", made.Cluster.Status, made.Cluster.Endpoint)
	}
	name := &eks.DescribeClusterInput{Name: aws.String("second")}
	must(t, "wait cluster-active",
		eks.NewClusterActiveWaiter(service).Wait(ctx, name, 5*time.Minute, func(o *eks.ClusterActiveWaiterOptions) {
			o.MinDelay, o.MaxDelay = 200*time.Millisecond, 200*time.Millisecond
		}))
	t.Logf("the second cluster was ACTIVE after %.1f s", time.Since(begin).Seconds())

	kube := mustClient(t, r.configOf(t, aws.ToString(made.Cluster.Arn)))
	if version, err := kube.Discovery().ServerVersion(); err != nil || version.Minor != "35" {
		t.Errorf("the second cluster says version %+v, %v", version, err)
	}
	_, err = kube.CoreV1().ConfigMaps("default").Create(within(t, 20*time.Second), configMap("here", ""),
		metav1.CreateOptions{})
	must(t, "write to the second cluster", err)
	r.wantOwnSettings(t, kube)
	if _, err := r.kube(t).CoreV1().ConfigMaps("default").Get(within(t, 20*time.Second), "here",
		metav1.GetOptions{}); err == nil {
		t.Error("what was written to the second cluster is in the first")
	}

	second, err := service.DescribeCluster(ctx, name)
	must(t, "DescribeCluster", err)
	r.logIn(t, service, demo.Cluster, second.Cluster, kube)
	r.rotateAuthority(t, service, "second", aws.ToString(made.Cluster.Arn))

	r.do(t, "kill", "az/c")
	gone, err := service.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: aws.String("second")})
	must(t, "DeleteCluster", err)
	if gone.Cluster.Status != ekstypes.ClusterStatusDeleting {
		t.Errorf("DeleteCluster answers with status %s", gone.Cluster.Status)
	}
	must(t, "wait cluster-deleted",
		eks.NewClusterDeletedWaiter(service).Wait(ctx, name, 5*time.Minute, func(o *eks.ClusterDeletedWaiterOptions) {
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
	if text, err := os.ReadFile(r.Kubeconfig()); err != nil ||
		slices.Contains(contextsOf(t, text), aws.ToString(made.Cluster.Arn)) {
		t.Errorf("the kubeconfig still has the deleted cluster (%v)", err)
	}
}

// wantOwnSettings checks that the second cluster's components were started as its creation asked for, and live with it.
func (r *testRegion) wantOwnSettings(t testing.TB, kube *kubernetes.Clientset) {
	t.Helper()
	for port, allowed := range map[int32]bool{20050: true, 30500: false} {
		service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("port-%d", port)},
			Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort, Ports: []corev1.ServicePort{{Port: 80, NodePort: port}}}}
		if _, err := kube.CoreV1().Services("default").Create(within(t, 20*time.Second), service,
			metav1.CreateOptions{}); (err == nil) != allowed {
			t.Errorf("node port %d: got %v", port, err)
		}
	}
	eventually(t, 20*time.Second, "the second cluster has controllers, which live", func() (bool, string) {
		status := r.status(t)
		for _, zone := range status.Zones {
			for _, i := range zone.Instances {
				if i.Cluster == "second" && i.Restarts > 0 {
					t.Errorf("%s of the second cluster was started again: %s", i.Target, i.Reason)
				}
			}
		}
		for _, c := range status.Clusters {
			if c.Name == "second" {
				return c.Controllers != "" && c.Scheduler != "", fmt.Sprintf("%+v", c)
			}
		}
		return false, "there is no second cluster"
	})
	if deployments, err := kube.AppsV1().Deployments("kube-system").List(within(t, 20*time.Second),
		metav1.ListOptions{}); err != nil || len(deployments.Items) > 0 {
		t.Errorf("a cluster without add-ons has %d deployments, %v", len(deployments.Items), err)
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

// updateVersion begins a change of demo's version.
func updateVersion(t testing.TB, service *eks.Client, version string) (id *string) {
	t.Helper()
	begun, err := service.UpdateClusterVersion(within(t, 20*time.Second),
		&eks.UpdateClusterVersionInput{Name: aws.String("demo"), Version: aws.String(version)})
	must(t, "UpdateClusterVersion", err)
	return begun.Update.Id
}

// awaitUpdate waits until an update of a cluster has ended so.
func awaitUpdate(t testing.TB, service *eks.Client, cluster string, id *string,
	want ekstypes.UpdateStatus) *ekstypes.Update {
	t.Helper()
	var update *ekstypes.Update
	eventually(t, 60*time.Second, "the update is "+string(want), func() (bool, string) {
		got, err := service.DescribeUpdate(within(t, 20*time.Second),
			&eks.DescribeUpdateInput{Name: aws.String(cluster), UpdateId: id})
		if err != nil {
			return false, err.Error()
		}
		update = got.Update
		return update.Status == want, string(update.Status)
	})
	return update
}

// turns is how many zones have begun to change their part of the control plane since the region was made.
func (r *testRegion) turns(t testing.TB) (n int) {
	t.Helper()
	must(t, "read the events", r.Events(within(t, 10*time.Second), 0, false, func(event api.Event) error {
		if event.Type == "ControlPlaneUpdate" {
			n++
		}
		return nil
	}))
	return n
}

// wantVersion asks often enough that every zone answers.
func (r *testRegion) wantVersion(t testing.TB, minor string) {
	t.Helper()
	for range 6 {
		if version, err := mustClient(t, r.config(t)).Discovery().ServerVersion(); err != nil || version.Minor != minor {
			t.Errorf("a zone says version %+v, %v, want minor %s", version, err, minor)
		}
	}
}

// TestUpgradeGoesBackAndOn changes a cluster's version under a writer: one change fails in its last zone and one is
// cancelled in its first, and all go back; in the middle of the third all processes are killed, and after a new start
// it ends well. Nothing acknowledged is lost.
func TestUpgradeGoesBackAndOn(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	r := bringUp(t, dir, "--kubernetes-version", "1.35")
	entries := keepWriting(t, r, "journal")
	entries.goesOn(t, 20, 30*time.Second)
	service := r.awsClients(t, awsHTTP).eks

	r.do(t, "fault", "update/demo")
	failing := updateVersion(t, service, "1.36")
	_, err := service.UpdateClusterConfig(within(t, 20*time.Second),
		&eks.UpdateClusterConfigInput{Name: aws.String("demo"), DeletionProtection: aws.Bool(true)})
	var inUse *ekstypes.ResourceInUseException
	if !errors.As(err, &inUse) {
		t.Errorf("another update meanwhile: got %v, want ResourceInUseException", err)
	}
	if failed := awaitUpdate(t, service, "demo", failing, ekstypes.UpdateStatusFailed); len(failed.Errors) != 1 ||
		r.turns(t) != 3 {
		t.Errorf("after %d zones' turns the update has errors %+v", r.turns(t), failed.Errors)
	}
	r.wantVersion(t, "35")

	cancelled := updateVersion(t, service, "1.36")
	eventually(t, 60*time.Second, "the first zone's turn", func() (bool, string) { return r.turns(t) > 3, "" })
	_, err = service.CancelUpdate(within(t, 20*time.Second), &eks.CancelUpdateInput{Name: aws.String("demo"),
		UpdateId: cancelled})
	must(t, "CancelUpdate", err)
	awaitUpdate(t, service, "demo", cancelled, ekstypes.UpdateStatusCancelled)
	r.wantVersion(t, "35")
	entries.goesOn(t, 10, 30*time.Second)

	killed := updateVersion(t, service, "1.36")
	before := r.turns(t)
	eventually(t, 60*time.Second, "another zone's turn", func() (bool, string) { return r.turns(t) > before, "" })
	killAll(processesOf(dir))
	noProcesses(t, dir)

	r = bringUp(t, dir)
	awaitUpdate(t, service, "demo", killed, ekstypes.UpdateStatusSuccessful)
	r.await(t, 60*time.Second, "region", client.ForHealthy)
	entries.goesOn(t, 10, 30*time.Second)
	entries.verify(t)
	r.wantVersion(t, "36")
}
