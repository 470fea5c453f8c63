package object

import (
	"fmt"
	"strconv"
	"time"
)

// FargateSize is what Fargate has provisioned for a pod: one of its combinations.
type FargateSize struct {
	MilliCPU  int `json:"milliCpu"`
	MemoryMiB int `json:"memoryMiB"`
	DiskGiB   int `json:"diskGiB"`
}

// String is as the annotation CapacityProvisioned has it: 0.25vCPU 0.5GB.
func (s FargateSize) String() string {
	short := func(n float64) string { return strconv.FormatFloat(n, 'g', -1, 64) }
	return fmt.Sprintf("%svCPU %sGB", short(float64(s.MilliCPU)/1000), short(float64(s.MemoryMiB)/1024))
}

// FargateProfile is what a Fargate profile says of the pods that are its own.
type FargateProfile struct {
	Name      string
	Selectors []FargateSelector
}

// FargateSelector means the pods of a namespace that have all the labels. Namespace and values may have the wildcards * and ?.
type FargateSelector struct {
	Namespace string
	Labels    map[string]string
}

// FargatePod is a pod of Fargate's scheduler.
type FargatePod struct {
	Namespace, Name, UID string
	// Node is where it is bound to; empty: nowhere yet.
	Node string
	// Profile is the one that its label names.
	Profile string
	// Owner is the UID of its controller; empty: it has none.
	Owner string
	Size  FargateSize
	// Refused is why Fargate does not take it, in its words; empty: it does.
	Refused string
	Ending  bool // somebody has deleted it
	Created time.Time
}

// String is the pod's name with its namespace.
func (p FargatePod) String() string { return p.Namespace + "/" + p.Name }

// FargateEvent is what Fargate's scheduler tells of a pod.
type FargateEvent struct {
	Warning         bool
	Reason, Message string
}
