package plan

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
)

// Letter is what tells the zone from the others of its region: the "a" of us-east-1a.
func Letter(zone string) string { return zone[len(zone)-1:] }

// InstanceSocket is where the process of a cluster's component serves its own metrics, and is told of losses. The id is
// shortened, as the path of a socket may not be long.
func (z Zone) InstanceSocket(component, clusterID string) string {
	return z.Socket(component + "-" + clusterID[:8])
}

// ControlSocket is where an agent takes orders.
func ControlSocket(runDir string) string { return filepath.Join(runDir, "agent.sock") }

// FrontSocket is where a zone's AWS front listens.
func FrontSocket(runDir string) string { return filepath.Join(runDir, "aws.sock") }

// Subnet is the private subnet of the i-th zone in a cluster's VPC, 10.0.0.0/16: nodes and pods live there.
func Subnet(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(32 * i), 0}), 19)
}

// Interface is the address of the i-th zone's control-plane network interface: AWS keeps a subnet's first four for
// itself.
func Interface(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 0, byte(32 * i), 10})
}

// PortsPerCluster is how many contiguous loopback ports a cluster has: its endpoint, and behind it, a zone each, API
// servers, etcd's clients and etcd's peers.
const PortsPerCluster = 10

// PortsFree says whether a cluster can have the ports from first on: between two clusters another program may have
// taken one.
func PortsFree(first int) bool {
	for port := first; port < first+PortsPerCluster; port++ {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false
		}
		listener.Close()
	}
	return true
}

// APIServerPort is the port on 127.0.0.1 of a cluster's API server in the i-th zone.
func APIServerPort(endpoint, zone int) int { return endpoint + 1 + zone }

// EtcdClientPort is the port of the cluster's etcd member in the i-th zone for clients.
func EtcdClientPort(endpoint, zone int) int { return endpoint + 4 + zone }

// EtcdPeerPort is the port of that member for its peers.
func EtcdPeerPort(endpoint, zone int) int { return endpoint + 7 + zone }

// APIServerAddress is the loopback address of the API server of the i-th zone of the cluster with that endpoint port,
// for the region's own components: others come in by APIServerSocket, behind the endpoint.
func APIServerAddress(endpoint, zone int) string {
	return fmt.Sprintf("127.0.0.1:%d", APIServerPort(endpoint, zone))
}

// Domain is the DNS suffix of what the gateways route. It resolves nowhere, by ICANN's reservation of ".internal".
const Domain = "tripod.internal"

// EtcdName is the name by which the zone's gateways know a cluster's etcd member.
func EtcdName(zone, clusterID string) string {
	return fmt.Sprintf("etcd-%s.%s.%s", Letter(zone), strings.ToLower(clusterID), Domain)
}

// RaftName is the name by which the gateways know the zone's voter.
func RaftName(zone string) string { return fmt.Sprintf("raft-%s.%s", Letter(zone), Domain) }

// EndpointSocket is where a zone's own clients of a cluster, its nodes first of all, find its balancer, whoever else may.
// runDir is the zone's.
func EndpointSocket(runDir, clusterID string) string {
	return filepath.Join(filepath.Dir(runDir), "endpoint-"+filepath.Base(runDir)+"-"+clusterID[:8]+".sock")
}

// APIServerSocket is where the API server of a cluster in a zone serves whoever the endpoint's balancer has let in.
// runDir is the zone's.
func APIServerSocket(runDir, clusterID string) string {
	return filepath.Join(runDir, "api-"+clusterID[:8]+".sock")
}

// NodesSocket is where a zone answers for the addresses of a cluster's nodes and their pods. runDir is the zone's.
func NodesSocket(runDir, clusterID string) string {
	return filepath.Join(runDir, "nodes-"+clusterID[:8]+".sock")
}

// ExtensionsSocket is where a zone serves the APIs that it adds to a cluster's, to the API server of its own zone and to other
// zones. runDir is the zone's.
func ExtensionsSocket(runDir, clusterID string) string {
	return filepath.Join(runDir, "ext-"+clusterID[:8]+".sock")
}

// ExtensionsName is the name by which other zones' gateways know that.
func ExtensionsName(zone, clusterID string) string {
	return fmt.Sprintf("extensions-%s.%s.%s", Letter(zone), strings.ToLower(clusterID), Domain)
}

// ExtensionsAddress is where API servers find what their own zone serves there: the endpoint of eks-extension-metrics-api on EKS, an
// address that leads somewhere from its control planes alone.
var ExtensionsAddress = netip.AddrPortFrom(netip.AddrFrom4([4]byte{172, 0, 32, 0}), 10443)

// BalancersSocket is where a zone's load-balancer nodes take clients over. runDir is the zone's.
func BalancersSocket(runDir string) string { return filepath.Join(runDir, "elb.sock") }

// GatewaySocket is where the zone's processes of a cluster find the gateway.
func (z Zone) GatewaySocket(clusterID string) string { return z.Socket("gateway-" + clusterID[:8]) }

// AuthenticatorSocket is where the zone's API server of a cluster asks who its clients are.
func (z Zone) AuthenticatorSocket(clusterID string) string { return z.Socket("authn-" + clusterID[:8]) }

// PodIdentitySocket is where that asks for the AWS identity of new pods.
func (z Zone) PodIdentitySocket(clusterID string) string { return z.Socket("podid-" + clusterID[:8]) }

// CredentialsSocket is where the cluster's controllers in the zone get AWS credentials of the cluster's role.
func (z Zone) CredentialsSocket(clusterID string) string { return z.Socket("role-" + clusterID[:8]) }
