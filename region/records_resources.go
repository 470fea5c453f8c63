package region

import (
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/state"
)

// FargateProfile says which pods run on Fargate. It never changes.
type FargateProfile struct {
	ClusterID string `json:"clusterId"`
	types.FargateProfile
}

// Addon is an add-on as it was asked for: what a fresh cluster shows of it was put there before, and stays as it is.
type Addon struct {
	ClusterID string `json:"clusterId"`
	types.Addon
}

// Capability is an EKS capability as it was asked for: nothing of it runs.
type Capability struct {
	ClusterID string `json:"clusterId"`
	types.Capability
}

// The tables of what belongs to a cluster and has a status.
var (
	FargateProfiles = state.NewTable[FargateProfile]("fargate-profile") // by ClusterID/FargateProfileName
	Addons          = state.NewTable[Addon]("addon")                    // by ClusterID/AddonName
	Capabilities    = state.NewTable[Capability]("capability")          // by ClusterID/CapabilityName
)
