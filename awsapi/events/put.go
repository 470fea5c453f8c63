package events

import (
	"encoding/json"
	"strings"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/state"
)

type putEventsEntry struct {
	Source, DetailType, Detail, EventBusName string
	Resources                                []string
	Time                                     *float64 // seconds since 1970
}

type putEventsInput struct{ Entries []putEventsEntry }

type putEventsResult struct {
	EventID      string `json:"EventId,omitempty"`
	ErrorCode    string `json:",omitempty"`
	ErrorMessage string `json:",omitempty"`
}

type putEventsOutput struct {
	FailedEntryCount int
	Entries          []putEventsResult
}

func (s *Service) putEvents(call *operation.Call, in *putEventsInput) (*putEventsOutput, error) {
	if err := call.Authorize(wire.AWSJSON, "events:PutEvents", s.defaultBus().ARN); err != nil {
		return nil, err
	}
	if len(in.Entries) == 0 || len(in.Entries) > 10 {
		return nil, operation.InvalidInput("1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have " +
			"length less than or equal to 10")
	}
	out := &putEventsOutput{}
	return out, s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		*out = putEventsOutput{Entries: []putEventsResult{}}
		for _, e := range in.Entries {
			if code, message := e.check(); code != "" {
				out.FailedEntryCount++
				out.Entries = append(out.Entries, putEventsResult{ErrorCode: code, ErrorMessage: message})
				continue
			}
			at := s.now()
			if e.Time != nil {
				at = time.UnixMilli(int64(*e.Time * 1000))
			}
			if err := Emit(tx, Event{Source: e.Source, DetailType: e.DetailType, Account: s.AccountID, Region: s.Region, Time: at,
				Resources: e.Resources, Detail: json.RawMessage(e.Detail)}); err != nil {
				return err
			}
			out.Entries = append(out.Entries, putEventsResult{EventID: wire.NewRequestID()})
		}
		return nil
	})
}

// check has the reasons for which one event is not taken.
func (e putEventsEntry) check() (code, message string) {
	var detail map[string]any
	switch {
	case e.Source == "":
		return "InvalidArgument", "Parameter Source is not valid. Reason: Source is a required argument."
	case strings.HasPrefix(e.Source, "aws."):
		return "NotAuthorizedForSourceException", "Not authorized for the source."
	case e.DetailType == "":
		return "InvalidArgument", "Parameter DetailType is not valid. Reason: DetailType is a required argument."
	case json.Unmarshal([]byte(e.Detail), &detail) != nil:
		return "MalformedDetail", "Detail is malformed."
	case onDefaultBus(e.EventBusName) != nil:
		return "InvalidArgument", "Event bus does not exist."
	}
	return "", ""
}

type testPatternInput struct{ EventPattern, Event string }

type testPatternOutput struct{ Result bool }

func (s *Service) testPattern(call *operation.Call, in *testPatternInput) (*testPatternOutput, error) {
	if err := s.may(call, ""); err != nil {
		return nil, err
	}
	p, err := parsePattern(in.EventPattern)
	if err != nil {
		return nil, err
	}
	var fields map[string]any
	if json.Unmarshal([]byte(in.Event), &fields) != nil {
		return nil, operation.InvalidInput("Parameter Event is not valid.")
	}
	return &testPatternOutput{p.matches(fields)}, nil
}
