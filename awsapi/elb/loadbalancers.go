package elb

import (
	"cmp"
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// pathKinds are how load balancers' types are written in ARNs.
var pathKinds = map[region.BalancerType]string{
	region.ApplicationBalancer: "app", region.NetworkBalancer: "net", region.GatewayBalancer: "gwy",
}

// maxBalancers is how many load balancers of a type there may be: AWS's default quotas.
const maxBalancers = 50

var nameChars = regexp.MustCompile(`^[A-Za-z0-9-]+$`)

// maxName is how long a name of a load balancer or a target group may be.
const maxName = 32

// checkName says whether something can have that name. what begins the sentence.
func checkName(what, name string) error {
	switch {
	case len(name) > maxName:
		return invalid("%s name '%s' cannot be longer than '%d' characters", what, wire.Clip(name), maxName)
	case !nameChars.MatchString(name):
		return invalid("%s name '%s' can only contain characters that are alphanumeric characters and hyphens(-)", what, name)
	case strings.HasPrefix(name, "-") || strings.HasSuffix(name, "-"):
		return invalid("%s name '%s' cannot begin or end with a hyphen(-)", what, name)
	}
	return nil
}

type createLoadBalancerInput struct {
	placement
	Name                         string
	SecurityGroups               []string
	Scheme, Type                 string
	IPAddressType                string `query:"IpAddressType"`
	Tags                         []tag
	CustomerOwnedIpv4Pool        string
	EnablePrefixForIpv6SourceNat string
	IpamPools                    *struct {
		Ipv4IpamPoolID string `query:"Ipv4IpamPoolId"`
	}
}

func (s *Service) createLoadBalancer(call *operation.Call, in *createLoadBalancerInput) (*loadBalancersOutput, error) {
	if err := checkName("The load balancer", in.Name); err != nil {
		return nil, err
	}
	switch {
	case strings.HasPrefix(in.Name, "internal-"):
		return nil, invalid("The load balancer name '%s' cannot begin with 'internal-'", in.Name)
	case in.CustomerOwnedIpv4Pool != "" || in.IpamPools != nil:
		return nil, unsuitable("Tripod has neither customer-owned addresses nor IPAM pools: leave them out.")
	}
	mappings, err := in.mappings()
	if err != nil {
		return nil, err
	}
	tags, err := newTags(in.Tags)
	if err != nil {
		return nil, err
	}
	kind := region.BalancerType(cmp.Or(in.Type, string(region.ApplicationBalancer)))
	id := newID()
	want := region.LoadBalancer{Name: in.Name, ID: id, Type: kind, Tags: tags, SecurityGroups: in.SecurityGroups,
		ARN:           s.arn("loadbalancer/" + pathKinds[kind] + "/" + in.Name + "/" + id),
		Scheme:        cmp.Or(in.Scheme, region.SchemeInternetFacing),
		IPAddressType: cmp.Or(in.IPAddressType, "ipv4")}
	if kind == region.GatewayBalancer {
		want.Scheme = region.SchemeInternal
	}
	want.DNSName = region.BalancerDNSName(kind, want.Scheme, want.Name, id, s.Network.VPC.Region)
	return change(s, call, func(tx *state.Txn, out *loadBalancersOutput) error {
		b, err := s.create(tx, want, mappings)
		if err != nil {
			return err
		}
		b.State = region.BalancerProvisioning // so AWS answers, whatever follows
		out.LoadBalancers = append(out.LoadBalancers, shownBalancer(b))
		return nil
	})
}

// create writes a load balancer, or finds the one that is just like it.
func (s *Service) create(tx *state.Txn, want region.LoadBalancer, mappings []subnetMapping) (region.LoadBalancer, error) {
	if err := s.place(tx, &want, mappings); err != nil {
		return want, err
	}
	switch {
	case len(want.SecurityGroups) > 0 && want.Type == region.GatewayBalancer:
		return want, unsuitable("Security groups are not supported for load balancers with type 'gateway'")
	case len(want.SecurityGroups) == 0 && want.Type == region.ApplicationBalancer:
		want.SecurityGroups = []string{s.Network.DefaultGroup(want.VPC)}
	case want.IPAddressType == "dualstack-without-public-ipv4" && want.Type != region.ApplicationBalancer:
		return want, unsuitable("IP address type '%s' is not supported for load balancers with type '%s'", want.IPAddressType,
			want.Type)
	}
	if err := s.checkGroups(tx, want.VPC, want.SecurityGroups); err != nil {
		return want, err
	}
	if want.Type == region.NetworkBalancer && len(want.SecurityGroups) > 0 {
		want.PrivateLinkInbound = "on"
	}
	if there, found := region.LoadBalancers.Get(tx, want.Key()); found {
		if sameBalancer(there, want) {
			return there, nil
		}
		return want, refuse("DuplicateLoadBalancerName",
			"A load balancer with the same name '%s' exists, but with different settings", want.Name)
	}
	count := 0
	for _, b := range region.LoadBalancers.Under(tx, "v2/") {
		if b.Type == want.Type {
			count++
		}
	}
	if count >= maxBalancers {
		return want, refuse("TooManyLoadBalancers",
			"You've reached the limit on the number of load balancers for your AWS account.")
	}
	return region.CreateBalancer(tx, want, s.Carried, s.now())
}

// sameBalancer says whether what is asked for is there already.
func sameBalancer(there, want region.LoadBalancer) bool {
	return there.Type == want.Type && there.Scheme == want.Scheme && there.IPAddressType == want.IPAddressType &&
		slices.Equal(sorted(there.SecurityGroups), sorted(want.SecurityGroups)) && reflect.DeepEqual(there.Zones, want.Zones) &&
		sameTags(there.Tags, want.Tags)
}

func sameTags(a, b map[string]string) bool {
	return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b)
}

func sorted(names []string) []string { return slices.Sorted(slices.Values(names)) }

type arnInput struct{ LoadBalancerArn string }

// deleteLoadBalancer deletes one; that there is none is no error.
func (s *Service) deleteLoadBalancer(call *operation.Call, in *arnInput) (*none, error) {
	return change(s, call, func(tx *state.Txn, _ *none) error {
		b, err := balancer(tx, in.LoadBalancerArn)
		var refusal *wire.Error
		switch {
		case errors.As(err, &refusal):
			return nil
		case b.Attribute("deletion_protection.enabled") == "true":
			return refuse("OperationNotPermitted", "Load balancer '%s' cannot be deleted because deletion protection is enabled",
				b.ARN)
		case !region.TargetsByID.Of(b.ARN).Empty(tx):
			return refuse("ResourceInUse", "Load balancer '%s' cannot be deleted because it is currently registered as a target",
				b.ARN)
		}
		region.DeleteBalancer(tx, b)
		return nil
	})
}

type setSecurityGroupsInput struct {
	LoadBalancerArn string
	SecurityGroups  []string
	Enforce         string `query:"EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"`
}

type setSecurityGroupsOutput struct {
	SecurityGroupIDs wire.QueryList[string] `xml:"SecurityGroupIds" json:"SecurityGroupIds"`
	Enforce          string                 `xml:"EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic,omitempty"`
}

func (s *Service) setSecurityGroups(call *operation.Call, in *setSecurityGroupsInput) (*setSecurityGroupsOutput, error) {
	return change(s, call, func(tx *state.Txn, out *setSecurityGroupsOutput) error {
		b, err := balancer(tx, in.LoadBalancerArn)
		switch {
		case err != nil:
			return err
		case b.Type == region.GatewayBalancer, b.Type == region.NetworkBalancer && len(b.SecurityGroups) == 0:
			return unsuitable("You cannot set security groups of the load balancer '%s': it was created without any", b.ARN)
		case len(in.SecurityGroups) == 0 && b.Type == region.ApplicationBalancer:
			return invalid("At least one security group must be specified")
		case in.Enforce != "" && b.Type != region.NetworkBalancer:
			return unsuitable("EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic is supported only for Network Load Balancers")
		}
		if err := s.checkGroups(tx, b.VPC, in.SecurityGroups); err != nil {
			return err
		}
		b.SecurityGroups, b.PrivateLinkInbound = in.SecurityGroups, cmp.Or(in.Enforce, b.PrivateLinkInbound)
		region.LoadBalancers.Put(tx, b.Key(), b)
		out.SecurityGroupIDs, out.Enforce = b.SecurityGroups, b.PrivateLinkInbound
		return nil
	})
}

type setSubnetsInput struct {
	placement
	LoadBalancerArn              string
	IPAddressType                string `query:"IpAddressType"`
	EnablePrefixForIpv6SourceNat string
}

type zonesOutput struct {
	AvailabilityZones wire.QueryList[shownZone]
	IPAddressType     string `xml:"IpAddressType" json:"IpAddressType"`
}

func (s *Service) setSubnets(call *operation.Call, in *setSubnetsInput) (*zonesOutput, error) {
	mappings, err := in.mappings()
	if err != nil {
		return nil, err
	}
	return change(s, call, func(tx *state.Txn, out *zonesOutput) error {
		b, err := balancer(tx, in.LoadBalancerArn)
		if err != nil {
			return err
		}
		b.IPAddressType = cmp.Or(in.IPAddressType, b.IPAddressType)
		if err := s.place(tx, &b, mappings); err != nil {
			return err
		}
		region.LoadBalancers.Put(tx, b.Key(), b)
		out.AvailabilityZones, out.IPAddressType = shownZones(b), b.IPAddressType
		return nil
	})
}

type ipAddressTypeInput struct {
	LoadBalancerArn string
	IPAddressType   string `query:"IpAddressType"`
}

type ipAddressTypeOutput struct {
	IPAddressType string `xml:"IpAddressType" json:"IpAddressType"`
}

func (s *Service) setIPAddressType(call *operation.Call, in *ipAddressTypeInput) (*ipAddressTypeOutput, error) {
	return change(s, call, func(tx *state.Txn, out *ipAddressTypeOutput) error {
		b, err := balancer(tx, in.LoadBalancerArn)
		if err != nil {
			return err
		}
		b.IPAddressType = in.IPAddressType
		var mappings []subnetMapping
		for _, z := range b.Zones {
			mappings = append(mappings, subnetMapping{SubnetID: z.SubnetID, AllocationID: z.AllocationID,
				PrivateIPv4Address: z.PrivateAddress, IPv6Address: z.IPv6Address})
		}
		if err := s.place(tx, &b, mappings); err != nil {
			return err
		}
		region.LoadBalancers.Put(tx, b.Key(), b)
		out.IPAddressType = b.IPAddressType
		return nil
	})
}
