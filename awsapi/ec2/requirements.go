package ec2

import (
	"cmp"
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/internal/instancetypes"
)

// Bounds are a least and a most value, each perhaps not given.
type Bounds struct {
	Min *float64 `ec2:"Min"`
	Max *float64 `ec2:"Max"`
}

// hold says whether a value is within.
func (b Bounds) hold(value float64) bool {
	return (b.Min == nil || value >= *b.Min) && (b.Max == nil || value <= *b.Max)
}

func (b Bounds) given() bool { return b.Min != nil || b.Max != nil }

// Requirements choose instance types by what they have. What is not given chooses nothing out, but for what EC2
// leaves out by itself: bare metal and burstable types.
type Requirements struct {
	VCPUs           Bounds   `ec2:"VCpuCount"`
	MiB             Bounds   `ec2:"MemoryMiB"`
	Manufacturers   []string `ec2:"CpuManufacturer"`
	GiBPerVCPU      Bounds   `ec2:"MemoryGiBPerVCpu"`
	Excluded        []string `ec2:"ExcludedInstanceType"`
	Allowed         []string `ec2:"AllowedInstanceType"`
	Generations     []string `ec2:"InstanceGeneration"`
	BareMetal       string   `ec2:"BareMetal"`            // included, required, excluded
	Burstable       string   `ec2:"BurstablePerformance"` // likewise
	Hibernate       bool     `ec2:"RequireHibernateSupport"`
	Encrypted       bool     `ec2:"RequireEncryptionInTransit"`
	Interfaces      Bounds   `ec2:"NetworkInterfaceCount"`
	Storage         string   `ec2:"LocalStorage"` // included, required, excluded
	StorageTypes    []string `ec2:"LocalStorageType"`
	StorageGB       Bounds   `ec2:"TotalLocalStorageGB"`
	EBSMbps         Bounds   `ec2:"BaselineEbsBandwidthMbps"`
	NetworkGbps     Bounds   `ec2:"NetworkBandwidthGbps"`
	Accelerators    Bounds   `ec2:"AcceleratorCount"`
	AcceleratorsOf  []string `ec2:"AcceleratorManufacturer"`
	AcceleratorMiB  Bounds   `ec2:"AcceleratorTotalMemoryMiB"`
	AcceleratorName []string `ec2:"AcceleratorName"`
	AcceleratorType []string `ec2:"AcceleratorType"`

	// What follows protects Auto Scaling groups from prices; GetInstanceTypesFromInstanceRequirements does not support it.
	SpotPercentage     *int `ec2:"SpotMaxPricePercentageOverLowestPrice"`
	OnDemandPercentage *int `ec2:"OnDemandMaxPricePercentageOverLowestPrice"`
	OptimalPercentage  *int `ec2:"MaxSpotPriceAsPercentageOfOptimalOnDemandPrice"`
}

// required are the words that EC2 has for what a type may, must or must not have.
var required = map[string]bool{"": true, "included": true, "required": true, "excluded": true}

func (r Requirements) check() error {
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
func (r Requirements) meet(t instancetypes.Type) bool {
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
func (r Requirements) accelerated(t instancetypes.Type) bool {
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

// typesMeeting are the instance types that meet requirements and have one of the architectures.
func typesMeeting(r Requirements, architectures []string) (types []instancetypes.Type) {
	for _, t := range instancetypes.All() {
		if r.meet(t) && slices.ContainsFunc(t.Architectures, func(a string) bool { return slices.Contains(architectures, a) }) {
			types = append(types, t)
		}
	}
	return types
}

// RequiredType is an instance type that meets requirements.
type RequiredType struct {
	Name string
	// OnDemand and Spot say whether its price is low enough for such instances.
	OnDemand, Spot bool
}

// Price protection, in percent, as EC2 has it by default: what on-demand instances may cost over the identified price, and
// spot instances of the identified on-demand price. For spot instances AWS says only that it chooses from a wide range of
// types: here none costs more than the same on demand.
const onDemandProtection, spotProtection = 20, 100

// Types are the instance types that meet the requirements, the smallest first: of an image's architecture (empty: of any), and
// not too dear.
func (r Requirements) Types(architecture string) (all []RequiredType) {
	architectures := []string{architecture}
	if architecture == "" {
		architectures = []string{"x86_64", "arm64"}
	}
	types := typesMeeting(r, architectures)
	slices.SortStableFunc(types, func(a, b instancetypes.Type) int {
		return cmp.Or(cmp.Compare(a.VCPUs, b.VCPUs), cmp.Compare(a.MiB, b.MiB))
	})
	onDemand := func(t instancetypes.Type) float64 { return t.Price }
	spot := func(t instancetypes.Type) float64 { return t.SpotPrice("") }
	most := identifiedPrice(types, onDemand) * float64(100+percent(r.OnDemandPercentage, onDemandProtection)) / 100
	mostSpot := identifiedPrice(types, onDemand) * float64(percent(r.OptimalPercentage, spotProtection)) / 100
	if r.SpotPercentage != nil {
		mostSpot = identifiedPrice(types, spot) * float64(100+*r.SpotPercentage) / 100
	}
	for _, t := range types {
		if v := (RequiredType{t.Name, onDemand(t) <= most, spot(t) <= mostSpot}); v.OnDemand || v.Spot {
			all = append(all, v)
		}
	}
	return all
}

func percent(given *int, byDefault int) int {
	if given == nil {
		return byDefault
	}
	return *given
}

// identifiedPrice is that of the cheapest of some types: of the current generation's C, M and R, else of the current
// generation, else of all.
func identifiedPrice(types []instancetypes.Type, price func(instancetypes.Type) float64) (least float64) {
	current := func(t instancetypes.Type) bool { return t.Has(instancetypes.Current) }
	usual := func(t instancetypes.Type) bool {
		family := t.Family()
		return current(t) && len(family) > 1 && strings.Contains("cmr", family[:1]) && family[1] >= '0' && family[1] <= '9'
	}
	for _, among := range []func(instancetypes.Type) bool{usual, current, func(instancetypes.Type) bool { return true }} {
		found := false
		for _, t := range types {
			if among(t) && (!found || price(t) < least) {
				least, found = price(t), true
			}
		}
		if found {
			break
		}
	}
	return least
}

type typesByRequirementsInput struct {
	Architectures  []string      `ec2:"ArchitectureType"`
	Virtualization []string      `ec2:"VirtualizationType"`
	Requirements   *Requirements `ec2:"InstanceRequirements,required"`
	MaxResults     *int          `ec2:"MaxResults"`
	NextToken      string        `ec2:"NextToken"`
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
