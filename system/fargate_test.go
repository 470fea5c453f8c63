package system

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// fargateNamespace is that of the profile's pods.
const fargateNamespace = "serverless"

// TestFargate is a story of a Fargate profile: its pods have nodes of their own, which outlive a restart, what they say is in CloudWatch
// Logs by the ConfigMap aws-logging, a pod that Fargate cannot run is told so, a zone that dies takes a pod with it that is replaced
// elsewhere, and the profile goes with its nodes.
func TestFargate(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	r := bringUp(t, dir)
	calls, kube := r.awsClients(t, awsHTTP), r.kube(t)
	namespace(t, kube, fargateNamespace)
	serviceAccount(t, kube, fargateNamespace)
	profile := makeFargateProfile(t, calls)
	haveFargateLogging(t, calls, kube)
	deployTwo(t, kube)

	pods := fargatePods(t, kube, "", 2)
	logsOfFargateArrive(t, r, pods)
	zones := map[string]string{} // by the pod's name
	for _, p := range pods {
		node, err := kube.CoreV1().Nodes().Get(within(t, time.Minute), p.Spec.NodeName, metav1.GetOptions{})
		must(t, "read the node", err)
		zones[p.Name] = node.Labels[corev1.LabelTopologyZone]
		looksLikeFargate(t, p, *node)
	}
	if zones[pods[0].Name] == zones[pods[1].Name] {
		t.Errorf("both pods are in %s", zones[pods[0].Name])
	}
	must(t, "down", r.Close(within(t, time.Minute)))
	r = bringUp(t, dir)
	calls, kube = r.awsClients(t, awsHTTP), r.kube(t)
	for _, p := range fargatePods(t, kube, "", 2) {
		if zones[p.Name] == "" {
			t.Errorf("after a restart %s is there, and only %v were before", p.Name, zones)
		}
	}
	refusesPrivileged(t, kube)

	lost := zones[pods[0].Name]
	r.do(t, "kill", "az/"+letter(lost))
	for _, p := range fargatePods(t, kube, lost, 2) {
		if p.Name == pods[0].Name {
			t.Errorf("%s is still there, and %s is dead", p.Name, lost)
		}
	}
	r.do(t, "start", "az/"+letter(lost))

	ctx := within(t, 2*time.Minute)
	_, err := calls.eks.DeleteFargateProfile(ctx, &eks.DeleteFargateProfileInput{ClusterName: aws.String("demo"),
		FargateProfileName: profile})
	must(t, "DeleteFargateProfile", err)
	must(t, "wait until the profile is gone", eks.NewFargateProfileDeletedWaiter(calls.eks,
		func(o *eks.FargateProfileDeletedWaiterOptions) { o.MinDelay = time.Second }).Wait(ctx,
		&eks.DescribeFargateProfileInput{ClusterName: aws.String("demo"), FargateProfileName: profile}, 2*time.Minute))
	eventually(t, time.Minute, "Fargate's nodes go, and the pods run on the others", func() (bool, string) {
		nodes, err := kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: "eks.amazonaws.com/compute-type=fargate"})
		if err != nil {
			return false, err.Error()
		}
		list, err := kube.CoreV1().Pods(fargateNamespace).List(ctx, metav1.ListOptions{LabelSelector: "app=web"})
		if err != nil {
			return false, err.Error()
		}
		elsewhere := 0
		for _, p := range list.Items {
			if p.Status.Phase == corev1.PodRunning && !strings.HasPrefix(p.Spec.NodeName, "fargate-") {
				elsewhere++
			}
		}
		return len(nodes.Items) == 0 && elsewhere == 2, fmt.Sprintf("%d nodes, %d pods elsewhere", len(nodes.Items), elsewhere)
	})
}

// makeFargateProfile makes a profile of the namespace's pods, and waits until it is ACTIVE.
func makeFargateProfile(t *testing.T, calls awsServices) (name *string) {
	t.Helper()
	ctx := within(t, time.Minute)
	role, err := calls.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("pods"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole",` +
			`"Principal":{"Service":"eks-fargate-pods.amazonaws.com"}}}`)})
	must(t, "CreateRole", err)
	name = aws.String("serverless")
	_, err = calls.eks.CreateFargateProfile(ctx, &eks.CreateFargateProfileInput{ClusterName: aws.String("demo"),
		FargateProfileName: name, PodExecutionRoleArn: role.Role.Arn,
		Selectors: []ekstypes.FargateProfileSelector{{Namespace: aws.String("server*")}}})
	must(t, "CreateFargateProfile", err)
	must(t, "wait until the profile is ACTIVE", eks.NewFargateProfileActiveWaiter(calls.eks,
		func(o *eks.FargateProfileActiveWaiterOptions) { o.MinDelay = time.Second }).Wait(ctx,
		&eks.DescribeFargateProfileInput{ClusterName: aws.String("demo"), FargateProfileName: name}, time.Minute))
	return name
}

func deployTwo(t *testing.T, kube kubernetes.Interface) {
	t.Helper()
	labels := map[string]string{"app": "web"}
	_, err := kube.AppsV1().Deployments(fargateNamespace).Create(within(t, time.Minute), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: appsv1.DeploymentSpec{Replicas: aws.Int32(2), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels,
				Annotations: map[string]string{"tripod.internal/logs": "hello"}},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "nginx",
					Ports: []corev1.ContainerPort{{ContainerPort: 8080}}}}}}}}, metav1.CreateOptions{})
	must(t, "create the deployment", err)
}

// fargatePods waits until so many pods of the Deployment are Ready on Fargate, all outside the lost zone (empty: none is).
func fargatePods(t *testing.T, kube kubernetes.Interface, lost string, count int) (ready []corev1.Pod) {
	t.Helper()
	ctx := within(t, 3*time.Minute)
	eventually(t, 2*time.Minute, fmt.Sprintf("%d pods are Ready on Fargate", count), func() (bool, string) {
		list, err := kube.CoreV1().Pods(fargateNamespace).List(ctx, metav1.ListOptions{LabelSelector: "app=web"})
		if err != nil {
			return false, err.Error()
		}
		state := ""
		ready = nil
		for _, p := range list.Items {
			state += fmt.Sprint(p.Name, " on ", p.Spec.NodeName, " is ", p.Status.Phase, "; ")
			node, err := kube.CoreV1().Nodes().Get(ctx, p.Spec.NodeName, metav1.GetOptions{})
			if err != nil || !strings.HasPrefix(node.Name, "fargate-ip-") || node.Labels[corev1.LabelTopologyZone] == lost {
				continue
			}
			for _, condition := range p.Status.Conditions {
				if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue && p.DeletionTimestamp == nil {
					ready = append(ready, p)
				}
			}
		}
		return len(ready) == count && len(list.Items) == count, state
	})
	return ready
}

// haveFargateLogging has the log router of pods on Fargate send to CloudWatch Logs, as the EKS user guide has it.
func haveFargateLogging(t *testing.T, calls awsServices, kube kubernetes.Interface) {
	t.Helper()
	ctx := within(t, time.Minute)
	_, err := calls.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: aws.String("pods"), PolicyName: aws.String("logs"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Resource":"*","Action":` +
			`["logs:CreateLogStream","logs:CreateLogGroup","logs:DescribeLogStreams","logs:PutLogEvents","logs:PutRetentionPolicy"]}}`)})
	must(t, "PutRolePolicy", err)
	_, err = kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "aws-observability",
		Labels: map[string]string{"aws-observability": "enabled"}}}, metav1.CreateOptions{})
	must(t, "create the namespace", err)
	_, err = kube.CoreV1().ConfigMaps("aws-observability").Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "aws-logging"},
		Data: map[string]string{"output.conf": "[OUTPUT]\n    Name cloudwatch_logs\n    Match kube.*\n    region us-east-1\n" +
			"    log_group_name my-logs\n    log_stream_prefix from-fluent-bit-\n    log_retention_days 60\n    auto_create_group true\n",
			"filters.conf": "[FILTER]\n    Name kubernetes\n    Match kube.*\n"}}, metav1.CreateOptions{})
	must(t, "create the ConfigMap", err)
}

// logsOfFargateArrive waits for a line of each pod.
func logsOfFargateArrive(t *testing.T, r *testRegion, pods []corev1.Pod) {
	t.Helper()
	logs, ctx := r.logsIn(t, "a"), within(t, time.Minute)
	for _, p := range pods {
		if got := p.Annotations["Logging"]; got != "LoggingEnabled" {
			t.Errorf("%s has Logging %q", p.Name, got)
		}
		eventually(t, time.Minute, "what "+p.Name+" says is in CloudWatch Logs", func() (bool, string) {
			found, err := logs.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("my-logs"),
				LogStreamNamePrefix: aws.String("from-fluent-bit-kube.var.log.containers." + p.Name + "_" + fargateNamespace + "_web-")})
			if err != nil {
				return false, err.Error()
			}
			for _, e := range found.Events {
				if strings.Contains(*e.Message, " stdout F hello") && strings.Contains(*e.Message, `"pod_name":"`+p.Name+`"`) {
					return true, ""
				}
			}
			return false, fmt.Sprintf("%d events", len(found.Events))
		})
	}
}

func looksLikeFargate(t *testing.T, p corev1.Pod, node corev1.Node) {
	t.Helper()
	if got := p.Annotations["CapacityProvisioned"]; got != "0.25vCPU 0.5GB" {
		t.Errorf("%s has CapacityProvisioned %q", p.Name, got)
	}
	if p.Spec.SchedulerName != "fargate-scheduler" || p.Spec.PriorityClassName != "system-node-critical" ||
		*p.Spec.Priority != 2000001000 || p.Labels["eks.amazonaws.com/fargate-profile"] != "serverless" {
		t.Errorf("%s is %+v", p.Name, p.Spec)
	}
	if p.Status.PodIP == "" || p.Status.PodIP != p.Status.HostIP {
		t.Errorf("%s has the address %s, its node %s", p.Name, p.Status.PodIP, p.Status.HostIP)
	}
	if !strings.HasSuffix(node.Spec.ProviderID, "/"+node.Name) || node.Labels[corev1.LabelHostname] != strings.TrimPrefix(node.Name,
		"fargate-") {
		t.Errorf("node %s has the provider ID %s, the labels %v", node.Name, node.Spec.ProviderID, node.Labels)
	}
	tainted := false
	for _, taint := range node.Spec.Taints {
		tainted = tainted || taint.Key == "eks.amazonaws.com/compute-type" && taint.Value == "fargate"
	}
	if !tainted {
		t.Errorf("node %s has the taints %v", node.Name, node.Spec.Taints)
	}
}

// refusesPrivileged makes a pod that Fargate cannot run, and waits for its event.
func refusesPrivileged(t *testing.T, kube kubernetes.Interface) {
	t.Helper()
	ctx := within(t, time.Minute)
	_, err := kube.CoreV1().Pods(fargateNamespace).Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "privileged"},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "busybox",
			SecurityContext: &corev1.SecurityContext{Privileged: aws.Bool(true)}}}}}, metav1.CreateOptions{})
	must(t, "create a privileged pod", err)
	const want = "Pod not supported on Fargate: invalid SecurityContext fields: Privileged"
	eventually(t, 30*time.Second, "its event", func() (bool, string) {
		events, err := kube.CoreV1().Events(fargateNamespace).List(ctx, metav1.ListOptions{
			FieldSelector: "involvedObject.name=privileged"})
		if err != nil {
			return false, err.Error()
		}
		state := ""
		for _, e := range events.Items {
			state += fmt.Sprintln(e.Source.Component, e.Reason, e.Message)
			if e.Source.Component == "fargate-scheduler" && e.Reason == "FailedScheduling" && e.Message == want {
				return true, ""
			}
		}
		return false, state
	})
}
