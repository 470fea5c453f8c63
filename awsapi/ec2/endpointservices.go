package ec2

import (
	"cmp"
	"slices"

	"tripod/awsapi/operation"
	"tripod/state"
)

// gatewayServices are the services with gateway endpoints, and their addresses here: ranges kept for documentation (RFC
// 5737).
var gatewayServices = []string{"s3", "dynamodb"}

var prefixListCIDRs = []string{"198.51.100.0/24", "192.0.2.0/24"}

// interfaceServices are services that EKS's nodes and users reach by interface endpoints ("Deploy private clusters" of
// the EKS guide, and the usual ones beside). An endpoint may name others.
var interfaceServices = []string{"autoscaling", "cloudformation", "dynamodb", "ec2", "ec2messages", "ecr.api",
	"ecr.dkr", "eks", "eks-auth",
	"elasticfilesystem", "elasticloadbalancing", "events", "guardduty-data", "kms", "lambda", "logs", "monitoring", "s3",
	"secretsmanager", "sns", "sqs",
	"ssm", "ssmmessages", "sts", "xray"}

// prefixListID is that of a gateway service's addresses.
func prefixListID(serviceName string) string {
	sum := id("pl", serviceName)
	return "pl-" + sum[len(sum)-8:]
}

type prefixList struct {
	ListID string       `xml:"prefixListId"`
	Name   string       `xml:"prefixListName"`
	CIDRs  list[string] `xml:"cidrSet"`
}

var prefixLists = &kind[prefixList]{
	prefix: "pl", noun: "prefix list ID", code: "InvalidPrefixListId", missing: "InvalidPrefixListID.NotFound",
	id: func(v prefixList) string { return v.ListID },
	computed: func(s *Service, _ *state.Txn) (all []prefixList) {
		for i, name := range gatewayServices {
			full := "com.amazonaws." + s.VPC.Region + "." + name
			all = append(all, prefixList{prefixListID(full), full, list[string]{prefixListCIDRs[i]}})
		}
		return all
	},
}

type describePrefixListsInput struct {
	IDs        []string `ec2:"PrefixListId"`
	Filters    []filter `ec2:"Filter"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
}

type describePrefixListsOutput struct {
	Lists     list[prefixList] `xml:"prefixListSet"`
	NextToken string           `xml:"nextToken,omitempty"`
}

func (s *Service) describePrefixLists(call *operation.Call, in *describePrefixListsInput) (*describePrefixListsOutput,
	error) {
	found, next, err := describe(s, call, prefixLists, in.IDs, page{in.Filters, in.MaxResults, in.NextToken},
		func(*state.Txn, *prefixList) {})
	return &describePrefixListsOutput{found, next}, err
}

// endpointServiceDetail is a service that endpoints can be for, as EC2 shows it.
type endpointServiceDetail struct {
	Name         string             `xml:"serviceName"`
	ServiceID    string             `xml:"serviceId"`
	Types        list[endpointType] `xml:"serviceType"`
	Region       string             `xml:"serviceRegion"`
	ZoneIDs      list[string]       `xml:"availabilityZoneIdSet"`
	Zones        list[string]       `xml:"availabilityZoneSet"`
	Owner        string             `xml:"owner"`
	BaseNames    list[string]       `xml:"baseEndpointDnsNameSet"`
	PrivateName  string             `xml:"privateDnsName,omitempty"`
	PrivateNames list[privateName]  `xml:"privateDnsNameSet"`
	Policy       bool               `xml:"vpcEndpointPolicySupported"`
	Acceptance   bool               `xml:"acceptanceRequired"`
	Manages      bool               `xml:"managesVpcEndpoints"`
	Tags         list[tag]          `xml:"tagSet"`
	AddressTypes list[string]       `xml:"supportedIpAddressTypeSet"`
}

type endpointType struct {
	Type string `xml:"serviceType"`
}

type privateName struct {
	Name string `xml:"privateDnsName"`
}

// endpointServices are the services of the region, gateways first.
func (s *Service) endpointServices() (all []endpointServiceDetail) {
	add := func(name, kind string) {
		full := "com.amazonaws." + s.VPC.Region + "." + name
		one := endpointServiceDetail{Name: full, ServiceID: id("vpce-svc", full, kind), Types: list[endpointType]{{kind}},
			Region: s.VPC.Region, Zones: s.VPC.Zones,
			ZoneIDs: s.VPC.ZoneIDs(), Owner: "amazon", Policy: true,
			BaseNames: list[string]{name + "." + s.VPC.Region + ".amazonaws.com"}, AddressTypes: list[string]{"ipv4"}}
		if kind == interfaceEndpoint {
			one.PrivateName = one.BaseNames[0]
			one.PrivateNames, one.BaseNames = list[privateName]{{one.PrivateName}},
				list[string]{name + "." + s.VPC.Region + ".vpce.amazonaws.com"}
		}
		all = append(all, one)
	}
	for _, name := range gatewayServices {
		add(name, gatewayEndpoint)
	}
	for _, name := range interfaceServices {
		add(name, interfaceEndpoint)
	}
	slices.SortStableFunc(all, func(a, b endpointServiceDetail) int { return cmp.Compare(a.key(), b.key()) })
	return all
}

func (d endpointServiceDetail) key() string { return d.Name + "/" + d.Types[0].Type }

type describeEndpointServicesInput struct {
	Names      []string `ec2:"ServiceName"`
	Regions    []string `ec2:"ServiceRegion"`
	Filters    []filter `ec2:"Filter"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
}

type describeEndpointServicesOutput struct {
	Names     list[string]                `xml:"serviceNameSet"`
	Details   list[endpointServiceDetail] `xml:"serviceDetailSet"`
	NextToken string                      `xml:"nextToken,omitempty"`
}

func (s *Service) describeEndpointServices(call *operation.Call,
	in *describeEndpointServicesInput) (*describeEndpointServicesOutput, error) {
	all := s.endpointServices()
	for _, name := range in.Names {
		if !slices.ContainsFunc(all, func(d endpointServiceDetail) bool { return d.Name == name }) {
			return nil, refuse("InvalidServiceName", "The Vpc Endpoint Service '%s' does not exist", clip(name))
		}
	}
	all = slices.DeleteFunc(all, func(d endpointServiceDetail) bool {
		return len(in.Names) > 0 && !slices.Contains(in.Names, d.Name) || len(in.Regions) > 0 &&
			!slices.Contains(in.Regions, d.Region)
	})
	all, err := matching(call.Operation, all, in.Filters, func(d endpointServiceDetail) []tag { return d.Tags })
	if err != nil {
		return nil, err
	}
	out := &describeEndpointServicesOutput{}
	out.Details, out.NextToken,
		err = cut(call.Operation, all, page{in.Filters, in.MaxResults, in.NextToken}, nil, endpointServiceDetail.key)
	for _, d := range out.Details {
		if !slices.Contains(out.Names, d.Name) {
			out.Names = append(out.Names, d.Name)
		}
	}
	return out, err
}
