package region

import (
	"time"

	"tripod/state"
)

// AutoScalingGroup is what an Auto Scaling group is to be. Its instances are those whose Group is its name; where each
// is in its life in the group says GroupMember.
type AutoScalingGroup struct {
	Name      string    `json:"name"`
	ARN       string    `json:"arn"`
	CreatedAt time.Time `json:"createdAt"`

	Min     int `json:"min"`
	Max     int `json:"max"`
	Desired int `json:"desired"`

	// Subnets are the ids of those in which its instances are; Zones are their zones.
	Subnets []string `json:"subnets,omitempty"`
	Zones   []string `json:"zones,omitempty"`

	// Template is what it launches by; nil: Configuration, a launch configuration's name, or Mixed has it.
	Template      *TemplateRef    `json:"template,omitempty"`
	Configuration string          `json:"configuration,omitempty"`
	Mixed         *MixedInstances `json:"mixed,omitempty"`

	CapacityRebalance   bool     `json:"capacityRebalance,omitempty"`
	Cooldown            int      `json:"cooldown"`         // seconds
	HealthCheckType     string   `json:"healthCheckType"`  // EC2
	HealthCheckGrace    int      `json:"healthCheckGrace"` // seconds
	TerminationPolicies []string `json:"terminationPolicies,omitempty"`
	ProtectNew          bool     `json:"protectNew,omitempty"`
	// LinkedRole is the ARN of its service-linked role.
	LinkedRole string `json:"linkedRole,omitempty"`

	Tags      []GroupTag         `json:"tags,omitempty"`
	Suspended []SuspendedProcess `json:"suspended,omitempty"`
	Hooks     []LifecycleHook    `json:"hooks,omitempty"`

	// DeletedAt is when its deletion began: it goes with its last instance.
	DeletedAt *time.Time `json:"deletedAt,omitempty"`
}

// TemplateRef names a launch template and a version of it.
type TemplateRef struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Version string `json:"version"` // a number, $Latest or $Default
}

// MixedInstances is a group's mixed instances policy.
type MixedInstances struct {
	Template  TemplateRef        `json:"template"`
	Overrides []InstanceOverride `json:"overrides,omitempty"`

	OnDemandStrategy   string `json:"onDemandStrategy"` // prioritized or lowest-price
	OnDemandBase       int    `json:"onDemandBase"`
	OnDemandPercentage int    `json:"onDemandPercentage"` // of what is above the base
	SpotStrategy       string `json:"spotStrategy"`
	SpotPools          int    `json:"spotPools,omitzero"`
	SpotMaxPrice       string `json:"spotMaxPrice,omitempty"`
}

// InstanceOverride is one of the instance types that a mixed group may have.
type InstanceOverride struct {
	Type     string       `json:"type"`
	Weight   int          `json:"weight,omitzero"` // 0: no weights are used
	Template *TemplateRef `json:"template,omitempty"`
}

// GroupTag is a group's tag, which its new instances get too where it says so.
type GroupTag struct {
	Key       string `json:"key"`
	Value     string `json:"value"`
	Propagate bool   `json:"propagate,omitempty"`
}

// SuspendedProcess is one of a group's processes that is not to run.
type SuspendedProcess struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// LifecycleHook keeps a group's instances waiting, at their launch or before their end.
type LifecycleHook struct {
	Name             string `json:"name"`
	Transition       string `json:"transition"`       // autoscaling:EC2_INSTANCE_LAUNCHING or _TERMINATING
	HeartbeatTimeout int    `json:"heartbeatTimeout"` // seconds
	GlobalTimeout    int    `json:"globalTimeout"`    // seconds
	DefaultResult    string `json:"defaultResult"`    // CONTINUE or ABANDON
	NotificationARN  string `json:"notificationArn,omitempty"`
	Role             string `json:"role,omitempty"`
	Metadata         string `json:"metadata,omitempty"`
}

// GroupMember is an instance as its Auto Scaling group sees it.
type GroupMember struct {
	InstanceID string    `json:"instanceId"`
	Group      string    `json:"group"`
	State      string    `json:"state"` // InService, Terminating:Wait, ...: LifecycleState of the API
	Since      time.Time `json:"since"`
	Unhealthy  bool      `json:"unhealthy,omitempty"`
	Protected  bool      `json:"protected,omitempty"` // from scaling in
	// Token is that of the lifecycle action under way, which ends by itself at Deadline.
	Token    string    `json:"token,omitempty"`
	Deadline time.Time `json:"deadline,omitzero"`
}

var (
	AutoScalingGroups = state.NewTable[AutoScalingGroup]("auto-scaling-group") // by Name
	GroupMembers      = state.NewTable[GroupMember]("auto-scaling-member")     // by Group/InstanceID
)
