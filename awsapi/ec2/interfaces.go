package ec2

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"

	"tripod/awsapi/wire"
	"tripod/region"
)

// networkInterface is a network interface as EC2 shows it: clusters' control planes have them, and nodes.
type networkInterface struct {
	InterfaceID      string              `xml:"networkInterfaceId"`
	SubnetID         string              `xml:"subnetId"`
	VPCID            string              `xml:"vpcId"`
	Zone             string              `xml:"availabilityZone"`
	ZoneID           string              `xml:"availabilityZoneId"`
	Description      string              `xml:"description"`
	OwnerID          string              `xml:"ownerId"`
	RequesterID      string              `xml:"requesterId"`
	RequesterManaged bool                `xml:"requesterManaged"`
	Status           string              `xml:"status"`
	MAC              string              `xml:"macAddress"`
	Address          string              `xml:"privateIpAddress"`
	DNSName          string              `xml:"privateDnsName"`
	SourceDestCheck  bool                `xml:"sourceDestCheck"`
	Groups           list[groupName]     `xml:"groupSet"`
	Attachment       interfaceAttachment `xml:"attachment"`
	Addresses        list[address]       `xml:"privateIpAddressesSet"`
	Addresses6       list[struct{}]      `xml:"ipv6AddressesSet"`
	Type             string              `xml:"interfaceType"`
	Tags             list[tag]           `xml:"tagSet"`
}

type groupName struct {
	GroupID   string `xml:"groupId"`
	GroupName string `xml:"groupName"`
}

// interfaceAttachment is to a node, or to an instance of EKS's own account, whose id nobody else sees.
type interfaceAttachment struct {
	AttachmentID        string `xml:"attachmentId"`
	InstanceID          string `xml:"instanceId,omitempty"`
	InstanceOwnerID     string `xml:"instanceOwnerId"`
	DeviceIndex         int    `xml:"deviceIndex"`
	Status              string `xml:"status"`
	DeleteOnTermination bool   `xml:"deleteOnTermination"`
}

type address struct {
	Address string `xml:"privateIpAddress"`
	DNSName string `xml:"privateDnsName"`
	Primary bool   `xml:"primary"`
}

var interfaces = &kind[networkInterface]{
	prefix: "eni", noun: "networkInterface ID", code: "InvalidNetworkInterfaceID",
	id: func(v networkInterface) string { return v.InterfaceID },
	computed: func(s *Service, tx *region.Txn) []networkInterface {
		return append(s.controlPlaneInterfaces(tx), s.nodeInterfaces(tx)...)
	},
	filters: filters[networkInterface]{
		"network-interface-id": one(func(v networkInterface) string { return v.InterfaceID }), "subnet-id": one(func(v networkInterface) string { return v.SubnetID }),
		"vpc-id": one(func(v networkInterface) string { return v.VPCID }), "availability-zone": one(func(v networkInterface) string { return v.Zone }),
		"description": one(func(v networkInterface) string { return v.Description }), "owner-id": one(func(v networkInterface) string { return v.OwnerID }),
		"requester-id": one(func(v networkInterface) string { return v.RequesterID }), "status": one(func(v networkInterface) string { return v.Status }),
		"requester-managed":            one(func(v networkInterface) string { return flag(v.RequesterManaged) }),
		"mac-address":                  one(func(v networkInterface) string { return v.MAC }),
		"private-ip-address":           one(func(v networkInterface) string { return v.Address }),
		"addresses.private-ip-address": one(func(v networkInterface) string { return v.Address }),
		"interface-type":               one(func(v networkInterface) string { return v.Type }),
		"attachment.status":            one(func(v networkInterface) string { return v.Attachment.Status }),
		"attachment.instance-id":       one(func(v networkInterface) string { return v.Attachment.InstanceID }),
		"group-id": func(v networkInterface) []string {
			return each(v.Groups, func(g groupName) string { return g.GroupID })
		},
		"group-name": func(v networkInterface) []string {
			return each(v.Groups, func(g groupName) string { return g.GroupName })
		},
	},
}

// interfaceHost is the place of a control plane's interface in its subnet. In the default private subnets this is az.Interface, where it truly answers.
const interfaceHost = 10

// controlPlaneInterfaces are the clusters': in each zone one, in the first of the cluster's subnets there.
func (s *Service) controlPlaneInterfaces(tx *region.Txn) []networkInterface {
	byID, names := map[string]subnet{}, map[string]string{}
	for _, v := range subnets.all(s, tx) {
		byID[v.SubnetID] = v
	}
	for _, g := range groups.all(s, tx) {
		names[g.GroupID] = g.GroupName
	}
	var all []networkInterface
	for _, c := range s.clusters(tx) {
		inUse := map[string]bool{}
		for _, subnetID := range c.SubnetIDs {
			v, found := byID[subnetID]
			if !found || inUse[v.Zone] {
				continue
			}
			inUse[v.Zone] = true
			all = append(all, s.controlPlaneInterface(c, v, names))
		}
	}
	return all
}

func (s *Service) controlPlaneInterface(c ClusterNetwork, v subnet, groupNames map[string]string) networkInterface {
	ip := netip.MustParsePrefix(v.CIDRBlock).Addr()
	for range interfaceHost {
		ip = ip.Next()
	}
	dnsName := "ip-" + strings.ReplaceAll(ip.String(), ".", "-") + "." + s.VPC.privateDomain()
	eni := networkInterface{
		InterfaceID: id("eni", c.ID, v.Zone), SubnetID: v.SubnetID, VPCID: v.VPCID, Zone: v.Zone, ZoneID: v.ZoneID, Description: "Amazon EKS " + c.Name,
		OwnerID: s.VPC.AccountID, RequesterID: "amazon-eks", RequesterManaged: true, Status: "in-use", MAC: macAddress(c.ID, v.Zone), Address: ip.String(),
		DNSName: dnsName, SourceDestCheck: true, Type: "interface", Addresses: list[address]{{ip.String(), dnsName, true}},
		Attachment: interfaceAttachment{AttachmentID: id("eni-attach", c.ID, v.Zone), InstanceOwnerID: "amazon-eks", DeviceIndex: 1, Status: "attached"},
	}
	for _, groupID := range append([]string{s.VPC.ClusterSecurityGroupID(c.ID)}, c.SecurityGroupIDs...) {
		eni.Groups = append(eni.Groups, groupName{groupID, groupNames[groupID]})
	}
	return eni
}

// macAddress is a locally administered one, as EC2's are: 02 and five bytes that follow from cluster and zone.
func macAddress(clusterID, zone string) string {
	digits := strings.TrimPrefix(id("mac", clusterID, zone), "mac-0")
	b, _ := hex.DecodeString(digits[:10])
	return fmt.Sprintf("02:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4])
}

func (s *Service) interfaceActions() map[string]action {
	return map[string]action{"DescribeNetworkInterfaces": typed(s.describeInterfaces)}
}

type describeInterfacesInput struct {
	IDs        []string `ec2:"NetworkInterfaceId"`
	Filters    []filter `ec2:"Filter"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
}

type describeInterfacesOutput struct {
	Interfaces list[networkInterface] `xml:"networkInterfaceSet"`
	NextToken  string                 `xml:"nextToken,omitempty"`
}

func (s *Service) describeInterfaces(call *wire.Call, in *describeInterfacesInput) (*describeInterfacesOutput, error) {
	found, next, err := describe(s, call, interfaces, in.IDs, page{in.Filters, in.MaxResults, in.NextToken},
		func(tx *region.Txn, v *networkInterface) { v.Tags = s.tagsOf(tx, v.InterfaceID) })
	return &describeInterfacesOutput{found, next}, err
}
