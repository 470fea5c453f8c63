package cloudwatch

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tripod/awsapi/cloudwatch/metricdata"
	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/state"
)

// maxAlarms is CloudWatch's quota of an account, and mostNamed how many a call can name.
const maxAlarms, mostNamed = 5000, 100

// The kinds of alarms.
const metricAlarm, compositeAlarm = "MetricAlarm", "CompositeAlarm"

// initialReason is why a new alarm's state is what it is.
const initialReason = "Unchecked: Initial alarm creation"

func (a Alarm) kind() string {
	if text(a.Given, "AlarmRule") != "" {
		return compositeAlarm
	}
	return metricAlarm
}

func (s *Service) put(call *operation.Call, in wire.Document) (wire.Document, error) {
	in, err := known(in, alarmMembers)
	if err != nil {
		return nil, err
	}
	if err := checkAlarm(in); err != nil {
		return nil, err
	}
	return nil, s.save(call, in)
}

// checkAlarm refuses what PutMetricAlarm does.
func checkAlarm(in wire.Document) error {
	if err := required(in, "AlarmName", "EvaluationPeriods", "ComparisonOperator"); err != nil {
		return err
	}
	if err := oneOf(in, "ComparisonOperator", "GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold",
		"LessThanOrEqualToThreshold", "LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold",
		"GreaterThanUpperThreshold"); err != nil {
		return err
	}
	if comparisons[text(in, "ComparisonOperator")].holds == nil && text(in, "ThresholdMetricId") == "" {
		return invalid("ComparisonOperator %s needs a ThresholdMetricId", text(in, "ComparisonOperator"))
	}
	if err := oneOf(in, "Statistic", basicStatistics...); err != nil {
		return err
	}
	if st, found := metricdata.ParseStatistic(text(in, "ExtendedStatistic")); in["ExtendedStatistic"] != nil && (!found || st.Basic()) {
		return badValue("The value %s for parameter ExtendedStatistic is not supported.", text(in, "ExtendedStatistic"))
	}
	for name, options := range map[string][]string{
		"TreatMissingData":                 {"breaching", "notBreaching", "ignore", "missing"},
		"EvaluateLowSampleCountPercentile": {"evaluate", "ignore"},
	} {
		if value := text(in, name); value != "" && !slices.Contains(options, value) {
			last := len(options) - 1
			return invalid("Option %s is not supported. Supported options for parameter %s are %s and %s.", value, name,
				strings.Join(options[:last], ", "), options[last])
		}
	}
	return checkPeriods(in)
}

// checkPeriods refuses what cannot be evaluated.
func checkPeriods(in wire.Document) error {
	c, longest := criterionOf(in), int64(0)
	if in["Metrics"] != nil {
		queries, err := queriesIn(in, "Metrics")
		if err != nil {
			return err
		}
		returned := 0
		for _, q := range queries {
			longest = max(longest, q.period)
			if q.returned {
				returned++
			}
		}
		switch {
		case in["MetricName"] != nil || in["Namespace"] != nil || in["Period"] != nil || in["Statistic"] != nil:
			return exclusive("MetricName", "Metrics")
		case text(in, "ThresholdMetricId") != "" && returned != 2:
			return invalid("Exactly two elements of the metrics list should return data.")
		case text(in, "ThresholdMetricId") == "" && returned != 1:
			return invalid("Exactly one element of the metrics list should return data.")
		}
	} else {
		if text(in, "MetricName") == "" || text(in, "Namespace") == "" || in["Period"] == nil {
			return invalid("MetricName, Namespace and Period must be there where Metrics are not.")
		}
		if _, err := metricOf(in, ""); err != nil {
			return err
		}
		if text(in, "Statistic") != "" && text(in, "ExtendedStatistic") != "" {
			return exclusive("Statistic", "ExtendedStatistic")
		}
		if c.statistic == "" {
			return invalid("One of Statistic and ExtendedStatistic must be there where Metrics are not.")
		}
		if _, err := unitOf(in, "Unit"); err != nil {
			return err
		}
		longest = c.period
		if !periodFits(longest) || longest < 10 {
			return invalid("Period must be 10, 20, 30 or a multiple of 60")
		}
	}
	// "Create a CloudWatch alarm": a day, and seven for periods of an hour and more.
	most := int64(86400)
	if longest >= 3600 {
		most = 604800
	}
	switch {
	case c.periods < 1 || longest*int64(c.periods) > most:
		return invalid("The product of Period and EvaluationPeriods must be from 1 to %d seconds", most)
	case c.breaching < 1 || c.breaching > c.periods:
		return invalid("DatapointsToAlarm must be from 1 to EvaluationPeriods")
	case in["Threshold"] == nil && text(in, "ThresholdMetricId") == "":
		return invalid("The parameter Threshold is required.")
	}
	return nil
}

// save makes an alarm, or gives one that there is other members. An alarm keeps its state until it is evaluated.
func (s *Service) save(call *operation.Call, in wire.Document) error {
	name, tags, now := text(in, "AlarmName"), tagsIn(in), s.now()
	tagging(call, tags, nil)
	given := maps.Clone(in)
	delete(given, "Tags")
	if given["ActionsEnabled"] == nil {
		given["ActionsEnabled"] = true
	}
	var told item
	err := s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		a, found := alarms.Get(tx, name)
		if err := permit(call, s.arn(name), a.Tags); err != nil {
			return err
		}
		verb, summary := "Update", "updated"
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
			a = Alarm{Name: name, Tags: tags, State: InsufficientData, Reason: initialReason, Since: now, Updated: now}
			verb, summary = "Create", "created"
		}
		was := a.kind()
		a.Given, a.Configured = given, now
		if found && was != a.kind() {
			return invalid("Alarm %s is a %s and cannot become a %s", name, was, a.kind())
		}
		if err := s.checkChildren(tx, a); err != nil {
			return err
		}
		alarms.Put(tx, name, a)
		told = configured(a, verb, summary, given)
		return nil
	})
	if err == nil {
		s.note(now, told)
	}
	return err
}

// change changes an alarm whom the caller may do the operation to.
func (s *Service) change(call *operation.Call, name string, edit func(*state.Txn, *Alarm) error) error {
	return s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		a, found := alarms.Get(tx, name)
		if err := permit(call, s.arn(name), a.Tags); err != nil {
			return err
		}
		if !found {
			return notFound(name)
		}
		if err := edit(tx, &a); err != nil {
			return err
		}
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
	v := verdict{state: text(in, "StateValue"), reason: text(in, "StateReason"), data: text(in, "StateReasonData")}
	if v.data != "" && !json.Valid([]byte(v.data)) {
		return nil, &wire.Error{Code: "InvalidFormatFault", QueryCode: "InvalidFormat", Status: 400,
			Message: "StateReasonData is not valid JSON"}
	}
	now, told := s.now(), []item(nil)
	err := s.change(call, text(in, "AlarmName"), func(tx *state.Txn, a *Alarm) error {
		told = s.turn(tx, a, v, now)
		a.ByHand = true
		return nil
	})
	if err == nil {
		s.note(now, told...)
	}
	return nil, err
}

func (s *Service) enable(enabled bool) func(*operation.Call, wire.Document) (wire.Document, error) {
	return func(call *operation.Call, in wire.Document) (wire.Document, error) {
		names := texts(in, "AlarmNames")
		if len(names) > mostNamed {
			return nil, invalid("At most %d alarms can be named.", mostNamed)
		}
		for _, name := range names {
			edit := func(_ *state.Txn, a *Alarm) error {
				a.Given = maps.Clone(a.Given)
				a.Given["ActionsEnabled"] = enabled
				return nil
			}
			if err := s.change(call, name, edit); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}
}

// delete deletes all alarms that are named, or none.
func (s *Service) delete(call *operation.Call, in wire.Document) (wire.Document, error) {
	names, now := texts(in, "AlarmNames"), s.now()
	if len(names) > mostNamed {
		return nil, invalid("At most %d alarms can be named.", mostNamed)
	}
	var told []item
	err := s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		told = nil
		for _, name := range names {
			a, found := alarms.Get(tx, name)
			if err := permit(call, s.arn(name), a.Tags); err != nil {
				return err
			}
			if !found {
				return notFound(name)
			}
			if parents := parentsOf(tx, name, names); len(parents) > 0 {
				return invalid("Cannot delete %s as there are composite alarm(s) depending on it. Please use delete-alarms after deleting or "+
					"updating: %s", name, fmt.Sprint(parents))
			}
			told = append(told, configured(a, "Delete", "deleted", a.Given))
		}
		for _, name := range names {
			alarms.Delete(tx, name)
		}
		return nil
	})
	if err == nil {
		s.note(now, told...)
	}
	return nil, err
}
