package ec2

import (
	"tripod/awsapi/wire"
	"tripod/nodes/machine"
	"tripod/region"
)

// instance is a node's machine as EC2 shows it. Its image and metadata options are not told: nothing here has any.
type instance struct {
	InstanceID      string                  `xml:"instanceId"`
	State           instanceState           `xml:"instanceState"`
	DNSName         string                  `xml:"privateDnsName"`
	PublicDNSName   string                  `xml:"dnsName"`
	LaunchIndex     int                     `xml:"amiLaunchIndex"`
	Type            string                  `xml:"instanceType"`
	LaunchTime      string                  `xml:"launchTime"`
	Placement       instancePlacement       `xml:"placement"`
	Monitoring      instanceMonitoring      `xml:"monitoring"`
	SubnetID        string                  `xml:"subnetId"`
	VPCID           string                  `xml:"vpcId"`
	Address         string                  `xml:"privateIpAddress"`
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
	InterfaceID string              `xml:"networkInterfaceId"`
	SubnetID    string              `xml:"subnetId"`
	VPCID       string              `xml:"vpcId"`
	OwnerID     string              `xml:"ownerId"`
	Status      string              `xml:"status"`
	MAC         string              `xml:"macAddress"`
	Address     string              `xml:"privateIpAddress"`
	DNSName     string              `xml:"privateDnsName"`
	Groups      list[groupName]     `xml:"groupSet"`
	Attachment  interfaceAttachment `xml:"attachment"`
	Addresses   list[address]       `xml:"privateIpAddressesSet"`
}

// rootDevice is where EKS's images have their root volume.
const rootDevice = "/dev/xvda"

// running is the only state that an instance has here: what a fault does to a zone EC2's API does not tell.
var running = instanceState{16, "running"}

var instances = &kind[instance]{
	prefix: "i", noun: "instance ID", code: "InvalidInstanceID",
	id:       func(v instance) string { return v.InstanceID },
	computed: func(s *Service, tx *region.Txn) []instance { return s.instances(tx) },
	filters: filters[instance]{
		"instance-id": one(func(v instance) string { return v.InstanceID }), "instance-type": one(func(v instance) string { return v.Type }),
		"instance-state-name": one(func(v instance) string { return v.State.Name }), "instance-state-code": one(func(instance) string { return "16" }),
		"availability-zone": one(func(v instance) string { return v.Placement.Zone }), "availability-zone-id": one(func(v instance) string { return v.Placement.ZoneID }),
		"private-dns-name": one(func(v instance) string { return v.DNSName }), "private-ip-address": one(func(v instance) string { return v.Address }),
		"subnet-id": one(func(v instance) string { return v.SubnetID }), "vpc-id": one(func(v instance) string { return v.VPCID }),
		"architecture": one(func(v instance) string { return v.Architecture }), "tenancy": one(func(v instance) string { return v.Placement.Tenancy }),
		"launch-time": one(func(v instance) string { return v.LaunchTime }), "root-device-type": one(func(v instance) string { return v.RootDeviceType }),
		"instance.group-id": func(v instance) []string {
			return each(v.Groups, func(g groupName) string { return g.GroupID })
		},
		"iam-instance-profile.arn": one(func(v instance) string {
			if v.Profile == nil {
				return ""
			}
			return v.Profile.ARN
		}),
		"network-interface.network-interface-id": one(func(v instance) string { return v.Interfaces[0].InterfaceID }),
		"network-interface.private-dns-name":     one(func(v instance) string { return v.DNSName }),
		"block-device-mapping.volume-id":         one(func(v instance) string { return v.Devices[0].EBS.VolumeID }),
	},
}

// instances are the nodes' machines.
func (s *Service) instances(tx *region.Txn) (all []instance) {
	byInstance := map[string]networkInterface{}
	for _, v := range s.nodeInterfaces(tx) {
		byInstance[v.Attachment.InstanceID] = v
	}
	for _, n := range s.Nodes(tx) {
		eni := byInstance[n.ID]
		all = append(all, instance{
			InstanceID: n.ID, State: running, DNSName: n.DNSName, Type: machine.DefaultType, LaunchTime: timestamp(n.Launched),
			Placement: instancePlacement{Zone: n.Zone, ZoneID: n.ZoneID, Tenancy: "default"}, Monitoring: instanceMonitoring{"disabled"}, SubnetID: n.SubnetID, VPCID: eni.VPCID,
			Address: n.Address, SourceDestCheck: true, Groups: eni.Groups, Profile: profileOf(tx, n.Profile), Architecture: "x86_64", RootDeviceType: "ebs", RootDeviceName: rootDevice,
			Devices:        list[instanceDevice]{{rootDevice, ebsDevice{n.VolumeID, "attached", timestamp(n.Launched), true}}},
			Virtualization: "hvm", Hypervisor: "xen", EBSOptimized: true, ENASupport: true,
			Interfaces: list[instanceInterface]{{eni.InterfaceID, eni.SubnetID, eni.VPCID, eni.OwnerID, eni.Status, eni.MAC, eni.Address, eni.DNSName, eni.Groups,
				eni.Attachment, eni.Addresses}},
		})
	}
	return all
}

// profileOf is an instance's profile; nil where it has none, or one that is gone.
func profileOf(tx *region.Txn, name string) *assignedProfile {
	if profile, found := region.InstanceProfiles.Get(tx, name); found {
		return &assignedProfile{profile.ARN, profile.ID}
	}
	return nil
}

func (s *Service) instanceActions() map[string]action {
	return map[string]action{
		"DescribeInstances": typed(s.describeInstances), "DescribeInstanceStatus": typed(s.describeInstanceStatus), "DescribeVolumes": typed(s.describeVolumes),
	}
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

func (s *Service) describeInstances(call *wire.Call, in *describeInstancesInput) (*describeInstancesOutput, error) {
	found, next, err := describe(s, call, instances, in.IDs, page{in.Filters, in.MaxResults, in.NextToken},
		func(tx *region.Txn, v *instance) { v.Tags = s.tagsOf(tx, v.InstanceID) })
	out := &describeInstancesOutput{NextToken: next}
	for _, v := range found {
		out.Reservations = append(out.Reservations, reservation{ReservationID: id("r", v.InstanceID), OwnerID: s.VPC.AccountID, Instances: list[instance]{v}})
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
	Events     list[struct{}] `xml:"eventsSet"`
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

func (s *Service) describeInstanceStatus(call *wire.Call, in *describeInstanceStatusInput) (*describeInstanceStatusOutput, error) {
	found, next, err := describe(s, call, instances, in.IDs, page{in.Filters, in.MaxResults, in.NextToken}, func(*region.Txn, *instance) {})
	out := &describeInstanceStatusOutput{NextToken: next}
	well := statusSummary{"ok", list[statusDetail]{{"reachability", "passed"}}}
	for _, v := range found {
		out.Statuses = append(out.Statuses, instanceStatus{InstanceID: v.InstanceID, Zone: v.Placement.Zone, ZoneID: v.Placement.ZoneID, State: v.State, System: well, Instance: well})
	}
	return out, err
}
