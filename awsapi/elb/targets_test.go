package elb_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"tripod/region"
	"tripod/state"
)

func TestALoadBalancerThatIsATargetStays(t *testing.T) {
	b := newBalanced(t)
	group := must(t)(b.CreateTargetGroup(ctx, &v2.CreateTargetGroupInput{Name: aws.String("alb"), Protocol: "TCP",
		Port: aws.Int32(80), VpcId: aws.String(vpc.ID()), TargetType: "alb"})).(*v2.CreateTargetGroupOutput).TargetGroups[0]
	if *group.Matcher.HttpCode != "200-399" || group.HealthCheckProtocol != "HTTP" || *group.HealthCheckTimeoutSeconds != 6 {
		t.Errorf("its check is %+v", group)
	}
	register := func(port int32) error {
		_, err := b.RegisterTargets(ctx, &v2.RegisterTargetsInput{TargetGroupArn: group.TargetGroupArn,
			Targets: []types.TargetDescription{{Id: b.balancer, Port: &port}}})
		return err
	}
	refused(t, "a port without a listener", register(81), "InvalidTarget", "has no listener on port '81'")
	if err := register(80); err != nil {
		t.Fatal(err)
	}
	_, err := b.DeleteLoadBalancer(ctx, &v2.DeleteLoadBalancerInput{LoadBalancerArn: b.balancer})
	refused(t, "the load balancer", err, "ResourceInUse", "is currently registered as a target")
	_, err = b.DeleteListener(ctx, &v2.DeleteListenerInput{ListenerArn: b.listener})
	refused(t, "its last listener", err, "ResourceInUse", "registered as a target")
}

func TestTheSameAgainIsNoChange(t *testing.T) {
	b := newBalanced(t)
	if again := b.newGroup(t, "front", types.ProtocolEnumHttp); *again != *b.group {
		t.Errorf("there is %s beside %s", *again, *b.group)
	}
	targets := []types.TargetDescription{{Id: aws.String(instance)}, {Id: aws.String(instance), Port: aws.Int32(9090)}}
	for range 2 {
		must(t)(b.RegisterTargets(ctx, &v2.RegisterTargetsInput{TargetGroupArn: b.group, Targets: targets}))
	}
	out := must(t)(b.DescribeTargetHealth(ctx, &v2.DescribeTargetHealthInput{TargetGroupArn: b.group}))
	if got := out.(*v2.DescribeTargetHealthOutput).TargetHealthDescriptions; len(got) != 2 {
		t.Errorf("the targets are %+v", got)
	}
}

func TestATerminatedInstanceIsNoTargetAnyMore(t *testing.T) {
	b := newBalanced(t)
	must(t)(b.RegisterTargets(ctx, &v2.RegisterTargetsInput{TargetGroupArn: b.group,
		Targets: []types.TargetDescription{{Id: aws.String(instance)}}}))
	states := func() (all []types.TargetHealthStateEnum) {
		out := must(t)(b.DescribeTargetHealth(ctx, &v2.DescribeTargetHealthInput{TargetGroupArn: b.group}))
		for _, d := range out.(*v2.DescribeTargetHealthOutput).TargetHealthDescriptions {
			all = append(all, d.TargetHealth.State)
		}
		return all
	}
	b.Write(func(tx *state.Txn) {
		v, _ := region.Instances.Get(tx, instance)
		v.State, v.Since = region.InstanceTerminated, time.Unix(1, 0)
		region.Instances.Put(tx, instance, v)
	})
	if got := states(); len(got) != 1 || got[0] != types.TargetHealthStateEnumUnused {
		t.Errorf("while EC2 shows it: %v", got)
	}
	b.Write(func(tx *state.Txn) {
		if err := region.ForgetInstance(tx, instance); err != nil {
			t.Error(err)
		}
	})
	if got := states(); len(got) != 0 {
		t.Errorf("once EC2 has forgotten it: %v", got)
	}
}
