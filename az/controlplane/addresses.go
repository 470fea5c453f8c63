package controlplane

import (
	"net/netip"
	"sync"

	"tripod/region"
	"tripod/state"
)

// subnetZones are the zones of the subnets in which the cluster has nodes, as of one version of them.
type subnetZones struct {
	mu     sync.Mutex
	of     [2]state.PartVersion // of instances, and of Fargate's machines
	zones  map[netip.Prefix]string
	looked bool
}

// zoneOf is the zone of the cluster's node or pod that has the address, by the subnet it is in; where none of the cluster's
// nodes is in such a subnet, by the interface of a node that has it; empty: none has.
func (c *Part) zoneOf(address netip.Addr) (zone string) {
	c.subnets.mu.Lock()
	defer c.subnets.mu.Unlock()
	c.host.State.View(func(tx *state.Txn) error {
		instances := region.InstancesByCluster.Of(c.cluster.ID)
		machines := region.FargateMachines.Part(c.cluster.ID + "/")
		of := [2]state.PartVersion{instances.Version(tx), machines.Version(tx)}
		if !c.subnets.looked || of != c.subnets.of {
			c.subnets.of, c.subnets.zones, c.subnets.looked = of, c.zonesOf(tx, instances, machines), true
		}
		return nil
	})
	for subnet, of := range c.subnets.zones {
		if subnet.Contains(address) {
			return of
		}
	}
	c.host.State.View(func(tx *state.Txn) error {
		if at, found := c.host.Machines.Network.NodeAt(tx, address); found && at.Boot.ClusterID == c.cluster.ID {
			zone = at.Zone
		}
		return nil
	})
	return zone
}

func (c *Part) zonesOf(tx *state.Txn, instances state.Part[region.Instance],
	machines state.Part[region.FargateMachine]) map[netip.Prefix]string {
	zones, seen := map[netip.Prefix]string{}, map[string]bool{}
	add := func(subnetID, zone string) {
		if subnetID == "" || seen[subnetID] {
			return
		}
		seen[subnetID] = true
		if subnet, found := c.host.Machines.Network.SubnetCIDR(tx, subnetID); found {
			zones[subnet] = zone
		}
	}
	for _, v := range instances.After(tx, "") {
		add(v.SubnetID, v.Zone)
	}
	for _, m := range machines.After(tx, "") {
		add(m.SubnetID, m.Zone)
	}
	return zones
}
