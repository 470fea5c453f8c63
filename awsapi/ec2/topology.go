package ec2

import (
	"tripod/awsapi/operation"
	"tripod/state"
)

type describeInstanceTopologyInput struct {
	IDs        []string `ec2:"InstanceId"`
	Groups     []string `ec2:"GroupName"`
	Filters    []filter `ec2:"Filter"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
}

type describeInstanceTopologyOutput struct {
	Instances list[struct{}] `xml:"instanceSet"`
}

// describeInstanceTopology tells of no instance: AWS tells of those that stand in one of its networks for accelerators and
// for high-performance computing, and leaves out all others. The cloud controller manager asks of each node.
func (s *Service) describeInstanceTopology(call *operation.Call,
	in *describeInstanceTopologyInput) (*describeInstanceTopologyOutput, error) {
	_, _, err := describe(s, call, instances, in.IDs, page{in.Filters, in.MaxResults, in.NextToken},
		func(*state.Txn, *instance) {})
	return &describeInstanceTopologyOutput{}, err
}
