package ec2

import (
	"tripod/awsapi/operation"
	"tripod/state"
)

// egressGateway is an egress-only internet gateway, which is for IPv6, as stored and as EC2 shows it. It is recorded
// only.
type egressGateway struct {
	GatewayID   string                  `xml:"egressOnlyInternetGatewayId"`
	Attachments list[gatewayAttachment] `xml:"attachmentSet"`
	Tags        list[tag]               `xml:"tagSet" json:"-"`

	Token string `xml:"-"` // the call's ClientToken
}

var egressGateways = &kind[egressGateway]{
	table: state.NewTable[entry[egressGateway]]("ec2-egress-only-internet-gateway"), prefix: "eigw", noun: "gateway ID",
	code: "InvalidGatewayID",
	id:   func(v egressGateway) string { return v.GatewayID },
}

type describeEgressGatewaysInput struct {
	IDs        []string `ec2:"EgressOnlyInternetGatewayId"`
	Filters    []filter `ec2:"Filter"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
}

type describeEgressGatewaysOutput struct {
	Gateways  list[egressGateway] `xml:"egressOnlyInternetGatewaySet"`
	NextToken string              `xml:"nextToken,omitempty"`
}

func (s *Service) describeEgressGateways(call *operation.Call,
	in *describeEgressGatewaysInput) (*describeEgressGatewaysOutput, error) {
	found, next, err := describe(s, call, egressGateways, in.IDs, page{in.Filters, in.MaxResults, in.NextToken},
		func(tx *state.Txn, v *egressGateway) { v.Tags = s.tagsOf(tx, v.GatewayID) })
	return &describeEgressGatewaysOutput{found, next}, err
}

type createEgressGatewayInput struct {
	VPCID          string             `ec2:"VpcId,required"`
	Token          string             `ec2:"ClientToken"`
	Specifications []tagSpecification `ec2:"TagSpecification"`
}

type createEgressGatewayOutput struct {
	Token   string        `xml:"clientToken,omitempty"`
	Gateway egressGateway `xml:"egressOnlyInternetGateway"`
}

func (s *Service) createEgressGateway(call *operation.Call, in *createEgressGatewayInput) (*createEgressGatewayOutput,
	error) {
	given, err := newTags(in.Specifications, "egress-only-internet-gateway")
	if err != nil {
		return nil, err
	}
	gatewayID, out := newID("eigw"), &createEgressGatewayOutput{Token: in.Token}
	return change(s, call, out, func(tx *state.Txn) error {
		for _, earlier := range egressGateways.all(s, tx) {
			if in.Token != "" && earlier.Token == in.Token {
				out.Gateway = earlier
				out.Gateway.Tags = s.tagsOf(tx, earlier.GatewayID)
				return nil
			}
		}
		if _, err := vpcs.get(s, tx, in.VPCID); err != nil {
			return err
		}
		out.Gateway = egressGateway{GatewayID: gatewayID, Attachments: list[gatewayAttachment]{{in.VPCID, "attached"}},
			Tags:  given,
			Token: in.Token}
		egressGateways.put(s, tx, out.Gateway)
		tags.Put(tx, gatewayID, given)
		return nil
	})
}

type deleteEgressGatewayInput struct {
	GatewayID string `ec2:"EgressOnlyInternetGatewayId,required"`
}

type deleteEgressGatewayOutput struct {
	Return bool `xml:"returnCode"`
}

func (s *Service) deleteEgressGateway(call *operation.Call, in *deleteEgressGatewayInput) (*deleteEgressGatewayOutput,
	error) {
	return change(s, call, &deleteEgressGatewayOutput{true}, func(tx *state.Txn) error {
		if _, err := egressGateways.get(s, tx, in.GatewayID); err != nil {
			return err
		}
		return egressGateways.delete(s, tx, in.GatewayID)
	})
}
