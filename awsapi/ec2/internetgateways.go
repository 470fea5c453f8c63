package ec2

import (
	"strings"

	"tripod/awsapi/operation"
	"tripod/state"
)

// internetGateway is an internet gateway as stored and as EC2 shows it. It is recorded only: containers reach the
// machine's network without one.
type internetGateway struct {
	GatewayID   string                  `xml:"internetGatewayId"`
	OwnerID     string                  `xml:"ownerId"`
	Attachments list[gatewayAttachment] `xml:"attachmentSet"`
	Tags        list[tag]               `xml:"tagSet" json:"-"`
}

type gatewayAttachment struct {
	VPCID string `xml:"vpcId"`
	State string `xml:"state"`
}

// in says whether the gateway is attached to the VPC.
func (g internetGateway) in(vpcID string) bool {
	return len(g.Attachments) > 0 && g.Attachments[0].VPCID == vpcID
}

var internetGateways = &kind[internetGateway]{
	table: state.NewTable[entry[internetGateway]]("ec2-internet-gateway"), prefix: "igw", noun: "internetGateway ID",
	code:     "InvalidInternetGatewayID",
	misnamed: "InvalidInternetGatewayId.Malformed",
	id:       func(v internetGateway) string { return v.GatewayID },
	computed: func(s *Service, _ *state.Txn) []internetGateway {
		return []internetGateway{{GatewayID: id("igw", s.VPC.ID()), OwnerID: s.VPC.AccountID,
			Attachments: list[gatewayAttachment]{{s.VPC.ID(), "available"}}}}
	},
}

type describeInternetGatewaysInput struct {
	IDs        []string `ec2:"InternetGatewayId"`
	Filters    []filter `ec2:"Filter"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
}

type describeInternetGatewaysOutput struct {
	Gateways  list[internetGateway] `xml:"internetGatewaySet"`
	NextToken string                `xml:"nextToken,omitempty"`
}

func (s *Service) describeInternetGateways(call *operation.Call,
	in *describeInternetGatewaysInput) (*describeInternetGatewaysOutput, error) {
	found, next, err := describe(s, call, internetGateways, in.IDs, page{in.Filters, in.MaxResults, in.NextToken},
		func(tx *state.Txn, v *internetGateway) { v.Tags = s.tagsOf(tx, v.GatewayID) })
	return &describeInternetGatewaysOutput{found, next}, err
}

type createInternetGatewayInput struct {
	Specifications []tagSpecification `ec2:"TagSpecification"`
}

type createInternetGatewayOutput struct {
	Gateway internetGateway `xml:"internetGateway"`
}

func (s *Service) createInternetGateway(call *operation.Call,
	in *createInternetGatewayInput) (*createInternetGatewayOutput, error) {
	given, err := newTags(in.Specifications, "internet-gateway")
	if err != nil {
		return nil, err
	}
	out := &createInternetGatewayOutput{internetGateway{GatewayID: newID("igw"), OwnerID: s.VPC.AccountID, Tags: given}}
	return change(s, call, out, func(tx *state.Txn) error {
		internetGateways.put(s, tx, out.Gateway)
		tags.Put(tx, out.Gateway.GatewayID, given)
		return nil
	})
}

type deleteInternetGatewayInput struct {
	GatewayID string `ec2:"InternetGatewayId,required"`
}

func (s *Service) deleteInternetGateway(call *operation.Call, in *deleteInternetGatewayInput) (*done, error) {
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		g, err := internetGateways.get(s, tx, in.GatewayID)
		if err != nil {
			return err
		}
		if err := internetGateways.delete(s, tx, g.GatewayID); err != nil {
			return err
		}
		if len(g.Attachments) > 0 {
			return depended(call, "internetGateway", g.GatewayID, g.Attachments[0].VPCID)
		}
		return nil
	})
}

type attachmentInput struct {
	GatewayID string `ec2:"InternetGatewayId,required"`
	VPCID     string `ec2:"VpcId,required"`
}

func (s *Service) attachInternetGateway(call *operation.Call, in *attachmentInput) (*done, error) {
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		g, err := internetGateways.get(s, tx, in.GatewayID)
		if err != nil {
			return err
		}
		if _, err := vpcs.get(s, tx, in.VPCID); err != nil {
			return err
		}
		if len(g.Attachments) > 0 {
			return refuse("Resource.AlreadyAssociated", "resource %s is already attached to network %s", g.GatewayID,
				g.Attachments[0].VPCID)
		}
		for _, other := range internetGateways.all(s, tx) {
			if other.in(in.VPCID) {
				return refuse("InvalidParameterValue", "Network %s already has an internet gateway attached", in.VPCID)
			}
		}
		g.Attachments = list[gatewayAttachment]{{in.VPCID, "available"}}
		internetGateways.put(s, tx, g)
		return nil
	})
}

func (s *Service) detachInternetGateway(call *operation.Call, in *attachmentInput) (*done, error) {
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		g, err := internetGateways.get(s, tx, in.GatewayID)
		switch {
		case err != nil:
			return err
		case !g.in(in.VPCID):
			return refuse("Gateway.NotAttached", "resource %s is not attached to network %s", g.GatewayID, clip(in.VPCID))
		case in.VPCID == s.VPC.ID():
			return refuse("OperationNotPermitted", "%s comes with the region and cannot be detached from its default VPC.",
				g.GatewayID)
		}
		if mapped := s.mappedAddresses(tx, in.VPCID); len(mapped) > 0 {
			call.Note("mapped public addresses: " + strings.Join(mapped, ", "))
			return refuse("DependencyViolation",
				"Network %s has some mapped public address(es). Please unmap those public address(es) before detaching "+
					"the gateway.", in.VPCID)
		}
		g.Attachments = nil
		s.dissociate(tx, g.GatewayID)
		internetGateways.put(s, tx, g)
		return nil
	})
}
