package region

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/nodes/object"
	"tripod/state"
)

// FargateProfile says which pods run on Fargate. What it says never changes, but for its tags.
type FargateProfile struct {
	ClusterID string `json:"clusterId"`
	types.FargateProfile
	// NotBefore is until when its status lasts at least, if that is one that passes.
	NotBefore *time.Time `json:"notBefore,omitempty"`
	// Mapped says that EKS has written its role into aws-auth, where the cluster has no access entries.
	Mapped bool `json:"mapped,omitempty"`
}

// FargateProfiles are by ClusterID/FargateProfileName.
var FargateProfiles = state.NewTable[FargateProfile]("fargate-profile")

// FargateMachine is what a pod on Fargate runs on: a node for this pod alone. It is no instance that EC2 shows, but its
// interface is one.
type FargateMachine struct {
	ClusterID string `json:"clusterId"`
	Name      string `json:"name"` // of the node: fargate-ip-10-0-0-9.ec2.internal
	TaskID    string `json:"taskId"`
	Profile   string `json:"profile"`
	RoleARN   string `json:"roleArn"` // the profile's, by which its kubelet signs in
	// Namespace, Pod and PodUID are the pod's, and OwnerUID its controller's.
	Namespace string             `json:"namespace"`
	Pod       string             `json:"pod"`
	PodUID    string             `json:"podUid"`
	OwnerUID  string             `json:"ownerUid,omitempty"`
	Size      object.FargateSize `json:"size"`

	Zone        string `json:"zone"`
	SubnetID    string `json:"subnetId"`
	VPCID       string `json:"vpcId"`
	Address     string `json:"address"`
	InterfaceID string `json:"interfaceId"`

	Version  string    `json:"version"` // of its kubelet
	Launched time.Time `json:"launched"`
	// Starts is when its kubelet starts.
	Starts time.Time `json:"starts"`
	// Logging is the configuration of its log router: what the ConfigMap aws-logging had when its pod was bound. nil: it has none.
	Logging map[string]string `json:"logging,omitempty"`
	// Trouble is why the kubelet could not register, in its own words; empty: it could, or has not tried.
	Trouble string `json:"trouble,omitempty"`
}

// FargateMachines are by ClusterID/Name.
var FargateMachines = state.NewTable[FargateMachine]("fargate-machine")

// InstanceID is what its node's provider ID has behind the zone.
func (m FargateMachine) InstanceID() string { return m.TaskID + "/" + m.Name }
