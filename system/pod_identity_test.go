package system

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestPodsHaveTheirAWSRolesAlsoWithoutAZone: a pod's command has its environment, ends with pod exec and leaves nothing
// behind; a pod with an IRSA role and one with a pod identity association call AWS as just those roles, also when they
// were made, and call, while a zone is down.
func TestPodsHaveTheirAWSRolesAlsoWithoutAZone(t *testing.T) {
	t.Parallel()
	r := startRegion(t)
	// in which the aws CLI keeps credentials, by the role's name: those of another region's role would be taken for this
	// one's
	home := t.TempDir()
	run := r.shell(t, home)
	caller := []string{"env", "HOME=" + home, "PYENV_ROOT=" + pyenvRoot(), "aws", "sts", "get-caller-identity",
		"--query", "Arn", "--output", "text"}
	kube := r.kube(t)
	ctx := within(t, 2*time.Minute)

	const account, roles = "111122223333", "arn:aws:iam::111122223333:role/"
	calls := r.awsClients(t, awsHTTP).eks
	described, err := calls.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String("demo")})
	must(t, "describe the cluster", err)
	issuer := *described.Cluster.Identity.Oidc.Issuer
	host := strings.TrimPrefix(issuer, "https://")
	provider := strings.TrimSpace(run("aws", "iam", "create-open-id-connect-provider", "--url", issuer,
		"--client-id-list", "sts.amazonaws.com", "--output", "text"))
	run("aws", "iam", "create-role", "--role-name", "story-irsa",
		"--assume-role-policy-document", `{"Version":"2012-10-17","Statement":{"Effect":"Allow",
		"Action":"sts:AssumeRoleWithWebIdentity","Principal":{"Federated":"`+provider+`"},"Condition":{"StringEquals":{"`+host+`:sub":"system:serviceaccount:default:story-irsa"}}}}`)
	run("aws", "iam", "create-role", "--role-name", "story-pods",
		"--assume-role-policy-document", `{"Version":"2012-10-17","Statement":{"Effect":"Allow",
		"Action":["sts:AssumeRole","sts:TagSession"],"Principal":{"Service":"pods.eks.amazonaws.com"},
		"Condition":{"StringEquals":{"aws:RequestTag/kubernetes-service-account":"story-pods"}}}}`)
	_, err = calls.CreatePodIdentityAssociation(ctx, &eks.CreatePodIdentityAssociationInput{
		ClusterName: aws.String("demo"), Namespace: aws.String("default"), ServiceAccount: aws.String("story-pods"),
		RoleArn: aws.String(roles + "story-pods")})
	must(t, "associate a role", err)
	for name, annotations := range map[string]map[string]string{"story-irsa": {
		"eks.amazonaws.com/role-arn": roles + "story-irsa"}, "story-pods": nil} {
		_, err := kube.CoreV1().ServiceAccounts("default").Create(ctx,
			&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations}}, metav1.CreateOptions{})
		must(t, "make a service account", err)
	}

	_, err = kube.CoreV1().ConfigMaps("default").Create(ctx,
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "story-pods"}, Data: map[string]string{"MODE": "loud"}},
		metav1.CreateOptions{})
	must(t, "make a ConfigMap", err)
	container := corev1.Container{Name: "app", Image: "app",
		Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(
			"64Mi")}},
		EnvFrom: []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: "story-pods"}}}},
		Env: []corev1.EnvVar{
			{Name: "MEMORY", ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{
				Resource: "requests.memory", Divisor: resource.MustParse("1Mi")}}},
			{Name: "LIMIT", ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{
				Resource: "limits.cpu"}}},
			{Name: "NAME", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}},
			{Name: "ALL", Value: "$(NAME) is $(MODE) with $(MEMORY) MiB at $(KUBERNETES_SERVICE_HOST)"},
		}}

	// The pods are bare: what replaces their nodes, or balances them over the zones afterwards, would take them along.
	r.suspendGroups(t, "ReplaceUnhealthy", "AZRebalance")
	r.do(t, "kill", "az/a")
	for _, name := range []string{"story-irsa", "story-pods"} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: corev1.PodSpec{ServiceAccountName: name, Containers: []corev1.Container{container}}}
		eventually(t, 30*time.Second, "a pod is made", func() (bool, string) { // the zone's going may take a connection along
			_, err := kube.CoreV1().Pods("default").Create(ctx, pod, metav1.CreateOptions{})
			return err == nil || apierrors.IsAlreadyExists(err), errorText(err)
		})
		eventually(t, time.Minute, "the pod is on a node", func() (bool, string) {
			found, err := kube.CoreV1().Pods("default").Get(ctx, name, metav1.GetOptions{})
			return err == nil && found.Spec.NodeName != "", errorText(err)
		})
		out, errs, code := tripod(t, r.dir, append([]string{"pod", "exec", "default/" + name, "--"}, caller...)...)
		if code != 0 && strings.Contains(errs, "--no-mounts") { // no mount namespaces here
			out, errs, code = tripod(t, r.dir,
				append([]string{"pod", "exec", "--no-mounts", "default/" + name, "--"}, caller...)...)
		}
		if want := "arn:aws:sts::" + account + ":assumed-role/" + name + "/"; code != 0 || !strings.HasPrefix(out, want) {
			t.Errorf("%s: exit code %d, got %q, want %s...: %s", name, code, out, want, errs)
		}
	}
	r.do(t, "start", "az/a")
	r.await(t, time.Minute, "region", "ready")
	out, errs, code := tripod(t, r.dir, "pod", "exec", "--no-mounts", "default/story-irsa", "--", "/bin/sh", "-c",
		`echo "$ALL"; exit $((LIMIT ? 7 : 8))`)
	if want := "story-irsa is loud with 64 MiB at 127.0.0.1\n"; code != 7 || out != want {
		t.Errorf("got exit code %d, want the command's 7, and %q, want %q: %s", code, out, want, errs)
	}
	endPodExec(t, r.dir, syscall.SIGTERM)
	left := endPodExec(t, r.dir, syscall.SIGKILL)
	if _, errs, code := tripod(t, r.dir, "pod", "exec", "--no-mounts", "default/story-irsa", "--", "true"); code != 0 ||
		exists(left) {
		t.Errorf("%s is left of a killed command: %d %s", left, code, errs)
	}
}

// endPodExec sends a signal to a pod exec, awaits its command's end too, and returns where the pod's files were. Unless
// it was SIGKILL, they must be gone.
func endPodExec(t *testing.T, dataDir string, sig syscall.Signal) string {
	t.Helper()
	cmd := exec.CommandContext(within(t, time.Minute), binary, "--data-dir", dataDir, "pod", "exec", "--no-mounts",
		"default/story-irsa", "--", "/bin/sh", "-c", "echo $KUBECONFIG; exec sleep 1000")
	out, err := cmd.StdoutPipe()
	must(t, "pipe", err)
	must(t, "start pod exec", cmd.Start())
	lines := bufio.NewReader(out)
	kubeconfig, err := lines.ReadString('\n')
	must(t, "read what the command says", err)
	files := filepath.Dir(strings.TrimSpace(kubeconfig))
	if !exists(files) {
		t.Errorf("there is no %s while the command runs", files)
	}
	must(t, "signal", cmd.Process.Signal(sig))
	_, err = lines.ReadByte() // the last one who could write is gone
	if err != io.EOF {
		t.Errorf("the command says more: %v", err)
	}
	if cmd.Wait(); sig != syscall.SIGKILL && (exists(files) || cmd.ProcessState.ExitCode() != 128+int(sig)) {
		t.Errorf("after %s: exit code %d, files there: %v", sig, cmd.ProcessState.ExitCode(), exists(files))
	}
	return files
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
