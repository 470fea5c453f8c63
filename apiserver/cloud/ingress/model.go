package ingress

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// model is what a group comes to in AWS.
type model struct {
	name, scheme           string
	subnets, security      []string // as annotated; none: they are discovered
	attributes, tags       map[string]string
	listeners              []listener
	targets                map[string]*targetGroup // by name
	ipAddressType, sslName string
	inbound                []string // who may come to the listeners
	named                  bool     // security are annotated, and not the controller's
}

type listener struct {
	port
	certificates []string
	rules        []rule
	otherwise    rule // where no other applies
}

type rule struct {
	conditions []elbtypes.RuleCondition
	action     elbtypes.Action
	// groups are the names of the target groups in the places of action's ARNs, in their order.
	groups []string
}

type targetGroup struct {
	name, kind, protocol, version string
	port                          int32
	check                         elbtypes.TargetGroup // its HealthCheck fields alone
	attributes, tags              map[string]string
	targets                       []elbtypes.TargetDescription
}

// objects are what a model is made of, as the cluster has them.
type objects interface {
	service(namespace, name string) (*corev1.Service, bool)
	slices(namespace, service string) []*discoveryv1.EndpointSlice
	// instances are the ids of the nodes that get traffic.
	instances() []string
	// certificates are the ARNs of those in ACM that are for any of the hosts. Each host needs one.
	certificates(hosts []string) ([]string, error)
}

var noAlnum = regexp.MustCompile(`[^a-zA-Z0-9]`)

func clipped(text string, most int) string {
	text = noAlnum.ReplaceAllString(text, "")
	return text[:min(len(text), most)]
}

func hash(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])[:10]
}

// build makes the model of a group. Its errors are those of FailedBuildModel.
func build(cluster string, g group, in objects) (m *model, err error) {
	m = &model{attributes: map[string]string{}, targets: map[string]*targetGroup{}, tags: map[string]string{
		"elbv2.k8s.aws/cluster": cluster, "ingress.k8s.aws/stack": g.stack, "ingress.k8s.aws/resource": "LoadBalancer"}}
	var all settings
	for _, i := range g.members {
		all = append(all, i.Annotations)
	}
	m.scheme = all.text("scheme", "internal")
	if m.scheme != "internal" && m.scheme != "internet-facing" {
		return nil, fmt.Errorf("unknown scheme: %s", m.scheme)
	}
	m.name = all.text("load-balancer-name", "")
	switch {
	case m.name != "":
	case g.name != "":
		m.name = "k8s-" + clipped(g.name, 17) + "-" + hash(cluster, g.stack, m.scheme)
	default:
		only := g.members[0]
		m.name = "k8s-" + clipped(only.Namespace, 8) + "-" + clipped(only.Name, 8) + "-" + hash(cluster, g.stack, m.scheme)
	}
	m.subnets, m.security, m.ipAddressType = all.list("subnets"), all.list("security-groups"), all.text("ip-address-type", "")
	m.sslName, m.named = all.text("ssl-policy", ""), len(m.security) > 0
	if m.inbound = all.list("inbound-cidrs"); len(m.inbound) == 0 {
		m.inbound = []string{"0.0.0.0/0"}
	}
	if m.attributes, err = all.pairs("load-balancer-attributes"); err != nil {
		return nil, err
	}
	more, err := all.pairs("tags")
	if err != nil {
		return nil, err
	}
	for key, value := range more {
		m.tags[key] = value
	}
	redirect, err := all.number("ssl-redirect", 0)
	if err != nil {
		return nil, err
	}
	if err := m.listen(g, redirect, in); err != nil {
		return nil, err
	}
	return m, nil
}

// listen makes the listeners, each with the rules of those Ingresses that ask for its port.
func (m *model) listen(g group, redirect int32, in objects) error {
	byPort := map[int32]*listener{}
	for _, i := range g.members {
		own := settings{i.Annotations}
		ports, err := own.ports()
		if err != nil {
			return err
		}
		for _, p := range ports {
			l := byPort[p.Port]
			if l == nil {
				l = &listener{port: p, otherwise: rule{action: fixed("404", "text/plain", "")}}
				byPort[p.Port] = l
			}
			if l.Protocol != p.Protocol {
				return fmt.Errorf("conflicting protocol: [%s %s]", l.Protocol, p.Protocol)
			}
			if p.Protocol == "HTTPS" {
				arns := own.list("certificate-arn")
				if len(arns) == 0 {
					if arns, err = in.certificates(hostsOf(i)); err != nil {
						return fmt.Errorf("ingress: %s/%s: %w", i.Namespace, i.Name, err)
					}
				}
				for _, arn := range arns {
					if !slices.Contains(l.certificates, arn) {
						l.certificates = append(l.certificates, arn)
					}
				}
			}
			if redirect != 0 && p.Protocol == "HTTP" {
				l.otherwise.action = elbtypes.Action{Type: elbtypes.ActionTypeEnumRedirect, RedirectConfig: &elbtypes.RedirectActionConfig{
					Port: aws.String(fmt.Sprint(redirect)), Protocol: aws.String("HTTPS"), StatusCode: elbtypes.RedirectActionStatusCodeEnumHttp301}}
				continue
			}
			if err := m.rules(l, i, in); err != nil {
				return fmt.Errorf("ingress: %s/%s: %w", i.Namespace, i.Name, err)
			}
		}
	}
	for _, l := range byPort {
		if l.Protocol == "HTTPS" && len(l.certificates) == 0 {
			return fmt.Errorf("no certificate found for the HTTPS listener of port %d: name one by %scertificate-arn, or a host whose "+
				"certificate ACM has", l.Port, prefix)
		}
		m.listeners = append(m.listeners, *l)
	}
	slices.SortFunc(m.listeners, func(a, b listener) int { return int(a.Port - b.Port) })
	return nil
}

func fixed(status, contentType, body string) elbtypes.Action {
	return elbtypes.Action{Type: elbtypes.ActionTypeEnumFixedResponse, FixedResponseConfig: &elbtypes.FixedResponseActionConfig{
		StatusCode: &status, ContentType: &contentType, MessageBody: aws.String(body)}}
}

// rules adds those of an Ingress, exact paths first and then the longest ones.
func (m *model) rules(l *listener, i *networkingv1.Ingress, in objects) error {
	for _, r := range i.Spec.Rules {
		if r.HTTP == nil {
			continue
		}
		paths := slices.Clone(r.HTTP.Paths)
		slices.SortStableFunc(paths, func(a, b networkingv1.HTTPIngressPath) int {
			exact := func(p networkingv1.HTTPIngressPath) int {
				if p.PathType != nil && *p.PathType == networkingv1.PathTypeExact {
					return 0
				}
				return 1
			}
			if exact(a) != exact(b) {
				return exact(a) - exact(b)
			}
			return len(b.Path) - len(a.Path)
		})
		for _, p := range paths {
			made, err := m.ruleOf(i, r.Host, p, in)
			if err != nil {
				return err
			}
			l.rules = append(l.rules, made)
		}
	}
	if i.Spec.DefaultBackend == nil {
		return nil
	}
	made, err := m.ruleOf(i, "", networkingv1.HTTPIngressPath{Path: "/*", Backend: *i.Spec.DefaultBackend}, in)
	made.conditions = nil
	l.otherwise = made
	return err
}

func (m *model) ruleOf(i *networkingv1.Ingress, host string, p networkingv1.HTTPIngressPath, in objects) (made rule, err error) {
	own := settings{i.Annotations}
	if host != "" {
		made.conditions = append(made.conditions, elbtypes.RuleCondition{Field: aws.String("host-header"),
			HostHeaderConfig: &elbtypes.HostHeaderConditionConfig{Values: []string{host}}})
	}
	if patterns := patternsOf(p); len(patterns) > 0 {
		made.conditions = append(made.conditions, elbtypes.RuleCondition{Field: aws.String("path-pattern"),
			PathPatternConfig: &elbtypes.PathPatternConditionConfig{Values: patterns}})
	}
	back := p.Backend.Service
	if back == nil {
		return made, errors.New("missing required \"service\" field")
	}
	var more []elbtypes.RuleCondition
	if _, err := own.decode("conditions."+back.Name, &more); err != nil {
		return made, err
	}
	for _, c := range more {
		if c.Field != nil {
			c.Field = aws.String(strings.ToLower(*c.Field))
		}
		made.conditions = append(made.conditions, c)
	}
	if back.Port.Name == "use-annotation" {
		return made, m.annotated(&made, i, back.Name, in)
	}
	name, err := m.group(i, back.Name, back.Port, in)
	made.action, made.groups = forwardTo(1), []string{name}
	return made, err
}

// patternsOf are a path's, in the load balancer's form.
func patternsOf(p networkingv1.HTTPIngressPath) []string {
	kind := networkingv1.PathTypeImplementationSpecific
	if p.PathType != nil {
		kind = *p.PathType
	}
	switch {
	case kind == networkingv1.PathTypeExact:
		return []string{p.Path}
	case kind == networkingv1.PathTypePrefix && p.Path != "/":
		path := strings.TrimSuffix(p.Path, "/")
		return []string{path, path + "/*"}
	case kind == networkingv1.PathTypePrefix, p.Path == "":
		return []string{"/*"}
	}
	return []string{p.Path}
}

// forwardTo is an action to so many groups, of which the ARNs are filled in later.
func forwardTo(n int, weights ...int32) elbtypes.Action {
	a := elbtypes.Action{Type: elbtypes.ActionTypeEnumForward, ForwardConfig: &elbtypes.ForwardActionConfig{}}
	for i := range n {
		weight := int32(1)
		if i < len(weights) {
			weight = weights[i]
		}
		a.ForwardConfig.TargetGroups = append(a.ForwardConfig.TargetGroups, elbtypes.TargetGroupTuple{Weight: &weight})
	}
	return a
}

// annotated reads the action that an annotation describes, in the controller's form, which is the API's with Services in
// the places of target groups.
func (m *model) annotated(made *rule, i *networkingv1.Ingress, name string, in objects) error {
	var a struct {
		Type                string
		TargetGroupARN      *string
		RedirectConfig      *elbtypes.RedirectActionConfig
		FixedResponseConfig *struct{ ContentType, MessageBody, StatusCode *string }
		ForwardConfig       *struct {
			TargetGroups []struct {
				TargetGroupARN *string
				ServiceName    *string
				ServicePort    *intstr.IntOrString
				Weight         *int32
			}
			TargetGroupStickinessConfig *elbtypes.TargetGroupStickinessConfig
		}
	}
	found, err := settings{i.Annotations}.decode("actions."+name, &a)
	switch {
	case err != nil:
		return err
	case !found:
		return fmt.Errorf("missing actions.%s configuration", name)
	case a.Type == "redirect" && a.RedirectConfig != nil:
		made.action = elbtypes.Action{Type: elbtypes.ActionTypeEnumRedirect, RedirectConfig: a.RedirectConfig}
		return nil
	case a.Type == "fixed-response" && a.FixedResponseConfig != nil:
		made.action = fixed(aws.ToString(a.FixedResponseConfig.StatusCode), aws.ToString(a.FixedResponseConfig.ContentType),
			aws.ToString(a.FixedResponseConfig.MessageBody))
		return nil
	case a.Type == "forward" && a.TargetGroupARN != nil:
		made.action, made.groups = forwardTo(1), []string{*a.TargetGroupARN}
		return nil
	case a.Type != "forward" || a.ForwardConfig == nil:
		return fmt.Errorf("invalid actions.%s configuration: type %q", name, a.Type)
	}
	var weights []int32
	for _, t := range a.ForwardConfig.TargetGroups {
		weight := int32(1)
		if t.Weight != nil {
			weight = *t.Weight
		}
		weights = append(weights, weight)
		if t.TargetGroupARN != nil {
			made.groups = append(made.groups, *t.TargetGroupARN)
			continue
		}
		if t.ServiceName == nil || t.ServicePort == nil {
			return fmt.Errorf("invalid actions.%s configuration: missing serviceName or servicePort", name)
		}
		back := networkingv1.ServiceBackendPort{Name: t.ServicePort.StrVal, Number: t.ServicePort.IntVal}
		group, err := m.group(i, *t.ServiceName, back, in)
		if err != nil {
			return err
		}
		made.groups = append(made.groups, group)
	}
	made.action = forwardTo(len(weights), weights...)
	made.action.ForwardConfig.TargetGroupStickinessConfig = a.ForwardConfig.TargetGroupStickinessConfig
	return nil
}

// refusal is an error in the words of the AWS Load Balancer Controller.
type refusal string

func (r refusal) Error() string { return string(r) }

// group is the name of the target group of a Service's port, which is made where it is not there yet.
func (m *model) group(i *networkingv1.Ingress, name string, back networkingv1.ServiceBackendPort, in objects) (string, error) {
	s, found := in.service(i.Namespace, name)
	if !found {
		return "", refusal(fmt.Sprintf("Service %q not found", name))
	}
	at := slices.IndexFunc(s.Spec.Ports, func(p corev1.ServicePort) bool {
		return back.Name != "" && p.Name == back.Name || back.Name == "" && p.Port == back.Number
	})
	if at < 0 {
		wanted := back.Name
		if wanted == "" {
			wanted = fmt.Sprint(back.Number)
		}
		return "", fmt.Errorf("unable to find port %s on service %s/%s", wanted, i.Namespace, name)
	}
	sp, own := s.Spec.Ports[at], settings{s.Annotations, i.Annotations}
	g := &targetGroup{kind: own.text("target-type", "instance"), protocol: own.text("backend-protocol", "HTTP"),
		version: own.text("backend-protocol-version", "HTTP1")}
	switch g.kind {
	case "instance":
		if sp.NodePort == 0 {
			return "", refusal("TargetGroup port is empty. When using Instance targets, your service must be of type 'NodePort' or " +
				"'LoadBalancer'")
		}
		g.port = sp.NodePort
		for _, id := range in.instances() {
			g.targets = append(g.targets, elbtypes.TargetDescription{Id: aws.String(id), Port: aws.Int32(sp.NodePort)})
		}
	case "ip":
		g.port = 1 // where targets have none of their own, which all of them have here
		if number := sp.TargetPort.IntVal; number > 0 {
			g.port = number
		}
		g.targets = addresses(in.slices(s.Namespace, s.Name), sp.Name)
	default:
		return "", fmt.Errorf("unknown targetType: %s", g.kind)
	}
	g.name = "k8s-" + clipped(s.Namespace, 8) + "-" + clipped(s.Name, 8) + "-" + hash(m.name, s.Namespace, s.Name, fmt.Sprint(sp.Port), g.kind,
		g.protocol, g.version)
	g.tags = map[string]string{"elbv2.k8s.aws/cluster": m.tags["elbv2.k8s.aws/cluster"],
		"ingress.k8s.aws/stack":    m.tags["ingress.k8s.aws/stack"],
		"ingress.k8s.aws/resource": fmt.Sprintf("%s/%s-%s:%d", i.Namespace, i.Name, s.Name, sp.Port)}
	var err error
	if g.attributes, err = own.pairs("target-group-attributes"); err != nil {
		return "", err
	}
	if err := g.checked(own); err != nil {
		return "", err
	}
	m.targets[g.name] = g
	return g.name, nil
}

// addresses are the endpoints of a Service's port that are ready, or end and still serve where no other does.
func addresses(all []*discoveryv1.EndpointSlice, portName string) (ready []elbtypes.TargetDescription) {
	for _, slice := range all {
		for _, p := range slice.Ports {
			if aws.ToString(p.Name) != portName || p.Port == nil {
				continue
			}
			for _, e := range slice.Endpoints {
				if (e.Conditions.Ready == nil || *e.Conditions.Ready) && len(e.Addresses) > 0 {
					ready = append(ready, elbtypes.TargetDescription{Id: aws.String(e.Addresses[0]), Port: p.Port})
				}
			}
		}
	}
	return ready
}

// checked sets how targets are checked, with the controller's defaults.
func (g *targetGroup) checked(own settings) error {
	g.check.HealthCheckPath = aws.String(own.text("healthcheck-path", "/"))
	g.check.HealthCheckPort = aws.String(own.text("healthcheck-port", "traffic-port"))
	g.check.HealthCheckProtocol = elbtypes.ProtocolEnum(own.text("healthcheck-protocol", g.protocol))
	codes := own.text("success-codes", "200")
	g.check.Matcher = &elbtypes.Matcher{HttpCode: &codes}
	if g.version == "GRPC" {
		g.check.HealthCheckPath = aws.String(own.text("healthcheck-path", "/AWS.ALB/healthcheck"))
		g.check.Matcher = &elbtypes.Matcher{GrpcCode: aws.String(own.text("success-codes", "12"))}
	}
	for name, at := range map[string]**int32{"healthcheck-interval-seconds": &g.check.HealthCheckIntervalSeconds,
		"healthcheck-timeout-seconds": &g.check.HealthCheckTimeoutSeconds, "healthy-threshold-count": &g.check.HealthyThresholdCount,
		"unhealthy-threshold-count": &g.check.UnhealthyThresholdCount} {
		n, err := own.number(name, map[string]int32{"healthcheck-interval-seconds": 15, "healthcheck-timeout-seconds": 5}[name])
		if err != nil {
			return err
		}
		if n == 0 {
			n = 2
		}
		*at = &n
	}
	return nil
}
