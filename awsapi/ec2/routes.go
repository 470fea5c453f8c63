package ec2

import (
	"fmt"
	"net/netip"
	"slices"

	"tripod/awsapi/wire"
	"tripod/region"
)

// maxRoutes is how many routes a table has: AWS's default quota.
const maxRoutes = 50

type routeInput struct {
	TableID      string `ec2:"RouteTableId,required"`
	Destination  string `ec2:"DestinationCidrBlock,required"`
	GatewayID    string `ec2:"GatewayId"`
	NATGatewayID string `ec2:"NatGatewayId"`
}

// block is the route's destination in its canonical form.
func (in *routeInput) block() (string, error) {
	block, err := netip.ParsePrefix(in.Destination)
	if err != nil || !block.Addr().Is4() {
		return "", refuse("InvalidParameterValue", fmt.Sprintf("Value (%s) for parameter destinationCidrBlock is invalid. This is not a valid CIDR block.", clip(in.Destination)))
	}
	return block.Masked().String(), nil
}

// newRoute is the route that the call describes, its target checked: it must be in the table's VPC.
func (s *Service) newRoute(tx *region.Txn, t routeTable, in *routeInput) (route, error) {
	r := route{GatewayID: in.GatewayID, NATGatewayID: in.NATGatewayID, Origin: "CreateRoute", State: "active"}
	if (in.GatewayID == "") == (in.NATGatewayID == "") {
		return r, refuse("InvalidParameterCombination", "A route has one target: GatewayId, an internet gateway, or NatGatewayId.")
	}
	var err error
	if r.Destination, err = in.block(); err != nil {
		return r, err
	}
	if in.GatewayID != "" {
		g, err := internetGateways.get(s, tx, in.GatewayID)
		if err == nil && !g.in(t.VPCID) {
			err = refuse("InvalidParameterValue", fmt.Sprintf("route table %s and network gateway %s belong to different networks", t.RouteTableID, g.GatewayID))
		}
		return r, err
	}
	g, err := natGateways.get(s, tx, in.NATGatewayID)
	if err == nil && g.VPCID != t.VPCID {
		err = refuse("InvalidParameterValue", fmt.Sprintf("route table %s and NAT gateway %s belong to different networks", t.RouteTableID, g.GatewayID))
	}
	return r, err
}

// at is the place of the route to the destination, or -1.
func (t routeTable) at(destination string) int {
	return slices.IndexFunc(t.Routes, func(r route) bool { return r.Destination == destination })
}

func (s *Service) createRoute(call *wire.Call, in *routeInput) (*done, error) {
	return change(s, call, &done{true}, func(tx *region.Txn) error {
		t, err := routeTables.get(s, tx, in.TableID)
		if err != nil {
			return err
		}
		r, err := s.newRoute(tx, t, in)
		switch {
		case err != nil:
			return err
		case t.at(r.Destination) >= 0:
			return refuse("RouteAlreadyExists", fmt.Sprintf("The route identified by %s already exists.", r.Destination))
		case len(t.Routes) >= maxRoutes:
			return refuse("RouteLimitExceeded", fmt.Sprintf("The maximum number of routes per route table has been reached: %d.", maxRoutes))
		}
		t.Routes = append(t.Routes, r)
		routeTables.put(s, tx, t)
		return nil
	})
}

func (s *Service) replaceRoute(call *wire.Call, in *routeInput) (*done, error) {
	return change(s, call, &done{true}, func(tx *region.Txn) error {
		t, err := routeTables.get(s, tx, in.TableID)
		if err != nil {
			return err
		}
		r, err := s.newRoute(tx, t, in)
		if err != nil {
			return err
		}
		at, err := t.changeable(r.Destination)
		if err != nil {
			return err
		}
		t.Routes[at] = r
		routeTables.put(s, tx, t)
		return nil
	})
}

// changeable is the place of a route that may be replaced or deleted: not the VPC's own.
func (t routeTable) changeable(destination string) (int, error) {
	at := t.at(destination)
	switch {
	case at < 0:
		return at, refuse("InvalidRoute.NotFound", fmt.Sprintf("no route with destination-cidr-block %s in route table %s", destination, t.RouteTableID))
	case t.Routes[at].GatewayID == localRoute:
		return at, refuse("InvalidParameterValue", fmt.Sprintf("cannot change the local route %s in route table %s", destination, t.RouteTableID))
	}
	return at, nil
}

type deleteRouteInput struct {
	TableID     string `ec2:"RouteTableId,required"`
	Destination string `ec2:"DestinationCidrBlock,required"`
}

func (s *Service) deleteRoute(call *wire.Call, in *deleteRouteInput) (*done, error) {
	destination, err := (&routeInput{Destination: in.Destination}).block()
	if err != nil {
		return nil, err
	}
	return change(s, call, &done{true}, func(tx *region.Txn) error {
		t, err := routeTables.get(s, tx, in.TableID)
		if err != nil {
			return err
		}
		at, err := t.changeable(destination)
		if err != nil {
			return err
		}
		t.Routes = slices.Delete(t.Routes, at, at+1)
		routeTables.put(s, tx, t)
		return nil
	})
}

// routeStates marks the routes whose target is gone, as EC2 does.
func (s *Service) routeStates(tx *region.Txn, t *routeTable) {
	t.Routes = slices.Clone(t.Routes)
	for i, r := range t.Routes {
		var err error
		switch {
		case r.NATGatewayID != "":
			_, err = natGateways.get(s, tx, r.NATGatewayID)
		case r.GatewayID != localRoute:
			var g internetGateway
			if g, err = internetGateways.get(s, tx, r.GatewayID); err == nil && !g.in(t.VPCID) {
				err = internetGateways.notFound(r.GatewayID)
			}
		}
		if err != nil {
			t.Routes[i].State = "blackhole"
		}
	}
}
