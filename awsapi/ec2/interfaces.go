package ec2

import (
	"cmp"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

// networkInterface is a network interface as EC2 shows it. Those with a record are region.NetworkInterface; the others follow
// from what they belong to.
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
	Attachment       interfaceAttachment `xml:"attachment"` // the zero value while nobody has it
	Addresses        list[address]       `xml:"privateIpAddressesSet"`
	Prefixes         list[ipv4Prefix]    `xml:"ipv4PrefixSet"`
	Addresses6       list[struct{}]      `xml:"ipv6AddressesSet"`
	Type             string              `xml:"interfaceType"`
	Association      *interfaceAddress   `xml:"association"`
	Operator         operator            `xml:"operator"`
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
	CardIndex           int    `xml:"networkCardIndex"`
	Status              string `xml:"status"`
	AttachTime          string `xml:"attachTime,omitempty"`
	DeleteOnTermination bool   `xml:"deleteOnTermination"`
}

// absent says that the interface is nobody's: then it shows none, and no filter finds it.
func (a interfaceAttachment) absent() bool { return a.AttachmentID == "" }

// MarshalXML implements xml.Marshaler.
func (a interfaceAttachment) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	if a.absent() {
		return nil
	}
	type shown interfaceAttachment
	return e.EncodeElement(shown(a), start)
}

// interfaceAddress is the Elastic IP address that an interface has.
type interfaceAddress struct {
	AllocationID  string `xml:"allocationId"`
	AssociationID string `xml:"associationId"`
	OwnerID       string `xml:"ipOwnerId"`
	PublicIP      string `xml:"publicIp"`
	DNSName       string `xml:"publicDnsName"`
}

// operator says that no service of AWS manages a resource in its owner's stead.
type operator struct {
	Managed bool `xml:"managed"`
}

// ipv4Prefix is a block of addresses that an interface has.
type ipv4Prefix struct {
	Prefix string `xml:"ipv4Prefix"`
}

type address struct {
	Address     string            `xml:"privateIpAddress"`
	DNSName     string            `xml:"privateDnsName"`
	Primary     bool              `xml:"primary"`
	Association *interfaceAddress `xml:"association"`
}

var interfaces = &kind[networkInterface]{
	prefix: "eni", noun: "networkInterface ID", code: "InvalidNetworkInterfaceID",
	misnamed: "InvalidNetworkInterfaceId.Malformed",
	id:       func(v networkInterface) string { return v.InterfaceID },
	computed: func(s *Service, tx *state.Txn) []networkInterface {
		return slices.Concat(s.recordedInterfaces(tx), s.derivedInterfaces(tx))
	},
	find: func(s *Service, tx *state.Txn, ids []string) (all []networkInterface) {
		var recorded []region.NetworkInterface
		for _, id := range ids {
			if v, found := region.NetworkInterfaces.Get(tx, id); found && !v.Primary() {
				recorded = append(recorded, v)
			}
		}
		all = s.shownInterfaces(tx, recorded)
		if len(all) < len(ids) {
			for _, v := range s.derivedInterfaces(tx) {
				if slices.Contains(ids, v.InterfaceID) {
					all = append(all, v)
				}
			}
		}
		slices.SortFunc(all, func(a, b networkInterface) int {
			return cmp.Compare(slices.Index(ids, a.InterfaceID), slices.Index(ids, b.InterfaceID))
		})
		return all
	},
}

// derivedInterfaces are those that follow from something else: an instance's first one, and those of AWS's services.
func (s *Service) derivedInterfaces(tx *state.Txn) []networkInterface {
	return slices.Concat(s.serviceInterfaces(tx), s.nodeInterfaces(tx), s.fargateInterfaces(tx))
}

// interfaceHost is the place of a control plane's interface in its subnet. In the default private subnets this is
// az.Interface, where it truly answers.
const interfaceHost = 10

// controlPlaneInterfaces are the clusters': in each zone one, in the first of the cluster's subnets there.
func (s *Service) controlPlaneInterfaces(tx *state.Txn) []networkInterface {
	byID, names := map[string]subnet{}, s.groupNames(tx)
	for _, v := range subnets.all(s, tx) {
		byID[v.SubnetID] = v
	}
	var all []networkInterface
	for _, c := range s.clusters(tx) {
		inUse := map[string]bool{}
		for _, subnetID := range c.SubnetIDs {
			v, found := byID[subnetID]
			if !found || v.IPv6Native || inUse[v.Zone] {
				continue
			}
			inUse[v.Zone] = true
			all = append(all, s.controlPlaneInterface(c, v, names))
		}
	}
	return all
}

func (s *Service) controlPlaneInterface(c ClusterNetwork, v subnet, groupNames func(string) string) networkInterface {
	ip := netip.MustParsePrefix(v.CIDRBlock).Addr()
	for range interfaceHost {
		ip = ip.Next()
	}
	dnsName := s.VPC.dnsName(ip.String())
	eni := networkInterface{
		InterfaceID: id("eni", c.ID, v.Zone), SubnetID: v.SubnetID, VPCID: v.VPCID, Zone: v.Zone, ZoneID: v.ZoneID,
		Description: "Amazon EKS " + c.Name,
		OwnerID:     s.VPC.AccountID, RequesterID: "amazon-eks", RequesterManaged: true, Status: "in-use",
		MAC: macAddress(c.ID, v.Zone), Address: ip.String(),
		DNSName: dnsName, SourceDestCheck: true, Type: "interface",
		Addresses: list[address]{{Address: ip.String(), DNSName: dnsName, Primary: true}},
		Attachment: interfaceAttachment{AttachmentID: id("eni-attach", c.ID, v.Zone), InstanceOwnerID: "amazon-eks",
			DeviceIndex: 1, Status: "attached"},
	}
	for _, groupID := range append([]string{s.VPC.ClusterSecurityGroupID(c.ID)}, c.SecurityGroupIDs...) {
		eni.Groups = append(eni.Groups, groupName{groupID, groupNames(groupID)})
	}
	return eni
}

// dnsName is the private name of an address.
func (v VPC) dnsName(ip string) string {
	return "ip-" + strings.ReplaceAll(ip, ".", "-") + "." + v.privateDomain()
}

// natInterfaces are those by which NAT gateways are in their subnets.
func (s *Service) natInterfaces(tx *state.Txn) (all []networkInterface) {
	for _, g := range natGateways.all(s, tx) {
		home, err := subnets.get(s, tx, g.SubnetID)
		if err != nil {
			continue // a gateway keeps its subnet
		}
		own := g.Addresses[0]
		eni := networkInterface{
			InterfaceID: g.interfaceID(), SubnetID: home.SubnetID, VPCID: home.VPCID, Zone: home.Zone, ZoneID: home.ZoneID,
			Description: "Interface for NAT Gateway " + g.GatewayID, OwnerID: s.VPC.AccountID, RequesterID: s.VPC.AccountID,
			RequesterManaged: true, Status: "in-use",
			MAC: macAddress(g.GatewayID, home.Zone), Address: own.PrivateIP, DNSName: s.VPC.dnsName(own.PrivateIP),
			Type: "nat_gateway",
			Attachment: interfaceAttachment{AttachmentID: id("ela-attach", g.GatewayID), InstanceOwnerID: "amazon-aws",
				DeviceIndex: 1, Status: "attached", AttachTime: g.Created},
		}
		if own.AllocationID != "" {
			eni.Association = &interfaceAddress{own.AllocationID, own.AssociationID, s.VPC.AccountID, own.PublicIP,
				s.VPC.publicDNSName(own.PublicIP)}
		}
		eni.Addresses = list[address]{{eni.Address, eni.DNSName, true, eni.Association}}
		all = append(all, eni)
	}
	return all
}

// macAddress is a locally administered one, as EC2's are: 02 and five bytes that follow from cluster and zone.
func macAddress(clusterID, zone string) string {
	digits := strings.TrimPrefix(id("mac", clusterID, zone), "mac-0")
	b, _ := hex.DecodeString(digits[:10])
	return fmt.Sprintf("02:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4])
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

func (s *Service) describeInterfaces(call *operation.Call, in *describeInterfacesInput) (*describeInterfacesOutput,
	error) {
	found, next, err := describe(s, call, interfaces, in.IDs, page{in.Filters, in.MaxResults, in.NextToken},
		func(tx *state.Txn, v *networkInterface) { v.Tags = s.tagsOf(tx, v.InterfaceID) })
	return &describeInterfacesOutput{found, next}, err
}
