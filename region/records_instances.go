package region

import (
	"time"

	"tripod/state"
)

// Instance is an EC2 instance: what it was launched with, and where it is in its life. What EC2's API shows of it
// beside this follows from it, or is kept by package awsapi/ec2 in tables of its own.
type Instance struct {
	ID            string `json:"id"`            // i-0123456789abcdef0
	ReservationID string `json:"reservationId"` // r-0123456789abcdef0
	LaunchIndex   int    `json:"launchIndex,omitzero"`
	ClientToken   string `json:"clientToken,omitempty"`
	// Requester is who had it launched for somebody: autoscaling.amazonaws.com, ec2fleet.amazonaws.com; empty: nobody.
	Requester string `json:"requester,omitempty"`

	State  InstanceState `json:"state"` // see instance_states.go
	Since  time.Time     `json:"since"` // of the state
	Reason StateReason   `json:"reason,omitzero"`
	// Launched is when it was launched, or started last.
	Launched time.Time `json:"launched"`
	// Impaired is since when the zone's machines answer nobody; zero: they do. Status checks fail then.
	Impaired time.Time `json:"impaired,omitzero"`

	Zone        string `json:"zone"` // us-east-1a
	SubnetID    string `json:"subnetId"`
	VPCID       string `json:"vpcId"`
	Address     string `json:"address"`            // the primary private IPv4 address; empty in an IPv6-only subnet
	PublicIP    string `json:"publicIp,omitempty"` // that the subnet gave it
	DNSName     string `json:"dnsName"`            // the private one: the node's name
	InterfaceID string `json:"interfaceId"`
	VolumeID    string `json:"volumeId"` // of the root device

	Launch InstanceLaunch `json:"launch"`
	// Spot is the interruption that a spot instance was told of.
	Spot *SpotInterruption `json:"spot,omitempty"`
	// Rebooted is when it was rebooted last since its launch or start; zero: never.
	Rebooted time.Time `json:"rebooted,omitzero"`
	// Rebalance is when it was told last that an interruption is likely; zero: it was not.
	Rebalance time.Time `json:"rebalance,omitzero"`
	// Group is the Auto Scaling group that it belongs to.
	Group string `json:"group,omitempty"`
	Boot  Boot   `json:"boot,omitzero"`
}

// InstanceLaunch is what an instance was launched with, its launch template's values among it.
type InstanceLaunch struct {
	Type     string   `json:"type"` // m5.large
	ImageID  string   `json:"imageId"`
	KeyName  string   `json:"keyName,omitempty"`
	UserData string   `json:"userData,omitempty"` // base64, as it was given
	Profile  string   `json:"profile,omitempty"`  // the instance profile's name
	Groups   []string `json:"groups,omitempty"`   // the ids of its security groups
	Spot     bool     `json:"spot,omitempty"`
	// TemplateID, TemplateName and TemplateVersion are the launch template's; empty: it was launched without.
	TemplateID      string `json:"templateId,omitempty"`
	TemplateName    string `json:"templateName,omitempty"`
	TemplateVersion string `json:"templateVersion,omitempty"` // its number
}

// StateReason says why an instance has its state, in EC2's words.
type StateReason struct {
	Code    string `json:"code"` // Client.UserInitiatedShutdown
	Message string `json:"message"`
}

// SpotInterruption is what EC2 tells a spot instance two minutes before it takes it back.
type SpotInterruption struct {
	Action string    `json:"action"` // terminate, stop or hibernate
	At     time.Time `json:"at"`     // when that happens
}

// Boot is what an instance made of its user data when it was started last. The zone's agent writes it.
type Boot struct {
	// At is when it looked at its user data; zero: it has not yet.
	At time.Time `json:"at,omitzero"`
	// ClusterID and Cluster are those of the cluster whose node it is to be; empty: it is nobody's.
	ClusterID string `json:"clusterId,omitempty"`
	Cluster   string `json:"cluster,omitempty"`
	// Version is its kubelet's: v1.36.3-eks-8fcc1ab.
	Version string `json:"version,omitempty"`
	// Joined is when its kubelet had registered; zero: it has not.
	Joined time.Time `json:"joined,omitzero"`
	// Trouble is why it has not, in the words of the instance's own log, since TroubledAt.
	Trouble    string    `json:"trouble,omitempty"`
	TroubledAt time.Time `json:"troubledAt,omitzero"`
	// Lines are what the boot said beside this, some tens at most.
	Lines []string `json:"lines,omitempty"`
}

// Capacity is what a zone has of an instance type, where somebody has set it: else there is no end of it.
type Capacity struct {
	Zone string `json:"zone"`
	// Type is an instance type, or empty: all together.
	Type string `json:"type,omitempty"`
	// Instances is how many there may be.
	Instances int `json:"instances"`
}

var (
	Instances  = state.NewTable[Instance]("instance")          // by ID
	Capacities = state.NewTable[Capacity]("instance-capacity") // by Zone/Type
)

// ZoneOutage says that a zone's machines answer nobody: its agent has been lost, or stopped. The zone itself deletes it
// when it is back.
type ZoneOutage struct {
	Zone  string    `json:"zone"`
	Since time.Time `json:"since"`
}

// ZoneOutages is by Zone.
var ZoneOutages = state.NewTable[ZoneOutage]("zone-outage")
