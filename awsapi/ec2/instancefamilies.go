package ec2

import "strings"

// familyNetwork is what the types of a family have for a network, after the EC2 instance type reference: how fast it
// is, and whether traffic between instances is encrypted.
type familyNetwork struct {
	performance string
	encrypted   bool
}

const (
	upTo5    = "Up to 5 Gigabit"
	upTo10   = "Up to 10 Gigabit"
	upTo12_5 = "Up to 12.5 Gigabit"
)

var familyNetworks = map[string]familyNetwork{
	"t2": {"Low to Moderate", false}, "t3": {upTo5, false}, "t3a": {upTo5, false}, "t4g": {upTo5, false},
	"m5": {upTo10, false}, "m6i": {upTo12_5, true}, "m7i": {upTo12_5, true}, "m6g": {upTo10, false},
	"m7g": {upTo12_5, true},
	"c5":  {upTo10, false}, "c6i": {upTo12_5, true}, "c7g": {upTo12_5, true}, "r5": {upTo10, false}, "r6i": {upTo12_5,
		true}, "r6g": {upTo10, false},
	"g4dn": {"Up to 25 Gigabit", true}, "g5": {upTo10, true}, "p3": {upTo10, false},
}

// fasterTypes are those that are faster than their family.
var fasterTypes = map[string]string{"m5.8xlarge": "10 Gigabit", "m6i.8xlarge": "12.5 Gigabit",
	"m7g.4xlarge": "Up to 15 Gigabit",
	"c7g.4xlarge": "Up to 15 Gigabit"}

// ebsInfo is what a type has for volumes.
type ebsInfo struct {
	Optimized  string `xml:"ebsOptimizedSupport"`
	Encryption string `xml:"encryptionSupport"`
	NVMe       string `xml:"nvmeSupport"`
}

type placementGroupInfo struct {
	Strategies list[string] `xml:"supportedStrategies"`
}

// byFamily gives a type what follows from its family, hypervisor and architecture.
func (t *instanceType) byFamily(family string) {
	network, xen := familyNetworks[family], t.Hypervisor == "xen"
	t.Network.Performance, t.Network.Encrypted = network.performance, network.encrypted
	if faster := fasterTypes[t.Name]; faster != "" {
		t.Network.Performance = faster
	}
	t.EBS, t.Network.ENA, t.BootModes = ebsInfo{"default", "supported", "required"}, "required",
		list[string]{"legacy-bios", "uefi"}
	switch {
	case family == "t2":
		t.EBS, t.Network.ENA, t.BootModes = ebsInfo{"unsupported", "supported", "unsupported"}, "unsupported",
			list[string]{"legacy-bios"}
	case xen:
		t.EBS.NVMe, t.Network.ENA, t.BootModes = "unsupported", "supported", list[string]{"legacy-bios"}
	case t.Processor.Architectures[0] == "arm64":
		t.BootModes = list[string]{"uefi"}
	}
	t.Placement.Strategies = list[string]{"cluster", "partition", "spread"}
	if t.Burstable {
		t.Placement.Strategies = list[string]{"partition", "spread"}
	}
	t.InstanceStorage = strings.HasPrefix(family, "g")
	t.AutoRecovery = !t.InstanceStorage
}
