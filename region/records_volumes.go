package region

import (
	"time"

	"tripod/state"
)

// Volume is an EBS volume that a call made, or that its instance has left. Those that instances were launched with are
// among their instances' details until then: see package awsapi/ec2.
type Volume struct {
	ID      string      `json:"id"`    // vol-0123456789abcdef0
	Zone    string      `json:"zone"`  // us-east-1a
	State   VolumeState `json:"state"` // see volume_states.go
	Created time.Time   `json:"created"`
	VolumeShape
	// Snapshot is the one that it was made of, Source the volume that it is a copy of.
	Snapshot  string `json:"snapshot,omitempty"`
	Source    string `json:"source,omitempty"`
	Encrypted bool   `json:"encrypted,omitempty"`
	Key       string `json:"key,omitempty"` // the KMS key's ARN
	// Token is the ClientToken of the call, and Asked says what that call asked for.
	Token string `json:"token,omitempty"`
	Asked string `json:"asked,omitempty"`
	// InitializationRate is in MiB a second; 0: none was asked for.
	InitializationRate int                `json:"initializationRate,omitzero"`
	AutoIO             bool               `json:"autoIo,omitempty"`
	Attachments        []VolumeAttachment `json:"attachments,omitempty"`
}

// VolumeShape is what ModifyVolume changes.
type VolumeShape struct {
	GiB         int    `json:"gib"`
	Type        string `json:"type"` // gp3
	IOPS        int    `json:"iops,omitzero"`
	Throughput  int    `json:"throughput,omitzero"` // MiB a second
	MultiAttach bool   `json:"multiAttach,omitempty"`
}

// VolumeAttachment is a volume's to an instance.
type VolumeAttachment struct {
	InstanceID string          `json:"instanceId"`
	Device     string          `json:"device"` // /dev/sdf
	State      AttachmentState `json:"state"`
	At         time.Time       `json:"at"`
	// Deletes says that the volume goes with the instance.
	Deletes bool `json:"deletes,omitempty"`
}

// VolumeModification is the last change that ModifyVolume made of a volume.
type VolumeModification struct {
	VolumeID string      `json:"volumeId"`
	From     VolumeShape `json:"from"`
	To       VolumeShape `json:"to"`
	At       time.Time   `json:"at"`
	// Earlier are the times of those before it, as far as they count for how often a volume may be changed.
	Earlier []time.Time `json:"earlier,omitempty"`
}

// Snapshot is what a volume held at a time. It is in the region, not in a zone.
type Snapshot struct {
	ID          string        `json:"id"` // snap-0123456789abcdef0
	State       SnapshotState `json:"state"`
	Description string        `json:"description,omitempty"`
	VolumeID    string        `json:"volumeId"`
	// Zone is where the volume is, whose agent copies what it holds.
	Zone      string    `json:"zone"`
	Source    string    `json:"source,omitempty"` // the snapshot that it is a copy of
	GiB       int       `json:"gib"`
	Encrypted bool      `json:"encrypted,omitempty"`
	Key       string    `json:"key,omitempty"`
	Started   time.Time `json:"started"`
	Completed time.Time `json:"completed,omitzero"`
	// Public and Accounts are who may make volumes of it.
	Public   bool     `json:"public,omitempty"`
	Accounts []string `json:"accounts,omitempty"`
}

var (
	Volumes             = state.NewTable[Volume]("volume")                          // by ID
	VolumeModifications = state.NewTable[VolumeModification]("volume-modification") // by VolumeID
	Snapshots           = state.NewTable[Snapshot]("snapshot")                      // by ID
)
