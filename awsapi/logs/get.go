package logs

import (
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"tripod/awsapi/operation"
	"tripod/logs/logstore"
	"tripod/state"
)

// keptSince is the time, in milliseconds, before which the group's retention lets nothing be.
func (s *Service) keptSince(g group) int64 {
	if g.Retention == 0 {
		return 0
	}
	return s.now().Add(-time.Duration(g.Retention) * day).UnixMilli()
}

// span is the times from which on and up to which events are wanted, both included.
func (s *Service) span(g group, start *int64, end int64) (from, to int64) {
	return max(aws.ToInt64(start), s.keptSince(g)), min(end, lastMoment)
}

// limited is how many events are wanted.
func limited(limit *int32) int {
	if limit == nil {
		return mostEvents
	}
	return int(*limit)
}

// getLogEvents walks through one stream in either direction. Tokens say the direction and the event behind or before
// which it goes on; at the end one gets the token that one gave.
func (s *Service) getLogEvents(call *operation.Call,
	in *cloudwatchlogs.GetLogEventsInput) (*cloudwatchlogs.GetLogEventsOutput, error) {
	groupName, err := s.groupName(in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	name := aws.ToString(in.LogStreamName)
	if err := authorize(call, s.streamARN(groupName, name)); err != nil {
		return nil, err
	}
	q := logstore.Query{Limit: limited(in.Limit), Bytes: mostBytes, Last: !aws.ToBool(in.StartFromHead)}
	err = s.State.View(func(tx *state.Txn) error {
		g, one, err := streamNamed(tx, groupName, name)
		end := lastMoment
		if in.EndTime != nil {
			end = *in.EndTime - 1
		}
		q.Streams = []string{one.ID}
		q.From, q.To = s.span(g, in.StartTime, end)
		if err == nil {
			err = s.searchable(tx, call, g)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var at logstore.Key
	if in.NextToken != nil {
		direction, text, _ := strings.Cut(*in.NextToken, "/")
		key, ok := logstore.ParseKey(text)
		if !ok || direction != "f" && direction != "b" {
			return nil, errToken
		}
		if q.Last = direction == "b"; q.Last {
			q.Before = &key
		} else {
			q.After = &key
		}
		at = key
	}
	page, err := s.Events.Find(call.Request.Context(), q)
	found := page.Found
	if err != nil {
		return nil, err
	}
	out := &cloudwatchlogs.GetLogEventsOutput{Events: []types.OutputLogEvent{}}
	for _, f := range found {
		out.Events = append(out.Events,
			types.OutputLogEvent{Timestamp: &f.Time, Message: &f.Message, IngestionTime: &f.Ingested})
	}
	before, behind := at, at
	if len(found) > 0 {
		before, behind = found[0].Key, found[len(found)-1].Key
	}
	out.NextBackwardToken, out.NextForwardToken = aws.String("b/"+before.String()), aws.String("f/"+behind.String())
	return out, nil
}
