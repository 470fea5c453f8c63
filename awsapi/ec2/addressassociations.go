package ec2

import (
	"net/netip"
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/state"
)

// addressAssociation says which interface has an Elastic IP address. It is recorded only. One whose interface is gone
// counts no more.
type addressAssociation struct {
	AllocationID  string `json:"allocationId"`
	AssociationID string `json:"associationId"`
	InterfaceID   string `json:"interfaceId"`
	PrivateIP     string `json:"privateIp"`
}

// addressAssociations are those that calls made, by the addresses' allocation ids. Those of NAT gateways follow from
// these.
var addressAssociations = state.NewTable[addressAssociation]("ec2-address-association")

// addressesOf gives interfaces the Elastic IP addresses that calls associated with them.
func (s *Service) addressesOf(tx *state.Txn, all []networkInterface) []networkInterface {
	given := addressAssociations.List(tx)
	if len(given) == 0 {
		return all
	}
	publicIP := map[string]string{}
	for _, v := range addresses.all(s, tx) {
		publicIP[v.AllocationID] = v.PublicIP
	}
	for _, a := range given {
		at := slices.IndexFunc(all, func(v networkInterface) bool { return v.InterfaceID == a.InterfaceID })
		if at < 0 || publicIP[a.AllocationID] == "" {
			continue
		}
		shown := &interfaceAddress{AllocationID: a.AllocationID, AssociationID: a.AssociationID, OwnerID: s.VPC.AccountID,
			PublicIP: publicIP[a.AllocationID], DNSName: s.VPC.publicDNSName(publicIP[a.AllocationID])}
		all[at].Addresses = slices.Clone(all[at].Addresses)
		private := slices.IndexFunc(all[at].Addresses, func(one address) bool { return one.Address == a.PrivateIP })
		if private <= 0 {
			private, all[at].Association = 0, shown
		}
		all[at].Addresses[private].Association = shown
	}
	return all
}

// publicDNSName is the name that EC2 gives a public address.
func (v VPC) publicDNSName(ip string) string {
	domain := v.Region + ".compute"
	if v.Region == "us-east-1" {
		domain = "compute-1"
	}
	return "ec2-" + strings.ReplaceAll(ip, ".", "-") + "." + domain + ".amazonaws.com"
}

// associationOf is the interface that has the address; none where it is free.
func (s *Service) associationOf(tx *state.Txn, allocationID string) (networkInterface, bool) {
	for _, v := range interfaces.all(s, tx) {
		if v.Association != nil && v.Association.AllocationID == allocationID {
			return v, true
		}
	}
	return networkInterface{}, false
}

// mappedAddresses are the public addresses that a VPC's interfaces have.
func (s *Service) mappedAddresses(tx *state.Txn, vpcID string) (all []string) {
	for _, v := range interfaces.all(s, tx) {
		if v.VPCID == vpcID && v.Association != nil {
			all = append(all, v.Association.PublicIP)
		}
	}
	return all
}

var (
	// errNotYours is EC2's answer about a resource that a service of AWS manages.
	errNotYours = refuse("AuthFailure", "You do not have permission to access the specified resource.")
	// errNoTarget is its answer where nothing is said to get the address.
	errNoTarget = refuse("MissingParameter", "Either instance ID or network interface id must be specified")
)

type associateAddressInput struct {
	AllocationID string `ec2:"AllocationId"`
	PublicIP     string `ec2:"PublicIp"`
	InstanceID   string `ec2:"InstanceId"`
	InterfaceID  string `ec2:"NetworkInterfaceId"`
	PrivateIP    string `ec2:"PrivateIpAddress"`
	Reassociate  *bool  `ec2:"AllowReassociation"`
}

type associateAddressOutput struct {
	Return        bool   `xml:"return"`
	AssociationID string `xml:"associationId"`
}

// associateAddress gives an address to a node's interface. An address that is in use moves, unless AllowReassociation
// is false.
func (s *Service) associateAddress(call *operation.Call, in *associateAddressInput) (*associateAddressOutput, error) {
	switch {
	case in.AllocationID == "" && in.PublicIP == "":
		return nil, refuse("MissingParameter", "Either public IP or allocation id must be specified")
	case in.AllocationID != "" && in.PublicIP != "":
		return nil, refuse("InvalidParameterCombination",
			"You may specify public IP or allocation id, but not both in the same call")
	case in.InstanceID == "" && in.InterfaceID == "":
		return nil, errNoTarget
	}
	made, stay := newID("eipassoc"), in.Reassociate != nil && !*in.Reassociate
	out := &associateAddressOutput{Return: true}
	return change(s, call, out, func(tx *state.Txn) error {
		v, err := s.addressNamed(tx, in.AllocationID, in.PublicIP)
		if err != nil {
			return err
		}
		target, err := s.associationTarget(tx, in)
		if err != nil {
			return err
		}
		holder, used := s.associationOf(tx, v.AllocationID)
		switch {
		case used && holder.RequesterManaged:
			return errNotYours
		case used && holder.InterfaceID == target.InterfaceID:
			out.AssociationID = holder.Association.AssociationID // it is so already
			return nil
		case used && stay:
			return refuse("Resource.AlreadyAssociated", "resource %s is already associated with associate-id %s", v.AllocationID,
				holder.Association.AssociationID)
		case target.Association != nil && stay:
			return refuse("Resource.AlreadyAssociated", "resource %s is already associated with address %s", target.InterfaceID,
				target.Association.PublicIP)
		case target.Association != nil:
			addressAssociations.Delete(tx, target.Association.AllocationID)
		}
		addressAssociations.Put(tx, v.AllocationID,
			addressAssociation{v.AllocationID, made, target.InterfaceID, target.Address})
		out.AssociationID = made
		return nil
	})
}

// addressNamed is the address with that allocation id or public address.
func (s *Service) addressNamed(tx *state.Txn, allocationID, publicIP string) (elasticIP, error) {
	if publicIP == "" {
		return addresses.get(s, tx, allocationID)
	}
	if _, err := netip.ParseAddr(publicIP); err != nil {
		return elasticIP{}, refuse("InvalidParameterValue",
			"Value (%s) for parameter publicIp is invalid. Invalid IPv4 address.", clip(publicIP))
	}
	for _, v := range addresses.all(s, tx) {
		if v.PublicIP == publicIP {
			return v, nil
		}
	}
	return elasticIP{}, noAddress(publicIP)
}

func noAddress(ip string) *wire.Error {
	return refuse("InvalidAddress.NotFound", "Address '%s' not found.", clip(ip))
}

// associationTarget is the interface that is to have the address: one of the account's own, in a network with an
// internet gateway.
func (s *Service) associationTarget(tx *state.Txn, in *associateAddressInput) (networkInterface, error) {
	interfaceID := in.InterfaceID
	if in.InstanceID != "" {
		v, err := instances.get(s, tx, in.InstanceID)
		switch {
		case err != nil:
			return networkInterface{}, err
		case interfaceID != "" && interfaceID != v.Interfaces[0].InterfaceID:
			return networkInterface{}, refuse("InvalidInstanceID", "The instance '%s' is not attached to the network "+
				"interface '%s'", v.InstanceID,
				clip(interfaceID))
		}
		interfaceID = v.Interfaces[0].InterfaceID
	}
	target, err := interfaces.get(s, tx, interfaceID)
	switch {
	case err != nil:
		return target, err
	case target.RequesterManaged:
		return target, errNotYours
	case in.PrivateIP != "" && in.PrivateIP != target.Address:
		return target, refuse("InvalidParameterValue", "Invalid value '%s' for privateIpAddress. Address is not assigned "+
			"to the network interface",
			clip(in.PrivateIP))
	case !slices.ContainsFunc(internetGateways.all(s, tx), func(g internetGateway) bool { return g.in(target.VPCID) }):
		return target, refuse("Gateway.NotAttached", "Network %s is not attached to any internet gateway", target.VPCID)
	}
	return target, nil
}

type disassociateAddressInput struct {
	AssociationID string `ec2:"AssociationId"`
	PublicIP      string `ec2:"PublicIp"`
}

// disassociateAddress ends an association that a call made: those of NAT gateways end with them.
func (s *Service) disassociateAddress(call *operation.Call, in *disassociateAddressInput) (*done, error) {
	switch {
	case in.AssociationID == "" && in.PublicIP == "":
		return nil, refuse("MissingParameter", "Either public IP or association id must be specified")
	case in.AssociationID != "" && in.PublicIP != "":
		return nil, refuse("InvalidParameterCombination",
			"You may specify public IP or association id, but not both in the same call")
	}
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		for _, v := range interfaces.all(s, tx) {
			switch {
			case v.Association == nil || v.Association.AssociationID != in.AssociationID &&
				v.Association.PublicIP != in.PublicIP:
				continue
			case v.RequesterManaged:
				return errNotYours
			}
			addressAssociations.Delete(tx, v.Association.AllocationID)
			return nil
		}
		if in.PublicIP == "" {
			return refuse("InvalidAssociationID.NotFound", "The association ID '%s' does not exist", clip(in.AssociationID))
		}
		_, err := s.addressNamed(tx, "", in.PublicIP) // one that nobody has is free already
		return err
	})
}
