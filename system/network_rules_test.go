package system

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"tripod/api"
)

// TestNetworkRulesAreHeld is a story of connections into the VPC, by `tripod proxy` and by the API server: a security group, a
// network ACL and a NetworkPolicy stop them, each says that it was the one, and when it is gone all passes again.
func TestNetworkRulesAreHeld(t *testing.T) {
	t.Parallel()
	r := startRegion(t)
	calls, kube := r.awsClients(t, awsHTTP), r.kube(t)
	pods := webPods(t, kube, 3)
	_, err := kube.CoreV1().Services("default").Create(within(t, time.Minute), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Port: 80}}}}, metav1.CreateOptions{})
	must(t, "make the Service", err)
	inside := r.proxy(t)
	for _, name := range []string{"web.default", "web.default.svc.cluster.local", pods[0].Status.PodIP} {
		if status, body := inside.get(t, "http://"+name+"/"); status != 200 || !strings.Contains(body, "Hostname: web-") {
			t.Errorf("%s: got %d %s", name, status, body)
		}
	}
	if status, body := inside.get(t, "http://nosuch.default/"); status != 502 ||
		!strings.Contains(body, "there is no Service nosuch in namespace default") {
		t.Errorf("a name that nobody has: got %d %s", status, body)
	}
	for _, name := range []string{"127.0.0.1:1", "192.168.0.1", "169.254.169.254"} {
		if status, body := inside.get(t, "http://"+name+"/"); status != 502 {
			t.Errorf("the proxy leads to %s: %d %s", name, status, body)
		}
	}

	group := r.clusterGroup(t, calls)
	members := []ec2types.IpPermission{{IpProtocol: aws.String("-1"), UserIdGroupPairs: []ec2types.UserIdGroupPair{{GroupId: &group}}}}
	_, err = calls.ec2.RevokeSecurityGroupIngress(within(t, time.Minute), &ec2.RevokeSecurityGroupIngressInput{GroupId: &group,
		IpPermissions: members})
	must(t, "close the cluster's security group", err)
	if status, body := inside.get(t, "http://web.default/"); status != 504 || !strings.Contains(body, group) {
		t.Errorf("a closed security group: got %d %s", status, body)
	}
	if _, errs, code := tripod(t, r.dir, "kubectl", "logs", pods[0].Name); code == 0 || !strings.Contains(errs, group) {
		t.Errorf("the log of a pod behind it: got %d, %s", code, errs)
	}
	if reach := r.canReach(t, "control-plane", "svc/web:80", 1); !stops(reach, "ENI_SG_RULES_MISMATCH", group) {
		t.Errorf("can-reach: got %+v", reach)
	}
	if out, _, _ := tripod(t, r.dir, "events", "-o", "json"); !strings.Contains(out, "ConnectionFiltered") {
		t.Error("no event tells of the refusal")
	}
	_, err = calls.ec2.AuthorizeSecurityGroupIngress(within(t, time.Minute), &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &group,
		IpPermissions: members})
	must(t, "open it again", err)
	if _, errs, code := tripod(t, r.dir, "kubectl", "logs", pods[0].Name); code != 0 {
		t.Errorf("open again: %s", errs)
	}
	podNetworksFail(t, r, pods)
	networkACLStops(t, r, calls, pods)
	networkPolicyStops(t, r, calls, kube, pods)
}

// podNetworksFail has a pod's network be at fault at its port, in its delays and to a port of others.
func podNetworksFail(t *testing.T, r *testRegion, pods []corev1.Pod) {
	t.Helper()
	curl := func(limit string) (code int, errs string) {
		_, errs, code = tripod(t, r.dir, "kubectl", "exec", pods[0].Name, "--", "curl", "-sS", "-m", limit, "http://"+pods[1].Status.PodIP+"/")
		return code, errs
	}
	for _, fault := range []struct{ pod, words, limit string }{
		{pods[1].Name, "black-hole=80", "2"}, {pods[1].Name, "latency=3s", "2"}, {pods[0].Name, "latency=3s,jitter=1ms", "2"},
		{pods[0].Name, "black-hole-to=80", "2"},
	} {
		if code, errs := curl("30"); code != 0 {
			t.Errorf("before %s: got %d %s", fault.words, code, errs)
		}
		if _, errs, code := tripod(t, r.dir, "fault", "pod/default/"+fault.pod, fault.words); code != 0 {
			t.Fatalf("fault %s: %s", fault.words, errs)
		}
		eventually(t, time.Minute, fault.words+" is in force", func() (bool, string) {
			code, errs := curl(fault.limit)
			return code == 28, fmt.Sprint(code, " ", errs) // curl's word for a time-out
		})
		must(t, "take it back", r.Do(within(t, time.Minute), "pod/default/"+fault.pod, "reset", ""))
		eventually(t, time.Minute, fault.words+" is taken back", func() (bool, string) {
			code, errs := curl("2")
			return code == 0, fmt.Sprint(code, " ", errs)
		})
	}
}

// networkACLStops gives a subnet a new network ACL, which lets nothing through, and the old one again.
func networkACLStops(t *testing.T, r *testRegion, calls awsServices, pods []corev1.Pod) {
	t.Helper()
	ctx := within(t, time.Minute)
	from, to := pods[0], pods[1]
	found, err := calls.ec2.DescribeInstances(ctx, &ec2.DescribeInstancesInput{Filters: []ec2types.Filter{
		{Name: aws.String("private-dns-name"), Values: []string{to.Spec.NodeName}}}})
	must(t, "DescribeInstances", err)
	instance := found.Reservations[0].Instances[0]
	acls, err := calls.ec2.DescribeNetworkAcls(ctx, &ec2.DescribeNetworkAclsInput{Filters: []ec2types.Filter{
		{Name: aws.String("association.subnet-id"), Values: []string{*instance.SubnetId}}}})
	must(t, "DescribeNetworkAcls", err)
	association := ""
	for _, a := range acls.NetworkAcls[0].Associations {
		if *a.SubnetId == *instance.SubnetId {
			association = *a.NetworkAclAssociationId
		}
	}
	made, err := calls.ec2.CreateNetworkAcl(ctx, &ec2.CreateNetworkAclInput{VpcId: instance.VpcId})
	must(t, "CreateNetworkAcl", err)
	closed, err := calls.ec2.ReplaceNetworkAclAssociation(ctx, &ec2.ReplaceNetworkAclAssociationInput{AssociationId: &association,
		NetworkAclId: made.NetworkAcl.NetworkAclId})
	must(t, "ReplaceNetworkAclAssociation", err)
	target := "pod/default/" + to.Name + ":80"
	if reach := r.canReach(t, "pod/default/"+from.Name, target, 1); !stops(reach, "SUBNET_ACL_RESTRICTION", *made.NetworkAcl.NetworkAclId) {
		t.Errorf("a new network ACL: got %+v", reach)
	}
	_, err = calls.ec2.ReplaceNetworkAclAssociation(ctx, &ec2.ReplaceNetworkAclAssociationInput{AssociationId: closed.NewAssociationId,
		NetworkAclId: acls.NetworkAcls[0].NetworkAclId})
	must(t, "ReplaceNetworkAclAssociation", err)
	if reach := r.canReach(t, "pod/default/"+from.Name, target, 0); reach.Legs[0].Tried != "connected" {
		t.Errorf("the old network ACL: got %+v", reach)
	}
}

// networkPolicyStops isolates all pods; the policy counts when the VPC CNI's switch is on.
func networkPolicyStops(t *testing.T, r *testRegion, calls awsServices, kube kubernetes.Interface, pods []corev1.Pod) {
	t.Helper()
	ctx := within(t, time.Minute)
	_, err := kube.NetworkingV1().NetworkPolicies("default").Create(ctx, &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "closed"},
		Spec: networkingv1.NetworkPolicySpec{Ingress: []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{
			{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}}}}}}}, metav1.CreateOptions{})
	must(t, "make the NetworkPolicy", err)
	outside := r.proxy(t)
	if status, body := outside.get(t, "http://web.default/"); status != 200 {
		t.Errorf("policies are switched off: got %d %s", status, body)
	}
	_, err = calls.eks.CreateAddon(ctx, &eks.CreateAddonInput{ClusterName: aws.String("demo"), AddonName: aws.String("vpc-cni"),
		ConfigurationValues: aws.String(`{"enableNetworkPolicy":"true"}`)})
	must(t, "CreateAddon", err)
	eventually(t, time.Minute, "the policy is held", func() (bool, string) {
		status, body := outside.get(t, "http://web.default/")
		return status == 504 && strings.Contains(body, "[closed]"), fmt.Sprint(status, " ", body)
	})
	if status, body := r.proxy(t, "--as", "pod/default/"+pods[0].Name).get(t, "http://web/"); status != 200 {
		t.Errorf("a pod that the policy lets in: got %d %s", status, body)
	}
	said, errs, code := tripod(t, r.dir, "kubectl", "exec", pods[0].Name, "--", "curl", "-sS", "http://web/")
	if code != 0 || !strings.Contains(said, "RemoteAddr: "+pods[0].Status.PodIP+":") {
		t.Errorf("curl in a pod that the policy lets in: got %d %s%s", code, said, errs)
	}
	_, errs, code = tripod(t, r.dir, "kubectl", "run", "other", "--image=busybox", "--", "sleep", "infinity")
	if _, more, ready := tripod(t, r.dir, "kubectl", "wait", "pod/other", "--for=condition=Ready", "--timeout=30s"); code+ready != 0 {
		t.Errorf("another pod: %s%s", errs, more)
	}
	_, errs, code = tripod(t, r.dir, "kubectl", "exec", "other", "--", "nc", "-vz", "-w", "2", "web", "80")
	if code != 1 || !strings.HasPrefix(errs, "nc: web (") || !strings.Contains(errs, ":80): Connection timed out") {
		t.Errorf("nc in a pod that the policy does not let in: got %d %s", code, errs)
	}
	if reach := r.canReach(t, "control-plane", "svc/default/web:80", 1); !stops(reach, "NETWORK_POLICY_RESTRICTION", "default/web-") {
		t.Errorf("can-reach: got %+v", reach)
	}
}

// stops says whether each leg of an answer stops at a thing whose id begins so, with that code.
func stops(r *api.Reach, code, id string) bool {
	for _, leg := range r.Legs {
		found := false
		for _, s := range leg.Steps {
			found = found || !s.Passes && s.Code == code && strings.HasPrefix(s.ID, id)
		}
		if !found || leg.Tried == "connected" {
			return false
		}
	}
	return len(r.Legs) > 0
}

// canReach asks the command, which must end with that code.
func (r *testRegion) canReach(t *testing.T, from, to string, code int) *api.Reach {
	t.Helper()
	out, errs, got := tripod(t, r.dir, "can-reach", from, to, "-o", "json")
	answer := &api.Reach{}
	if err := json.Unmarshal([]byte(out), answer); err != nil || got != code {
		t.Fatalf("can-reach %s %s: exit code %d, want %d: %s %s", from, to, got, code, out, errs)
	}
	return answer
}

func (r *testRegion) clusterGroup(t *testing.T, calls awsServices) string {
	t.Helper()
	demo, err := calls.eks.DescribeCluster(within(t, time.Minute), &eks.DescribeClusterInput{Name: aws.String("demo")})
	must(t, "DescribeCluster", err)
	return *demo.Cluster.ResourcesVpcConfig.ClusterSecurityGroupId
}

// insider asks by `tripod proxy`.
type insider struct{ client *http.Client }

// proxy runs the command until the test ends.
func (r *testRegion) proxy(t *testing.T, args ...string) insider {
	t.Helper()
	command := exec.Command(binary, append([]string{"--data-dir", r.dir, "proxy"}, args...)...)
	out, err := command.StdoutPipe()
	must(t, "make a pipe", err)
	must(t, "start the proxy", command.Start())
	t.Cleanup(func() {
		command.Process.Signal(os.Interrupt)
		command.Wait()
	})
	first, err := bufio.NewReader(out).ReadString('\n')
	must(t, "read what the proxy prints", err)
	at, err := url.Parse(strings.Trim(strings.TrimSpace(strings.TrimPrefix(first, "export HTTP_PROXY=")), "'"))
	must(t, "read the proxy's URL", err)
	transport := &http.Transport{Proxy: http.ProxyURL(at), DisableKeepAlives: true}
	return insider{&http.Client{Transport: transport, Timeout: time.Minute}}
}

func (i insider) get(t *testing.T, target string) (status int, body string) {
	t.Helper()
	response, err := i.client.Get(target)
	must(t, "ask "+target, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	must(t, "read the answer of "+target, err)
	return response.StatusCode, string(text)
}
