package awsapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"tripod/awsapi"
	"tripod/awsapi/history"
	"tripod/awsapi/upstream"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// withHistory gives a front a history, and returns what reads it once it is written.
func withHistory(t *testing.T) (configure func(*awsapi.Front), read func() ([]history.Record, string)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), history.FileName)
	log, err := history.Open(history.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	return func(f *awsapi.Front) { f.History, f.Zone = log, "us-east-1a" }, func() ([]history.Record, string) {
		t.Helper()
		log.Close()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var records []history.Record
		for line := range bytes.Lines(text) {
			var record history.Record
			if err := json.Unmarshal(line, &record); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			records = append(records, record)
		}
		return records, string(text)
	}
}

func TestHistoryNotesWhatALenientRegionTakes(t *testing.T) {
	configure, read := withHistory(t)
	w := newWorld(t, configure, func(f *awsapi.Front) { f.LenientReferences = true })
	if _, err := w.eks(w.admin).CreatePodIdentityAssociation(t.Context(), &eks.CreatePodIdentityAssociationInput{ClusterName: aws.String("demo"),
		Namespace: aws.String("a"), ServiceAccount: aws.String("b"), RoleArn: aws.String("arn:aws:iam::111122223333:role/nope")}); err != nil {
		t.Fatal(err)
	}
	records, _ := read()
	if got := records[0].Additional.Notes; !slices.Equal(got, []string{"Role provided in the request does not exist"}) {
		t.Errorf("got the notes %q", got)
	}
}

func TestEveryCallIsInTheHistory(t *testing.T) {
	configure, read := withHistory(t)
	w := newWorld(t, configure)
	ctx := context.Background()
	w.eks(w.admin).DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String("demo")})
	w.eks(w.powerless).ListClusters(ctx, &eks.ListClustersInput{MaxResults: aws.Int32(7)})
	w.sts(w.admin).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	w.sts(w.admin).AssumeRoleWithWebIdentity(ctx, &sts.AssumeRoleWithWebIdentityInput{
		RoleArn: aws.String("arn:aws:iam::111122223333:role/pod"), RoleSessionName: aws.String("pod"), WebIdentityToken: aws.String("s3cret-web-identity")})
	w.raw(t, "GET", "/clusters/x%1b%5b2J", "", map[string]string{"User-Agent": "evil\u202e"}, signAs(t, w.admin, "eks"))
	w.raw(t, "GET", "/clusters", "", map[string]string{"X-Amz-Date": "20260304T000000Z", "Authorization": "AWS4-HMAC-SHA256 Credential=s3cret/20260304/us-east-1/eks/aws4_request, SignedHeaders=host, Signature=" + strings.Repeat("0", 64)}, nil)
	w.raw(t, "GET", "/healthz", "", nil, nil)
	w.raw(t, "GET", "/id/"+clusterID+"/keys", "", nil, nil)
	records, text := read()
	var got []string
	for _, r := range records {
		got = append(got, fmt.Sprintf("%s %s %s %s %s %s", r.EventSource, r.EventName, r.ErrorCode, r.UserIdentity.Type, r.UserIdentity.UserName, r.RequestParameters))
		if len(r.RequestID) != 36 || len(r.EventID) != 36 || r.SourceIPAddress != "127.0.0.1" || r.Time().IsZero() || !r.ReadOnly || r.Additional.Zone != "us-east-1a" {
			t.Errorf("got %+v", r)
		}
	}
	for i, want := range []string{
		`eks.amazonaws.com DescribeCluster  IAMUser admin {"name":"demo"}`,
		`eks.amazonaws.com ListClusters AccessDeniedException IAMUser powerless {"maxResults":"7"}`,
		`sts.amazonaws.com GetCallerIdentity  IAMUser admin null`,
		`sts.amazonaws.com AssumeRoleWithWebIdentity `,
		`eks.amazonaws.com DescribeCluster ResourceNotFoundException IAMUser admin {"name":"x\u001b[2J"}`,
		`eks.amazonaws.com ListClusters UnrecognizedClientException Unknown  null`,
	} {
		if i >= len(got) || !strings.HasPrefix(got[i], want) {
			t.Errorf("record %d: got %q, want %q", i, got, want)
		}
	}
	if len(got) != 6 || strings.Contains(text, "s3cret") || strings.Contains(text, "\u202e") || strings.Contains(text, w.admin.SecretAccessKey) {
		t.Errorf("got %s", text)
	}
}

func TestThrottledClientsSucceedInTheEnd(t *testing.T) {
	w := newWorld(t, func(f *awsapi.Front) { f.Throttle = true })
	client := eks.New(eks.Options{Region: "us-east-1", BaseEndpoint: &w.url, Credentials: provide(w.admin), RetryMaxAttempts: 10})
	once := w.eks(w.admin)
	// The front's clock stands still until the bucket is empty.
	w.clock = time.Now()
	var err error
	for n := 0; err == nil; n++ {
		if _, err = once.ListClusters(context.Background(), &eks.ListClustersInput{}); n > 100 && err == nil {
			t.Fatal("nothing was throttled")
		}
	}
	wantCode(t, err, "ThrottlingException", http.StatusTooManyRequests)
	var throttled *types.ThrottlingException
	if !errors.As(err, &throttled) || throttled.ErrorMessage() != "Rate exceeded" {
		t.Errorf("got %v", err)
	}
	w.clock = time.Time{}
	if _, err := client.ListClusters(context.Background(), &eks.ListClustersInput{}); err != nil {
		t.Errorf("with retries: %v", err)
	}
}

func TestWithoutQuorumWritesAreUnavailable(t *testing.T) {
	for _, failure := range []error{state.ErrNoQuorum, state.ErrConflict} {
		w := newWorld(t, func(f *awsapi.Front) {
			f.State = viewer(func(func(*state.Txn) error) error { return fmt.Errorf("somewhere: %w", failure) })
		})
		_, err := w.eks(w.admin).ListClusters(context.Background(), &eks.ListClustersInput{})
		wantCode(t, err, "ServiceUnavailableException", http.StatusServiceUnavailable)
		var modelled *types.ServiceUnavailableException
		if !errors.As(err, &modelled) || strings.Contains(err.Error(), "somewhere") || errors.Is(failure, state.ErrNoQuorum) != strings.Contains(err.Error(), "no quorum") {
			t.Errorf("got %v", err)
		}
		_, err = w.sts(w.admin).GetCallerIdentity(context.Background(), &sts.GetCallerIdentityInput{})
		wantCode(t, err, "ServiceUnavailable", http.StatusServiceUnavailable)
		if _, body := w.raw(t, "GET", "/?Action=DescribeVpcs&Version=2016-11-15", "", nil, signAs(t, w.admin, "ec2")); !strings.Contains(body, "<Code>Unavailable</Code>") {
			t.Errorf("EC2: got %s", body)
		}
	}
}

func TestWhatTripodDoesNotHaveGoesUpstream(t *testing.T) {
	var asked []string
	emulator := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.Header.Get("Authorization"))
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(http.StatusAccepted)
		io.WriteString(w, "from upstream")
	}))
	defer emulator.Close()
	base, err := upstream.ParseUpstream(emulator.URL, false)
	if err != nil {
		t.Fatal(err)
	}
	configure, read := withHistory(t)
	w := newWorld(t, configure, func(f *awsapi.Front) { f.Upstream = base })
	for service, path := range map[string]string{"s3": "/bucket/key", "ec2": "/?Action=DescribeSpotPriceHistory&Version=2016-11-15", "sqs": "/?Action=ListQueues&Version=2012-11-05"} {
		if response, body := w.raw(t, "GET", path, "", nil, signAs(t, w.admin, service)); response.StatusCode != http.StatusAccepted || body != "from upstream" {
			t.Errorf("%s: got %d %s", service, response.StatusCode, body)
		}
		if last := asked[len(asked)-1]; !strings.HasPrefix(last, "GET AWS4-HMAC-SHA256 Credential=test/") || !strings.Contains(last, "/us-east-1/"+service+"/") {
			t.Errorf("%s: upstream got %s", service, last)
		}
	}
	before := len(asked)
	if response, body := w.raw(t, "GET", "/bucket/key", "", nil, signAs(t, w.powerless, "s3")); response.StatusCode != http.StatusForbidden {
		t.Errorf("without permission: got %d %s", response.StatusCode, body)
	}
	if response, _ := w.raw(t, "GET", "/bucket/key", "", nil, nil); response.StatusCode != http.StatusForbidden {
		t.Errorf("unsigned: got %d", response.StatusCode)
	}
	if response, _ := w.raw(t, "GET", "/nothing", "", nil, signAs(t, w.admin, "eks")); response.StatusCode != http.StatusNotFound {
		t.Errorf("EKS: got %d", response.StatusCode)
	}
	if len(asked) != before {
		t.Errorf("upstream was asked %v", asked[before:])
	}
	emulator.Close()
	response, body := w.raw(t, "GET", "/bucket/key", "", nil, signAs(t, w.admin, "s3"))
	if response.StatusCode != http.StatusBadGateway || !strings.Contains(body, "--upstream "+base.Host) || !strings.Contains(body, "ServiceUnavailable") {
		t.Errorf("gone: got %d %s", response.StatusCode, body)
	}
	records, _ := read()
	if !records[0].Additional.Upstream || records[0].Additional.Status != http.StatusAccepted {
		t.Errorf("the history has %+v", records[0])
	}
}

// TestPermissionForOneActionIsNotForAnother says the action in two ways: another emulator could read the one that was not checked.
func TestPermissionForOneActionIsNotForAnother(t *testing.T) {
	configure, read := withHistory(t)
	w := newWorld(t, configure)
	for service, path := range map[string]string{"s3": "/bucket/key?Action=ListBuckets", "sqs": "/?Action=ListQueues&Action=DeleteQueue", "lambda": "/functions?Action=List"} {
		w.raw(t, "GET", path, "", nil, signAs(t, w.admin, service))
	}
	w.raw(t, "GET", "/?Action=DeleteQueue", "", map[string]string{"X-Amz-Target": "SQS.ListQueues"}, signAs(t, w.admin, "sqs"))
	records, _ := read()
	for _, record := range records {
		if record.EventName != "Unknown" {
			t.Errorf("%s is taken for %s", record.RequestParameters, record.EventName)
		}
	}
	if len(records) != 4 {
		t.Errorf("got %d records", len(records))
	}
}

// TestDenyHoldsAlsoForCallsThatCannotBeNamed: ada may do everything but delete the queue; who only calls it otherwise must not get by.
func TestDenyHoldsAlsoForCallsThatCannotBeNamed(t *testing.T) {
	var asked int
	emulator := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer emulator.Close()
	base, err := upstream.ParseUpstream(emulator.URL, false)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(f *awsapi.Front) { f.Upstream = base })
	var ada aws.Credentials
	w.update(t, func(tx *state.Txn) {
		var user region.User
		user, ada = putUser(t, tx, "ada", iam.AdministratorAccess)
		user.Inline = map[string]string{"deny": `{"Version":"2012-10-17","Statement":[
			{"Effect":"Deny","Action":"sqs:DeleteQueue","Resource":"arn:aws:sqs:us-east-1:111122223333:prod"},{"Effect":"Deny","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::prod/*"}]}`}
		region.Users.Put(tx, user.Name, user)
	})
	json := func(target string) map[string]string {
		return map[string]string{"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.0"}
	}
	for name, c := range map[string]struct {
		method, path, service string
		header                map[string]string
		allowed               bool
	}{
		"the action":                      {"GET", "/?Action=DeleteQueue", "sqs", nil, false},
		"another action":                  {"GET", "/?Action=ListQueues", "sqs", nil, true},
		"twice":                           {"GET", "/?Action=ListQueues&Action=DeleteQueue", "sqs", nil, false},
		"in other letters":                {"GET", "/?Action=deletequeue", "sqs", nil, false},
		"by target":                       {"POST", "/", "sqs", json("AmazonSQS.DeleteQueue"), false},
		"by target, another":              {"POST", "/", "sqs", json("AmazonSQS.ListQueues"), true},
		"by both":                         {"POST", "/?Action=DeleteQueue", "sqs", json("AmazonSQS.ListQueues"), false},
		"by a path":                       {"POST", "/service/AmazonSQS/operation/DeleteQueue", "sqs", nil, false},
		"signed for one, sent to another": {"POST", "/", "dynamodb", json("AmazonSQS.DeleteQueue"), false},
		"with a target of nobody's":       {"POST", "/", "dynamodb", json("Nobody.DeleteQueue"), false},
		"with its own target":             {"POST", "/", "dynamodb", json("DynamoDB_20120810.DeleteTable"), true},
		"REST":                            {"DELETE", "/prod/key", "s3", nil, false},
		"REST of another service":         {"GET", "/2015-03-31/functions", "lambda", nil, true},
	} {
		before := asked
		response, body := w.raw(t, c.method, c.path, "", c.header, signAs(t, ada, c.service))
		if allowed := asked > before; allowed != c.allowed || !allowed && response.StatusCode != http.StatusForbidden && response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: passed on: %t, want %t: %d %s", name, allowed, c.allowed, response.StatusCode, body)
		}
	}
	// Who may list tables does not call another service's action under that name.
	w.update(t, func(tx *state.Txn) {
		var user region.User
		user, ada = putUser(t, tx, "ada")
		user.Inline = map[string]string{"tables": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:DeleteQueue","Resource":"*"}}`}
		region.Users.Put(tx, user.Name, user)
	})
	before := asked
	if response, body := w.raw(t, "POST", "/", "", json("AmazonSQS.DeleteQueue"), signAs(t, ada, "dynamodb")); asked > before {
		t.Errorf("another service's target is passed on: %d %s", response.StatusCode, body)
	}
}

// TestHistoryTellsNothingOfWhatTripodDoesNotHave writes secrets under names that look harmless: only who knows an operation's shape knows
// which of its members are secrets.
func TestHistoryTellsNothingOfWhatTripodDoesNotHave(t *testing.T) {
	const needle = "n33dle"
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	target := func(name string) map[string]string {
		return map[string]string{"X-Amz-Target": name, "Content-Type": "application/x-amz-json-1.1"}
	}
	configure, read := withHistory(t)
	w := newWorld(t, configure)
	w.clock = created
	calls := []struct {
		by                                aws.Credentials
		service, method, path, body, want string
		header                            map[string]string
	}{
		{w.admin, "ssm", "POST", "/", `{"Name":"x","Value":"` + needle + `"}`, "PutParameter", target("AmazonSSM.PutParameter")},
		{w.admin, "s3", "PUT", "/bucket/key?note=" + needle, `{"greeting":"` + needle + `"}`, "Unknown", nil},
		{w.admin, "eks", "POST", "/nothing", `{"greeting":"` + needle + `"}`, "Unknown", nil},
		{w.admin, "sqs", "POST", "/", "Action=SendMessage&MessageBody=" + needle, "SendMessage", form},
		{w.admin, "iam", "POST", "/", "Action=UploadSSHPublicKey&Version=2010-05-08&Body=" + needle, "UploadSSHPublicKey", form},
		{w.admin, "ec2", "POST", "/", "Action=ImportImage&Version=2016-11-15&Description=" + needle, "ImportImage", form},
		{w.powerless, "ec2", "POST", "/", "Action=ImportImage&Version=2016-11-15&Description=" + needle, "ImportImage", form},
		{w.admin, "sts", "POST", "/", "Action=AssumeRoot&Version=2011-06-15&Note=" + needle, "AssumeRoot", form},
	}
	for _, c := range calls {
		if response, body := w.raw(t, c.method, c.path, c.body, c.header, func(r *http.Request) { signBody(r, c.body, c.by, c.service) }); response.StatusCode < 400 {
			t.Errorf("%s %s: got %d %s", c.service, c.want, response.StatusCode, body)
		}
	}
	records, text := read()
	if strings.Contains(text, needle) || len(records) != len(calls) {
		t.Errorf("got %s", text)
	}
	for i, record := range records {
		if c := calls[i]; record.Service() != c.service || record.EventName != c.want || string(record.RequestParameters) != "null" || record.Additional.BytesIn != len(c.body) {
			t.Errorf("got %+v, want %s %s of %d bytes", record, c.service, c.want, len(c.body))
		}
	}
}
