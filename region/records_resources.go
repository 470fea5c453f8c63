package region

import (
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/state"
)

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
	Addons       = state.NewTable[Addon]("addon")           // by ClusterID/AddonName
	Capabilities = state.NewTable[Capability]("capability") // by ClusterID/CapabilityName
)
