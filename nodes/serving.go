package nodes

import (
	"net/netip"

	"tripod/nodes/machine"
)

// Addresses of the nodes, which their ServingCert must name.
func (c Config) Addresses() []netip.Addr {
	return machine.Addresses(c.Subnet, c.ClusterID, c.Zone, c.Count)
}
