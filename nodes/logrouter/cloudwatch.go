package logrouter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// CloudWatch sends records to the log groups of Container Insights: /aws/containerinsights/CLUSTER/application, and dataplane for those of
// aws-node and kube-proxy. A stream is named by node and tag, as AWS's configuration names it. Groups and streams are made when they
// are missing.
type CloudWatch struct {
	Cluster string
	Node    string
	// Client signs by the role of the node.
	Client *cloudwatchlogs.Client
}

// What PutLogEvents takes at once.
const (
	mostEvents     = 10_000
	mostEventBytes = 1 << 20
	eventOverhead  = 26
	longestSpan    = 24 * time.Hour
	// longestName is how many characters a stream's name may have.
	longestName = 512
)

type place struct{ group, stream string }

// event is a record on its way to a stream.
type event struct {
	place
	at   time.Time
	text string
}

// Send is Output's. What the service refuses as such is left out, and all else is sent.
func (c CloudWatch) Send(ctx context.Context, records []Record) error {
	events := make([]event, 0, len(records))
	for _, r := range records {
		events = append(events, event{c.place(r), r.At, string(r.plain().JSON())})
	}
	err := streams{client: c.Client, create: true}.send(ctx, events)
	var some *unsent
	if !errors.As(err, &some) {
		return err
	}
	left := slices.DeleteFunc(slices.Clone(records), func(r Record) bool { return !slices.Contains(some.places, c.place(r)) })
	return &Left{Records: left, Err: err, Refused: some.refused}
}

// place is where a record goes.
func (c CloudWatch) place(r Record) place {
	to := place{"/aws/containerinsights/" + c.Cluster + "/application", cut(c.Node+"-"+r.Tag, longestName)}
	if r.dataplane() {
		to.group = "/aws/containerinsights/" + c.Cluster + "/dataplane"
	}
	return to
}

// unsent is the error after which the events of some places are to be sent again, those of the others not.
type unsent struct {
	places  []place
	refused *Refused // of the others; nil: none
	err     error
}

func (u *unsent) Error() string { return u.err.Error() }

func (u *unsent) Unwrap() error { return u.err }

// streams are those of a client's log groups.
type streams struct {
	client *cloudwatchlogs.Client
	create bool  // groups that are missing
	days   int32 // that a group which is made keeps its events; 0: for ever
}

func (s streams) send(ctx context.Context, all []event) error {
	var places []place
	events := map[place][]types.InputLogEvent{}
	for _, e := range all {
		e.stream = cut(e.stream, longestName)
		if events[e.place] == nil {
			places = append(places, e.place)
		}
		text := cut(e.text, mostEventBytes-eventOverhead)
		events[e.place] = append(events[e.place], types.InputLogEvent{Message: &text, Timestamp: aws.Int64(e.at.UnixMilli())})
	}
	refused := &Refused{}
	for i, to := range places {
		done := *refused
		for batch := range batches(events[to]) {
			left, err := s.put(ctx, to, batch)
			if err != nil && left == 0 {
				some := &unsent{places: places[i:], err: fmt.Errorf("log group %s: %w", to.group, err)}
				if done.Records > 0 {
					some.refused = &done
				}
				return some
			}
			if refused.Records += left; refused.Err == nil && err != nil {
				refused.Err = fmt.Errorf("log group %s, stream %s: %w", to.group, to.stream, err)
			}
		}
	}
	if refused.Records > 0 {
		return refused
	}
	return nil
}

// batches cuts events into what a call takes. They are in order of time.
func batches(events []types.InputLogEvent) func(func([]types.InputLogEvent) bool) {
	slices.SortStableFunc(events, func(a, b types.InputLogEvent) int { return int(*a.Timestamp - *b.Timestamp) })
	return func(yield func([]types.InputLogEvent) bool) {
		first, size := 0, 0
		for i, e := range events {
			more := len(*e.Message) + eventOverhead
			full := i-first == mostEvents || size+more > mostEventBytes
			if i > first && (full || *e.Timestamp-*events[first].Timestamp >= longestSpan.Milliseconds()) {
				if !yield(events[first:i]) {
					return
				}
				first, size = i, 0
			}
			size += more
		}
		if first < len(events) {
			yield(events[first:])
		}
	}
}

// put sends a batch to its stream. Of events that the service never takes it says how many and why; with none the error is one to try
// again after.
func (s streams) put(ctx context.Context, to place, batch []types.InputLogEvent) (left int, err error) {
	in := &cloudwatchlogs.PutLogEventsInput{LogGroupName: &to.group, LogStreamName: &to.stream, LogEvents: batch}
	out, err := s.client.PutLogEvents(ctx, in)
	var missing *types.ResourceNotFoundException
	if errors.As(err, &missing) {
		if err := s.make(ctx, to); err != nil { // whatever is wrong with these calls is not wrong with the events
			return 0, err
		}
		out, err = s.client.PutLogEvents(ctx, in)
	}
	var invalid *types.InvalidParameterException
	if errors.As(err, &invalid) {
		return len(batch), err
	}
	if err != nil || out.RejectedLogEventsInfo == nil {
		return 0, err
	}
	// Of events in order of time the first ones are too old, those before an end, and the last ones too new, from a start on.
	not := out.RejectedLogEventsInfo
	left = int(max(aws.ToInt32(not.ExpiredLogEventEndIndex), aws.ToInt32(not.TooOldLogEventEndIndex)))
	if not.TooNewLogEventStartIndex != nil {
		left += len(batch) - int(*not.TooNewLogEventStartIndex)
	}
	if left <= 0 {
		return 0, nil
	}
	return min(left, len(batch)), errors.New("they are too old or too new")
}

// make makes a stream, and its group where that is missing and to be made. As Fluent Bit does, it sets how long a group keeps its
// events when it makes it, also if another was faster; after a failure of that, which is told, the group is there and streams are made
// in it.
func (s streams) make(ctx context.Context, to place) error {
	in := &cloudwatchlogs.CreateLogStreamInput{LogGroupName: &to.group, LogStreamName: &to.stream}
	_, err := s.client.CreateLogStream(ctx, in)
	var missing *types.ResourceNotFoundException
	var there *types.ResourceAlreadyExistsException
	if s.create && errors.As(err, &missing) {
		_, err = s.client.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &to.group})
		if err != nil && !errors.As(err, &there) {
			return fmt.Errorf("make the group: %w", err)
		}
		if s.days > 0 {
			_, err := s.client.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: &to.group,
				RetentionInDays: &s.days})
			if err != nil {
				return fmt.Errorf("set how long the group keeps its events: %w", err)
			}
		}
		_, err = s.client.CreateLogStream(ctx, in)
	}
	if errors.As(err, &there) {
		return nil
	}
	return err
}
