package system

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// TestKarpenterMakesReplacesAndRemovesNodes is docs/karpenter.md as a story: Karpenter's own program, unchanged, runs as
// its pod, with the policy of its documentation.
func TestKarpenterMakesReplacesAndRemovesNodes(t *testing.T) {
	t.Parallel()
	program, err := filepath.Abs("../bin/karpenter")
	must(t, "find karpenter", err)
	if !exists(program) {
		t.Fatal("bin/karpenter is not there: `make bin/karpenter` builds it")
	}
	r := startRegion(t)
	kube, calls := r.kube(t), r.awsClients(t, awsHTTP)
	r.admitKarpenter(t, calls)
	module, err := exec.CommandContext(within(t, time.Minute), "go", "list", "-C", "../testdata/karpenter", "-m", "-f", "{{.Dir}}",
		"github.com/aws/karpenter-provider-aws").Output()
	must(t, "find karpenter's module", err)
	r.kubectl(t, "apply", "--server-side", "-f", filepath.Join(strings.TrimSpace(string(module)), "pkg", "apis", "crds"))
	r.kubectl(t, "apply", "-f", "../testdata/karpenter/controller.yaml")
	r.kubectl(t, "wait", "--for=condition=Ready", "--timeout=2m", "-n", "kube-system", "pod/karpenter")
	r.runAsPod(t, "kube-system/karpenter", program)
	r.kubectl(t, "apply", "-f", "../testdata/karpenter/nodes.yaml")

	var nodes []corev1.Node
	t.Run("pending pods make nodes, one in each zone", func(t *testing.T) {
		nodes = karpenterNodes(t, kube, "team=karpenter", func(nodes []corev1.Node) bool { return len(nodes) >= 3 })
		zones := map[string]bool{}
		for _, n := range nodes {
			zones[n.Labels[corev1.LabelTopologyZone]] = true
		}
		if len(zones) != 3 {
			t.Errorf("the nodes are in %v, want all three zones", zones)
		}
		r.kubectl(t, "rollout", "status", "--timeout=3m", "deployment/inflate")
	})
	if t.Failed() {
		return
	}
	t.Run("an interrupted spot instance is replaced", func(t *testing.T) {
		victim := nodes[0]
		if victim.Labels["karpenter.sh/capacity-type"] != "spot" {
			t.Fatalf("%s is %s, want spot, which is cheaper", victim.Name, victim.Labels["karpenter.sh/capacity-type"])
		}
		id := victim.Spec.ProviderID[strings.LastIndex(victim.Spec.ProviderID, "/")+1:]
		_, errs, code := tripod(t, r.dir, "fault", "spot/"+id)
		if code != 0 {
			t.Fatalf("fault spot/%s: %s", id, errs)
		}
		nodes = karpenterNodes(t, kube, "team=karpenter", func(nodes []corev1.Node) bool {
			return len(nodes) >= 3 && !slices.ContainsFunc(nodes, func(n corev1.Node) bool { return n.Name == victim.Name })
		})
	})
	t.Run("zones without capacity are avoided", func(t *testing.T) {
		short := []string{"capacity/a", "capacity/b"}
		for _, target := range short {
			if _, errs, code := tripod(t, r.dir, "fault", target); code != 0 {
				t.Fatalf("fault %s: %s", target, errs)
			}
		}
		before := names(nodes)
		r.kubectl(t, "apply", "-f", "testdata/apart.yaml")
		r.kubectl(t, "rollout", "status", "--timeout=4m", "deployment/apart")
		nodes = karpenterNodes(t, kube, "team=karpenter", func(nodes []corev1.Node) bool { return len(nodes) >= 4 })
		for _, n := range nodes {
			if zone := n.Labels[corev1.LabelTopologyZone]; !slices.Contains(before, n.Name) && zone != "us-east-1c" {
				t.Errorf("%s is in %s, which has no capacity", n.Name, zone)
			}
		}
		for _, target := range short {
			if _, errs, code := tripod(t, r.dir, "reset", target); code != 0 {
				t.Fatalf("reset %s: %s", target, errs)
			}
		}
	})
	t.Run("nodes that pods leave are consolidated", func(t *testing.T) {
		r.kubectl(t, "delete", "deployment", "apart")
		nodes = karpenterNodes(t, kube, "team=karpenter", func(nodes []corev1.Node) bool { return len(nodes) == 3 })
	})
	t.Run("nodes that drift are replaced", func(t *testing.T) {
		r.kubectl(t, "patch", "nodepool", "default", "--type=merge", "-p",
			`{"spec":{"template":{"metadata":{"labels":{"team":"drifted"}}}}}`)
		nodes = karpenterNodes(t, kube, "team=drifted", func(nodes []corev1.Node) bool { return len(nodes) >= 3 })
		karpenterNodes(t, kube, "team=karpenter", func(nodes []corev1.Node) bool { return len(nodes) == 0 })
	})
	t.Run("empty nodes go", func(t *testing.T) {
		r.kubectl(t, "scale", "deployment", "inflate", "--replicas=0")
		karpenterNodes(t, kube, "karpenter.sh/nodepool=default", func(nodes []corev1.Node) bool { return len(nodes) == 0 })
		eventually(t, time.Minute, "their instances end", func() (bool, string) {
			found, err := calls.ec2.DescribeInstances(within(t, time.Minute), &ec2.DescribeInstancesInput{Filters: []ec2types.Filter{
				{Name: aws.String("tag-key"), Values: []string{"karpenter.sh/nodepool"}},
				{Name: aws.String("instance-state-name"), Values: []string{"pending", "running", "stopping", "stopped"}}}})
			must(t, "DescribeInstances", err)
			return len(found.Reservations) == 0, fmt.Sprint(len(found.Reservations), " live")
		})
	})
}

// admitKarpenter makes what Karpenter's documentation has one make in AWS: its role, the queue of interruptions and the
// tags by which it finds subnets and security groups.
func (r *testRegion) admitKarpenter(t *testing.T, calls awsServices) {
	t.Helper()
	ctx := within(t, time.Minute)
	read := func(name string) *string {
		text, err := os.ReadFile("../testdata/karpenter/" + name)
		must(t, "read the file", err)
		return aws.String(string(text))
	}
	role, err := calls.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("karpenter"),
		AssumeRolePolicyDocument: read("trust.json")})
	must(t, "CreateRole", err)
	_, err = calls.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: aws.String("karpenter"),
		PolicyName: aws.String("karpenter"), PolicyDocument: read("policy.json")})
	must(t, "PutRolePolicy", err)
	_, err = calls.eks.CreatePodIdentityAssociation(ctx, &eks.CreatePodIdentityAssociationInput{ClusterName: aws.String("demo"),
		Namespace: aws.String("kube-system"), ServiceAccount: aws.String("karpenter"), RoleArn: role.Role.Arn})
	must(t, "CreatePodIdentityAssociation", err)

	var attributes map[string]string
	must(t, "read queue.json", json.Unmarshal([]byte(*read("queue.json")), &attributes))
	_, err = calls.sqs.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("demo"), Attributes: attributes})
	must(t, "CreateQueue", err)
	_, err = calls.events.PutRule(ctx, &eventbridge.PutRuleInput{Name: aws.String("karpenter"), EventPattern: read("events.json")})
	must(t, "PutRule", err)
	_, err = calls.events.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: aws.String("karpenter"), Targets: []eventtypes.Target{
		{Id: aws.String("queue"), Arn: aws.String("arn:aws:sqs:us-east-1:111122223333:demo")}}})
	must(t, "PutTargets", err)

	described, err := calls.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String("demo")})
	must(t, "DescribeCluster", err)
	subnets, err := calls.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{Filters: []ec2types.Filter{
		{Name: aws.String("map-public-ip-on-launch"), Values: []string{"false"}}}})
	must(t, "DescribeSubnets", err)
	tagged := []string{*described.Cluster.ResourcesVpcConfig.ClusterSecurityGroupId}
	for _, s := range subnets.Subnets {
		tagged = append(tagged, *s.SubnetId)
	}
	_, err = calls.ec2.CreateTags(ctx, &ec2.CreateTagsInput{Resources: tagged, Tags: []ec2types.Tag{
		{Key: aws.String("karpenter.sh/discovery"), Value: aws.String("demo")}}})
	must(t, "CreateTags", err)
}

// runAsPod runs a program of this machine as a pod until the test ends. What it prints is shown when the test fails.
func (r *testRegion) runAsPod(t *testing.T, pod, program string) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "pod.log"))
	must(t, "make a log", err)
	command := exec.Command(binary, "--data-dir", r.dir, "pod", "exec", "--no-mounts", pod, "--", program)
	command.Stdout, command.Stderr = log, log
	must(t, "run the pod's program", command.Start())
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM) // it may have ended by itself, which its log says
		_ = command.Wait()
		log.Close()
		if t.Failed() {
			t.Log(tail(log.Name(), 40))
		}
	})
}

// kubectl runs the program's own kubectl, and ends the test if it fails.
func (r *testRegion) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, errs, code := tripod(t, r.dir, append([]string{"kubectl"}, args...)...)
	if code != 0 {
		t.Fatalf("kubectl %s: %s", strings.Join(args, " "), errs)
	}
	return out
}

// karpenterNodes waits until the nodes with the label are as they should be, and all Ready, and returns them.
func karpenterNodes(t *testing.T, kube kubernetes.Interface, label string, good func([]corev1.Node) bool) (nodes []corev1.Node) {
	t.Helper()
	eventually(t, 2*time.Minute, "nodes with "+label+" are as they should be", func() (bool, string) {
		list, err := kube.CoreV1().Nodes().List(within(t, time.Minute), metav1.ListOptions{LabelSelector: label})
		if err != nil {
			return false, err.Error()
		}
		nodes = list.Items
		for _, n := range nodes {
			if !isReady(n) {
				return false, n.Name + " is not Ready"
			}
		}
		return good(nodes), strings.Join(names(nodes), ", ")
	})
	return nodes
}

func names(nodes []corev1.Node) (all []string) {
	for _, n := range nodes {
		all = append(all, n.Name)
	}
	return all
}
