package autoscaling

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

type instance struct {
	InstanceID           string `xml:"InstanceId" json:"InstanceId"`
	InstanceType         string `xml:",omitempty" json:",omitempty"`
	AvailabilityZone     string
	AvailabilityZoneID   string `xml:"AvailabilityZoneId,omitempty" json:"AvailabilityZoneId,omitempty"`
	LifecycleState       string
	HealthStatus         string
	LaunchConfiguration  string        `xml:"LaunchConfigurationName,omitempty" json:"LaunchConfigurationName,omitempty"`
	LaunchTemplate       *templateSpec `json:",omitempty"`
	ImageID              string        `xml:"ImageId,omitempty" json:"ImageId,omitempty"`
	ProtectedFromScaleIn bool
	WeightedCapacity     string `xml:",omitempty" json:",omitempty"`
}

// instanceDetails are an instance with its group.
type instanceDetails struct {
	instance
	AutoScalingGroupName string
}

type suspendedProcess struct{ ProcessName, SuspensionReason string }

type enabledMetric struct{ Metric, Granularity string }

type groupOutput struct {
	AutoScalingGroupName              string
	AutoScalingGroupARN               string
	LaunchConfigurationName           string        `xml:",omitempty" json:",omitempty"`
	LaunchTemplate                    *templateSpec `json:",omitempty"`
	MixedInstancesPolicy              *mixedPolicy  `json:",omitempty"`
	MinSize, MaxSize, DesiredCapacity int
	DefaultCooldown                   int
	AvailabilityZones                 wire.QueryList[string]
	AvailabilityZoneIDs               wire.QueryList[string] `xml:"AvailabilityZoneIds" json:"AvailabilityZoneIds"`
	LoadBalancerNames                 wire.QueryList[string]
	TargetGroupARNs                   wire.QueryList[string]
	HealthCheckType                   string
	HealthCheckGracePeriod            int
	Instances                         wire.QueryList[instance]
	CreatedTime                       string
	SuspendedProcesses                wire.QueryList[suspendedProcess]
	PlacementGroup                    string `xml:",omitempty" json:",omitempty"`
	VPCZoneIdentifier                 string
	EnabledMetrics                    wire.QueryList[enabledMetric]
	Status                            string `xml:",omitempty" json:",omitempty"`
	Tags                              wire.QueryList[tag]
	TerminationPolicies               wire.QueryList[string]
	ProtectNew                        bool                          `xml:"NewInstancesProtectedFromScaleIn" json:"NewInstancesProtectedFromScaleIn"`
	ServiceLinkedRoleARN              string                        `xml:",omitempty" json:",omitempty"`
	MaxInstanceLifetime               int                           `xml:",omitempty" json:",omitempty"`
	CapacityRebalance                 bool                          `xml:",omitempty" json:",omitempty"`
	WarmPoolConfiguration             *warmPoolOutput               `json:",omitempty"`
	WarmPoolSize                      *int                          `json:",omitempty"`
	Context                           string                        `xml:",omitempty" json:",omitempty"`
	DesiredCapacityType               string                        `xml:",omitempty" json:",omitempty"`
	DefaultInstanceWarmup             *int                          `json:",omitempty"`
	TrafficSources                    wire.QueryList[trafficSource] `json:",omitempty"`
	InstanceMaintenancePolicy         *maintenancePolicy            `json:",omitempty"`
	DeletionProtection                string                        `xml:",omitempty" json:",omitempty"`
	ZoneDistribution                  *zoneDistribution             `xml:"AvailabilityZoneDistribution" json:"AvailabilityZoneDistribution,omitempty"`
	ZoneImpairment                    *zoneImpairment               `xml:"AvailabilityZoneImpairmentPolicy" json:"AvailabilityZoneImpairmentPolicy,omitempty"`
	Reservations                      *reservations                 `xml:"CapacityReservationSpecification" json:"CapacityReservationSpecification,omitempty"`
	Lifecycle                         *lifecyclePolicy              `xml:"InstanceLifecyclePolicy" json:"InstanceLifecyclePolicy,omitempty"`
}

// shown is a group as DescribeAutoScalingGroups shows it, without its instances.
func (s *Service) shown(g region.AutoScalingGroup) groupOutput {
	out := groupOutput{AutoScalingGroupName: g.Name, AutoScalingGroupARN: g.ARN, LaunchConfigurationName: g.Configuration,
		LaunchTemplate: shownTemplate(g.Template), MixedInstancesPolicy: shownMixed(g.Mixed), MinSize: g.Min, MaxSize: g.Max,
		DesiredCapacity: g.Desired, DefaultCooldown: g.Cooldown, AvailabilityZones: g.Zones,
		LoadBalancerNames: g.LoadBalancers, TargetGroupARNs: g.TargetGroups, HealthCheckType: g.HealthCheckType,
		HealthCheckGracePeriod: g.HealthCheckGrace, CreatedTime: stamp(g.CreatedAt), PlacementGroup: g.PlacementGroup,
		VPCZoneIdentifier: strings.Join(g.Subnets, ","), TerminationPolicies: g.TerminationPolicies, ProtectNew: g.ProtectNew,
		ServiceLinkedRoleARN: g.LinkedRole, MaxInstanceLifetime: g.MaxInstanceLifetime,
		CapacityRebalance: g.CapacityRebalance, Context: g.Context, DesiredCapacityType: g.DesiredCapacityType,
		DefaultInstanceWarmup: g.DefaultWarmup, DeletionProtection: cmp.Or(g.DeletionProtection, "none"),
		WarmPoolConfiguration: shownPool(g.WarmPool), TrafficSources: shownSources(g),
		ZoneDistribution: &zoneDistribution{cmp.Or(g.ZoneDistribution, "balanced-best-effort")}}
	if len(g.TerminationPolicies) == 0 {
		out.TerminationPolicies = wire.QueryList[string]{"Default"}
	}
	if g.DeletedAt != nil {
		out.Status = "Delete in progress"
	}
	for _, name := range g.Zones {
		if i := slices.Index(s.Network.VPC.Zones, name); i >= 0 {
			out.AvailabilityZoneIDs = append(out.AvailabilityZoneIDs, s.Network.VPC.ZoneIDs()[i])
		}
	}
	for _, p := range g.Suspended {
		out.SuspendedProcesses = append(out.SuspendedProcesses, suspendedProcess{p.Name, p.Reason})
	}
	for _, m := range g.Metrics {
		out.EnabledMetrics = append(out.EnabledMetrics, enabledMetric{m, "1Minute"})
	}
	for _, t := range g.Tags {
		out.Tags = append(out.Tags, tag{g.Name, groupResource, t.Key, t.Value, t.Propagate})
	}
	showPolicies(&out, g)
	return out
}

// showPolicies shows what a group is to do about replacements, zones, reservations and retention.
func showPolicies(out *groupOutput, g region.AutoScalingGroup) {
	if out.WarmPoolConfiguration != nil {
		out.WarmPoolSize = new(int) // no instances are in it
	}
	if p := g.Maintenance; p != nil {
		out.InstanceMaintenancePolicy = &maintenancePolicy{&p.MinHealthy, &p.MaxHealthy}
	}
	shift := false
	out.ZoneImpairment = &zoneImpairment{&shift, "IgnoreUnhealthy"}
	if p := g.ZoneImpairment; p != nil {
		out.ZoneImpairment = &zoneImpairment{&p.ZonalShift, p.Behavior}
	}
	out.Reservations = &reservations{Preference: "default"}
	if r := g.Reservations; r != nil {
		out.Reservations.Preference = cmp.Or(r.Preference, "default")
		if len(r.IDs)+len(r.GroupARNs) > 0 {
			out.Reservations.Target = &reservationTarget{strs(r.IDs), strs(r.GroupARNs)}
		}
	}
	if g.RetainAbandoned != "" {
		out.Lifecycle = &lifecyclePolicy{&retentionTriggers{g.RetainAbandoned}}
	}
}

// shownMember is a member as answers show it.
func (s *Service) shownMember(m region.GroupMember, v region.Instance) instance {
	out := instance{InstanceID: m.InstanceID, InstanceType: v.Launch.Type, AvailabilityZone: v.Zone,
		LifecycleState: string(m.State), HealthStatus: "Healthy", LaunchConfiguration: m.Configuration,
		ImageID: v.Launch.ImageID, ProtectedFromScaleIn: m.Protected}
	if m.Configuration == "" {
		out.LaunchTemplate = shownTemplate(m.Template)
	}
	if i := slices.Index(s.Network.VPC.Zones, v.Zone); i >= 0 {
		out.AvailabilityZoneID = s.Network.VPC.ZoneIDs()[i]
	}
	if m.Unhealthy {
		out.HealthStatus = "Unhealthy"
	}
	if m.Weight > 0 {
		out.WeightedCapacity = strconv.Itoa(m.Weight)
	}
	return out
}

// shownMembers are a group's.
func (s *Service) shownMembers(tx *state.Txn, group string) (all wire.QueryList[instance]) {
	for _, m := range region.MembersOf(tx, group) {
		v, _ := region.Instances.Get(tx, m.InstanceID)
		all = append(all, s.shownMember(m, v))
	}
	return all
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
	out := &describeGroupsOutput{}
	err := s.State.View(func(tx *state.Txn) (err error) {
		var all []groupOutput
		for _, g := range some(tx, region.AutoScalingGroups, in.AutoScalingGroupNames) {
			all = append(all, s.shown(g))
		}
		simulated := map[string]bool{}
		for _, g := range s.simulatedNamed(tx, in.AutoScalingGroupNames) {
			all, simulated[g.name] = append(all, s.shownSimulated(g)), true
		}
		var fitting []groupOutput
		for _, g := range all {
			fits, err := passes(g.Tags, in.Filters)
			if err != nil {
				return err
			}
			if fits {
				fitting = append(fitting, g)
			}
		}
		out.AutoScalingGroups, out.NextToken,
			err = cut(call, in.pageInput, 50, fitting, func(g groupOutput) string { return g.AutoScalingGroupName })
		for i := range out.AutoScalingGroups { // the page's alone: a group may have a thousand
			g := &out.AutoScalingGroups[i]
			switch {
			case in.IncludeInstances != nil && !*in.IncludeInstances:
				g.Instances = nil
			case !simulated[g.AutoScalingGroupName]:
				g.Instances = s.shownMembers(tx, g.AutoScalingGroupName)
			}
		}
		return err
	})
	return out, err
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
	out := &describeInstancesOutput{}
	err := s.State.View(func(tx *state.Txn) (err error) {
		all := s.groupedInstances(tx, in.InstanceIDs)
		out.AutoScalingInstances, out.NextToken,
			err = cut(call, in.pageInput, 50, all, func(i instanceDetails) string { return i.InstanceID })
		return err
	})
	return out, err
}

// groupedInstances are the instances with those ids that are in groups; without ids, all.
func (s *Service) groupedInstances(tx *state.Txn, ids []string) (all []instanceDetails) {
	add := func(one instance, group string) {
		one.HealthStatus = strings.ToUpper(one.HealthStatus)
		all = append(all, instanceDetails{one, group})
	}
	if len(ids) > 0 {
		for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
			v, _ := region.Instances.Get(tx, id)
			if m, found := region.GroupMembers.Get(tx, region.MemberKey(v.Group, id)); found {
				add(s.shownMember(m, v), m.Group)
			} else if g, found := s.simulatedOf(tx, v.Boot.ClusterID); found {
				for _, one := range s.shownSimulated(g).Instances {
					if one.InstanceID == id {
						add(one, g.name)
					}
				}
			}
		}
		return all
	}
	for _, m := range region.GroupMembers.List(tx) {
		v, _ := region.Instances.Get(tx, m.InstanceID)
		add(s.shownMember(m, v), m.Group)
	}
	for _, g := range s.simulatedGroups(tx) {
		for _, one := range s.shownSimulated(g).Instances {
			add(one, g.name)
		}
	}
	return all
}

// some are the records of a table with those keys; without keys, all.
func some[T any](tx *state.Txn, table state.Table[T], keys []string) (all []T) {
	if len(keys) == 0 {
		return table.List(tx)
	}
	for _, key := range slices.Compact(slices.Sorted(slices.Values(keys))) {
		if value, found := table.Get(tx, key); found {
			all = append(all, value)
		}
	}
	return all
}
