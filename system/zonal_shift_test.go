package system

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/arczonalshift"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// shiftAwayAndBack moves the traffic of the cluster demo away from a zone by ARC: its node is cordoned and its
// endpoints leave, no pod does; and back.
func shiftAwayAndBack(t *testing.T, r *testRegion) {
	t.Helper()
	services, kube := r.awsClients(t, awsHTTP), r.kube(t)
	ctx := within(t, 60*time.Second)
	_, err := services.eks.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: aws.String("demo"),
		ZonalShiftConfig: &ekstypes.ZonalShiftConfigRequest{Enabled: aws.Bool(true)}})
	must(t, "enable zonal shift", err)
	demo, err := services.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String("demo")})
	must(t, "DescribeCluster", err)
	// A pod of kube-proxy is on every node.
	_, err = kube.CoreV1().Services("kube-system").Create(ctx,
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "everywhere"},
			Spec: corev1.ServiceSpec{Selector: map[string]string{"k8s-app": "kube-proxy"},
				Ports: []corev1.ServicePort{{Port: 10256}}}}, metav1.CreateOptions{})
	must(t, "create a Service", err)
	all := []string{"us-east-1a", "us-east-1b", "us-east-1c"}
	awaitZones(t, kube, all, all)

	made, err := services.shifts.StartZonalShift(ctx,
		&arczonalshift.StartZonalShiftInput{ResourceIdentifier: demo.Cluster.Arn, AwayFrom: aws.String("use1-az2"),
			ExpiresIn: aws.String("1h"), Comment: aws.String("away")})
	must(t, "StartZonalShift", err)
	without := []string{"us-east-1a", "us-east-1c"}
	awaitZones(t, kube, without, without)
	pods, err := kube.CoreV1().Pods("kube-system").List(ctx, metav1.ListOptions{LabelSelector: "k8s-app=kube-proxy"})
	if err != nil || len(pods.Items) != len(all) {
		t.Errorf("%d pods of kube-proxy are left, %v: nothing is evicted by a zonal shift", len(pods.Items), err)
	}
	_, err = services.shifts.CancelZonalShift(ctx, &arczonalshift.CancelZonalShiftInput{ZonalShiftId: made.ZonalShiftId})
	must(t, "CancelZonalShift", err)
	awaitZones(t, kube, all, all)
}

// awaitZones waits until the Service everywhere has endpoints in exactly these zones, and nodes take pods in exactly
// those.
func awaitZones(t *testing.T, kube kubernetes.Interface, endpoints, schedulable []string) {
	t.Helper()
	eventually(t, 40*time.Second, fmt.Sprintf("endpoints in %v, pods may go to %v", endpoints, schedulable),
		func() (bool, string) {
			ctx := within(t, 20*time.Second)
			list, err := kube.DiscoveryV1().EndpointSlices("kube-system").List(ctx,
				metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=everywhere"})
			if err != nil {
				return false, err.Error()
			}
			var have, take []string
			for _, slice := range list.Items {
				for _, e := range slice.Endpoints {
					have = append(have, aws.ToString(e.Zone))
				}
			}
			nodes, err := kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
			if err != nil {
				return false, err.Error()
			}
			for _, node := range nodes.Items {
				if !node.Spec.Unschedulable {
					take = append(take, node.Labels[corev1.LabelTopologyZone])
				}
			}
			slices.Sort(have)
			slices.Sort(take)
			return slices.Equal(have, endpoints) && slices.Equal(take, schedulable),
				fmt.Sprintf("endpoints in %v, pods may go to %v", have, take)
		})
}
