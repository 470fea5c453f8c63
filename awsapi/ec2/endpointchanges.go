package ec2

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"tripod/awsapi/operation"
	"tripod/state"
)

// endpointChange is what an endpoint gets and loses.
type endpointChange struct {
	tables, subnets, groups                      []string
	withoutTables, withoutSubnets, withoutGroups []string
}

// fillEndpoint gives an endpoint its tables, subnets and groups, all in its VPC. Without a group an interface endpoint
// has the VPC's default one.
func (s *Service) fillEndpoint(tx *state.Txn, v *vpcEndpoint, c endpointChange) error {
	network, err := vpcs.get(s, tx, v.VPCID)
	switch {
	case err != nil:
		return err
	case v.PrivateDNS && !(network.DNSSupport && network.DNSHostnames):
		return refuse("InvalidParameter",
			"Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true for %s",
			v.VPCID)
	}
	if v.PrivateDNS {
		for _, other := range vpcEndpoints.all(s, tx) {
			if other.EndpointID != v.EndpointID && other.VPCID == v.VPCID && other.ServiceName == v.ServiceName &&
				other.PrivateDNS {
				return refuse("InvalidParameter", "private-dns-enabled cannot be set because there is already a conflicting "+
					"DNS domain for %s in the VPC %s",
					s.shownEndpoint(tx, other).DNSEntries[1].Name, v.VPCID)
			}
		}
	}
	if v.RouteTableIDs, err = s.endpointTables(tx, *v, c); err != nil {
		return err
	}
	before := v.SubnetIDs
	if v.SubnetIDs, err = s.endpointSubnets(tx, *v, c); err != nil {
		return err
	}
	if err := s.placeEndpoint(tx, v, before); err != nil {
		return err
	}
	v.Groups, err = s.endpointGroups(tx, *v, c)
	return err
}

// without are the values but for the removed ones, with those added that are new.
func without(values, removed, added []string) list[string] {
	kept := slices.DeleteFunc(slices.Clone(values), func(v string) bool { return slices.Contains(removed, v) })
	for _, value := range added {
		if !slices.Contains(kept, value) {
			kept = append(kept, value)
		}
	}
	return kept
}

func (s *Service) endpointTables(tx *state.Txn, v vpcEndpoint, c endpointChange) (list[string], error) {
	for _, tableID := range c.tables {
		t, err := routeTables.get(s, tx, tableID)
		switch {
		case err != nil:
			return nil, err
		case t.VPCID != v.VPCID:
			return nil, refuse("InvalidParameter", "route table %s and network %s belong to different networks", tableID,
				v.VPCID)
		}
		for _, r := range s.endpointRoutes(tx, tableID) {
			if r.PrefixListID == prefixListID(v.ServiceName) && r.GatewayID != v.EndpointID {
				return nil, refuse("RouteAlreadyExists", "route table %s already has a route with destination-prefix-list-id %s",
					tableID, r.PrefixListID)
			}
		}
	}
	return without(v.RouteTableIDs, c.withoutTables, c.tables), nil
}

// placeEndpoint gives an endpoint an address in each subnet that is new.
func (s *Service) placeEndpoint(tx *state.Txn, v *vpcEndpoint, before []string) error {
	for _, subnetID := range v.SubnetIDs {
		if slices.Contains(before, subnetID) {
			continue
		}
		usual := func(block netip.Prefix) netip.Addr { return endpointHost(v.EndpointID, block) }
		ip, err := s.ServiceAddress(tx, subnetID, usual)
		if err != nil {
			return err
		}
		if home, _ := s.SubnetCIDR(tx, subnetID); ip != usual(home) {
			hosts := maps.Clone(v.Hosts)
			if hosts == nil {
				hosts = map[string]string{}
			}
			hosts[subnetID] = ip.String()
			v.Hosts = hosts
		}
	}
	return nil
}

func (s *Service) endpointSubnets(tx *state.Txn, v vpcEndpoint, c endpointChange) (list[string], error) {
	all, zones := without(v.SubnetIDs, c.withoutSubnets, c.subnets), map[string]bool{}
	for _, subnetID := range all {
		home, err := subnets.get(s, tx, subnetID)
		switch {
		case err != nil:
			return nil, err
		case home.VPCID != v.VPCID || home.CIDRBlock == "":
			return nil, refuse("InvalidParameter", "The subnet %s is not one of the VPC %s with IPv4 addresses.", subnetID,
				v.VPCID)
		case zones[home.Zone]:
			return nil, refuse("DuplicateSubnetsInSameZone",
				"Found another VPC endpoint subnet in the availability zone of %s", subnetID)
		}
		zones[home.Zone] = true
	}
	return all, nil
}

func (s *Service) endpointGroups(tx *state.Txn, v vpcEndpoint, c endpointChange) (list[groupName], error) {
	if v.Type != interfaceEndpoint {
		return nil, nil
	}
	wanted := without(each(v.Groups, func(g groupName) string { return g.GroupID }), c.withoutGroups, c.groups)
	var given list[groupName]
	for _, g := range groups.all(s, tx) {
		if g.VPCID == v.VPCID && (slices.Contains(wanted, g.GroupID) || len(wanted) == 0 && g.isDefault()) {
			given = append(given, groupName{g.GroupID, g.GroupName})
		}
	}
	if len(wanted) > 0 && len(given) < len(wanted) {
		for _, groupID := range wanted {
			if _, err := groups.get(s, tx, groupID); err != nil {
				return nil, err
			}
		}
		return nil, refuse("InvalidParameter", "The security groups are not all of the VPC %s.", v.VPCID)
	}
	return given, nil
}

type modifyEndpointInput struct {
	EndpointID    string           `ec2:"VpcEndpointId,required"`
	ResetPolicy   bool             `ec2:"ResetPolicy"`
	Policy        string           `ec2:"PolicyDocument"`
	AddTables     []string         `ec2:"AddRouteTableId"`
	RemoveTables  []string         `ec2:"RemoveRouteTableId"`
	AddSubnets    []string         `ec2:"AddSubnetId"`
	RemoveSubnets []string         `ec2:"RemoveSubnetId"`
	AddGroups     []string         `ec2:"AddSecurityGroupId"`
	RemoveGroups  []string         `ec2:"RemoveSecurityGroupId"`
	AddressType   string           `ec2:"IpAddressType"`
	DNS           endpointDNSInput `ec2:"DnsOptions"`
	PrivateDNS    *bool            `ec2:"PrivateDnsEnabled"`
}

func (s *Service) modifyEndpoint(call *operation.Call, in *modifyEndpointInput) (*done, error) {
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		v, err := vpcEndpoints.get(s, tx, in.EndpointID)
		if err != nil {
			return err
		}
		merged := createEndpointInput{Type: v.Type, ServiceName: v.ServiceName, RouteTableIDs: in.AddTables,
			SubnetIDs: in.AddSubnets, GroupIDs: in.AddGroups,
			AddressType: in.AddressType, PrivateDNS: in.PrivateDNS}
		if err := s.checkEndpoint(&merged, v.Type); err != nil {
			return err
		}
		if in.PrivateDNS != nil {
			v.PrivateDNS = *in.PrivateDNS
		}
		if v.Policy = cmp.Or(in.Policy, v.Policy); in.ResetPolicy {
			v.Policy = defaultEndpointPolicy(v.Type)
		}
		if v.DNS.RecordType = cmp.Or(in.DNS.RecordType, v.DNS.RecordType); in.DNS.InboundOnly != nil {
			v.DNS.InboundOnly = in.DNS.InboundOnly
		}
		c := endpointChange{in.AddTables, in.AddSubnets, in.AddGroups, in.RemoveTables, in.RemoveSubnets, in.RemoveGroups}
		if err := s.fillEndpoint(tx, &v, c); err != nil {
			return err
		}
		vpcEndpoints.put(s, tx, v)
		return nil
	})
}

type deleteEndpointsInput struct {
	IDs []string `ec2:"VpcEndpointId,required"`
}

type deleteEndpointsOutput struct {
	Unsuccessful list[unsuccessfulItem] `xml:"unsuccessful"`
}

// deleteEndpoints deletes those that there are, at once, and tells which there are not.
func (s *Service) deleteEndpoints(call *operation.Call, in *deleteEndpointsInput) (*deleteEndpointsOutput, error) {
	out := &deleteEndpointsOutput{}
	return change(s, call, out, func(tx *state.Txn) error {
		out.Unsuccessful = nil
		for _, endpointID := range in.IDs {
			if err := vpcEndpoints.check(endpointID); err != nil {
				return err
			}
			if _, err := vpcEndpoints.get(s, tx, endpointID); err != nil {
				e := vpcEndpoints.notFound(endpointID)
				out.Unsuccessful = append(out.Unsuccessful, unsuccessfulItem{endpointID, versionError{e.Code, e.Message}})
				continue
			}
			if err := vpcEndpoints.delete(s, tx, endpointID); err != nil {
				return err
			}
		}
		return nil
	})
}

// endpointUsers are the endpoints that have the subnet, group or network.
func (s *Service) endpointUsers(tx *state.Txn, id string) (all []string) {
	for _, v := range vpcEndpoints.all(s, tx) {
		if v.VPCID == id || slices.Contains(v.SubnetIDs, id) || slices.ContainsFunc(v.Groups,
			func(g groupName) bool { return g.GroupID == id }) {
			all = append(all, v.EndpointID)
		}
	}
	return all
}

// leaveEndpoints takes a route table that is deleted from its endpoints.
func (s *Service) leaveEndpoints(tx *state.Txn, tableID string) {
	for _, v := range vpcEndpoints.all(s, tx) {
		if slices.Contains(v.RouteTableIDs, tableID) {
			v.RouteTableIDs = without(v.RouteTableIDs, []string{tableID}, nil)
			vpcEndpoints.put(s, tx, v)
		}
	}
}
