package logs

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/schemas"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/logs/insights"
	"tripod/state"
)

const (
	// mostGroups is how many groups a query may search.
	mostGroups = 50
	// pageOfRows is how many rows GetQueryResults gives at once.
	pageOfRows = 10000
	// firstWait is how long GetQueryResults waits for a search that it has begun itself, and lastWait for one that has ended
	// in another zone, whose rows this zone finds anew.
	firstWait, lastWait = time.Second, 25 * time.Second
)

// malformed is MalformedQueryException.
func malformed(err error) error {
	var wrong *insights.SyntaxError
	if !errors.As(err, &wrong) {
		return err
	}
	return wire.Modelled(&types.MalformedQueryException{Message: &wrong.Message,
		QueryCompileError: &types.QueryCompileError{Message: &wrong.Message, Location: &types.QueryCompileErrorLocation{
			StartCharOffset: aws.Int32(int32(wrong.Start)), EndCharOffset: aws.Int32(int32(wrong.End))}}},
		schemas.MalformedQueryException)
}

// queriedGroups are the names of the groups that a StartQuery is about.
func (s *Service) queriedGroups(in *cloudwatchlogs.StartQueryInput) (names []string, err error) {
	ways := 0
	for _, given := range []bool{in.LogGroupName != nil, len(in.LogGroupNames) > 0, len(in.LogGroupIdentifiers) > 0} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return nil, invalid("Exactly one of the parameters logGroupName, logGroupNames or logGroupIdentifiers must be specified.")
	}
	if names = slices.Clone(in.LogGroupNames); in.LogGroupName != nil {
		names = []string{*in.LogGroupName}
	}
	for _, identifier := range in.LogGroupIdentifiers {
		name, err := s.groupName(nil, &identifier)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) > mostGroups {
		return nil, invalid("A query searches at most %d log groups, and not %d.", mostGroups, len(names))
	}
	return names, nil
}

func (s *Service) startQuery(call *operation.Call,
	in *cloudwatchlogs.StartQueryInput) (*cloudwatchlogs.StartQueryOutput, error) {
	names, err := s.queriedGroups(in)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := authorize(call, s.streamARN(name, "")); err != nil {
			return nil, err
		}
	}
	if in.QueryLanguage != "" && in.QueryLanguage != types.QueryLanguageCwli {
		return nil, invalid("Tripod reads queries in the language CWLI only, and not in %s.", in.QueryLanguage)
	}
	if _, err := insights.Parse(aws.ToString(in.QueryString)); err != nil {
		return nil, malformed(err)
	}
	q := query{ID: wire.NewRequestID(), Text: aws.ToString(in.QueryString), Groups: names, From: milliseconds(*in.StartTime),
		To: milliseconds(*in.EndTime), Limit: aws.ToInt32(in.Limit), By: call.Principal.ARN, CreatedAt: s.now()}
	if *in.EndTime < 1e11 {
		q.To += 999 // the second is included
	}
	if q.To < q.From {
		return nil, invalid("The end of the time range, %d, is before its start, %d.", *in.EndTime, *in.StartTime)
	}
	err = s.change(call, func(tx *state.Txn) error {
		for _, name := range names {
			g, found := groups.Get(tx, name)
			if !found {
				return notFound("Log group '%s' does not exist for account ID '%s'", name, s.AccountID)
			}
			if err := s.queryable(tx, call, g); err != nil {
				return err
			}
		}
		return putQuery(tx, q)
	})
	if err != nil {
		return nil, err
	}
	s.search(q)
	return &cloudwatchlogs.StartQueryOutput{QueryId: &q.ID}, nil
}

// milliseconds is a time of a query: the API has seconds, and takes milliseconds too.
func milliseconds(at int64) int64 {
	if at < 1e11 {
		return at * 1000
	}
	return min(at, lastMoment)
}

// queryNamed is the record of a query.
func (s *Service) queryNamed(call *operation.Call, id *string) (q query, err error) {
	if err := authorize(call, s.streamARN("", "")); err != nil {
		return query{}, err
	}
	return q, s.State.View(func(tx *state.Txn) error {
		found := false
		if q, found = queries.Get(tx, aws.ToString(id)); !found {
			return notFound("The specified query %.256s does not exist.", aws.ToString(id))
		}
		for _, name := range q.Groups {
			if g, found := groups.Get(tx, name); found {
				if err := s.queryable(tx, call, g); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (s *Service) getQueryResults(call *operation.Call,
	in *cloudwatchlogs.GetQueryResultsInput) (*cloudwatchlogs.GetQueryResultsOutput, error) {
	q, err := s.queryNamed(call, in.QueryId)
	if err != nil {
		return nil, err
	}
	out := &cloudwatchlogs.GetQueryResultsOutput{QueryLanguage: types.QueryLanguageCwli, Results: [][]types.ResultField{},
		Statistics: &types.QueryStatistics{LogGroupsScanned: float64(len(q.Groups))}, Status: q.status(s.now())}
	if out.Status != types.QueryStatusRunning && out.Status != types.QueryStatusComplete {
		return out, nil
	}
	found, fresh := s.search(q)
	wait := time.Duration(0)
	switch {
	case out.Status == types.QueryStatusComplete:
		wait = lastWait
	case fresh:
		wait = firstWait
	}
	if !found.await(call.Request.Context(), wait) {
		out.Status = found.state()
		return out, nil
	}
	if out.Status = found.status; out.Status != types.QueryStatusComplete {
		return out, nil
	}
	rows := found.result.Rows
	out.Statistics.RecordsMatched, out.Statistics.RecordsScanned = float64(found.result.Matched), float64(found.result.Scanned)
	out.Statistics.BytesScanned, out.Statistics.ResultCount = float64(found.result.Bytes), float64(len(rows))
	from := 0
	if in.NextToken != nil {
		text, ours := wire.AfterToken(q.ID, *in.NextToken)
		if from, err = strconv.Atoi(text); !ours || err != nil || from < 0 || from > len(rows) {
			return nil, errToken
		}
	}
	size := pageOfRows
	if most := aws.ToInt32(in.MaxItems); most > 0 {
		size = int(most)
	}
	if to := from + size; to < len(rows) {
		rows, out.NextToken = rows[:to], aws.String(wire.Token(q.ID, strconv.Itoa(to)))
	}
	for _, row := range rows[from:] {
		fields := make([]types.ResultField, 0, len(row))
		for _, field := range row {
			fields = append(fields, types.ResultField{Field: &field.Name, Value: &field.Value})
		}
		out.Results = append(out.Results, fields)
	}
	return out, nil
}

// await says whether the search has ended, and waits for that.
func (one *search) await(ctx context.Context, most time.Duration) bool {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-one.done:
		return true
	default:
	}
	select {
	case <-one.done:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// state is that of a search that has not ended.
func (one *search) state() types.QueryStatus {
	select {
	case <-one.began:
		return types.QueryStatusRunning
	default:
		return types.QueryStatusScheduled
	}
}

func (s *Service) stopQuery(call *operation.Call, in *cloudwatchlogs.StopQueryInput) (*cloudwatchlogs.StopQueryOutput, error) {
	if err := authorize(call, s.streamARN("", "")); err != nil {
		return nil, err
	}
	return &cloudwatchlogs.StopQueryOutput{Success: true}, s.change(call, func(tx *state.Txn) error {
		q, found := queries.Get(tx, aws.ToString(in.QueryId))
		if !found {
			return notFound("The specified query %.256s does not exist.", aws.ToString(in.QueryId))
		}
		if q.status(s.now()) != types.QueryStatusRunning {
			return invalid("The specified query is not running.")
		}
		q.Status, q.Duration = string(types.QueryStatusCancelled), s.now().Sub(q.CreatedAt)
		queries.Put(tx, q.ID, q)
		return nil
	})
}

func (s *Service) describeQueries(call *operation.Call,
	in *cloudwatchlogs.DescribeQueriesInput) (*cloudwatchlogs.DescribeQueriesOutput, error) {
	if err := authorize(call, s.streamARN(aws.ToString(in.LogGroupName), "")); err != nil {
		return nil, err
	}
	var all []query
	err := s.State.View(func(tx *state.Txn) error {
		all = slices.DeleteFunc(newestQueries(tx), func(q query) bool {
			return in.LogGroupName != nil && !slices.Contains(q.Groups, *in.LogGroupName) ||
				in.Status != "" && q.status(s.now()) != in.Status ||
				in.QueryLanguage != "" && in.QueryLanguage != types.QueryLanguageCwli
		})
		return nil
	})
	if err != nil {
		return nil, err
	}
	page, next, err := paged([]string{call.Operation, aws.ToString(in.LogGroupName), string(in.Status)}, all,
		func(q query) string {
			return reversed(q.CreatedAt.UTC().Format("2006-01-02T15:04:05.000000000")) + q.ID
		},
		in.MaxResults, 1000, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &cloudwatchlogs.DescribeQueriesOutput{Queries: []types.QueryInfo{}, NextToken: next}
	for _, q := range page {
		shown := types.QueryInfo{QueryId: &q.ID, QueryString: &q.Text, LogGroupName: &q.Groups[0], Status: q.status(s.now()),
			CreateTime: aws.Int64(q.CreatedAt.UnixMilli()), QueryLanguage: types.QueryLanguageCwli, UserIdentity: &q.By,
			BytesScanned: &q.Bytes}
		if q.Status != "" {
			shown.QueryDuration = aws.Int64(q.Duration.Milliseconds())
		}
		out.Queries = append(out.Queries, shown)
	}
	return out, nil
}

func (s *Service) listLogGroupsForQuery(call *operation.Call,
	in *cloudwatchlogs.ListLogGroupsForQueryInput) (*cloudwatchlogs.ListLogGroupsForQueryOutput, error) {
	q, err := s.queryNamed(call, in.QueryId)
	if err != nil {
		return nil, err
	}
	page, next, err := paged([]string{call.Operation, q.ID}, q.Groups, func(name string) string { return name }, in.MaxResults, 50,
		in.NextToken)
	return &cloudwatchlogs.ListLogGroupsForQueryOutput{LogGroupIdentifiers: page, NextToken: next}, err
}
