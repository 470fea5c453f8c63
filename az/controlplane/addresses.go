package controlplane

import (
	"net/netip"
	"sync"

	"tripod/region"
	"tripod/state"
)

// subnetZones are the zones of the subnets in which the cluster has nodes, as of one version of its instances.
type subnetZones struct {
	mu     sync.Mutex
	of     state.PartVersion
	zones  map[netip.Prefix]string
	looked bool
}

// zoneOf is the zone of the cluster's node or pod that has the address, by the subnet it is in; empty: none of the
// cluster's nodes is in such a subnet.
func (c *Part) zoneOf(address netip.Addr) (zone string) {
	c.subnets.mu.Lock()
	defer c.subnets.mu.Unlock()
	c.host.State.View(func(tx *state.Txn) error {
		instances := region.InstancesByCluster.Of(c.cluster.ID)
		if of := instances.Version(tx); !c.subnets.looked || of != c.subnets.of {
			c.subnets.of, c.subnets.zones, c.subnets.looked = of, c.zonesOf(tx, instances), true
		}
		return nil
	})
	for subnet, of := range c.subnets.zones {
		if subnet.Contains(address) {
			return of
		}
	}
	return ""
}

func (c *Part) zonesOf(tx *state.Txn, instances state.Part[region.Instance]) map[netip.Prefix]string {
	zones, seen := map[netip.Prefix]string{}, map[string]bool{}
	for _, v := range instances.After(tx, "") {
		if v.SubnetID == "" || seen[v.SubnetID] {
			continue
		}
		seen[v.SubnetID] = true
		if subnet, found := c.host.Machines.Network.SubnetCIDR(tx, v.SubnetID); found {
			zones[subnet] = v.Zone
		}
	}
	return zones
}
