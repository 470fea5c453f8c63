package nodes

import "net/netip"

// Addresses of the nodes, which their ServingCert must name.
func (c Config) Addresses() []netip.Addr {
	return nodeAddresses(c.Subnet, c.ClusterID+"/"+c.Zone, c.Count)
}
