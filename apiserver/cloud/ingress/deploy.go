package ingress

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/smithy-go"
)

// Cloud is AWS, as the controller asks it.
type Cloud struct {
	VPC          string
	Balancers    *elbv2.Client
	Network      *ec2.Client
	Certificates *acm.Client
}

// deploy makes AWS be as the model says, and returns the load balancer's name in the DNS. What there is already is
// compared and changed, so that it can be called again at any time.
func (c Cloud) deploy(ctx context.Context, m *model) (dnsName string, err error) {
	if err := c.secure(ctx, m); err != nil {
		return "", err
	}
	b, err := c.balancer(ctx, m)
	if err != nil {
		return "", err
	}
	arns := map[string]string{} // of target groups, by name
	for _, name := range slices.Sorted(maps.Keys(m.targets)) {
		if arns[name], err = c.targetGroup(ctx, m.targets[name]); err != nil {
			return "", err
		}
	}
	if err := c.listeners(ctx, m, b, arns); err != nil {
		return "", err
	}
	cluster, stack := m.tags["elbv2.k8s.aws/cluster"], m.tags["ingress.k8s.aws/stack"]
	if err := c.surplus(ctx, cluster, stack, aws.ToString(b.LoadBalancerArn)); err != nil { // one of another name or scheme
		return "", err
	}
	if err := c.unused(ctx, cluster, stack, slices.Collect(maps.Values(arns))); err != nil {
		return "", err
	}
	kept := m.name
	if m.named {
		kept = ""
	}
	if err := c.closeGroups(ctx, cluster, stack, kept); err != nil {
		return "", err
	}
	return aws.ToString(b.DNSName), nil
}

// is says whether an error is one of AWS's with that code.
func is(err error, code string) bool {
	var answer smithy.APIError
	return errors.As(err, &answer) && answer.ErrorCode() == code
}

func tagsOf(all map[string]string) (tags []elbtypes.Tag) {
	for _, key := range slices.Sorted(maps.Keys(all)) {
		tags = append(tags, elbtypes.Tag{Key: &key, Value: aws.String(all[key])})
	}
	return tags
}

func (c Cloud) balancer(ctx context.Context, m *model) (b elbtypes.LoadBalancer, err error) {
	found, err := c.Balancers.DescribeLoadBalancers(ctx, &elbv2.DescribeLoadBalancersInput{Names: []string{m.name}})
	switch {
	case is(err, "LoadBalancerNotFound"):
		subnets, err := c.subnets(ctx, m)
		if err != nil {
			return b, err
		}
		in := &elbv2.CreateLoadBalancerInput{Name: &m.name, Subnets: subnets, SecurityGroups: m.security,
			Scheme: elbtypes.LoadBalancerSchemeEnum(m.scheme), Type: elbtypes.LoadBalancerTypeEnumApplication, Tags: tagsOf(m.tags),
			IpAddressType: elbtypes.IpAddressType(m.ipAddressType)}
		made, err := c.Balancers.CreateLoadBalancer(ctx, in)
		if err != nil {
			return b, err
		}
		b = made.LoadBalancers[0]
	case err != nil:
		return b, err
	default:
		b = found.LoadBalancers[0]
		if err := c.isOf(ctx, b, m); err != nil {
			return b, err
		}
		if err := c.move(ctx, b, m); err != nil {
			return b, err
		}
		if string(b.Scheme) != m.scheme {
			return b, fmt.Errorf("load balancer %s has the scheme %s, want %s: delete it, or give the Ingress another name", m.name,
				b.Scheme, m.scheme)
		}
	}
	if len(m.attributes) == 0 {
		return b, nil
	}
	in := &elbv2.ModifyLoadBalancerAttributesInput{LoadBalancerArn: b.LoadBalancerArn}
	for _, key := range slices.Sorted(maps.Keys(m.attributes)) {
		in.Attributes = append(in.Attributes, elbtypes.LoadBalancerAttribute{Key: &key, Value: aws.String(m.attributes[key])})
	}
	_, err = c.Balancers.ModifyLoadBalancerAttributes(ctx, in)
	return b, err
}

// isOf refuses a load balancer that is somebody else's.
func (c Cloud) isOf(ctx context.Context, b elbtypes.LoadBalancer, m *model) error {
	ours := false
	err := c.tagged(ctx, m.tags["elbv2.k8s.aws/cluster"], []string{aws.ToString(b.LoadBalancerArn)}, func(_, stack string) error {
		ours = stack == m.tags["ingress.k8s.aws/stack"]
		return nil
	})
	if err == nil && !ours {
		err = fmt.Errorf("load balancer %s is there already, and was not made for this Ingress: its tags say so", m.name)
	}
	return err
}

// move gives a load balancer that is there the subnets, groups, address type and tags that the annotations name.
func (c Cloud) move(ctx context.Context, b elbtypes.LoadBalancer, m *model) (err error) {
	if len(m.security) > 0 {
		_, err = c.Balancers.SetSecurityGroups(ctx, &elbv2.SetSecurityGroupsInput{LoadBalancerArn: b.LoadBalancerArn,
			SecurityGroups: m.security})
	}
	if err == nil && len(m.subnets) > 0 {
		var subnets []string
		if subnets, err = c.subnets(ctx, m); err == nil {
			_, err = c.Balancers.SetSubnets(ctx, &elbv2.SetSubnetsInput{LoadBalancerArn: b.LoadBalancerArn, Subnets: subnets})
		}
	}
	if err == nil && m.ipAddressType != "" && m.ipAddressType != string(b.IpAddressType) {
		_, err = c.Balancers.SetIpAddressType(ctx, &elbv2.SetIpAddressTypeInput{LoadBalancerArn: b.LoadBalancerArn,
			IpAddressType: elbtypes.IpAddressType(m.ipAddressType)})
	}
	if err == nil {
		_, err = c.Balancers.AddTags(ctx, &elbv2.AddTagsInput{ResourceArns: []string{aws.ToString(b.LoadBalancerArn)}, Tags: tagsOf(m.tags)})
	}
	return err
}

// subnets are those of the annotation, by id or name, or one in each zone with the tag of the scheme's role.
func (c Cloud) subnets(ctx context.Context, m *model) (ids []string, err error) {
	in := &ec2.DescribeSubnetsInput{Filters: []ec2types.Filter{{Name: aws.String("vpc-id"), Values: []string{c.VPC}}}}
	role := "kubernetes.io/role/internal-elb"
	if m.scheme == "internet-facing" {
		role = "kubernetes.io/role/elb"
	}
	if len(m.subnets) == 0 {
		in.Filters = append(in.Filters, ec2types.Filter{Name: aws.String("tag:" + role), Values: []string{"", "1"}})
	}
	found, err := c.Network.DescribeSubnets(ctx, in)
	if err != nil {
		return nil, err
	}
	zones := map[string]bool{}
	for _, s := range found.Subnets {
		name := ""
		for _, t := range s.Tags {
			if aws.ToString(t.Key) == "Name" {
				name = aws.ToString(t.Value)
			}
		}
		id, zone := aws.ToString(s.SubnetId), aws.ToString(s.AvailabilityZone)
		if len(m.subnets) > 0 && !slices.Contains(m.subnets, id) && !slices.Contains(m.subnets, name) || len(m.subnets) == 0 && zones[zone] {
			continue
		}
		zones[zone] = true
		ids = append(ids, id)
	}
	if len(m.subnets) == 0 && len(ids) == 0 {
		return nil, fmt.Errorf("couldn't auto-discover subnets: unable to resolve at least one subnet (0 match VPC and tags: [%s])", role)
	}
	if len(m.subnets) > len(ids) {
		return nil, fmt.Errorf("couldn't find all subnets, want: %v, found: %v", m.subnets, ids)
	}
	return ids, nil
}

func (c Cloud) targetGroup(ctx context.Context, g *targetGroup) (arn string, err error) {
	var there elbtypes.TargetGroup
	found, err := c.Balancers.DescribeTargetGroups(ctx, &elbv2.DescribeTargetGroupsInput{Names: []string{g.name}})
	switch {
	case is(err, "TargetGroupNotFound"):
		made, err := c.Balancers.CreateTargetGroup(ctx, &elbv2.CreateTargetGroupInput{Name: &g.name, Port: &g.port,
			Protocol: elbtypes.ProtocolEnum(g.protocol), ProtocolVersion: &g.version, TargetType: elbtypes.TargetTypeEnum(g.kind),
			VpcId: &c.VPC, Tags: tagsOf(g.tags), HealthCheckEnabled: aws.Bool(true), HealthCheckPath: g.check.HealthCheckPath,
			HealthCheckPort: g.check.HealthCheckPort, HealthCheckProtocol: g.check.HealthCheckProtocol, Matcher: g.check.Matcher,
			HealthCheckIntervalSeconds: g.check.HealthCheckIntervalSeconds, HealthCheckTimeoutSeconds: g.check.HealthCheckTimeoutSeconds,
			HealthyThresholdCount: g.check.HealthyThresholdCount, UnhealthyThresholdCount: g.check.UnhealthyThresholdCount})
		if err != nil {
			return "", err
		}
		there = made.TargetGroups[0]
	case err != nil:
		return "", err
	default:
		there = found.TargetGroups[0]
		now := elbtypes.TargetGroup{HealthCheckPath: there.HealthCheckPath, HealthCheckPort: there.HealthCheckPort,
			HealthCheckProtocol: there.HealthCheckProtocol, Matcher: there.Matcher,
			HealthCheckIntervalSeconds: there.HealthCheckIntervalSeconds, HealthCheckTimeoutSeconds: there.HealthCheckTimeoutSeconds,
			HealthyThresholdCount: there.HealthyThresholdCount, UnhealthyThresholdCount: there.UnhealthyThresholdCount}
		if !reflect.DeepEqual(now, g.check) {
			if _, err := c.Balancers.ModifyTargetGroup(ctx, &elbv2.ModifyTargetGroupInput{TargetGroupArn: there.TargetGroupArn,
				HealthCheckPath: g.check.HealthCheckPath, HealthCheckPort: g.check.HealthCheckPort,
				HealthCheckProtocol: g.check.HealthCheckProtocol, Matcher: g.check.Matcher,
				HealthCheckIntervalSeconds: g.check.HealthCheckIntervalSeconds, HealthCheckTimeoutSeconds: g.check.HealthCheckTimeoutSeconds,
				HealthyThresholdCount: g.check.HealthyThresholdCount, UnhealthyThresholdCount: g.check.UnhealthyThresholdCount}); err != nil {
				return "", err
			}
		}
	}
	arn = aws.ToString(there.TargetGroupArn)
	if len(g.attributes) > 0 {
		in := &elbv2.ModifyTargetGroupAttributesInput{TargetGroupArn: &arn}
		for _, key := range slices.Sorted(maps.Keys(g.attributes)) {
			in.Attributes = append(in.Attributes, elbtypes.TargetGroupAttribute{Key: &key, Value: aws.String(g.attributes[key])})
		}
		if _, err := c.Balancers.ModifyTargetGroupAttributes(ctx, in); err != nil {
			return "", err
		}
	}
	return arn, c.targets(ctx, arn, g.targets)
}

func targetKey(t elbtypes.TargetDescription) string {
	return fmt.Sprintf("%s:%d", aws.ToString(t.Id), aws.ToInt32(t.Port))
}

// targets registers those that are missing, and deregisters the others.
func (c Cloud) targets(ctx context.Context, arn string, wanted []elbtypes.TargetDescription) error {
	health, err := c.Balancers.DescribeTargetHealth(ctx, &elbv2.DescribeTargetHealthInput{TargetGroupArn: &arn})
	if err != nil {
		return err
	}
	want, there := map[string]bool{}, map[string]bool{}
	for _, t := range wanted {
		want[targetKey(t)] = true
	}
	var gone, missing []elbtypes.TargetDescription
	for _, h := range health.TargetHealthDescriptions {
		if h.TargetHealth.State == elbtypes.TargetHealthStateEnumDraining {
			continue
		}
		there[targetKey(*h.Target)] = true
		if !want[targetKey(*h.Target)] {
			gone = append(gone, *h.Target)
		}
	}
	for _, t := range wanted {
		if !there[targetKey(t)] {
			missing = append(missing, t)
		}
	}
	if len(missing) > 0 {
		if _, err := c.Balancers.RegisterTargets(ctx, &elbv2.RegisterTargetsInput{TargetGroupArn: &arn, Targets: missing}); err != nil {
			return err
		}
	}
	if len(gone) > 0 {
		_, err = c.Balancers.DeregisterTargets(ctx, &elbv2.DeregisterTargetsInput{TargetGroupArn: &arn, Targets: gone})
	}
	return err
}

// resolved is an action with the ARNs of its target groups.
func (r rule) resolved(arns map[string]string) []elbtypes.Action {
	a := r.action
	if a.ForwardConfig != nil {
		config := *a.ForwardConfig
		config.TargetGroups = slices.Clone(config.TargetGroups)
		for i, name := range r.groups {
			arn := name // an annotation may have named one
			if made, found := arns[name]; found {
				arn = made
			}
			config.TargetGroups[i].TargetGroupArn = &arn
		}
		a.ForwardConfig = &config
	}
	return []elbtypes.Action{a}
}

func (c Cloud) listeners(ctx context.Context, m *model, b elbtypes.LoadBalancer, arns map[string]string) error {
	found, err := c.Balancers.DescribeListeners(ctx, &elbv2.DescribeListenersInput{LoadBalancerArn: b.LoadBalancerArn})
	if err != nil {
		return err
	}
	there := map[int32]elbtypes.Listener{}
	for _, l := range found.Listeners {
		there[aws.ToInt32(l.Port)] = l
	}
	for _, l := range m.listeners {
		at, has := there[l.Port]
		delete(there, l.Port)
		var certificates []elbtypes.Certificate
		if len(l.certificates) > 0 {
			certificates = []elbtypes.Certificate{{CertificateArn: &l.certificates[0]}}
		}
		var policy *string
		if m.sslName != "" && l.Protocol == "HTTPS" {
			policy = &m.sslName
		}
		if has {
			_, err = c.Balancers.ModifyListener(ctx, &elbv2.ModifyListenerInput{ListenerArn: at.ListenerArn, Certificates: certificates,
				Protocol: elbtypes.ProtocolEnum(l.Protocol), SslPolicy: policy, DefaultActions: l.otherwise.resolved(arns)})
		} else {
			var made *elbv2.CreateListenerOutput
			made, err = c.Balancers.CreateListener(ctx, &elbv2.CreateListenerInput{LoadBalancerArn: b.LoadBalancerArn, Port: &l.Port,
				Protocol: elbtypes.ProtocolEnum(l.Protocol), Certificates: certificates, SslPolicy: policy,
				DefaultActions: l.otherwise.resolved(arns), Tags: tagsOf(m.tagged(fmt.Sprint(l.Port)))})
			if err == nil {
				at = made.Listeners[0]
			}
		}
		if err != nil {
			return err
		}
		if err := c.certificates(ctx, l, at.ListenerArn); err != nil {
			return err
		}
		if err := c.rules(ctx, m, l, aws.ToString(at.ListenerArn), arns); err != nil {
			return err
		}
	}
	for _, l := range there {
		if _, err := c.Balancers.DeleteListener(ctx, &elbv2.DeleteListenerInput{ListenerArn: l.ListenerArn}); err != nil {
			return err
		}
	}
	return nil
}

// certificates keeps those of a listener beside its default one.
func (c Cloud) certificates(ctx context.Context, l listener, arn *string) error {
	if l.Protocol != "HTTPS" {
		return nil
	}
	found, err := c.Balancers.DescribeListenerCertificates(ctx, &elbv2.DescribeListenerCertificatesInput{ListenerArn: arn})
	if err != nil {
		return err
	}
	var gone, missing []elbtypes.Certificate
	there := map[string]bool{}
	for _, has := range found.Certificates {
		there[aws.ToString(has.CertificateArn)] = true
		if !aws.ToBool(has.IsDefault) && !slices.Contains(l.certificates, aws.ToString(has.CertificateArn)) {
			gone = append(gone, elbtypes.Certificate{CertificateArn: has.CertificateArn})
		}
	}
	for _, wanted := range l.certificates {
		if !there[wanted] {
			missing = append(missing, elbtypes.Certificate{CertificateArn: &wanted})
		}
	}
	if len(missing) > 0 {
		_, err = c.Balancers.AddListenerCertificates(ctx, &elbv2.AddListenerCertificatesInput{ListenerArn: arn, Certificates: missing})
	}
	if err == nil && len(gone) > 0 {
		_, err = c.Balancers.RemoveListenerCertificates(ctx, &elbv2.RemoveListenerCertificatesInput{ListenerArn: arn, Certificates: gone})
	}
	return err
}

// tagged are the model's tags for one of its parts.
func (m *model) tagged(resource string) map[string]string {
	tags := maps.Clone(m.tags)
	tags["ingress.k8s.aws/resource"] = resource
	return tags
}

// rules have the priorities of their places, from 1 on.
func (c Cloud) rules(ctx context.Context, m *model, l listener, arn string, arns map[string]string) error {
	found, err := c.Balancers.DescribeRules(ctx, &elbv2.DescribeRulesInput{ListenerArn: &arn})
	if err != nil {
		return err
	}
	there := map[string]elbtypes.Rule{}
	for _, r := range found.Rules {
		if !aws.ToBool(r.IsDefault) {
			there[aws.ToString(r.Priority)] = r
		}
	}
	for i, r := range l.rules {
		priority := int32(i + 1)
		at, has := there[fmt.Sprint(priority)]
		delete(there, fmt.Sprint(priority))
		if has {
			_, err = c.Balancers.ModifyRule(ctx, &elbv2.ModifyRuleInput{RuleArn: at.RuleArn, Conditions: r.conditions, Actions: r.resolved(arns)})
		} else {
			_, err = c.Balancers.CreateRule(ctx, &elbv2.CreateRuleInput{ListenerArn: &arn, Priority: &priority, Conditions: r.conditions,
				Actions: r.resolved(arns), Tags: tagsOf(m.tagged(fmt.Sprintf("%d:%d", l.Port, priority)))})
		}
		if err != nil {
			return err
		}
	}
	for _, r := range there {
		if _, err := c.Balancers.DeleteRule(ctx, &elbv2.DeleteRuleInput{RuleArn: r.RuleArn}); err != nil {
			return err
		}
	}
	return nil
}

// mostDescribed is how many resources DescribeTags takes at once.
const mostDescribed = 20

// tagged calls each for all load balancers, or all target groups, of the cluster, with the stack of each.
func (c Cloud) tagged(ctx context.Context, cluster string, arns []string, each func(arn, stack string) error) error {
	for some := range slices.Chunk(arns, mostDescribed) {
		all, err := c.Balancers.DescribeTags(ctx, &elbv2.DescribeTagsInput{ResourceArns: some})
		if err != nil {
			return err
		}
		for _, d := range all.TagDescriptions {
			tags := map[string]string{}
			for _, t := range d.Tags {
				tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
			}
			if stack, ours := tags["ingress.k8s.aws/stack"]; ours && tags["elbv2.k8s.aws/cluster"] == cluster {
				if err := each(aws.ToString(d.ResourceArn), stack); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// unused deletes the target groups of a stack that are not among those kept.
func (c Cloud) unused(ctx context.Context, cluster, stack string, kept []string) error {
	var arns []string
	for pages := elbv2.NewDescribeTargetGroupsPaginator(c.Balancers, &elbv2.DescribeTargetGroupsInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, g := range page.TargetGroups {
			if strings.HasPrefix(aws.ToString(g.TargetGroupName), "k8s-") && !slices.Contains(kept, aws.ToString(g.TargetGroupArn)) {
				arns = append(arns, aws.ToString(g.TargetGroupArn))
			}
		}
	}
	return c.tagged(ctx, cluster, arns, func(arn, of string) error {
		if of != stack {
			return nil
		}
		_, err := c.Balancers.DeleteTargetGroup(ctx, &elbv2.DeleteTargetGroupInput{TargetGroupArn: &arn})
		return err
	})
}

// remove deletes all of a stack.
func (c Cloud) remove(ctx context.Context, cluster, stack string) error {
	if err := c.surplus(ctx, cluster, stack, ""); err != nil {
		return err
	}
	if err := c.unused(ctx, cluster, stack, nil); err != nil {
		return err
	}
	return c.closeGroups(ctx, cluster, stack, "")
}

// surplus deletes the load balancers of a stack but the one that is kept.
func (c Cloud) surplus(ctx context.Context, cluster, stack, kept string) error {
	var arns []string
	for pages := elbv2.NewDescribeLoadBalancersPaginator(c.Balancers, &elbv2.DescribeLoadBalancersInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, b := range page.LoadBalancers {
			arns = append(arns, aws.ToString(b.LoadBalancerArn))
		}
	}
	return c.tagged(ctx, cluster, arns, func(arn, of string) error {
		if of != stack || arn == kept {
			return nil
		}
		_, err := c.Balancers.DeleteLoadBalancer(ctx, &elbv2.DeleteLoadBalancerInput{LoadBalancerArn: &arn})
		return err
	})
}
