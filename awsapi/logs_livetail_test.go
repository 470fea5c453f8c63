package awsapi_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"tripod/internal/sdkclient"
)

const logGroupARN = "arn:aws:logs:us-east-1:111122223333:log-group:" + logGroup

// tailing is a client of Live Tail: its calls go to another host, which is the same endpoint here.
func (w *world) tailing() *cloudwatchlogs.Client {
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, strings.TrimPrefix(w.url, "http://"))
	}}
	return cloudwatchlogs.New(cloudwatchlogs.Options{Region: "us-east-1", BaseEndpoint: &w.url,
		HTTPClient: sdkclient.New(transport, time.Minute), Credentials: provide(w.admin), RetryMaxAttempts: 1})
}

func TestLiveTailShowsEventsAsTheyCome(t *testing.T) {
	w, client := logWorld(t)
	addLogStream(t, client, logGroup, "web-1", 3)
	addLogStream(t, client, logGroup, "db-1", 0)
	out, err := w.tailing().StartLiveTail(t.Context(), &cloudwatchlogs.StartLiveTailInput{LogGroupIdentifiers: []string{logGroupARN},
		LogEventFilterPattern: aws.String("ERROR"), LogStreamNamePrefixes: []string{"web"}})
	if err != nil {
		t.Fatal(err)
	}
	stream := out.GetStream()
	defer stream.Close()
	start, ok := (<-stream.Events()).(*types.StartLiveTailResponseStreamMemberSessionStart)
	if !ok || *start.Value.SessionId == "" || start.Value.LogGroupIdentifiers[0] != logGroupARN ||
		*start.Value.LogEventFilterPattern != "ERROR" {
		t.Fatalf("it begins with %+v, %v", start, stream.Err())
	}
	<-stream.Events() // it follows now
	for stream, message := range map[string]string{"web-1": "ERROR one", "db-1": "ERROR of another stream"} {
		put := &cloudwatchlogs.PutLogEventsInput{LogGroupName: aws.String(logGroup), LogStreamName: &stream}
		for _, m := range []string{"fine", message} {
			put.LogEvents = append(put.LogEvents, types.InputLogEvent{Timestamp: aws.Int64(time.Now().UnixMilli()), Message: &m})
		}
		must[*cloudwatchlogs.PutLogEventsOutput](t)(client.PutLogEvents(t.Context(), put))
	}
	putLines(t, client, logGroup, "web-2", "ERROR in a new stream") // one that came after the session
	got := map[string]string{}
	for len(got) < 2 {
		event, more := <-stream.Events()
		if !more {
			t.Fatalf("the session ended: %v; got %v", stream.Err(), got)
		}
		update := event.(*types.StartLiveTailResponseStreamMemberSessionUpdate).Value
		if update.SessionMetadata.Sampled {
			t.Error("it says that it is a sample")
		}
		for _, e := range update.SessionResults {
			got[*e.LogStreamName] = *e.Message
			if *e.LogGroupIdentifier != "111122223333:"+logGroup || *e.Timestamp == 0 || *e.IngestionTime == 0 {
				t.Errorf("got %+v", e)
			}
		}
	}
	if got["web-1"] != "ERROR one" || got["web-2"] != "ERROR in a new stream" {
		t.Errorf("got %v", got)
	}
}

func TestLiveTailSamples(t *testing.T) {
	w, client := logWorld(t)
	addLogStream(t, client, logGroup, "s", 0)
	out, err := w.tailing().StartLiveTail(t.Context(), &cloudwatchlogs.StartLiveTailInput{LogGroupIdentifiers: []string{logGroupARN}})
	if err != nil {
		t.Fatal(err)
	}
	stream := out.GetStream()
	defer stream.Close()
	<-stream.Events()
	<-stream.Events()
	put := &cloudwatchlogs.PutLogEventsInput{LogGroupName: aws.String(logGroup), LogStreamName: aws.String("s")}
	for range 3000 {
		put.LogEvents = append(put.LogEvents, types.InputLogEvent{Timestamp: aws.Int64(time.Now().UnixMilli()),
			Message: aws.String("line")})
	}
	must[*cloudwatchlogs.PutLogEventsOutput](t)(client.PutLogEvents(t.Context(), put))
	for event := range stream.Events() {
		if update := event.(*types.StartLiveTailResponseStreamMemberSessionUpdate).Value; len(update.SessionResults) > 0 {
			if len(update.SessionResults) != 500 || !update.SessionMetadata.Sampled {
				t.Errorf("got %d events, sampled %t", len(update.SessionResults), update.SessionMetadata.Sampled)
			}
			return
		}
	}
	t.Errorf("the session ended: %v", stream.Err())
}

func TestLiveTailIsRefusedAndBounded(t *testing.T) {
	w, client := logWorld(t)
	addLogStream(t, client, logGroup, "s", 0)
	addLogStream(t, client, "other", "s", 0)
	tail := func(in cloudwatchlogs.StartLiveTailInput) (*cloudwatchlogs.StartLiveTailOutput, error) {
		return w.tailing().StartLiveTail(t.Context(), &in)
	}
	other := strings.TrimSuffix(logGroupARN, logGroup) + "other"
	for code, in := range map[string]cloudwatchlogs.StartLiveTailInput{
		"ResourceNotFoundException": {LogGroupIdentifiers: []string{logGroupARN + "x"}},
		"InvalidParameterException": {LogGroupIdentifiers: []string{logGroupARN, other}, LogStreamNames: []string{"s"}},
	} {
		_, err := tail(in)
		wantCode(t, err, code, 400)
	}
	var open []*cloudwatchlogs.StartLiveTailEventStream
	for range 15 {
		out, err := tail(cloudwatchlogs.StartLiveTailInput{LogGroupIdentifiers: []string{logGroupARN}})
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, out.GetStream())
		<-out.GetStream().Events() // it has begun
	}
	_, err := tail(cloudwatchlogs.StartLiveTailInput{LogGroupIdentifiers: []string{logGroupARN}})
	wantCode(t, err, "LimitExceededException", 400)
	for _, stream := range open {
		stream.Close()
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) { // those who leave make room
		out, err := tail(cloudwatchlogs.StartLiveTailInput{LogGroupIdentifiers: []string{logGroupARN}})
		if err == nil {
			out.GetStream().Close()
			return
		}
		if time.Now().After(end) {
			t.Fatalf("sessions do not end with their clients: %v", err)
		}
	}
}
