package elb

import (
	"slices"
	"strconv"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// The types of policies that are treated on their own.
const (
	lbCookiePolicy  = "LBCookieStickinessPolicyType"
	appCookiePolicy = "AppCookieStickinessPolicyType"
	proxyPolicy     = "ProxyProtocolPolicyType"
	backendPolicy   = "BackendServerAuthenticationPolicyType"
	publicKeyPolicy = "PublicKeyPolicyType"
	sslPolicyType   = "SSLNegotiationPolicyType"
)

type attributeType struct {
	AttributeName string
	AttributeType string
	DefaultValue  string `xml:",omitempty" json:",omitempty"`
	Cardinality   string
}

type policyType struct {
	PolicyTypeName                  string
	Description                     string
	PolicyAttributeTypeDescriptions wire.QueryList[attributeType]
}

// policyTypes are AWS's, without the attributes of SSLNegotiationPolicyType, of which each cipher is one.
var policyTypes = []policyType{
	{appCookiePolicy, "Stickiness policy with session lifetimes controlled by the lifetime of the application-generated cookie. " +
		"This policy can be associated only with HTTP/HTTPS listeners.", wire.QueryList[attributeType]{
		{"CookieName", "String", "", "ONE"}}},
	{backendPolicy, "Policy that controls authentication to back-end server(s) and contains one or more policies, such as an " +
		"instance of a PublicKeyPolicyType. This policy can be associated only with back-end servers that are using HTTPS/SSL.",
		wire.QueryList[attributeType]{{"PublicKeyPolicyName", "PolicyName", "", "ONE_OR_MORE"}}},
	{lbCookiePolicy, "Stickiness policy with session lifetimes controlled by the browser (user-agent) or a specified expiration " +
		"period. This policy can be associated only with HTTP/HTTPS listeners.", wire.QueryList[attributeType]{
		{"CookieExpirationPeriod", "Long", "", "ZERO_OR_ONE"}}},
	{proxyPolicy, "Policy that controls whether to include the IP address and port of the originating request for TCP messages. " +
		"This policy operates on TCP/SSL listeners only", wire.QueryList[attributeType]{
		{"ProxyProtocol", "Boolean", "", "ONE"}}},
	{publicKeyPolicy, "Policy containing a list of public keys to accept when authenticating the back-end server(s). This policy " +
		"cannot be applied directly to back-end servers or listeners but must be part of a BackendServerAuthenticationPolicyType.",
		wire.QueryList[attributeType]{{"PublicKey", "String", "", "ONE"}}},
	{sslPolicyType, "Listener policy that defines the ciphers and protocols that will be accepted by the load balancer. This " +
		"policy can be associated only with HTTPS/SSL listeners.", wire.QueryList[attributeType]{
		{"Reference-Security-Policy", "String", "", "ZERO_OR_ONE"}}},
}

type createPolicyInput struct {
	classicNamed
	PolicyName       string
	PolicyTypeName   string
	PolicyAttributes []struct{ AttributeName, AttributeValue string }
}

// maxPolicies is how many policies a classic load balancer has, AWS's quota; maxPolicyAttributes bounds those of one, and
// maxPolicyValue the length of each: a public key has the longest.
const (
	maxPolicies         = 100
	maxPolicyAttributes = 100
	maxPolicyValue      = 2 << 10
)

func (s *Service) createPolicy(call *operation.Call, in *createPolicyInput) (*none, error) {
	at := slices.IndexFunc(policyTypes, func(t policyType) bool { return t.PolicyTypeName == in.PolicyTypeName })
	if at < 0 {
		return nil, refuse("PolicyTypeNotFound", "Policy Type %s is not found.", wire.Clip(in.PolicyTypeName))
	}
	p := region.ClassicPolicy{Name: in.PolicyName, Type: in.PolicyTypeName}
	if len(in.PolicyAttributes) > maxPolicyAttributes {
		return nil, invalid("A policy can have up to %d attributes", maxPolicyAttributes)
	}
	for _, a := range in.PolicyAttributes {
		if len(a.AttributeName)+len(a.AttributeValue) > maxPolicyValue {
			return nil, invalid("The attribute %s of the policy is too long", wire.Clip(a.AttributeName))
		}
		p.Attributes = append(p.Attributes, region.PolicyAttribute{Name: a.AttributeName, Value: a.AttributeValue})
	}
	if err := checkPolicy(policyTypes[at], p); err != nil {
		return nil, err
	}
	return s.addPolicy(call, in.LoadBalancerName, p)
}

// checkPolicy says whether a policy has the attributes of its type.
func checkPolicy(t policyType, p region.ClassicPolicy) error {
	for _, a := range p.Attributes {
		known := slices.ContainsFunc(t.PolicyAttributeTypeDescriptions,
			func(d attributeType) bool { return d.AttributeName == a.Name })
		if !known && t.PolicyTypeName != sslPolicyType {
			return unsuitable("Policy attribute %s is not valid for policy type %s", wire.Clip(a.Name), t.PolicyTypeName)
		}
		switch {
		case a.Name == "ProxyProtocol" && a.Value != "true" && a.Value != "false":
			return unsuitable("Policy attribute ProxyProtocol must be true or false")
		case a.Name == "Reference-Security-Policy" &&
			!slices.ContainsFunc(sslPolicies, func(s sslPolicy) bool { return s.Name == a.Value }):
			return unsuitable("Policy attribute Reference-Security-Policy must be the name of a predefined policy, not '%s'",
				wire.Clip(a.Value))
		}
	}
	for _, d := range t.PolicyAttributeTypeDescriptions {
		given := slices.ContainsFunc(p.Attributes, func(a region.PolicyAttribute) bool { return a.Name == d.AttributeName })
		if !given && strings.HasPrefix(d.Cardinality, "ONE") {
			return unsuitable("Policy attribute %s must be specified for policy type %s", d.AttributeName, t.PolicyTypeName)
		}
	}
	return nil
}

func (s *Service) addPolicy(call *operation.Call, name string, p region.ClassicPolicy) (*none, error) {
	if !nameChars.MatchString(p.Name) || len(p.Name) > 128 {
		return nil, invalid("PolicyName must only contain alphanumeric characters or hyphens, and have up to 128 of them")
	}
	return editClassic(s, call, name, func(_ *state.Txn, b *region.LoadBalancer, _ *none) error {
		switch {
		case hasPolicy(b, p.Name):
			return refuse("DuplicatePolicyName", "Policy name %s already exists for load balancer %s", p.Name, b.Name)
		case len(b.Classic.Policies) >= maxPolicies:
			return refuse("TooManyPolicies", "The quota for the number of policies has been reached: %d", maxPolicies)
		}
		b.Classic.Policies = append(b.Classic.Policies, p)
		return nil
	})
}

func hasPolicy(b *region.LoadBalancer, name string) bool {
	return slices.ContainsFunc(b.Classic.Policies, func(p region.ClassicPolicy) bool { return p.Name == name })
}

type appCookieInput struct {
	classicNamed
	PolicyName, CookieName string
}

func (s *Service) createAppCookiePolicy(call *operation.Call, in *appCookieInput) (*none, error) {
	return s.addPolicy(call, in.LoadBalancerName, region.ClassicPolicy{Name: in.PolicyName, Type: appCookiePolicy,
		Attributes: []region.PolicyAttribute{{Name: "CookieName", Value: in.CookieName}}})
}

type lbCookieInput struct {
	classicNamed
	PolicyName             string
	CookieExpirationPeriod *int
}

func (s *Service) createLBCookiePolicy(call *operation.Call, in *lbCookieInput) (*none, error) {
	p := region.ClassicPolicy{Name: in.PolicyName, Type: lbCookiePolicy}
	if in.CookieExpirationPeriod != nil {
		if *in.CookieExpirationPeriod < 1 {
			return nil, unsuitable("CookieExpirationPeriod must be at least 1 second")
		}
		p.Attributes = []region.PolicyAttribute{{Name: "CookieExpirationPeriod", Value: strconv.Itoa(*in.CookieExpirationPeriod)}}
	}
	return s.addPolicy(call, in.LoadBalancerName, p)
}

type policyNamed struct {
	classicNamed
	PolicyName string
}

func (s *Service) deletePolicy(call *operation.Call, in *policyNamed) (*none, error) {
	return editClassic(s, call, in.LoadBalancerName, func(_ *state.Txn, b *region.LoadBalancer, _ *none) error {
		if !hasPolicy(b, in.PolicyName) {
			return noPolicy(in.PolicyName, b.Name)
		}
		inForce := slices.ContainsFunc(b.Classic.Listeners, func(l region.ClassicListener) bool {
			return slices.Contains(l.Policies, in.PolicyName)
		}) || slices.ContainsFunc(b.Classic.Backends, func(o region.ClassicBackend) bool {
			return slices.Contains(o.Policies, in.PolicyName)
		})
		if inForce {
			return unsuitable("Policy %s is currently in use by a listener or a back-end server", in.PolicyName)
		}
		b.Classic.Policies = slices.DeleteFunc(b.Classic.Policies,
			func(p region.ClassicPolicy) bool { return p.Name == in.PolicyName })
		return nil
	})
}

func noPolicy(name, balancer string) error {
	return refuse("PolicyNotFound", "There is no policy with name %s for load balancer %s", wire.Clip(name), balancer)
}

type listenerPoliciesInput struct {
	classicNamed
	LoadBalancerPort int
	PolicyNames      []string
}

func (s *Service) setListenerPolicies(call *operation.Call, in *listenerPoliciesInput) (*none, error) {
	return editClassic(s, call, in.LoadBalancerName, func(_ *state.Txn, b *region.LoadBalancer, _ *none) error {
		at, err := classicPort(b, in.LoadBalancerPort)
		if err != nil {
			return err
		}
		l := &b.Classic.Listeners[at]
		for _, name := range in.PolicyNames {
			of := slices.IndexFunc(b.Classic.Policies, func(p region.ClassicPolicy) bool { return p.Name == name })
			if of < 0 {
				return noPolicy(name, b.Name)
			}
			kind := b.Classic.Policies[of].Type
			sticky := kind == lbCookiePolicy || kind == appCookiePolicy
			switch {
			case sticky && !strings.HasPrefix(l.Protocol, "HTTP"):
				return unsuitable("Policy %s can be associated only with HTTP and HTTPS listeners", name)
			case kind == sslPolicyType && l.Protocol != "HTTPS" && l.Protocol != "SSL":
				return unsuitable("Policy %s can be associated only with HTTPS and SSL listeners", name)
			case !sticky && kind != sslPolicyType:
				return unsuitable("Policy %s of type %s cannot be associated with a listener", name, kind)
			}
		}
		l.Policies = in.PolicyNames
		return nil
	})
}

type backendPoliciesInput struct {
	classicNamed
	InstancePort int
	PolicyNames  []string
}

func (s *Service) setBackendPolicies(call *operation.Call, in *backendPoliciesInput) (*none, error) {
	return editClassic(s, call, in.LoadBalancerName, func(_ *state.Txn, b *region.LoadBalancer, _ *none) error {
		for _, name := range in.PolicyNames {
			of := slices.IndexFunc(b.Classic.Policies, func(p region.ClassicPolicy) bool { return p.Name == name })
			if of < 0 {
				return noPolicy(name, b.Name)
			}
			if kind := b.Classic.Policies[of].Type; kind != proxyPolicy && kind != backendPolicy {
				return unsuitable("Policy %s of type %s cannot be associated with a back-end server", name, kind)
			}
		}
		if !slices.ContainsFunc(b.Classic.Listeners,
			func(l region.ClassicListener) bool { return l.InstancePort == in.InstancePort }) {
			return unsuitable("There is no listener with the instance port %d on load balancer %s", in.InstancePort, b.Name)
		}
		b.Classic.Backends = slices.DeleteFunc(b.Classic.Backends,
			func(o region.ClassicBackend) bool { return o.InstancePort == in.InstancePort })
		if len(in.PolicyNames) > 0 {
			b.Classic.Backends = append(b.Classic.Backends,
				region.ClassicBackend{InstancePort: in.InstancePort, Policies: in.PolicyNames})
		}
		return nil
	})
}

func showCookiePolicy(all *policiesByKind, p region.ClassicPolicy) {
	shown := cookiePolicy{PolicyName: p.Name}
	for _, a := range p.Attributes {
		switch a.Name {
		case "CookieName":
			shown.CookieName = a.Value
		case "CookieExpirationPeriod":
			if seconds, err := strconv.Atoi(a.Value); err == nil {
				shown.CookieExpirationPeriod = &seconds
			}
		}
	}
	if p.Type == appCookiePolicy {
		all.AppCookie = append(all.AppCookie, shown)
		return
	}
	all.LBCookie = append(all.LBCookie, shown)
}

type policyAttribute struct{ AttributeName, AttributeValue string }

type policyDescription struct {
	PolicyName                  string
	PolicyTypeName              string
	PolicyAttributeDescriptions wire.QueryList[policyAttribute]
}

type describePoliciesInput struct {
	LoadBalancerName string
	PolicyNames      []string
}

type policiesOutput struct {
	PolicyDescriptions wire.QueryList[policyDescription]
}

// describePolicies shows a load balancer's policies, or without a name the predefined ones of TLS.
func (s *Service) describePolicies(call *operation.Call, in *describePoliciesInput) (*policiesOutput, error) {
	return view(s, call, func(tx *state.Txn, out *policiesOutput) error {
		var of []region.ClassicPolicy
		if in.LoadBalancerName != "" {
			b, err := classicBalancer(tx, in.LoadBalancerName)
			if err != nil {
				return err
			}
			of = b.Classic.Policies
		} else {
			for _, p := range sslPolicies {
				of = append(of, region.ClassicPolicy{Name: p.Name, Type: sslPolicyType, Attributes: []region.PolicyAttribute{
					{Name: "Reference-Security-Policy", Value: p.Name}}})
			}
		}
		for _, name := range in.PolicyNames {
			if !slices.ContainsFunc(of, func(p region.ClassicPolicy) bool { return p.Name == name }) {
				return noPolicy(name, in.LoadBalancerName)
			}
		}
		for _, p := range of {
			if len(in.PolicyNames) > 0 && !slices.Contains(in.PolicyNames, p.Name) {
				continue
			}
			shown := policyDescription{PolicyName: p.Name, PolicyTypeName: p.Type}
			for _, a := range p.Attributes {
				shown.PolicyAttributeDescriptions = append(shown.PolicyAttributeDescriptions, policyAttribute{a.Name, a.Value})
			}
			out.PolicyDescriptions = append(out.PolicyDescriptions, shown)
		}
		return nil
	})
}

type describePolicyTypesInput struct{ PolicyTypeNames []string }

type policyTypesOutput struct {
	PolicyTypeDescriptions wire.QueryList[policyType]
}

func (s *Service) describePolicyTypes(_ *operation.Call, in *describePolicyTypesInput) (*policyTypesOutput, error) {
	out := &policyTypesOutput{}
	for _, name := range in.PolicyTypeNames {
		if !slices.ContainsFunc(policyTypes, func(t policyType) bool { return t.PolicyTypeName == name }) {
			return nil, refuse("PolicyTypeNotFound", "Policy Type %s is not found.", wire.Clip(name))
		}
	}
	for _, t := range policyTypes {
		if len(in.PolicyTypeNames) == 0 || slices.Contains(in.PolicyTypeNames, t.PolicyTypeName) {
			out.PolicyTypeDescriptions = append(out.PolicyTypeDescriptions, t)
		}
	}
	return out, nil
}
