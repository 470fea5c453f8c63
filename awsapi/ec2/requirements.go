package ec2

import (
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/internal/instancetypes"
)

// bounds are a least and a most value, each perhaps not given.
type bounds struct {
	Min *float64 `ec2:"Min"`
	Max *float64 `ec2:"Max"`
}

// hold says whether a value is within.
func (b bounds) hold(value float64) bool {
	return (b.Min == nil || value >= *b.Min) && (b.Max == nil || value <= *b.Max)
}

func (b bounds) given() bool { return b.Min != nil || b.Max != nil }

// instanceRequirements choose instance types by what they have. What is not given chooses nothing out, but for what EC2
// leaves out by itself: bare metal and burstable types.
type instanceRequirements struct {
	VCPUs           bounds   `ec2:"VCpuCount"`
	MiB             bounds   `ec2:"MemoryMiB"`
	Manufacturers   []string `ec2:"CpuManufacturer"`
	GiBPerVCPU      bounds   `ec2:"MemoryGiBPerVCpu"`
	Excluded        []string `ec2:"ExcludedInstanceType"`
	Allowed         []string `ec2:"AllowedInstanceType"`
	Generations     []string `ec2:"InstanceGeneration"`
	BareMetal       string   `ec2:"BareMetal"`            // included, required, excluded
	Burstable       string   `ec2:"BurstablePerformance"` // likewise
	Hibernate       bool     `ec2:"RequireHibernateSupport"`
	Encrypted       bool     `ec2:"RequireEncryptionInTransit"`
	Interfaces      bounds   `ec2:"NetworkInterfaceCount"`
	Storage         string   `ec2:"LocalStorage"` // included, required, excluded
	StorageTypes    []string `ec2:"LocalStorageType"`
	StorageGB       bounds   `ec2:"TotalLocalStorageGB"`
	EBSMbps         bounds   `ec2:"BaselineEbsBandwidthMbps"`
	NetworkGbps     bounds   `ec2:"NetworkBandwidthGbps"`
	Accelerators    bounds   `ec2:"AcceleratorCount"`
	AcceleratorsOf  []string `ec2:"AcceleratorManufacturer"`
	AcceleratorMiB  bounds   `ec2:"AcceleratorTotalMemoryMiB"`
	AcceleratorName []string `ec2:"AcceleratorName"`
	AcceleratorType []string `ec2:"AcceleratorType"`

	// What follows compares prices, which Tripod does not do here: all prices are low enough.
	SpotPercentage     *int `ec2:"SpotMaxPricePercentageOverLowestPrice"`
	OnDemandPercentage *int `ec2:"OnDemandMaxPricePercentageOverLowestPrice"`
	OptimalPercentage  *int `ec2:"MaxSpotPriceAsPercentageOfOptimalOnDemandPrice"`
}

// required are the words that EC2 has for what a type may, must or must not have.
var required = map[string]bool{"": true, "included": true, "required": true, "excluded": true}

func (r instanceRequirements) check() error {
	switch {
	case r.VCPUs.Min == nil:
		return refuse("MissingParameter", "The request must contain the parameter InstanceRequirements.VCpuCount.Min")
	case r.MiB.Min == nil:
		return refuse("MissingParameter", "The request must contain the parameter InstanceRequirements.MemoryMiB.Min")
	case len(r.Allowed) > 0 && len(r.Excluded) > 0:
		return refuse("InvalidParameterCombination", "AllowedInstanceTypes and ExcludedInstanceTypes cannot be specified together.")
	}
	for name, word := range map[string]string{"BareMetal": r.BareMetal, "BurstablePerformance": r.Burstable,
		"LocalStorage": r.Storage} {
		if !required[word] {
			return refuse("InvalidParameterValue", "Value (%s) for parameter %s is invalid. It must be included, required or "+
				"excluded.", clip(word), name)
		}
	}
	return nil
}

// meet says whether an instance type is as required.
func (r instanceRequirements) meet(t instancetypes.Type) bool {
	named := func(patterns []string) bool {
		return slices.ContainsFunc(patterns, func(pattern string) bool { return wildcard(pattern, t.Name) })
	}
	generation := "previous"
	if t.Has(instancetypes.Current) {
		generation = "current"
	}
	gbps := 0.0
	for _, card := range t.Network.Cards {
		gbps += card.Baseline
	}
	return r.VCPUs.hold(float64(t.VCPUs)) && r.MiB.hold(float64(t.MiB)) &&
		oneOf(r.Manufacturers, map[string]string{"Intel": "intel", "AMD": "amd", "AWS": "amazon-web-services"}[t.Manufacturer]) &&
		r.GiBPerVCPU.hold(float64(t.MiB)/1024/float64(t.VCPUs)) &&
		!named(r.Excluded) && (len(r.Allowed) == 0 || named(r.Allowed)) && oneOf(r.Generations, generation) &&
		suits(r.BareMetal, "excluded", t.Has(instancetypes.BareMetal)) &&
		suits(r.Burstable, "excluded", t.Has(instancetypes.Burstable)) &&
		(!r.Hibernate || t.Has(instancetypes.Hibernation)) && (!r.Encrypted || t.Has(instancetypes.EncryptedTransit)) &&
		r.Interfaces.hold(float64(t.Network.Interfaces)) && suits(r.Storage, "included", t.Disks.Count > 0) &&
		(len(r.StorageTypes) == 0 || t.Disks.Count > 0 && slices.Contains(r.StorageTypes, t.Disks.Kind)) &&
		r.StorageGB.hold(float64(t.Disks.Count*t.Disks.GB)) && r.EBSMbps.hold(float64(t.EBS.Baseline.Mbps)) &&
		r.NetworkGbps.hold(gbps) && r.accelerated(t)
}

// oneOf says whether a value is among those wanted; none: all are.
func oneOf(wanted []string, value string) bool {
	return len(wanted) == 0 || slices.Contains(wanted, value)
}

// suits says whether a type suits that has, or has not, what is included, required or excluded.
func suits(word, byDefault string, has bool) bool {
	if word == "" {
		word = byDefault
	}
	return word == "included" || has == (word == "required")
}

// accelerated says whether a type's accelerators are as required.
func (r instanceRequirements) accelerated(t instancetypes.Type) bool {
	count, mib := 0, 0
	fits := len(r.AcceleratorsOf) == 0 && len(r.AcceleratorName) == 0 && len(r.AcceleratorType) == 0
	for _, d := range t.Devices {
		if d.Kind == instancetypes.Neuron && len(t.Of(instancetypes.Inference)) > 0 {
			continue // told twice
		}
		count, mib = count+d.Count, mib+max(d.Count, 1)*d.MiB
		maker := map[string]string{"NVIDIA": "nvidia", "AMD": "amd", "AWS": "amazon-web-services", "": "amazon-web-services",
			"Xilinx": "xilinx", "Habana": "habana"}[d.Manufacturer]
		kind := map[string]string{instancetypes.GPU: "gpu", instancetypes.FPGA: "fpga", instancetypes.Media: "media"}[d.Kind]
		if kind == "" {
			kind = "inference"
		}
		name := strings.ReplaceAll(strings.ToLower(d.Name), " ", "-")
		fits = fits || oneOf(r.AcceleratorsOf, maker) && oneOf(r.AcceleratorName, name) && oneOf(r.AcceleratorType, kind)
	}
	return fits && r.Accelerators.hold(float64(count)) && (!r.AcceleratorMiB.given() || r.AcceleratorMiB.hold(float64(mib)))
}

// typesMeeting are the instance types that meet requirements and have one of the architectures; none: x86_64 and arm64
// both do.
func typesMeeting(r instanceRequirements, architectures []string) (types []instancetypes.Type) {
	for _, t := range instancetypes.All() {
		if r.meet(t) && (len(architectures) == 0 || slices.ContainsFunc(t.Architectures, func(a string) bool {
			return slices.Contains(architectures, a)
		})) {
			types = append(types, t)
		}
	}
	return types
}

type typesByRequirementsInput struct {
	Architectures  []string              `ec2:"ArchitectureType"`
	Virtualization []string              `ec2:"VirtualizationType"`
	Requirements   *instanceRequirements `ec2:"InstanceRequirements,required"`
	MaxResults     *int                  `ec2:"MaxResults"`
	NextToken      string                `ec2:"NextToken"`
}

type typesByRequirementsOutput struct {
	Types     list[typeName] `xml:"instanceTypeSet"`
	NextToken string         `xml:"nextToken,omitempty"`
}

type typeName struct {
	Name string `xml:"instanceType"`
}

func (s *Service) typesByRequirements(call *operation.Call, in *typesByRequirementsInput) (*typesByRequirementsOutput,
	error) {
	if len(in.Architectures) == 0 || len(in.Virtualization) == 0 {
		return nil, refuse("MissingParameter", "The request must contain the parameters ArchitectureType and VirtualizationType")
	}
	if err := in.Requirements.check(); err != nil {
		return nil, err
	}
	var names []typeName
	for _, t := range typesMeeting(*in.Requirements, in.Architectures) {
		if slices.ContainsFunc(described(t).Virtualization, func(v string) bool { return slices.Contains(in.Virtualization, v) }) {
			names = append(names, typeName{t.Name})
		}
	}
	out := &typesByRequirementsOutput{}
	var err error
	out.Types, out.NextToken, err = cut(call.Operation, names, page{MaxResults: in.MaxResults, NextToken: in.NextToken}, nil,
		func(t typeName) string { return t.Name })
	return out, err
}
