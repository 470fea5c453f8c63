package awsapi_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/prometheus/client_golang/prometheus"

	"tripod/awsapi"
	"tripod/region"
	"tripod/state"
)

// breakCalls puts a fault of calls in force.
func (w *world) breakCalls(t *testing.T, target, word string, calls region.CallFault) {
	t.Helper()
	if calls.Percentage == 0 {
		calls.Percentage = 100
	}
	fault := region.Fault{Target: "aws/" + target, Of: word, Fault: word, Calls: &calls, Since: time.Now()}
	w.update(t, func(tx *state.Txn) { region.Faults.Put(tx, fault.Key(), fault) })
}

func (w *world) mendCalls(t *testing.T) {
	t.Helper()
	w.update(t, func(tx *state.Txn) {
		for _, fault := range region.Faults.List(tx) {
			region.Faults.Delete(tx, fault.Key())
		}
	})
}

// TestFaultsHaveEachServicesOwnErrors: code, status and shape are those of the service's model and protocol.
func TestFaultsHaveEachServicesOwnErrors(t *testing.T) {
	w := newWorld(t, func(f *awsapi.Front) { f.Now = func() time.Time { return created } })
	query := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	json := func(target string) map[string]string {
		return map[string]string{"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target}
	}
	for _, c := range []struct {
		service, operation, method, path, body string
		header                                 map[string]string
		throttle, internal, unavailable        string // code and status
	}{
		{"eks", "ListClusters", "GET", "/clusters", "", nil, "ThrottlingException 429", "ServerException 500", "ServiceUnavailableException 503"},
		{"efs", "DescribeFileSystems", "GET", "/2015-02-01/file-systems", "", nil, "", "", ""},
		{"ec2", "DescribeVpcs", "POST", "/", "Action=DescribeVpcs&Version=2016-11-15", query,
			"RequestLimitExceeded 503", "InternalError 500", "Unavailable 503"},
		{"sts", "GetCallerIdentity", "POST", "/", "Action=GetCallerIdentity&Version=2011-06-15", query,
			"Throttling 400", "InternalFailure 500", "ServiceUnavailable 503"},
		{"iam", "ListUsers", "POST", "/", "Action=ListUsers&Version=2010-05-08", query,
			"Throttling 400", "ServiceFailure 500", "ServiceUnavailable 503"},
		{"kms", "ListKeys", "POST", "/", "{}", json("TrentService.ListKeys"),
			"ThrottlingException 400", "KMSInternalException 500", "ServiceUnavailableException 503"},
		{"sqs", "ListQueues", "POST", "/", "{}", json("AmazonSQS.ListQueues"),
			"RequestThrottled 400", "InternalError 500", "ServiceUnavailableException 503"},
		{"arc-zonal-shift", "ListZonalShifts", "GET", "/zonalshifts", "", nil,
			"ThrottlingException 429", "InternalServerException 500", "ServiceUnavailableException 503"},
		{"s3", "", "GET", "/bucket", "", nil, "SlowDown 503", "InternalError 500", "ServiceUnavailable 503"},
	} {
		if c.service == "efs" {
			c.service, c.throttle, c.internal, c.unavailable = "elasticfilesystem", "ThrottlingException 429",
				"InternalServerError 500", "ServiceUnavailableException 503"
		}
		for word, want := range map[string]string{"throttle": c.throttle, "internal-error": c.internal, "unavailable": c.unavailable} {
			target := c.service + ":" + c.operation
			if c.operation == "" {
				target = c.service + ":*"
			}
			w.breakCalls(t, target, word, region.CallFault{Error: word})
			response, body := w.raw(t, c.method, c.path, c.body, c.header,
				func(r *http.Request) { signBody(r, c.body, w.admin, c.service) })
			w.mendCalls(t)
			code, status, _ := strings.Cut(want, " ")
			shown := response.Header.Get("X-Amzn-Errortype") == code || strings.Contains(body, "<Code>"+code+"</Code>")
			if !shown || !strings.HasPrefix(response.Status, status) || strings.Contains(body, "Tripod") {
				t.Errorf("%s %s: %s %s, want %s", target, word, response.Status, body, want)
			}
		}
	}
}

// TestFaultsMeetWhomTheyName: a principal's calls, by its ARN or by its role's; an operation's, or a service's; and those
// without a signature where they name nobody.
func TestFaultsMeetWhomTheyName(t *testing.T) {
	w := newWorld(t)
	list := func() error {
		_, err := w.eks(w.admin).ListClusters(t.Context(), &eks.ListClustersInput{})
		return err
	}
	throttled := func(err error) bool {
		var e smithy.APIError
		return errors.As(err, &e) && e.ErrorCode() == "ThrottlingException"
	}
	identity, err := w.sts(w.admin).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		target, principal string
		want              bool
	}{
		{"eks:ListClusters", "", true}, {"eks:*", "", true}, {"eks:DescribeCluster", "", false}, {"ec2:*", "", false},
		{"eks:*", *identity.Arn, true}, {"eks:*", *identity.Arn + "x", false},
	} {
		w.breakCalls(t, c.target, "throttle", region.CallFault{Error: "throttle", Principal: c.principal})
		if err := list(); throttled(err) != c.want || !c.want && err != nil {
			t.Errorf("%+v: %v", c, err)
		}
		w.mendCalls(t)
	}
	if err := list(); err != nil {
		t.Error(err)
	}
	w.breakCalls(t, "sts:AssumeRoleWithWebIdentity", "unavailable", region.CallFault{Error: "unavailable"})
	response, body := w.raw(t, "POST", "/", "Action=AssumeRoleWithWebIdentity&Version=2011-06-15",
		map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, func(*http.Request) {})
	if response.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "<Code>ServiceUnavailable</Code>") {
		t.Errorf("unsigned: %s %s", response.Status, body)
	}
}

// TestSDKsRetryFaultsAsThoseOfAWS: their retryers know the codes, so a share of errors is passed over.
func TestSDKsRetryFaultsAsThoseOfAWS(t *testing.T) {
	counted := prometheus.NewRegistry()
	w := newWorld(t, func(f *awsapi.Front) { f.Registerer = counted })
	retrying := func(o *retry.StandardOptions) {
		o.MaxAttempts, o.RateLimiter, o.Backoff = 40, ratelimit.None, retry.BackoffDelayerFunc(
			func(int, error) (time.Duration, error) { return 0, nil })
	}
	client := ec2.NewFromConfig(aws.Config{Region: "us-east-1", BaseEndpoint: aws.String(w.url), HTTPClient: near,
		Credentials: provide(w.admin)},
		func(o *ec2.Options) { o.Retryer = retry.NewStandard(retrying) })
	for _, word := range []string{"throttle", "internal-error", "unavailable"} {
		w.breakCalls(t, "ec2:*", word, region.CallFault{Error: word, Percentage: 50})
		for range 20 {
			if _, err := client.DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{}); err != nil {
				t.Fatalf("%s: %v", word, err)
			}
		}
		w.mendCalls(t)
	}
	met := 0.0
	families, _ := counted.Gather()
	for _, family := range families {
		if family.GetName() == "tripod_aws_faults_total" {
			for _, metric := range family.Metric {
				met += metric.GetCounter().GetValue()
			}
		}
	}
	if met < 15 || met > 150 { // of 60 calls that come through, each after one that was refused, on average
		t.Errorf("%v calls met a fault of half of them", met)
	}
}

// TestSlowCallsAreAnsweredLate: a latency alone refuses nothing, and ends with the client's patience. The history says what
// the call has met.
func TestSlowCallsAreAnsweredLate(t *testing.T) {
	configure, read := withHistory(t)
	w := newWorld(t, configure)
	w.breakCalls(t, "eks:*", "latency", region.CallFault{Latency: 50 * time.Millisecond})
	begin := time.Now()
	if _, err := w.eks(w.admin).ListClusters(t.Context(), &eks.ListClustersInput{}); err != nil ||
		time.Since(begin) < 50*time.Millisecond {
		t.Errorf("after %v: %v", time.Since(begin), err)
	}
	w.breakCalls(t, "eks:*", "latency", region.CallFault{Latency: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := w.eks(w.admin).ListClusters(ctx, &eks.ListClustersInput{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	records, _ := read()
	if got := records[0].Additional.Faults; !slices.Equal(got, []string{"latency of aws/eks:*"}) {
		t.Errorf("got the faults %q", got)
	}
}
