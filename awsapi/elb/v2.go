package elb

import (
	_ "embed"
	"fmt"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
)

//go:embed v2.txt
var namesV2 string // of all of the API's operations

// V2 is the API of application, network and gateway load balancers.
func V2() *operation.QueryAPI {
	return &operation.QueryAPI{
		Protocol: wire.Query, Name: Name, Version: "2015-12-01",
		Namespace:  "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
		Operations: strings.Fields(namesV2),
		Actions: map[string]operation.Action{
			"DescribeAccountLimits": operation.QueryOf(Name, accountLimitsV2),
			"DescribeListeners":     operation.QueryOf(Name, describeListeners),
			"DescribeLoadBalancers": operation.QueryOf(Name, describeLoadBalancersV2),
			"DescribeRules":         operation.QueryOf(Name, describeRules),
			"DescribeTags":          operation.QueryOf(Name, describeTagsV2),
			"DescribeTargetGroups":  operation.QueryOf(Name, describeTargetGroups),
			"DescribeTargetHealth":  operation.QueryOf(Name, describeTargetHealth),
		},
	}
}

// The codes and sentences of what is not there.
func noLoadBalancer(wanted string) error {
	return refuse("LoadBalancerNotFound", fmt.Sprintf("Load balancer '%s' not found", wanted))
}

func noTargetGroup() error {
	return refuse("TargetGroupNotFound", "One or more target groups not found")
}

func noListener() error { return refuse("ListenerNotFound", "One or more listeners not found") }

type pageV2 struct {
	Marker   string
	PageSize *int
}

type describeLoadBalancersV2Input struct {
	pageV2
	LoadBalancerArns, Names []string
}

type describeLoadBalancersV2Output struct{ LoadBalancers wire.QueryList[struct{}] }

func describeLoadBalancersV2(_ *operation.Call, in *describeLoadBalancersV2Input) (*describeLoadBalancersV2Output,
	error) {
	if len(in.Names) > 0 {
		return nil, refuse("LoadBalancerNotFound", fmt.Sprintf("Load balancers '[%s]' not found", in.Names[0]))
	}
	if len(in.LoadBalancerArns) > 0 {
		return nil, refuse("LoadBalancerNotFound", "One or more load balancers not found")
	}
	return &describeLoadBalancersV2Output{}, nil
}

type describeTargetGroupsInput struct {
	pageV2
	LoadBalancerArn        string
	TargetGroupArns, Names []string
}

type describeTargetGroupsOutput struct{ TargetGroups wire.QueryList[struct{}] }

func describeTargetGroups(_ *operation.Call, in *describeTargetGroupsInput) (*describeTargetGroupsOutput, error) {
	switch {
	case in.LoadBalancerArn != "":
		return nil, noLoadBalancer(in.LoadBalancerArn)
	case len(in.Names)+len(in.TargetGroupArns) > 0:
		return nil, noTargetGroup()
	}
	return &describeTargetGroupsOutput{}, nil
}

type describeListenersInput struct {
	pageV2
	LoadBalancerArn string
	ListenerArns    []string
}

type describeListenersOutput struct{ Listeners wire.QueryList[struct{}] }

func describeListeners(_ *operation.Call, in *describeListenersInput) (*describeListenersOutput, error) {
	switch {
	case in.LoadBalancerArn != "":
		return nil, noLoadBalancer(in.LoadBalancerArn)
	case len(in.ListenerArns) > 0:
		return nil, noListener()
	}
	return nil, refuse("ValidationError", "You must specify either listener ARNs or a load balancer ARN")
}

type describeRulesInput struct {
	pageV2
	ListenerArn string
	RuleArns    []string
}

type describeRulesOutput struct{ Rules wire.QueryList[struct{}] }

func describeRules(_ *operation.Call, in *describeRulesInput) (*describeRulesOutput, error) {
	switch {
	case in.ListenerArn != "":
		return nil, noListener()
	case len(in.RuleArns) > 0:
		return nil, refuse("RuleNotFound", "One or more rules not found")
	}
	return nil, refuse("ValidationError", "You must specify either a listener ARN or rule ARNs")
}

type describeTagsV2Input struct {
	ResourceArns []string `query:"ResourceArns,required"`
}

type describeTagsOutput struct{ TagDescriptions wire.QueryList[struct{}] }

func describeTagsV2(_ *operation.Call, in *describeTagsV2Input) (*describeTagsOutput, error) {
	return nil, noLoadBalancer(in.ResourceArns[0])
}

type target struct {
	ID               string `query:"Id"`
	Port             *int
	AvailabilityZone string
	QuicServerID     string `query:"QuicServerId"`
}

type describeTargetHealthInput struct {
	TargetGroupArn string `query:"TargetGroupArn,required"`
	Targets        []target
	Include        []string
}

type describeTargetHealthOutput struct {
	TargetHealthDescriptions wire.QueryList[struct{}]
}

func describeTargetHealth(*operation.Call, *describeTargetHealthInput) (*describeTargetHealthOutput, error) {
	return nil, noTargetGroup()
}

type limit struct{ Name, Max string }

type accountLimitsOutput struct{ Limits wire.QueryList[limit] }

func accountLimitsV2(*operation.Call, *pageV2) (*accountLimitsOutput, error) {
	return &accountLimitsOutput{wire.QueryList[limit]{{"application-load-balancers", "50"},
		{"network-load-balancers", "50"}, {"target-groups", "3000"},
		{"targets-per-application-load-balancer", "1000"}, {"listeners-per-application-load-balancer", "50"},
		{"listeners-per-network-load-balancer", "50"},
		{"rules-per-application-load-balancer", "100"}}}, nil
}
