package ec2

import (
	"tripod/awsapi/operation"
	"tripod/region"
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

// instanceTopology is what the call's filters look at.
type instanceTopology struct {
	InstanceID string `xml:"instanceId"`
	Type       string `xml:"instanceType"`
	Zone       string `xml:"availabilityZone"`
	ZoneID     string `xml:"zoneId"`
}

// instanceTopologies are those of instances, which must be there when the call names them.
var instanceTopologies = &kind[instanceTopology]{
	prefix: instances.prefix, noun: instances.noun, code: instances.code,
	id: func(v instanceTopology) string { return v.InstanceID },
	computed: func(s *Service, tx *state.Txn) (all []instanceTopology) {
		for _, v := range region.Instances.List(tx) {
			all = append(all, s.topologyOf(v))
		}
		return all
	},
	find: eachFound(func(s *Service, tx *state.Txn, id string) (instanceTopology, bool) {
		v, found := region.Instances.Get(tx, id)
		return s.topologyOf(v), found
	}),
}

func (s *Service) topologyOf(v region.Instance) instanceTopology {
	return instanceTopology{v.ID, v.Launch.Type, v.Zone, s.zoneID(v.Zone)}
}

// describeInstanceTopology tells of no instance: AWS tells of those that stand in one of its networks for accelerators and
// for high-performance computing, and leaves out all others. The cloud controller manager asks of each node.
func (s *Service) describeInstanceTopology(call *operation.Call,
	in *describeInstanceTopologyInput) (*describeInstanceTopologyOutput, error) {
	_, _, err := describe(s, call, instanceTopologies, in.IDs, page{in.Filters, in.MaxResults, in.NextToken},
		func(*state.Txn, *instanceTopology) {})
	return &describeInstanceTopologyOutput{}, err
}
