package api

// LogLevelOrder says how much a process logs from now on, until it ends.
type LogLevelOrder struct {
	// Target is "up", the region's own process, or as of verbs: az/b, etcd/b.
	Target string `json:"target"`
	// Level is error, warn, info or debug. API servers and controllers have the latter two.
	Level   string `json:"level"`
	Cluster string `json:"cluster,omitempty"` // whose process; may be left out where there is one cluster
}

// TargetUp is the target that is the region's own process.
const TargetUp = "up"
