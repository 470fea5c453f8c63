package elb

import "tripod/awsapi/operation"

// classicActions are the operations of the classic API: all of them.
func (s *Service) classicActions() map[string]operation.Action {
	return map[string]operation.Action{
		"CreateLoadBalancer":                      does(s.createClassic),
		"DeleteLoadBalancer":                      does(s.deleteClassic),
		"DescribeLoadBalancers":                   does(s.describeClassic),
		"ModifyLoadBalancerAttributes":            does(s.modifyClassicAttributes),
		"DescribeLoadBalancerAttributes":          does(s.describeClassicAttributes),
		"ApplySecurityGroupsToLoadBalancer":       does(s.applySecurityGroups),
		"AttachLoadBalancerToSubnets":             does(s.attachSubnets),
		"DetachLoadBalancerFromSubnets":           does(s.detachSubnets),
		"EnableAvailabilityZonesForLoadBalancer":  does(s.enableZones),
		"DisableAvailabilityZonesForLoadBalancer": does(s.disableZones),

		"CreateLoadBalancerListeners":           does(s.createClassicListeners),
		"DeleteLoadBalancerListeners":           does(s.deleteClassicListeners),
		"SetLoadBalancerListenerSSLCertificate": does(s.setClassicCertificate),
		"ConfigureHealthCheck":                  does(s.configureHealthCheck),

		"CreateLoadBalancerPolicy":                does(s.createPolicy),
		"CreateAppCookieStickinessPolicy":         does(s.createAppCookiePolicy),
		"CreateLBCookieStickinessPolicy":          does(s.createLBCookiePolicy),
		"DeleteLoadBalancerPolicy":                does(s.deletePolicy),
		"SetLoadBalancerPoliciesOfListener":       does(s.setListenerPolicies),
		"SetLoadBalancerPoliciesForBackendServer": does(s.setBackendPolicies),
		"DescribeLoadBalancerPolicies":            does(s.describePolicies),
		"DescribeLoadBalancerPolicyTypes":         does(s.describePolicyTypes),

		"RegisterInstancesWithLoadBalancer":   does(s.registerInstances),
		"DeregisterInstancesFromLoadBalancer": does(s.deregisterInstances),
		"DescribeInstanceHealth":              does(s.describeInstanceHealth),

		"AddTags":               does(s.addClassicTags),
		"RemoveTags":            does(s.removeClassicTags),
		"DescribeTags":          does(s.describeClassicTags),
		"DescribeAccountLimits": does(s.describeClassicLimits),
	}
}

// documentedClassic are the lines of docs/operations.md.
func documentedClassic(names []string) []operation.Documented {
	return operation.DocumentBy(names, []operation.Clause{
		{Words: []string{"Limits"}, State: operation.Works, Effect: "AWS's default quotas, of classic load balancers"},
		{Words: []string{"PolicyTypes"}, State: operation.Works, Effect: "AWS's types; of TLS the predefined policies alone"},
		{Words: []string{"Attributes"}, State: operation.Works,
			Effect: "of classic load balancers: cross-zone and the idle time-out act; no logs are written"},
		{Words: []string{"InstanceHealth"}, State: operation.Works, Effect: "what the nodes' health checks find"},
		{Words: []string{"Instances"}, State: operation.Works, Effect: "of classic load balancers; instances drain where that is on"},
		{Words: []string{"Polic"}, State: operation.Works,
			Effect: "stickiness, ProxyProtocol, TLS and back-end policies of classic load balancers"},
		{Words: []string{"Create"}, State: operation.Works,
			Effect: "of classic load balancers: they carry traffic on 127.0.0.1, see load-balancers.md"},
		{Words: []string{""}, State: operation.Works, Effect: "of classic load balancers, as in AWS"},
	})
}
