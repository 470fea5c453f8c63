package awsapi_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/google/go-cmp/cmp"

	"tripod/awsapi"
	"tripod/logs/logstore"
)

// putLines writes messages to a new stream of a group, a second apart, the last now.
func putLines(t *testing.T, client *cloudwatchlogs.Client, group, stream string, messages ...string) {
	t.Helper()
	addLogStream(t, client, group, stream, 0)
	in := &cloudwatchlogs.PutLogEventsInput{LogGroupName: &group, LogStreamName: &stream}
	for i, message := range messages {
		in.LogEvents = append(in.LogEvents, types.InputLogEvent{Message: &message,
			Timestamp: aws.Int64(time.Now().Add(time.Duration(i-len(messages)+1) * time.Second).UnixMilli())})
	}
	must[*cloudwatchlogs.PutLogEventsOutput](t)(client.PutLogEvents(t.Context(), in))
}

// startQuery starts a query over the last hour of a group.
func startQuery(client *cloudwatchlogs.Client, t *testing.T, text string, groups ...string) (string, error) {
	t.Helper()
	out, err := client.StartQuery(t.Context(), &cloudwatchlogs.StartQueryInput{LogGroupNames: groups, QueryString: &text,
		StartTime: aws.Int64(time.Now().Add(-time.Hour).Unix()), EndTime: aws.Int64(time.Now().Unix())})
	if err != nil {
		return "", err
	}
	return *out.QueryId, nil
}

// results are those of a query that has ended.
func results(t *testing.T, client *cloudwatchlogs.Client, id string) *cloudwatchlogs.GetQueryResultsOutput {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		out := must[*cloudwatchlogs.GetQueryResultsOutput](t)(client.GetQueryResults(t.Context(),
			&cloudwatchlogs.GetQueryResultsInput{QueryId: &id}))
		if out.Status != types.QueryStatusRunning && out.Status != types.QueryStatusScheduled {
			return out
		}
		if time.Now().After(end) {
			t.Fatalf("the query is still %s", out.Status)
		}
	}
}

func rowsOf(out *cloudwatchlogs.GetQueryResultsOutput) (rows []string) {
	for _, row := range out.Results {
		var shown []string
		for _, field := range row {
			if *field.Field != "@ptr" {
				shown = append(shown, *field.Field+"="+*field.Value)
			}
		}
		rows = append(rows, strings.Join(shown, " "))
	}
	return rows
}

// logZones are clients of two fronts over the same state and events, as two zones are.
func logZones(t *testing.T) (one, other *cloudwatchlogs.Client) {
	t.Helper()
	var front awsapi.Front
	w := newWorld(t, func(f *awsapi.Front) {
		store, err := logstore.Open(logstore.Config{Dir: t.TempDir(), Zone: "us-east-1a", Zones: []string{"us-east-1a"}})
		if err != nil {
			t.Fatal(err)
		}
		f.LogEvents = store
		front = *f
		front.Registerer = nil
	})
	server := httptest.NewServer(front.Handler())
	t.Cleanup(server.Close)
	second := *w
	second.url = server.URL
	return w.logs(w.admin), second.logs(w.admin)
}

func TestQueriesSearchGroups(t *testing.T) {
	client, other := logZones(t)
	putLines(t, client, logGroup, "audit", `{"verb":"get","user":{"name":"ann"}}`, `{"verb":"create","user":{"name":"bob"}}`, `plain`)
	putLines(t, client, "other", "s", `{"verb":"create","user":{"name":"eve"}}`)
	id, err := startQuery(client, t, `fields verb, user.name, @log, @logStream | filter verb = "create" | sort user.name`,
		"other", logGroup)
	if err != nil {
		t.Fatal(err)
	}
	out := results(t, client, id)
	if diff := cmp.Diff([]string{"verb=create user.name=bob @log=111122223333:" + logGroup + " @logStream=audit",
		"verb=create user.name=eve @log=111122223333:other @logStream=s"}, rowsOf(out)); diff != "" {
		t.Error(diff)
	}
	s := out.Statistics
	if out.Status != types.QueryStatusComplete || s.RecordsMatched != 2 || s.RecordsScanned != 4 || s.BytesScanned != 119 ||
		s.LogGroupsScanned != 2 ||
		s.ResultCount != 2 {
		t.Errorf("got %s, %+v", out.Status, s)
	}
	pointer := out.Results[0][4].Value
	record := must[*cloudwatchlogs.GetLogRecordOutput](t)(client.GetLogRecord(t.Context(),
		&cloudwatchlogs.GetLogRecordInput{LogRecordPointer: pointer}))
	if got := record.LogRecord; got["user.name"] != "bob" || got["@message"] == "" || got["@logStream"] != "audit" || len(got) != 8 {
		t.Errorf("the record is %v", got)
	}
	_, err = client.GetLogRecord(t.Context(), &cloudwatchlogs.GetLogRecordInput{LogRecordPointer: aws.String("x")})
	wantCode(t, err, "InvalidParameterException", 400)
	fields := must[*cloudwatchlogs.GetLogGroupFieldsOutput](t)(client.GetLogGroupFields(t.Context(),
		&cloudwatchlogs.GetLogGroupFieldsInput{LogGroupName: aws.String(logGroup)}))
	all := fields.LogGroupFields
	if last := all[len(all)-1]; *last.Name != "verb" || last.Percent != 67 || len(all) != 7 {
		t.Errorf("the last of %d fields is %s with %d %%", len(all), *last.Name, last.Percent)
	}
	described := must[*cloudwatchlogs.DescribeQueriesOutput](t)(client.DescribeQueries(t.Context(),
		&cloudwatchlogs.DescribeQueriesInput{LogGroupName: aws.String(logGroup), Status: types.QueryStatusComplete}))
	if len(described.Queries) != 1 || *described.Queries[0].QueryId != id ||
		!strings.HasSuffix(*described.Queries[0].UserIdentity, "/admin") {
		t.Errorf("got %+v", described.Queries)
	}
	// Another zone, or one that began anew, has no rows and finds them.
	again := results(t, other, id)
	if diff := cmp.Diff(rowsOf(out), rowsOf(again)); diff != "" || again.Status != types.QueryStatusComplete {
		t.Errorf("%s: %s", again.Status, diff)
	}
	_, err = client.StopQuery(t.Context(), &cloudwatchlogs.StopQueryInput{QueryId: &id})
	wantSaid(t, err, "InvalidParameterException", "The specified query is not running.")
}

func TestResultsOfQueriesComeInPages(t *testing.T) {
	_, client := logWorld(t)
	addLogStream(t, client, logGroup, "a", 25)
	id, err := startQuery(client, t, "fields @message | sort @timestamp asc", logGroup)
	if err != nil {
		t.Fatal(err)
	}
	results(t, client, id)
	var got []string
	for token := (*string)(nil); ; {
		page := must[*cloudwatchlogs.GetQueryResultsOutput](t)(client.GetQueryResults(t.Context(),
			&cloudwatchlogs.GetQueryResultsInput{QueryId: &id, MaxItems: aws.Int32(10), NextToken: token}))
		got = append(got, rowsOf(page)...)
		if token = page.NextToken; token == nil {
			break
		}
	}
	var want []string
	for i := range 25 {
		want = append(want, fmt.Sprint("@message=a ", i))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestQueriesAreRefusedAsInCloudWatch(t *testing.T) {
	_, client := logWorld(t)
	addLogStream(t, client, logGroup, "a", 1)
	_, err := startQuery(client, t, "fields @message | nosuch", logGroup)
	var wrong *types.MalformedQueryException
	if !errors.As(err, &wrong) {
		t.Fatal(err)
	}
	at := wrong.QueryCompileError.Location
	if *at.StartCharOffset != 18 || *at.EndCharOffset != 24 || *wrong.QueryCompileError.Message != *wrong.Message ||
		!strings.HasPrefix(*wrong.Message, "unexpected symbol found nosuch at line 1 and position 18") {
		t.Errorf("got %d-%d %s", *at.StartCharOffset, *at.EndCharOffset, *wrong.Message)
	}
	_, err = startQuery(client, t, "fields @message", "nosuch")
	wantSaid(t, err, "ResourceNotFoundException", "Log group 'nosuch' does not exist for account ID '111122223333'")
	_, err = startQuery(client, t, "fields @message")
	wantCode(t, err, "InvalidParameterException", 400)
	_, err = client.GetQueryResults(t.Context(), &cloudwatchlogs.GetQueryResultsInput{QueryId: aws.String("nosuch")})
	wantCode(t, err, "ResourceNotFoundException", 400)
	_, err = client.StartQuery(t.Context(), &cloudwatchlogs.StartQueryInput{LogGroupName: aws.String(logGroup),
		QueryString: aws.String("fields @message"), StartTime: aws.Int64(2), EndTime: aws.Int64(1)})
	wantCode(t, err, "InvalidParameterException", 400)
}

func TestQueryDefinitionsAreKept(t *testing.T) {
	_, client := logWorld(t)
	put := func(name string, id *string) *string {
		t.Helper()
		return must[*cloudwatchlogs.PutQueryDefinitionOutput](t)(client.PutQueryDefinition(t.Context(),
			&cloudwatchlogs.PutQueryDefinitionInput{Name: &name, QueryString: aws.String("fields " + name), QueryDefinitionId: id,
				LogGroupNames: []string{logGroup}})).QueryDefinitionId
	}
	id := put("b", nil)
	put("a/x", nil)
	if again := put("a/y", id); *again != *id {
		t.Errorf("the changed definition is %s, not %s", *again, *id)
	}
	list := must[*cloudwatchlogs.DescribeQueryDefinitionsOutput](t)(client.DescribeQueryDefinitions(t.Context(),
		&cloudwatchlogs.DescribeQueryDefinitionsInput{QueryDefinitionNamePrefix: aws.String("a/")}))
	var names []string
	for _, d := range list.QueryDefinitions {
		names = append(names, *d.Name+": "+*d.QueryString)
	}
	if !slices.Equal(names, []string{"a/x: fields a/x", "a/y: fields a/y"}) {
		t.Errorf("got %q", names)
	}
	out := must[*cloudwatchlogs.DeleteQueryDefinitionOutput](t)(client.DeleteQueryDefinition(t.Context(),
		&cloudwatchlogs.DeleteQueryDefinitionInput{QueryDefinitionId: id}))
	_, err := client.DeleteQueryDefinition(t.Context(), &cloudwatchlogs.DeleteQueryDefinitionInput{QueryDefinitionId: id})
	if wantCode(t, err, "ResourceNotFoundException", 400); !out.Success {
		t.Error("the deletion was no success")
	}
}
