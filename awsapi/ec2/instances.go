package ec2

import (
	"cmp"
	"slices"

	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

// instance is an instance as EC2 shows it.
type instance struct {
	InstanceID      string                  `xml:"instanceId"`
	ImageID         string                  `xml:"imageId,omitempty"` // empty: of a node that had no record when it was made
	State           instanceState           `xml:"instanceState"`
	DNSName         string                  `xml:"privateDnsName"`
	PublicDNSName   string                  `xml:"dnsName"`
	Reason          string                  `xml:"reason"`
	StateReason     *stateReason            `xml:"stateReason"`
	KeyName         string                  `xml:"keyName,omitempty"`
	ClientToken     string                  `xml:"clientToken"`
	Lifecycle       string                  `xml:"instanceLifecycle,omitempty"`
	SpotRequestID   string                  `xml:"spotInstanceRequestId,omitempty"`
	LaunchIndex     int                     `xml:"amiLaunchIndex"`
	ProductCodes    list[struct{}]          `xml:"productCodes"`
	Type            string                  `xml:"instanceType"`
	LaunchTime      string                  `xml:"launchTime"`
	Placement       instancePlacement       `xml:"placement"`
	Monitoring      instanceMonitoring      `xml:"monitoring"`
	SubnetID        string                  `xml:"subnetId,omitempty"`
	VPCID           string                  `xml:"vpcId,omitempty"`
	Address         string                  `xml:"privateIpAddress,omitempty"`
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
	Requester     string `xml:"-" filter:"requesterId"`
}

// stateReason says why an instance has its state.
type stateReason struct {
	Code    string `xml:"code"`
	Message string `xml:"message"`
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

	Partition *int `xml:"partitionNumber"`
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
	Prefixes    list[ipv4Prefix] `xml:"ipv4PrefixSet"`
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

var instances = &kind[instance]{
	prefix: "i", noun: "instance ID", code: "InvalidInstanceID",
	id: func(v instance) string { return v.InstanceID },
	computed: func(s *Service, tx *state.Txn) []instance {
		return s.shownInstances(tx, region.Instances.List(tx))
	},
	find: func(s *Service, tx *state.Txn, ids []string) []instance {
		var all []region.Instance
		for _, id := range ids {
			if v, found := region.Instances.Get(tx, id); found {
				all = append(all, v)
			}
		}
		return s.shownInstances(tx, all)
	},
}

// shownInstances are instances as EC2 shows them, without their tags.
func (s *Service) shownInstances(tx *state.Txn, of []region.Instance) []instance {
	byInstance := map[string]networkInterface{}
	for _, v := range s.interfacesOf(tx, of) {
		byInstance[v.Attachment.InstanceID] = v
	}
	all := make([]instance, 0, len(of))
	for _, v := range of {
		all = append(all, s.shownInstance(tx, v, byInstance[v.ID]))
	}
	return all
}

func (s *Service) shownInstance(tx *state.Txn, v region.Instance, eni networkInterface) instance {
	d, launched := s.detailsOf(tx, v.ID), timestamp(v.Launched)
	shown := instance{
		InstanceID: v.ID, ImageID: v.Launch.ImageID, State: stateOf(v.State), DNSName: v.DNSName,
		Reason: transitionReason(v), StateReason: reasonOf(v), KeyName: v.Launch.KeyName, LaunchIndex: v.LaunchIndex,
		Type: v.Launch.Type, LaunchTime: launched, ClientToken: v.ClientToken,
		Placement: instancePlacement{Zone: v.Zone, ZoneID: s.zoneID(v.Zone), Group: d.Placement.GroupName,
			Tenancy: cmp.Or(d.Placement.Tenancy, "default"), Partition: d.Placement.Partition},
		Monitoring: instanceMonitoring{monitoringState(d)}, SubnetID: v.SubnetID,
		VPCID: v.VPCID, Address: v.Address, SourceDestCheck: !d.NoSourceCheck, Groups: eni.Groups,
		Profile: profileOf(tx, v.Launch.Profile), Architecture: architectureOf(v.Launch.Type),
		RootDeviceType: "ebs", RootDeviceName: d.Root.Device, Virtualization: "hvm", Hypervisor: "xen",
		EBSOptimized: d.EBSOptimized == nil || *d.EBSOptimized, ENASupport: !d.NoENA,
		instanceOptions: optionsOf(v, d), ReservationID: v.ReservationID, OwnerID: s.VPC.AccountID, Requester: v.Requester,
	}
	if v.Launch.Spot {
		shown.Lifecycle, shown.SpotRequestID = "spot", d.SpotRequestID
	}
	if v.State == region.InstanceTerminated {
		shown.DNSName, shown.SourceDestCheck = "", false
		return shown
	}
	shown.Devices = s.devicesOf(tx, v)
	if eni.InterfaceID == "" {
		return shown
	}
	shown.Interfaces = list[instanceInterface]{s.ownInterface(tx, eni)}
	for _, other := range s.shownInterfaces(tx, region.InterfacesByInstance.Of(v.ID).List(tx)) {
		shown.Interfaces = append(shown.Interfaces, s.ownInterface(tx, other))
	}
	if eni.Association != nil {
		shown.PublicIP, shown.PublicDNSName = eni.Association.PublicIP, eni.Association.DNSName
	}
	return shown
}

// devicesOf are an instance's volumes as it shows them.
func (s *Service) devicesOf(tx *state.Txn, v region.Instance) list[instanceDevice] {
	all := list[instanceDevice]{}
	for _, one := range s.attachedTo(tx, v) {
		a, _ := one.AttachedTo(v.ID)
		all = append(all, instanceDevice{a.Device, ebsDevice{one.ID, string(a.State), timestamp(a.At), a.Deletes}})
	}
	return all
}

// stateOf is a state as EC2 shows it.
func stateOf(v region.InstanceState) instanceState { return instanceState{v.Code(), string(v)} }

// reasonOf is why an instance has its state; nil where there is nothing to say.
func reasonOf(v region.Instance) *stateReason {
	if v.Reason == (region.StateReason{}) {
		return nil
	}
	return &stateReason{v.Reason.Code, v.Reason.Message}
}

// transitionReason is the same as EC2 tells it in a member that is older.
func transitionReason(v region.Instance) string {
	switch v.Reason.Code {
	case "", region.LaunchPending.Code:
		return ""
	case region.UserShutdown.Code:
		return "User initiated (" + v.Since.UTC().Format("2006-01-02 15:04:05") + " GMT)"
	}
	return v.Reason.Code
}

func monitoringState(d instanceDetails) string {
	if d.Monitored {
		return "enabled"
	}
	return "disabled"
}

// ownInterface is an instance's interface as it shows it.
func (s *Service) ownInterface(tx *state.Txn, eni networkInterface) instanceInterface {
	a := eni.Attachment
	public := func(has *interfaceAddress) *ownAddress {
		if has == nil {
			return nil
		}
		return &ownAddress{has.OwnerID, has.DNSName, has.PublicIP, has.AllocationID, has.AssociationID}
	}
	own := instanceInterface{
		InterfaceID: eni.InterfaceID, SubnetID: eni.SubnetID, VPCID: eni.VPCID, OwnerID: eni.OwnerID, Status: eni.Status,
		MAC: eni.MAC, Address: eni.Address, DNSName: eni.DNSName, Groups: eni.Groups, Association: public(eni.Association),
		Description: eni.Description, DestCheck: eni.SourceDestCheck, Type: eni.Type,
		Attachment: ownAttachment{a.AttachmentID, a.DeviceIndex, a.CardIndex, a.Status, a.AttachTime, a.DeleteOnTermination,
			a.InstanceID, a.InstanceOwnerID},
		Tags: s.tagsOf(tx, eni.InterfaceID), Zone: eni.Zone, Prefixes: eni.Prefixes,
	}
	for _, one := range eni.Addresses {
		own.Addresses = append(own.Addresses, hasAddress{one.Address, one.DNSName, one.Primary, public(one.Association)})
	}
	return own
}

// profileOf is an instance's profile; nil where it has none, or one that is gone.
func profileOf(tx *state.Txn, name string) *assignedProfile {
	if name == "" {
		return nil
	}
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

// reservation is what one launch made.
type reservation struct {
	ReservationID string          `xml:"reservationId"`
	OwnerID       string          `xml:"ownerId"`
	Groups        list[groupName] `xml:"groupSet"`
	Instances     list[instance]  `xml:"instancesSet"`
	Requester     string          `xml:"requesterId,omitempty"`
}

type describeInstancesOutput struct {
	Reservations list[reservation] `xml:"reservationSet"`
	NextToken    string            `xml:"nextToken,omitempty"`
}

func (s *Service) describeInstances(call *operation.Call, in *describeInstancesInput) (*describeInstancesOutput,
	error) {
	if len(in.IDs) > 0 && in.MaxResults != nil {
		return nil, refuse("InvalidParameterCombination",
			"The parameter instancesSet cannot be used with the parameter maxResults")
	}
	found, next, err := describe(s, call, instances, in.IDs, page{in.Filters, in.MaxResults, in.NextToken},
		func(tx *state.Txn, v *instance) { v.Tags = s.tagsOf(tx, v.InstanceID) })
	slices.SortStableFunc(found, func(a, b instance) int { // as they were launched
		return cmp.Or(cmp.Compare(a.LaunchTime, b.LaunchTime), cmp.Compare(a.ReservationID, b.ReservationID),
			cmp.Compare(a.LaunchIndex, b.LaunchIndex))
	})
	out := &describeInstancesOutput{NextToken: next}
	for _, v := range found {
		at := slices.IndexFunc(out.Reservations, func(r reservation) bool { return r.ReservationID == v.ReservationID })
		if at < 0 {
			at = len(out.Reservations)
			out.Reservations = append(out.Reservations, s.reservationOf(v))
		}
		out.Reservations[at].Instances = append(out.Reservations[at].Instances, v)
	}
	return out, err
}

// reservationOf is an instance's reservation, without its instances.
func (s *Service) reservationOf(v instance) reservation {
	return reservation{ReservationID: v.ReservationID, OwnerID: s.VPC.AccountID, Requester: v.Requester}
}
