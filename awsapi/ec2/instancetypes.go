package ec2

import (
	"bufio"
	"cmp"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"tripod/awsapi/operation"
)

//go:embed instancetypes.txt
var instanceTypeTable string

// instanceType is an instance type as EC2 shows it: what tools choose by.
type instanceType struct {
	Name              string             `xml:"instanceType"`
	CurrentGeneration bool               `xml:"currentGeneration"`
	FreeTier          bool               `xml:"freeTierEligible"`
	UsageClasses      list[string]       `xml:"supportedUsageClasses"`
	RootDevices       list[string]       `xml:"supportedRootDeviceTypes"`
	Virtualization    list[string]       `xml:"supportedVirtualizationTypes"`
	BareMetal         bool               `xml:"bareMetal"`
	Hypervisor        string             `xml:"hypervisor"`
	Processor         processorInfo      `xml:"processorInfo"`
	VCPUs             vcpuInfo           `xml:"vCpuInfo"`
	Memory            memoryInfo         `xml:"memoryInfo"`
	Network           networkInfo        `xml:"networkInfo"`
	GPUs              *gpuInfo           `xml:"gpuInfo"`
	Burstable         bool               `xml:"burstablePerformanceSupported"`
	EBS               ebsInfo            `xml:"ebsInfo"`
	Placement         placementGroupInfo `xml:"placementGroupInfo"`
	BootModes         list[string]       `xml:"supportedBootModes"`
	InstanceStorage   bool               `xml:"instanceStorageSupported"`
	AutoRecovery      bool               `xml:"autoRecoverySupported"`
}

type processorInfo struct {
	Architectures list[string] `xml:"supportedArchitectures"`
	Manufacturer  string       `xml:"manufacturer"`
}

type vcpuInfo struct {
	VCPUs          int `xml:"defaultVCpus"`
	Cores          int `xml:"defaultCores"`
	ThreadsPerCore int `xml:"defaultThreadsPerCore"`

	ValidThreads list[int] `xml:"validThreadsPerCore"`
}

type memoryInfo struct {
	MiB int `xml:"sizeInMiB"`
}

type networkInfo struct {
	Interfaces  int    `xml:"maximumNetworkInterfaces"`
	Cards       int    `xml:"maximumNetworkCards"`
	Addresses   int    `xml:"ipv4AddressesPerInterface"`
	Addresses6  int    `xml:"ipv6AddressesPerInterface"`
	IPv6        bool   `xml:"ipv6Supported"`
	DefaultCard int    `xml:"defaultNetworkCardIndex"`
	ENA         string `xml:"enaSupport"`
	EFA         bool   `xml:"efaSupported"` // none of the table's sizes has it
	Encrypted   bool   `xml:"encryptionInTransitSupported"`
	Performance string `xml:"networkPerformance"`
}

type gpuInfo struct {
	GPUs     list[gpu] `xml:"gpus"`
	TotalMiB int       `xml:"totalGpuMemoryInMiB"`
}

type gpu struct {
	Name         string     `xml:"name"`
	Manufacturer string     `xml:"manufacturer"`
	Count        int        `xml:"count"`
	Memory       memoryInfo `xml:"memoryInfo"`
}

// instanceTypes are those of the table, by name.
var instanceTypes = sync.OnceValue(func() []instanceType {
	var all []instanceType
	lines := bufio.NewScanner(strings.NewReader(instanceTypeTable))
	for lines.Scan() {
		if line := lines.Text(); !strings.HasPrefix(line, "#") {
			all = append(all, parseInstanceType(strings.Fields(line)))
		}
	}
	slices.SortFunc(all, func(a, b instanceType) int { return cmp.Compare(a.Name, b.Name) })
	return all
})

func parseInstanceType(fields []string) instanceType {
	number := func(i int) int {
		n, err := strconv.Atoi(fields[i])
		if err != nil {
			panic(fmt.Sprintf("ec2: instancetypes.txt: %v in %v", err, fields)) // the table is checked in
		}
		return n
	}
	name, architecture := fields[0], fields[5]
	family, _, _ := strings.Cut(name, ".")
	t := instanceType{
		Name: name, CurrentGeneration: family != "p3", FreeTier: name == "t2.micro" || name == "t3.micro",
		UsageClasses: list[string]{"on-demand", "spot"}, RootDevices: list[string]{"ebs"},
		Virtualization: list[string]{"hvm"}, Hypervisor: "nitro",
		Processor: processorInfo{list[string]{architecture}, fields[6]},
		VCPUs:     vcpuInfo{number(1), number(1), 1, list[int]{1}}, Memory: memoryInfo{number(2)},
		Network:   networkInfo{Interfaces: number(3), Cards: 1, Addresses: number(4), Addresses6: number(4), IPv6: true},
		Burstable: strings.HasPrefix(family, "t"),
	}
	if family == "t2" || family == "p3" {
		t.Hypervisor = "xen"
	}
	if architecture == "x86_64" && number(1) > 1 && family != "t2" { // two threads a core
		t.VCPUs.Cores, t.VCPUs.ThreadsPerCore, t.VCPUs.ValidThreads = number(1)/2, 2, list[int]{1, 2}
	}
	if len(fields) > 7 {
		t.GPUs = &gpuInfo{list[gpu]{{fields[7], "NVIDIA", 1, memoryInfo{number(8)}}}, number(8)}
	}
	t.byFamily(family)
	return t
}

//go:embed instancetypenames.txt
var instanceTypeNames string // all that AWS has, sorted

var allInstanceTypes = sync.OnceValue(func() []string { return strings.Fields(instanceTypeNames) })

// CheckInstanceTypes says, in the words of EC2, which of the instance types AWS does not have. It has more than the
// catalogue tells of.
func CheckInstanceTypes(names []string) error {
	var unknown []string
	for _, name := range names {
		if _, found := slices.BinarySearch(allInstanceTypes(), name); !found {
			unknown = append(unknown, clip(name))
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	return refuse("InvalidInstanceType", "The following supplied instance types do not exist: [%s]",
		strings.Join(unknown, ", "))
}

type describeInstanceTypesInput struct {
	Names      []string `ec2:"InstanceType"`
	Filters    []filter `ec2:"Filter"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
}

type describeInstanceTypesOutput struct {
	Types     list[instanceType] `xml:"instanceTypeSet"`
	NextToken string             `xml:"nextToken,omitempty"`
}

func (s *Service) describeInstanceTypes(call *operation.Call,
	in *describeInstanceTypesInput) (*describeInstanceTypesOutput, error) {
	if err := CheckInstanceTypes(in.Names); err != nil {
		return nil, err
	}
	for _, name := range in.Names {
		if !slices.ContainsFunc(instanceTypes(), func(t instanceType) bool { return t.Name == name }) {
			return nil, refuse("UnsupportedOperation", "Tripod does not have the instance type %s in its catalogue yet.", name)
		}
	}
	if len(in.Names) > 0 {
		in.Filters = append(in.Filters, filter{"instance-type", in.Names})
	}
	found, err := matching(call.Operation, instanceTypes(), in.Filters, nil)
	if err != nil {
		return nil, err
	}
	out := &describeInstanceTypesOutput{}
	out.Types, out.NextToken,
		err = cut(call.Operation, found, page{in.Filters, in.MaxResults, in.NextToken}, in.Names,
		func(t instanceType) string { return t.Name })
	return out, err
}

// offering says that an instance type is to be had in a place: all of them are, in every zone.
type offering struct {
	InstanceType string `xml:"instanceType"`
	LocationType string `xml:"locationType"`
	Location     string `xml:"location"`
}

type describeOfferingsInput struct {
	LocationType string   `ec2:"LocationType"`
	Filters      []filter `ec2:"Filter"`
	MaxResults   *int     `ec2:"MaxResults"`
	NextToken    string   `ec2:"NextToken"`
}

type describeOfferingsOutput struct {
	Offerings list[offering] `xml:"instanceTypeOfferingSet"`
	NextToken string         `xml:"nextToken,omitempty"`
}

func (s *Service) describeOfferings(call *operation.Call, in *describeOfferingsInput) (*describeOfferingsOutput,
	error) {
	locationType := cmp.Or(in.LocationType, "region")
	locations, known := map[string][]string{"region": {s.VPC.Region}, "availability-zone": s.VPC.Zones,
		"availability-zone-id": s.VPC.ZoneIDs()}[locationType]
	if !known {
		return nil, refuse("InvalidParameterValue", "LocationType must be region, availability-zone or availability-zone-id.")
	}
	var all []offering
	for _, t := range instanceTypes() {
		for _, location := range locations {
			all = append(all, offering{t.Name, locationType, location})
		}
	}
	all, err := matching(call.Operation, all, in.Filters, nil)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b offering) int { return cmp.Compare(a.place(), b.place()) })
	out := &describeOfferingsOutput{}
	// a token is of one kind of location
	p := page{append(in.Filters, filter{"location-type", []string{locationType}}), in.MaxResults, in.NextToken}
	out.Offerings, out.NextToken, err = cut(call.Operation, all, p, nil, offering.place)
	return out, err
}

func (o offering) place() string { return o.InstanceType + "/" + o.Location }
