package elb_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	classic "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	v2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"tripod/awsapi/apitest"
)

const arns = "arn:aws:elasticloadbalancing:us-east-1:111122223333:"

func TestPoliciesNameLoadBalancersByARN(t *testing.T) {
	w := newWorld(t)
	w.Allow("nobody", "elasticloadbalancing:CreateLoadBalancer", arns+"loadbalancer/app/mine/*")
	client := v2.NewFromConfig(w.Config("nobody"))
	create := func(name string, kind types.LoadBalancerTypeEnum, tags ...types.Tag) error {
		_, err := client.CreateLoadBalancer(ctx, &v2.CreateLoadBalancerInput{Name: &name, Type: kind, Tags: tags,
			Subnets: vpc.PublicSubnetIDs()})
		return err
	}
	tag := types.Tag{Key: aws.String("a"), Value: aws.String("b")}
	refused(t, "another's name", create("others", ""), "AccessDenied", "elasticloadbalancing:CreateLoadBalancer")
	refused(t, "another type", create("mine", "network"), "AccessDenied", "loadbalancer/net/mine/*")
	refused(t, "with tags", create("mine", "", tag), "AccessDenied", "elasticloadbalancing:AddTags")
	if err := create("mine", ""); err != nil {
		t.Error(err)
	}
	_, err := client.DescribeLoadBalancers(ctx, nil)
	refused(t, "describe", err, "AccessDenied", "elasticloadbalancing:DescribeLoadBalancers on resource: *")
}

func TestClassicLoadBalancersHaveARNsOfTheirNames(t *testing.T) {
	w := newWorld(t)
	w.Allow("nobody", "elasticloadbalancing:*", arns+"loadbalancer/mine")
	client := classic.NewFromConfig(w.Config("nobody"))
	for name, allowed := range map[string]bool{"mine": true, "others": false} {
		_, err := client.DeleteLoadBalancer(ctx, &classic.DeleteLoadBalancerInput{LoadBalancerName: &name})
		if allowed != (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTagsOfResourcesAreConditions(t *testing.T) {
	b := newBalanced(t)
	policy := func(w *apitest.World) {
		w.Allow("nobody", "elasticloadbalancing:DeleteListener", arns+`*","Condition":{"StringEquals":{"aws:ResourceTag/team":"a"}},"Sid":"x`)
	}
	policy(b.World)
	client := v2.NewFromConfig(b.Config("nobody"))
	remove := func() error {
		_, err := client.DeleteListener(ctx, &v2.DeleteListenerInput{ListenerArn: b.listener})
		return err
	}
	refused(t, "without the tag", remove(), "AccessDenied", "elasticloadbalancing:DeleteListener")
	must(t)(b.AddTags(ctx, &v2.AddTagsInput{ResourceArns: []string{*b.listener}, Tags: []types.Tag{
		{Key: aws.String("team"), Value: aws.String("a")}}}))
	if err := remove(); err != nil {
		t.Error(err)
	}
}
