package region

import (
	"time"

	"tripod/state"
)

// FileSystem is an EFS file system: a directory of the region, or of one zone.
type FileSystem struct {
	ID      string          `json:"id"`    // fs-0123456789abcdef0
	Token   string          `json:"token"` // the CreationToken of the call
	State   FileSystemState `json:"state"` // see filesystem_states.go
	Created time.Time       `json:"created"`
	// Zone is that of a One Zone file system; empty: the file system is in all zones.
	Zone        string  `json:"zone,omitempty"`
	Performance string  `json:"performance"` // generalPurpose or maxIO
	Throughput  string  `json:"throughput"`  // bursting, provisioned or elastic
	MiBps       float64 `json:"mibps,omitzero"`
	Encrypted   bool    `json:"encrypted,omitempty"`
	Key         string  `json:"key,omitempty"` // the KMS key's ARN
	// Lifecycle are the transitions between storage classes: by the name of each the rule, such as TransitionToIA.
	Lifecycle []map[string]string `json:"lifecycle,omitempty"`
	Backup    string              `json:"backup,omitempty"` // ENABLED, DISABLED; empty: nobody has said
	Policy    string              `json:"policy,omitempty"` // the file system policy, as it was given
	// Overwrites is the protection from replication's overwriting: DISABLED, or empty for ENABLED.
	Overwrites string            `json:"overwrites,omitempty"`
	Tags       map[string]string `json:"tags,omitempty"`
}

// MountTarget is where a file system answers in a zone.
type MountTarget struct {
	ID             string          `json:"id"` // fsmt-0123456789abcdef0
	FileSystemID   string          `json:"fileSystemId"`
	State          FileSystemState `json:"state"`
	Created        time.Time       `json:"created"`
	Zone           string          `json:"zone"`
	SubnetID       string          `json:"subnetId"`
	VPCID          string          `json:"vpcId"`
	Address        string          `json:"address"`
	SecurityGroups []string        `json:"securityGroups"`
}

// AccessPoint is a way into a file system, to one of its directories and as one user.
type AccessPoint struct {
	ID           string            `json:"id"` // fsap-0123456789abcdef0
	FileSystemID string            `json:"fileSystemId"`
	Token        string            `json:"token"` // the ClientToken of the call
	Path         string            `json:"path"`  // of its root directory
	User         *PosixUser        `json:"user,omitempty"`
	Creation     *CreationInfo     `json:"creation,omitempty"`
	Tags         map[string]string `json:"tags,omitempty"`
}

// PosixUser is as whom the clients of an access point act.
type PosixUser struct {
	UID       int64   `json:"uid"`
	GID       int64   `json:"gid"`
	Secondary []int64 `json:"secondary,omitempty"`
}

// CreationInfo says how an access point's root directory is made, when it is not there.
type CreationInfo struct {
	OwnerUID    int64  `json:"ownerUid"`
	OwnerGID    int64  `json:"ownerGid"`
	Permissions string `json:"permissions"` // 755
}

var (
	FileSystems  = state.NewTable[FileSystem]("file-system")   // by ID
	MountTargets = state.NewTable[MountTarget]("mount-target") // by ID
	AccessPoints = state.NewTable[AccessPoint]("access-point") // by ID
)
