package fis

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/fis"
	"github.com/aws/aws-sdk-go-v2/service/fis/types"

	"tripod/awsapi/operation"
	"tripod/state"
)

// action is what FIS can do to targets.
type action struct {
	id, description string
	key, resource   string // of its targets; empty: it has none
	parameters      []parameter
	// permissions are the actions of IAM that the experiment's role needs for each target, or for the experiment.
	permissions []string
	// asks is what one of them is needed on, of an action's targets; nil: on all of these, or on what FIS itself is asked about.
	asks func(s *Service, tx *state.Txn, permission string, targets []asked) []asked
	// begin does it in the transaction of its step, and end takes it back: false says that it has to wait for something. A
	// nil end has nothing to take back.
	begin func(*Service, *run) error
	end   func(*Service, *run) (done bool, err error)
	// tick does what comes in the middle; nil: nothing does.
	tick func(*Service, *run) error
	// outside does what no transaction can, before the step; it may happen more than once. Nil: there is no such thing.
	outside func(*Service, context.Context, *run) error
}

// parameter is one of an action or a resource type.
type parameter struct {
	name, description string
	required          bool
	// check refuses a value, which it finds among the action's others.
	check func(s *Service, all map[string]string, value string) error
}

var lasting = parameter{"duration", "The duration, from one minute to 12 hours (ISO 8601 duration).", true, isDuration(shortest, longest)}

// apiErrors are the parameters of the actions that inject errors of APIs.
var apiErrors = []parameter{
	lasting,
	{"service", "The target AWS API namespace. The supported values are ec2 and kinesis.", true,
		func(_ *Service, _ map[string]string, value string) error {
			if value != "ec2" && value != "kinesis" {
				return invalid("The service parameter value is not supported for the action. Specify a valid service and try again.")
			}
			return nil
		}},
	{"percentage", "The percentage (1-100) of calls to inject the fault into.", false, isPercentage},
	{"operations", "The operations to inject the fault into, separated using commas.", true, areOperations},
}

// actions are all that have their effect here, by id.
var actions = slices.SortedFunc(slices.Values(slices.Concat(ownActions, podFaults, []action{disrupt})),
	func(a, b action) int { return strings.Compare(a.id, b.id) })

// ownActions are those that have no file of their own.
var ownActions = []action{
	{id: "aws:arc:start-zonal-autoshift", description: "Shift traffic for managed resources away from an Availability Zone.",
		key: "ManagedResources", resource: managedType,
		parameters: []parameter{
			{"duration", "The length of time the traffic will be shifted (ISO 8601 duration).", true, isDuration(shortest, longest)},
			{"availabilityZoneIdentifier", "The Availability Zone that traffic moves away from: its name or its ID.", true, isZone},
			{"managedResourceTypes", "The resource types from which traffic will be shifted, separated using commas: ASG, ALB, NLB and EKS.",
				true, areManaged},
			{"zonalAutoshiftStatus", "The zonalAutoshiftStatus of the resources to target: ENABLED (the default), DISABLED or ANY.", false,
				isOneOf("zonalAutoshiftStatus", "ENABLED", "DISABLED", "ANY")},
		}, permissions: []string{"arc-zonal-shift:StartZonalShift"}, begin: (*Service).beginShift,
		tick: (*Service).keepShift, end: (*Service).endShift},
	{id: "aws:ec2:reboot-instances", description: "Reboot the specified EC2 instances.", key: "Instances", resource: instanceType,
		permissions: []string{"ec2:RebootInstances"}, begin: (*Service).reboot},
	{id: "aws:ec2:send-spot-instance-interruptions", description: "Send spot interruption notices to the specified Spot Instances.",
		key: "SpotInstances", resource: spotType,
		parameters: []parameter{{"durationBeforeInterruption",
			"The time to wait before interrupting the instances, from 2 to 15 minutes (ISO 8601 duration).", true,
			isDuration(noticeTime, 15*time.Minute)}},
		permissions: []string{"ec2:SendSpotInstanceInterruptions"}, begin: (*Service).beginInterruption, tick: (*Service).interrupt},
	{id: "aws:ec2:stop-instances", description: "Stop the specified EC2 instances.", key: "Instances", resource: instanceType,
		parameters: []parameter{
			{"startInstancesAfterDuration", "The time to wait before starting the instances, from 1 minute to 12 hours (ISO 8601 duration).",
				false, isDuration(shortest, longest)},
			{"completeIfInstancesTerminated", "If true, an instance that was terminated in the meantime lets the action complete.", false,
				isOneOf("completeIfInstancesTerminated", "true", "false")},
		}, permissions: []string{"ec2:StopInstances", "ec2:StartInstances"}, begin: (*Service).stopInstances, end: (*Service).startInstances},
	{id: "aws:ec2:terminate-instances", description: "Terminate the specified EC2 instances.", key: "Instances", resource: instanceType,
		permissions: []string{"ec2:TerminateInstances"}, begin: (*Service).terminate},
	{id: "aws:eks:pod-delete", description: "Delete the specified EKS pods.", key: "Pods", resource: podType,
		parameters: append([]parameter{{"gracePeriodSeconds",
			"The duration, in seconds, to wait for the pod to terminate gracefully.", false, isNumber}}, fisPod...),
		permissions: []string{"eks:DescribeCluster"}, outside: (*Service).deletePods},
	{id: "aws:eks:terminate-nodegroup-instances",
		description: "Terminates a percentage of the underlying EC2 instances in an EKS cluster.", key: "Nodegroups", resource: nodegroupType,
		parameters:  []parameter{{"instanceTerminationPercentage", "The percentage (1-100) of instances to terminate.", true, isPercentage}},
		permissions: []string{"eks:DescribeNodegroup"}, begin: (*Service).terminateNodes},
	{id: "aws:fis:inject-api-internal-error",
		description: "Cause an AWS service to return internal error responses for specific callers and operations.", key: "Roles",
		resource: roleType, parameters: apiErrors, permissions: []string{"fis:InjectApiInternalError"}, begin: (*Service).beginErrors,
		end: (*Service).endErrors},
	{id: "aws:fis:inject-api-throttle-error",
		description: "Cause an AWS service to return throttled responses for specific callers and operations.", key: "Roles",
		resource: roleType, parameters: apiErrors, permissions: []string{"fis:InjectApiThrottleError"}, begin: (*Service).beginErrors,
		end: (*Service).endErrors},
	{id: "aws:fis:inject-api-unavailable-error",
		description: "Cause an AWS service to return unavailable error responses for specific callers and operations.", key: "Roles",
		resource: roleType, parameters: apiErrors, permissions: []string{"fis:InjectApiUnavailableError"}, begin: (*Service).beginErrors,
		end: (*Service).endErrors},
	{id: "aws:fis:wait", description: "Wait for the specified duration. Stop condition monitoring will continue during this time.",
		parameters: []parameter{lasting}},
}

// refused are the actions that FIS has and Tripod knows to be without effect here, and why.
var refused = map[string]string{
	"aws:eks:pod-io-stress": "no pod here has processes whose disk it could take",
	"aws:eks:inject-kubernetes-custom-resource": "it starts another tool, such as Chaos Mesh or Litmus, whose objects you can make " +
		"yourself",
	"aws:ec2:api-insufficient-instance-capacity-error": "use 'tripod fault capacity/ZONE', which meets everybody's launches in a zone",
	"aws:ec2:asg-insufficient-instance-capacity-error": "use 'tripod fault capacity/ZONE', which meets everybody's launches in a zone",
	"aws:ebs:pause-volume-io":                          "the pods of simulated nodes write to no device that could be paused",
	"aws:ebs:volume-io-latency":                        "the pods of simulated nodes write to no device that could be slow",
	"aws:ssm:send-command":                             "its instances run no SSM agent",
	"aws:ssm:start-automation-execution":               "it has no Systems Manager Automation",
}

func actionOf(id string) (action, bool) {
	i := slices.IndexFunc(actions, func(a action) bool { return a.id == id })
	if i < 0 {
		return action{}, false
	}
	return actions[i], true
}

func (s *Service) shownAction(a action) types.Action {
	shown := types.Action{Id: aws.String(a.id), Arn: aws.String(s.arn("action/" + a.id)), Description: aws.String(a.description),
		Parameters: map[string]types.ActionParameter{}, Targets: map[string]types.ActionTarget{}, Tags: map[string]string{}}
	for _, p := range a.parameters {
		shown.Parameters[p.name] = types.ActionParameter{Description: aws.String(p.description), Required: aws.Bool(p.required)}
	}
	if a.key != "" {
		shown.Targets[a.key] = types.ActionTarget{ResourceType: aws.String(a.resource)}
	}
	return shown
}

func (s *Service) getAction(call *operation.Call, in *fis.GetActionInput) (*fis.GetActionOutput, error) {
	id := aws.ToString(in.Id)
	if err := permit(call, s.arn("action/"+id), nil); err != nil {
		return nil, err
	}
	a, found := actionOf(id)
	if !found {
		return nil, notFound("Action %s was not found.", id)
	}
	shown := s.shownAction(a)
	return &fis.GetActionOutput{Action: &shown}, nil
}

func (s *Service) listActions(call *operation.Call, in *fis.ListActionsInput) (*fis.ListActionsOutput, error) {
	if err := permit(call, "*", nil); err != nil {
		return nil, err
	}
	var all []types.ActionSummary
	for _, a := range actions {
		all = append(all, as[types.ActionSummary](s.shownAction(a)))
	}
	part, next, err := page("ListActions", in.MaxResults, in.NextToken, all, func(a types.ActionSummary) string { return *a.Id })
	return &fis.ListActionsOutput{Actions: part, NextToken: next}, err
}

// The checks of parameters.

func anything(*Service, map[string]string, string) error { return nil }

func isNumber(_ *Service, _ map[string]string, value string) error {
	if n, err := strconv.Atoi(value); err != nil || n < 0 {
		return invalid("The parameter value %s is not a number.", value)
	}
	return nil
}

func isPercentage(_ *Service, _ map[string]string, value string) error {
	if n, err := strconv.Atoi(value); err != nil || n < 1 || n > 100 {
		return invalid("The percentage %s is not valid: it is from 1 to 100.", value)
	}
	return nil
}

func isDuration(least, most time.Duration) func(*Service, map[string]string, string) error {
	return func(_ *Service, _ map[string]string, value string) error {
		if d, ok := duration(value); !ok || d < least || d > most {
			return invalid("The duration %s is not valid: it is from %v to %v, in ISO 8601 format, such as PT5M.", value, least, most)
		}
		return nil
	}
}

func isOneOf(name string, values ...string) func(*Service, map[string]string, string) error {
	return func(_ *Service, _ map[string]string, value string) error {
		if !slices.Contains(values, value) {
			return invalid("The %s %s is not valid: use one of %s.", name, value, strings.Join(values, ", "))
		}
		return nil
	}
}

func isZone(s *Service, _ map[string]string, value string) error {
	if s.zoneOf(value) == "" {
		return invalid("The Availability Zone %s is not one of the Region: it has %s.", value, strings.Join(s.Network.VPC.Zones, ", "))
	}
	return nil
}

// zoneOf is the name of a zone by its name or id; empty: there is none.
func (s *Service) zoneOf(identifier string) string {
	for i, zone := range s.Network.VPC.Zones {
		if identifier == zone || identifier == s.Network.VPC.ZoneIDs()[i] {
			return zone
		}
	}
	return ""
}

func areManaged(_ *Service, _ map[string]string, value string) error {
	for kind := range strings.SplitSeq(value, ",") {
		if !slices.Contains([]string{"ASG", "ALB", "NLB", "EKS"}, strings.TrimSpace(kind)) {
			return invalid("The managed resource type %s is not valid: use ASG, ALB, NLB and EKS.", kind)
		}
	}
	return nil
}

// areOperations refuses what is no operation of EC2; those of Kinesis, which is not here, are taken as they are.
func areOperations(s *Service, all map[string]string, value string) error {
	for _, name := range operationsOf(value) {
		if !isOperation.MatchString(name) || all["service"] == "ec2" && s.Network.API().Operation(name) == "" {
			return invalid("The operations parameter value is not supported for the action: %s is not an operation of the service %s.",
				name, all["service"])
		}
	}
	return nil
}

var isOperation = regexp.MustCompile(`^[A-Z][A-Za-z0-9]{0,99}$`)

func operationsOf(value string) (names []string) {
	for name := range strings.SplitSeq(value, ",") {
		names = append(names, strings.TrimSpace(name))
	}
	return names
}

// sortedNames are a map's keys in order: what is done to several things is done in the same order everywhere.
func sortedNames[T any](all map[string]T) []string { return slices.Sorted(maps.Keys(all)) }
