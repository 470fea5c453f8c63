package elb_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/smithy-go"

	"tripod/awsapi/apitest"
	"tripod/awsapi/ec2"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

var (
	vpc = ec2.VPC{AccountID: iam.DefaultAccountID, Region: apitest.Region,
		Zones: []string{"us-east-1a", "us-east-1b", "us-east-1c"}}
	ctx = context.Background()
)

const instance = "i-0123456789abcdef0"

func TestBoto3SeesBothAPIs(t *testing.T) {
	newWorld(t).Boto3("testdata/clients.py")
}

// newWorld has one instance in the first zone, which runs.
func newWorld(t *testing.T) *apitest.World {
	t.Helper()
	return apitest.New(t, func(tx *state.Txn) {
		region.Instances.Put(tx, instance, region.Instance{ID: instance, State: region.InstanceRunning, Zone: vpc.Zones[0],
			VPCID: vpc.ID(), SubnetID: vpc.SubnetIDs()[0], Address: "10.0.0.40"})
	})
}

// refused says whether an error is AWS's of that code, with those words in its sentence.
func refused(t *testing.T, what string, err error, code, words string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), words) {
		t.Errorf("%s: %v, not %s: %s", what, err, code, words)
	}
}

// balanced is a world with the load balancer web, its listener on port 80, and the target group front that this sends to.
type balanced struct {
	*apitest.World
	*v2.Client
	balancer, listener, group *string
}

func newBalanced(t *testing.T) balanced {
	t.Helper()
	w := newWorld(t)
	b := balanced{World: w, Client: v2.NewFromConfig(w.Config("admin"))}
	b.balancer = must(t)(b.CreateLoadBalancer(ctx, &v2.CreateLoadBalancerInput{Name: aws.String("web"),
		Subnets: vpc.PublicSubnetIDs()})).(*v2.CreateLoadBalancerOutput).LoadBalancers[0].LoadBalancerArn
	b.group = b.newGroup(t, "front", types.ProtocolEnumHttp)
	b.listener = must(t)(b.CreateListener(ctx, &v2.CreateListenerInput{LoadBalancerArn: b.balancer, Port: aws.Int32(80),
		Protocol: types.ProtocolEnumHttp, DefaultActions: forwardTo(b.group)})).(*v2.CreateListenerOutput).Listeners[0].ListenerArn
	return b
}

// must fails the test where a call fails.
func must(t *testing.T) func(out any, err error) any {
	return func(out any, err error) any {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

func (b balanced) newGroup(t *testing.T, name string, protocol types.ProtocolEnum) *string {
	t.Helper()
	out, err := b.CreateTargetGroup(ctx, &v2.CreateTargetGroupInput{Name: &name, Protocol: protocol, Port: aws.Int32(8080),
		VpcId: aws.String(vpc.ID())})
	if err != nil {
		t.Fatal(err)
	}
	return out.TargetGroups[0].TargetGroupArn
}

func forwardTo(group *string) []types.Action {
	return []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: group}}
}

func pathIs(path string) []types.RuleCondition {
	return []types.RuleCondition{{Field: aws.String("path-pattern"), Values: []string{path}}}
}

func TestLoadBalancersOfEachTypeHaveTheirNamesAndPlaces(t *testing.T) {
	client := v2.NewFromConfig(newWorld(t).Config("admin"))
	for _, c := range []struct {
		name, begins, ends string
		kind               types.LoadBalancerTypeEnum
		scheme             types.LoadBalancerSchemeEnum
		subnets            []string
		groups             int
	}{
		{"alb", "alb-", ".us-east-1.elb.localhost", "", "", vpc.PublicSubnetIDs(), 1},
		{"alb-in", "internal-alb-in-", ".us-east-1.elb.localhost", "application", "internal", vpc.SubnetIDs(), 1},
		{"nlb", "nlb-", ".elb.us-east-1.localhost", "network", "internet-facing", vpc.PublicSubnetIDs()[:1], 0},
	} {
		out, err := client.CreateLoadBalancer(ctx, &v2.CreateLoadBalancerInput{Name: &c.name, Type: c.kind, Scheme: c.scheme,
			Subnets: c.subnets})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		made := out.LoadBalancers[0]
		if !strings.HasPrefix(*made.DNSName, c.begins) || !strings.HasSuffix(*made.DNSName, c.ends) ||
			len(made.AvailabilityZones) != len(c.subnets) || len(made.SecurityGroups) != c.groups ||
			made.State.Code != types.LoadBalancerStateEnumProvisioning || *made.VpcId != vpc.ID() {
			t.Errorf("%s is %s in %v with %v", c.name, *made.DNSName, made.AvailabilityZones, made.SecurityGroups)
		}
		shown, err := client.DescribeLoadBalancers(ctx, &v2.DescribeLoadBalancersInput{Names: []string{c.name}})
		if err != nil || shown.LoadBalancers[0].State.Code != types.LoadBalancerStateEnumActive {
			t.Errorf("%s: %+v, %v", c.name, shown, err)
		}
	}
	again, err := client.CreateLoadBalancer(ctx, &v2.CreateLoadBalancerInput{Name: aws.String("alb"), Subnets: vpc.PublicSubnetIDs()})
	if err != nil || len(again.LoadBalancers) != 1 {
		t.Errorf("the same again: %v", err)
	}
}

func TestLoadBalancersAreRefusedInAWSsWords(t *testing.T) {
	b := newBalanced(t)
	public, private := vpc.PublicSubnetIDs(), vpc.SubnetIDs()
	for what, c := range map[string]struct {
		in          v2.CreateLoadBalancerInput
		code, words string
	}{
		"a name that is too long": {v2.CreateLoadBalancerInput{Name: aws.String(strings.Repeat("a", 33)), Subnets: public},
			"ValidationError", "cannot be longer than '32' characters"},
		"a name with an underscore": {v2.CreateLoadBalancerInput{Name: aws.String("a_b"), Subnets: public}, "ValidationError",
			"can only contain characters that are alphanumeric characters and hyphens(-)"},
		"a name that begins with internal-": {v2.CreateLoadBalancerInput{Name: aws.String("internal-a"), Subnets: public},
			"ValidationError", "cannot begin with 'internal-'"},
		"one zone": {v2.CreateLoadBalancerInput{Name: aws.String("a"), Subnets: public[:1]}, "ValidationError",
			"At least two subnets in two different Availability Zones must be specified"},
		"two subnets of a zone": {v2.CreateLoadBalancerInput{Name: aws.String("a"), Subnets: []string{public[0], private[0]}},
			"InvalidConfigurationRequest", "cannot be attached to multiple subnets in the same Availability Zone"},
		"no such subnet": {v2.CreateLoadBalancerInput{Name: aws.String("a"), Subnets: []string{"subnet-00000000000000001"}},
			"SubnetNotFound", "The subnet ID 'subnet-00000000000000001' does not exist"},
		"no such group": {v2.CreateLoadBalancerInput{Name: aws.String("a"), Subnets: public, SecurityGroups: []string{"sg-1"}},
			"InvalidConfigurationRequest", "One or more security groups are invalid"},
		"no such scheme": {v2.CreateLoadBalancerInput{Name: aws.String("a"), Subnets: public, Scheme: "outside"},
			"ValidationError", "Member must satisfy enum value set"},
		"a name that is taken": {v2.CreateLoadBalancerInput{Name: aws.String("web"), Subnets: private, Scheme: "internal"},
			"DuplicateLoadBalancerName", "A load balancer with the same name 'web' exists, but with different settings"},
		"no such allocation": {v2.CreateLoadBalancerInput{Name: aws.String("a"), Type: "network", SubnetMappings: []types.
			SubnetMapping{{SubnetId: &public[0], AllocationId: aws.String("eipalloc-00000000000000001")}}},
			"AllocationIdNotFound", "does not exist"},
	} {
		_, err := b.CreateLoadBalancer(ctx, &c.in)
		refused(t, what, err, c.code, c.words)
	}
	_, err := b.DescribeLoadBalancers(ctx, &v2.DescribeLoadBalancersInput{Names: []string{"none"}})
	refused(t, "none", err, "LoadBalancerNotFound", "Load balancers '[none]' not found")
}

func TestListenersAndRulesAreRefusedInAWSsWords(t *testing.T) {
	b := newBalanced(t)
	tcp := b.newGroup(t, "tcp", types.ProtocolEnumTcp)
	add := func(port int32, protocol types.ProtocolEnum, actions []types.Action) error {
		_, err := b.CreateListener(ctx, &v2.CreateListenerInput{LoadBalancerArn: b.balancer, Port: &port, Protocol: protocol,
			DefaultActions: actions})
		return err
	}
	refused(t, "a port that is taken", add(80, "HTTP", forwardTo(b.group)), "DuplicateListener",
		"A listener already exists on this port for this load balancer '"+*b.balancer+"'")
	refused(t, "another type's protocol", add(81, "TCP", forwardTo(b.group)), "ValidationError",
		"Listener protocol 'TCP' must be one of 'HTTP, HTTPS'")
	refused(t, "no certificate", add(443, "HTTPS", forwardTo(b.group)), "ValidationError",
		"A certificate must be specified for HTTPS listeners")
	refused(t, "a group of another protocol", add(81, "HTTP", forwardTo(tcp)), "InvalidConfigurationRequest",
		"Listener protocol 'HTTP' is not supported with a target group with the protocol 'TCP'")
	refused(t, "no such group", add(81, "HTTP", forwardTo(aws.String(*b.group+"0"))), "TargetGroupNotFound", "not found")
	refused(t, "a redirect to itself", add(81, "HTTP", []types.Action{{Type: "redirect", RedirectConfig: &types.
		RedirectActionConfig{StatusCode: "HTTP_301"}}}), "InvalidLoadBalancerAction", "redirect to itself")
	refused(t, "a fixed response of an odd type", add(81, "HTTP", []types.Action{{Type: "fixed-response",
		FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: aws.String("200"), ContentType: aws.String("a/b")}}}),
		"InvalidLoadBalancerAction", "The ContentType must be one of")

	rule := func(priority int32, conditions []types.RuleCondition) (*v2.CreateRuleOutput, error) {
		return b.CreateRule(ctx, &v2.CreateRuleInput{ListenerArn: b.listener, Priority: &priority, Conditions: conditions,
			Actions: forwardTo(b.group)})
	}
	must(t)(rule(5, pathIs("/a/*")))
	for what, c := range map[string]struct {
		priority    int32
		conditions  []types.RuleCondition
		code, words string
	}{
		"a priority that is taken": {5, pathIs("/b"), "PriorityInUse", "Priority '5' is currently in use"},
		"no such field": {6, []types.RuleCondition{{Field: aws.String("cookie"), Values: []string{"a"}}}, "ValidationError",
			"Condition field 'cookie' must be one of '[host-header, path-pattern"},
		"values where a config belongs": {6, []types.RuleCondition{{Field: aws.String("source-ip"), Values: []string{"a"}}},
			"ValidationError", "The 'Values' field is not compatible with 'source-ip'"},
		"no CIDR": {6, []types.RuleCondition{{Field: aws.String("source-ip"),
			SourceIpConfig: &types.SourceIpConditionConfig{Values: []string{"10.0.0.1"}}}}, "ValidationError", "must be in CIDR format"},
		"six values": {6, []types.RuleCondition{{Field: aws.String("host-header"), HostHeaderConfig: &types.
			HostHeaderConditionConfig{Values: []string{"a", "b", "c", "d", "e", "f"}}}}, "ValidationError",
			"up to '5' condition values"},
		"a priority beyond the last": {50001, pathIs("/b"), "ValidationError", "less than or equal to 50000"},
	} {
		_, err := rule(c.priority, c.conditions)
		refused(t, what, err, c.code, c.words)
	}
	rules := must(t)(b.DescribeRules(ctx, &v2.DescribeRulesInput{ListenerArn: b.listener})).(*v2.DescribeRulesOutput).Rules
	if len(rules) != 2 || *rules[0].Priority != "5" || *rules[1].Priority != "default" || !*rules[1].IsDefault {
		t.Fatalf("the rules are %+v", rules)
	}
	_, err := b.DeleteRule(ctx, &v2.DeleteRuleInput{RuleArn: rules[1].RuleArn})
	refused(t, "the default rule", err, "OperationNotPermitted", "Default rule '"+*rules[1].RuleArn+"' cannot be deleted")
}

func TestRulesChangePlacesAtOnce(t *testing.T) {
	b := newBalanced(t)
	arns := map[string]string{}
	for priority, path := range map[int32]string{1: "/a", 2: "/b"} {
		out := must(t)(b.CreateRule(ctx, &v2.CreateRuleInput{ListenerArn: b.listener, Priority: &priority, Conditions: pathIs(path),
			Actions: forwardTo(b.group)})).(*v2.CreateRuleOutput)
		arns[path] = *out.Rules[0].RuleArn
	}
	set := func(path string, priority int32) types.RulePriorityPair {
		return types.RulePriorityPair{RuleArn: aws.String(arns[path]), Priority: &priority}
	}
	_, err := b.SetRulePriorities(ctx, &v2.SetRulePrioritiesInput{RulePriorities: []types.RulePriorityPair{set("/a", 2)}})
	refused(t, "a priority that is taken", err, "PriorityInUse", "Priority '2' is currently in use")
	must(t)(b.SetRulePriorities(ctx, &v2.SetRulePrioritiesInput{RulePriorities: []types.RulePriorityPair{set("/a", 2), set("/b", 1)}}))
	rules := must(t)(b.DescribeRules(ctx, &v2.DescribeRulesInput{ListenerArn: b.listener})).(*v2.DescribeRulesOutput).Rules
	if *rules[0].RuleArn != arns["/b"] || *rules[1].RuleArn != arns["/a"] {
		t.Errorf("the rules are %+v", rules)
	}
}

func TestActionsAndConditionsAreShownAsTheyWereGiven(t *testing.T) {
	b := newBalanced(t)
	other := b.newGroup(t, "other", types.ProtocolEnumHttp)
	actions := []types.Action{
		{Type: "forward", ForwardConfig: &types.ForwardActionConfig{TargetGroups: []types.TargetGroupTuple{
			{TargetGroupArn: b.group, Weight: aws.Int32(90)}, {TargetGroupArn: other, Weight: aws.Int32(10)}},
			TargetGroupStickinessConfig: &types.TargetGroupStickinessConfig{Enabled: aws.Bool(true), DurationSeconds: aws.Int32(60)}}},
		{Type: "redirect", RedirectConfig: &types.RedirectActionConfig{Protocol: aws.String("HTTPS"), Port: aws.String("443"),
			Host: aws.String("#{host}"), Path: aws.String("/#{path}"), Query: aws.String("#{query}"), StatusCode: "HTTP_301"}},
		{Type: "fixed-response", FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: aws.String("503"),
			ContentType: aws.String("text/plain"), MessageBody: aws.String("closed")}},
	}
	for i, action := range actions {
		conditions := []types.RuleCondition{
			{Field: aws.String("http-header"), HttpHeaderConfig: &types.HttpHeaderConditionConfig{
				HttpHeaderName: aws.String("X-Version"), Values: []string{"2*"}}},
			{Field: aws.String("query-string"), QueryStringConfig: &types.QueryStringConditionConfig{Values: []types.
				QueryStringKeyValuePair{{Key: aws.String("v"), Value: aws.String("2")}}}},
		}
		out := must(t)(b.CreateRule(ctx, &v2.CreateRuleInput{ListenerArn: b.listener, Priority: aws.Int32(int32(i + 1)),
			Conditions: conditions, Actions: []types.Action{action}})).(*v2.CreateRuleOutput).Rules[0]
		got := out.Actions[0]
		switch {
		case action.ForwardConfig != nil:
			if len(got.ForwardConfig.TargetGroups) != 2 || *got.ForwardConfig.TargetGroups[1].Weight != 10 ||
				*got.ForwardConfig.TargetGroupStickinessConfig.DurationSeconds != 60 {
				t.Errorf("forward: %+v", got.ForwardConfig)
			}
		case action.RedirectConfig != nil:
			if *got.RedirectConfig.Port != "443" || got.RedirectConfig.StatusCode != "HTTP_301" {
				t.Errorf("redirect: %+v", got.RedirectConfig)
			}
		default:
			if *got.FixedResponseConfig.MessageBody != "closed" || *got.FixedResponseConfig.StatusCode != "503" {
				t.Errorf("fixed-response: %+v", got.FixedResponseConfig)
			}
		}
		if header, query := out.Conditions[0].HttpHeaderConfig, out.Conditions[1].QueryStringConfig; *header.
			HttpHeaderName != "X-Version" || header.Values[0] != "2*" || *query.Values[0].Key != "v" {
			t.Errorf("conditions: %+v", out.Conditions)
		}
	}
	users := must(t)(b.DescribeTargetGroups(ctx, &v2.DescribeTargetGroupsInput{Names: []string{"other"}})).(*v2.
		DescribeTargetGroupsOutput).TargetGroups[0].LoadBalancerArns
	if !slices.Equal(users, []string{*b.balancer}) {
		t.Errorf("a rule's group is used by %v", users)
	}
}

func TestTargetGroupsHaveAWSsDefaults(t *testing.T) {
	b := newBalanced(t)
	for _, c := range []struct {
		name, path, codes string
		protocol          types.ProtocolEnum
		check             types.ProtocolEnum
		timeout           int32
	}{
		{"http", "/", "200", "HTTP", "HTTP", 5}, {"tcp", "", "", "TCP", "TCP", 10}, {"udp", "", "", "UDP", "TCP", 10},
	} {
		arn := b.newGroup(t, c.name, c.protocol)
		g := must(t)(b.DescribeTargetGroups(ctx, &v2.DescribeTargetGroupsInput{TargetGroupArns: []string{*arn}})).(*v2.
			DescribeTargetGroupsOutput).TargetGroups[0]
		codes := ""
		if g.Matcher != nil {
			codes = aws.ToString(g.Matcher.HttpCode)
		}
		if aws.ToString(g.HealthCheckPath) != c.path || codes != c.codes || g.HealthCheckProtocol != c.check ||
			*g.HealthCheckTimeoutSeconds != c.timeout || *g.HealthCheckIntervalSeconds != 30 || *g.HealthyThresholdCount != 5 ||
			*g.UnhealthyThresholdCount != 2 || *g.HealthCheckPort != "traffic-port" {
			t.Errorf("%s: %+v", c.name, g)
		}
	}
	refuse := func(what string, in v2.CreateTargetGroupInput, code, words string) {
		in.Name = aws.String("new")
		_, err := b.CreateTargetGroup(ctx, &in)
		refused(t, what, err, code, words)
	}
	refuse("no protocol", v2.CreateTargetGroupInput{Port: aws.Int32(1)}, "ValidationError", "A protocol must be specified")
	refuse("no port", v2.CreateTargetGroupInput{Protocol: "TCP"}, "ValidationError", "A port must be specified")
	refuse("no VPC", v2.CreateTargetGroupInput{Protocol: "TCP", Port: aws.Int32(1)}, "ValidationError", "A VPC ID must be specified")
	refuse("another's VPC", v2.CreateTargetGroupInput{Protocol: "TCP", Port: aws.Int32(1), VpcId: aws.String("vpc-1")},
		"ValidationError", "The VPC ID 'vpc-1' is not found")
	refuse("a slow check", v2.CreateTargetGroupInput{Protocol: "HTTP", Port: aws.Int32(1), VpcId: aws.String(vpc.ID()),
		HealthCheckTimeoutSeconds: aws.Int32(30)}, "ValidationError", "Health check timeout '30' must be smaller than the interval '30'")
	refuse("a check by TCP", v2.CreateTargetGroupInput{Protocol: "HTTP", Port: aws.Int32(1), VpcId: aws.String(vpc.ID()),
		HealthCheckProtocol: "TCP"}, "InvalidConfigurationRequest", "Health check protocol 'TCP' is not supported")
	_, err := b.CreateTargetGroup(ctx, &v2.CreateTargetGroupInput{Name: aws.String("front"), Protocol: "TCP", Port: aws.Int32(1),
		VpcId: aws.String(vpc.ID())})
	refused(t, "a name that is taken", err, "DuplicateTargetGroupName",
		"A target group with the same name 'front' exists, but with different settings")
}

func TestTargetsAreWhatTheNodesFind(t *testing.T) {
	b := newBalanced(t)
	idle := b.newGroup(t, "idle", types.ProtocolEnumHttp)
	health := func(group *string) types.TargetHealthDescription {
		t.Helper()
		out := must(t)(b.DescribeTargetHealth(ctx, &v2.DescribeTargetHealthInput{TargetGroupArn: group, Targets: []types.
			TargetDescription{{Id: aws.String(instance), Port: aws.Int32(8080)}}})).(*v2.DescribeTargetHealthOutput)
		return out.TargetHealthDescriptions[0]
	}
	expect := func(what string, group *string, state types.TargetHealthStateEnum, reason types.TargetHealthReasonEnum) {
		t.Helper()
		if got := health(group).TargetHealth; got.State != state || got.Reason != reason {
			t.Errorf("%s: %s %s", what, got.State, got.Reason)
		}
	}
	targets := []types.TargetDescription{{Id: aws.String(instance)}}
	expect("not registered", b.group, "unused", "Target.NotRegistered")
	for _, group := range []*string{b.group, idle} {
		must(t)(b.RegisterTargets(ctx, &v2.RegisterTargetsInput{TargetGroupArn: group, Targets: targets}))
	}
	expect("registered", b.group, "initial", "Elb.RegistrationInProgress")
	expect("registered where nobody sends to", idle, "unused", "Target.NotInUse")
	if shown := health(b.group); *shown.HealthCheckPort != "8080" {
		t.Errorf("it is checked at %s", *shown.HealthCheckPort)
	}
	b.Write(func(tx *state.Txn) {
		if err := region.ReportTarget(tx, region.TargetReport{Group: "front", ID: instance, Port: 8080, Zone: "us-east-1a",
			State: region.TargetUnhealthy, Reason: region.ReasonTimeout, Since: time.Unix(1, 0)}); err != nil {
			t.Error(err)
		}
	})
	expect("found unhealthy", b.group, "unhealthy", "Target.Timeout")
	for _, group := range []*string{b.group, idle} {
		must(t)(b.DeregisterTargets(ctx, &v2.DeregisterTargetsInput{TargetGroupArn: group, Targets: targets}))
	}
	expect("deregistered", b.group, "draining", "Target.DeregistrationInProgress")
	expect("deregistered where nothing drains", idle, "unused", "Target.NotRegistered")
}

func TestTargetsAreRefusedInAWSsWords(t *testing.T) {
	b := newBalanced(t)
	addresses := *must(t)(b.CreateTargetGroup(ctx, &v2.CreateTargetGroupInput{Name: aws.String("ip"), Protocol: "HTTP",
		Port: aws.Int32(80), VpcId: aws.String(vpc.ID()), TargetType: "ip"})).(*v2.CreateTargetGroupOutput).
		TargetGroups[0].TargetGroupArn
	for _, c := range []struct{ group, id, zone, code, words string }{
		{*b.group, "10.0.0.40", "", "ValidationError", "Instance ID '10.0.0.40' is not valid"},
		{*b.group, "i-0000000000000000f", "", "InvalidTarget", "i-0000000000000000f"},
		{addresses, instance, "", "ValidationError", "is not a valid IPv4 address"},
		{addresses, "8.8.8.8", "all", "ValidationError", "is not within the VPC"},
		{addresses, "192.168.7.7", "", "ValidationError", "must be 'all'"},
		{*b.group + "0", instance, "", "TargetGroupNotFound", "not found"},
	} {
		target := types.TargetDescription{Id: &c.id}
		if c.zone != "" {
			target.AvailabilityZone = &c.zone
		}
		_, err := b.RegisterTargets(ctx, &v2.RegisterTargetsInput{TargetGroupArn: &c.group, Targets: []types.TargetDescription{target}})
		refused(t, c.id, err, c.code, c.words)
	}
	b.Write(func(tx *state.Txn) {
		v, _ := region.Instances.Get(tx, instance)
		v.State = region.InstanceStopped
		region.Instances.Put(tx, instance, v)
	})
	_, err := b.RegisterTargets(ctx, &v2.RegisterTargetsInput{TargetGroupArn: b.group, Targets: []types.TargetDescription{
		{Id: aws.String(instance)}}})
	refused(t, "stopped", err, "InvalidTarget",
		"The following targets are not in a running state and cannot be registered: '"+instance+"'")
}

func TestWhatIsInUseStays(t *testing.T) {
	b := newBalanced(t)
	_, err := b.DeleteTargetGroup(ctx, &v2.DeleteTargetGroupInput{TargetGroupArn: b.group})
	refused(t, "a group that a listener sends to", err, "ResourceInUse",
		"Target group '"+*b.group+"' is currently in use by a listener or a rule")
	protect := func(value string) {
		must(t)(b.ModifyLoadBalancerAttributes(ctx, &v2.ModifyLoadBalancerAttributesInput{LoadBalancerArn: b.balancer,
			Attributes: []types.LoadBalancerAttribute{{Key: aws.String("deletion_protection.enabled"), Value: &value}}}))
	}
	remove := func() error {
		_, err := b.DeleteLoadBalancer(ctx, &v2.DeleteLoadBalancerInput{LoadBalancerArn: b.balancer})
		return err
	}
	protect("true")
	refused(t, "a protected load balancer", remove(), "OperationNotPermitted", "because deletion protection is enabled")
	protect("false")
	for range 2 { // that there is none is no error
		if err := remove(); err != nil {
			t.Error(err)
		}
	}
	must(t)(b.DeleteTargetGroup(ctx, &v2.DeleteTargetGroupInput{TargetGroupArn: b.group}))
	_, err = b.DescribeListeners(ctx, &v2.DescribeListenersInput{ListenerArns: []string{*b.listener}})
	refused(t, "its listener", err, "ListenerNotFound", "One or more listeners not found")
}

func TestAttributesAreThoseOfTheirType(t *testing.T) {
	b := newBalanced(t)
	for _, c := range []struct{ key, value, code, words string }{
		{"idle_timeout.timeout_seconds", "0", "ValidationError", "must be between '1-4000' inclusive, not '0'"},
		{"routing.http2.enabled", "maybe", "ValidationError", "must be one of [true, false]"},
		{"dns_record.client_routing_policy", "any_availability_zone", "InvalidConfigurationRequest",
			"Load balancer attribute key 'dns_record.client_routing_policy' is not supported on load balancers with type 'application'"},
		{"no.such", "1", "ValidationError", "Load balancer attribute key 'no.such' is not recognized"},
	} {
		_, err := b.ModifyLoadBalancerAttributes(ctx, &v2.ModifyLoadBalancerAttributesInput{LoadBalancerArn: b.balancer,
			Attributes: []types.LoadBalancerAttribute{{Key: &c.key, Value: &c.value}}})
		refused(t, c.key, err, c.code, c.words)
	}
	_, err := b.ModifyTargetGroupAttributes(ctx, &v2.ModifyTargetGroupAttributesInput{TargetGroupArn: b.group,
		Attributes: []types.TargetGroupAttribute{{Key: aws.String("stickiness.type"), Value: aws.String("source_ip")}}})
	refused(t, "stickiness", err, "InvalidConfigurationRequest",
		"Stickiness type 'source_ip' is not supported for target groups with the HTTP protocol")
	out := must(t)(b.ModifyTargetGroupAttributes(ctx, &v2.ModifyTargetGroupAttributesInput{TargetGroupArn: b.group,
		Attributes: []types.TargetGroupAttribute{{Key: aws.String("deregistration_delay.timeout_seconds"), Value: aws.String("7")}}}))
	if all := out.(*v2.ModifyTargetGroupAttributesOutput).Attributes; !slices.ContainsFunc(all, func(a types.TargetGroupAttribute) bool {
		return *a.Key == "deregistration_delay.timeout_seconds" && *a.Value == "7"
	}) {
		t.Errorf("the attributes are %v", all)
	}
}
