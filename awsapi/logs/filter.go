package logs

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"tripod/awsapi/wire"
	"tripod/logstore"
	"tripod/region"
)

// filterLogEvents searches a group's streams, all their events in the order of their times.
func (s *Service) filterLogEvents(call *wire.Call, in *cloudwatchlogs.FilterLogEventsInput) (*cloudwatchlogs.FilterLogEventsOutput, error) {
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
	wanted, err := parsePattern(aws.ToString(in.FilterPattern))
	if err != nil {
		return nil, err
	}
	q := logstore.Query{Limit: limited(in.Limit), Bytes: mostBytes, Match: func(_ string, e logstore.Event) bool { return wanted(e.Message) }}
	names := map[string]string{}
	err = s.State.View(func(tx *region.Txn) error {
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
		return err
	})
	if err != nil {
		return nil, err
	}
	list := bound(append([]string{call.Operation, groupName, aws.ToString(in.FilterPattern), aws.ToString(in.LogStreamNamePrefix)}, in.LogStreamNames...))
	if in.NextToken != nil {
		text, ours := wire.AfterToken(list, *in.NextToken)
		key, ok := logstore.ParseKey(text)
		if !ours || !ok {
			return nil, errToken
		}
		q.After = &key
	}
	found, more, err := s.Events.Find(q)
	if err != nil {
		return nil, err
	}
	out := &cloudwatchlogs.FilterLogEventsOutput{Events: []types.FilteredLogEvent{}, SearchedLogStreams: []types.SearchedLogStream{}}
	for _, f := range found {
		out.Events = append(out.Events, types.FilteredLogEvent{LogStreamName: aws.String(names[f.Stream]), Timestamp: &f.Time, Message: &f.Message,
			IngestionTime: &f.Ingested, EventId: aws.String(f.Key.String())})
	}
	if n := len(found); more && n > 0 {
		out.NextToken = aws.String(wire.Token(list, found[n-1].Key.String()))
	}
	return out, nil
}

// chosenStreams are those of a group's streams with one of the names, or with the prefix.
func chosenStreams(tx *region.Txn, groupName string, names []string, prefix string) (g group, chosen []stream, err error) {
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
func (s *Service) testMetricFilter(call *wire.Call, in *cloudwatchlogs.TestMetricFilterInput) (*cloudwatchlogs.TestMetricFilterOutput, error) {
	if err := authorize(call, "*"); err != nil {
		return nil, err
	}
	wanted, err := parsePattern(aws.ToString(in.FilterPattern))
	if err != nil {
		return nil, err
	}
	extract := func(string) map[string]string { return map[string]string{} }
	if c, err := parseColumns(strings.TrimSpace(aws.ToString(in.FilterPattern))); err == nil { // no other patterns have values
		extract = c.values
	}
	out := &cloudwatchlogs.TestMetricFilterOutput{Matches: []types.MetricFilterMatchRecord{}}
	for i, message := range in.LogEventMessages {
		if wanted(message) {
			out.Matches = append(out.Matches, types.MetricFilterMatchRecord{EventNumber: int64(i + 1), EventMessage: aws.String(message), ExtractedValues: extract(message)})
		}
	}
	return out, nil
}
