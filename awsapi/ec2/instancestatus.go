package ec2

import (
	"time"

	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

type describeInstanceStatusInput struct {
	IDs        []string `ec2:"InstanceId"`
	Filters    []filter `ec2:"Filter"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
	// All asks for instances that do not run too.
	All bool `ec2:"IncludeAllInstances"`
}

type instanceStatus struct {
	InstanceID string         `xml:"instanceId"`
	Zone       string         `xml:"availabilityZone"`
	ZoneID     string         `xml:"availabilityZoneId"`
	State      instanceState  `xml:"instanceState"`
	System     statusSummary  `xml:"systemStatus"`
	Instance   statusSummary  `xml:"instanceStatus"`
	EBS        statusSummary  `xml:"attachedEbsStatus"`
	Events     list[struct{}] `xml:"eventsSet"`
	Operator   operator       `xml:"operator"`
}

type statusSummary struct {
	Status  string             `xml:"status"`
	Details list[statusDetail] `xml:"details"`
}

type statusDetail struct {
	Name   string `xml:"name"`
	Status string `xml:"status"`
	Since  string `xml:"impairedSince,omitempty"`
}

type describeInstanceStatusOutput struct {
	Statuses  list[instanceStatus] `xml:"instanceStatusSet"`
	NextToken string               `xml:"nextToken,omitempty"`
}

var instanceStatuses = &kind[instanceStatus]{
	prefix: instances.prefix, noun: instances.noun, code: instances.code,
	id: func(v instanceStatus) string { return v.InstanceID },
	computed: func(s *Service, tx *state.Txn) (all []instanceStatus) {
		for _, v := range region.Instances.List(tx) {
			all = append(all, s.statusOf(v))
		}
		return all
	},
	find: eachFound(func(s *Service, tx *state.Txn, id string) (instanceStatus, bool) {
		v, found := region.Instances.Get(tx, id)
		return s.statusOf(v), found
	}),
}

// statusOf is what EC2's checks say of an instance: nothing where it does not run, and that they are under way in the
// first time of its running.
func (s *Service) statusOf(v region.Instance) instanceStatus {
	check := func(status, reachability string, since time.Time) statusSummary {
		detail := statusDetail{Name: "reachability", Status: reachability}
		if !since.IsZero() {
			detail.Since = timestamp(since)
		}
		return statusSummary{status, list[statusDetail]{detail}}
	}
	shown := instanceStatus{InstanceID: v.ID, Zone: v.Zone, ZoneID: s.zoneID(v.Zone), State: stateOf(v.State)}
	switch {
	case v.State != region.InstanceRunning:
		shown.System = statusSummary{Status: "not-applicable"}
	case !v.Impaired.IsZero():
		shown.System = check("impaired", "failed", v.Impaired)
	case s.now().Before(v.Since.Add(s.StatusChecks)):
		shown.System = check("initializing", "initializing", time.Time{})
	default:
		shown.System = check("ok", "passed", time.Time{})
	}
	shown.Instance, shown.EBS = shown.System, shown.System
	return shown
}

func (s *Service) describeInstanceStatus(call *operation.Call,
	in *describeInstanceStatusInput) (*describeInstanceStatusOutput, error) {
	if !in.All && !hasFilter(in.Filters, "instance-state-name") && !hasFilter(in.Filters, "instance-state-code") {
		in.Filters = append(in.Filters, filter{"instance-state-name", []string{string(region.InstanceRunning)}})
	}
	found, next, err := describe(s, call, instanceStatuses, in.IDs, page{in.Filters, in.MaxResults, in.NextToken},
		func(*state.Txn, *instanceStatus) {})
	return &describeInstanceStatusOutput{found, next}, err
}

func hasFilter(filters []filter, name string) bool {
	for _, f := range filters {
		if f.Name == name {
			return true
		}
	}
	return false
}
