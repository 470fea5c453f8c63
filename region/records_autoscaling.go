package region

import (
	"encoding/json"
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

	GroupOptions
	GroupProgress
}

// GroupOptions are a group's settings that most groups leave out.
type GroupOptions struct {
	PlacementGroup      string `json:"placementGroup,omitempty"`
	MaxInstanceLifetime int    `json:"maxInstanceLifetime,omitempty"` // seconds; 0: for ever
	Context             string `json:"context,omitempty"`
	DesiredCapacityType string `json:"desiredCapacityType,omitempty"`
	// DefaultWarmup is how many seconds a new instance takes to be of use; nil: no such time is set.
	DefaultWarmup *int `json:"defaultWarmup,omitempty"`
	// Maintenance bounds how many instances there may be while some are replaced, in percent of the desired capacity.
	Maintenance *MaintenancePolicy `json:"maintenance,omitempty"`
	// ZoneDistribution is balanced-best-effort, which empty means too, or balanced-only.
	ZoneDistribution string `json:"zoneDistribution,omitempty"`
	// ZoneImpairment says what the group does in a zonal shift; nil: nothing.
	ZoneImpairment *ZoneImpairmentPolicy `json:"zoneImpairment,omitempty"`
	// Reservations and the two after it are recorded and shown, in the API's form.
	Reservations       *ReservationPreference `json:"reservations,omitempty"`
	DeletionProtection string                 `json:"deletionProtection,omitempty"` // none, prevent-force-deletion, ...
	RetainAbandoned    string                 `json:"retainAbandoned,omitempty"`    // retain or terminate

	// LoadBalancers (names), TargetGroups (ARNs) and TrafficSources are those that it is attached to.
	LoadBalancers  []string        `json:"loadBalancers,omitempty"`
	TargetGroups   []string        `json:"targetGroups,omitempty"`
	TrafficSources []TrafficSource `json:"trafficSources,omitempty"`
	// Attachments are how far the attachment of each of those is, and of those that are being detached.
	Attachments []Attachment `json:"attachments,omitempty"`
	// Metrics are the names of the group metrics that are on.
	Metrics  []string  `json:"metrics,omitempty"`
	WarmPool *WarmPool `json:"warmPool,omitempty"`
}

// GroupProgress is what a group remembers of its scaling.
type GroupProgress struct {
	// Asked says who changed the desired capacity last, as the causes of the activities that follow begin: the group
	// has not come to rest since.
	Asked string `json:"asked,omitempty"`
	// ScaledAt is when a policy or the clock scaled it last, and CooledAt when policies may scale it again.
	ScaledAt time.Time `json:"scaledAt,omitzero"`
	CooledAt time.Time `json:"cooledAt,omitzero"`
	// Failures are the launches in a row that failed; it tries again at RetryAt.
	Failures int       `json:"failures,omitempty"`
	RetryAt  time.Time `json:"retryAt,omitzero"`
	// Unreplaced are members that went for their health, and for which nothing has been launched yet.
	Unreplaced int `json:"unreplaced,omitempty"`
	// BalanceFailures and BalanceAt are Failures and RetryAt of launches that are to balance its zones.
	BalanceFailures int       `json:"balanceFailures,omitempty"`
	BalanceAt       time.Time `json:"balanceAt,omitzero"`
}

// MaintenancePolicy is in percent of the desired capacity; -1: no such bound.
type MaintenancePolicy struct {
	MinHealthy int `json:"minHealthy"`
	MaxHealthy int `json:"maxHealthy"`
}

// ZoneImpairmentPolicy is what a group does while traffic is shifted away from one of its zones.
type ZoneImpairmentPolicy struct {
	ZonalShift bool `json:"zonalShift"`
	// Behavior is that of unhealthy instances there: ReplaceUnhealthy or IgnoreUnhealthy.
	Behavior string `json:"behavior,omitempty"`
}

// ReservationPreference is which capacity reservations a group uses.
type ReservationPreference struct {
	Preference string   `json:"preference,omitempty"`
	IDs        []string `json:"ids,omitempty"`
	GroupARNs  []string `json:"groupArns,omitempty"`
}

// TrafficSource is what sends traffic to a group's instances.
type TrafficSource struct {
	Identifier string `json:"identifier"`
	Type       string `json:"type"` // elb, elbv2 or vpc-lattice
}

// Attachment is how far a source of traffic is in being attached to a group. A source without one is being added, and one
// that is no source of the group's any more is being removed.
type Attachment struct {
	TrafficSource
	State string `json:"state"` // Added, or InService once its health checks count
}

// WarmPool is a group's warm pool, as it is to be: no instances are in it.
type WarmPool struct {
	MaxPrepared *int   `json:"maxPrepared,omitempty"`
	Min         int    `json:"min,omitempty"`
	State       string `json:"state"`           // Stopped, Running or Hibernated
	Reuse       *bool  `json:"reuse,omitempty"` // instances at scaling in
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
	SpotPools          int    `json:"spotPools,omitzero"` // 0: AWS's default, 2 with lowest-price
	SpotMaxPrice       string `json:"spotMaxPrice,omitempty"`
}

// InstanceOverride is one of the instance types that a mixed group may have, or the requirements that its types meet.
type InstanceOverride struct {
	Type     string       `json:"type"`
	Weight   int          `json:"weight,omitzero"` // 0: no weights are used
	Template *TemplateRef `json:"template,omitempty"`
	ImageID  string       `json:"imageId,omitempty"`
	// Requirements are InstanceRequirements in the API's form.
	Requirements json.RawMessage `json:"requirements,omitempty"`
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
	InstanceID string      `json:"instanceId"`
	Group      string      `json:"group"`
	State      MemberState `json:"state"` // see group_states.go
	Since      time.Time   `json:"since"`
	Unhealthy  bool        `json:"unhealthy,omitempty"`
	Protected  bool        `json:"protected,omitempty"` // from scaling in
	// Actions are the lifecycle actions under way.
	Actions []LifecycleAction `json:"actions,omitempty"`

	// JoinedAt is when it was launched or attached, ServesSince when it was in service first.
	JoinedAt    time.Time `json:"joinedAt"`
	ServesSince time.Time `json:"servesSince,omitzero"`
	Weight      int       `json:"weight,omitempty"` // of its type; 0: 1
	// Template is the launch template that it was launched by, its version a number; Configuration the launch
	// configuration's name. Both empty: it was attached.
	Template      *TemplateRef `json:"template,omitempty"`
	Configuration string       `json:"configuration,omitempty"`
	// Activity is the key of the scaling activity under way.
	Activity string `json:"activity,omitempty"`
	// Why is the health check that it failed, as causes tell it.
	Why string `json:"why,omitempty"`
	// Replacing says why another is launched before it goes: it does not count as capacity any more. Empty: it stays.
	Replacing Replacement `json:"replacing,omitempty"`
}

// Replacement is why a member that is in order is replaced.
type Replacement string

// The reasons for replacements.
const (
	ReplaceToBalance Replacement = "balance"  // its zone has more than others
	ReplaceSpot      Replacement = "spot"     // EC2 recommends it, or interrupts the instance
	ReplaceOld       Replacement = "lifetime" // it has lived for MaxInstanceLifetime
	ReplaceRefresh   Replacement = "refresh"  // an instance refresh
)

// LifecycleAction is a member's wait for a hook.
type LifecycleAction struct {
	Hook  string `json:"hook"`
	Token string `json:"token"` // a UUID
	// Deadline is when it ends by itself unless a heartbeat comes, Last when it does in any case.
	Deadline time.Time `json:"deadline"`
	Last     time.Time `json:"last"`
	// Timeout is what a heartbeat adds to the time, in seconds, and Default the result at the deadline.
	Timeout int    `json:"timeout"`
	Default string `json:"default"`
	// Result is CONTINUE or ABANDON; empty: none yet.
	Result string `json:"result,omitempty"`
}

// ScalingActivity is one launch or termination of a group.
type ScalingActivity struct {
	ID       string `json:"id"` // a UUID
	Group    string `json:"group"`
	GroupARN string `json:"groupArn"`
	// Instance is that which it is about; empty: none was launched.
	Instance    string    `json:"instance,omitempty"`
	Description string    `json:"description"`
	Cause       string    `json:"cause"`
	Status      string    `json:"status"` // StatusCode of the API: InProgress, Successful, Failed, Cancelled, ...
	Message     string    `json:"message,omitempty"`
	Start       time.Time `json:"start"`
	End         time.Time `json:"end,omitzero"`
	Progress    int       `json:"progress"` // percent
	Subnet      string    `json:"subnet,omitempty"`
	Zone        string    `json:"zone,omitempty"`
	// Code is EC2's error code of a launch that failed.
	Code string `json:"code,omitempty"`
}

var (
	AutoScalingGroups = state.NewTable[AutoScalingGroup]("auto-scaling-group") // by Name
	GroupMembers      = state.NewTable[GroupMember]("auto-scaling-member")     // by Group/InstanceID
	// ScalingActivities have the keys that ActivityKey makes: a group's are in the order of their starts.
	ScalingActivities = state.NewTable[ScalingActivity]("scaling-activity")
)
