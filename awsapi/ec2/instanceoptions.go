package ec2

import (
	"cmp"
	"slices"

	"tripod/internal/instancetypes"
	"tripod/region"
)

// instanceOptions are an instance's options as EC2 shows them.
type instanceOptions struct {
	CPU          instanceCPU          `xml:"cpuOptions"`
	Reservations capacityReservations `xml:"capacityReservationSpecification"`
	Hibernation  hibernation          `xml:"hibernationOptions"`
	Metadata     instanceMetadata     `xml:"metadataOptions"`
	Enclave      enclave              `xml:"enclaveOptions"`
	BootMode     string               `xml:"currentInstanceBootMode"`
	ImageMode    string               `xml:"bootMode"` // of its image, EKS's Amazon Linux 2023
	Platform     string               `xml:"platformDetails"`
	Usage        string               `xml:"usageOperation"`
	UsageUpdated string               `xml:"usageOperationUpdateTime"`
	Names        launchNames          `xml:"privateDnsNameOptions"`
	Maintenance  maintenance          `xml:"maintenanceOptions"`
	Performance  networkPerformance   `xml:"networkPerformanceOptions"`
	Operator     operator             `xml:"operator"`
}

type instanceCPU struct {
	Cores   int `xml:"coreCount"`
	Threads int `xml:"threadsPerCore"`
}

type capacityReservations struct {
	Preference string `xml:"capacityReservationPreference"`
}

type hibernation struct {
	Configured bool `xml:"configured"`
}

type enclave struct {
	Enabled bool `xml:"enabled"`
}

type instanceMetadata struct {
	State    string `xml:"state"`
	Tokens   string `xml:"httpTokens"`
	HopLimit int    `xml:"httpPutResponseHopLimit"`
	Endpoint string `xml:"httpEndpoint"`
	IPv6     string `xml:"httpProtocolIpv6"`
	Tags     string `xml:"instanceMetadataTags"`

	IPv4 string `xml:"-" filter:"httpProtocolIpv4"`
}

type maintenance struct {
	AutoRecovery string `xml:"autoRecovery"`
	Reboot       string `xml:"rebootMigration"`
}

type networkPerformance struct {
	Bandwidth string `xml:"bandwidthWeighting"`
}

// optionsOf are an instance's, of what it was launched with and EC2's defaults.
func optionsOf(v region.Instance, d instanceDetails) instanceOptions {
	cores, threads := coresOf(v.Launch.Type)
	if d.CPU.Cores != nil {
		cores = *d.CPU.Cores
	}
	if d.CPU.Threads != nil {
		threads = *d.CPU.Threads
	}
	return instanceOptions{
		CPU: instanceCPU{cores, threads}, Reservations: capacityReservations{cmp.Or(d.Reservations, "open")},
		Hibernation: hibernation{d.Hibernation}, Metadata: d.Metadata.shown(), Enclave: enclave{d.Enclave},
		BootMode: "uefi", ImageMode: "uefi-preferred", Platform: "Linux/UNIX", Usage: "RunInstances",
		UsageUpdated: timestamp(v.Launched),
		Names:        launchNames{HostnameType: cmp.Or(d.Hostname, ipNames), A: d.NameA, AAAA: d.NameAAAA},
		Maintenance:  maintenance{cmp.Or(d.Recovery, "default"), "default"}, Performance: networkPerformance{"default"},
	}
}

// shown are the options with the defaults of what is not given: those of EKS's images, which want tokens.
func (o metadataOptions) shown() instanceMetadata {
	hops := 2
	if o.HopLimit != nil {
		hops = *o.HopLimit
	}
	return instanceMetadata{State: "applied", Tokens: cmp.Or(o.Tokens, "required"), HopLimit: hops,
		Endpoint: cmp.Or(o.Endpoint, "enabled"), IPv6: cmp.Or(o.IPv6, "disabled"), Tags: cmp.Or(o.InstanceTags, "disabled"),
		IPv4: "enabled"}
}

// coresOf are a type's cores, and the threads of each; one of one where the catalogue does not tell.
func coresOf(instanceType string) (cores, threads int) {
	if t, found := instancetypes.Find(instanceType); found && t.Cores > 0 {
		return t.Cores, t.ThreadsPerCore
	}
	return 1, 1
}

// architecturesOf are a type's architectures; x86_64 where the catalogue does not tell.
func architecturesOf(instanceType string) []string {
	if t, found := instancetypes.Find(instanceType); found && len(t.Architectures) > 0 {
		return t.Architectures
	}
	return []string{"x86_64"}
}

// architectureOf is the one that an instance of a type has.
func architectureOf(instanceType string) string {
	if all := architecturesOf(instanceType); !slices.Contains(all, "x86_64") {
		return all[0]
	}
	return "x86_64"
}

// burstable says whether a type runs on CPU credits.
func burstable(instanceType string) bool {
	t, _ := instancetypes.Find(instanceType)
	return t.Has(instancetypes.Burstable)
}

// needsENA says whether a type has no network without the Elastic Network Adapter.
func needsENA(instanceType string) bool {
	t, _ := instancetypes.Find(instanceType)
	return t.Network.ENA == "required"
}
