package ec2

import (
	"cmp"
	"net/netip"
	"slices"

	"tripod/awsapi/operation"
	"tripod/state"
)

// maxRoutes is how many routes a table has: AWS's default quota.
const maxRoutes = 50

// destination is where a route leads, in one of the address families.
type destination struct {
	CIDRBlock  string
	CIDRBlock6 string
}

// canonical is the destination with host bits cut off. Exactly one block must be given.
func (d destination) canonical() (destination, error) {
	if (d.CIDRBlock == "") == (d.CIDRBlock6 == "") {
		return d, refuse("MissingParameter", "The request must contain exactly one of destinationCidrBlock, "+
			"destinationIpv6CidrBlock")
	}
	parse := func(text, parameter string, family func(netip.Addr) bool) (string, error) {
		block, err := netip.ParsePrefix(text)
		if text != "" && (err != nil || !family(block.Addr())) {
			return "", refuse("InvalidParameterValue", "Value (%s) for parameter %s is invalid. This is not a valid "+
				"CIDR block.", clip(text), parameter)
		}
		if text == "" {
			return "", nil
		}
		return block.Masked().String(), nil
	}
	var err error
	if d.CIDRBlock, err = parse(d.CIDRBlock, "destinationCidrBlock", isIPv4); err != nil {
		return d, err
	}
	d.CIDRBlock6, err = parse(d.CIDRBlock6, "destinationIpv6CidrBlock", isIPv6)
	return d, err
}

func (d destination) String() string { return cmp.Or(d.CIDRBlock, d.CIDRBlock6) }

func (r route) destination() destination { return destination{r.Destination, r.Destination6} }

type routeInput struct {
	TableID      string `ec2:"RouteTableId,required"`
	Destination  string `ec2:"DestinationCidrBlock"`
	Destination6 string `ec2:"DestinationIpv6CidrBlock"`
	GatewayID    string `ec2:"GatewayId"`
	NATGatewayID string `ec2:"NatGatewayId"`
	EgressOnlyID string `ec2:"EgressOnlyInternetGatewayId"`
	InterfaceID  string `ec2:"NetworkInterfaceId"`
	InstanceID   string `ec2:"InstanceId"`
}

// newRoute is the route that the call describes, its target checked: it must be in the table's VPC.
func (s *Service) newRoute(tx *state.Txn, t routeTable, in *routeInput) (route, error) {
	d, err := destination{in.Destination, in.Destination6}.canonical()
	if err != nil {
		return route{}, err
	}
	r := route{Destination: d.CIDRBlock, Destination6: d.CIDRBlock6, GatewayID: in.GatewayID,
		NATGatewayID: in.NATGatewayID, EgressOnlyID: in.EgressOnlyID,
		InterfaceID: in.InterfaceID, InstanceID: in.InstanceID, Origin: "CreateRoute", State: "active"}
	given := 0
	for _, target := range []string{in.GatewayID, in.NATGatewayID, in.EgressOnlyID, in.InterfaceID, in.InstanceID} {
		if target != "" {
			given++
		}
	}
	if given != 1 {
		return r, refuse("InvalidParameterCombination", "A route has one target: GatewayId, NatGatewayId, "+
			"EgressOnlyInternetGatewayId, NetworkInterfaceId or InstanceId.")
	}
	vpcID, err := s.target(tx, &r)
	if err == nil && vpcID != t.VPCID {
		target := cmp.Or(in.GatewayID, in.NATGatewayID, in.EgressOnlyID, in.InterfaceID, in.InstanceID)
		err = refuse("InvalidParameterValue", "route table %s and network gateway %s belong to different networks",
			t.RouteTableID, target)
	}
	return r, err
}

// target is the VPC in which a route's target is; of an instance, or its interface, the route gets both.
func (s *Service) target(tx *state.Txn, r *route) (vpcID string, err error) {
	switch {
	case r.NATGatewayID != "":
		g, err := natGateways.get(s, tx, r.NATGatewayID)
		return g.VPCID, err
	case r.EgressOnlyID != "":
		g, err := egressGateways.get(s, tx, r.EgressOnlyID)
		if err != nil {
			return "", err
		}
		return g.Attachments[0].VPCID, nil
	case r.GatewayID != "":
		g, err := internetGateways.get(s, tx, r.GatewayID)
		if err != nil { // here AWS speaks of any gateway
			return "", refuse("InvalidGatewayID.NotFound", "The gateway ID '%s' does not exist", clip(r.GatewayID))
		}
		if len(g.Attachments) == 0 {
			return "", nil
		}
		return g.Attachments[0].VPCID, nil
	}
	if r.InstanceID != "" {
		v, err := instances.get(s, tx, r.InstanceID)
		if err != nil {
			return "", err
		}
		r.InterfaceID = v.Interfaces[0].InterfaceID
	}
	v, err := interfaces.get(s, tx, r.InterfaceID)
	if r.InstanceID = v.Attachment.InstanceID; r.InstanceID != "" {
		r.InstanceOwnerID = v.Attachment.InstanceOwnerID
	}
	return v.VPCID, err
}

// at is the place of the route to the destination, or -1.
func (t routeTable) at(d destination) int {
	return slices.IndexFunc(t.Routes, func(r route) bool { return r.destination() == d })
}

// withLocalRoutes is the table with the routes to its VPC's own blocks, which come and go with these.
func (s *Service) withLocalRoutes(tx *state.Txn, t routeTable) routeTable {
	v, err := vpcs.get(s, tx, t.VPCID)
	if err != nil {
		return t // a table goes with its VPC
	}
	local := localRoutes(v)
	for _, r := range t.Routes {
		if r.GatewayID != localRoute {
			local = append(local, r)
		}
	}
	t.Routes = local
	return t
}

func localRoutes(v vpcRecord) (routes list[route]) {
	for _, a := range v.CIDRs {
		routes = append(routes, route{Destination: a.CIDRBlock, GatewayID: localRoute, Origin: "CreateRouteTable",
			State: "active"})
	}
	for _, a := range v.CIDRs6 {
		routes = append(routes, route{Destination6: a.CIDRBlock, GatewayID: localRoute, Origin: "CreateRouteTable",
			State: "active"})
	}
	return routes
}

func (s *Service) createRoute(call *operation.Call, in *routeInput) (*done, error) {
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		t, err := routeTables.get(s, tx, in.TableID)
		if err != nil {
			return err
		}
		t = s.withLocalRoutes(tx, t)
		r, err := s.newRoute(tx, t, in)
		switch {
		case err != nil:
			return err
		case t.at(r.destination()) >= 0:
			return refuse("RouteAlreadyExists", "The route identified by %s already exists.", r.destination())
		case len(t.Routes) >= maxRoutes:
			return refuse("RouteLimitExceeded", "The maximum number of routes per route table has been reached: %d.", maxRoutes)
		}
		t.Routes = append(t.Routes, r)
		routeTables.put(s, tx, t)
		return nil
	})
}

func (s *Service) replaceRoute(call *operation.Call, in *routeInput) (*done, error) {
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		t, err := routeTables.get(s, tx, in.TableID)
		if err != nil {
			return err
		}
		t = s.withLocalRoutes(tx, t)
		r, err := s.newRoute(tx, t, in)
		if err != nil {
			return err
		}
		at, err := t.changeable(r.destination())
		if err != nil {
			return err
		}
		t.Routes[at] = r
		routeTables.put(s, tx, t)
		return nil
	})
}

// changeable is the place of a route that may be replaced or deleted: not the VPC's own.
func (t routeTable) changeable(d destination) (int, error) {
	at, kind := t.at(d), "destination-cidr-block"
	if d.CIDRBlock6 != "" {
		kind = "destination-ipv6-cidr-block"
	}
	switch {
	case at < 0:
		return at, refuse("InvalidRoute.NotFound", "no route with %s %s in route table %s", kind, d, t.RouteTableID)
	case t.Routes[at].GatewayID == localRoute:
		return at, refuse("InvalidParameterValue", "cannot change the local route %s in route table %s", d, t.RouteTableID)
	}
	return at, nil
}

type deleteRouteInput struct {
	TableID      string `ec2:"RouteTableId,required"`
	Destination  string `ec2:"DestinationCidrBlock"`
	Destination6 string `ec2:"DestinationIpv6CidrBlock"`
}

func (s *Service) deleteRoute(call *operation.Call, in *deleteRouteInput) (*done, error) {
	d, err := destination{in.Destination, in.Destination6}.canonical()
	if err != nil {
		return nil, err
	}
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		t, err := routeTables.get(s, tx, in.TableID)
		if err != nil {
			return err
		}
		t = s.withLocalRoutes(tx, t)
		at, err := t.changeable(d)
		if err != nil {
			return err
		}
		t.Routes = slices.Delete(t.Routes, at, at+1)
		routeTables.put(s, tx, t)
		return nil
	})
}

// shownRoutes are the table's with its VPC's own, and marked where the target is gone, as EC2 does.
func (s *Service) shownRoutes(tx *state.Txn, t *routeTable) {
	*t = s.withLocalRoutes(tx, *t)
	for i, r := range t.Routes {
		if r.GatewayID == localRoute {
			continue
		}
		if vpcID, err := s.target(tx, &r); err != nil || vpcID != t.VPCID {
			t.Routes[i].State = "blackhole"
		}
	}
	t.Routes = append(slices.Clone(t.Routes), s.endpointRoutes(tx, t.RouteTableID)...)
}
