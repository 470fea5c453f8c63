package ingress

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tripod/awsapi/apitest"
	vpcapi "tripod/awsapi/ec2"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// demo are the objects of a cluster with one Service, web, of two pods.
type demo struct{ pods []string }

func (d demo) service(namespace, name string) (*corev1.Service, bool) {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: corev1.ServiceSpec{
		Ports: []corev1.ServicePort{{Name: "http", Port: 80, NodePort: 30080}}}}, name == "web"
}

func (d demo) slices(string, string) []*discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{Ports: []discoveryv1.EndpointPort{{Name: aws.String("http"), Port: aws.Int32(8080)}}}
	for _, address := range d.pods {
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{Addresses: []string{address}})
	}
	return []*discoveryv1.EndpointSlice{s}
}

func (d demo) instances() []string { return []string{"i-0123456789abcdef0"} }

func (d demo) certificates(hosts []string) ([]string, error) {
	return issued{domains: map[string][]string{"arn:one": {"shop.test", "www.shop.test"}, "arn:star": {"*.test"},
		"arn:other": {"other.example"}}}.forHosts(hosts)
}

// ingressOf has one rule of each path, by which it leads to web.
func ingressOf(name string, annotations map[string]string, paths ...networkingv1.HTTPIngressPath) *networkingv1.Ingress {
	i := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Annotations: map[string]string{}}}
	i.Spec.IngressClassName = aws.String(class)
	for key, value := range annotations {
		i.Annotations[prefix+key] = value
	}
	if len(paths) > 0 {
		i.Spec.Rules = []networkingv1.IngressRule{{Host: "shop.test", IngressRuleValue: networkingv1.IngressRuleValue{
			HTTP: &networkingv1.HTTPIngressRuleValue{Paths: paths}}}}
	}
	return i
}

func path(kind networkingv1.PathType, at, service, portName string) networkingv1.HTTPIngressPath {
	back := networkingv1.ServiceBackendPort{Name: portName}
	if portName == "" {
		back.Number = 80
	}
	return networkingv1.HTTPIngressPath{Path: at, PathType: &kind, Backend: networkingv1.IngressBackend{
		Service: &networkingv1.IngressServiceBackend{Name: service, Port: back}}}
}

var ipTargets = map[string]string{"target-type": "ip"}

func TestRulesHaveTheOrderOfTheirPaths(t *testing.T) {
	m, err := build("demo", groupsOf([]*networkingv1.Ingress{ingressOf("shop", ipTargets,
		path(networkingv1.PathTypePrefix, "/", "web", ""), path(networkingv1.PathTypePrefix, "/api/v1", "web", "http"),
		path(networkingv1.PathTypeExact, "/", "web", ""), path(networkingv1.PathTypeImplementationSpecific, "/img/*", "web", ""))})[0], demo{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range m.listeners[0].rules {
		got = append(got, strings.Join(r.conditions[1].PathPatternConfig.Values, " "))
	}
	if want := []string{"/", "/api/v1 /api/v1/*", "/img/*", "/*"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if m.scheme != "internal" || !strings.HasPrefix(m.name, "k8s-default-shop-") || len(m.name) != len("k8s-default-shop-")+10 {
		t.Errorf("it is %s, %s", m.name, m.scheme)
	}
	if len(m.targets) != 1 {
		t.Errorf("one port of a Service has %d target groups", len(m.targets))
	}
}

func TestGroupsShareALoadBalancer(t *testing.T) {
	groups := groupsOf([]*networkingv1.Ingress{
		ingressOf("b", map[string]string{"group.name": "all", "group.order": "1"}, path(networkingv1.PathTypeExact, "/b", "web", "")),
		ingressOf("a", map[string]string{"group.name": "all", "group.order": "2", "listen-ports": `[{"HTTP":80},{"HTTP":8080}]`},
			path(networkingv1.PathTypeExact, "/a", "web", "")), ingressOf("alone", nil)})
	if len(groups) != 2 || groups[0].stack != "all" || groups[0].finalizer() != "group.ingress.k8s.aws/all" ||
		groups[1].stack != "default/alone" || groups[1].finalizer() != "ingress.k8s.aws/resources" {
		t.Fatalf("got %+v", groups)
	}
	m, err := build("demo", groups[0], demo{})
	if err != nil {
		t.Fatal(err)
	}
	if len(m.listeners) != 2 || len(m.listeners[0].rules) != 2 || len(m.listeners[1].rules) != 1 ||
		m.listeners[0].rules[0].conditions[1].PathPatternConfig.Values[0] != "/b" {
		t.Errorf("got %+v", m.listeners)
	}
}

func TestIngressesLeaveTheGroupsOfBefore(t *testing.T) {
	moved := ingressOf("moved", map[string]string{"group.name": "new"})
	moved.Finalizers = []string{"group.ingress.k8s.aws/old", "example.com/other"}
	gone := ingressOf("gone", nil)
	gone.Finalizers, gone.DeletionTimestamp = []string{"ingress.k8s.aws/resources"}, &metav1.Time{}
	held := ingressOf("held", nil) // by somebody else alone
	held.Finalizers, held.DeletionTimestamp = []string{"example.com/other"}, &metav1.Time{}
	got := ""
	for _, g := range groupsOf([]*networkingv1.Ingress{moved, gone, held}) {
		got += fmt.Sprint(g.stack, namesOf(g.members), namesOf(g.leaving), g.finalizer(), "; ")
	}
	if want := "default/gone[] [default/gone]ingress.k8s.aws/resources; new[default/moved] []group.ingress.k8s.aws/new; " +
		"old[] [default/moved]group.ingress.k8s.aws/old; "; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestWhatCannotBeBuiltIsToldInTheControllersWords(t *testing.T) {
	any := path(networkingv1.PathTypePrefix, "/", "web", "")
	for want, i := range map[string]*networkingv1.Ingress{
		"unknown scheme: outside":                      ingressOf("x", map[string]string{"scheme": "outside"}, any),
		`ingress: default/x: Service "none" not found`: ingressOf("x", nil, path(networkingv1.PathTypePrefix, "/", "none", "")),
		"ingress: default/x: unable to find port other on service default/web": ingressOf("x", nil,
			path(networkingv1.PathTypePrefix, "/", "web", "other")),
		"ingress: default/x: unknown targetType: pod": ingressOf("x", map[string]string{"target-type": "pod"}, any),
		"ingress: default/x: missing actions.short configuration": ingressOf("x", nil,
			path(networkingv1.PathTypePrefix, "/", "short", "use-annotation")),
		"listen protocol must be HTTP or HTTPS: TCP": ingressOf("x", map[string]string{"listen-ports": `[{"TCP":80}]`}, any),
		"no certificate found for the HTTPS listener of port 443: name one by alb.ingress.kubernetes.io/certificate-arn, or a host whose " +
			"certificate ACM has": ingressOf("x", map[string]string{"listen-ports": `[{"HTTPS":443}]`}),
		"failed to parse int32 annotation, alb.ingress.kubernetes.io/healthcheck-interval-seconds: soon: strconv.ParseInt: parsing " +
			`"soon": invalid syntax`: ingressOf("x", map[string]string{"healthcheck-interval-seconds": "soon"}, any),
	} {
		_, err := build("demo", groupsOf([]*networkingv1.Ingress{i})[0], demo{})
		if err == nil || strings.TrimPrefix(err.Error(), "ingress: default/x: ") != strings.TrimPrefix(want, "ingress: default/x: ") {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestDeployFollowsTheIngress makes, changes and deletes a load balancer by the API as AWS has it.
func TestDeployFollowsTheIngress(t *testing.T) {
	w := apitest.New(t)
	vpc := vpcapi.VPC{AccountID: iam.DefaultAccountID, Region: apitest.Region, Zones: []string{"us-east-1a", "us-east-1b", "us-east-1c"}}
	config := w.Config("admin")
	c := Cloud{VPC: vpc.ID(), Balancers: elbv2.NewFromConfig(config), Network: ec2.NewFromConfig(config)}
	deploy := func(pods []string, annotations map[string]string, paths ...networkingv1.HTTPIngressPath) *model {
		t.Helper()
		m, err := build("demo", groupsOf([]*networkingv1.Ingress{ingressOf("shop", annotations, paths...)})[0], demo{pods})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.deploy(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	annotations := map[string]string{"target-type": "ip", "scheme": "internet-facing",
		"load-balancer-attributes": "idle_timeout.timeout_seconds=30",
		"actions.short":            `{"type":"fixed-response","fixedResponseConfig":{"contentType":"text/plain","statusCode":"200","messageBody":"hi"}}`,
		"actions.split":            `{"type":"forward","forwardConfig":{"targetGroups":[{"serviceName":"web","servicePort":"http","weight":3}]}}`}
	all := []networkingv1.HTTPIngressPath{path(networkingv1.PathTypeExact, "/short", "short", "use-annotation"),
		path(networkingv1.PathTypePrefix, "/", "web", "")}
	m := deploy([]string{"10.0.0.200", "10.0.32.200"}, annotations, all...)
	deploy([]string{"10.0.32.200", "10.0.64.200"}, annotations, all...)
	shown := func() (text string) {
		w.View(func(tx *state.Txn) error {
			b, _ := region.LoadBalancers.Get(tx, region.BalancerKey(false, m.name))
			for _, l := range region.ListenersOf(tx, b) {
				text += fmt.Sprint(l.Port, ":")
				for _, r := range region.RulesOf(tx, l) {
					text += fmt.Sprint(" ", r.Priority, r.Actions[0].Type)
				}
			}
			for _, g := range region.TargetGroups.List(tx) {
				for _, at := range region.TargetsOf(tx, g.Name) {
					if !at.IsDraining() {
						text += fmt.Sprint(" ", at.ID, ":", at.Port)
					}
				}
			}
			return nil
		})
		return text
	}
	if got, want := shown(), "80: 1fixed-response 2forward 10.0.32.200:8080 10.0.64.200:8080"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	deploy(nil, annotations, path(networkingv1.PathTypePrefix, "/", "split", "use-annotation"))
	if got, want := shown(), "80: 1forward"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	annotations["scheme"] = "internal" // another name: the one of before goes
	m = deploy(nil, annotations, all...)
	w.View(func(tx *state.Txn) error {
		if left := region.LoadBalancers.List(tx); len(left) != 1 || left[0].Name != m.name {
			t.Errorf("left are %+v", left)
		}
		return nil
	})
	if _, err := c.balancer(t.Context(), &model{name: m.name, scheme: m.scheme, tags: map[string]string{"elbv2.k8s.aws/cluster": "demo",
		"ingress.k8s.aws/stack": "default/other"}}); err == nil {
		t.Error("another Ingress takes the load balancer over")
	}
	if err := c.remove(t.Context(), "demo", "default/shop"); err != nil {
		t.Fatal(err)
	}
	w.View(func(tx *state.Txn) error {
		if n := region.LoadBalancers.Part("").Count(tx) + region.TargetGroups.Part("").Count(tx); n > 0 {
			t.Errorf("%d load balancers and target groups are left", n)
		}
		return nil
	})
}

func TestCertificatesAreThoseOfTheHosts(t *testing.T) {
	secure := map[string]string{"listen-ports": `[{"HTTPS":443}]`, "target-type": "ip"}
	i := ingressOf("shop", secure, path(networkingv1.PathTypePrefix, "/", "web", ""))
	i.Spec.TLS = []networkingv1.IngressTLS{{Hosts: []string{"other.example"}}}
	m, err := build("demo", groupsOf([]*networkingv1.Ingress{i})[0], demo{})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"arn:one", "arn:other", "arn:star"}; !slices.Equal(m.listeners[0].certificates, want) {
		t.Errorf("got %v, want %v", m.listeners[0].certificates, want)
	}
	i.Spec.TLS[0].Hosts = []string{"deep.shop.test"} // a star is one label
	_, err = build("demo", groupsOf([]*networkingv1.Ingress{i})[0], demo{})
	if err == nil || err.Error() != "ingress: default/shop: no certificate found for host: deep.shop.test" {
		t.Errorf("got %v", err)
	}
	i.Annotations[prefix+"certificate-arn"] = "arn:named"
	m, err = build("demo", groupsOf([]*networkingv1.Ingress{i})[0], demo{})
	if err != nil || !slices.Equal(m.listeners[0].certificates, []string{"arn:named"}) {
		t.Errorf("got %+v, %v", m, err)
	}
}
