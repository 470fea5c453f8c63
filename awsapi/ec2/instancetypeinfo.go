package ec2

import "tripod/internal/instancetypes"

// instanceType is an instance type as EC2 shows it: what tools choose by.
type instanceType struct {
	Name              string             `xml:"instanceType"`
	CurrentGeneration bool               `xml:"currentGeneration"`
	FreeTier          bool               `xml:"freeTierEligible"`
	UsageClasses      list[string]       `xml:"supportedUsageClasses"`
	RootDevices       list[string]       `xml:"supportedRootDeviceTypes"`
	Virtualization    list[string]       `xml:"supportedVirtualizationTypes"`
	BareMetal         bool               `xml:"bareMetal"`
	Hypervisor        string             `xml:"hypervisor,omitempty"`
	Processor         processorInfo      `xml:"processorInfo"`
	VCPUs             vcpuInfo           `xml:"vCpuInfo"`
	Memory            memoryInfo         `xml:"memoryInfo"`
	HasStorage        bool               `xml:"instanceStorageSupported"`
	Storage           *storageInfo       `xml:"instanceStorageInfo"`
	EBS               ebsInfo            `xml:"ebsInfo"`
	Network           networkInfo        `xml:"networkInfo"`
	GPUs              *gpuInfo           `xml:"gpuInfo"`
	FPGAs             *fpgaInfo          `xml:"fpgaInfo"`
	Placement         placementGroupInfo `xml:"placementGroupInfo"`
	Inference         *inferenceInfo     `xml:"inferenceAcceleratorInfo"`
	Neuron            *neuronInfo        `xml:"neuronInfo"`
	Media             *mediaInfo         `xml:"mediaAcceleratorInfo"`
	Hibernation       bool               `xml:"hibernationSupported"`
	Burstable         bool               `xml:"burstablePerformanceSupported"`
	DedicatedHosts    bool               `xml:"dedicatedHostsSupported"`
	AutoRecovery      bool               `xml:"autoRecoverySupported"`
	BootModes         list[string]       `xml:"supportedBootModes"`
	Enclaves          string             `xml:"nitroEnclavesSupport"`
	TPM               string             `xml:"nitroTpmSupport"`
	TPMInfo           *tpmInfo           `xml:"nitroTpmInfo"`
	PHC               string             `xml:"phcSupport"`
	RebootMigration   string             `xml:"rebootMigrationSupport"`
}

type processorInfo struct {
	Architectures list[string] `xml:"supportedArchitectures"`
	ClockGHz      float64      `xml:"sustainedClockSpeedInGhz,omitempty"`
	Features      list[string] `xml:"supportedFeatures,omitempty"`
	Manufacturer  string       `xml:"manufacturer"`
}

type vcpuInfo struct {
	VCPUs          int `xml:"defaultVCpus"`
	Cores          int `xml:"defaultCores"`
	ThreadsPerCore int `xml:"defaultThreadsPerCore"`

	ValidCores   list[int] `xml:"validCores,omitempty"`
	ValidThreads list[int] `xml:"validThreadsPerCore,omitempty"`
}

type memoryInfo struct {
	MiB int `xml:"sizeInMiB"`
}

type storageInfo struct {
	TotalGB    int               `xml:"totalSizeInGB"`
	Disks      list[storageDisk] `xml:"disks"`
	NVMe       string            `xml:"nvmeSupport"`
	Encryption string            `xml:"encryptionSupport"`
}

type storageDisk struct {
	GB    int    `xml:"sizeInGB"`
	Count int    `xml:"count"`
	Type  string `xml:"type"`
}

// ebsInfo is what a type has for volumes.
type ebsInfo struct {
	Optimized   string        `xml:"ebsOptimizedSupport"`
	Encryption  string        `xml:"encryptionSupport"`
	Info        *ebsOptimized `xml:"ebsOptimizedInfo"`
	NVMe        string        `xml:"nvmeSupport"`
	Attachments int           `xml:"maximumEbsAttachments"`
	Limit       string        `xml:"attachmentLimitType"`
}

type ebsOptimized struct {
	BaselineMbps int     `xml:"baselineBandwidthInMbps"`
	BaselineMBps float64 `xml:"baselineThroughputInMBps"`
	BaselineIOPS int     `xml:"baselineIops"`
	MaximumMbps  int     `xml:"maximumBandwidthInMbps"`
	MaximumMBps  float64 `xml:"maximumThroughputInMBps"`
	MaximumIOPS  int     `xml:"maximumIops"`
}

type networkInfo struct {
	Performance    string            `xml:"networkPerformance"`
	Interfaces     int               `xml:"maximumNetworkInterfaces"`
	MaximumCards   int               `xml:"maximumNetworkCards"`
	DefaultCard    int               `xml:"defaultNetworkCardIndex"`
	Cards          list[networkCard] `xml:"networkCards"`
	Addresses      int               `xml:"ipv4AddressesPerInterface"`
	Addresses6     int               `xml:"ipv6AddressesPerInterface"`
	IPv6           bool              `xml:"ipv6Supported"`
	ENA            string            `xml:"enaSupport"`
	EFA            bool              `xml:"efaSupported"`
	EFAInfo        *efaInfo          `xml:"efaInfo"`
	Encrypted      bool              `xml:"encryptionInTransitSupported"`
	SRD            bool              `xml:"enaSrdSupported"`
	FlexibleQueues string            `xml:"flexibleEnaQueuesSupport"`
}

type networkCard struct {
	Index       int     `xml:"networkCardIndex"`
	Performance string  `xml:"networkPerformance"`
	Interfaces  int     `xml:"maximumNetworkInterfaces"`
	Baseline    float64 `xml:"baselineBandwidthInGbps"`
	Peak        float64 `xml:"peakBandwidthInGbps"`
}

type efaInfo struct {
	Interfaces int `xml:"maximumEfaInterfaces"`
}

type accelerator struct {
	Count        int        `xml:"count"`
	Name         string     `xml:"name"`
	Manufacturer string     `xml:"manufacturer,omitempty"`
	Cores        *coreInfo  `xml:"coreInfo"`
	Memory       memoryInfo `xml:"memoryInfo"`
}

type coreInfo struct {
	Count   int `xml:"count"`
	Version int `xml:"version"`
}

type gpuInfo struct {
	GPUs     list[accelerator] `xml:"gpus"`
	TotalMiB int               `xml:"totalGpuMemoryInMiB"`
}

type fpgaInfo struct {
	FPGAs    list[accelerator] `xml:"fpgas"`
	TotalMiB int               `xml:"totalFpgaMemoryInMiB"`
}

type inferenceInfo struct {
	Accelerators list[accelerator] `xml:"accelerators"`
	TotalMiB     int               `xml:"totalInferenceMemoryInMiB"`
}

type neuronInfo struct {
	Devices  list[accelerator] `xml:"neuronDevices"`
	TotalMiB int               `xml:"totalNeuronDeviceMemoryInMiB"`
}

type mediaInfo struct {
	Accelerators list[accelerator] `xml:"accelerators"`
	TotalMiB     int               `xml:"totalMediaMemoryInMiB"`
}

type tpmInfo struct {
	Versions list[string] `xml:"supportedVersions"`
}

type placementGroupInfo struct {
	Strategies list[string] `xml:"supportedStrategies"`
}

// described shows an instance type.
func described(t instancetypes.Type) instanceType {
	v := instanceType{
		Name: t.Name, CurrentGeneration: t.Has(instancetypes.Current), FreeTier: t.Has(instancetypes.FreeTier),
		UsageClasses: usageClasses(t), RootDevices: list[string]{"ebs"}, Virtualization: list[string]{"hvm"},
		BareMetal: t.Has(instancetypes.BareMetal), Hypervisor: t.Hypervisor,
		Processor: processorInfo{t.Architectures, t.ClockGHz, t.Features, t.Manufacturer},
		VCPUs:     vcpuInfo{t.VCPUs, t.Cores, t.ThreadsPerCore, t.ValidCores, t.ValidThreads}, Memory: memoryInfo{t.MiB},
		EBS:     ebsOf(t.EBS),
		Network: networkOf(t), Placement: placementGroupInfo{list[string]{"cluster", "partition", "spread"}},
		Hibernation: t.Has(instancetypes.Hibernation), Burstable: t.Has(instancetypes.Burstable),
		DedicatedHosts: t.Has(instancetypes.DedicatedHosts), AutoRecovery: t.Has(instancetypes.AutoRecovery),
		Enclaves: supported(t, instancetypes.Enclaves), TPM: supported(t, instancetypes.TPM), PHC: supported(t, instancetypes.PHC),
		RebootMigration: supported(t, instancetypes.RebootMigration),
	}
	if t.Has(instancetypes.InstanceStore) {
		v.RootDevices = append(v.RootDevices, "instance-store")
	}
	if t.Has(instancetypes.Paravirtual) {
		v.Virtualization = append(v.Virtualization, "paravirtual")
	}
	if t.Has(instancetypes.NoCluster) {
		v.Placement.Strategies = v.Placement.Strategies[1:]
	}
	if t.Has(instancetypes.TPM) {
		v.TPMInfo = &tpmInfo{list[string]{"2.0"}}
	}
	if t.Has(instancetypes.BootLegacy) {
		v.BootModes = append(v.BootModes, "legacy-bios")
	}
	if t.Has(instancetypes.BootUEFI) {
		v.BootModes = append(v.BootModes, "uefi")
	}
	if d := t.Disks; d.Count > 0 {
		v.HasStorage = true
		v.Storage = &storageInfo{d.Count * d.GB, list[storageDisk]{{d.GB, d.Count, d.Kind}}, d.NVMe, d.Encryption}
	}
	v.addDevices(t)
	return v
}

func supported(t instancetypes.Type, flag rune) string {
	if t.Has(flag) {
		return "supported"
	}
	return "unsupported"
}

func usageClasses(t instancetypes.Type) list[string] {
	classes := list[string]{"on-demand"}
	if t.Has(instancetypes.Spot) {
		classes = append(classes, "spot")
	}
	if t.Has(instancetypes.CapacityBlock) {
		classes = append(classes, "capacity-block")
	}
	return classes
}

func ebsOf(e instancetypes.EBS) ebsInfo {
	info := ebsInfo{Optimized: e.Optimized, Encryption: "supported", NVMe: e.NVMe, Attachments: e.Attachments,
		Limit: e.AttachmentLimit}
	if low, high := e.Baseline, e.Most; high.Mbps > 0 {
		info.Info = &ebsOptimized{low.Mbps, low.MBps, low.IOPS, high.Mbps, high.MBps, high.IOPS}
	}
	return info
}

func networkOf(t instancetypes.Type) networkInfo {
	info := networkInfo{
		Performance: t.Network.Performance, Interfaces: t.Network.Interfaces, MaximumCards: len(t.Network.Cards),
		Addresses: t.Network.IPv4, Addresses6: t.Network.IPv6, IPv6: !t.Has(instancetypes.NoIPv6), ENA: t.Network.ENA,
		EFA: t.Network.EFA > 0, Encrypted: t.Has(instancetypes.EncryptedTransit), SRD: t.Has(instancetypes.SRD),
		FlexibleQueues: supported(t, instancetypes.FlexibleQueues),
	}
	if info.EFA {
		info.EFAInfo = &efaInfo{t.Network.EFA}
	}
	for i, c := range t.Network.Cards {
		info.Cards = append(info.Cards, networkCard{i, c.Performance, c.Interfaces, c.Baseline, c.Peak})
	}
	return info
}

func (t *instanceType) addDevices(of instancetypes.Type) {
	all := map[string]list[accelerator]{}
	total := map[string]int{}
	for _, d := range of.Devices {
		a := accelerator{d.Count, d.Name, d.Manufacturer, nil, memoryInfo{d.MiB}}
		if d.Cores > 0 {
			a.Cores = &coreInfo{d.Cores, d.Version}
		}
		all[d.Kind] = append(all[d.Kind], a)
		total[d.Kind] += max(d.Count, 1) * d.MiB // a fraction of a GPU has its own memory
	}
	for kind, devices := range all {
		switch kind {
		case instancetypes.GPU:
			t.GPUs = &gpuInfo{devices, total[kind]}
		case instancetypes.FPGA:
			t.FPGAs = &fpgaInfo{devices, total[kind]}
		case instancetypes.Inference:
			t.Inference = &inferenceInfo{devices, total[kind]}
		case instancetypes.Neuron:
			t.Neuron = &neuronInfo{devices, total[kind]}
		case instancetypes.Media:
			t.Media = &mediaInfo{devices, total[kind]}
		}
	}
}
