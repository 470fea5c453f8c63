package elb

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// maxClassic is how many classic load balancers there may be: AWS's default quota.
const maxClassic = 20

func notActive(name string) error {
	return refuse("LoadBalancerNotFound", "There is no ACTIVE Load Balancer named '%s'", wire.Clip(name))
}

// classicBalancer is the classic load balancer with that name, or AWS's refusal.
func classicBalancer(tx *state.Txn, name string) (region.LoadBalancer, error) {
	b, found := region.LoadBalancers.Get(tx, region.BalancerKey(true, name))
	if !found || b.Classic == nil {
		return b, notActive(name)
	}
	return b, nil
}

// editClassic has edit change a classic load balancer, and answers out, which edit fills.
func editClassic[Out any](s *Service, call *operation.Call, name string,
	edit func(tx *state.Txn, b *region.LoadBalancer, out *Out) error) (*Out, error) {
	return change(s, call, func(tx *state.Txn, out *Out) error {
		b, err := classicBalancer(tx, name)
		if err != nil {
			return err
		}
		if err := edit(tx, &b, out); err != nil {
			return err
		}
		region.LoadBalancers.Put(tx, b.Key(), b)
		return nil
	})
}

type classicNamed struct{ LoadBalancerName string }

type createClassicInput struct {
	classicNamed
	Listeners         []classicListener
	AvailabilityZones []string
	Subnets           []string
	SecurityGroups    []string
	Scheme            string
	Tags              []tag
}

type dnsNameOutput struct{ DNSName string }

func (s *Service) createClassic(call *operation.Call, in *createClassicInput) (*dnsNameOutput, error) {
	switch {
	case len(in.LoadBalancerName) > maxName:
		return nil, invalid("LoadBalancer name cannot be longer than %d characters", maxName)
	case !nameChars.MatchString(in.LoadBalancerName), strings.HasPrefix(in.LoadBalancerName, "-"),
		strings.HasSuffix(in.LoadBalancerName, "-"):
		return nil, invalid("LoadBalancer name must only contain alphanumeric characters or hyphens, and must not begin or end " +
			"with a hyphen")
	case len(in.Listeners) == 0:
		return nil, invalid("Listeners cannot be empty")
	case len(in.Subnets) > 0 && len(in.AvailabilityZones) > 0:
		return nil, invalid("Only one of SubnetIds or AvailabilityZones may be specified")
	case len(in.Subnets)+len(in.AvailabilityZones) == 0:
		return nil, invalid("Either AvailabilityZones or SubnetIds must be specified")
	case in.Scheme != "" && in.Scheme != region.SchemeInternal && in.Scheme != region.SchemeInternetFacing:
		return nil, refuse("InvalidScheme", "The scheme must be internal or internet-facing")
	}
	tags, err := newTags(in.Tags)
	if err != nil {
		return nil, err
	}
	want := region.LoadBalancer{Name: in.LoadBalancerName, ARN: s.arn("loadbalancer/" + in.LoadBalancerName), ID: newID(),
		Type: region.ClassicBalancer, Scheme: cmp.Or(in.Scheme, region.SchemeInternetFacing), SecurityGroups: in.SecurityGroups,
		Tags: tags, Classic: &region.ClassicParts{}}
	want.DNSName = region.BalancerDNSName(want.Type, want.Scheme, want.Name, want.ID, s.Network.VPC.Region)
	return change(s, call, func(tx *state.Txn, out *dnsNameOutput) error {
		b := want
		b.Classic = &region.ClassicParts{}
		if err := s.completeClassic(tx, &b, in); err != nil {
			return err
		}
		there, found := region.LoadBalancers.Get(tx, b.Key())
		switch {
		case found && sameClassic(there, b):
			out.DNSName = there.DNSName
			return nil
		case found:
			return refuse("DuplicateLoadBalancerName",
				"Load Balancer named '%s' already exists and it is configured with different parameters.", b.Name)
		case !region.LoadBalancers.Part("classic/").Fewer(tx, maxClassic):
			return refuse("TooManyLoadBalancers", "The quota for the number of load balancers has been reached: %d", maxClassic)
		}
		out.DNSName = b.DNSName
		_, err := region.CreateBalancer(tx, b, s.Carried, s.now())
		return err
	})
}

// completeClassic gives a new classic load balancer its place, its groups, its listeners and its health check.
func (s *Service) completeClassic(tx *state.Txn, b *region.LoadBalancer, in *createClassicInput) error {
	ids := in.Subnets
	if len(ids) == 0 {
		var known bool
		if ids, known = s.Network.DefaultSubnets(tx, in.AvailabilityZones); !known {
			return invalid("Invalid Availability Zone: %s", wire.Clip(strings.Join(in.AvailabilityZones, ", ")))
		}
	}
	if err := s.placeClassic(tx, b, ids); err != nil {
		return err
	}
	if len(b.SecurityGroups) == 0 {
		b.SecurityGroups = []string{s.Network.DefaultGroup(b.VPC)}
	}
	if err := s.groupsOfClassic(tx, b); err != nil {
		return err
	}
	for _, l := range in.Listeners {
		if err := s.addClassicListener(tx, b, l); err != nil {
			return err
		}
	}
	b.Classic.Check = region.HealthCheck{Enabled: true, Protocol: "TCP", Port: fmt.Sprint(b.Classic.Listeners[0].InstancePort),
		Interval: 30, Timeout: 5, Healthy: 10, Unhealthy: 2}
	return nil
}

// placeClassic puts a classic load balancer into subnets.
func (s *Service) placeClassic(tx *state.Txn, b *region.LoadBalancer, ids []string) error {
	var mappings []subnetMapping
	for _, id := range ids {
		mappings = append(mappings, subnetMapping{SubnetID: id})
	}
	return s.place(tx, b, mappings)
}

// groupsOfClassic says whether a classic load balancer can have its security groups, and which its backends let in.
func (s *Service) groupsOfClassic(tx *state.Txn, b *region.LoadBalancer) error {
	for i, id := range b.SecurityGroups {
		vpc, name, found := s.Network.GroupIn(tx, id)
		if !found || vpc != b.VPC {
			return refuse("InvalidSecurityGroup", "One or more of the specified security groups do not exist.")
		}
		if i == 0 {
			b.Classic.SourceGroup = name
		}
	}
	return nil
}

// sameClassic says whether what is asked for is there already.
func sameClassic(there, want region.LoadBalancer) bool {
	return there.Scheme == want.Scheme && reflect.DeepEqual(there.Zones, want.Zones) &&
		slices.Equal(sorted(there.SecurityGroups), sorted(want.SecurityGroups)) &&
		slices.EqualFunc(there.Classic.Listeners, want.Classic.Listeners, sameClassicListener)
}

func (s *Service) deleteClassic(call *operation.Call, in *classicNamed) (*none, error) {
	return change(s, call, func(tx *state.Txn, _ *none) error {
		if b, err := classicBalancer(tx, in.LoadBalancerName); err == nil { // that there is none is no error
			region.DeleteBalancer(tx, b)
		}
		return nil
	})
}

type healthCheck struct {
	Target             string
	Interval           int
	Timeout            int
	UnhealthyThreshold int
	HealthyThreshold   int
}

type instanceName struct {
	InstanceID string `query:"InstanceId" xml:"InstanceId" json:"InstanceId"`
}

type listenerDescription struct {
	Listener    classicListener
	PolicyNames wire.QueryList[string]
}

type backendDescription struct {
	InstancePort int
	PolicyNames  wire.QueryList[string]
}

type cookiePolicy struct {
	PolicyName             string
	CookieName             string `xml:",omitempty" json:",omitempty"`
	CookieExpirationPeriod *int   `json:",omitempty"`
}

type policiesByKind struct {
	AppCookie wire.QueryList[cookiePolicy] `xml:"AppCookieStickinessPolicies" json:"AppCookieStickinessPolicies"`
	LBCookie  wire.QueryList[cookiePolicy] `xml:"LBCookieStickinessPolicies" json:"LBCookieStickinessPolicies"`
	Others    wire.QueryList[string]       `xml:"OtherPolicies" json:"OtherPolicies"`
}

type sourceGroup struct{ OwnerAlias, GroupName string }

type classicDescription struct {
	LoadBalancerName          string
	DNSName                   string
	CanonicalHostedZoneName   string
	CanonicalHostedZoneNameID string
	ListenerDescriptions      wire.QueryList[listenerDescription]
	Policies                  policiesByKind
	BackendServerDescriptions wire.QueryList[backendDescription]
	AvailabilityZones         wire.QueryList[string]
	Subnets                   wire.QueryList[string]
	VPCID                     string `xml:"VPCId" json:"VPCId"`
	Instances                 wire.QueryList[instanceName]
	HealthCheck               healthCheck
	SourceSecurityGroup       sourceGroup
	SecurityGroups            wire.QueryList[string]
	CreatedTime               string
	Scheme                    string
}

type describeClassicInput struct {
	page
	LoadBalancerNames []string
}

type describeClassicOutput struct {
	LoadBalancerDescriptions wire.QueryList[classicDescription]
	NextMarker               string `xml:",omitempty" json:",omitempty"`
}

func (s *Service) describeClassic(call *operation.Call, in *describeClassicInput) (*describeClassicOutput, error) {
	return view(s, call, func(tx *state.Txn, out *describeClassicOutput) (err error) {
		found := []region.LoadBalancer{}
		for _, name := range in.LoadBalancerNames {
			b, err := classicBalancer(tx, name)
			if err != nil {
				return err
			}
			found = append(found, b)
		}
		if len(in.LoadBalancerNames) == 0 {
			found = region.LoadBalancers.Under(tx, "classic/")
		}
		cutOff, next, err := cut(call, in.page, found, func(b region.LoadBalancer) string { return b.Name })
		for _, b := range cutOff {
			out.LoadBalancerDescriptions = append(out.LoadBalancerDescriptions, s.showClassic(tx, b))
		}
		out.NextMarker = next
		return err
	})
}

func (s *Service) showClassic(tx *state.Txn, b region.LoadBalancer) classicDescription {
	c := b.Classic.Check
	shown := classicDescription{LoadBalancerName: b.Name, DNSName: b.DNSName, CanonicalHostedZoneName: b.DNSName,
		CanonicalHostedZoneNameID: hostedZones[b.Type], VPCID: b.VPC, Scheme: b.Scheme, CreatedTime: stamp(b.CreatedAt),
		HealthCheck:    healthCheck{classicCheckTarget(c), c.Interval, c.Timeout, c.Unhealthy, c.Healthy},
		SecurityGroups: b.SecurityGroups, SourceSecurityGroup: sourceGroup{s.Network.VPC.AccountID, b.Classic.SourceGroup}}
	for _, l := range b.Classic.Listeners {
		shown.ListenerDescriptions = append(shown.ListenerDescriptions, listenerDescription{showClassicListener(l), l.Policies})
	}
	for _, p := range b.Classic.Policies {
		switch p.Type {
		case lbCookiePolicy, appCookiePolicy:
			showCookiePolicy(&shown.Policies, p)
		default:
			shown.Policies.Others = append(shown.Policies.Others, p.Name)
		}
	}
	for _, backend := range b.Classic.Backends {
		shown.BackendServerDescriptions = append(shown.BackendServerDescriptions,
			backendDescription{backend.InstancePort, backend.Policies})
	}
	for _, z := range b.Zones {
		shown.AvailabilityZones = append(shown.AvailabilityZones, z.Zone)
		shown.Subnets = append(shown.Subnets, z.SubnetID)
	}
	for _, t := range registeredIn(tx, b, s.now()) {
		shown.Instances = append(shown.Instances, instanceName{t.ID})
	}
	return shown
}

type classicGroupsInput struct {
	classicNamed
	SecurityGroups []string
}

type classicGroupsOutput struct{ SecurityGroups wire.QueryList[string] }

func (s *Service) applySecurityGroups(call *operation.Call, in *classicGroupsInput) (*classicGroupsOutput, error) {
	return editClassic(s, call, in.LoadBalancerName, func(tx *state.Txn, b *region.LoadBalancer, out *classicGroupsOutput) error {
		b.SecurityGroups, out.SecurityGroups = in.SecurityGroups, in.SecurityGroups
		return s.groupsOfClassic(tx, b)
	})
}

type classicSubnetsInput struct {
	classicNamed
	Subnets []string
}

type classicSubnetsOutput struct{ Subnets wire.QueryList[string] }

func subnetsOf(b region.LoadBalancer) (ids []string) {
	for _, z := range b.Zones {
		ids = append(ids, z.SubnetID)
	}
	return ids
}

func (s *Service) attachSubnets(call *operation.Call, in *classicSubnetsInput) (*classicSubnetsOutput, error) {
	return editClassic(s, call, in.LoadBalancerName, func(tx *state.Txn, b *region.LoadBalancer, out *classicSubnetsOutput) error {
		err := s.placeClassic(tx, b, slices.Compact(sorted(append(subnetsOf(*b), in.Subnets...))))
		out.Subnets = subnetsOf(*b)
		return err
	})
}

func (s *Service) detachSubnets(call *operation.Call, in *classicSubnetsInput) (*classicSubnetsOutput, error) {
	return editClassic(s, call, in.LoadBalancerName, func(tx *state.Txn, b *region.LoadBalancer, out *classicSubnetsOutput) error {
		return s.leaveZones(b, func(z region.BalancerZone) bool { return slices.Contains(in.Subnets, z.SubnetID) }, &out.Subnets)
	})
}

// leaveZones takes a classic load balancer out of some of its zones.
func (s *Service) leaveZones(b *region.LoadBalancer, gone func(region.BalancerZone) bool, left *wire.QueryList[string]) error {
	b.Zones = slices.DeleteFunc(slices.Clone(b.Zones), gone)
	if len(b.Zones) == 0 {
		return unsuitable("The load balancer %s must be attached to at least one subnet", b.Name)
	}
	*left = subnetsOf(*b)
	return nil
}

type classicZonesInput struct {
	classicNamed
	AvailabilityZones []string
}

type classicZonesOutput struct{ AvailabilityZones wire.QueryList[string] }

func (s *Service) enableZones(call *operation.Call, in *classicZonesInput) (*classicZonesOutput, error) {
	return editClassic(s, call, in.LoadBalancerName, func(tx *state.Txn, b *region.LoadBalancer, out *classicZonesOutput) error {
		var more []string
		for _, zone := range in.AvailabilityZones {
			if !slices.ContainsFunc(b.Zones, func(z region.BalancerZone) bool { return z.Zone == zone }) {
				more = append(more, zone)
			}
		}
		ids, known := s.Network.DefaultSubnets(tx, more)
		if !known {
			return invalid("Invalid Availability Zone: %s", wire.Clip(strings.Join(in.AvailabilityZones, ", ")))
		}
		err := s.placeClassic(tx, b, append(subnetsOf(*b), ids...))
		out.AvailabilityZones = b.ZoneNames()
		return err
	})
}

func (s *Service) disableZones(call *operation.Call, in *classicZonesInput) (*classicZonesOutput, error) {
	return editClassic(s, call, in.LoadBalancerName, func(tx *state.Txn, b *region.LoadBalancer, out *classicZonesOutput) error {
		var ignored wire.QueryList[string]
		err := s.leaveZones(b, func(z region.BalancerZone) bool { return slices.Contains(in.AvailabilityZones, z.Zone) }, &ignored)
		out.AvailabilityZones = b.ZoneNames()
		return err
	})
}
