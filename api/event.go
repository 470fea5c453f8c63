package api

import "time"

// Event is one line of `tripod events -o json`.
type Event struct {
	Seq     uint64    `json:"seq"` // rises by one over the life of the data directory
	Time    time.Time `json:"time"`
	Zone    string    `json:"zone,omitempty"`
	Cluster string    `json:"cluster,omitempty"`
	Target  string    `json:"target,omitempty"` // apiserver/a, az/us-east-1b, ...
	Type    EventType `json:"type"`
	Message string    `json:"message"` // one sentence for people
}

// EventType is a word for programs: what kind of thing happened.
type EventType string

// The region.
const (
	RegionReady    EventType = "RegionReady"
	RegionAsleep   EventType = "RegionAsleep"
	RegionAwake    EventType = "RegionAwake"
	RegionStopping EventType = "RegionStopping"
	RegionStopped  EventType = "RegionStopped"
	QuorumLost     EventType = "QuorumLost"
	QuorumRestored EventType = "QuorumRestored"
	SnapshotSaved  EventType = "SnapshotSaved"
)

// Faults: what people do to a target, and what they take back.
const (
	FaultInjected EventType = "FaultInjected"
	FaultCleared  EventType = "FaultCleared"
)

// Zones.
const (
	ZoneStarted EventType = "ZoneStarted"
	ZoneLost    EventType = "ZoneLost"
	ZonePaused  EventType = "ZonePaused"
	ZoneResumed EventType = "ZoneResumed"
	ZoneFailed  EventType = "ZoneFailed" // it could not be started again
	VoterDown   EventType = "VoterDown"  // its part of the regional state does not run, as its disk fails
	VoterBack   EventType = "VoterBack"
)

// Instances: the processes of a zone.
const (
	InstanceStarted EventType = "InstanceStarted"
	InstanceReady   EventType = "InstanceReady"
	InstanceUnready EventType = "InstanceUnready" // it runs, and cannot do its work
	InstanceExited  EventType = "InstanceExited"
	InstancePaused  EventType = "InstancePaused"
	InstanceResumed EventType = "InstanceResumed"
	LeaderChanged   EventType = "LeaderChanged"
	EtcdRepair      EventType = "EtcdRepair" // a step of the replacement of an etcd member whose data is damaged
)

// Balancers and endpoints.
const (
	TargetHealthy    EventType = "TargetHealthy"
	TargetUnhealthy  EventType = "TargetUnhealthy"
	EndpointOpened   EventType = "EndpointOpened"
	EndpointFailed   EventType = "EndpointFailed"
	EndpointRefused  EventType = "EndpointRefused"
	LocalPortRefused EventType = "LocalPortRefused"
	// A security group, a network ACL, a route table or a NetworkPolicy does not let a connection pass.
	ConnectionFiltered EventType = "ConnectionFiltered"
	// A port of a load balancer of Elastic Load Balancing answers on this machine, or cannot.
	LoadBalancerOpened EventType = "LoadBalancerOpened"
	LoadBalancerFailed EventType = "LoadBalancerFailed"
)

// Clusters. An update that ends has a type of two words of EKS's: its own type and its status, such as
// VersionUpdateSuccessful.
const (
	ClusterStage       EventType = "ClusterStage"
	ClusterActive      EventType = "ClusterActive"
	ClusterFailed      EventType = "ClusterFailed"
	ClusterDeleted     EventType = "ClusterDeleted"
	AddonsInstalled    EventType = "AddonsInstalled"
	ControlPlaneUpdate EventType = "ControlPlaneUpdate"
	ZonalShift         EventType = "ZonalShift"
	ZonalShiftEnded    EventType = "ZonalShiftEnded"
)
