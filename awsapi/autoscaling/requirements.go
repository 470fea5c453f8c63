package autoscaling

import (
	"encoding/json"

	"tripod/awsapi/ec2"
	"tripod/awsapi/wire"
)

type intRange struct {
	Min, Max *int `json:",omitempty"`
}

type floatRange struct {
	Min, Max *float64 `json:",omitempty"`
}

type familyReference struct{ InstanceFamily string }

type performanceFactors struct {
	CPU *struct {
		References wire.QueryList[familyReference] `xml:"References" json:",omitempty"`
	} `query:"Cpu" xml:"Cpu" json:"Cpu,omitempty"`
}

// instanceRequirements are stored as JSON in this form.
type instanceRequirements struct {
	VCPUs                   *intRange              `query:"VCpuCount" xml:"VCpuCount" json:"VCpuCount,omitempty"`
	Memory                  *intRange              `query:"MemoryMiB" xml:"MemoryMiB" json:"MemoryMiB,omitempty"`
	CPUManufacturers        wire.QueryList[string] `query:"CpuManufacturers" xml:"CpuManufacturers,omitempty" json:"CpuManufacturers,omitempty"`
	MemoryPerVCPU           *floatRange            `query:"MemoryGiBPerVCpu" xml:"MemoryGiBPerVCpu" json:"MemoryGiBPerVCpu,omitempty"`
	ExcludedInstanceTypes   wire.QueryList[string] `xml:",omitempty" json:",omitempty"`
	InstanceGenerations     wire.QueryList[string] `xml:",omitempty" json:",omitempty"`
	SpotPriceOverLowest     *int                   `query:"SpotMaxPricePercentageOverLowestPrice" xml:"SpotMaxPricePercentageOverLowestPrice" json:"SpotMaxPricePercentageOverLowestPrice,omitempty"`
	SpotPriceOfOnDemand     *int                   `query:"MaxSpotPriceAsPercentageOfOptimalOnDemandPrice" xml:"MaxSpotPriceAsPercentageOfOptimalOnDemandPrice" json:"MaxSpotPriceAsPercentageOfOptimalOnDemandPrice,omitempty"`
	OnDemandPrice           *int                   `query:"OnDemandMaxPricePercentageOverLowestPrice" xml:"OnDemandMaxPricePercentageOverLowestPrice" json:"OnDemandMaxPricePercentageOverLowestPrice,omitempty"`
	BareMetal               string                 `xml:",omitempty" json:",omitempty"`
	BurstablePerformance    string                 `xml:",omitempty" json:",omitempty"`
	RequireHibernateSupport *bool                  `json:",omitempty"`
	NetworkInterfaceCount   *intRange              `json:",omitempty"`
	LocalStorage            string                 `xml:",omitempty" json:",omitempty"`
	LocalStorageTypes       wire.QueryList[string] `xml:",omitempty" json:",omitempty"`
	TotalLocalStorageGB     *floatRange            `json:",omitempty"`
	BaselineBandwidth       *intRange              `query:"BaselineEbsBandwidthMbps" xml:"BaselineEbsBandwidthMbps" json:"BaselineEbsBandwidthMbps,omitempty"`
	AcceleratorTypes        wire.QueryList[string] `xml:",omitempty" json:",omitempty"`
	AcceleratorCount        *intRange              `json:",omitempty"`
	AcceleratorMakers       wire.QueryList[string] `query:"AcceleratorManufacturers" xml:"AcceleratorManufacturers,omitempty" json:"AcceleratorManufacturers,omitempty"`
	AcceleratorNames        wire.QueryList[string] `xml:",omitempty" json:",omitempty"`
	AcceleratorMemory       *intRange              `query:"AcceleratorTotalMemoryMiB" xml:"AcceleratorTotalMemoryMiB" json:"AcceleratorTotalMemoryMiB,omitempty"`
	NetworkBandwidthGbps    *floatRange            `json:",omitempty"`
	AllowedInstanceTypes    wire.QueryList[string] `xml:",omitempty" json:",omitempty"`
	PerformanceFactors      *performanceFactors    `query:"BaselinePerformanceFactors" xml:"BaselinePerformanceFactors" json:"BaselinePerformanceFactors,omitempty"`
}

// ofEC2 are the requirements as EC2 has them.
func (r instanceRequirements) ofEC2() ec2.Requirements {
	whole := func(of *intRange) (b ec2.Bounds) {
		if of == nil {
			return b
		}
		for into, given := range map[**float64]*int{&b.Min: of.Min, &b.Max: of.Max} {
			if given != nil {
				value := float64(*given)
				*into = &value
			}
		}
		return b
	}
	broken := func(of *floatRange) ec2.Bounds {
		if of == nil {
			return ec2.Bounds{}
		}
		return ec2.Bounds{Min: of.Min, Max: of.Max}
	}
	return ec2.Requirements{
		VCPUs: whole(r.VCPUs), MiB: whole(r.Memory), Manufacturers: r.CPUManufacturers, GiBPerVCPU: broken(r.MemoryPerVCPU),
		Excluded: r.ExcludedInstanceTypes, Allowed: r.AllowedInstanceTypes, Generations: r.InstanceGenerations,
		BareMetal: r.BareMetal, Burstable: r.BurstablePerformance,
		Hibernate:  r.RequireHibernateSupport != nil && *r.RequireHibernateSupport,
		Interfaces: whole(r.NetworkInterfaceCount), Storage: r.LocalStorage, StorageTypes: r.LocalStorageTypes,
		StorageGB: broken(r.TotalLocalStorageGB), EBSMbps: whole(r.BaselineBandwidth), NetworkGbps: broken(r.NetworkBandwidthGbps),
		Accelerators: whole(r.AcceleratorCount), AcceleratorsOf: r.AcceleratorMakers, AcceleratorMiB: whole(r.AcceleratorMemory),
		AcceleratorName: r.AcceleratorNames, AcceleratorType: r.AcceleratorTypes, SpotPercentage: r.SpotPriceOverLowest,
		OnDemandPercentage: r.OnDemandPrice, OptimalPercentage: r.SpotPriceOfOnDemand,
	}
}

// typesMeeting are the instance types that meet stored requirements and run images of an architecture.
func typesMeeting(stored json.RawMessage, architecture string) []ec2.RequiredType {
	var r instanceRequirements
	if json.Unmarshal(stored, &r) != nil {
		return nil
	}
	return r.ofEC2().Types(architecture)
}
