// Package plan is what the region tells a zone's agent before it starts, and the addresses that follow from that:
// ports, subnets, names and sockets.
package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tripod/internal/diskfault"
	"tripod/internal/link"
	"tripod/internal/options"
	"tripod/internal/ports"
)

// Zone is what the region tells a zone's agent: a JSON file, made anew at every start.
type Zone struct {
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
	// Links are the faults of the zone's links to others, at its start.
	Links link.Settings `json:"links"`
	// Disk is what is wrong with the zone's disk, at its start.
	Disk diskfault.Settings `json:"disk"`
	// Peers are all zones of the region in their order, this one too.
	Peers []Peer `json:"peers"`
	// GatewayPort is where the zone's etcd members find the gateway, as HTTPS_PROXY, with GatewaySecret as password.
	GatewayPort   int    `json:"gatewayPort"`
	GatewaySecret string `json:"gatewaySecret"`
	// PKI holds ca, zone, front and region-ca: the zones' authority, this zone's pair, the AWS endpoint's and the
	// authority of that.
	PKI string `json:"pki"`
}

// Peer is one zone as the others see it.
type Peer struct {
	Zone     string `json:"zone"`     // us-east-1a
	ID       string `json:"id"`       // use1-az1
	RaftPort int    `json:"raftPort"` // on 127.0.0.1
	RunDir   string `json:"runDir"`   // its sockets
}

// Index is the place of the zone among its peers.
func (z Zone) Index() int {
	for i, peer := range z.Peers {
		if peer.Zone == z.Zone {
			return i
		}
	}
	panic("zone " + z.Zone + " is not among its own peers") // the region wrote a wrong file
}

// RaftHeartbeat is how long a leader of the regional state is waited for that is silent and not known to be gone. Few
// writes come, and reads need no leader: two seconds without one are cheaper than heartbeats, a tenth of it apart, of
// an idle region, and than one that is lost on a busy machine.
func (z Zone) RaftHeartbeat() time.Duration {
	if z.FastTimers {
		return 800 * time.Millisecond
	}
	return 2 * time.Second
}

// RunDir holds the sockets of the zone.
func (z Zone) RunDir() string { return z.Peers[z.Index()].RunDir }

// Socket is where a part of the zone with that name listens.
func (z Zone) Socket(name string) string { return filepath.Join(z.RunDir(), name+".sock") }

// Read reads the file that the region has written.
func Read(file string) (Zone, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Zone{}, err
	}
	var zone Zone
	if err := json.Unmarshal(text, &zone); err != nil {
		return Zone{}, fmt.Errorf("%s: %w", file, err)
	}
	return zone, nil
}

// ErrLocalPort is why a pod may not lead to a port of this machine.
var ErrLocalPort = errors.New("may not be led to by pods")

// LocalPort says why a pod may not lead to that port of this machine; nil where it may. The operator says which ones:
// whoever may create pods would reach every service of the machine otherwise. The region's own ports are never among
// them.
func (z Zone) LocalPort(port int) error {
	switch {
	case z.OwnPorts.Contain(port):
		return fmt.Errorf("port %d of this machine, one of the region's own, %w", port, ErrLocalPort)
	case !z.LocalPorts.Contain(port):
		return fmt.Errorf("port %d of this machine %w: start the region with 'tripod up --local-ports %d' to allow it",
			port, ErrLocalPort, port)
	}
	return nil
}
