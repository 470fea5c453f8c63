package ec2

import (
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/state"
)

// routeTable is a route table as stored and as EC2 shows it.
type routeTable struct {
	RouteTableID string                 `xml:"routeTableId"`
	VPCID        string                 `xml:"vpcId"`
	OwnerID      string                 `xml:"ownerId"`
	Routes       list[route]            `xml:"routeSet"`
	Associations list[routeAssociation] `xml:"associationSet"`
	Propagating  list[struct{}]         `xml:"propagatingVgwSet" json:"-"`
	Tags         list[tag]              `xml:"tagSet" json:"-"`

	Token string `xml:"-"` // the call's ClientToken
}

// localRoute is the target of the route to the VPC itself.
const localRoute = "local"

type route struct {
	Destination     string `xml:"destinationCidrBlock,omitempty"`
	Destination6    string `xml:"destinationIpv6CidrBlock,omitempty"`
	PrefixListID    string `xml:"destinationPrefixListId,omitempty"`
	GatewayID       string `xml:"gatewayId,omitempty"`
	NATGatewayID    string `xml:"natGatewayId,omitempty"`
	EgressOnlyID    string `xml:"egressOnlyInternetGatewayId,omitempty"`
	InstanceID      string `xml:"instanceId,omitempty"`
	InstanceOwnerID string `xml:"instanceOwnerId,omitempty"`
	InterfaceID     string `xml:"networkInterfaceId,omitempty"`
	Origin          string `xml:"origin"`
	State           string `xml:"state"`
}

type routeAssociation struct {
	AssociationID string `xml:"routeTableAssociationId"`
	RouteTableID  string `xml:"routeTableId"`
	SubnetID      string `xml:"subnetId,omitempty"`
	GatewayID     string `xml:"gatewayId,omitempty"` // an internet gateway, for what comes in by it
	Main          bool   `xml:"main"`
	State         string `xml:"associationState>state"`
}

var routeTables = &kind[routeTable]{
	table: state.NewTable[entry[routeTable]]("ec2-route-table"), prefix: "rtb", noun: "routeTable ID",
	code:     "InvalidRouteTableID",
	misnamed: "InvalidRouteTableId.Malformed",
	id:       func(v routeTable) string { return v.RouteTableID },
	computed: func(s *Service, tx *state.Txn) []routeTable { return s.computedRouteTables(tx) },
}

func each[T any](values []T, text func(T) string) []string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = text(value)
	}
	return texts
}

// public says whether there is a route to an internet gateway.
func (t routeTable) public() bool {
	return slices.ContainsFunc(t.Routes, func(r route) bool { return strings.HasPrefix(r.GatewayID, "igw-") })
}

// computedRouteTables are the main tables, one a VPC, and the default network's public one.
func (s *Service) computedRouteTables(tx *state.Txn) []routeTable {
	var all []routeTable
	for _, v := range vpcs.all(s, tx) {
		main := s.newRouteTable(id("rtb", v.VPCID), v)
		main.Associations = list[routeAssociation]{associate(main.RouteTableID, "")}
		if !v.IsDefault {
			all = append(all, main)
			continue
		}
		main.Routes = append(main.Routes,
			route{Destination: "0.0.0.0/0", NATGatewayID: s.defaultNATGatewayID(), Origin: "CreateRoute", State: "active"})
		all = append(all, main)
		public := s.newRouteTable(id("rtb", v.VPCID, "public"), v)
		public.Routes = append(public.Routes,
			route{Destination: "0.0.0.0/0", GatewayID: id("igw", v.VPCID), Origin: "CreateRoute", State: "active"})
		for _, subnetID := range s.VPC.PublicSubnetIDs() {
			public.Associations = append(public.Associations, associate(public.RouteTableID, subnetID))
		}
		all = append(all, public)
	}
	return all
}

func (s *Service) newRouteTable(tableID string, v vpcRecord) routeTable {
	return routeTable{RouteTableID: tableID, VPCID: v.VPCID, OwnerID: s.VPC.AccountID,
		Routes: localRoutes(v)}
}

// associate is the association of a table with a subnet, or as its VPC's main table.
func associate(tableID, subnetID string) routeAssociation {
	return routeAssociation{AssociationID: id("rtbassoc", tableID, subnetID), RouteTableID: tableID, SubnetID: subnetID,
		Main: subnetID == "", State: "associated"}
}

// associateGateway is the association of a table with an internet gateway.
func associateGateway(tableID, gatewayID string) routeAssociation {
	return routeAssociation{AssociationID: id("rtbassoc", tableID, gatewayID), RouteTableID: tableID,
		GatewayID: gatewayID, State: "associated"}
}

// routesOf is the table that a subnet uses: its own, or its VPC's main one.
func (s *Service) routesOf(tx *state.Txn, v subnet) routeTable {
	var main routeTable
	for _, t := range routeTables.all(s, tx) {
		for _, a := range t.Associations {
			switch {
			case a.SubnetID == v.SubnetID:
				return t
			case a.Main && t.VPCID == v.VPCID:
				main = t
			}
		}
	}
	return main
}

// dissociate takes a subnet or gateway from the table it has.
func (s *Service) dissociate(tx *state.Txn, id string) {
	for _, t := range routeTables.all(s, tx) {
		kept := slices.DeleteFunc(slices.Clone(t.Associations),
			func(a routeAssociation) bool { return a.SubnetID == id || a.GatewayID == id })
		if len(kept) < len(t.Associations) {
			t.Associations = kept
			routeTables.put(s, tx, t)
		}
	}
}

type describeRouteTablesInput struct {
	IDs        []string `ec2:"RouteTableId"`
	Filters    []filter `ec2:"Filter"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
}

type describeRouteTablesOutput struct {
	Tables    list[routeTable] `xml:"routeTableSet"`
	NextToken string           `xml:"nextToken,omitempty"`
}

func (s *Service) describeRouteTables(call *operation.Call, in *describeRouteTablesInput) (*describeRouteTablesOutput,
	error) {
	found, next, err := describe(s, call, routeTables, in.IDs, page{in.Filters, in.MaxResults, in.NextToken},
		func(tx *state.Txn, v *routeTable) {
			v.Tags = s.tagsOf(tx, v.RouteTableID)
			s.shownRoutes(tx, v)
		})
	return &describeRouteTablesOutput{found, next}, err
}
