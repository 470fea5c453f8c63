package cloudwatch

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/logs/logstore"
)

// HistoryStream is the stream of the log store that has the history of alarms. No log stream has its id: those are random.
const HistoryStream = "00000000000000000000616c61726d73"

// Histories is where the history of alarms is kept: logstore.Store.
type Histories interface {
	Append(stream string, events []logstore.Event, mark any) (logstore.Place, error)
	Find(ctx context.Context, q logstore.Query) (logstore.Page, error)
}

// historyKept is how long CloudWatch keeps an alarm's history.
const historyKept = 30 * 24 * time.Hour

// The types of what the history tells.
const (
	stateUpdate         = "StateUpdate"
	configurationUpdate = "ConfigurationUpdate"
	actionTaken         = "Action"
)

// item is one thing that happened to an alarm.
type item struct {
	Alarm   string `json:"alarm"`
	Kind    string `json:"kind"` // MetricAlarm or CompositeAlarm
	Type    string `json:"type"`
	Summary string `json:"summary"`
	Data    string `json:"data"`
}

// note writes what happened into the history. That it cannot be written does not undo what happened.
func (s *Service) note(at time.Time, items ...item) {
	if s.History == nil || len(items) == 0 {
		return
	}
	events := make([]logstore.Event, 0, len(items))
	for _, one := range items {
		one.Summary, one.Data = clipped(one.Summary, 255), clipped(one.Data, 4095)
		if message, err := json.Marshal(one); err == nil {
			events = append(events, logstore.Event{Time: at.UnixMilli(), Message: string(message)})
		}
	}
	_, _ = s.History.Append(HistoryStream, events, nil)
}

// toState is the history's item of a change of an alarm's state.
func toState(was, is Alarm) item {
	type state struct {
		Value  string          `json:"stateValue"`
		Reason string          `json:"stateReason"`
		Data   json.RawMessage `json:"stateReasonData,omitempty"`
	}
	of := func(a Alarm) state { return state{a.State, a.Reason, json.RawMessage(a.ReasonData)} }
	data, _ := json.Marshal(struct {
		Version string `json:"version"`
		Old     state  `json:"oldState"`
		New     state  `json:"newState"`
	}{"1.0", of(was), of(is)})
	return item{Alarm: is.Name, Kind: is.kind(), Type: stateUpdate, Data: string(data),
		Summary: "Alarm updated from " + was.State + " to " + is.State}
}

// configured is the history's item of an alarm that was created, updated or deleted.
func configured(a Alarm, verb, summary string, config any) item {
	data, _ := json.Marshal(map[string]any{"version": "1.0", "type": verb, map[string]string{"Create": "createdAlarm",
		"Update": "updatedAlarm", "Delete": "deletedAlarm"}[verb]: config})
	return item{Alarm: a.Name, Kind: a.kind(), Type: configurationUpdate, Data: string(data),
		Summary: `Alarm "` + a.Name + `" ` + summary}
}

func (s *Service) describeHistory(call *operation.Call, in wire.Document) (wire.Document, error) {
	name := text(in, "AlarmName")
	about := name
	if about == "" {
		about = "*"
	}
	if err := permit(call, s.arn(about), nil); err != nil {
		return nil, err
	}
	if err := oneOf(in, "HistoryItemType", configurationUpdate, stateUpdate, actionTaken, "AlarmContributorStateUpdate",
		"AlarmContributorAction"); err != nil {
		return nil, err
	}
	if err := oneOf(in, "ScanBy", "TimestampDescending", "TimestampAscending"); err != nil {
		return nil, err
	}
	query, err := s.historyQuery(in)
	if err != nil {
		return nil, err
	}
	items, times := []item{}, map[int]time.Time{}
	out := wire.Document{}
	if s.History != nil {
		page, err := s.History.Find(call.Request.Context(), query)
		if err != nil {
			return nil, err
		}
		if query.Last {
			slices.Reverse(page.Found)
		}
		for i, found := range page.Found {
			var one item
			_ = json.Unmarshal([]byte(found.Message), &one) // Match has read it already
			items = append(items, one)
			times[i] = time.UnixMilli(found.Time).UTC()
		}
		if page.More && len(page.Found) > 0 {
			out["NextToken"] = wire.Token("DescribeAlarmHistory "+name, page.Found[len(page.Found)-1].Key.String())
		}
	}
	shown := []any{}
	for i, one := range items {
		shown = append(shown, wire.Document{"AlarmName": one.Alarm, "AlarmType": one.Kind, "Timestamp": times[i],
			"HistoryItemType": one.Type, "HistorySummary": one.Summary, "HistoryData": one.Data})
	}
	out["AlarmHistoryItems"] = shown
	return out, nil
}

func (s *Service) historyQuery(in wire.Document) (q logstore.Query, err error) {
	name, wanted, kinds := text(in, "AlarmName"), text(in, "HistoryItemType"), texts(in, "AlarmTypes")
	if len(kinds) == 0 {
		kinds = []string{metricAlarm}
		if name != "" {
			kinds = []string{metricAlarm, compositeAlarm}
		}
	}
	most, err := whole(in, "MaxRecords", 100)
	if err != nil {
		return q, err
	}
	q = logstore.Query{Streams: []string{HistoryStream}, From: s.now().Add(-historyKept).UnixMilli(), To: s.now().UnixMilli(),
		Limit: int(min(max(most, 1), 100)), Bytes: 1 << 20, Last: text(in, "ScanBy") != "TimestampAscending",
		Match: func(_ string, e logstore.Event) bool {
			var one item
			return json.Unmarshal([]byte(e.Message), &one) == nil && (name == "" || one.Alarm == name) &&
				(wanted == "" || one.Type == wanted) && slices.Contains(kinds, one.Kind)
		}}
	for name, set := range map[string]func(int64){
		"StartDate": func(at int64) { q.From = max(q.From, at) }, "EndDate": func(at int64) { q.To = min(q.To, at) },
	} {
		at, found, err := timeIn(in, name, name)
		if err != nil {
			return q, err
		}
		if found {
			set(at.UnixMilli())
		}
	}
	if token := text(in, "NextToken"); token != "" {
		last, ok := wire.AfterToken("DescribeAlarmHistory "+name, token)
		key, isKey := logstore.ParseKey(last)
		if !ok || !isKey {
			return q, badToken()
		}
		if q.Last {
			q.Before = &key
		} else {
			q.After = &key
		}
	}
	return q, nil
}
