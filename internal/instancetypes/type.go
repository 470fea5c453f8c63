// Package instancetypes has EC2's instance types: what they are made of, and what they cost. It is the only place that
// knows, for EC2's API, the simulated kubelets, EKS and the price list.
//
// The table is made of AWS's own answers, see internal/instancedata.
package instancetypes

import "strings"

// Type is an instance type, with what DescribeInstanceTypes tells of it.
type Type struct {
	Name string // m5.large
	// Price is that of an hour on demand with Linux in us-east-1, in US dollars.
	Price float64

	VCPUs, Cores, ThreadsPerCore int
	// ValidCores and ValidThreads are what CpuOptions may choose; none: nothing.
	ValidCores, ValidThreads []int
	Architectures            []string // x86_64, arm64, i386
	Manufacturer             string   // of the processor: Intel, AMD, AWS
	ClockGHz                 float64  // 0: AWS does not tell
	Features                 []string // amd-sev-snp, nested-virtualization

	MiB        int
	Hypervisor string // nitro or xen; "": it is bare metal

	Network Network
	EBS     EBS
	Disks   Disks
	Devices []Device

	flags string
}

// Network is what a type has for networks.
type Network struct {
	// Interfaces are those of all cards; IPv4 and IPv6 addresses are those of each interface.
	Interfaces, IPv4, IPv6 int
	Performance            string // Up to 10 Gigabit
	Cards                  []Card
	ENA                    string // required, supported, unsupported
	EFA                    int    // how many interfaces may be Elastic Fabric Adapters
}

// Card is a network card. The first one is the default.
type Card struct {
	Interfaces     int
	Baseline, Peak float64 // gigabits a second
	Performance    string
}

// EBS is what a type has for volumes.
type EBS struct {
	Optimized, NVMe string // default, supported, unsupported; required, supported, unsupported
	Attachments     int
	AttachmentLimit string // shared: with network interfaces; dedicated
	Baseline, Most  Throughput
}

// Throughput to volumes; the zero one: AWS does not tell.
type Throughput struct {
	Mbps, IOPS int
	MBps       float64
}

// Disks are a type's instance store; none: Count is 0.
type Disks struct {
	Count, GB        int
	Kind             string // ssd or hdd
	Encryption, NVMe string // required, unsupported
}

// The kinds of devices.
const (
	GPU       = "gpu"
	Inference = "inference"
	Neuron    = "neuron"
	Media     = "media"
	FPGA      = "fpga"
)

// Device is some like devices of a type. AWS tells of Inferentia twice, as Inference and as Neuron.
type Device struct {
	Kind, Manufacturer, Name string
	Count, MiB               int // how many; the memory of each
	// Cores and Version are those of a Neuron device's cores.
	Cores, Version int
}

// Flags of a type, as the table has them.
const (
	Current          = 'c' // of the current generation
	FreeTier         = 'f'
	BareMetal        = 'b'
	Burstable        = 'u'
	DedicatedHosts   = 'd'
	Hibernation      = 'h'
	AutoRecovery     = 'a'
	RebootMigration  = 'r'
	Enclaves         = 'e'
	TPM              = 't'
	PHC              = 'p' // Precision Hardware Clock
	Spot             = 's'
	CapacityBlock    = 'k'
	InstanceStore    = 'i' // its root device may be in the instance store
	Paravirtual      = 'v'
	NoCluster        = 'n' // not in cluster placement groups
	NoIPv6           = '4'
	EncryptedTransit = 'x'
	SRD              = 'S' // ENA Express
	FlexibleQueues   = 'q'
	BootLegacy       = 'l'
	BootUEFI         = 'U'
)

// Has says whether the type has that flag.
func (t Type) Has(flag rune) bool { return strings.ContainsRune(t.flags, flag) }

// Family is what stands before the dot.
func (t Type) Family() string {
	family, _, _ := strings.Cut(t.Name, ".")
	return family
}

// Architecture is the one that images are made for.
func (t Type) Architecture() string { return t.Architectures[len(t.Architectures)-1] }

// Of are the type's devices of a kind.
func (t Type) Of(kind string) (devices []Device) {
	for _, d := range t.Devices {
		if d.Kind == kind {
			devices = append(devices, d)
		}
	}
	return devices
}

// slotsWithoutNitro are those of a type that is not Nitro's, or not known ("Amazon EBS volume limits" in the EC2 user guide).
const slotsWithoutNitro = 39

// VolumeSlots is how many volumes an instance may have, its root volume among them, as long as it has one network interface: more
// of these, and the type's instance store, take slots of most types.
func (t Type) VolumeSlots() int {
	switch {
	case t.Hypervisor == "xen" || t.EBS.Attachments == 0:
		return slotsWithoutNitro
	case t.EBS.AttachmentLimit == "shared":
		return t.EBS.Attachments - t.Disks.Count // the first network interface is taken off already
	}
	return t.EBS.Attachments
}
