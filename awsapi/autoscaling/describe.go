package autoscaling

import (
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/nodes/machine"
)

type instance struct {
	InstanceID           string `xml:"InstanceId" json:"InstanceId"`
	InstanceType         string
	AvailabilityZone     string
	AvailabilityZoneID   string `xml:"AvailabilityZoneId" json:"AvailabilityZoneId"`
	LifecycleState       string
	HealthStatus         string
	ProtectedFromScaleIn bool
}

type tag struct {
	ResourceID        string `xml:"ResourceId" json:"ResourceId"`
	ResourceType      string
	Key, Value        string
	PropagateAtLaunch bool
}

type groupOutput struct {
	AutoScalingGroupName               string
	AutoScalingGroupARN                string
	MinSize, MaxSize, DesiredCapacity  int
	DefaultCooldown                    int
	AvailabilityZones                  wire.QueryList[string]
	LoadBalancerNames, TargetGroupARNs wire.QueryList[string]
	HealthCheckType                    string
	HealthCheckGracePeriod             int
	Instances                          wire.QueryList[instance]
	CreatedTime                        string
	SuspendedProcesses                 wire.QueryList[struct{}]
	VPCZoneIdentifier                  string
	EnabledMetrics                     wire.QueryList[struct{}]
	Tags                               wire.QueryList[tag]
	TerminationPolicies                wire.QueryList[string]
	NewInstancesProtectedFromScaleIn   bool
	ServiceLinkedRoleARN               string
	CapacityRebalance                  bool
}

func (s *Service) shown(g group) groupOutput {
	out := groupOutput{AutoScalingGroupName: g.name, AutoScalingGroupARN: g.arn, MinSize: len(g.nodes),
		MaxSize: len(g.nodes), DesiredCapacity: len(g.nodes), DefaultCooldown: 300,
		HealthCheckType: "EC2", HealthCheckGracePeriod: 15, CreatedTime: stamp(g.nodes[0].Launched), Tags: g.tags(),
		CapacityRebalance:   true,
		TerminationPolicies: wire.QueryList[string]{"AllocationStrategy", "OldestLaunchTemplate", "OldestInstance"},
		ServiceLinkedRoleARN: "arn:aws:iam::" + s.Network.VPC.AccountID +
			":role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"}
	var subnets []string
	for _, node := range g.nodes {
		if !slices.Contains(out.AvailabilityZones, node.Zone) {
			out.AvailabilityZones, subnets = append(out.AvailabilityZones, node.Zone), append(subnets, node.SubnetID)
		}
		out.Instances = append(out.Instances,
			instance{node.ID, machine.DefaultType, node.Zone, node.ZoneID, "InService", "Healthy", false})
	}
	out.VPCZoneIdentifier = strings.Join(subnets, ",")
	return out
}

type filter struct {
	Name   string `query:"Name,required"`
	Values []string
}

// passes says whether tags pass a group's filters: tag-key, tag-value and tag:KEY, any of a filter's values and all
// filters.
func passes(tags []tag, filters []filter) (bool, error) {
	for _, f := range filters {
		key, isTag := strings.CutPrefix(f.Name, "tag:")
		if !isTag && f.Name != "tag-key" && f.Name != "tag-value" {
			return false, invalid("Filter type %s is not correct. Allowed Filter types are: tag-key, tag-value and tag:<key>",
				f.Name)
		}
		if !slices.ContainsFunc(tags, func(t tag) bool {
			switch {
			case isTag:
				return t.Key == key && slices.Contains(f.Values, t.Value)
			case f.Name == "tag-key":
				return slices.Contains(f.Values, t.Key)
			}
			return slices.Contains(f.Values, t.Value)
		}) {
			return false, nil
		}
	}
	return true, nil
}

type pageInput struct {
	MaxRecords *int
	NextToken  string
}

// cut is a page of a list.
func cut[T any](call *operation.Call, in pageInput, usual int, items []T, key func(T) string) (wire.QueryList[T],
	string, error) {
	size := usual
	if in.MaxRecords != nil {
		size = *in.MaxRecords
	}
	if size < 1 || size > 100 {
		return nil, "", invalid("MaxRecords must be a number from 1 to 100.")
	}
	part, next, ok := wire.Page(call.Operation, size, &in.NextToken, items, key)
	if !ok {
		return nil, "", &wire.Error{Code: "InvalidNextToken", Status: 400,
			Message: "The NextToken is not one that " + call.Operation + " returned: start again without it."}
	}
	token := ""
	if next != nil {
		token = *next
	}
	return part, token, nil
}

type describeGroupsInput struct {
	pageInput
	AutoScalingGroupNames []string
	Filters               []filter
	IncludeInstances      *bool
}

type describeGroupsOutput struct {
	AutoScalingGroups wire.QueryList[groupOutput]
	NextToken         string `xml:",omitempty" json:",omitempty"`
}

// describeGroups leaves out names that there are not, as AWS does.
func (s *Service) describeGroups(call *operation.Call, in *describeGroupsInput) (*describeGroupsOutput, error) {
	groups, err := s.groups()
	if err != nil {
		return nil, err
	}
	var all []groupOutput
	for _, g := range groups {
		fits, err := passes(g.tags(), in.Filters)
		if err != nil {
			return nil, err
		}
		if fits && (len(in.AutoScalingGroupNames) == 0 || slices.Contains(in.AutoScalingGroupNames, g.name)) {
			all = append(all, s.shown(g))
		}
	}
	out := &describeGroupsOutput{}
	out.AutoScalingGroups, out.NextToken,
		err = cut(call, in.pageInput, 50, all, func(g groupOutput) string { return g.AutoScalingGroupName })
	return out, err
}

type instanceDetails struct {
	InstanceID           string `xml:"InstanceId" json:"InstanceId"`
	InstanceType         string
	AutoScalingGroupName string
	AvailabilityZone     string
	LifecycleState       string
	HealthStatus         string
	ProtectedFromScaleIn bool
}

type describeInstancesInput struct {
	pageInput
	InstanceIDs []string `query:"InstanceIds"`
}

type describeInstancesOutput struct {
	AutoScalingInstances wire.QueryList[instanceDetails]
	NextToken            string `xml:",omitempty" json:",omitempty"`
}

func (s *Service) describeInstances(call *operation.Call, in *describeInstancesInput) (*describeInstancesOutput,
	error) {
	groups, err := s.groups()
	if err != nil {
		return nil, err
	}
	var all []instanceDetails
	for _, g := range groups {
		for _, node := range g.nodes {
			if len(in.InstanceIDs) == 0 || slices.Contains(in.InstanceIDs, node.ID) {
				all = append(all, instanceDetails{node.ID, machine.DefaultType, g.name, node.Zone, "InService", "HEALTHY", false})
			}
		}
	}
	out := &describeInstancesOutput{}
	out.AutoScalingInstances, out.NextToken,
		err = cut(call, in.pageInput, 50, all, func(i instanceDetails) string { return i.InstanceID })
	return out, err
}

type describeTagsInput struct {
	pageInput
	Filters []filter
}

type describeTagsOutput struct {
	Tags      wire.QueryList[tag]
	NextToken string `xml:",omitempty" json:",omitempty"`
}

func (s *Service) describeTags(call *operation.Call, in *describeTagsInput) (*describeTagsOutput, error) {
	groups, err := s.groups()
	if err != nil {
		return nil, err
	}
	known := map[string]func(tag) string{"auto-scaling-group": func(t tag) string { return t.ResourceID },
		"key":   func(t tag) string { return t.Key },
		"value": func(t tag) string { return t.Value }, "propagate-at-launch": func(tag) string { return "true" }}
	var all []tag
	for _, g := range groups {
		all = append(all, g.tags()...)
	}
	for _, f := range in.Filters {
		value := known[f.Name]
		if value == nil {
			return nil, invalid("Filter type %s is not correct. Allowed Filter types are: auto-scaling-group key value "+
				"propagate-at-launch", f.Name)
		}
		all = slices.DeleteFunc(all, func(t tag) bool { return !slices.Contains(f.Values, value(t)) })
	}
	out := &describeTagsOutput{}
	out.Tags, out.NextToken,
		err = cut(call, in.pageInput, 50, all, func(t tag) string { return t.ResourceID + "/" + t.Key })
	return out, err
}

type describeLaunchConfigurationsInput struct {
	pageInput
	LaunchConfigurationNames []string
}

type describeLaunchConfigurationsOutput struct {
	LaunchConfigurations wire.QueryList[struct{}]
}

func describeLaunchConfigurations(*operation.Call,
	*describeLaunchConfigurationsInput) (*describeLaunchConfigurationsOutput, error) {
	return &describeLaunchConfigurationsOutput{}, nil
}

type describeActivitiesInput struct {
	pageInput
	ActivityIDs          []string `query:"ActivityIds"`
	AutoScalingGroupName string
	IncludeDeletedGroups *bool
	Filters              []filter
}

type describeActivitiesOutput struct{ Activities wire.QueryList[struct{}] }

func (s *Service) describeActivities(_ *operation.Call, in *describeActivitiesInput) (*describeActivitiesOutput,
	error) {
	groups, err := s.groups()
	if err != nil {
		return nil, err
	}
	if name := in.AutoScalingGroupName; name != "" &&
		!slices.ContainsFunc(groups, func(g group) bool { return g.name == name }) {
		return nil, invalid("AutoScalingGroup name not found - AutoScalingGroup %s not found", name)
	}
	return &describeActivitiesOutput{}, nil
}
