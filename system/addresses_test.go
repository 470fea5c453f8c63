package system

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// TestAFullSubnet is a story of a node in a subnet of 11 addresses: nine pods have addresses of its first interface, and for a second
// one there are too few. The next pod waits with the CNI's event and goes on once another one has gone. And of a node elsewhere whose
// interfaces get prefixes.
func TestAFullSubnet(t *testing.T) {
	t.Parallel()
	r := startRegion(t)
	calls, kube, ctx := r.awsClients(t, awsHTTP), r.kube(t), within(t, 6*time.Minute)
	subnets, err := calls.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{Filters: []ec2types.Filter{
		{Name: aws.String("availability-zone"), Values: []string{"us-east-1a"}},
		{Name: aws.String("map-public-ip-on-launch"), Values: []string{"false"}}}})
	must(t, "DescribeSubnets", err)
	private := subnets.Subnets[0]
	small := smallSubnet(ctx, t, calls, private)
	described, err := calls.eks.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: aws.String("demo"),
		NodegroupName: aws.String("workers")})
	must(t, "DescribeNodegroup", err)
	_, err = calls.eks.CreateNodegroup(ctx, &eks.CreateNodegroupInput{ClusterName: aws.String("demo"), NodegroupName: aws.String("small"),
		NodeRole: described.Nodegroup.NodeRole, Subnets: []string{small}, Labels: map[string]string{"team": "small"},
		InstanceTypes: []string{"m5.large"}, ScalingConfig: &ekstypes.NodegroupScalingConfig{MinSize: aws.Int32(1),
			MaxSize: aws.Int32(1), DesiredSize: aws.Int32(1)}})
	must(t, "CreateNodegroup", err)
	readyZones(t, kube, "team=small", 1)

	for i := range 10 {
		runOn(ctx, t, kube, fmt.Sprint("few-", i), "team", "small")
	}
	var waiting string
	eventually(t, time.Minute, "nine pods have addresses and one has none", func() (bool, string) {
		running := 0
		running, waiting = countRunning(ctx, t, kube)
		return running == 9 && waiting != "", fmt.Sprintf("%d run, %q waits", running, waiting)
	})
	eventually(t, time.Minute, "the pod says what it waits for, as the VPC CNI does", func() (bool, string) {
		events, err := kube.CoreV1().Events("default").List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.name=" + waiting})
		said := ""
		for _, e := range events.Items {
			said += e.Reason + ": " + e.Message + "\n"
		}
		return strings.Contains(said, "FailedCreatePodSandBox") &&
			strings.Contains(said, "add cmd: failed to assign an IP address to container"), fmt.Sprint(said, err)
	})
	_, err = calls.ec2.CreateNetworkInterface(ctx, &ec2.CreateNetworkInterfaceInput{SubnetId: aws.String(small)})
	must(t, "CreateNetworkInterface", err)
	if free := freeIn(ctx, t, calls, small); free != 0 {
		t.Errorf("%d addresses of the subnet are free, want none", free)
	}
	_, err = calls.ec2.CreateNetworkInterface(ctx, &ec2.CreateNetworkInterfaceInput{SubnetId: aws.String(small)})
	if err == nil || !strings.Contains(err.Error(), "InsufficientFreeAddressesInSubnet: ") {
		t.Errorf("an interface in a full subnet: %v", err)
	}
	podsAreOnInterfaces(ctx, t, calls, kube, small)

	pods := kube.CoreV1().Pods("default")
	sated := "few-0"
	if waiting == sated {
		sated = "few-1"
	}
	must(t, "delete a pod", pods.Delete(ctx, sated, metav1.DeleteOptions{}))
	eventually(t, 2*time.Minute, "the pod goes on when the address has rested", func() (bool, string) {
		pod, err := pods.Get(ctx, waiting, metav1.GetOptions{})
		return err == nil && pod.Status.Phase == corev1.PodRunning, fmt.Sprint(pod.Status.Phase, err)
	})

	prefixesOfANewNode(ctx, t, r, private)
}

// prefixesOfANewNode has a new node of a subnet give its pod an address of a prefix.
func prefixesOfANewNode(ctx context.Context, t *testing.T, r *testRegion, private ec2types.Subnet) {
	t.Helper()
	calls, kube := r.awsClients(t, awsHTTP), r.kube(t)
	pods := kube.CoreV1().Pods("default")
	_, err := kube.AppsV1().DaemonSets("kube-system").Patch(ctx, "aws-node", types.StrategicMergePatchType,
		[]byte(`{"spec":{"template":{"spec":{"containers":[{"name":"aws-node","env":[{"name":"ENABLE_PREFIX_DELEGATION","value":"true"},`+
			`{"name":"WARM_ENI_TARGET","value":"1"}]}]}}}}`), metav1.PatchOptions{})
	must(t, "patch aws-node", err)
	template := r.nodeTemplate(t, calls, "prefixes", "demo-node", "--node-labels=team=large")
	_, err = calls.ec2.RunInstances(ctx, &ec2.RunInstancesInput{MinCount: aws.Int32(1), MaxCount: aws.Int32(1), SubnetId: private.SubnetId,
		LaunchTemplate: &ec2types.LaunchTemplateSpecification{LaunchTemplateId: aws.String(template)}})
	must(t, "RunInstances", err)
	readyZones(t, kube, "team=large", 1)
	runOn(ctx, t, kube, "prefixed", "team", "large")
	eventually(t, time.Minute, "the new node's pod has an address of a prefix", func() (bool, string) {
		pod, err := pods.Get(ctx, "prefixed", metav1.GetOptions{})
		if err != nil || pod.Status.PodIP == "" {
			return false, fmt.Sprint(err, " no address")
		}
		found, err := calls.ec2.DescribeNetworkInterfaces(ctx, &ec2.DescribeNetworkInterfacesInput{Filters: []ec2types.Filter{
			{Name: aws.String("subnet-id"), Values: []string{*private.SubnetId}}}})
		must(t, "DescribeNetworkInterfaces", err)
		for _, i := range found.NetworkInterfaces {
			for _, p := range i.Ipv4Prefixes {
				if netip.MustParsePrefix(*p.Ipv4Prefix).Contains(netip.MustParseAddr(pod.Status.PodIP)) {
					return true, ""
				}
			}
		}
		return false, pod.Status.PodIP + " is in no interface's prefix"
	})
}

// smallSubnet makes a subnet of 11 free addresses beside a private one, with its routes.
func smallSubnet(ctx context.Context, t *testing.T, calls awsServices, beside ec2types.Subnet) string {
	t.Helper()
	made, err := calls.ec2.CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: beside.VpcId, CidrBlock: aws.String("10.0.200.0/28"),
		AvailabilityZone: beside.AvailabilityZone})
	must(t, "CreateSubnet", err)
	tables, err := calls.ec2.DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{Filters: []ec2types.Filter{
		{Name: aws.String("association.subnet-id"), Values: []string{*beside.SubnetId}}}})
	must(t, "DescribeRouteTables", err)
	if len(tables.RouteTables) > 0 { // else both have the VPC's main one
		_, err = calls.ec2.AssociateRouteTable(ctx, &ec2.AssociateRouteTableInput{RouteTableId: tables.RouteTables[0].RouteTableId,
			SubnetId: made.Subnet.SubnetId})
		must(t, "AssociateRouteTable", err)
	}
	if free := freeIn(ctx, t, calls, *made.Subnet.SubnetId); free != 11 {
		t.Fatalf("%d addresses of a new /28 are free, want 11", free)
	}
	return *made.Subnet.SubnetId
}

func freeIn(ctx context.Context, t *testing.T, calls awsServices, subnetID string) int32 {
	t.Helper()
	found, err := calls.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{SubnetIds: []string{subnetID}})
	must(t, "DescribeSubnets", err)
	return *found.Subnets[0].AvailableIpAddressCount
}

// runOn runs a pod on nodes with a label.
func runOn(ctx context.Context, t *testing.T, kube kubernetes.Interface, name, label, value string) {
	t.Helper()
	p := pod(name)
	p.Labels = map[string]string{"story": "addresses"}
	p.Spec.NodeSelector = map[string]string{label: value}
	_, err := kube.CoreV1().Pods("default").Create(ctx, p, metav1.CreateOptions{})
	must(t, "create a pod", err)
}

// countRunning is how many of the story's pods run, and the name of one that is bound and has no address.
func countRunning(ctx context.Context, t *testing.T, kube kubernetes.Interface) (running int, waiting string) {
	t.Helper()
	list, err := kube.CoreV1().Pods("default").List(ctx, metav1.ListOptions{LabelSelector: "story=addresses"})
	must(t, "list pods", err)
	for _, p := range list.Items {
		switch {
		case p.Status.Phase == corev1.PodRunning:
			running++
		case p.Spec.NodeName != "" && p.Status.PodIP == "":
			waiting = p.Name
		}
	}
	return running, waiting
}

// podsAreOnInterfaces checks that each running pod's address is one of the interfaces of its node.
func podsAreOnInterfaces(ctx context.Context, t *testing.T, calls awsServices, kube kubernetes.Interface, subnetID string) {
	t.Helper()
	found, err := calls.ec2.DescribeNetworkInterfaces(ctx, &ec2.DescribeNetworkInterfacesInput{Filters: []ec2types.Filter{
		{Name: aws.String("subnet-id"), Values: []string{subnetID}}}})
	must(t, "DescribeNetworkInterfaces", err)
	holder := map[string]string{} // by address: the instance's own address
	for _, i := range found.NetworkInterfaces {
		for _, a := range i.PrivateIpAddresses {
			holder[*a.PrivateIpAddress] = *i.PrivateIpAddress
		}
	}
	list, err := kube.CoreV1().Pods("default").List(ctx, metav1.ListOptions{LabelSelector: "story=addresses"})
	must(t, "list pods", err)
	for _, p := range list.Items {
		if p.Status.PodIP != "" && holder[p.Status.PodIP] != p.Status.HostIP {
			t.Errorf("%s on %s has %s, which is on the interface of %q", p.Name, p.Status.HostIP, p.Status.PodIP, holder[p.Status.PodIP])
		}
	}
}
