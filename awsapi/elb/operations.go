package elb

import "tripod/awsapi/operation"

//go:generate go run ../../internal/constraints -query -model $ELBV2_MODEL -package elb -out model_gen.go
//go:generate go run ../../internal/constraints -query -var classicModel -model $ELB_MODEL -package elb -out classic_model_gen.go

// actions are the operations of the API of 2015 that Tripod has.
func (s *Service) actions() map[string]operation.Action {
	return map[string]operation.Action{
		"CreateLoadBalancer":             does(s.createLoadBalancer),
		"DeleteLoadBalancer":             does(s.deleteLoadBalancer),
		"DescribeLoadBalancers":          does(s.describeLoadBalancers),
		"ModifyLoadBalancerAttributes":   does(s.modifyLoadBalancerAttributes),
		"DescribeLoadBalancerAttributes": does(s.describeLoadBalancerAttributes),
		"SetSecurityGroups":              does(s.setSecurityGroups),
		"SetSubnets":                     does(s.setSubnets),
		"SetIpAddressType":               does(s.setIPAddressType),

		"CreateListener":               does(s.createListener),
		"ModifyListener":               does(s.modifyListener),
		"DeleteListener":               does(s.deleteListener),
		"DescribeListeners":            does(s.describeListeners),
		"ModifyListenerAttributes":     does(s.modifyListenerAttributes),
		"DescribeListenerAttributes":   does(s.describeListenerAttributes),
		"AddListenerCertificates":      does(s.addListenerCertificates),
		"RemoveListenerCertificates":   does(s.removeListenerCertificates),
		"DescribeListenerCertificates": does(s.describeListenerCertificates),

		"CreateRule":        does(s.createRule),
		"ModifyRule":        does(s.modifyRule),
		"DeleteRule":        does(s.deleteRule),
		"SetRulePriorities": does(s.setRulePriorities),
		"DescribeRules":     does(s.describeRules),

		"CreateTargetGroup":             does(s.createTargetGroup),
		"ModifyTargetGroup":             does(s.modifyTargetGroup),
		"DeleteTargetGroup":             does(s.deleteTargetGroup),
		"DescribeTargetGroups":          does(s.describeTargetGroups),
		"ModifyTargetGroupAttributes":   does(s.modifyTargetGroupAttributes),
		"DescribeTargetGroupAttributes": does(s.describeTargetGroupAttributes),
		"RegisterTargets":               does(s.registerTargets),
		"DeregisterTargets":             does(s.deregisterTargets),
		"DescribeTargetHealth":          does(s.describeTargetHealth),

		"AddTags":      does(s.addTags),
		"RemoveTags":   does(s.removeTags),
		"DescribeTags": does(s.describeTags),

		"DescribeAccountLimits":       does(s.describeAccountLimits),
		"DescribeSSLPolicies":         does(s.describeSSLPolicies),
		"ModifyCapacityReservation":   does(s.modifyCapacityReservation),
		"DescribeCapacityReservation": does(s.describeCapacityReservation),
		"DescribeTrustStores":         does(s.describeTrustStores),
	}
}

// documented are the lines of docs/operations.md.
func documented(names []string) []operation.Documented {
	return operation.DocumentBy(names, []operation.Clause{
		{Words: []string{"Limits"}, State: operation.Works, Effect: "AWS's default quotas"},
		{Words: []string{"SSLPolicies"}, State: operation.Works, Effect: "AWS's predefined policies"},
		{Words: []string{"CapacityReservation"}, State: operation.Recorded, Effect: "kept and shown; capacity is no matter here"},
		{Words: []string{"TrustStore"}, State: operation.Works, Effect: "there are none: they would come from S3"},
		{Words: []string{"Certificates"}, State: operation.Works, Effect: "those of ACM must be there; those of IAM are recorded"},
		{Words: []string{"CreateLoadBalancer"}, State: operation.Works,
			Effect: "carries traffic on 127.0.0.1, by a node in each of its zones: see load-balancers.md; a gateway one is recorded"},
		{Words: []string{"Attributes"}, State: operation.Works,
			Effect: "cross-zone, stickiness, X-Forwarded-*, idle time-outs, PROXY protocol, algorithm, headers, zonal shift and the access " +
				"logs of application load balancers act (as files: see load-balancers.md); the others are checked by type and protocol, kept " +
				"and shown"},
		{Words: []string{"CreateRule", "ModifyRule", "CreateListener", "ModifyListener"}, State: operation.Works,
			Effect: "forward, redirect and fixed-response act; a rule that authenticates is recorded, and answers 501; mutual TLS that " +
				"verifies is refused; UDP and QUIC are recorded"},
		{Words: []string{"CreateTargetGroup", "ModifyTargetGroup"}, State: operation.Works,
			Effect: "AWS's defaults and checks; targets of the type lambda are recorded"},
		{Words: []string{"RegisterTargets"}, State: operation.Works,
			Effect: "instances and addresses must be of the group's VPC; those that are deregistered drain"},
		{Words: []string{"DescribeTargetHealth"}, State: operation.Works, Effect: "what the nodes' health checks find, and zonal shifts"},
		{Words: []string{"Delete"}, State: operation.Works, Effect: "what is in use stays, and the refusal says so"},
		{Words: []string{""}, State: operation.Works, Effect: "as in AWS"},
	})
}
