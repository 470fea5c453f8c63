package ec2

import (
	"cmp"
	"regexp"
	"slices"

	"tripod/awsapi/operation"
	"tripod/state"
)

type createRouteTableInput struct {
	VPCID          string             `ec2:"VpcId,required"`
	Token          string             `ec2:"ClientToken"`
	Specifications []tagSpecification `ec2:"TagSpecification"`
}

type createRouteTableOutput struct {
	Table routeTable `xml:"routeTable"`
	Token string     `xml:"clientToken,omitempty"`
}

func (s *Service) createRouteTable(call *operation.Call, in *createRouteTableInput) (*createRouteTableOutput, error) {
	given, err := newTags(in.Specifications, "route-table")
	if err != nil {
		return nil, err
	}
	if len(in.Token) > 64 {
		return nil, refuse("InvalidParameterValue", "ClientToken must be at most 64 characters.")
	}
	tableID, out := newID("rtb"), &createRouteTableOutput{Token: in.Token}
	return change(s, call, out, func(tx *state.Txn) error {
		for _, earlier := range routeTables.all(s, tx) {
			if in.Token != "" && earlier.Token == in.Token {
				if earlier.VPCID != in.VPCID {
					return refuse("IdempotentParameterMismatch", "The ClientToken was used before, with another VpcId.")
				}
				out.Table = earlier
				out.Table.Tags = s.tagsOf(tx, earlier.RouteTableID)
				return nil
			}
		}
		v, err := vpcs.get(s, tx, in.VPCID)
		if err != nil {
			return err
		}
		out.Table = s.newRouteTable(tableID, v)
		out.Table.Token, out.Table.Tags = in.Token, given
		routeTables.put(s, tx, out.Table)
		tags.Put(tx, tableID, given)
		return nil
	})
}

type deleteRouteTableInput struct {
	TableID string `ec2:"RouteTableId,required"`
}

func (s *Service) deleteRouteTable(call *operation.Call, in *deleteRouteTableInput) (*done, error) {
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		t, err := routeTables.get(s, tx, in.TableID)
		if err != nil {
			return err
		}
		if len(t.Associations) > 0 {
			return depended(call, "routeTable", t.RouteTableID, t.users()...)
		}
		s.leaveEndpoints(tx, t.RouteTableID)
		return routeTables.delete(s, tx, t.RouteTableID)
	})
}

// users are the subnets and gateways of a table's associations, and the VPC whose main table it is.
func (t routeTable) users() (all []string) {
	for _, a := range t.Associations {
		user := cmp.Or(a.SubnetID, a.GatewayID)
		if a.Main {
			user = t.VPCID
		}
		all = append(all, user)
	}
	return all
}

type associateRouteTableInput struct {
	TableID   string `ec2:"RouteTableId,required"`
	SubnetID  string `ec2:"SubnetId"`
	GatewayID string `ec2:"GatewayId"`
}

type associateRouteTableOutput struct {
	AssociationID string           `xml:"associationId"`
	State         associationState `xml:"associationState"`
}

type associationState struct {
	State string `xml:"state"`
}

func (s *Service) associateRouteTable(call *operation.Call, in *associateRouteTableInput) (*associateRouteTableOutput,
	error) {
	if (in.SubnetID == "") == (in.GatewayID == "") {
		return nil, refuse("InvalidParameterCombination", "Give exactly one of SubnetId and GatewayId.")
	}
	made := associate(in.TableID, in.SubnetID)
	if in.GatewayID != "" {
		made = associateGateway(in.TableID, in.GatewayID)
	}
	return change(s, call, &associateRouteTableOutput{made.AssociationID, associationState{"associated"}},
		func(tx *state.Txn) error {
			t, err := routeTables.get(s, tx, in.TableID)
			if err != nil {
				return err
			}
			if err := s.associable(tx, t, made); err != nil {
				return err
			}
			for _, other := range routeTables.all(s, tx) {
				at := slices.IndexFunc(other.Associations, func(a routeAssociation) bool {
					return !a.Main && a.SubnetID == made.SubnetID && a.GatewayID == made.GatewayID
				})
				switch {
				case at < 0:
				case other.RouteTableID == t.RouteTableID:
					return nil // it is so already: EC2 answers with the association there is
				default:
					return refuse("Resource.AlreadyAssociated",
						"the specified association for route table %s conflicts with an existing association", t.RouteTableID)
				}
			}
			t.Associations = append(slices.Clone(t.Associations), made)
			routeTables.put(s, tx, t)
			return nil
		})
}

// associable refuses an association with a subnet or gateway that is not in the table's VPC.
func (s *Service) associable(tx *state.Txn, t routeTable, made routeAssociation) error {
	if made.GatewayID != "" {
		g, err := internetGateways.get(s, tx, made.GatewayID)
		if err == nil && !g.in(t.VPCID) {
			err = refuse("InvalidParameterValue", "Route table %s and network gateway %s belong to different networks",
				t.RouteTableID,
				g.GatewayID)
		}
		return err
	}
	v, err := subnets.get(s, tx, made.SubnetID)
	if err == nil && v.VPCID != t.VPCID {
		err = refuse("InvalidParameterValue", "Route table %s and subnet %s belong to different networks", t.RouteTableID,
			v.SubnetID)
	}
	return err
}

var associationID = regexp.MustCompile(`^rtbassoc-[0-9a-f]{17}$`)

type disassociateRouteTableInput struct {
	AssociationID string `ec2:"AssociationId,required"`
}

func (s *Service) disassociateRouteTable(call *operation.Call, in *disassociateRouteTableInput) (*done, error) {
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		t, at, err := s.routeAssociation(tx, in.AssociationID)
		switch {
		case err != nil:
			return err
		case t.Associations[at].Main:
			return refuse("InvalidParameterValue", "cannot disassociate the main route table association %s", in.AssociationID)
		}
		t.Associations = slices.Delete(slices.Clone(t.Associations), at, at+1)
		routeTables.put(s, tx, t)
		return nil
	})
}

// routeAssociation is the table that has the association, and its place there.
func (s *Service) routeAssociation(tx *state.Txn, wanted string) (routeTable, int, error) {
	if !associationID.MatchString(wanted) {
		return routeTable{}, -1, refuse("InvalidAssociationID.Malformed", "Invalid id: %q (expecting "+
			"\"rtbassoc-...\")", clip(wanted))
	}
	for _, t := range routeTables.all(s, tx) {
		if at := slices.IndexFunc(t.Associations,
			func(a routeAssociation) bool { return a.AssociationID == wanted }); at >= 0 {
			return t, at, nil
		}
	}
	return routeTable{}, -1, refuse("InvalidAssociationID.NotFound", "The association ID '%s' does not exist", wanted)
}

type replaceAssociationInput struct {
	AssociationID string `ec2:"AssociationId,required"`
	TableID       string `ec2:"RouteTableId,required"`
}

type replaceAssociationOutput struct {
	AssociationID string           `xml:"newAssociationId"`
	State         associationState `xml:"associationState"`
}

// replaceRouteTableAssociation gives a subnet, or the VPC as its main table, another table; the association gets a new
// id.
func (s *Service) replaceRouteTableAssociation(call *operation.Call,
	in *replaceAssociationInput) (*replaceAssociationOutput, error) {
	out := &replaceAssociationOutput{State: associationState{"associated"}}
	return change(s, call, out, func(tx *state.Txn) error {
		from, at, err := s.routeAssociation(tx, in.AssociationID)
		if err != nil {
			return err
		}
		to, err := routeTables.get(s, tx, in.TableID)
		switch {
		case err != nil:
			return err
		case to.VPCID != from.VPCID:
			return refuse("InvalidParameterValue", "Route tables %s and %s belong to different networks", from.RouteTableID,
				to.RouteTableID)
		}
		moved := associate(to.RouteTableID, from.Associations[at].SubnetID)
		if gatewayID := from.Associations[at].GatewayID; gatewayID != "" {
			moved = associateGateway(to.RouteTableID, gatewayID)
		}
		out.AssociationID = moved.AssociationID
		if to.RouteTableID == from.RouteTableID {
			return nil
		}
		from.Associations = slices.Delete(slices.Clone(from.Associations), at, at+1)
		to.Associations = append(slices.Clone(to.Associations), moved)
		routeTables.put(s, tx, from)
		routeTables.put(s, tx, to)
		return nil
	})
}
