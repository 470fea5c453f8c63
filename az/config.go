// Package az is one availability zone: its agent, its gateway, and the instances that its clusters have there.
package az

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"tripod/api"
	"tripod/apiserver/launch"
	"tripod/etcdcluster"
	"tripod/internal/loss"
	"tripod/internal/options"
	"tripod/internal/ports"
	"tripod/region"
)

// Config is what the region tells a zone's agent: a JSON file, made anew at every start.
type Config struct {
	Region     string `json:"region"` // us-east-1
	AccountID  string `json:"accountId"`
	Zone       string `json:"zone"` // us-east-1a
	Dir        string `json:"dir"`  // the zone's disk
	Executable string `json:"executable"`
	AWSPort    int    `json:"awsPort"` // of the AWS endpoint, which is the balancer's
	// ClusterPorts is the first port for clusters, and MostClusters for how many there are ports.
	ClusterPorts int `json:"clusterPorts"`
	MostClusters int `json:"mostClusters"`
	options.Agent
	// OwnPorts are the ports of this machine that are the region's: no pod may lead there.
	OwnPorts ports.Ranges `json:"ownPorts,omitempty"`
	// Peers are all zones of the region in their order, this one too.
	Peers []Peer `json:"peers"`
	// GatewayPort is where the zone's etcd members find the gateway, as HTTPS_PROXY, with GatewaySecret as password.
	GatewayPort   int    `json:"gatewayPort"`
	GatewaySecret string `json:"gatewaySecret"`
	// PKI holds ca, zone, front and region-ca: the zones' authority, this zone's pair, the AWS endpoint's and the authority of that.
	PKI string `json:"pki"`
}

// Peer is one zone as the others see it.
type Peer struct {
	Zone     string `json:"zone"`     // us-east-1a
	ID       string `json:"id"`       // use1-az1
	RaftPort int    `json:"raftPort"` // on 127.0.0.1
	RunDir   string `json:"runDir"`   // its sockets
}

// Report is what an agent tells the region, one JSON line a time: something that happened, how things stand, or what was lost.
type Report struct {
	Event *api.Event `json:"event,omitempty"`
	State *State     `json:"state,omitempty"`
	// Loss is of one of the zone's processes: the region tells all zones.
	Loss *loss.Loss `json:"loss,omitempty"`
}

// State of a zone as its agent knows it.
type State struct {
	// Seq rises with every state of an agent's life: they come by two ways, and a newer one counts.
	Seq        uint64         `json:"seq"`
	Serving    bool           `json:"serving"` // the AWS front and the control socket answer
	RaftLeader string         `json:"raftLeader,omitempty"`
	Instances  []api.Instance `json:"instances"`
	// Parts are the clusters, by id, whose part in this zone has its network interface and its IAM authenticator.
	Parts []string `json:"parts,omitempty"`
	// Clusters are those of the zone's copy of the regional state, and Index says how new that is: a higher one is of a newer copy.
	Clusters []ClusterState `json:"clusters"`
	Index    uint64         `json:"index"`
}

// ClusterState is a cluster's record without its secrets.
type ClusterState struct {
	Name         string `json:"name"`
	ID           string `json:"id"`
	Version      string `json:"version"`
	Status       string `json:"status"`
	EndpointPort int    `json:"endpointPort"`
	CACert       string `json:"caCert"` // of all authorities that are trusted
	// FaultedAt is when somebody asked for the next update to fail.
	FaultedAt *time.Time `json:"faultedAt,omitempty"`
	// Access says who may reach the endpoint, and Trouble is what the record says of it.
	Access  region.EndpointAccess `json:"access"`
	Trouble string                `json:"trouble,omitempty"`
	// NotBefore is when the status may end at the earliest.
	NotBefore *time.Time `json:"notBefore,omitempty"`
}

// Letter is what tells the zone from the others of its region: the "a" of us-east-1a.
func Letter(zone string) string { return zone[len(zone)-1:] }

func (c Config) index() int {
	for i, peer := range c.Peers {
		if peer.Zone == c.Zone {
			return i
		}
	}
	panic("zone " + c.Zone + " is not among its own peers") // the region wrote a wrong file
}

func (c Config) etcdTimers() etcdcluster.Timers {
	if c.FastTimers {
		return etcdcluster.FastTimers
	}
	return etcdcluster.CalmTimers
}

// raftHeartbeat is how long a leader of the regional state is waited for that is silent and not known to be gone. Few writes come, and reads need no
// leader: two seconds without one are cheaper than heartbeats, a tenth of it apart, of an idle region, and than one that is lost on a busy machine.
func (c Config) raftHeartbeat() time.Duration {
	if c.FastTimers {
		return 800 * time.Millisecond
	}
	return 2 * time.Second
}

func (c Config) leases() launch.LeaseTiming {
	if c.FastTimers {
		return launch.FastLeases
	}
	return launch.CalmLeases
}

func (c Config) runDir() string { return c.Peers[c.index()].RunDir }

func (c Config) socket(name string) string { return filepath.Join(c.runDir(), name+".sock") }

// instanceSocket is where an instance's process serves its own metrics, and is told of losses; the id is shortened, as the path of a socket may
// not be long.
func (c Config) instanceSocket(i *instance) string {
	return c.socket(i.component + "-" + i.clusterID[:8])
}

// ControlSocket is where an agent takes orders.
func ControlSocket(runDir string) string { return filepath.Join(runDir, "agent.sock") }

// FrontSocket is where a zone's AWS front listens.
func FrontSocket(runDir string) string { return filepath.Join(runDir, "aws.sock") }

// Subnet is the private subnet of the i-th zone in a cluster's VPC, 10.0.0.0/16: nodes and pods live there.
func Subnet(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(32 * i), 0}), 19)
}

// Interface is the address of the i-th zone's control-plane network interface: AWS keeps a subnet's first four for itself.
func Interface(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 0, byte(32 * i), 10})
}

// PortsPerCluster is how many contiguous loopback ports a cluster has: its endpoint, and behind it, a zone each, API servers, etcd's clients and etcd's
// peers.
const PortsPerCluster = 10

// portsFree says whether a cluster can have the ports from first on: between two clusters another program may have taken one.
func portsFree(first int) bool {
	for port := first; port < first+PortsPerCluster; port++ {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false
		}
		listener.Close()
	}
	return true
}

func apiServerPort(endpoint, zone int) int  { return endpoint + 1 + zone }
func etcdClientPort(endpoint, zone int) int { return endpoint + 4 + zone }
func etcdPeerPort(endpoint, zone int) int   { return endpoint + 7 + zone }

// APIServerAddress is the loopback address of the API server of the i-th zone of the cluster with that endpoint port, for the region's own components: others come in
// by APIServerSocket, behind the endpoint.
func APIServerAddress(endpoint, zone int) string {
	return fmt.Sprintf("127.0.0.1:%d", apiServerPort(endpoint, zone))
}

// domain is the DNS suffix of what the gateways route. It resolves nowhere, by ICANN's reservation of ".internal".
const domain = "tripod.internal"

func etcdName(zone, clusterID string) string {
	return fmt.Sprintf("etcd-%s.%s.%s", Letter(zone), strings.ToLower(clusterID), domain)
}

func raftName(zone string) string { return fmt.Sprintf("raft-%s.%s", Letter(zone), domain) }
