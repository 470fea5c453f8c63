package system

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"

	"tripod/api"
	"tripod/internal/sleep"
)

// TestLoadBalancersCarryTraffic is a story of load balancers over the same pods: a classic and a network one of Services, by
// the cloud controller manager, an application one by its API, and one of an Ingress. Their names lead to the pods; then a
// zone is killed under requests and under a thousand connections.
func TestLoadBalancersCarryTraffic(t *testing.T) {
	t.Parallel()
	r := startRegion(t)
	calls, kube := r.awsClients(t, awsHTTP), r.kube(t)
	pods := webPods(t, kube, 6)
	for name, annotation := range map[string]string{"plain": "", "fast": "nlb"} {
		s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer,
			Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromInt(80)}}}}
		if annotation != "" {
			s.Annotations = map[string]string{"service.beta.kubernetes.io/aws-load-balancer-type": annotation}
		}
		_, err := kube.CoreV1().Services("default").Create(within(t, time.Minute), s, metav1.CreateOptions{})
		must(t, "make the Service "+name, err)
	}
	for name, kind := range map[string]string{"plain": "classic", "fast": "network"} {
		host := hostnameOf(t, kube, name)
		b := r.loadBalancer(t, host)
		if b.Type != kind || b.DNSName != host || b.Targets == 0 {
			t.Errorf("the load balancer of Service %s is %+v", name, b)
		}
		answered(t, b, "/")
	}
	shop := makeShop(t, calls, pods)
	b := r.loadBalancer(t, shop)
	if got := answered(t, b, "/fixed"); got != "short" {
		t.Errorf("a fixed response: got %q", got)
	}
	if got := answered(t, b, "/"); !strings.Contains(got, "Hostname: web-") {
		t.Errorf("got %q", got)
	}
	ingress := makeIngress(t, kube)
	b = r.loadBalancer(t, ingress)
	if got := answered(t, b, "/fixed"); got != "short" {
		t.Errorf("an Ingress' fixed response: got %q", got)
	}
	fast := r.loadBalancer(t, hostnameOf(t, kube, "fast"))
	var open []net.Conn
	broken := 0
	lost := underRequests(t, b, func() {
		open = openMany(t, fast, 1000)
		r.do(t, "kill", "az/b")
		for _, conn := range open {
			if ask(conn) != nil {
				broken++
			}
		}
	})
	t.Logf("of 8 clients that do not retry, %d requests failed", lost)
	if lost > 8 { // one under way for each
		t.Errorf("%d requests failed of 8 clients: more than were under way", lost)
	}
	t.Logf("%d of %d connections ended with the zone", broken, len(open))
	if broken == 0 || broken > len(open)*2/3 { // a third came by the zone, and a third of the others went to its pods
		t.Errorf("%d of %d connections ended", broken, len(open))
	}
	for range 20 {
		answered(t, fast, "/")
	}
	must(t, "delete the Ingress", kube.NetworkingV1().Ingresses("default").Delete(within(t, time.Minute), "shop", metav1.DeleteOptions{}))
	eventually(t, time.Minute, "the Ingress and its load balancer are gone", func() (bool, string) {
		_, err := kube.NetworkingV1().Ingresses("default").Get(within(t, time.Minute), "shop", metav1.GetOptions{})
		_, _, code := tripod(t, r.dir, "lb", ingress)
		return apierrors.IsNotFound(err) && code != 0, fmt.Sprint(err)
	})
}

// makeIngress makes one of the class alb with two paths, and returns the name that its status tells.
func makeIngress(t *testing.T, kube kubernetes.Interface) (host string) {
	t.Helper()
	exact, below := networkingv1.PathTypeExact, networkingv1.PathTypePrefix
	back := func(name, port string, number int32) networkingv1.IngressBackend {
		return networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: name,
			Port: networkingv1.ServiceBackendPort{Name: port, Number: number}}}
	}
	const of = "alb.ingress.kubernetes.io/"
	i := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Name: "shop", Annotations: map[string]string{of + "scheme": "internet-facing",
		of + "target-type": "ip", of + "actions.short": `{"type":"fixed-response","fixedResponseConfig":` +
			`{"contentType":"text/plain","statusCode":"200","messageBody":"short"}}`}},
		Spec: networkingv1.IngressSpec{IngressClassName: aws.String("alb"), Rules: []networkingv1.IngressRule{{
			IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{
				{Path: "/fixed", PathType: &exact, Backend: back("short", "use-annotation", 0)},
				{Path: "/", PathType: &below, Backend: back("plain", "", 80)}}}}}}}}
	_, err := kube.NetworkingV1().Ingresses("default").Create(within(t, time.Minute), i, metav1.CreateOptions{})
	must(t, "make the Ingress", err)
	return ingressHost(t, kube, "shop")
}

// ingressHost is the name that an Ingress' status tells.
func ingressHost(t *testing.T, kube kubernetes.Interface, name string) (host string) {
	t.Helper()
	eventually(t, time.Minute, "the Ingress "+name+" has a load balancer", func() (bool, string) {
		now, err := kube.NetworkingV1().Ingresses("default").Get(within(t, time.Minute), name, metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		if in := now.Status.LoadBalancer.Ingress; len(in) > 0 {
			host = in[0].Hostname
		}
		return host != "", "none"
	})
	return host
}

// webPods makes a Deployment that answers HTTP, two pods in each zone, and returns its pods.
func webPods(t *testing.T, kube kubernetes.Interface, n int32) []corev1.Pod {
	t.Helper()
	ctx, labels := within(t, 2*time.Minute), map[string]string{"app": "web"}
	_, err := kube.AppsV1().Deployments("default").Create(ctx, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: appsv1.DeploymentSpec{Replicas: &n, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: "web", Image: "nginx", Ports: []corev1.ContainerPort{{ContainerPort: 80}}}},
				TopologySpreadConstraints: []corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: corev1.LabelTopologyZone,
					WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: &metav1.LabelSelector{MatchLabels: labels}}}}}}},
		metav1.CreateOptions{})
	must(t, "make the Deployment", err)
	eventually(t, time.Minute, "the pods are ready", func() (bool, string) {
		d, err := kube.AppsV1().Deployments("default").Get(ctx, "web", metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		return d.Status.ReadyReplicas == n, fmt.Sprintf("%d of %d", d.Status.ReadyReplicas, n)
	})
	list, err := kube.CoreV1().Pods("default").List(ctx, metav1.ListOptions{LabelSelector: "app=web"})
	must(t, "list the pods", err)
	return list.Items
}

// hostnameOf is the name that a Service's status tells.
func hostnameOf(t *testing.T, kube kubernetes.Interface, name string) (host string) {
	t.Helper()
	eventually(t, time.Minute, "Service "+name+" has a load balancer", func() (bool, string) {
		s, err := kube.CoreV1().Services("default").Get(within(t, time.Minute), name, metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		if in := s.Status.LoadBalancer.Ingress; len(in) > 0 {
			host = in[0].Hostname
		}
		return host != "", "none"
	})
	return host
}

// makeShop makes an application load balancer over pods, with a rule of its own, and returns its name in the DNS.
func makeShop(t *testing.T, calls awsServices, pods []corev1.Pod) string {
	t.Helper()
	ctx := within(t, time.Minute)
	all, err := calls.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{Filters: []ec2types.Filter{
		{Name: aws.String("map-public-ip-on-launch"), Values: []string{"true"}}}})
	must(t, "DescribeSubnets", err)
	var subnets []string
	for _, s := range all.Subnets {
		subnets = append(subnets, *s.SubnetId)
	}
	made, err := calls.balancers.CreateLoadBalancer(ctx, &elbv2.CreateLoadBalancerInput{Name: aws.String("shop"), Subnets: subnets,
		SecurityGroups: []string{openShop(t, calls, *all.Subnets[0].VpcId)}})
	must(t, "CreateLoadBalancer", err)
	shop := made.LoadBalancers[0]
	group, err := calls.balancers.CreateTargetGroup(ctx, &elbv2.CreateTargetGroupInput{Name: aws.String("pods"), Port: aws.Int32(80),
		Protocol: elbtypes.ProtocolEnumHttp, TargetType: elbtypes.TargetTypeEnumIp, VpcId: shop.VpcId})
	must(t, "CreateTargetGroup", err)
	arn := group.TargetGroups[0].TargetGroupArn
	listener, err := calls.balancers.CreateListener(ctx, &elbv2.CreateListenerInput{LoadBalancerArn: shop.LoadBalancerArn,
		Protocol: elbtypes.ProtocolEnumHttp, Port: aws.Int32(80),
		DefaultActions: []elbtypes.Action{{Type: elbtypes.ActionTypeEnumForward, TargetGroupArn: arn}}})
	must(t, "CreateListener", err)
	_, err = calls.balancers.CreateRule(ctx, &elbv2.CreateRuleInput{ListenerArn: listener.Listeners[0].ListenerArn, Priority: aws.Int32(1),
		Conditions: []elbtypes.RuleCondition{{Field: aws.String("path-pattern"), Values: []string{"/fixed"}}},
		Actions: []elbtypes.Action{{Type: elbtypes.ActionTypeEnumFixedResponse, FixedResponseConfig: &elbtypes.FixedResponseActionConfig{
			StatusCode: aws.String("200"), ContentType: aws.String("text/plain"), MessageBody: aws.String("short")}}}})
	must(t, "CreateRule", err)
	var targets []elbtypes.TargetDescription
	for _, p := range pods {
		targets = append(targets, elbtypes.TargetDescription{Id: aws.String(p.Status.PodIP)})
	}
	_, err = calls.balancers.RegisterTargets(ctx, &elbv2.RegisterTargetsInput{TargetGroupArn: arn, Targets: targets})
	must(t, "RegisterTargets", err)
	must(t, "wait until all targets are healthy", elbv2.NewTargetInServiceWaiter(calls.balancers,
		func(o *elbv2.TargetInServiceWaiterOptions) { o.MinDelay, o.MaxDelay = time.Second, time.Second }).Wait(ctx,
		&elbv2.DescribeTargetHealthInput{TargetGroupArn: arn}, time.Minute))
	return *shop.DNSName
}

// openShop makes a security group that lets everybody in at port 80, and lets its members come to the cluster's nodes and pods: without
// it an application load balancer has its VPC's default group.
func openShop(t *testing.T, calls awsServices, vpcID string) string {
	t.Helper()
	ctx := within(t, time.Minute)
	made, err := calls.ec2.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{GroupName: aws.String("shop"),
		Description: aws.String("clients of the shop"), VpcId: &vpcID})
	must(t, "CreateSecurityGroup", err)
	_, err = calls.ec2.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: made.GroupId,
		IpProtocol: aws.String("tcp"), FromPort: aws.Int32(80), ToPort: aws.Int32(80), CidrIp: aws.String("0.0.0.0/0")})
	must(t, "let everybody come to the shop", err)
	cluster, err := calls.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String("demo")})
	must(t, "DescribeCluster", err)
	_, err = calls.ec2.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{
		GroupId: cluster.Cluster.ResourcesVpcConfig.ClusterSecurityGroupId,
		IpPermissions: []ec2types.IpPermission{{IpProtocol: aws.String("-1"), UserIdGroupPairs: []ec2types.UserIdGroupPair{
			{GroupId: made.GroupId}}}}})
	must(t, "let the shop come to the pods", err)
	return *made.GroupId
}

// loadBalancer is what `tripod lb` says of the one with that name in the DNS, once it is active and answers somewhere.
func (r *testRegion) loadBalancer(t *testing.T, host string) (b api.LoadBalancer) {
	t.Helper()
	eventually(t, time.Minute, "load balancer "+host+" is active", func() (bool, string) {
		stdout, stderr, code := tripod(t, r.dir, "lb", host, "-o", "json")
		if code != 0 {
			return false, stderr
		}
		var all []api.LoadBalancer
		if err := json.Unmarshal([]byte(stdout), &all); err != nil {
			return false, err.Error()
		}
		b = all[0]
		return b.State == "active" && b.Listeners[0].Address != "" && b.Healthy > 0, fmt.Sprintf("%+v", b)
	})
	return b
}

// request is one for the load balancer, by its name, at where it is on this machine.
func request(ctx context.Context, b api.LoadBalancer, path string) *http.Request {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.Listeners[0].Address+path, nil)
	if err != nil {
		panic(err) // a constant, and an address that was parsed
	}
	r.Host = b.DNSName
	return r
}

func answered(t *testing.T, b api.LoadBalancer, path string) string {
	t.Helper()
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
	body, err := fetch(c, request(t.Context(), b, path))
	must(t, "ask "+b.DNSName, err)
	return body
}

func fetch(c *http.Client, r *http.Request) (string, error) {
	response, err := c.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	return string(body), err
}

// underRequests does something under eight clients that retry once, of which no request may fail, and eight that do not: it
// returns how many of theirs did.
func underRequests(t *testing.T, b api.LoadBalancer, do func()) (lost int) {
	t.Helper()
	asking, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	var mu sync.Mutex
	var failed []error
	sent := 0
	for i := range 16 {
		retries := i%2 == 0
		wait.Go(func() {
			c := &http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second}
			defer c.CloseIdleConnections()
			for asking.Err() == nil {
				_, err := fetch(c, request(t.Context(), b, "/"))
				if err != nil && retries {
					c.CloseIdleConnections()
					_, err = fetch(c, request(t.Context(), b, "/"))
				}
				mu.Lock()
				sent++
				switch {
				case err != nil && retries:
					failed = append(failed, err)
				case err != nil:
					lost++
				}
				mu.Unlock()
				sleep.For(asking, 5*time.Millisecond) // the machine is others' too
			}
		})
	}
	enough := func(n int) {
		eventually(t, time.Minute, "requests are answered", func() (bool, string) {
			mu.Lock()
			defer mu.Unlock()
			return sent >= n, fmt.Sprint(sent)
		})
	}
	enough(500)
	do()
	mu.Lock()
	before := sent
	mu.Unlock()
	enough(before + 500)
	cancel()
	wait.Wait()
	if len(failed) > 0 {
		t.Errorf("%d requests of clients that retry once failed: %v", len(failed), failed[0])
	}
	return lost
}

// openMany opens connections to a load balancer, each of which has been answered once.
func openMany(t *testing.T, b api.LoadBalancer, n int) (all []net.Conn) {
	t.Helper()
	for range n {
		conn, err := net.DialTimeout("tcp", b.Listeners[0].Address, 30*time.Second)
		must(t, "connect", err)
		t.Cleanup(func() { conn.Close() })
		must(t, "ask on a new connection", ask(conn))
		all = append(all, conn)
	}
	return all
}

// ask sends a request on a connection, and reads the answer. No http.Client does it: one goes on reading.
func ask(conn net.Conn) error {
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: web\r\n\r\n"); err != nil {
		return err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %w", response.Status, err)
	}
	return nil
}
