package cloudwatch

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/state"
)

// maxAlarms is CloudWatch's quota of an account, and mostNamed how many a call can name.
const maxAlarms, mostNamed = 5000, 100

func (s *Service) put(call *operation.Call, in wire.Document) (_ wire.Document, err error) {
	if in, err = known(in, alarmMembers); err != nil {
		return nil, err
	}
	if err := required(in, "AlarmName", "EvaluationPeriods", "ComparisonOperator"); err != nil {
		return nil, err
	}
	if err := oneOf(in, "ComparisonOperator", "GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold",
		"LessThanOrEqualToThreshold", "LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold",
		"GreaterThanUpperThreshold"); err != nil {
		return nil, err
	}
	if err := oneOf(in, "Statistic", "SampleCount", "Average", "Sum", "Minimum", "Maximum"); err != nil {
		return nil, err
	}
	if _, computed := in["Metrics"]; !computed && (text(in, "MetricName") == "" || text(in, "Namespace") == "" || in["Period"] == nil) {
		return nil, invalid("MetricName, Namespace and Period must be there where Metrics are not.")
	}
	name, tags, now := text(in, "AlarmName"), tagsIn(in), s.now()
	tagging(call, tags, nil)
	given := maps.Clone(in)
	delete(given, "Tags")
	if given["ActionsEnabled"] == nil {
		given["ActionsEnabled"] = true
	}
	return nil, s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		a, found := alarms.Get(tx, name)
		if err := permit(call, s.arn(name), a.Tags); err != nil {
			return err
		}
		if !found {
			if len(alarms.List(tx)) >= maxAlarms {
				return &wire.Error{Code: "LimitExceededFault", QueryCode: "LimitExceeded", Status: 400,
					Message: "The quota for alarms for this customer has already been reached."}
			}
			if len(tags) > 0 { // those of an alarm that there is are ignored
				if err := call.Authorize(wire.ProtocolOf(call.Request, Name, wire.CBOR), "cloudwatch:TagResource", s.arn(name)); err != nil {
					return err
				}
			}
			a = Alarm{Name: name, Tags: tags, State: InsufficientData, Reason: "Unchecked: Initial alarm creation", Since: now, Updated: now}
		}
		a.Given, a.Configured = given, now
		alarms.Put(tx, name, a)
		return nil
	})
}

// change changes an alarm whom the caller may do the operation to.
func (s *Service) change(call *operation.Call, name string, edit func(*Alarm)) error {
	return s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		a, found := alarms.Get(tx, name)
		if err := permit(call, s.arn(name), a.Tags); err != nil {
			return err
		}
		if !found {
			return notFound(name)
		}
		edit(&a)
		alarms.Put(tx, name, a)
		return nil
	})
}

func (s *Service) set(call *operation.Call, in wire.Document) (wire.Document, error) {
	if err := required(in, "AlarmName", "StateValue", "StateReason"); err != nil {
		return nil, err
	}
	if err := oneOf(in, "StateValue", OK, Alarming, InsufficientData); err != nil {
		return nil, err
	}
	data, now := text(in, "StateReasonData"), s.now()
	if data != "" && !json.Valid([]byte(data)) {
		return nil, &wire.Error{Code: "InvalidFormatFault", QueryCode: "InvalidFormat", Status: 400,
			Message: "StateReasonData is not valid JSON"}
	}
	return nil, s.change(call, text(in, "AlarmName"), func(a *Alarm) {
		if to := text(in, "StateValue"); a.State != to {
			a.State, a.Since = to, now
		}
		a.Reason, a.ReasonData, a.Updated = text(in, "StateReason"), data, now
	})
}

func (s *Service) enable(enabled bool) func(*operation.Call, wire.Document) (wire.Document, error) {
	return func(call *operation.Call, in wire.Document) (wire.Document, error) {
		names := texts(in, "AlarmNames")
		if len(names) > mostNamed {
			return nil, invalid("At most %d alarms can be named.", mostNamed)
		}
		for _, name := range names {
			if err := s.change(call, name, func(a *Alarm) { a.Given["ActionsEnabled"] = enabled }); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}
}

// delete deletes all alarms that are named, or none.
func (s *Service) delete(call *operation.Call, in wire.Document) (wire.Document, error) {
	return nil, s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		for _, name := range texts(in, "AlarmNames") {
			a, found := alarms.Get(tx, name)
			if err := permit(call, s.arn(name), a.Tags); err != nil {
				return err
			}
			if !found {
				return notFound(name)
			}
			alarms.Delete(tx, name)
		}
		return nil
	})
}

// mostShown is how many alarms a page of DescribeAlarms has, where the call does not say.
const mostShown = 50

func (s *Service) describe(call *operation.Call, in wire.Document) (wire.Document, error) {
	if err := permit(call, s.arn("*"), nil); err != nil {
		return nil, err
	}
	names, prefix, is := texts(in, "AlarmNames"), text(in, "AlarmNamePrefix"), text(in, "StateValue")
	action, kinds := text(in, "ActionPrefix"), texts(in, "AlarmTypes")
	var all []Alarm
	s.State.View(func(tx *state.Txn) error {
		all = slices.DeleteFunc(alarms.List(tx), func(a Alarm) bool {
			return len(names) > 0 && !slices.Contains(names, a.Name) || !strings.HasPrefix(a.Name, prefix) || is != "" && a.State != is ||
				action != "" && !a.acts(action) || len(kinds) > 0 && !slices.Contains(kinds, "MetricAlarm")
		})
		return nil
	})
	size := mostShown
	if given, ok := in["MaxRecords"].(float64); ok && given >= 1 && given <= 100 {
		size = int(given)
	}
	token := text(in, "NextToken")
	part, next, ok := wire.Page("DescribeAlarms "+prefix+" "+is, size, &token, all, func(a Alarm) string { return a.Name })
	if !ok {
		return nil, &wire.Error{Code: "InvalidNextToken", Status: 400, Message: "The next token specified is invalid."}
	}
	shown := []any{}
	for _, a := range part {
		shown = append(shown, s.shown(a))
	}
	out := wire.Document{"MetricAlarms": shown, "CompositeAlarms": []any{}}
	if next != nil {
		out["NextToken"] = *next
	}
	return out, nil
}

// acts says whether one of the alarm's actions begins so.
func (a Alarm) acts(prefix string) bool {
	for _, name := range []string{"OKActions", "AlarmActions", "InsufficientDataActions"} {
		if slices.ContainsFunc(texts(a.Given, name), func(arn string) bool { return strings.HasPrefix(arn, prefix) }) {
			return true
		}
	}
	return false
}

// shown is an alarm as DescribeAlarms shows it.
func (s *Service) shown(a Alarm) wire.Document {
	out := wire.Document{"OKActions": []any{}, "AlarmActions": []any{}, "InsufficientDataActions": []any{}, "Dimensions": []any{}}
	maps.Copy(out, a.Given)
	out["AlarmArn"], out["StateValue"], out["StateReason"] = s.arn(a.Name), a.State, a.Reason
	out["StateUpdatedTimestamp"], out["StateTransitionedTimestamp"] = a.Updated, a.Since
	out["AlarmConfigurationUpdatedTimestamp"] = a.Configured
	if a.ReasonData != "" {
		out["StateReasonData"] = a.ReasonData
	}
	return out
}

// named is the name of the alarm with that ARN.
func named(in wire.Document) string {
	_, name, _ := strings.Cut(text(in, "ResourceARN"), ":alarm:")
	return name
}

func (s *Service) tag(call *operation.Call, in wire.Document) (wire.Document, error) {
	in, err := known(in, map[string]member{"ResourceARN": short(1024), "Tags": tags})
	if err != nil {
		return nil, err
	}
	tagging(call, tagsIn(in), nil)
	var full error
	err = s.change(call, named(in), func(a *Alarm) {
		given := maps.Clone(a.Tags)
		if given == nil {
			given = map[string]string{}
		}
		maps.Copy(given, tagsIn(in))
		if full = nil; len(given) > tags.most {
			full = invalid("The number of tags is limited to %d.", tags.most)
			return
		}
		a.Tags = given
	})
	if err != nil {
		return nil, err
	}
	return nil, full
}

func (s *Service) untag(call *operation.Call, in wire.Document) (wire.Document, error) {
	tagging(call, nil, texts(in, "TagKeys"))
	return nil, s.change(call, named(in), func(a *Alarm) {
		for _, key := range texts(in, "TagKeys") {
			delete(a.Tags, key)
		}
	})
}

func (s *Service) listTags(call *operation.Call, in wire.Document) (wire.Document, error) {
	shown := []any{}
	err := s.State.View(func(tx *state.Txn) error {
		a, found := alarms.Get(tx, named(in))
		if err := permit(call, s.arn(named(in)), a.Tags); err != nil {
			return err
		}
		if !found {
			return &wire.Error{Code: "ResourceNotFoundException", Status: 404, Message: "Unknown alarm: " + named(in)}
		}
		shown = []any{}
		for _, key := range slices.Sorted(maps.Keys(a.Tags)) {
			shown = append(shown, wire.Document{"Key": key, "Value": a.Tags[key]})
		}
		return nil
	})
	return wire.Document{"Tags": shown}, err
}
