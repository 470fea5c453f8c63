package ec2

import (
	"fmt"
	"slices"

	"tripod/awsapi/operation"
	"tripod/state"
)

// noSnapshots are the snapshots: Tripod has none. Ids asked for are not found.
var noSnapshots = &kind[string]{prefix: "snap", noun: "snapshot", code: "InvalidSnapshot",
	misnamed: "InvalidSnapshotID.Malformed", id: func(v string) string { return v }}

// found looks for ids of a kind that there is none of: it refuses them.
func (s *Service) found(call *operation.Call, k *kind[string], ids []string, p page) error {
	_, _, err := describe(s, call, k, ids, p, func(*state.Txn, *string) {})
	return err
}

type describeSnapshotsInput struct {
	IDs          []string `ec2:"SnapshotId"`
	Owners       []string `ec2:"Owner"`
	RestorableBy []string `ec2:"RestorableBy"`
	Filters      []filter `ec2:"Filter"`
	MaxResults   *int     `ec2:"MaxResults"`
	NextToken    string   `ec2:"NextToken"`
}

type describeSnapshotsOutput struct {
	Snapshots list[struct{}] `xml:"snapshotSet"`
}

func (s *Service) describeSnapshots(call *operation.Call, in *describeSnapshotsInput) (*describeSnapshotsOutput,
	error) {
	return &describeSnapshotsOutput{}, s.found(call, noSnapshots, in.IDs, page{in.Filters, in.MaxResults, in.NextToken})
}

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
