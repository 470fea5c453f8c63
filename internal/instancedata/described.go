package main

import (
	"slices"

	"tripod/internal/instancetypes"
)

// described is an instance type as DescribeInstanceTypes tells of it, without what nobody chooses by.
type described struct {
	InstanceType                                                        string
	AutoRecoverySupported, BareMetal, BurstablePerformanceSupported     bool
	CurrentGeneration, DedicatedHostsSupported                          bool
	FreeTierEligible, HibernationSupported                              bool
	Hypervisor, NitroEnclavesSupport, NitroTpmSupport, PhcSupport       string
	RebootMigrationSupport                                              string
	SupportedBootModes, SupportedRootDeviceTypes, SupportedUsageClasses []string
	SupportedVirtualizationTypes                                        []string

	PlacementGroupInfo struct{ SupportedStrategies []string }
	MemoryInfo         memory
	VCPU               struct {
		DefaultVCpus, DefaultCores, DefaultThreadsPerCore int
		ValidCores, ValidThreadsPerCore                   []int
	} `json:"VCpuInfo"`
	Processor struct {
		Manufacturer             string
		SupportedArchitectures   []string
		SupportedFeatures        []string
		SustainedClockSpeedInGhz float64
	} `json:"ProcessorInfo"`
	Network networkInfo `json:"NetworkInfo"`
	EBS     ebsInfo     `json:"EbsInfo"`

	InstanceStorageInfo *struct {
		Disks []struct {
			Count, SizeInGB int
			Type            string
		}
		EncryptionSupport, NvmeSupport string
	}
	GPUInfo                  struct{ Gpus []device }         `json:"GpuInfo"`
	InferenceAcceleratorInfo struct{ Accelerators []device } `json:"InferenceAcceleratorInfo"`
	NeuronInfo               struct{ NeuronDevices []device }
	MediaAcceleratorInfo     struct{ Accelerators []device }
	FPGAInfo                 struct{ Fpgas []device } `json:"FpgaInfo"`
}

type memory struct{ SizeInMiB int }

type networkInfo struct {
	MaximumNetworkInterfaces, Ipv4AddressesPerInterface, Ipv6AddressesPerInterface int
	NetworkPerformance, EnaSupport, FlexibleEnaQueuesSupport                       string
	Ipv6Supported, EncryptionInTransitSupported, EnaSrdSupported                   bool
	EfaInfo                                                                        struct{ MaximumEfaInterfaces int }
	NetworkCards                                                                   []struct {
		MaximumNetworkInterfaces                     int
		BaselineBandwidthInGbps, PeakBandwidthInGbps float64
		NetworkPerformance                           string
	}
}

type ebsInfo struct {
	EbsOptimizedSupport, NvmeSupport, AttachmentLimitType string
	MaximumEbsAttachments                                 int
	EbsOptimizedInfo                                      struct {
		BaselineBandwidthInMbps, BaselineIops, MaximumBandwidthInMbps, MaximumIops int
		BaselineThroughputInMBps, MaximumThroughputInMBps                          float64
	}
}

type device struct {
	Count              int
	Manufacturer, Name string
	MemoryInfo         memory
	CoreInfo           struct{ Count, Version int }
}

// table is the type as package instancetypes has it, and its flags.
func (d described) table() (t instancetypes.Type, flags string) {
	o := d.EBS.EbsOptimizedInfo
	t = instancetypes.Type{
		Name: d.InstanceType, VCPUs: d.VCPU.DefaultVCpus, Cores: d.VCPU.DefaultCores,
		ThreadsPerCore: d.VCPU.DefaultThreadsPerCore, ValidCores: d.VCPU.ValidCores, ValidThreads: d.VCPU.ValidThreadsPerCore,
		Architectures: d.Processor.SupportedArchitectures, Manufacturer: d.Processor.Manufacturer,
		ClockGHz: d.Processor.SustainedClockSpeedInGhz, Features: d.Processor.SupportedFeatures,
		MiB: d.MemoryInfo.SizeInMiB, Hypervisor: d.Hypervisor,
		Network: instancetypes.Network{
			Interfaces: d.Network.MaximumNetworkInterfaces, IPv4: d.Network.Ipv4AddressesPerInterface,
			IPv6: d.Network.Ipv6AddressesPerInterface, Performance: d.Network.NetworkPerformance, ENA: d.Network.EnaSupport,
			EFA: d.Network.EfaInfo.MaximumEfaInterfaces,
		},
		EBS: instancetypes.EBS{
			Optimized: d.EBS.EbsOptimizedSupport, NVMe: d.EBS.NvmeSupport, Attachments: d.EBS.MaximumEbsAttachments,
			AttachmentLimit: d.EBS.AttachmentLimitType,
			Baseline:        instancetypes.Throughput{Mbps: o.BaselineBandwidthInMbps, IOPS: o.BaselineIops, MBps: o.BaselineThroughputInMBps},
			Most:            instancetypes.Throughput{Mbps: o.MaximumBandwidthInMbps, IOPS: o.MaximumIops, MBps: o.MaximumThroughputInMBps},
		},
	}
	for _, c := range d.Network.NetworkCards {
		t.Network.Cards = append(t.Network.Cards, instancetypes.Card{Interfaces: c.MaximumNetworkInterfaces,
			Baseline: c.BaselineBandwidthInGbps, Peak: c.PeakBandwidthInGbps, Performance: c.NetworkPerformance})
	}
	if s := d.InstanceStorageInfo; s != nil && len(s.Disks) > 0 {
		t.Disks = instancetypes.Disks{Count: s.Disks[0].Count, GB: s.Disks[0].SizeInGB, Kind: s.Disks[0].Type,
			Encryption: s.EncryptionSupport, NVMe: s.NvmeSupport}
	}
	for _, kind := range []struct {
		name    string
		devices []device
	}{
		{instancetypes.GPU, d.GPUInfo.Gpus}, {instancetypes.Inference, d.InferenceAcceleratorInfo.Accelerators},
		{instancetypes.Neuron, d.NeuronInfo.NeuronDevices}, {instancetypes.Media, d.MediaAcceleratorInfo.Accelerators},
		{instancetypes.FPGA, d.FPGAInfo.Fpgas},
	} {
		for _, one := range kind.devices {
			t.Devices = append(t.Devices, instancetypes.Device{Kind: kind.name, Manufacturer: one.Manufacturer, Name: one.Name,
				Count: one.Count, MiB: one.MemoryInfo.SizeInMiB, Cores: one.CoreInfo.Count, Version: one.CoreInfo.Version})
		}
	}
	return t, d.flags()
}

func (d described) flags() (flags string) {
	for _, flag := range []struct {
		flag rune
		is   bool
	}{
		{instancetypes.Current, d.CurrentGeneration}, {instancetypes.FreeTier, d.FreeTierEligible},
		{instancetypes.BareMetal, d.BareMetal}, {instancetypes.Burstable, d.BurstablePerformanceSupported},
		{instancetypes.DedicatedHosts, d.DedicatedHostsSupported}, {instancetypes.Hibernation, d.HibernationSupported},
		{instancetypes.AutoRecovery, d.AutoRecoverySupported},
		{instancetypes.RebootMigration, d.RebootMigrationSupport == "supported"},
		{instancetypes.Enclaves, d.NitroEnclavesSupport == "supported"}, {instancetypes.TPM, d.NitroTpmSupport == "supported"},
		{instancetypes.PHC, d.PhcSupport == "supported"}, {instancetypes.Spot, slices.Contains(d.SupportedUsageClasses, "spot")},
		{instancetypes.CapacityBlock, slices.Contains(d.SupportedUsageClasses, "capacity-block")},
		{instancetypes.InstanceStore, slices.Contains(d.SupportedRootDeviceTypes, "instance-store")},
		{instancetypes.Paravirtual, slices.Contains(d.SupportedVirtualizationTypes, "paravirtual")},
		{instancetypes.NoCluster, !slices.Contains(d.PlacementGroupInfo.SupportedStrategies, "cluster")},
		{instancetypes.NoIPv6, !d.Network.Ipv6Supported},
		{instancetypes.EncryptedTransit, d.Network.EncryptionInTransitSupported}, {instancetypes.SRD, d.Network.EnaSrdSupported},
		{instancetypes.FlexibleQueues, d.Network.FlexibleEnaQueuesSupport == "supported"},
		{instancetypes.BootLegacy, slices.Contains(d.SupportedBootModes, "legacy-bios")},
		{instancetypes.BootUEFI, slices.Contains(d.SupportedBootModes, "uefi")},
	} {
		if flag.is {
			flags += string(flag.flag)
		}
	}
	return flags
}
