package ec2

import (
	"cmp"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/state"
)

// vpcEndpoint is a VPC endpoint as stored and as EC2 shows it. It is recorded only: nothing is reached by it.
type vpcEndpoint struct {
	EndpointID       string                `xml:"vpcEndpointId"`
	Type             string                `xml:"vpcEndpointType"`
	VPCID            string                `xml:"vpcId"`
	ServiceName      string                `xml:"serviceName"`
	State            string                `xml:"state"`
	Policy           string                `xml:"policyDocument"`
	RouteTableIDs    list[string]          `xml:"routeTableIdSet"`
	SubnetIDs        list[string]          `xml:"subnetIdSet"`
	Groups           list[groupName]       `xml:"groupSet"`
	AddressType      string                `xml:"ipAddressType"`
	DNS              endpointDNS           `xml:"dnsOptions"`
	PrivateDNS       bool                  `xml:"privateDnsEnabled"`
	RequesterManaged bool                  `xml:"requesterManaged"`
	InterfaceIDs     list[string]          `xml:"networkInterfaceIdSet" json:"-"`
	DNSEntries       list[endpointDNSName] `xml:"dnsEntrySet" json:"-"`
	Created          string                `xml:"creationTimestamp"`
	Tags             list[tag]             `xml:"tagSet" json:"-"`
	OwnerID          string                `xml:"ownerId"`
	Region           string                `xml:"serviceRegion"`

	Token string `xml:"-"` // the call's ClientToken
	// Hosts are its addresses by subnets where they do not follow from its id.
	Hosts map[string]string `xml:"-" json:",omitempty"`
}

// endpointDNS says how an endpoint's service is named in its VPC.
type endpointDNS struct {
	RecordType  string `xml:"dnsRecordIpType"`
	InboundOnly *bool  `xml:"privateDnsOnlyForInboundResolverEndpoint"`
}

type endpointDNSName struct {
	Name string `xml:"dnsName"`
	Zone string `xml:"hostedZoneId"`
}

// The types of endpoints.
const gatewayEndpoint, interfaceEndpoint = "Gateway", "Interface"

// The policies that endpoints have unless they are given one.
const (
	gatewayEndpointPolicy = `{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*",` +
		`"Resource":"*"}]}`
	interfaceEndpointPolicy = `{"Statement":[{"Action":"*","Effect":"Allow","Principal":"*","Resource":"*"}]}`
)

var vpcEndpoints = &kind[vpcEndpoint]{
	table: state.NewTable[entry[vpcEndpoint]]("ec2-vpc-endpoint"), prefix: "vpce", noun: "Vpc Endpoint Id",
	code: "InvalidVpcEndpointId",
	id:   func(v vpcEndpoint) string { return v.EndpointID },
}

// shownEndpoint is the endpoint with what is not stored: its tags, interfaces and names.
func (s *Service) shownEndpoint(tx *state.Txn, v vpcEndpoint) vpcEndpoint {
	v.Tags = s.tagsOf(tx, v.EndpointID)
	if v.Type != interfaceEndpoint {
		return v
	}
	service := strings.TrimPrefix(v.ServiceName, "com.amazonaws."+s.VPC.Region+".")
	zone := "Z" + strings.ToUpper(id("zone", v.ServiceName)[6:19])
	v.DNSEntries = append(v.DNSEntries,
		endpointDNSName{v.EndpointID + "-" + id("dns", v.EndpointID)[5:13] + "." + service + "." +
			s.VPC.Region + ".vpce.amazonaws.com", zone})
	for _, subnetID := range v.SubnetIDs {
		v.InterfaceIDs = append(v.InterfaceIDs, id("eni", v.EndpointID, subnetID))
	}
	if v.PrivateDNS {
		v.DNSEntries = append(v.DNSEntries, endpointDNSName{service + "." + s.VPC.Region + ".amazonaws.com", zone})
	}
	return v
}

// endpointInterfaces are those by which interface endpoints are in their subnets.
func (s *Service) endpointInterfaces(tx *state.Txn) (all []networkInterface) {
	for _, v := range vpcEndpoints.all(s, tx) {
		for _, subnetID := range v.SubnetIDs {
			home, err := subnets.get(s, tx, subnetID)
			block, parseErr := netip.ParsePrefix(home.CIDRBlock)
			if err != nil || parseErr != nil {
				continue // an endpoint keeps its subnets
			}
			ip := cmp.Or(v.Hosts[subnetID], endpointHost(v.EndpointID, block).String())
			name := s.VPC.dnsName(ip)
			all = append(all, networkInterface{
				InterfaceID: id("eni", v.EndpointID, subnetID), SubnetID: subnetID, VPCID: home.VPCID, Zone: home.Zone,
				ZoneID:      home.ZoneID,
				Description: "VPC Endpoint Interface " + v.EndpointID, OwnerID: s.VPC.AccountID, RequesterID: "amazon-aws",
				RequesterManaged: true, Status: "in-use",
				MAC: macAddress(v.EndpointID, subnetID), Address: ip, DNSName: name, SourceDestCheck: true, Type: "vpc_endpoint",
				Groups:    v.Groups,
				Addresses: list[address]{{Address: ip, DNSName: name, Primary: true}},
				Attachment: interfaceAttachment{AttachmentID: id("ela-attach", v.EndpointID, subnetID),
					InstanceOwnerID: "amazon-aws", DeviceIndex: 1, Status: "attached", AttachTime: v.Created},
			})
		}
	}
	return all
}

// endpointHost is an endpoint's address in a subnet, as long as nobody has that: one of the upper half, by its id.
func endpointHost(endpointID string, block netip.Prefix) netip.Addr {
	address := block.Addr().As4()
	span := uint32(1) << (32 - block.Bits())
	var host uint32
	for _, c := range []byte(endpointID) {
		host = host*31 + uint32(c)
	}
	host = span/2 + host%(span/2-1) // not the last, which AWS keeps for itself
	n := uint32(address[0])<<24 | uint32(address[1])<<16 | uint32(address[2])<<8 | uint32(address[3]) + host
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// endpointRoutes are those that gateway endpoints put into a table.
func (s *Service) endpointRoutes(tx *state.Txn, tableID string) (all []route) {
	for _, v := range vpcEndpoints.all(s, tx) {
		if slices.Contains(v.RouteTableIDs, tableID) {
			all = append(all, route{PrefixListID: prefixListID(v.ServiceName), GatewayID: v.EndpointID, Origin: "CreateRoute",
				State: "active"})
		}
	}
	return all
}

type describeEndpointsInput struct {
	IDs        []string `ec2:"VpcEndpointId"`
	Filters    []filter `ec2:"Filter"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
}

type describeEndpointsOutput struct {
	Endpoints list[vpcEndpoint] `xml:"vpcEndpointSet"`
	NextToken string            `xml:"nextToken,omitempty"`
}

func (s *Service) describeEndpoints(call *operation.Call, in *describeEndpointsInput) (*describeEndpointsOutput,
	error) {
	found, next, err := describe(s, call, vpcEndpoints, in.IDs, page{in.Filters, in.MaxResults, in.NextToken},
		func(tx *state.Txn, v *vpcEndpoint) { *v = s.shownEndpoint(tx, *v) })
	return &describeEndpointsOutput{found, next}, err
}

type endpointDNSInput struct {
	RecordType  string `ec2:"DnsRecordIpType"`
	InboundOnly *bool  `ec2:"PrivateDnsOnlyForInboundResolverEndpoint"`
}

type createEndpointInput struct {
	Type           string             `ec2:"VpcEndpointType"`
	VPCID          string             `ec2:"VpcId,required"`
	ServiceName    string             `ec2:"ServiceName"`
	Policy         string             `ec2:"PolicyDocument"`
	RouteTableIDs  []string           `ec2:"RouteTableId"`
	SubnetIDs      []string           `ec2:"SubnetId"`
	GroupIDs       []string           `ec2:"SecurityGroupId"`
	AddressType    string             `ec2:"IpAddressType"`
	DNS            endpointDNSInput   `ec2:"DnsOptions"`
	Token          string             `ec2:"ClientToken"`
	PrivateDNS     *bool              `ec2:"PrivateDnsEnabled"`
	Specifications []tagSpecification `ec2:"TagSpecification"`
}

type createEndpointOutput struct {
	Endpoint vpcEndpoint `xml:"vpcEndpoint"`
	Token    string      `xml:"clientToken,omitempty"`
}

func (s *Service) createEndpoint(call *operation.Call, in *createEndpointInput) (*createEndpointOutput, error) {
	kind := cmp.Or(in.Type, gatewayEndpoint)
	if err := s.checkEndpoint(in, kind); err != nil {
		return nil, err
	}
	given, err := newTags(in.Specifications, "vpc-endpoint")
	if err != nil {
		return nil, err
	}
	made := vpcEndpoint{EndpointID: newID("vpce"), Type: kind, VPCID: in.VPCID, ServiceName: in.ServiceName,
		State:  "available",
		Policy: cmp.Or(in.Policy, defaultEndpointPolicy(kind)), AddressType: "ipv4",
		DNS:        endpointDNS{"ipv4", in.DNS.InboundOnly},
		PrivateDNS: kind == interfaceEndpoint && (in.PrivateDNS == nil || *in.PrivateDNS),
		Created:    timestamp(s.now()), OwnerID: s.VPC.AccountID, Region: s.VPC.Region, Token: in.Token}
	if kind == gatewayEndpoint {
		made.DNS.RecordType = "service-defined"
	}
	made.DNS.RecordType = cmp.Or(in.DNS.RecordType, made.DNS.RecordType)
	out := &createEndpointOutput{Token: in.Token}
	return change(s, call, out, func(tx *state.Txn) error {
		for _, earlier := range vpcEndpoints.all(s, tx) {
			if in.Token != "" && earlier.Token == in.Token {
				if earlier.VPCID != in.VPCID || earlier.ServiceName != in.ServiceName {
					return refuse("IdempotentParameterMismatch", "The ClientToken was used before, with other parameters.")
				}
				out.Endpoint = s.shownEndpoint(tx, earlier)
				return nil
			}
		}
		v := made
		if err := s.fillEndpoint(tx, &v,
			endpointChange{tables: in.RouteTableIDs, subnets: in.SubnetIDs, groups: in.GroupIDs}); err != nil {
			return err
		}
		vpcEndpoints.put(s, tx, v)
		tags.Put(tx, v.EndpointID, given)
		out.Endpoint = s.shownEndpoint(tx, v)
		return nil
	})
}

func defaultEndpointPolicy(kind string) string {
	if kind == gatewayEndpoint {
		return gatewayEndpointPolicy
	}
	return interfaceEndpointPolicy
}

// endpointService is the form of the names of AWS's services and of those that others offer. Which of them there are
// AWS knows alone.
var endpointService = regexp.MustCompile(`^(com\.amazonaws|aws\.[a-z]+)\.[a-z0-9.-]+$`)

// checkEndpoint refuses what an endpoint of that type cannot have.
func (s *Service) checkEndpoint(in *createEndpointInput, kind string) error {
	gateways := slices.Contains(gatewayServices, strings.TrimPrefix(in.ServiceName, "com.amazonaws."+s.VPC.Region+"."))
	switch {
	case kind != gatewayEndpoint && kind != interfaceEndpoint:
		return refuse("UnsupportedOperation", "Tripod has gateway and interface endpoints only yet: not those of "+
			"the type %s.", clip(kind))
	case in.ServiceName == "":
		return refuse("MissingParameter", "The request must contain the parameter serviceName")
	case !endpointService.MatchString(in.ServiceName) || !strings.Contains(in.ServiceName, "."+s.VPC.Region+"."):
		return refuse("InvalidServiceName", "The Vpc Endpoint Service '%s' does not exist", clip(in.ServiceName))
	case kind == gatewayEndpoint && !gateways:
		return refuse("InvalidParameter", "Endpoint type (Gateway) does not match available service types ([Interface]).")
	case kind == gatewayEndpoint && (len(in.SubnetIDs) > 0 || len(in.GroupIDs) > 0):
		return refuse("InvalidParameter", "Subnets and security groups are not supported for endpoints of the type Gateway.")
	case kind == gatewayEndpoint && in.PrivateDNS != nil && *in.PrivateDNS:
		return refuse("InvalidParameter", "Private DNS can only be enabled for endpoints of the type Interface.")
	case kind == interfaceEndpoint && len(in.RouteTableIDs) > 0:
		return refuse("InvalidParameter", "Route tables are not supported for endpoints of the type Interface.")
	case in.AddressType != "" && in.AddressType != "ipv4":
		return refuse("UnsupportedOperation", "Tripod has endpoints of the IpAddressType ipv4 only yet.")
	case len(in.Token) > 64:
		return refuse("InvalidParameterValue", "ClientToken must be at most 64 characters.")
	}
	return nil
}
