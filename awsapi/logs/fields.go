package logs

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"tripod/awsapi/operation"
	"tripod/logs/insights"
	"tripod/logs/logstore"
	"tripod/state"
)

const (
	// fieldsAround is how far around a time events are looked at for their fields, and fieldsBefore how far back from now.
	fieldsAround, fieldsBefore = 8 * time.Minute, 15 * time.Minute
	// sampledEvents is how many events are looked at for the fields of a group, and mostFields how many of these are told.
	sampledEvents, mostFields = 5000, 1000
)

// errSampled ends a search that has seen enough.
var errSampled = errors.New("enough events are seen")

// getLogGroupFields tells how many of a group's events have which fields.
func (s *Service) getLogGroupFields(call *operation.Call,
	in *cloudwatchlogs.GetLogGroupFieldsInput) (*cloudwatchlogs.GetLogGroupFieldsOutput, error) {
	name, err := s.groupName(in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	if err := authorize(call, s.streamARN(name, "")); err != nil {
		return nil, err
	}
	now := s.now()
	from, to := now.Add(-fieldsBefore).UnixMilli(), now.UnixMilli()
	if in.Time != nil {
		at := milliseconds(*in.Time)
		from, to = at-fieldsAround.Milliseconds(), at+fieldsAround.Milliseconds()
	}
	var scan logstore.Scan
	err = s.State.View(func(tx *state.Txn) error {
		g, found := groups.Get(tx, name)
		if !found {
			return errNoGroup
		}
		scan.From, scan.To = s.span(g, &from, to)
		for _, one := range inGroup(tx, name) {
			scan.Streams = append(scan.Streams, one.ID)
		}
		return s.queryable(tx, call, g)
	})
	if err != nil {
		return nil, err
	}
	ctx, _, cancel := s.searching(call)
	defer cancel()
	seen, counts, err := s.sample(ctx, scan)
	if err != nil {
		return nil, err
	}
	out := &cloudwatchlogs.GetLogGroupFieldsOutput{LogGroupFields: []types.LogGroupField{}}
	for field, n := range counts {
		out.LogGroupFields = append(out.LogGroupFields,
			types.LogGroupField{Name: &field, Percent: int32(math.Round(100 * float64(n) / float64(seen)))})
	}
	slices.SortFunc(out.LogGroupFields, func(a, b types.LogGroupField) int {
		return cmp.Or(cmp.Compare(b.Percent, a.Percent), cmp.Compare(*a.Name, *b.Name))
	})
	out.LogGroupFields = out.LogGroupFields[:min(len(out.LogGroupFields), mostFields)]
	return out, nil
}

// sample counts in how many events fields are.
func (s *Service) sample(ctx context.Context, scan logstore.Scan) (seen int, counts map[string]int, err error) {
	counts = map[string]int{}
	var mu sync.Mutex
	err = s.Events.Scan(ctx, scan, func() func(logstore.Found) error {
		return func(f logstore.Found) error {
			mu.Lock()
			defer mu.Unlock()
			if seen == sampledEvents {
				return errSampled
			}
			seen++
			for _, field := range []string{"@timestamp", "@message", "@ingestionTime", "@logStream", "@log"} {
				counts[field]++
			}
			insights.Fields(f.Message, func(name, _ string) {
				if len(counts) < 10*mostFields || counts[name] > 0 {
					counts[name]++
				}
			})
			return nil
		}
	})
	if errors.Is(err, errSampled) {
		err = nil
	}
	return seen, counts, err
}

// getLogRecord is one event with all of its fields, by the @ptr that a query shows.
func (s *Service) getLogRecord(call *operation.Call,
	in *cloudwatchlogs.GetLogRecordInput) (*cloudwatchlogs.GetLogRecordOutput, error) {
	key, id, ok := atPointer(aws.ToString(in.LogRecordPointer))
	if !ok {
		if err := authorize(call, s.streamARN("", "")); err != nil {
			return nil, err
		}
		return nil, invalid("The specified log record pointer is invalid.")
	}
	var from stream
	var kept int64
	err := s.State.View(func(tx *state.Txn) error {
		if at, found := streamIDs.Get(tx, id); found {
			from, _ = streams.Get(tx, at)
		}
		if err := authorize(call, s.streamARN(from.Group, "")); err != nil {
			return err
		}
		g, found := groups.Get(tx, from.Group)
		if !found {
			return notFound("The specified log record does not exist.")
		}
		kept = s.keptSince(g)
		return s.queryable(tx, call, g)
	})
	if err != nil {
		return nil, err
	}
	before := key
	before.Offset, before.Index = key.Offset-1, math.MaxInt32
	page, err := s.Events.Find(call.Request.Context(), logstore.Query{Streams: []string{id}, From: max(key.Time, kept), To: key.Time,
		After: &before, Limit: key.Index + 1, Bytes: math.MaxInt32})
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(page.Found, func(f logstore.Found) bool { return f.Key == key })
	if at < 0 {
		return nil, notFound("The specified log record does not exist.")
	}
	found := page.Found[at]
	record := map[string]string{"@message": found.Message, "@timestamp": strconv.FormatInt(found.Time, 10), "@logStream": from.Name,
		"@ingestionTime": strconv.FormatInt(found.Ingested, 10), "@log": s.AccountID + ":" + from.Group, "@ptr": *in.LogRecordPointer}
	insights.Fields(found.Message, func(name, shown string) {
		if name != "" && name[0] == '@' {
			name = "@" + name
		}
		if len(record) < mostFields {
			record[name] = shown
		}
	})
	return &cloudwatchlogs.GetLogRecordOutput{LogRecord: record}, nil
}
