package system

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tripod/az/plan"
	"tripod/client"
	"tripod/internal/sdkclient"
)

const demoLogs = "/aws/eks/demo/cluster"

// logsIn is CloudWatch Logs as one zone answers it, without the balancer before it.
func (r *testRegion) logsIn(t testing.TB, letter string) *cloudwatchlogs.Client {
	t.Helper()
	credentials, err := client.ReadCredentials(r.dir)
	must(t, "read the credentials", err)
	near := sdkclient.Over(r.frontSocket(t, letter), time.Minute)
	t.Cleanup(near.CloseIdleConnections)
	return cloudwatchlogs.New(cloudwatchlogs.Options{
		Region: "us-east-1", BaseEndpoint: aws.String("http://localhost"), HTTPClient: near,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: credentials.AccessKeyID, SecretAccessKey: credentials.SecretAccessKey}, nil
		}),
	})
}

// frontSocket is where one zone's AWS front listens.
func (r *testRegion) frontSocket(t testing.TB, letter string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, "zones", "us-east-1"+letter, "agent.json"))
	must(t, "read the zone's configuration", err)
	var zone plan.Zone
	must(t, "read the zone's configuration", json.Unmarshal(text, &zone))
	return plan.FrontSocket(zone.Peers[slices.IndexFunc(zone.Peers,
		func(p plan.Peer) bool { return p.Zone == zone.Zone })].RunDir)
}

// setLogging switches types of the cluster demo on or off.
func setLogging(t testing.TB, services awsServices, on bool, types ...ekstypes.LogType) {
	t.Helper()
	_, err := services.eks.UpdateClusterConfig(within(t, 30*time.Second),
		&eks.UpdateClusterConfigInput{Name: aws.String("demo"),
			Logging: &ekstypes.Logging{ClusterLogging: []ekstypes.LogSetup{{Types: types, Enabled: &on}}}})
	must(t, fmt.Sprintf("UpdateClusterConfig: logging %t", on), err)
	must(t, "wait for the update",
		eks.NewClusterActiveWaiter(services.eks,
			func(o *eks.ClusterActiveWaiterOptions) { o.MinDelay = 100 * time.Millisecond }).
			Wait(within(t, 30*time.Second), &eks.DescribeClusterInput{Name: aws.String("demo")}, 30*time.Second))
}

// logsOfTheControlPlane: what is written through the cluster's endpoint is found in the audit log, in every zone, from
// the moment of enabling on.
func logsOfTheControlPlane(t *testing.T, r *testRegion) {
	services, ctx := r.awsClients(t, awsHTTP), within(t, time.Minute)
	write := func(name string) {
		t.Helper()
		_, err := r.kube(t).CoreV1().ConfigMaps("default").Create(ctx,
			&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
		must(t, "create a ConfigMap", err)
		t.Cleanup(func() {
			r.kube(t).CoreV1().ConfigMaps("default").Delete(context.Background(), name, metav1.DeleteOptions{})
		})
	}
	write("before-logging")
	setLogging(t, services, true, ekstypes.LogTypeApi, ekstypes.LogTypeAudit)
	t.Cleanup(func() { setLogging(t, services, false, ekstypes.LogTypeApi, ekstypes.LogTypeAudit) })
	write("while-logging")
	pattern := `{ $.verb = "create" && $.objectRef.name = "*-logging" && $.responseStatus.code = 201 }`
	for _, letter := range []string{"a", "b", "c"} {
		zone := r.logsIn(t, letter)
		var messages []string
		eventually(t, 20*time.Second, "zone "+letter+" shows the write", func() (bool, string) {
			out, err := zone.FilterLogEvents(ctx,
				&cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String(demoLogs), FilterPattern: &pattern})
			if err != nil { // there is no group before the first zone ships
				return false, err.Error()
			}
			messages = nil
			for _, event := range out.Events {
				messages = append(messages, *event.LogStreamName+": "+*event.Message)
			}
			return len(messages) > 0, "no events"
		})
		if len(messages) != 1 || !strings.HasPrefix(messages[0], "kube-apiserver-audit-") ||
			!strings.Contains(messages[0], "while-logging") {
			t.Errorf("zone %s: got %q, want the one write since logging was enabled", letter, messages)
		}
	}
	described, err := r.logsIn(t, "a").DescribeLogStreams(ctx,
		&cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: aws.String(demoLogs)})
	must(t, "DescribeLogStreams", err)
	for _, stream := range described.LogStreams {
		if !strings.HasPrefix(*stream.LogStreamName, "kube-apiserver-") {
			t.Errorf("the stream %s is of a type that is off", *stream.LogStreamName)
		}
	}
}

// TestQueriesAndLiveTailOverTheLossOfAZone: a query that was started in a zone that is killed then has its rows in the others,
// also for the aws CLI; a session of Live Tail shows what is written while the zone is away.
func TestQueriesAndLiveTailOverTheLossOfAZone(t *testing.T) {
	t.Parallel()
	r := startRegion(t)
	ctx, group := within(t, 3*time.Minute), "queried"
	a, b := r.logsIn(t, "a"), r.logsIn(t, "b")
	_, err := b.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &group})
	must(t, "CreateLogGroup", err)
	_, err = b.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: &group, LogStreamName: aws.String("s")})
	must(t, "CreateLogStream", err)
	put := func(in *cloudwatchlogs.Client, messages ...string) {
		t.Helper()
		events := make([]logstypes.InputLogEvent, 0, len(messages))
		for _, message := range messages {
			events = append(events, logstypes.InputLogEvent{Timestamp: aws.Int64(time.Now().UnixMilli()), Message: aws.String(message)})
		}
		_, err := in.PutLogEvents(ctx,
			&cloudwatchlogs.PutLogEventsInput{LogGroupName: &group, LogStreamName: aws.String("s"), LogEvents: events})
		must(t, "PutLogEvents", err)
	}
	put(b, `{"verb":"get","ms":3}`, `{"verb":"create","ms":40}`, `{"verb":"create","ms":60}`)
	started, err := b.StartQuery(ctx, &cloudwatchlogs.StartQueryInput{LogGroupName: &group,
		StartTime: aws.Int64(time.Now().Add(-time.Hour).Unix()), EndTime: aws.Int64(time.Now().Unix()),
		QueryString: aws.String(`filter ispresent(verb) | stats count(*) as n, avg(ms) as mean by verb | sort n desc`)})
	must(t, "StartQuery", err)
	arn := "arn:aws:logs:us-east-1:" + r.status(t).AccountID + ":log-group:" + group
	tail, err := a.StartLiveTail(ctx, &cloudwatchlogs.StartLiveTailInput{LogGroupIdentifiers: []string{arn},
		LogEventFilterPattern: aws.String("away")})
	must(t, "StartLiveTail", err)
	defer tail.GetStream().Close()
	<-tail.GetStream().Events() // it has begun
	<-tail.GetStream().Events() // and follows

	r.do(t, "kill", "az/b")
	eventually(t, time.Minute, "another zone has the rows", func() (bool, string) {
		out, err := r.logsIn(t, "c").GetQueryResults(ctx, &cloudwatchlogs.GetQueryResultsInput{QueryId: started.QueryId})
		if err != nil || out.Status != logstypes.QueryStatusComplete {
			return false, fmt.Sprint(out, err)
		}
		var got []string
		for _, row := range out.Results {
			for _, field := range row {
				got = append(got, *field.Field+"="+*field.Value)
			}
		}
		want := []string{"verb=create", "n=2", "mean=50", "verb=get", "n=1", "mean=3"}
		return slices.Equal(got, want), strings.Join(got, " ")
	})
	put(a, "written while a zone is away")
	for told := false; !told; {
		event, more := <-tail.GetStream().Events()
		if !more {
			t.Fatalf("the session ended: %v", tail.GetStream().Err())
		}
		for _, e := range event.(*logstypes.StartLiveTailResponseStreamMemberSessionUpdate).Value.SessionResults {
			told = told || *e.Message == "written while a zone is away" && *e.LogStreamName == "s"
		}
	}
	run := r.shell(t, t.TempDir())
	if got := run("aws", "logs", "get-query-results", "--query-id", *started.QueryId, "--output", "text", "--query",
		"results[0][?field=='n'].value"); strings.TrimSpace(got) != "2" {
		t.Errorf("the aws CLI gets %q", got)
	}
	r.do(t, "start", "az/b")
}
