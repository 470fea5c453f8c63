package region

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/state"
)

// Nodegroup is a managed node group, in the words of EKS's model.
type Nodegroup struct {
	ClusterID string `json:"clusterId"`
	types.Nodegroup
	// Work is what EKS made for it and does to it. nil: it is of a time when node groups were only kept, and nothing acts
	// on it.
	Work *NodegroupWork `json:"work,omitempty"`
}

// NodegroupWork is what EKS made for a node group, and how far it is with what it does. Status says at what.
type NodegroupWork struct {
	// ID is the UUID in the names of all that EKS made for it: the launch template and the instance profile eks-ID, the
	// Auto Scaling group eks-NAME-ID.
	ID string `json:"id"`
	// Since is when the status began, and NotBefore when one that passes may end at the earliest; nil: as soon as the work
	// is done.
	Since     time.Time  `json:"since"`
	NotBefore *time.Time `json:"notBefore,omitempty"`
	// Template is EKS's own launch template, in the version that new instances have, and ImageID that version's AMI.
	Template TemplateRef `json:"template"`
	ImageID  string      `json:"imageId,omitempty"`
	// Types are the instance types that it may have: its own, or the launch template's.
	Types []string `json:"types,omitempty"`
	// Mapped says that the ConfigMap aws-auth had the node's role, in a cluster that knows nothing else.
	Mapped bool `json:"mapped,omitempty"`
	// Update is the update that is under way.
	Update *NodegroupUpdate `json:"update,omitempty"`
	// Draining has the instances whose nodes are being drained, by their ids, and Changes what nodes have still to be told.
	Draining map[string]Draining   `json:"draining,omitempty"`
	Changes  map[string]NodeChange `json:"changes,omitempty"`
}

// Draining is the drain of one node.
type Draining struct {
	Since time.Time `json:"since"`
	// Forced is since when its pods are deleted, whatever their disruption budgets say; zero: they are evicted.
	Forced time.Time `json:"forced,omitzero"`
	// Drained is when nothing was left on it; zero: something is.
	Drained time.Time `json:"drained,omitzero"`
}

// NodeChange is what an update changes of a node that there is already. What the user did to the node since then stays.
type NodeChange struct {
	Labels       map[string]string `json:"labels,omitempty"`
	RemoveLabels []string          `json:"removeLabels,omitempty"`
	Taints       []types.Taint     `json:"taints,omitempty"`
	RemoveTaints []types.Taint     `json:"removeTaints,omitempty"`
}

// NodegroupPhase is how far the update of a node group's version is, as "Managed node update behavior" of the EKS user
// guide has it.
type NodegroupPhase string

// The phases. A change of the configuration is in NodegroupChanging until nodes have it.
const (
	NodegroupChanging    NodegroupPhase = "changing"
	NodegroupSetup       NodegroupPhase = "setup"
	NodegroupScalingUp   NodegroupPhase = "scaling up"
	NodegroupUpgrading   NodegroupPhase = "upgrading"
	NodegroupScalingDown NodegroupPhase = "scaling down"
	NodegroupGoingBack   NodegroupPhase = "going back"
)

// NodegroupUpdate is an update of a node group that is under way.
type NodegroupUpdate struct {
	ID    string         `json:"id"` // of the Update
	Phase NodegroupPhase `json:"phase"`
	Since time.Time      `json:"since"` // of the phase
	Force bool           `json:"force,omitempty"`

	// What the node group has once it has succeeded.
	Version        string                             `json:"version,omitempty"`
	ReleaseVersion string                             `json:"releaseVersion,omitempty"`
	LaunchTemplate *types.LaunchTemplateSpecification `json:"launchTemplate,omitempty"`

	// Before and ImageBefore are the launch template's version and AMI to go back to.
	Before      TemplateRef `json:"before,omitzero"`
	ImageBefore string      `json:"imageBefore,omitempty"`
	// Old are the ids of the instances that are to be replaced, and Surge is how much larger the Auto Scaling group is at
	// present than before.
	Old   []string `json:"old,omitempty"`
	Surge int      `json:"surge,omitempty"`
	// Failure is why it goes back; nil: it does not.
	Failure *UpdateError `json:"failure,omitempty"`
}

// Nodegroups are by ClusterID/NodegroupName.
var Nodegroups = state.NewTable[Nodegroup]("nodegroup")
