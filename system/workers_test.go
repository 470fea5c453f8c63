package system

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	scalingtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
)

// TestSelfManagedWorkersJoinAndAreReplaced is a story of an Auto Scaling group whose instances become nodes by their user
// data alone, of its size, and of a zone that dies with one of them.
func TestSelfManagedWorkersJoinAndAreReplaced(t *testing.T) {
	t.Parallel()
	r := startRegion(t)
	calls, kube := r.awsClients(t, awsHTTP), r.kube(t)
	ctx := within(t, 6*time.Minute)
	template := r.nodeTemplate(t, calls, "self-managed", "demo-node", "--node-labels=team=blue")
	subnets, err := calls.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{Filters: []ec2types.Filter{
		{Name: aws.String("map-public-ip-on-launch"), Values: []string{"false"}}}})
	must(t, "DescribeSubnets", err)
	var ids []string
	for _, s := range subnets.Subnets {
		ids = append(ids, *s.SubnetId)
	}
	_, err = calls.groups.CreateAutoScalingGroup(ctx, &autoscaling.CreateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String("blue"), MinSize: aws.Int32(0), MaxSize: aws.Int32(6), DesiredCapacity: aws.Int32(3),
		VPCZoneIdentifier: aws.String(strings.Join(ids, ",")),
		LaunchTemplate:    &scalingtypes.LaunchTemplateSpecification{LaunchTemplateId: aws.String(template)}})
	must(t, "CreateAutoScalingGroup", err)
	zones := readyZones(t, kube, "team=blue", 3)
	if len(zones) != 3 {
		t.Errorf("three nodes are in %v, want one in each zone", zones)
	}

	r.do(t, "kill", "az/b")
	eventually(t, time.Minute, "the group replaces the lost zone's instance elsewhere", func() (bool, string) {
		found, err := calls.groups.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{
			AutoScalingGroupNames: []string{"blue"}})
		must(t, "DescribeAutoScalingGroups", err)
		state, serving := "", 0
		for _, i := range found.AutoScalingGroups[0].Instances {
			state += fmt.Sprint(*i.InstanceId, " in ", *i.AvailabilityZone, " is ", i.LifecycleState, "; ")
			if i.LifecycleState == scalingtypes.LifecycleStateInService && *i.AvailabilityZone != "us-east-1b" {
				serving++
			}
		}
		return serving == 3, state
	})
	r.do(t, "start", "az/b")

	_, err = calls.groups.SetDesiredCapacity(ctx, &autoscaling.SetDesiredCapacityInput{
		AutoScalingGroupName: aws.String("blue"), DesiredCapacity: aws.Int32(0)})
	must(t, "SetDesiredCapacity", err)
	eventually(t, 3*time.Minute, "the nodes go", func() (bool, string) {
		list, err := kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: "team=blue"})
		if err != nil {
			return false, err.Error()
		}
		return len(list.Items) == 0, fmt.Sprint(len(list.Items), " nodes")
	})
}

// suspendGroups keeps the region's Auto Scaling groups from these processes.
func (r *testRegion) suspendGroups(t *testing.T, processes ...string) {
	t.Helper()
	ctx, calls := within(t, time.Minute), r.awsClients(t, awsHTTP).groups
	found, err := calls.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{})
	must(t, "DescribeAutoScalingGroups", err)
	for _, g := range found.AutoScalingGroups {
		_, err := calls.SuspendProcesses(ctx, &autoscaling.SuspendProcessesInput{AutoScalingGroupName: g.AutoScalingGroupName,
			ScalingProcesses: processes})
		must(t, "SuspendProcesses", err)
	}
}

// readyZones waits for so many Ready nodes with that label, and returns the zones they are in.
func readyZones(t *testing.T, kube kubernetes.Interface, label string, count int) map[string]int {
	t.Helper()
	ctx := within(t, time.Minute)
	var zones map[string]int
	eventually(t, time.Minute, fmt.Sprint(count, " Ready nodes with ", label), func() (bool, string) {
		list, err := kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: label})
		if err != nil {
			return false, err.Error()
		}
		ready := 0
		zones = map[string]int{}
		for _, n := range list.Items {
			if isReady(n) && n.Labels[corev1.LabelTopologyZone] != "" {
				ready++
				zones[n.Labels[corev1.LabelTopologyZone]]++
			}
		}
		return ready == count, fmt.Sprintf("%d nodes, %d Ready", len(list.Items), ready)
	})
	return zones
}

// nodeTemplate makes a launch template of EKS's newest image whose instances join demo, by the instance profile, and
// returns its id.
func (r *testRegion) nodeTemplate(t *testing.T, calls awsServices, name, profile, flags string) string {
	t.Helper()
	ctx := within(t, time.Minute)
	described, err := calls.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String("demo")})
	must(t, "DescribeCluster", err)
	config := fmt.Sprintf("apiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\nspec:\n  cluster:\n    name: demo\n"+
		"    apiServerEndpoint: %s\n    certificateAuthority: %s\n    cidr: 10.100.0.0/16\n  kubelet:\n    flags: ['%s']\n",
		*described.Cluster.Endpoint, *described.Cluster.CertificateAuthority.Data, flags)
	images, err := calls.ec2.DescribeImages(ctx, &ec2.DescribeImagesInput{Owners: []string{"amazon"}, Filters: []ec2types.Filter{
		{Name: aws.String("name"), Values: []string{"amazon-eks-node-al2023-x86_64-standard-1.36-*"}}}})
	must(t, "DescribeImages", err)
	if len(images.Images) == 0 {
		t.Fatal("there is no EKS optimized image for 1.36")
	}
	made, err := calls.ec2.CreateLaunchTemplate(ctx, &ec2.CreateLaunchTemplateInput{LaunchTemplateName: aws.String(name),
		LaunchTemplateData: &ec2types.RequestLaunchTemplateData{
			ImageId: images.Images[0].ImageId, InstanceType: ec2types.InstanceTypeM5Large,
			IamInstanceProfile: &ec2types.LaunchTemplateIamInstanceProfileSpecificationRequest{Name: aws.String(profile)},
			UserData:           aws.String(base64.StdEncoding.EncodeToString([]byte(config)))}})
	must(t, "CreateLaunchTemplate", err)
	return *made.LaunchTemplate.LaunchTemplateId
}

// podsServe is a story of a Deployment behind a Service: its pods answer over HTTP, say who they are, and log it.
func podsServe(t *testing.T, r *testRegion) {
	kube, ctx := r.kube(t), within(t, time.Minute)
	const name = "whoami"
	labels := map[string]string{"app": name}
	_, err := kube.AppsV1().Deployments("default").Create(ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{Replicas: aws.Int32(3), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "traefik/whoami",
					Ports: []corev1.ContainerPort{{ContainerPort: 8080}}}}}}}}, metav1.CreateOptions{})
	must(t, "create the deployment", err)
	t.Cleanup(func() {
		kube.AppsV1().Deployments("default").Delete(within(t, time.Minute), name, metav1.DeleteOptions{})
		kube.CoreV1().Services("default").Delete(within(t, time.Minute), name, metav1.DeleteOptions{})
	})
	_, err = kube.CoreV1().Services("default").Create(ctx, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Port: 80,
			TargetPort: intstr.FromInt32(8080)}}}}, metav1.CreateOptions{})
	must(t, "create the service", err)
	var page struct{ Pod, Node, Zone, Path string }
	eventually(t, 30*time.Second, "a pod answers behind the service", func() (bool, string) {
		body, err := kube.CoreV1().RESTClient().Get().Namespace("default").Resource("services").Name(name + ":80").
			SubResource("proxy").Suffix("shop").DoRaw(ctx)
		if err == nil {
			err = json.Unmarshal(body, &page)
		}
		return err == nil, fmt.Sprint(string(body), err)
	})
	pod, err := kube.CoreV1().Pods("default").Get(ctx, page.Pod, metav1.GetOptions{})
	must(t, "read the pod that answered", err)
	if page.Node != pod.Spec.NodeName || !strings.HasPrefix(page.Path, "/shop") || !strings.HasPrefix(page.Zone, "us-east-1") {
		t.Errorf("the page says %+v, the pod is on %s", page, pod.Spec.NodeName)
	}
	log, err := kube.CoreV1().Pods("default").GetLogs(page.Pod, &corev1.PodLogOptions{}).DoRaw(ctx)
	if err != nil || !strings.Contains(string(log), "GET /shop") {
		t.Errorf("the pod's log has no such request: %q (%v)", log, err)
	}
}

// podsEnd is a story of pods that end as their commands say.
func podsEnd(t *testing.T, r *testRegion) {
	kube, ctx := r.kube(t), within(t, time.Minute)
	pods := kube.CoreV1().Pods("default")
	for name, command := range map[string]string{"ends-well": "echo done; sleep 0.2", "ends-badly": "echo no; exit 3"} {
		_, err := pods.Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever,
				Containers: []corev1.Container{{Name: "c", Image: "busybox", Command: []string{"sh", "-c", command}}}},
		}, metav1.CreateOptions{})
		must(t, "create the pod", err)
		t.Cleanup(func() { pods.Delete(within(t, time.Minute), name, metav1.DeleteOptions{}) })
	}
	for name, want := range map[string]struct {
		phase corev1.PodPhase
		code  int32
		log   string
	}{"ends-well": {corev1.PodSucceeded, 0, "done\n"}, "ends-badly": {corev1.PodFailed, 3, "no\n"}} {
		var ended *corev1.ContainerStateTerminated
		eventually(t, 30*time.Second, name+" ends", func() (bool, string) {
			pod, err := pods.Get(ctx, name, metav1.GetOptions{})
			if err != nil || len(pod.Status.ContainerStatuses) == 0 {
				return false, fmt.Sprint(err)
			}
			ended = pod.Status.ContainerStatuses[0].State.Terminated
			return ended != nil && pod.Status.Phase == want.phase, fmt.Sprint(pod.Status.Phase)
		})
		if ended.ExitCode != want.code {
			t.Errorf("%s ended with %d, want %d", name, ended.ExitCode, want.code)
		}
		if log, err := pods.GetLogs(name, &corev1.PodLogOptions{}).DoRaw(ctx); string(log) != want.log {
			t.Errorf("%s has the log %q (%v), want %q", name, log, err, want.log)
		}
	}
}
