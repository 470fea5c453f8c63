package ec2

import (
	"encoding/base64"
	"reflect"
)

// templateData is what a launch template says of instances. What is not here is refused.
type templateData struct {
	ImageID        string             `ec2:"ImageId" xml:"imageId,omitempty"`
	InstanceType   string             `ec2:"InstanceType" xml:"instanceType,omitempty"`
	KeyName        string             `ec2:"KeyName" xml:"keyName,omitempty"`
	UserData       string             `ec2:"UserData" xml:"userData,omitempty"`
	EBSOptimized   *bool              `ec2:"EbsOptimized" xml:"ebsOptimized"`
	NoTermination  *bool              `ec2:"DisableApiTermination" xml:"disableApiTermination"`
	NoStop         *bool              `ec2:"DisableApiStop" xml:"disableApiStop"`
	Profile        *instanceProfile   `ec2:"IamInstanceProfile" xml:"iamInstanceProfile"`
	Monitoring     *monitoring        `ec2:"Monitoring" xml:"monitoring"`
	Metadata       *metadataOptions   `ec2:"MetadataOptions" xml:"metadataOptions"`
	Credits        *creditOptions     `ec2:"CreditSpecification" xml:"creditSpecification"`
	CPU            *cpuOptions        `ec2:"CpuOptions" xml:"cpuOptions"`
	Placement      *placement         `ec2:"Placement" xml:"placement"`
	Shutdown       string             `ec2:"InstanceInitiatedShutdownBehavior" xml:"instanceInitiatedShutdownBehavior,omitempty"`
	Market         *marketOptions     `ec2:"InstanceMarketOptions" xml:"instanceMarketOptions"`
	Names          *nameOptions       `ec2:"PrivateDnsNameOptions" xml:"privateDnsNameOptions"`
	Reservations   *reservedOptions   `ec2:"CapacityReservationSpecification" xml:"capacityReservationSpecification"`
	Hibernation    *hibernationOf     `ec2:"HibernationOptions" xml:"hibernationOptions"`
	Enclave        *enclaveOf         `ec2:"EnclaveOptions" xml:"enclaveOptions"`
	Maintenance    *maintenanceOf     `ec2:"MaintenanceOptions" xml:"maintenanceOptions"`
	Groups         list[string]       `ec2:"SecurityGroupId" xml:"securityGroupIdSet,omitempty"`
	GroupNames     list[string]       `ec2:"SecurityGroup" xml:"securityGroupSet,omitempty"`
	Devices        list[blockDevice]  `ec2:"BlockDeviceMapping" xml:"blockDeviceMappingSet,omitempty"`
	Interfaces     list[interfaceOf]  `ec2:"NetworkInterface" xml:"networkInterfaceSet,omitempty"`
	Specifications list[instanceTags] `ec2:"TagSpecification" xml:"tagSpecificationSet,omitempty"`
}

type instanceProfile struct {
	ARN  string `ec2:"Arn" xml:"arn,omitempty"`
	Name string `ec2:"Name" xml:"name,omitempty"`
}

type monitoring struct {
	Enabled bool `ec2:"Enabled" xml:"enabled"`
}

type metadataOptions struct {
	Tokens       string `ec2:"HttpTokens" xml:"httpTokens,omitempty"`
	HopLimit     *int   `ec2:"HttpPutResponseHopLimit" xml:"httpPutResponseHopLimit"`
	Endpoint     string `ec2:"HttpEndpoint" xml:"httpEndpoint,omitempty"`
	IPv6         string `ec2:"HttpProtocolIpv6" xml:"httpProtocolIpv6,omitempty"`
	InstanceTags string `ec2:"InstanceMetadataTags" xml:"instanceMetadataTags,omitempty"`
}

type creditOptions struct {
	CPU string `ec2:"CpuCredits" xml:"cpuCredits"`
}

type cpuOptions struct {
	Cores   *int `ec2:"CoreCount" xml:"coreCount"`
	Threads *int `ec2:"ThreadsPerCore" xml:"threadsPerCore"`
}

type placement struct {
	Zone      string `ec2:"AvailabilityZone" xml:"availabilityZone,omitempty"`
	GroupName string `ec2:"GroupName" xml:"groupName,omitempty"`
	Tenancy   string `ec2:"Tenancy" xml:"tenancy,omitempty"`
	GroupID   string `ec2:"GroupId" xml:"groupId,omitempty"`
	Partition *int   `ec2:"PartitionNumber" xml:"partitionNumber"`
}

type blockDevice struct {
	Name string `ec2:"DeviceName" xml:"deviceName,omitempty"`
	Disk *disk  `ec2:"Ebs" xml:"ebs"`
	// Virtual names an instance store volume, and NoDevice takes a volume of the image's away.
	Virtual  string  `ec2:"VirtualName" xml:"virtualName,omitempty"`
	NoDevice *string `ec2:"NoDevice" xml:"noDevice"`
}

type disk struct {
	Encrypted  *bool  `ec2:"Encrypted" xml:"encrypted"`
	Deleted    *bool  `ec2:"DeleteOnTermination" xml:"deleteOnTermination"`
	IOPS       *int   `ec2:"Iops" xml:"iops"`
	Key        string `ec2:"KmsKeyId" xml:"kmsKeyId,omitempty"`
	Snapshot   string `ec2:"SnapshotId" xml:"snapshotId,omitempty"`
	GiB        *int   `ec2:"VolumeSize" xml:"volumeSize"`
	Type       string `ec2:"VolumeType" xml:"volumeType,omitempty"`
	Throughput *int   `ec2:"Throughput" xml:"throughput"`
}

type interfaceOf struct {
	DeviceIndex *int         `ec2:"DeviceIndex" xml:"deviceIndex"`
	Public      *bool        `ec2:"AssociatePublicIpAddress" xml:"associatePublicIpAddress"`
	Deleted     *bool        `ec2:"DeleteOnTermination" xml:"deleteOnTermination"`
	Description string       `ec2:"Description" xml:"description,omitempty"`
	Type        string       `ec2:"InterfaceType" xml:"interfaceType,omitempty"`
	SubnetID    string       `ec2:"SubnetId" xml:"subnetId,omitempty"`
	CardIndex   *int         `ec2:"NetworkCardIndex" xml:"networkCardIndex"`
	Groups      list[string] `ec2:"SecurityGroupId" xml:"groupSet,omitempty"`
	Address     string       `ec2:"PrivateIpAddress" xml:"privateIpAddress,omitempty"`
}

// marketOptions say how instances are bought.
type marketOptions struct {
	Type string       `ec2:"MarketType" xml:"marketType,omitempty"`
	Spot *spotOptions `ec2:"SpotOptions" xml:"spotOptions"`
}

// spot says whether spot instances are asked for.
func (m *marketOptions) spot() bool { return m != nil && m.Type == "spot" }

type spotOptions struct {
	MaxPrice string `ec2:"MaxPrice" xml:"maxPrice,omitempty"`
	Type     string `ec2:"SpotInstanceType" xml:"spotInstanceType,omitempty"` // one-time or persistent
	Minutes  *int   `ec2:"BlockDurationMinutes" xml:"blockDurationMinutes"`
	Until    string `ec2:"ValidUntil" xml:"validUntil,omitempty"`
	Action   string `ec2:"InstanceInterruptionBehavior" xml:"instanceInterruptionBehavior,omitempty"`
}

// nameOptions say how instances are named.
type nameOptions struct {
	HostnameType string `ec2:"HostnameType" xml:"hostnameType,omitempty"`
	A            *bool  `ec2:"EnableResourceNameDnsARecord" xml:"enableResourceNameDnsARecord"`
	AAAA         *bool  `ec2:"EnableResourceNameDnsAAAARecord" xml:"enableResourceNameDnsAAAARecord"`
}

type reservedOptions struct {
	Preference string `ec2:"CapacityReservationPreference" xml:"capacityReservationPreference,omitempty"`
}

type hibernationOf struct {
	Configured bool `ec2:"Configured" xml:"configured"`
}

type enclaveOf struct {
	Enabled bool `ec2:"Enabled" xml:"enabled"`
}

type maintenanceOf struct {
	Recovery string `ec2:"AutoRecovery" xml:"autoRecovery,omitempty"`
}

type instanceTags struct {
	ResourceType string    `ec2:"ResourceType" xml:"resourceType"`
	Tags         list[tag] `ec2:"Tag" xml:"tagSet"`
}

// maxUserData is how many bytes user data has at most, decoded.
const maxUserData = 16 << 10

// check finds what EC2 refuses in a template. User data that is no base64 is not among it: instances fail of it.
func (d templateData) check() error {
	if script, err := base64.StdEncoding.DecodeString(d.UserData); err == nil && len(script) > maxUserData {
		return refuse("InvalidParameterValue", "User data is limited to %d bytes.", maxUserData)
	}
	for _, group := range d.Groups {
		if err := groups.check(group); err != nil {
			return err
		}
	}
	return nil
}

// over is the data laid over a source version's: what is given replaces what the source has.
func (d templateData) over(source templateData) templateData {
	given, merged := reflect.ValueOf(d), reflect.ValueOf(&source).Elem()
	for i := range given.NumField() {
		if !given.Field(i).IsZero() {
			merged.Field(i).Set(given.Field(i))
		}
	}
	return source
}
