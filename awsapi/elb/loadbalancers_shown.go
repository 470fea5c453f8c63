package elb

import (
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// hostedZones are the ids of the Route 53 zones of load balancers' names in us-east-1, which AWS documents.
var hostedZones = map[region.BalancerType]string{
	region.ApplicationBalancer: "Z35SXDOTRQ7X7K", region.ClassicBalancer: "Z35SXDOTRQ7X7K",
	region.NetworkBalancer: "Z26RNL4JYFTOTI",
}

type shownAddress struct {
	IPAddress          string `xml:"IpAddress,omitempty" json:"IpAddress,omitempty"`
	AllocationID       string `xml:"AllocationId,omitempty" json:"AllocationId,omitempty"`
	PrivateIPv4Address string `xml:",omitempty" json:",omitempty"`
	IPv6Address        string `xml:",omitempty" json:",omitempty"`
}

type shownZone struct {
	ZoneName              string
	SubnetID              string `xml:"SubnetId" json:"SubnetId"`
	LoadBalancerAddresses wire.QueryList[shownAddress]
}

func shownZones(b region.LoadBalancer) (all wire.QueryList[shownZone]) {
	for _, z := range b.Zones {
		shown := shownZone{ZoneName: z.Zone, SubnetID: z.SubnetID}
		if z.AllocationID+z.PrivateAddress+z.IPv6Address != "" {
			shown.LoadBalancerAddresses = wire.QueryList[shownAddress]{
				{z.PublicAddress, z.AllocationID, z.PrivateAddress, z.IPv6Address}}
		}
		all = append(all, shown)
	}
	return all
}

type balancerStatus struct {
	Code   string
	Reason string `xml:",omitempty" json:",omitempty"`
}

type loadBalancer struct {
	LoadBalancerArn       string
	DNSName               string `xml:",omitempty" json:",omitempty"`
	CanonicalHostedZoneID string `xml:"CanonicalHostedZoneId,omitempty" json:"CanonicalHostedZoneId,omitempty"`
	CreatedTime           string
	LoadBalancerName      string
	Scheme                string `xml:",omitempty" json:",omitempty"`
	VPCID                 string `xml:"VpcId" json:"VpcId"`
	State                 balancerStatus
	Type                  string
	AvailabilityZones     wire.QueryList[shownZone]
	SecurityGroups        wire.QueryList[string] `xml:",omitempty" json:",omitempty"`
	IPAddressType         string                 `xml:"IpAddressType" json:"IpAddressType"`
	Enforce               string                 `xml:"EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic,omitempty"`
}

type loadBalancersOutput struct {
	LoadBalancers wire.QueryList[loadBalancer]
	NextMarker    string `xml:",omitempty" json:",omitempty"`
}

func shownBalancer(b region.LoadBalancer) loadBalancer {
	shown := loadBalancer{LoadBalancerArn: b.ARN, DNSName: b.DNSName, CanonicalHostedZoneID: hostedZones[b.Type],
		CreatedTime: stamp(b.CreatedAt), LoadBalancerName: b.Name, Scheme: b.Scheme, VPCID: b.VPC,
		State: balancerStatus{string(b.State), b.StateReason}, Type: string(b.Type), AvailabilityZones: shownZones(b),
		SecurityGroups: b.SecurityGroups, IPAddressType: b.IPAddressType, Enforce: b.PrivateLinkInbound}
	if b.Type == region.GatewayBalancer {
		shown.DNSName, shown.Scheme = "", ""
	}
	return shown
}

// page is what of a list is asked for.
type page struct {
	Marker   string
	PageSize *int
}

// mostPerPage is how many of a list one answer has.
const mostPerPage = 400

// cut is the page that a call asks for, and the marker of the next one.
func cut[T any](call *operation.Call, p page, all []T, key func(T) string) (wire.QueryList[T], string, error) {
	size := mostPerPage
	if p.PageSize != nil {
		size = *p.PageSize
	}
	part, next, ok := wire.Page(call.Operation, size, &p.Marker, all, key)
	if !ok {
		return nil, "", invalid("The marker '%s' is not valid", wire.Clip(p.Marker))
	}
	if next == nil {
		return part, "", nil
	}
	return part, *next, nil
}

type describeLoadBalancersInput struct {
	page
	LoadBalancerArns, Names []string
}

// maxNamed is how many load balancers, target groups and the like one call names at most.
const maxNamed = 20

func (s *Service) describeLoadBalancers(call *operation.Call, in *describeLoadBalancersInput) (*loadBalancersOutput, error) {
	if len(in.Names) > 0 && len(in.LoadBalancerArns) > 0 {
		return nil, invalid("Load balancer names and load balancer ARNs cannot be specified at the same time")
	}
	if len(in.Names) > maxNamed || len(in.LoadBalancerArns) > maxNamed {
		return nil, invalid("Up to '%d' load balancers can be described by name or ARN at a time", maxNamed)
	}
	return view(s, call, func(tx *state.Txn, out *loadBalancersOutput) (err error) {
		found := []region.LoadBalancer{}
		for _, arn := range in.LoadBalancerArns {
			b, err := balancer(tx, arn)
			if err != nil {
				return refuse("LoadBalancerNotFound", "One or more load balancers not found")
			}
			found = append(found, b)
		}
		for _, name := range in.Names {
			b, there := region.LoadBalancers.Get(tx, region.BalancerKey(false, name))
			if !there {
				return refuse("LoadBalancerNotFound", "Load balancers '[%s]' not found", wire.Clip(name))
			}
			found = append(found, b)
		}
		if len(in.Names)+len(in.LoadBalancerArns) == 0 {
			found = region.LoadBalancers.Under(tx, "v2/")
		}
		var shown []loadBalancer
		for _, b := range found {
			shown = append(shown, shownBalancer(b))
		}
		slices.SortFunc(shown, func(a, b loadBalancer) int { return strings.Compare(a.LoadBalancerArn, b.LoadBalancerArn) })
		shown = slices.CompactFunc(shown, func(a, b loadBalancer) bool { return a.LoadBalancerArn == b.LoadBalancerArn })
		out.LoadBalancers, out.NextMarker, err = cut(call, in.page, shown, func(b loadBalancer) string { return b.LoadBalancerArn })
		return err
	})
}
