package logs

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"tripod/awsapi/operation"
	"tripod/logs/logstore"
	"tripod/state"
)

const (
	// mostEvents and mostBytes are what one answer, and one PutLogEvents, may hold. Each event counts eventBytes more than
	// its message.
	mostEvents, mostBytes, eventBytes = 10000, 1 << 20, 26
	// oldest and newest are how far from now events of PutLogEvents may be, and widest how far from each other.
	oldest, newest, widest = 14 * day, 2 * time.Hour, day
	day                    = 24 * time.Hour
	// lastMoment is behind all events, in milliseconds.
	lastMoment = int64(99999999999999)
	// copyLimit is how long PutLogEvents waits for another zone to have the events too.
	copyLimit = 3 * time.Second
)

func (s *Service) putLogEvents(call *operation.Call,
	in *cloudwatchlogs.PutLogEventsInput) (*cloudwatchlogs.PutLogEventsOutput, error) {
	groupName, name := aws.ToString(in.LogGroupName), aws.ToString(in.LogStreamName)
	if err := authorize(call, s.streamARN(groupName, name)); err != nil {
		return nil, err
	}
	var g group
	var to stream
	err := s.State.View(func(tx *state.Txn) (err error) {
		g, to, err = streamNamed(tx, groupName, name)
		return err
	})
	if err != nil {
		return nil, err
	}
	events, rejected, err := s.accepted(g, in.LogEvents)
	if err != nil {
		return nil, err
	}
	out := &cloudwatchlogs.PutLogEventsOutput{NextSequenceToken: aws.String(strings.Repeat("0", 56)),
		RejectedLogEventsInfo: rejected}
	if len(events) == 0 {
		return out, nil
	}
	place, err := s.Events.Append(to.ID, events, nil)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(call.Request.Context(), copyLimit)
	defer cancel()
	if err := s.Events.AwaitCopy(ctx, place); errors.Is(err, context.DeadlineExceeded) {
		return nil, unavailable("No other zone has taken the log events within %s, so a loss of this one would lose "+
			"them: try again. They may be there twice then.", copyLimit)
	} else if err != nil {
		return nil, err
	}
	return out, nil
}

// accepted are those of a batch's events that are taken, and what is said of the others. The rules are those of
// PutLogEvents in the API reference.
func (s *Service) accepted(g group, batch []types.InputLogEvent) (events []logstore.Event,
	rejected *types.RejectedLogEventsInfo, err error) {
	now, size := s.now(), 0
	first, last := now.Add(-oldest).UnixMilli(), now.Add(newest).UnixMilli()
	kept := s.keptSince(g)
	previous := int64(0)
	for i, event := range batch {
		at, message := aws.ToInt64(event.Timestamp), aws.ToString(event.Message)
		size += len(message) + eventBytes
		if at < previous {
			return nil, nil, invalid("Log events in a single PutLogEvents request must be in chronological order.")
		}
		previous = at
		reject := func(set func(*types.RejectedLogEventsInfo)) {
			if rejected == nil {
				rejected = &types.RejectedLogEventsInfo{}
			}
			set(rejected)
		}
		switch {
		case at > last:
			reject(func(r *types.RejectedLogEventsInfo) {
				if r.TooNewLogEventStartIndex == nil {
					r.TooNewLogEventStartIndex = aws.Int32(int32(i))
				}
			})
		case at < kept: // an end's index is that of the first event that is good
			reject(func(r *types.RejectedLogEventsInfo) { r.ExpiredLogEventEndIndex = aws.Int32(int32(i + 1)) })
		case at < first:
			reject(func(r *types.RejectedLogEventsInfo) { r.TooOldLogEventEndIndex = aws.Int32(int32(i + 1)) })
		default:
			events = append(events, logstore.Event{Time: at, Message: message})
		}
	}
	if size > mostBytes {
		return nil, nil, invalid("Upload too large: %d bytes exceeds limit of %d", size, mostBytes)
	}
	if n := len(events); n > 0 && events[n-1].Time-events[0].Time > widest.Milliseconds() {
		return nil, nil, invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
	}
	return events, rejected, nil
}
