package elb

import (
	_ "embed"
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// defaultSSLPolicy is the policy of listeners for which none is named.
const defaultSSLPolicy = "ELBSecurityPolicy-2016-08"

type cipher struct {
	Name     string
	Priority int
}

type sslPolicy struct {
	SslProtocols  wire.QueryList[string]
	Ciphers       wire.QueryList[cipher]
	Name          string
	BalancerTypes wire.QueryList[string] `xml:"SupportedLoadBalancerTypes" json:"SupportedLoadBalancerTypes"`
}

// sslPolicyLines are AWS's predefined policies, one a line: its name, its protocols and its ciphers, the preferred first.
//
//go:embed sslpolicies.txt
var sslPolicyLines string

var sslPolicies = readSSLPolicies(sslPolicyLines)

func readSSLPolicies(lines string) (all []sslPolicy) {
	for line := range strings.Lines(lines) {
		parts := strings.SplitN(strings.TrimSpace(line), ": ", 3)
		p := sslPolicy{Name: parts[0], SslProtocols: strings.Fields(parts[1]), BalancerTypes: wire.QueryList[string]{
			string(region.ApplicationBalancer), string(region.NetworkBalancer)}}
		for i, name := range strings.Fields(parts[2]) {
			p.Ciphers = append(p.Ciphers, cipher{name, i + 1})
		}
		all = append(all, p)
	}
	return all
}

type describeSSLPoliciesInput struct {
	page
	Names            []string
	LoadBalancerType string
}

type sslPoliciesOutput struct {
	SslPolicies wire.QueryList[sslPolicy]
	NextMarker  string `xml:",omitempty" json:",omitempty"`
}

func (s *Service) describeSSLPolicies(call *operation.Call, in *describeSSLPoliciesInput) (out *sslPoliciesOutput, err error) {
	found := sslPolicies
	if in.LoadBalancerType == string(region.GatewayBalancer) {
		found = nil
	}
	for i, name := range in.Names {
		at := slices.IndexFunc(sslPolicies, func(p sslPolicy) bool { return p.Name == name })
		if at < 0 {
			return nil, refuse("SSLPolicyNotFound", "SSL policy '%s' not found", wire.Clip(name))
		}
		if i == 0 {
			found = nil
		}
		found = append(found, sslPolicies[at])
	}
	out = &sslPoliciesOutput{}
	out.SslPolicies, out.NextMarker, err = cut(call, in.page, found, func(p sslPolicy) string { return p.Name })
	return out, err
}

type limit struct{ Name, Max string }

type limitsOutput struct{ Limits wire.QueryList[limit] }

// describeAccountLimits are AWS's default quotas.
func (s *Service) describeAccountLimits(*operation.Call, *page) (*limitsOutput, error) {
	return &limitsOutput{wire.QueryList[limit]{
		{"application-load-balancers", "50"}, {"target-groups", "3000"}, {"targets-per-application-load-balancer", "1000"},
		{"listeners-per-application-load-balancer", "50"}, {"rules-per-application-load-balancer", "100"},
		{"network-load-balancers", "50"}, {"targets-per-network-load-balancer", "3000"},
		{"targets-per-availability-zone-per-network-load-balancer", "500"}, {"listeners-per-network-load-balancer", "50"},
		{"condition-values-per-alb-rule", "5"}, {"condition-wildcards-per-alb-rule", "6"},
		{"target-groups-per-action-on-application-load-balancer", "5"},
		{"target-groups-per-action-on-network-load-balancer", "1"},
		{"certificates-per-application-load-balancer", "25"}, {"certificates-per-network-load-balancer", "25"},
		{"targets-per-target-group", "1000"}, {"target-id-registrations-per-application-load-balancer", "1000"},
		{"gateway-load-balancers", "100"}, {"gateway-load-balancers-per-vpc", "100"}, {"geneve-target-groups", "100"},
		{"targets-per-availability-zone-per-gateway-load-balancer", "300"},
		{"target-groups-per-application-load-balancer", "100"}}}, nil
}

type minimumCapacity struct{ CapacityUnits int }

type capacityInput struct {
	LoadBalancerArn          string
	MinimumLoadBalancer      *minimumCapacity `query:"MinimumLoadBalancerCapacity"`
	ResetCapacityReservation *bool
}

type capacityState struct {
	AvailabilityZone       string
	EffectiveCapacityUnits float64
	State                  balancerStatus
}

type capacityOutput struct {
	LastModifiedTime          string `xml:",omitempty" json:",omitempty"`
	DecreaseRequestsRemaining int
	MinimumLoadBalancer       *minimumCapacity              `xml:"MinimumLoadBalancerCapacity" json:"MinimumLoadBalancerCapacity,omitempty"`
	CapacityReservationState  wire.QueryList[capacityState] `xml:",omitempty" json:",omitempty"`
}

// leastCapacity is how many capacity units can be reserved at least, and decreases how often a day that may be lowered.
const (
	leastCapacity = 100
	decreases     = 2
)

// modifyCapacityReservation records what is asked for: capacity is no matter here.
func (s *Service) modifyCapacityReservation(call *operation.Call, in *capacityInput) (*capacityOutput, error) {
	reset := in.ResetCapacityReservation != nil && *in.ResetCapacityReservation
	switch {
	case reset == (in.MinimumLoadBalancer != nil):
		return nil, invalid("Either a minimum load balancer capacity or ResetCapacityReservation must be specified")
	case !reset && in.MinimumLoadBalancer.CapacityUnits < leastCapacity:
		return nil, invalid("The minimum load balancer capacity must be at least '%d' capacity units", leastCapacity)
	}
	return change(s, call, func(tx *state.Txn, out *capacityOutput) error {
		b, err := balancer(tx, in.LoadBalancerArn)
		if err != nil {
			return err
		}
		b.MinimumCapacity = nil
		if !reset {
			b.MinimumCapacity = &region.CapacityReservation{Units: in.MinimumLoadBalancer.CapacityUnits, ChangedAt: s.now()}
		}
		region.LoadBalancers.Put(tx, b.Key(), b)
		*out = shownCapacity(b)
		return nil
	})
}

func (s *Service) describeCapacityReservation(call *operation.Call, in *arnInput) (*capacityOutput, error) {
	return view(s, call, func(tx *state.Txn, out *capacityOutput) error {
		b, err := balancer(tx, in.LoadBalancerArn)
		*out = shownCapacity(b)
		return err
	})
}

func shownCapacity(b region.LoadBalancer) capacityOutput {
	out := capacityOutput{DecreaseRequestsRemaining: decreases}
	if b.MinimumCapacity == nil || len(b.Zones) == 0 {
		return out
	}
	out.LastModifiedTime = stamp(b.MinimumCapacity.ChangedAt)
	out.MinimumLoadBalancer = &minimumCapacity{b.MinimumCapacity.Units}
	for _, z := range b.Zones {
		out.CapacityReservationState = append(out.CapacityReservationState, capacityState{z.Zone,
			float64(b.MinimumCapacity.Units) / float64(len(b.Zones)), balancerStatus{Code: "provisioned"}})
	}
	return out
}

type describeTrustStoresInput struct {
	page
	TrustStoreArns, Names []string
}

type trustStoresOutput struct{ TrustStores wire.QueryList[none] }

// describeTrustStores says that there are none: their certificates would come from S3, which is not here.
func (s *Service) describeTrustStores(_ *operation.Call, in *describeTrustStoresInput) (*trustStoresOutput, error) {
	for _, named := range append(in.TrustStoreArns, in.Names...) {
		return nil, refuse("TrustStoreNotFound", "Trust store '%s' not found", wire.Clip(named))
	}
	return &trustStoresOutput{}, nil
}
