package ec2

import (
	"tripod/awsapi/operation"
	"tripod/nodes/machine"
	"tripod/region"
	"tripod/state"
)

// instance is a node's machine as EC2 shows it. Its image is not told: nothing here has any.
type instance struct {
	InstanceID      string                  `xml:"instanceId"`
	State           instanceState           `xml:"instanceState"`
	DNSName         string                  `xml:"privateDnsName"`
	PublicDNSName   string                  `xml:"dnsName"`
	Reason          string                  `xml:"reason"`
	LaunchIndex     int                     `xml:"amiLaunchIndex"`
	ProductCodes    list[struct{}]          `xml:"productCodes"`
	Type            string                  `xml:"instanceType"`
	LaunchTime      string                  `xml:"launchTime"`
	Placement       instancePlacement       `xml:"placement"`
	Monitoring      instanceMonitoring      `xml:"monitoring"`
	SubnetID        string                  `xml:"subnetId"`
	VPCID           string                  `xml:"vpcId"`
	Address         string                  `xml:"privateIpAddress"`
	PublicIP        string                  `xml:"ipAddress,omitempty"`
	SourceDestCheck bool                    `xml:"sourceDestCheck"`
	Groups          list[groupName]         `xml:"groupSet"`
	Profile         *assignedProfile        `xml:"iamInstanceProfile"`
	Architecture    string                  `xml:"architecture"`
	RootDeviceType  string                  `xml:"rootDeviceType"`
	RootDeviceName  string                  `xml:"rootDeviceName"`
	Devices         list[instanceDevice]    `xml:"blockDeviceMapping"`
	Virtualization  string                  `xml:"virtualizationType"`
	Hypervisor      string                  `xml:"hypervisor"`
	Tags            list[tag]               `xml:"tagSet"`
	EBSOptimized    bool                    `xml:"ebsOptimized"`
	ENASupport      bool                    `xml:"enaSupport"`
	Interfaces      list[instanceInterface] `xml:"networkInterfaceSet"`
	instanceOptions

	ReservationID string `xml:"-" filter:"reservationId"`
	OwnerID       string `xml:"-" filter:"ownerId"`
}

type instanceState struct {
	Code int    `xml:"code"`
	Name string `xml:"name"`
}

// assignedProfile is the instance profile by which an instance has its role.
type assignedProfile struct {
	ARN string `xml:"arn"`
	ID  string `xml:"id"`
}

type instancePlacement struct {
	Zone    string `xml:"availabilityZone"`
	ZoneID  string `xml:"availabilityZoneId"`
	Group   string `xml:"groupName"`
	Tenancy string `xml:"tenancy"`
}

type instanceMonitoring struct {
	State string `xml:"state"`
}

type instanceDevice struct {
	Name string    `xml:"deviceName"`
	EBS  ebsDevice `xml:"ebs"`
}

type ebsDevice struct {
	VolumeID            string `xml:"volumeId"`
	Status              string `xml:"status"`
	AttachTime          string `xml:"attachTime"`
	DeleteOnTermination bool   `xml:"deleteOnTermination"`
}

// instanceInterface is an interface as its instance shows it.
type instanceInterface struct {
	InterfaceID string           `xml:"networkInterfaceId"`
	SubnetID    string           `xml:"subnetId"`
	VPCID       string           `xml:"vpcId"`
	OwnerID     string           `xml:"ownerId"`
	Status      string           `xml:"status"`
	MAC         string           `xml:"macAddress"`
	Address     string           `xml:"privateIpAddress"`
	DNSName     string           `xml:"privateDnsName"`
	Groups      list[groupName]  `xml:"groupSet"`
	Attachment  ownAttachment    `xml:"attachment"`
	Association *ownAddress      `xml:"association"`
	Addresses   list[hasAddress] `xml:"privateIpAddressesSet"`
	Addresses6  list[struct{}]   `xml:"ipv6AddressesSet"`
	Description string           `xml:"description"`
	DestCheck   bool             `xml:"sourceDestCheck"`
	Type        string           `xml:"interfaceType"`
	Operator    operator         `xml:"operator"`

	Tags list[tag] `xml:"-" filter:"tagSet"`
	Zone string    `xml:"-" filter:"availabilityZone"`
	// Managed says that a service of AWS has made it, IPv6Native that it has no IPv4 address, and Closed that no internet
	// gateway serves it.
	Managed    bool `xml:"-" filter:"requesterManaged"`
	IPv6Native bool `xml:"-" filter:"ipv6Native"`
	Closed     bool `xml:"-" filter:"denyAllIgwTraffic"`
}

// hasAddress is a private address as its instance shows it.
type hasAddress struct {
	Address     string      `xml:"privateIpAddress"`
	DNSName     string      `xml:"privateDnsName"`
	Primary     bool        `xml:"primary"`
	Association *ownAddress `xml:"association"`
}

// ownAddress is an Elastic IP address as the instance shows it that has it: less than its interface shows.
type ownAddress struct {
	OwnerID  string `xml:"ipOwnerId"`
	DNSName  string `xml:"publicDnsName"`
	PublicIP string `xml:"publicIp"`

	AllocationID  string `xml:"-" filter:"allocationId"`
	AssociationID string `xml:"-" filter:"associationId"`
}

// ownAttachment is an interface's attachment to the instance that shows it.
type ownAttachment struct {
	AttachmentID        string `xml:"attachmentId"`
	DeviceIndex         int    `xml:"deviceIndex"`
	CardIndex           int    `xml:"networkCardIndex"`
	Status              string `xml:"status"`
	AttachTime          string `xml:"attachTime"`
	DeleteOnTermination bool   `xml:"deleteOnTermination"`

	InstanceID      string `xml:"-" filter:"instanceId"`
	InstanceOwnerID string `xml:"-" filter:"instanceOwnerId"`
}

// rootDevice is where EKS's images have their root volume.
const rootDevice = "/dev/xvda"

// running is the only state that an instance has here: what a fault does to a zone EC2's API does not tell.
var running = instanceState{16, "running"}

var instances = &kind[instance]{
	prefix: "i", noun: "instance ID", code: "InvalidInstanceID",
	id:       func(v instance) string { return v.InstanceID },
	computed: func(s *Service, tx *state.Txn) []instance { return s.instances(tx) },
}

// instances are the nodes' machines.
func (s *Service) instances(tx *state.Txn) (all []instance) {
	byInstance := map[string]networkInterface{}
	for _, v := range s.nodeInterfaces(tx) {
		byInstance[v.Attachment.InstanceID] = v
	}
	for _, n := range s.Nodes(tx) {
		eni, launched := byInstance[n.ID], timestamp(n.Launched)
		shown := instance{
			InstanceID: n.ID, State: running, DNSName: n.DNSName, Type: machine.DefaultType, LaunchTime: launched,
			Placement:  instancePlacement{Zone: n.Zone, ZoneID: n.ZoneID, Tenancy: "default"},
			Monitoring: instanceMonitoring{"disabled"}, SubnetID: n.SubnetID,
			VPCID: eni.VPCID, Address: n.Address, SourceDestCheck: true, Groups: eni.Groups, Profile: profileOf(tx, n.Profile),
			Architecture:   "x86_64",
			RootDeviceType: "ebs", RootDeviceName: rootDevice,
			Devices:        list[instanceDevice]{{rootDevice, ebsDevice{n.VolumeID, "attached", launched, true}}},
			Virtualization: "hvm", Hypervisor: "xen", EBSOptimized: true, ENASupport: true,
			Interfaces:      list[instanceInterface]{s.ownInterface(tx, n, eni)},
			instanceOptions: optionsOf(launched), ReservationID: id("r", n.ID), OwnerID: s.VPC.AccountID,
		}
		if eni.Association != nil {
			shown.PublicIP, shown.PublicDNSName = eni.Association.PublicIP, eni.Association.DNSName
		}
		all = append(all, shown)
	}
	return all
}

// ownInterface is a node's interface as its instance shows it.
func (s *Service) ownInterface(tx *state.Txn, n Node, eni networkInterface) instanceInterface {
	a := eni.Attachment
	var public *ownAddress
	if has := eni.Association; has != nil {
		public = &ownAddress{has.OwnerID, has.DNSName, has.PublicIP, has.AllocationID, has.AssociationID}
	}
	return instanceInterface{
		InterfaceID: eni.InterfaceID, SubnetID: eni.SubnetID, VPCID: eni.VPCID, OwnerID: eni.OwnerID, Status: eni.Status,
		MAC: eni.MAC, Address: eni.Address,
		DNSName: eni.DNSName, Groups: eni.Groups, Association: public,
		Addresses: list[hasAddress]{{eni.Address, eni.DNSName, true, public}}, Description: eni.Description,
		DestCheck: eni.SourceDestCheck, Type: eni.Type,
		Attachment: ownAttachment{a.AttachmentID, a.DeviceIndex, a.CardIndex, a.Status, a.AttachTime, a.DeleteOnTermination,
			a.InstanceID, a.InstanceOwnerID},
		Tags: s.nodeTags(tx, n, eni.InterfaceID), Zone: eni.Zone,
	}
}

// profileOf is an instance's profile; nil where it has none, or one that is gone.
func profileOf(tx *state.Txn, name string) *assignedProfile {
	if profile, found := region.InstanceProfiles.Get(tx, name); found {
		return &assignedProfile{profile.ARN, profile.ID}
	}
	return nil
}

type describeInstancesInput struct {
	IDs        []string `ec2:"InstanceId"`
	Filters    []filter `ec2:"Filter"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
}

// reservation is what RunInstances made at once: here one instance.
type reservation struct {
	ReservationID string          `xml:"reservationId"`
	OwnerID       string          `xml:"ownerId"`
	Groups        list[groupName] `xml:"groupSet"`
	Instances     list[instance]  `xml:"instancesSet"`
}

type describeInstancesOutput struct {
	Reservations list[reservation] `xml:"reservationSet"`
	NextToken    string            `xml:"nextToken,omitempty"`
}

func (s *Service) describeInstances(call *operation.Call, in *describeInstancesInput) (*describeInstancesOutput,
	error) {
	found, next, err := describe(s, call, instances, in.IDs, page{in.Filters, in.MaxResults, in.NextToken},
		func(tx *state.Txn, v *instance) { v.Tags = s.tagsOf(tx, v.InstanceID) })
	out := &describeInstancesOutput{NextToken: next}
	for _, v := range found {
		out.Reservations = append(out.Reservations,
			reservation{ReservationID: v.ReservationID, OwnerID: s.VPC.AccountID, Instances: list[instance]{v}})
	}
	return out, err
}

type describeInstanceStatusInput struct {
	IDs        []string `ec2:"InstanceId"`
	Filters    []filter `ec2:"Filter"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
	// All asks for instances that do not run too; there are none.
	All bool `ec2:"IncludeAllInstances"`
}

type instanceStatus struct {
	InstanceID string         `xml:"instanceId"`
	Zone       string         `xml:"availabilityZone"`
	ZoneID     string         `xml:"availabilityZoneId"`
	State      instanceState  `xml:"instanceState"`
	System     statusSummary  `xml:"systemStatus"`
	Instance   statusSummary  `xml:"instanceStatus"`
	EBS        statusSummary  `xml:"attachedEbsStatus"`
	Events     list[struct{}] `xml:"eventsSet"`
	Operator   operator       `xml:"operator"`
}

type statusSummary struct {
	Status  string             `xml:"status"`
	Details list[statusDetail] `xml:"details"`
}

type statusDetail struct {
	Name   string `xml:"name"`
	Status string `xml:"status"`
}

type describeInstanceStatusOutput struct {
	Statuses  list[instanceStatus] `xml:"instanceStatusSet"`
	NextToken string               `xml:"nextToken,omitempty"`
}

var instanceStatuses = &kind[instanceStatus]{
	prefix: instances.prefix, noun: instances.noun, code: instances.code,
	id: func(v instanceStatus) string { return v.InstanceID },
	computed: func(s *Service, tx *state.Txn) (all []instanceStatus) {
		well := statusSummary{"ok", list[statusDetail]{{"reachability", "passed"}}}
		for _, v := range s.instances(tx) {
			all = append(all, instanceStatus{InstanceID: v.InstanceID, Zone: v.Placement.Zone, ZoneID: v.Placement.ZoneID,
				State: v.State, System: well, Instance: well,
				EBS: well})
		}
		return all
	},
}

func (s *Service) describeInstanceStatus(call *operation.Call,
	in *describeInstanceStatusInput) (*describeInstanceStatusOutput, error) {
	found, next, err := describe(s, call, instanceStatuses, in.IDs, page{in.Filters, in.MaxResults, in.NextToken},
		func(*state.Txn, *instanceStatus) {})
	return &describeInstanceStatusOutput{found, next}, err
}
