package fis

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/fis/types"
)

// FIS's quotas of a template, and the bounds of durations.
const (
	maxActions        = 20
	maxStopConditions = 5
	shortest          = time.Minute
	longest           = 12 * time.Hour
)

const (
	noCondition    = "none"
	alarmCondition = "aws:cloudwatch:alarm"
)

// check refuses a template that cannot be carried out, whatever there is in the region.
func (s *Service) check(t types.ExperimentTemplate) error {
	switch {
	case len(t.Actions) == 0:
		return invalid("An experiment template must contain at least one action.")
	case len(t.Actions) > maxActions:
		return tooMany("An experiment template has at most %d actions.", maxActions)
	case len(t.StopConditions) == 0 || len(t.StopConditions) > maxStopConditions:
		return invalid("An experiment template has 1 to %d stop conditions.", maxStopConditions)
	case t.ExperimentOptions.AccountTargeting == types.AccountTargetingMultiAccount:
		return invalid("Tripod has one account: use accountTargeting single-account.")
	case !strings.HasPrefix(aws.ToString(t.RoleArn), "arn:") || !strings.Contains(aws.ToString(t.RoleArn), ":role/"):
		return invalid("The role ARN %s is not the ARN of an IAM role.", aws.ToString(t.RoleArn))
	}
	for _, one := range t.StopConditions {
		switch source := aws.ToString(one.Source); {
		case source == noCondition && one.Value == nil && len(t.StopConditions) == 1:
		case source == alarmCondition && strings.HasPrefix(aws.ToString(one.Value), "arn:"):
		case source == alarmCondition:
			return invalid("A stop condition of the source %s has the ARN of an alarm for its value.", source)
		case source == noCondition:
			return invalid("A stop condition of the source none is the only one, and has no value.")
		default:
			return invalid("The stop condition source %s is not valid: use %s or %s.", source, noCondition, alarmCondition)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.Targets)) {
		if err := checkTarget(name, t.Targets[name]); err != nil {
			return err
		}
	}
	used := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(t.Actions)) {
		if err := s.checkAction(name, t, used); err != nil {
			return err
		}
	}
	for name := range t.Targets {
		if !used[name] {
			return invalid("The target %s is not used by any action.", name)
		}
	}
	return checkOrder(t.Actions)
}

// checkAction refuses an action that FIS does not have, or that does not fit its targets and parameters.
func (s *Service) checkAction(name string, t types.ExperimentTemplate, used map[string]bool) error {
	one := t.Actions[name]
	id := aws.ToString(one.ActionId)
	if why, known := refused[id]; known {
		return invalid("Tripod does not have the action %s: %s.", id, why)
	}
	kind, known := actionOf(id)
	if !known {
		return invalid("The action ID %s of the action %s is not valid: ListActions has those that there are.", id, name)
	}
	for key, target := range one.Targets {
		there, found := t.Targets[target]
		switch {
		case key != kind.key:
			return invalid("The action %s (%s) has no targets with the key %s.", name, id, key)
		case !found:
			return invalid("The target %s of the action %s is not defined.", target, name)
		case aws.ToString(there.ResourceType) != kind.resource:
			return invalid("The action %s (%s) is for targets of the resource type %s, and %s has %s.", name, id, kind.resource,
				target, aws.ToString(there.ResourceType))
		}
		used[target] = true
	}
	if kind.key != "" && len(one.Targets) == 0 {
		return invalid("The action %s (%s) needs a target with the key %s.", name, id, kind.key)
	}
	for key := range one.Parameters {
		if !slices.ContainsFunc(kind.parameters, func(p parameter) bool { return p.name == key }) {
			return invalid("The parameter %s is not valid for the action %s (%s).", key, name, id)
		}
	}
	for _, p := range kind.parameters {
		value, given := one.Parameters[p.name]
		if !given {
			if p.required {
				return invalid("The parameter %s is required for the action %s (%s).", p.name, name, id)
			}
			continue
		}
		if err := p.check(s, one.Parameters, value); err != nil {
			return err
		}
	}
	return nil
}

// checkOrder refuses actions that wait for one that is not there, or for each other.
func checkOrder(actions map[string]types.ExperimentTemplateAction) error {
	begun := map[string]bool{}
	for range actions {
		for name, one := range actions {
			if !slices.ContainsFunc(one.StartAfter, func(before string) bool { return !begun[before] }) {
				begun[name] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(actions)) {
		for _, before := range actions[name].StartAfter {
			if _, found := actions[before]; !found {
				return invalid("The action %s starts after %s, which is not an action of the template.", name, before)
			}
		}
		if !begun[name] {
			return invalid("The action %s waits for itself by its startAfter.", name)
		}
	}
	return nil
}

var selection = regexp.MustCompile(`^(ALL|COUNT\([1-9][0-9]*\)|PERCENT\(([1-9][0-9]?|100)\))$`)

func checkTarget(name string, t types.ExperimentTemplateTarget) error {
	kind, known := resourceTypeOf(aws.ToString(t.ResourceType))
	switch {
	case !known:
		return invalid("The resource type %s of the target %s is not valid: ListTargetResourceTypes has those that there are.",
			aws.ToString(t.ResourceType), name)
	case !selection.MatchString(aws.ToString(t.SelectionMode)):
		return invalid("The selection mode %s of the target %s is not valid: use ALL, COUNT(n) or PERCENT(n).",
			aws.ToString(t.SelectionMode), name)
	case len(t.ResourceArns) > 0 && (len(t.ResourceTags) > 0 || len(t.Filters) > 0):
		return invalid("The target %s has resource ARNs, and so neither resource tags nor filters.", name)
	case kind.name == podType && len(t.ResourceArns)+len(t.ResourceTags) > 0:
		return invalid("Targets of the resource type %s are found by parameters, not by ARNs or tags.", podType)
	case kind.name != podType && len(t.ResourceArns)+len(t.ResourceTags)+len(t.Filters)+len(t.Parameters) == 0:
		return invalid("The target %s has neither resource ARNs, resource tags, filters nor parameters.", name)
	}
	for _, p := range kind.parameters {
		if p.required && t.Parameters[p.name] == "" {
			return invalid("The parameter %s of the target %s is required for the resource type %s.", p.name, name, kind.name)
		}
	}
	for key := range t.Parameters {
		if !slices.ContainsFunc(kind.parameters, func(p parameter) bool { return p.name == key }) {
			return invalid("The parameter %s of the target %s is not valid for the resource type %s.", key, name, kind.name)
		}
	}
	return nil
}

// duration reads one as ISO 8601 has it, of hours, minutes and seconds: PT1H30M.
func duration(text string) (time.Duration, bool) {
	rest, found := strings.CutPrefix(text, "PT")
	if !found || rest == "" {
		return 0, false
	}
	d, err := time.ParseDuration(strings.ToLower(rest))
	return d, err == nil && d >= 0
}

// percentOf is a share of n, rounded down.
func percentOf(n int, percent string) int {
	share, _ := strconv.Atoi(percent)
	return n * share / 100
}
