package ec2

import (
	"maps"
	"net/netip"
	"slices"
	"sync"

	"tripod/internal/reachability"
	"tripod/region"
	"tripod/state"
)

// Paths says what connections between addresses of the VPCs meet: the security groups, network ACLs and routes that the
// records have. It reads these again only after a change.
type Paths struct {
	service *Service

	mu      sync.Mutex
	rules   rulesOfVPCs
	rulesAt RulesVersion
}

// NewPaths returns the Paths of the VPCs that the service shows.
func NewPaths(s *Service) *Paths { return &Paths{service: s} }

// versioned is a part of the records that tells when it has changed.
type versioned interface {
	Version(*state.Txn) state.PartVersion
}

// rulesParts are all records that what passes follows from. Who has which address is looked up each time.
var rulesParts = [...]versioned{groups.table.Part(""), networkACLs.table.Part(""), aclAssociations.Part(""), routeTables.table.Part(""),
	subnets.table.Part(""), vpcs.table.Part(""), natGateways.table.Part(""), internetGateways.table.Part(""),
	egressGateways.table.Part(""), region.Clusters.Part("")}

// RulesVersion compares by ==: it is another one after each change of what passes follows from.
type RulesVersion [len(rulesParts)]state.PartVersion

// rulesOfVPCs are the rules of all VPCs.
type rulesOfVPCs struct {
	groups  map[string]*reachability.Group  // by id
	subnets map[string]*reachability.Subnet // by id
	byVPC   map[string][]*reachability.Subnet
	// clusters are by id.
	clusters map[string]clusterPlaces
}

// pathPlace is where a network interface is, and what of it counts.
type pathPlace struct {
	name        string
	address     netip.Addr
	subnetID    string
	interfaceID string
	groups      []string
	host        string // the instance that has it
}

// clusterPlaces are a cluster's own.
type clusterPlaces struct {
	name         string
	vpcID, group string
	zones        map[string]pathPlace // of its control plane, by zone
}

// Network is what the VPCs are at one moment. It is valid in the transaction that View gives it to.
type Network struct {
	rulesOfVPCs
	RulesVersion RulesVersion

	service *Service
	tx      *state.Txn
}

// View gives what the VPCs are now to a function.
func (p *Paths) View(look func(Network) error) error {
	return p.service.State.View(func(tx *state.Txn) error {
		var at RulesVersion
		for i, part := range rulesParts {
			at[i] = part.Version(tx)
		}
		p.mu.Lock()
		if p.rules.groups == nil || at != p.rulesAt {
			p.rules, p.rulesAt = p.service.rulesOf(tx, groups.all(p.service, tx), subnets.all(p.service, tx)), at
			p.rules.clusters = p.service.placesOfClusters(tx)
		}
		n := Network{p.rules, at, p.service, tx}
		p.mu.Unlock()
		return look(n)
	})
}

// ReachesControlPlane says why packets of an instance come to none of a cluster's network interfaces, as a *reachability.Refusal; nil:
// they come to one.
func (s *Service) ReachesControlPlane(tx *state.Txn, clusterID string, m region.Instance) error {
	places := s.placesOfClusters(tx)
	groupIDs, subnetIDs := slices.Clone(m.Launch.Groups), []string{m.SubnetID}
	for _, at := range places[clusterID].zones {
		groupIDs, subnetIDs = append(groupIDs, at.groups...), append(subnetIDs, at.subnetID)
	}
	sorted := func(ids []string) []string { return slices.Compact(slices.Sorted(slices.Values(ids))) }
	n := Network{rulesOfVPCs: s.rulesOf(tx, groups.found(s, tx, sorted(groupIDs)), subnets.found(s, tx, sorted(subnetIDs)))}
	address, _ := netip.ParseAddr(m.Address)
	from := n.end(pathPlace{name: "instance " + m.ID, address: address, subnetID: m.SubnetID, interfaceID: m.InterfaceID,
		groups: m.Launch.Groups})
	var err error
	for _, zone := range slices.Sorted(maps.Keys(places[clusterID].zones)) {
		if err = reachability.Check(reachability.Connection{From: from, To: n.end(places[clusterID].zones[zone]), Protocol: "tcp",
			Port: 443, Source: anyPort}); err == nil {
			return nil
		}
	}
	return err
}

// anyPort is one of those that clients have, where nobody asks which it is.
const anyPort = 32768

func (s *Service) rulesOf(tx *state.Txn, ofGroups []securityGroup, ofSubnets []subnet) rulesOfVPCs {
	all := rulesOfVPCs{groups: map[string]*reachability.Group{}, subnets: map[string]*reachability.Subnet{},
		byVPC: map[string][]*reachability.Subnet{}}
	for _, g := range ofGroups {
		made := &reachability.Group{ID: g.GroupID, Name: g.GroupName}
		for _, r := range g.Rules {
			made.Rules = append(made.Rules, r.forPaths())
		}
		all.groups[g.GroupID] = made
	}
	acls := map[string]*reachability.ACL{}
	for _, a := range networkACLs.all(s, tx) {
		acls[a.ACLID] = a.forPaths()
	}
	for _, v := range ofSubnets {
		block, err := netip.ParsePrefix(v.CIDRBlock)
		if err != nil {
			continue // an IPv6-only one: no address of it is simulated
		}
		table := s.routesOf(tx, v)
		s.shownRoutes(tx, &table)
		made := &reachability.Subnet{ID: v.SubnetID, VPC: v.VPCID, Block: block, ACL: acls[aclOf(tx, v).ACLID],
			TableID: table.RouteTableID}
		for _, r := range table.Routes {
			if to, err := netip.ParsePrefix(r.Destination); err == nil {
				made.Routes = append(made.Routes, reachability.Route{Block: to, Target: r.target(), Blackhole: r.State == "blackhole"})
			}
		}
		all.subnets[v.SubnetID] = made
		all.byVPC[v.VPCID] = append(all.byVPC[v.VPCID], made)
	}
	return all
}

// target is what a route leads by.
func (r route) target() string {
	for _, target := range []string{r.GatewayID, r.NATGatewayID, r.EgressOnlyID, r.InterfaceID} {
		if target != "" {
			return target
		}
	}
	return r.InstanceID
}

func (r rule) forPaths() reachability.Rule {
	made := reachability.Rule{ID: r.ID, Egress: r.Egress, Protocol: r.Protocol, From: r.FromPort, To: r.ToPort, Group: r.Group}
	text := r.CIDR
	if r.CIDR6 != "" {
		text = r.CIDR6
	}
	made.Block, _ = netip.ParsePrefix(text) // of a rule about a group there is none
	return made
}

func (a networkACL) forPaths() *reachability.ACL {
	made := &reachability.ACL{ID: a.ACLID}
	for _, e := range a.Entries {
		one := reachability.ACLEntry{Number: e.Number, Egress: e.Egress, Allow: e.Action == "allow", Protocol: e.Protocol}
		if e.Ports != nil && e.Ports.From != nil && e.Ports.To != nil {
			one.From, one.To = *e.Ports.From, *e.Ports.To
		}
		text := e.CIDRBlock
		if e.CIDRBlock6 != "" {
			text = e.CIDRBlock6
		}
		one.Block, _ = netip.ParsePrefix(text)
		made.Entries = append(made.Entries, one)
	}
	made.Sort()
	return made
}

// placesOfClusters are those of clusters' control planes, by the clusters' ids.
func (s *Service) placesOfClusters(tx *state.Txn) map[string]clusterPlaces {
	all, control := map[string]clusterPlaces{}, map[string]networkInterface{}
	for _, v := range s.controlPlaneInterfaces(tx) {
		control[v.InterfaceID] = v
	}
	for _, c := range s.clusters(tx) {
		own := clusterPlaces{name: c.Name, vpcID: c.VPCID, group: s.VPC.ClusterSecurityGroupID(c.ID), zones: map[string]pathPlace{}}
		for _, zone := range s.VPC.Zones {
			if v, found := control[id("eni", c.ID, zone)]; found {
				own.zones[zone] = v.place("the control plane of " + c.Name)
			}
		}
		all[c.ID] = own
	}
	return all
}

func (v networkInterface) place(name string) pathPlace {
	address, _ := netip.ParseAddr(v.Address)
	made := pathPlace{name: name, address: address, subnetID: v.SubnetID, interfaceID: v.InterfaceID}
	for _, g := range v.Groups {
		made.groups = append(made.groups, g.GroupID)
	}
	return made
}

func (n Network) end(at pathPlace) reachability.End {
	made := reachability.End{Name: at.name, Address: at.address, Subnet: n.subnets[at.subnetID], Interface: at.interfaceID,
		Host: at.host}
	for _, groupID := range at.groups {
		if g, found := n.groups[groupID]; found {
			made.Groups = append(made.Groups, g)
		}
	}
	return made
}

// Address is who has an address in the VPC of a cluster: an interface, or where no record tells of one a member of the
// cluster's security group in the subnet. One of no subnet is outside.
func (n Network) Address(clusterID string, address netip.Addr) reachability.End {
	cluster := n.clusters[clusterID]
	for _, at := range cluster.zones {
		if at.address == address {
			return n.end(at)
		}
	}
	for _, s := range n.byVPC[cluster.vpcID] {
		if s.Block.Contains(address) {
			return n.end(n.placeIn(s.ID, address, cluster.group))
		}
	}
	return reachability.End{Name: address.String(), Address: address}
}

// placeIn is who has an address of a subnet.
func (n Network) placeIn(subnetID string, address netip.Addr, group string) pathPlace {
	at := pathPlace{name: address.String(), address: address, subnetID: subnetID, groups: []string{group}}
	v, found := region.InterfaceAt(n.tx, subnetID, address)
	if !found {
		return at
	}
	at.interfaceID, at.groups = v.ID, v.Groups
	if v.Type != "branch" { // such a one is a pod's alone, and filtered on its machine, too
		at.host = v.AttachedTo()
	}
	if v.Primary() && v.Address == address.String() {
		at.name = "instance " + at.host
	}
	return at
}

// ControlPlane is a cluster's interface in a zone. Where it has none there it is that of another zone.
func (n Network) ControlPlane(clusterID, zone string) reachability.End {
	zones := n.clusters[clusterID].zones
	if at, found := zones[zone]; found {
		return n.end(at)
	}
	for _, other := range slices.Sorted(maps.Keys(zones)) {
		return n.end(zones[other])
	}
	return reachability.End{}
}

// ClusterName is the name of the cluster with that id.
func (n Network) ClusterName(clusterID string) string { return n.clusters[clusterID].name }

// Client is who comes from this machine to a load balancer: from the internet, or to an internal one from within its subnet.
func (n Network) Client(b region.LoadBalancer, zone string, address netip.Addr) reachability.End {
	end := reachability.End{Name: "the client", Address: address.Unmap()}
	if b.Scheme != region.SchemeInternetFacing {
		end.Subnet = n.Balancer(b.ARN, zone).Subnet
	}
	return end
}

// Balancer is the interface that a load balancer has in a zone; the zero value: it has none there.
func (n Network) Balancer(arn, zone string) reachability.End {
	b, found := region.FindBalancer(n.tx, arn)
	if !found {
		return reachability.End{}
	}
	for _, z := range b.Zones {
		if home, err := subnets.get(n.service, n.tx, z.SubnetID); z.Zone == zone && err == nil {
			return n.end(n.service.balancerInterface(b, z, home, func(string) string { return "" }).place("load balancer " + b.Name))
		}
	}
	return reachability.End{}
}
