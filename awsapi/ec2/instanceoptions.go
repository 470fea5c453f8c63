package ec2

// instanceOptions are what EKS's nodes have of an instance's options: those of its launch templates, else EC2's
// defaults.
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

// optionsOf are those of a node, an m5.large with Amazon Linux 2023, launched at that time.
func optionsOf(launched string) instanceOptions {
	return instanceOptions{
		CPU: instanceCPU{1, 2}, Reservations: capacityReservations{"open"},
		Metadata: instanceMetadata{"applied", "required", 2,
			"enabled", "disabled", "disabled", "enabled"},
		BootMode: "uefi", ImageMode: "uefi-preferred", Platform: "Linux/UNIX", Usage: "RunInstances",
		UsageUpdated: launched, Names: launchNames{HostnameType: ipNames},
		Maintenance: maintenance{"default", "default"}, Performance: networkPerformance{"default"},
	}
}
