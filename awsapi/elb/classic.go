package elb

import (
	_ "embed"
	"fmt"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
)

//go:embed classic.txt
var namesClassic string // of all of the API's operations

// Classic is the API of classic load balancers.
func Classic() *operation.QueryAPI {
	return &operation.QueryAPI{
		Protocol: wire.Query, Name: Name, Version: "2012-06-01",
		Namespace:  "http://elasticloadbalancing.amazonaws.com/doc/2012-06-01/",
		Operations: strings.Fields(namesClassic),
		Actions: map[string]operation.Action{
			"DescribeAccountLimits":          operation.QueryOf(Name, accountLimits),
			"DescribeInstanceHealth":         operation.QueryOf(Name, describeInstanceHealth),
			"DescribeLoadBalancerAttributes": operation.QueryOf(Name, describeAttributes),
			"DescribeLoadBalancers":          operation.QueryOf(Name, describeLoadBalancers),
			"DescribeTags":                   operation.QueryOf(Name, describeTags),
		},
	}
}

func notActive(name string) error {
	return refuse("LoadBalancerNotFound", fmt.Sprintf("There is no ACTIVE Load Balancer named '%s'", name))
}

type describeLoadBalancersInput struct {
	LoadBalancerNames []string
	Marker            string
	PageSize          *int
}

type describeLoadBalancersOutput struct {
	LoadBalancerDescriptions wire.QueryList[struct{}]
}

func describeLoadBalancers(_ *operation.Call, in *describeLoadBalancersInput) (*describeLoadBalancersOutput, error) {
	if len(in.LoadBalancerNames) > 0 {
		return nil, notActive(in.LoadBalancerNames[0])
	}
	return &describeLoadBalancersOutput{}, nil
}

type describeTagsInput struct {
	LoadBalancerNames []string `query:"LoadBalancerNames,required"`
}

func describeTags(_ *operation.Call, in *describeTagsInput) (*describeTagsOutput, error) {
	return nil, notActive(in.LoadBalancerNames[0])
}

type balancerInput struct {
	LoadBalancerName string `query:"LoadBalancerName,required"`
}

func describeAttributes(_ *operation.Call, in *balancerInput) (*struct{}, error) {
	return nil, notActive(in.LoadBalancerName)
}

type describeInstanceHealthInput struct {
	balancerInput
	Instances []struct {
		InstanceID string `query:"InstanceId"`
	}
}

func describeInstanceHealth(_ *operation.Call, in *describeInstanceHealthInput) (*struct{}, error) {
	return nil, notActive(in.LoadBalancerName)
}

func accountLimits(*operation.Call, *pageV2) (*accountLimitsOutput, error) {
	return &accountLimitsOutput{wire.QueryList[limit]{{"classic-load-balancers", "20"}, {"classic-listeners", "100"},
		{"classic-registered-instances", "1000"}}}, nil
}
