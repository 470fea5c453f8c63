package ec2

import (
	"cmp"
	"encoding/binary"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// planNetwork decides where the instances are, and which security groups they have.
func (s *Service) planNetwork(tx *state.Txn, p *launchPlan, data templateData, want LaunchRequest) error {
	var nic interfaceOf
	if len(data.Interfaces) > 0 {
		nic = data.Interfaces[0]
	}
	if len(data.Interfaces) > 1 {
		return refuse("UnsupportedOperation", "Tripod launches instances with one network interface yet: leave out the others.")
	}
	home, err := s.launchSubnet(tx, cmp.Or(want.SubnetID, nic.SubnetID), want, data, p.instance.Launch.Type)
	if err != nil {
		return err
	}
	v := &p.instance
	p.subnet, v.SubnetID, v.VPCID, v.Zone = home, home.SubnetID, home.VPCID, home.Zone
	if home.CIDRBlock != "" {
		p.space = s.spaceOf(tx, home)
	}
	if v.Launch.Groups, err = s.launchGroups(tx, home, data, nic); err != nil {
		return err
	}
	p.details.Interface, p.details.KeepsInterface = nic.Description, nic.Deleted != nil && !*nic.Deleted
	p.public = home.MapPublicIP
	if nic.Public != nil {
		p.public = *nic.Public
	}
	if want.PublicIP != nil {
		p.public = *want.PublicIP
	}
	if p.details.Hostname == "" && home.Names.HostnameType == resourceNames {
		p.details.Hostname, p.details.NameA, p.details.NameAAAA = resourceNames, home.Names.A, home.Names.AAAA
	}
	p.address = cmp.Or(want.address, nic.Address)
	if p.address != "" && want.Count > 1 {
		return refuse("InvalidParameterCombination", "A private IP address can only be specified when launching a single instance.")
	}
	return nil
}

// launchSubnet is the subnet that a launch names, or the default one of the zone that it names, or of a zone that has
// such instances.
func (s *Service) launchSubnet(tx *state.Txn, subnetID string, want LaunchRequest, data templateData,
	instanceType string) (subnet, error) {
	zone := want.Zone
	if data.Placement != nil {
		zone = cmp.Or(zone, data.Placement.Zone)
	}
	if zone != "" && !slices.Contains(s.VPC.Zones, zone) {
		return subnet{}, refuse("InvalidParameterValue", "Invalid availability zone: [%s]", clip(zone))
	}
	if subnetID != "" {
		home, err := subnets.get(s, tx, subnetID)
		if err == nil && zone != "" && home.Zone != zone {
			return home, refuse("InvalidParameterValue", "The subnet '%s' is in the Availability Zone %s, not in %s.", subnetID,
				home.Zone, zone)
		}
		return home, err
	}
	for _, home := range subnets.all(s, tx) {
		if home.DefaultForAZ && home.Zone == zone {
			return home, nil
		}
	}
	if zone != "" {
		return subnet{}, refuse("MissingInput", "No subnets found for the default VPC '%s'. Please specify a subnet.", s.VPC.ID())
	}
	for _, zone := range s.VPC.Zones {
		if s.room(tx, zone, instanceType) > 0 {
			want.Zone = zone
			return s.launchSubnet(tx, "", want, data, instanceType)
		}
	}
	want.Zone = s.VPC.Zones[0] // which refuses it
	return s.launchSubnet(tx, "", want, data, instanceType)
}

// launchGroups are the ids of the security groups of a launch: those named, or the default group of the subnet's VPC.
func (s *Service) launchGroups(tx *state.Txn, home subnet, data templateData, nic interfaceOf) ([]string, error) {
	given := slices.Concat(nic.Groups, data.Groups)
	if len(nic.Groups) > 0 {
		given = nic.Groups
	}
	if len(given)+len(data.GroupNames) == 0 {
		return []string{id("sg", home.VPCID, "default")}, nil
	}
	all := groups.all(s, tx)
	var ids []string
	for _, groupID := range given {
		at := slices.IndexFunc(all, func(g securityGroup) bool { return g.GroupID == groupID })
		switch {
		case at < 0:
			if err := groups.check(groupID); err != nil {
				return nil, err
			}
			return nil, groups.notFound(groupID)
		case all[at].VPCID != home.VPCID:
			return nil, refuse("InvalidParameter", "Security group %s and subnet %s belong to different networks.", groupID,
				home.SubnetID)
		}
		ids = append(ids, groupID)
	}
	for _, name := range data.GroupNames {
		at := slices.IndexFunc(all, func(g securityGroup) bool { return g.GroupName == name && g.VPCID == home.VPCID })
		if at < 0 {
			return nil, refuse("InvalidGroup.NotFound", "The security group '%s' does not exist in VPC '%s'", clip(name), home.VPCID)
		}
		ids = append(ids, all[at].GroupID)
	}
	return slices.Compact(ids), nil
}

// launchable is how many of the instances the zone has room for: an error where that is too few.
func (s *Service) launchable(tx *state.Txn, p launchPlan, count, least int) (int, error) {
	if count < 1 || least < 1 || least > count {
		return 0, refuse("InvalidParameterValue", "The number of instances must be at least 1, and the maximum not below the minimum.")
	}
	zone, of := p.instance.Zone, p.instance.Launch
	room := s.room(tx, zone, of.Type)
	if room >= least {
		return min(room, count), nil
	}
	short := func(message string) error {
		return &wire.Error{Code: "InsufficientInstanceCapacity", Status: http.StatusInternalServerError, Message: message}
	}
	if of.Spot {
		return 0, short("There is no Spot capacity available that matches your request.")
	}
	elsewhere := slices.DeleteFunc(slices.Clone(s.VPC.Zones),
		func(other string) bool { return other == zone || s.room(tx, other, of.Type) < least })
	message := "We currently do not have sufficient " + of.Type + " capacity in the Availability Zone you requested (" + zone +
		"). Our system will be working on provisioning additional capacity."
	if len(elsewhere) > 0 {
		message += " You can currently get " + of.Type + " capacity by not specifying an Availability Zone in your request or " +
			"choosing " + strings.Join(elsewhere, ", ") + "."
	}
	return 0, short(message)
}

// unbounded is the room of a zone for which nobody has set a capacity.
const unbounded = 1 << 20

// room is how many more instances of a type a zone can have. Fargate's machines have no type, and count among all together.
func (s *Service) room(tx *state.Txn, zone, instanceType string) int {
	room := unbounded
	var there []region.Instance
	for _, of := range []string{instanceType, ""} {
		capacity, set := region.Capacities.Get(tx, zone+"/"+of)
		if !set {
			continue
		}
		if there == nil {
			there = region.InstancesByZone.Of(zone).List(tx)
		}
		used := 0
		if of == "" {
			used = region.FargateByZone.Of(zone).Count(tx)
		}
		for _, v := range there {
			if v.State.Alive() && v.State != region.InstanceStopped && (of == "" || v.Launch.Type == of) {
				used++
			}
		}
		room = min(room, max(0, capacity.Instances-used))
	}
	return room
}

// giveAddresses gives an instance its addresses and its name.
func (s *Service) giveAddresses(tx *state.Txn, p launchPlan, v *region.Instance) error {
	if p.subnet.CIDRBlock != "" {
		address, err := s.freeAddress(tx, p)
		if err != nil {
			return err
		}
		v.Address = address.String()
		if p.public {
			v.PublicIP = s.freePublicIP(tx)
		}
	}
	v.DNSName = s.name(p, *v)
	return nil
}

// freeAddress is a private address of the plan's subnet that nobody has: the one that is asked for, or one at random.
func (s *Service) freeAddress(tx *state.Txn, p launchPlan) (netip.Addr, error) {
	space := p.space
	if space == nil {
		space = s.spaceOf(tx, p.subnet)
	}
	if p.address != "" {
		return space.wanted(p.address, "privateIpAddress", nil)
	}
	ip, found := space.pick(map[netip.Addr]bool{})
	if !found {
		return ip, refuse("InsufficientFreeAddressesInSubnet", "There are not enough free addresses in subnet '%s' to "+
			"satisfy the requested number of instances.", p.subnet.SubnetID)
	}
	return ip, nil
}

// hostAt is the address of a block with that offset, hostOf the offset of an address.
func hostAt(block netip.Prefix, offset int) netip.Addr {
	base := block.Masked().Addr().As4()
	sum := binary.BigEndian.Uint32(base[:]) + uint32(offset)
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, sum)))
}

func hostOf(block netip.Prefix, a netip.Addr) int {
	base, at := block.Masked().Addr().As4(), a.As4()
	return int(binary.BigEndian.Uint32(at[:])) - int(binary.BigEndian.Uint32(base[:]))
}

// reserved says whether AWS keeps an address of a subnet for itself: the first four and the last.
func reserved(block netip.Prefix, a netip.Addr) bool {
	at := hostOf(block, a)
	return at < 4 || at == 1<<(32-block.Bits())-1
}

// The ranges of public addresses that subnets give to instances: two kept for documentation (RFC 5737), and where these
// are full the one for benchmarks (RFC 2544). Nobody on the internet has them. Elastic IP addresses have a range of
// their own.
var launchedIPs = []netip.Prefix{
	netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
}

// freePublicIP is a public address that no instance has.
func (s *Service) freePublicIP(tx *state.Txn) string {
	for tries := 0; ; tries++ {
		block := launchedIPs[min(tries/addressTries, len(launchedIPs)-1)]
		ip := hostAt(block, 1+rand.IntN(1<<(32-block.Bits())-2)).String()
		if region.InstancesByPublicIP.Of(ip).Empty(tx) {
			return ip
		}
	}
}
