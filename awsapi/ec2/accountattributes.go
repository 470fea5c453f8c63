package ec2

import (
	"fmt"
	"slices"

	"tripod/awsapi/operation"
)

type describeAccountAttributesInput struct {
	Names []string `ec2:"AttributeName"`
}

type accountAttribute struct {
	Name   string                      `xml:"attributeName"`
	Values list[accountAttributeValue] `xml:"attributeValueSet"`
}

type accountAttributeValue struct {
	Value string `xml:"attributeValue"`
}

type describeAccountAttributesOutput struct {
	Attributes list[accountAttribute] `xml:"accountAttributeSet"`
}

// describeAccountAttributes gives the quotas that Tripod has; that of instances is AWS's default.
func (s *Service) describeAccountAttributes(_ *operation.Call,
	in *describeAccountAttributesInput) (*describeAccountAttributesOutput, error) {
	values := [][2]string{
		{"supported-platforms", "VPC"}, {"default-vpc", s.VPC.ID()}, {"max-instances", "20"},
		{"vpc-max-security-groups-per-interface", "5"},
		{"max-elastic-ips", fmt.Sprint(maxAddresses)}, {"vpc-max-elastic-ips", fmt.Sprint(maxAddresses)},
	}
	for _, name := range in.Names {
		if !slices.ContainsFunc(values, func(v [2]string) bool { return v[0] == name }) {
			return nil, refuse("InvalidParameterValue", "Value (%s) for parameter attributeName is invalid.", clip(name))
		}
	}
	out := &describeAccountAttributesOutput{}
	for _, v := range values {
		if len(in.Names) == 0 || slices.Contains(in.Names, v[0]) {
			out.Attributes = append(out.Attributes, accountAttribute{v[0], list[accountAttributeValue]{{v[1]}}})
		}
	}
	return out, nil
}
