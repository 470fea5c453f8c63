package cloudwatch

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"tripod/awsapi/cloudwatch/metricdata"
	"tripod/awsapi/events"
	"tripod/awsapi/wire"
	"tripod/state"
)

// turn gives an alarm a state, tells EventBridge and takes the alarm's actions, within a transaction. It returns what the history
// is to tell when the transaction is made.
func (s *Service) turn(tx *state.Txn, a *Alarm, v verdict, now time.Time) (told []item) {
	was := *a
	if a.State != v.state {
		a.State, a.Since = v.state, now
	}
	a.Reason, a.ReasonData, a.Updated, a.ByHand = v.reason, v.data, now, false
	if was.State == a.State {
		return nil
	}
	if s.Events != nil {
		s.Events(tx, s.eventOf(was, *a))
	}
	told = append(told, toState(was, *a))
	suppressor, _ := alarms.Get(tx, nameOf(text(a.Given, "ActionsSuppressor")))
	a.suppress(suppressor.State, now)
	if a.SuppressedBy != "" {
		return told
	}
	return append(told, s.act(tx, a, v, now, anyAction)...)
}

// actionsOf are the actions of the alarm's state.
func (a Alarm) actionsOf() []string {
	return texts(a.Given, map[string]string{OK: "OKActions", Alarming: "AlarmActions", InsufficientData: "InsufficientDataActions"}[a.State])
}

func anyAction(string) bool { return true }

func isScaling(arn string) bool {
	return strings.HasPrefix(arn, "arn:aws:autoscaling:") && strings.Contains(arn, ":scalingPolicy:")
}

// scales says whether the alarm's state has a policy of Auto Scaling follow it.
func (a Alarm) scales() bool {
	for _, arn := range a.actionsOf() {
		if isScaling(arn) {
			return true
		}
	}
	return false
}

// act takes the actions of the alarm's state that are wanted. Policies of Auto Scaling are followed; what other actions would do is
// told in the history, and not done.
func (s *Service) act(tx *state.Txn, a *Alarm, v verdict, now time.Time, wanted func(arn string) bool) (told []item) {
	if enabled, is := a.Given["ActionsEnabled"].(bool); is && !enabled {
		return nil
	}
	for _, arn := range a.actionsOf() {
		if !wanted(arn) {
			continue
		}
		var err error
		switch {
		case !isScaling(arn):
			err = errors.New("there is nothing behind this action: it is kept, and not taken")
		case s.Scale == nil:
			err = errors.New("there is no Auto Scaling")
		default:
			err = s.Scale(tx, arn, v.value, threshold(a), now)
		}
		told = append(told, actionItem(*a, arn, err, now))
	}
	return told
}

func threshold(a *Alarm) float64 {
	number, _ := numberOf(a.Given["Threshold"])
	return number
}

func actionItem(a Alarm, arn string, err error, now time.Time) item {
	data := map[string]any{"actionState": "Succeeded", "notificationResource": arn, "stateUpdateTimestamp": now.UnixMilli()}
	summary := "Successfully executed action " + arn
	if err != nil {
		data["actionState"], data["error"] = "Failed", err.Error()
		summary = fmt.Sprintf("Failed to execute action %s. Received error: %q", arn, err)
	}
	text, _ := json.Marshal(data)
	return item{Alarm: a.Name, Kind: a.kind(), Type: actionTaken, Summary: summary, Data: string(text)}
}

// eventState is a state in an event's detail: "CloudWatch alarm state change events" of EventBridge's reference.
type eventState struct {
	Value     string `json:"value"`
	Reason    string `json:"reason"`
	Data      string `json:"reasonData,omitempty"`
	Timestamp string `json:"timestamp"`
	By        string `json:"actionsSuppressedBy,omitempty"`
}

func stateOf(a Alarm) eventState {
	return eventState{a.State, a.Reason, a.ReasonData, javaTime(a.Updated), a.SuppressedBy}
}

// eventOf is the event of a change of an alarm's state.
func (s *Service) eventOf(was, is Alarm) events.Event {
	return events.Event{Source: "aws.cloudwatch", DetailType: "CloudWatch Alarm State Change", Time: is.Updated,
		Resources: []string{s.arn(is.Name)}, Detail: map[string]any{
			"alarmName": is.Name, "configuration": configurationOf(is), "previousState": stateOf(was), "state": stateOf(is)}}
}

// configurationOf is an alarm's in an event's detail.
func configurationOf(a Alarm) map[string]any {
	out := map[string]any{}
	if description := text(a.Given, "AlarmDescription"); description != "" {
		out["description"] = description
	}
	if a.kind() == compositeAlarm {
		out["alarmRule"] = text(a.Given, "AlarmRule")
		return out
	}
	if a.Given["Metrics"] == nil {
		c := criterionOf(a.Given)
		metric, _ := metricOf(a.Given, "")
		out["metrics"] = []any{eventMetric("m1", metric, c.statistic, c.period, true)}
		return out
	}
	shown := []any{}
	queries, _ := queriesIn(a.Given, "Metrics")
	for i, q := range queries {
		if q.expression != nil {
			shown = append(shown, map[string]any{"id": q.id, "label": q.label, "returnData": q.returned,
				"expression": text(itemsOf(a.Given, "Metrics")[i], "Expression")})
			continue
		}
		shown = append(shown, eventMetric(q.id, q.metric, q.statistic.Name, q.period, q.returned))
	}
	out["metrics"] = shown
	return out
}

func eventMetric(id string, m metricdata.Metric, statistic string, period int64, returned bool) map[string]any {
	dimensions := map[string]string{}
	for _, d := range m.Dimensions {
		dimensions[d.Name] = d.Value
	}
	return map[string]any{"id": id, "returnData": returned, "metricStat": wire.Document{"period": period, "stat": statistic,
		"metric": map[string]any{"namespace": m.Namespace, "name": m.Name, "dimensions": dimensions}}}
}
