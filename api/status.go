// Package api is what crosses a region's control socket, and what programs read of a region: its status, its events,
// and the questions and orders that it takes. Package client sends and receives it. It imports nothing of Tripod's.
package api

import "time"

// Phase of a region.
const (
	PhaseStarting = "starting" // some zone is not ready for the first time yet
	PhaseReady    = "ready"    // all zones serve
	PhaseDegraded = "degraded" // a zone or an instance is not well, and there is quorum
	PhaseNoQuorum = "noQuorum" // fewer than two of a cluster's etcd members, or of the regional state's voters, agree
	PhaseAsleep   = "asleep"   // all zones' processes are stopped until somebody speaks with the region
	PhaseStopping = "stopping"
)

// State of a zone or an instance.
const (
	StateStarting = "starting"
	StateReady    = "ready"
	StateUnready  = "unready" // runs, but fails its health check
	StatePaused   = "paused"  // SIGSTOP
	StateStopped  = "stopped" // by the verb stop
	StateKilled   = "killed"  // a zone that died or was killed, and waits for start or reset
	StateFailed   = "failed"  // an instance that died and is being started again after a pause
)

// FaultOfUpdate is the fault of an update that will fail.
const FaultOfUpdate = "to fail"

// Status is what `tripod status -o json` prints.
type Status struct {
	Schema      int        `json:"schema"` // 1
	Phase       string     `json:"phase"`
	Region      string     `json:"region"`
	AccountID   string     `json:"accountId"`
	DataDir     string     `json:"dataDir"`
	PID         int        `json:"pid"` // of `tripod up`
	StartedAt   time.Time  `json:"startedAt"`
	AsleepSince *time.Time `json:"asleepSince,omitempty"` // while the phase is asleep
	// proportional set size of all processes; resident where the system has no PSS
	MemoryBytes int64  `json:"memoryBytes"`
	AWSEndpoint string `json:"awsEndpoint"` // http://127.0.0.1:4566
	// ControlAddress is where the control API is served beside its socket, 127.0.0.1:4580; empty: nowhere.
	ControlAddress string     `json:"controlAddress,omitempty"`
	Zones          []Zone     `json:"zones"`
	State          State      `json:"state"`
	Clusters       []Cluster  `json:"clusters"`
	Balancers      []Balancer `json:"balancers"`
	// LoadBalancers are those of Elastic Load Balancing.
	LoadBalancers []LoadBalancer `json:"loadBalancers"`
	Faults        []Fault        `json:"faults"`
	Machine       Machine        `json:"machine"`
}

// LoadBalancer is a load balancer of Elastic Load Balancing.
type LoadBalancer struct {
	Name      string             `json:"name"`
	ARN       string             `json:"arn"`
	Type      string             `json:"type"`   // application, network, gateway or classic
	Scheme    string             `json:"scheme"` // internet-facing or internal
	State     string             `json:"state"`  // provisioning, active, active_impaired or failed
	DNSName   string             `json:"dnsName"`
	Zones     []string           `json:"zones"` // those that it has a node in
	Listeners []BalancerListener `json:"listeners"`
	// Healthy of Targets get traffic; those that drain do not count.
	Healthy int `json:"healthyTargets"`
	Targets int `json:"targets"`
}

// BalancerListener is a port of a load balancer, and where it is on this machine.
type BalancerListener struct {
	Protocol string `json:"protocol"` // HTTP, HTTPS, TCP, TLS, SSL, UDP, ...
	Port     int    `json:"port"`
	// Address is where connections are taken: 127.0.0.1 and the port itself, or another one where that is not free. URL
	// leads there by the load balancer's name; of other protocols than HTTP and HTTPS it is HOST:PORT. Both are empty where
	// Trouble says why there is none.
	Address string `json:"address,omitempty"`
	URL     string `json:"url,omitempty"`
	Trouble string `json:"trouble,omitempty"`
}

// Machine is the one that the region runs on: how much of the last ten seconds, in percent, some process waited for a
// processor, the disk or memory. A value is -1 where the system does not tell.
type Machine struct {
	ProcessorPressure float64 `json:"processorPressure"`
	DiskPressure      float64 `json:"diskPressure"`
	MemoryPressure    float64 `json:"memoryPressure"`
	// Trouble names what is so high that things are late for that alone: "processor pressure 90 %". It is empty while all
	// is well.
	Trouble string `json:"trouble,omitempty"`
}

// Zone is one availability zone.
type Zone struct {
	Name        string     `json:"name"` // us-east-1a
	ID          string     `json:"id"`   // use1-az1
	State       string     `json:"state"`
	Reason      string     `json:"reason,omitempty"` // one sentence when the state is not ready
	PID         int        `json:"pid,omitempty"`    // of the zone's agent, the leader of its process group
	StartedAt   *time.Time `json:"startedAt,omitempty"`
	MemoryBytes int64      `json:"memoryBytes,omitempty"` // all processes of the zone
	Instances   []Instance `json:"instances"`
}

// Instance is one process of a zone: an etcd member, an API server, or the controllers of a cluster.
type Instance struct {
	Target      string     `json:"target"`    // apiserver/a
	Component   string     `json:"component"` // etcd, apiserver, controllers
	Cluster     string     `json:"cluster"`   // the cluster's name
	State       string     `json:"state"`
	Reason      string     `json:"reason,omitempty"`
	PID         int        `json:"pid,omitempty"`
	StartedAt   *time.Time `json:"startedAt,omitempty"`
	MemoryBytes int64      `json:"memoryBytes,omitempty"`
	Restarts    int        `json:"restarts"`
	// FaultSince is when it was paused or stopped, while it is.
	FaultSince *time.Time `json:"faultSince,omitempty"`
	// Leads names what this instance leads: "etcd", "kube-controller-manager", "kube-scheduler".
	Leads []string `json:"leads,omitempty"`
}

// State is the regional state's raft group.
type State struct {
	Leader string `json:"leader,omitempty"` // a zone's name
	Quorum bool   `json:"quorum"`
	Voters int    `json:"voters"` // alive
}

// Cluster is one EKS cluster.
type Cluster struct {
	Name        string `json:"name"`
	ID          string `json:"id"`
	Version     string `json:"version"`
	Status      string `json:"status"`
	Endpoint    string `json:"endpoint"`                  // the public one, which is there also when it admits nobody
	Private     string `json:"privateEndpoint,omitempty"` // while private access is on
	Trouble     string `json:"trouble,omitempty"`         // why the endpoint is not open though it should be
	EtcdLeader  string `json:"etcdLeader,omitempty"`      // a zone's name, as the next two
	Quorum      bool   `json:"quorum"`
	EtcdMembers int    `json:"etcdMembers"` // alive
	Controllers string `json:"controllersLeader,omitempty"`
	Scheduler   string `json:"schedulerLeader,omitempty"`
	// CronJobs are the cluster's, where the caller asked for them; CronJobsTrouble is a sentence that says why they are not known.
	CronJobs        []CronJob `json:"cronJobs,omitempty"`
	CronJobsTrouble string    `json:"cronJobsTrouble,omitempty"`
	// Stages are there until the creation is complete in every zone, which may be a little after the cluster is ACTIVE.
	Stages []Stage `json:"stages,omitempty"`
}

// Stage is one of the things that a cluster's creation makes in every zone.
type Stage struct {
	// network interfaces, etcd members, API servers, IAM authenticators, controllers, balancer targets
	Name string `json:"name"`
	Done int    `json:"done"` // zones that have it
	Of   int    `json:"of"`
}

// Balancer is a load-balanced endpoint.
type Balancer struct {
	Name    string           `json:"name"`    // "aws", or the cluster's name
	Address string           `json:"address"` // 127.0.0.1:4566
	Targets []BalancerTarget `json:"targets"`
}

// BalancerTarget is one zone behind a balancer.
type BalancerTarget struct {
	Zone        string `json:"zone"`
	Address     string `json:"address"`
	Healthy     bool   `json:"healthy"`
	Reason      string `json:"reason,omitempty"` // why it is not healthy
	Connections int    `json:"connections"`      // open now
	Total       uint64 `json:"total"`            // since the region started
}

// Fault is something that a person or a program did to the region and that `reset` undoes.
type Fault struct {
	Target string    `json:"target"` // az/us-east-1b, etcd/a, pod/default/web-0
	Fault  string    `json:"fault"`  // killed, paused, stopped; of RecordFaults what was asked for: crash-loop
	Since  time.Time `json:"since"`
	// Cluster is the name of the one that the target belongs to; empty: it belongs to none.
	Cluster string `json:"cluster,omitempty"`
	// Until is when it ends by itself, if it does.
	Until *time.Time `json:"until,omitempty"`
	// Final says that `reset` cannot undo it, as nobody can in AWS.
	Final bool `json:"final,omitempty"`
}
