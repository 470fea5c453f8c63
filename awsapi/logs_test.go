package awsapi_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tripod/awsapi"
	"tripod/awsapi/logs"
	"tripod/iam"
	"tripod/logs/logstore"
	"tripod/region"
	"tripod/state"
)

const logGroup = "/aws/eks/demo/cluster"

// logWorld is a front with events of its own, and its administrator's client.
func logWorld(t *testing.T) (*world, *cloudwatchlogs.Client) {
	t.Helper()
	w := newWorld(t, func(f *awsapi.Front) {
		store, err := logstore.Open(logstore.Config{Dir: t.TempDir(), Zone: "us-east-1a", Zones: []string{"us-east-1a"},
			Limits: logstore.Limits{Segment: 4 << 10},
			Exists: func(id string) bool { return logs.Exists(f.State, id) }})
		if err != nil {
			t.Fatal(err)
		}
		f.LogEvents = store
	})
	return w, w.logs(w.admin)
}

func (w *world) logs(c aws.Credentials) *cloudwatchlogs.Client {
	return cloudwatchlogs.New(cloudwatchlogs.Options{Region: "us-east-1", BaseEndpoint: &w.url, HTTPClient: near, Credentials: provide(c),
		RetryMaxAttempts: 1})
}

// must fails the test on an error.
func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// addLogStream makes a stream, its group too, with n events a second apart that end now: "NAME 0", ...
func addLogStream(t *testing.T, client *cloudwatchlogs.Client, group, name string, n int) {
	t.Helper()
	client.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &group})
	must[*cloudwatchlogs.CreateLogStreamOutput](t)(client.CreateLogStream(t.Context(),
		&cloudwatchlogs.CreateLogStreamInput{LogGroupName: &group, LogStreamName: &name}))
	if n == 0 {
		return
	}
	in := &cloudwatchlogs.PutLogEventsInput{LogGroupName: &group, LogStreamName: &name}
	for i := range n {
		at := time.Now().Add(time.Duration(i-n) * time.Second).UnixMilli()
		in.LogEvents = append(in.LogEvents, types.InputLogEvent{Timestamp: &at,
			Message: aws.String(fmt.Sprint(name, " ", i))})
	}
	must[*cloudwatchlogs.PutLogEventsOutput](t)(client.PutLogEvents(t.Context(), in))
}

func TestLogGroupsAreMadeListedAndDeleted(t *testing.T) {
	_, client := logWorld(t)
	for i := range 7 {
		name := fmt.Sprintf("group-%d", i)
		must[*cloudwatchlogs.CreateLogGroupOutput](t)(client.CreateLogGroup(t.Context(),
			&cloudwatchlogs.CreateLogGroupInput{LogGroupName: &name, Tags: map[string]string{"n": name}}))
	}
	_, err := client.CreateLogGroup(t.Context(),
		&cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("group-1")})
	wantCode(t, err, "ResourceAlreadyExistsException", 400)
	pages := cloudwatchlogs.NewDescribeLogGroupsPaginator(client,
		&cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String("group"), Limit: aws.Int32(3)})
	var names []string
	for pages.HasMorePages() {
		page := must[*cloudwatchlogs.DescribeLogGroupsOutput](t)(pages.NextPage(t.Context()))
		for _, g := range page.LogGroups {
			names = append(names, *g.LogGroupName)
		}
	}
	if got := strings.Join(names, " "); got != "group-0 group-1 group-2 group-3 group-4 group-5 group-6" {
		t.Errorf("got %s", got)
	}
	found := must[*cloudwatchlogs.DescribeLogGroupsOutput](t)(client.DescribeLogGroups(t.Context(),
		&cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePattern: aws.String("UP-3")}))
	want := types.LogGroup{LogGroupName: aws.String("group-3"),
		Arn:               aws.String("arn:aws:logs:us-east-1:111122223333:log-group:group-3:*"),
		LogGroupArn:       aws.String("arn:aws:logs:us-east-1:111122223333:log-group:group-3"),
		LogGroupClass:     types.LogGroupClassStandard,
		MetricFilterCount: aws.Int32(0), StoredBytes: aws.Int64(0), DeletionProtectionEnabled: aws.Bool(false),
		CreationTime: found.LogGroups[0].CreationTime}
	if diff := cmp.Diff([]types.LogGroup{want}, found.LogGroups,
		cmpopts.IgnoreUnexported(types.LogGroup{})); diff != "" {
		t.Error(diff)
	}
	must[*cloudwatchlogs.PutLogGroupDeletionProtectionOutput](t)(client.PutLogGroupDeletionProtection(t.Context(),
		&cloudwatchlogs.PutLogGroupDeletionProtectionInput{LogGroupIdentifier: want.LogGroupArn,
			DeletionProtectionEnabled: aws.Bool(true)}))
	_, err = client.DeleteLogGroup(t.Context(), &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: want.LogGroupName})
	wantCode(t, err, "ValidationException", 400)
	must[*cloudwatchlogs.DeleteLogGroupOutput](t)(client.DeleteLogGroup(t.Context(),
		&cloudwatchlogs.DeleteLogGroupInput{LogGroupName: aws.String("group-1")}))
	_, err = client.DeleteLogGroup(t.Context(),
		&cloudwatchlogs.DeleteLogGroupInput{LogGroupName: aws.String("group-1")})
	wantCode(t, err, "ResourceNotFoundException", 400)
}

func TestFilterLogEventsInterleavesStreamsPageByPage(t *testing.T) {
	_, client := logWorld(t)
	for _, name := range []string{"a", "b"} {
		addLogStream(t, client, logGroup, name, 100)
	}
	pages := cloudwatchlogs.NewFilterLogEventsPaginator(client,
		&cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String(logGroup), Limit: aws.Int32(30)})
	ids, last, seen := map[string]bool{}, int64(0), map[string]int{}
	for pages.HasMorePages() {
		page := must[*cloudwatchlogs.FilterLogEventsOutput](t)(pages.NextPage(t.Context()))
		for _, e := range page.Events {
			if *e.Timestamp < last || ids[*e.EventId] {
				t.Fatalf("%s comes again, or too late", *e.Message)
			}
			last, ids[*e.EventId] = *e.Timestamp, true
			seen[*e.LogStreamName]++
		}
	}
	if seen["a"] != 100 || seen["b"] != 100 {
		t.Errorf("got %v", seen)
	}
	for pattern, want := range map[string]int{`"a 7"`: 1, "?7 ?8": 4, "7 -b": 1, `{ $.x = 1 }`: 0} {
		out := must[*cloudwatchlogs.FilterLogEventsOutput](t)(client.FilterLogEvents(t.Context(),
			&cloudwatchlogs.FilterLogEventsInput{
				LogGroupIdentifier: aws.String("arn:aws:logs:us-east-1:111122223333:log-group:" + logGroup),
				FilterPattern:      &pattern}))
		if len(out.Events) != want {
			t.Errorf("%s: got %d events, want %d", pattern, len(out.Events), want)
		}
	}
	_, err := client.FilterLogEvents(t.Context(),
		&cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String(logGroup), FilterPattern: aws.String("{")})
	wantCode(t, err, "InvalidParameterException", 400)
	_, err = client.FilterLogEvents(t.Context(),
		&cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String(logGroup), NextToken: aws.String("xyz")})
	wantCode(t, err, "InvalidParameterException", 400)
	_, err = client.FilterLogEvents(t.Context(),
		&cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String(logGroup), LogStreamNames: []string{"c"}})
	wantCode(t, err, "ResourceNotFoundException", 400)
}

// TestSearchEndsWhenItsClientLeaves: the search alone would take minutes.
func TestSearchEndsWhenItsClientLeaves(t *testing.T) {
	w, client := logWorld(t)
	addLogStream(t, client, logGroup, "long", 0)
	for range 6 {
		must[*cloudwatchlogs.PutLogEventsOutput](t)(client.PutLogEvents(t.Context(),
			&cloudwatchlogs.PutLogEventsInput{LogGroupName: aws.String(logGroup), LogStreamName: aws.String("long"),
				LogEvents: []types.InputLogEvent{{Timestamp: aws.Int64(time.Now().UnixMilli()),
					Message: aws.String(strings.Repeat("a", 1<<20-26))}}}))
	}
	before := w.log.String()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := client.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String(logGroup),
		FilterPattern: aws.String("%(a{1000}|b){1}a{999}b%")}); err == nil {
		t.Fatal("the search ended before its client left")
	}
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		text := strings.TrimPrefix(w.log.String(), before)
		if strings.Contains(text, "operation=FilterLogEvents") &&
			strings.Contains(text, "code=RequestTimeoutException") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the search goes on without its client: %s", text)
		}
	}
}

func TestGetLogEventsWalksBothWaysAndStaysAtTheEnds(t *testing.T) {
	_, client := logWorld(t)
	addLogStream(t, client, logGroup, "a", 25)
	get := func(head bool, token *string) *cloudwatchlogs.GetLogEventsOutput {
		t.Helper()
		return must[*cloudwatchlogs.GetLogEventsOutput](t)(client.GetLogEvents(t.Context(),
			&cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String(logGroup),
				LogStreamName: aws.String("a"), Limit: aws.Int32(10), StartFromHead: &head, NextToken: token}))
	}
	texts := func(out *cloudwatchlogs.GetLogEventsOutput) string {
		var texts []string
		for _, e := range out.Events {
			texts = append(texts, strings.TrimPrefix(*e.Message, "a "))
		}
		return strings.Join(texts, " ")
	}
	out := get(false, nil)
	if got := texts(out); got != "15 16 17 18 19 20 21 22 23 24" {
		t.Errorf("the latest are %s", got)
	}
	if end := get(true, out.NextForwardToken); len(end.Events) != 0 || *end.NextForwardToken != *out.NextForwardToken {
		t.Errorf("behind the end: %d events, token %s and not %s", len(end.Events), *end.NextForwardToken,
			*out.NextForwardToken)
	}
	if got := texts(get(false, out.NextBackwardToken)); got != "5 6 7 8 9 10 11 12 13 14" {
		t.Errorf("before the latest are %s", got)
	}
	out = get(true, nil)
	if got := texts(get(true, out.NextForwardToken)); got != "10 11 12 13 14 15 16 17 18 19" {
		t.Errorf("behind the first are %s", got)
	}
	if before := get(false, out.NextBackwardToken); len(before.Events) != 0 ||
		*before.NextBackwardToken != *out.NextBackwardToken {
		t.Errorf("there is something before the first event: %s", texts(before))
	}
}

func TestPutLogEventsTakesWhatTheModelAllows(t *testing.T) {
	w, client := logWorld(t)
	addLogStream(t, client, logGroup, "a", 0)
	put := func(messages map[time.Duration]string, order ...time.Duration) (*cloudwatchlogs.PutLogEventsOutput, error) {
		in := &cloudwatchlogs.PutLogEventsInput{LogGroupName: aws.String(logGroup), LogStreamName: aws.String("a")}
		for _, ago := range order {
			in.LogEvents = append(in.LogEvents,
				types.InputLogEvent{Timestamp: aws.Int64(time.Now().Add(-ago).UnixMilli()),
					Message: aws.String(messages[ago])})
		}
		return client.PutLogEvents(t.Context(), in)
	}
	const h = time.Hour
	some := map[time.Duration]string{500 * h: "old", 400 * h: "older than 14 days", 2 * h: "two hours old", 0: "n33dle",
		-1 * h: "of tomorrow", -3 * h: "of another day"}
	out, err := put(some, 500*h, 400*h, 2*h, 0, -1*h, -3*h)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int32{2, 5}, []int32{*out.RejectedLogEventsInfo.TooOldLogEventEndIndex,
		*out.RejectedLogEventsInfo.TooNewLogEventStartIndex}); diff != "" {
		t.Error(diff)
	}
	stream := must[*cloudwatchlogs.DescribeLogStreamsOutput](t)(client.DescribeLogStreams(t.Context(),
		&cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: aws.String(logGroup)})).LogStreams[0]
	if got := *stream.LastEventTimestamp - *stream.FirstEventTimestamp; got < (3*h).Milliseconds()-1000 ||
		got > (3*h).Milliseconds()+1000 {
		t.Errorf("the stream spans %d ms, want three hours", got)
	}
	_, err = put(some, 0, 2*h)
	wantCode(t, err, "InvalidParameterException", 400)
	_, err = put(map[time.Duration]string{25 * h: "a", 0: "b"}, 25*h, 0)
	wantCode(t, err, "InvalidParameterException", 400)
	_, err = put(map[time.Duration]string{0: strings.Repeat("x", 1<<20)}, 0)
	wantCode(t, err, "InvalidParameterException", 400)
	if _, err = put(map[time.Duration]string{0: strings.Repeat("\x01", 1<<20-26)}, 0); err != nil {
		t.Errorf("the largest batch, in JSON six times as large, is refused: %v", err)
	}
	if strings.Contains(w.log.String(), "n33dle") {
		t.Error("an event stands in the front's log")
	}
}

func TestRetentionHidesWhatIsTooOld(t *testing.T) {
	_, client := logWorld(t)
	addLogStream(t, client, logGroup, "a", 10)
	twoDaysAgo := []types.InputLogEvent{{Timestamp: aws.Int64(time.Now().Add(-48 * time.Hour).UnixMilli()),
		Message: aws.String("old")}}
	put := &cloudwatchlogs.PutLogEventsInput{LogGroupName: aws.String(logGroup), LogStreamName: aws.String("a"),
		LogEvents: twoDaysAgo}
	must[*cloudwatchlogs.PutLogEventsOutput](t)(client.PutLogEvents(t.Context(), put))
	count := func() int {
		return len(must[*cloudwatchlogs.FilterLogEventsOutput](t)(client.FilterLogEvents(t.Context(),
			&cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String(logGroup)})).Events)
	}
	if got := count(); got != 11 {
		t.Fatalf("got %d events", got)
	}
	_, err := client.PutRetentionPolicy(t.Context(),
		&cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: aws.String(logGroup), RetentionInDays: aws.Int32(2000)})
	wantCode(t, err, "InvalidParameterException", 400)
	must[*cloudwatchlogs.PutRetentionPolicyOutput](t)(client.PutRetentionPolicy(t.Context(),
		&cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: aws.String(logGroup), RetentionInDays: aws.Int32(1)}))
	if got := count(); got != 10 {
		t.Errorf("%d events are shown, want those of the last day", got)
	}
	if out, err := client.PutLogEvents(t.Context(), put); err != nil || out.RejectedLogEventsInfo == nil ||
		*out.RejectedLogEventsInfo.ExpiredLogEventEndIndex != 1 {
		t.Errorf("an expired event is taken: %v, %v", out, err)
	}
	must[*cloudwatchlogs.DeleteRetentionPolicyOutput](t)(client.DeleteRetentionPolicy(t.Context(),
		&cloudwatchlogs.DeleteRetentionPolicyInput{LogGroupName: aws.String(logGroup)}))
	if got := count(); got != 11 {
		t.Errorf("%d events are there without a retention", got)
	}
}

func TestLogGroupTagsOfBothGenerations(t *testing.T) {
	_, client := logWorld(t)
	addLogStream(t, client, logGroup, "a", 0)
	arn := aws.String("arn:aws:logs:us-east-1:111122223333:log-group:" + logGroup)
	must[*cloudwatchlogs.TagResourceOutput](t)(client.TagResource(t.Context(),
		&cloudwatchlogs.TagResourceInput{ResourceArn: arn, Tags: map[string]string{"a": "1", "b": "2"}}))
	must[*cloudwatchlogs.UntagResourceOutput](t)(client.UntagResource(t.Context(),
		&cloudwatchlogs.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"a"}}))
	got := must[*cloudwatchlogs.ListTagsForResourceOutput](t)(client.ListTagsForResource(t.Context(),
		&cloudwatchlogs.ListTagsForResourceInput{ResourceArn: arn}))
	if diff := cmp.Diff(map[string]string{"b": "2"}, got.Tags); diff != "" {
		t.Error(diff)
	}
	many := map[string]string{}
	for i := range 50 {
		many[fmt.Sprint("k", i)] = ""
	}
	_, err := client.TagResource(t.Context(), &cloudwatchlogs.TagResourceInput{ResourceArn: arn, Tags: many})
	wantCode(t, err, "TooManyTagsException", 400)
	_, err = client.TagResource(t.Context(),
		&cloudwatchlogs.TagResourceInput{ResourceArn: aws.String("arn:aws:s3:::bucket"),
			Tags: map[string]string{"a": "1"}})
	wantCode(t, err, "InvalidParameterException", 400)
	_, err = client.TagResource(t.Context(), &cloudwatchlogs.TagResourceInput{ResourceArn: arn,
		Tags: map[string]string{"aws:x": "1"}})
	wantCode(t, err, "InvalidParameterException", 400)
}

func TestPoliciesGovernLogGroups(t *testing.T) {
	w, client := logWorld(t)
	addLogStream(t, client, logGroup, "a", 1)
	addLogStream(t, client, "other", "a", 1)
	var reader aws.Credentials
	w.update(t, func(tx *state.Txn) {
		var user region.User
		user, reader = putUser(t, tx, "reader")
		user.Inline = map[string]string{"read": `{"Version":"2012-10-17","Statement":{"Effect":"Allow",
			"Action":["logs:FilterLogEvents","logs:GetLogEvents"],
			"Resource":"arn:aws:logs:*:` + iam.DefaultAccountID + `:log-group:/aws/eks/*:*"}}`}
		region.Users.Put(tx, user.Name, user)
	})
	as := w.logs(reader)
	for group, want := range map[string]string{logGroup: "", "other": "AccessDeniedException"} {
		_, err := as.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: &group})
		_, err2 := as.GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{LogGroupName: &group,
			LogStreamName: aws.String("a")})
		for _, err := range []error{err, err2} {
			if want == "" && err != nil {
				t.Errorf("%s: %v", group, err)
			} else if want != "" {
				wantCode(t, err, want, 400)
			}
		}
	}
	_, err := as.DeleteLogGroup(t.Context(), &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: aws.String(logGroup)})
	wantCode(t, err, "AccessDeniedException", 400)
}

func TestStreamMadeAnewHasNoOldEvents(t *testing.T) {
	_, client := logWorld(t)
	addLogStream(t, client, logGroup, "a", 5)
	name := &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String(logGroup), LogStreamName: aws.String("a")}
	must[*cloudwatchlogs.DeleteLogStreamOutput](t)(client.DeleteLogStream(t.Context(),
		&cloudwatchlogs.DeleteLogStreamInput{LogGroupName: aws.String(logGroup), LogStreamName: aws.String("a")}))
	_, err := client.GetLogEvents(t.Context(), name)
	wantCode(t, err, "ResourceNotFoundException", 400)
	addLogStream(t, client, logGroup, "a", 0)
	if out := must[*cloudwatchlogs.GetLogEventsOutput](t)(client.GetLogEvents(t.Context(),
		name)); len(out.Events) != 0 {
		t.Errorf("%d events of the deleted stream are there", len(out.Events))
	}
}

func TestUnknownLogsOperationIsNamed(t *testing.T) {
	_, client := logWorld(t)
	_, err := client.CancelExportTask(t.Context(), &cloudwatchlogs.CancelExportTaskInput{TaskId: aws.String("x")})
	wantCode(t, err, "UnknownOperationException", 501)
	if !strings.Contains(err.Error(), "logs:CancelExportTask") {
		t.Errorf("%v does not name the operation", err)
	}
}
