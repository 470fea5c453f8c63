package logs

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/logs/logstore"
	"tripod/state"
)

const (
	// pageTime is how long a search goes on before its page ends, with fewer events than there may be, perhaps none, and a
	// token; as AWS's do.
	pageTime = 5 * time.Second
	// callTime is how long a call may search in all, where no place to go on comes before.
	callTime = 25 * time.Second
)

// errTooSlow is what a call's search ends with when its time is over.
var errTooSlow = invalid("The search took longer than %s: use a filter pattern that is simpler, startTime and "+
	"endTime that are nearer, or fewer log streams.", callTime)

// searching gives a search its end: when its client goes, or its time is over; and says when it has found long enough
// for a page.
func (s *Service) searching(call *operation.Call) (ctx context.Context, enough func() bool, cancel context.CancelFunc) {
	began, most := time.Now(), pageTime
	if s.PageTime != 0 {
		most = s.PageTime
	}
	ctx, cancel = context.WithTimeoutCause(call.Request.Context(), callTime, errTooSlow)
	return ctx, func() bool { return time.Since(began) >= most }, cancel
}

// filterLogEvents searches a group's streams, all their events in the order of their times.
func (s *Service) filterLogEvents(call *operation.Call,
	in *cloudwatchlogs.FilterLogEventsInput) (*cloudwatchlogs.FilterLogEventsOutput, error) {
	groupName, err := s.groupName(in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	if err := authorize(call, s.streamARN(groupName, "")); err != nil {
		return nil, err
	}
	if in.LogStreamNames != nil && in.LogStreamNamePrefix != nil {
		return nil, invalid("logStreamNamePrefix and logStreamNames are mutually exclusive parameters.")
	}
	ctx, enough, cancel := s.searching(call)
	defer cancel()
	wanted, err := parsePattern(ctx, aws.ToString(in.FilterPattern))
	if err != nil {
		return nil, err
	}
	q := logstore.Query{Limit: limited(in.Limit), Bytes: mostBytes,
		Match: func(_ string, e logstore.Event) bool { return wanted(e.Message) }, Enough: enough}
	names := map[string]string{}
	err = s.State.View(func(tx *state.Txn) error {
		g, chosen, err := chosenStreams(tx, groupName, in.LogStreamNames, aws.ToString(in.LogStreamNamePrefix))
		for _, one := range chosen {
			q.Streams = append(q.Streams, one.ID)
			names[one.ID] = one.Name
		}
		end := lastMoment
		if in.EndTime != nil {
			end = *in.EndTime
		}
		q.From, q.To = s.span(g, in.StartTime, end)
		if err == nil {
			err = s.searchable(tx, call, g)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	list := bound(append([]string{call.Operation, groupName, aws.ToString(in.FilterPattern),
		aws.ToString(in.LogStreamNamePrefix)}, in.LogStreamNames...))
	if in.NextToken != nil {
		text, ours := wire.AfterToken(list, *in.NextToken)
		key, ok := logstore.ParseKey(text)
		if !ours || !ok {
			return nil, errToken
		}
		q.After = &key
	}
	page, err := s.Events.Find(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &cloudwatchlogs.FilterLogEventsOutput{Events: []types.FilteredLogEvent{},
		SearchedLogStreams: []types.SearchedLogStream{}}
	for _, f := range page.Found {
		out.Events = append(out.Events,
			types.FilteredLogEvent{LogStreamName: aws.String(names[f.Stream]), Timestamp: &f.Time, Message: &f.Message,
				IngestionTime: &f.Ingested, EventId: aws.String(f.Key.String())})
	}
	if page.More {
		out.NextToken = aws.String(wire.Token(list, page.End.String()))
	}
	return out, nil
}

// chosenStreams are those of a group's streams with one of the names, or with the prefix.
func chosenStreams(tx *state.Txn, groupName string, names []string, prefix string) (g group, chosen []stream,
	err error) {
	g, found := groups.Get(tx, groupName)
	if !found {
		return group{}, nil, errNoGroup
	}
	for _, name := range names {
		_, one, err := streamNamed(tx, groupName, name)
		if err != nil {
			return group{}, nil, err
		}
		if !slices.Contains(chosen, one) {
			chosen = append(chosen, one)
		}
	}
	if names != nil {
		return g, chosen, nil
	}
	for _, one := range inGroup(tx, groupName) {
		if strings.HasPrefix(one.Name, prefix) {
			chosen = append(chosen, one)
		}
	}
	return g, chosen, nil
}

// testMetricFilter tells which of the messages a pattern matches: it needs no metric.
func (s *Service) testMetricFilter(call *operation.Call,
	in *cloudwatchlogs.TestMetricFilterInput) (*cloudwatchlogs.TestMetricFilterOutput, error) {
	if err := authorize(call, "*"); err != nil {
		return nil, err
	}
	ctx, _, cancel := s.searching(call)
	defer cancel()
	wanted, err := parsePattern(ctx, aws.ToString(in.FilterPattern))
	if err != nil {
		return nil, err
	}
	extract := func(string) map[string]string { return map[string]string{} }
	// no other patterns have values
	if c, err := parseColumns(ctx, strings.TrimSpace(aws.ToString(in.FilterPattern))); err == nil {
		extract = c.values
	}
	out := &cloudwatchlogs.TestMetricFilterOutput{Matches: []types.MetricFilterMatchRecord{}}
	for i, message := range in.LogEventMessages {
		if wanted(message) {
			out.Matches = append(out.Matches,
				types.MetricFilterMatchRecord{EventNumber: int64(i + 1), EventMessage: aws.String(message),
					ExtractedValues: extract(message)})
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	return out, nil
}
