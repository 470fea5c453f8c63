package plan

import "testing"

func TestPortsOfAClusterDoNotOverlap(t *testing.T) {
	const endpoint = 20010
	seen := map[int]string{endpoint: "the endpoint"}
	for zone := range 3 {
		for name, port := range map[string]int{
			"API server": APIServerPort(endpoint, zone), "etcd's clients": EtcdClientPort(endpoint, zone),
			"etcd's peers": EtcdPeerPort(endpoint, zone),
		} {
			if other := seen[port]; other != "" {
				t.Errorf("port %d is of %s and of %s in zone %d", port, other, name, zone)
			}
			if port < endpoint || port >= endpoint+PortsPerCluster {
				t.Errorf("port %d of %s in zone %d is another cluster's", port, name, zone)
			}
			seen[port] = name
		}
		if !Subnet(zone).Contains(Interface(zone)) {
			t.Errorf("zone %d: the network interface %s is not in its subnet %s", zone, Interface(zone), Subnet(zone))
		}
		for other := range zone {
			if Subnet(zone).Overlaps(Subnet(other)) {
				t.Errorf("the subnets of zones %d and %d overlap", zone, other)
			}
		}
	}
}
