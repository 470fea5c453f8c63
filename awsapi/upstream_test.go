package awsapi_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"tripod/awsapi"
	"tripod/awsapi/upstream"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// otherEmulator is an emulator to which a front passes calls on, and what it was asked.
type otherEmulator struct {
	*httptest.Server
	base  *url.URL
	asked []string // method and Authorization
}

func newOtherEmulator(t *testing.T) *otherEmulator {
	t.Helper()
	e := &otherEmulator{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.asked = append(e.asked, r.Method+" "+r.Header.Get("Authorization"))
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(http.StatusAccepted)
		io.WriteString(w, "from upstream")
	}))
	t.Cleanup(e.Close)
	var err error
	if e.base, err = upstream.ParseUpstream(e.URL, false); err != nil {
		t.Fatal(err)
	}
	return e
}

// serves has a front pass calls on to the emulator.
func (e *otherEmulator) serves(f *awsapi.Front) { f.Upstream = e.base }

func TestWhatTripodDoesNotHaveGoesUpstream(t *testing.T) {
	emulator := newOtherEmulator(t)
	w := newWorld(t, emulator.serves)
	for service, path := range map[string]string{
		"s3": "/bucket/key", "ec2": "/?Action=DescribeReservedInstances&Version=2016-11-15",
		"sns": "/?Action=ListTopics&Version=2010-03-31",
	} {
		response, body := w.raw(t, "GET", path, "", nil, signAs(t, w.admin, service))
		if response.StatusCode != http.StatusAccepted || body != "from upstream" {
			t.Errorf("%s: got %d %s", service, response.StatusCode, body)
		}
		last := emulator.asked[len(emulator.asked)-1]
		if !strings.HasPrefix(last, "GET AWS4-HMAC-SHA256 Credential=test/") ||
			!strings.Contains(last, "/us-east-1/"+service+"/") {
			t.Errorf("%s: upstream got %s", service, last)
		}
	}
}

func TestUpstreamIsNotAskedForWhatIsRefused(t *testing.T) {
	emulator := newOtherEmulator(t)
	w := newWorld(t, emulator.serves)
	for _, c := range []struct {
		name, path string
		sign       func(*http.Request)
		status     int
	}{
		{"without permission", "/bucket/key", signAs(t, w.powerless, "s3"), http.StatusForbidden},
		{"unsigned", "/bucket/key", nil, http.StatusForbidden},
		{"an operation that EKS has not", "/nothing", signAs(t, w.admin, "eks"), http.StatusNotFound},
	} {
		if response, body := w.raw(t, "GET", c.path, "", nil, c.sign); response.StatusCode != c.status {
			t.Errorf("%s: got %d %s", c.name, response.StatusCode, body)
		}
		if len(emulator.asked) > 0 {
			t.Errorf("%s: upstream was asked %v", c.name, emulator.asked)
		}
	}
}

func TestUpstreamThatDoesNotAnswerIsNamed(t *testing.T) {
	emulator := newOtherEmulator(t)
	w := newWorld(t, emulator.serves)
	emulator.Close()
	response, body := w.raw(t, "GET", "/bucket/key", "", nil, signAs(t, w.admin, "s3"))
	if response.StatusCode != http.StatusBadGateway || !strings.Contains(body, "--upstream "+emulator.base.Host) ||
		!strings.Contains(body, "ServiceUnavailable") {
		t.Errorf("got %d %s", response.StatusCode, body)
	}
}

func TestHistorySaysWhatUpstreamAnswered(t *testing.T) {
	configure, read := withHistory(t)
	w := newWorld(t, configure, newOtherEmulator(t).serves)
	w.raw(t, "GET", "/bucket/key", "", nil, signAs(t, w.admin, "s3"))
	w.end() // what is passed on is noted after its last byte
	records, _ := read()
	if len(records) != 1 || !records[0].Additional.Upstream || records[0].Additional.Status != http.StatusAccepted {
		t.Errorf("the history has %+v", records)
	}
}

// TestPermissionForOneActionIsNotForAnother says the action in two ways: another emulator could read the one that was
// not checked.
func TestPermissionForOneActionIsNotForAnother(t *testing.T) {
	configure, read := withHistory(t)
	w := newWorld(t, configure)
	for service, path := range map[string]string{"s3": "/bucket/key?Action=ListBuckets",
		"sns": "/?Action=ListTopics&Action=DeleteTopic", "lambda": "/functions?Action=List"} {
		w.raw(t, "GET", path, "", nil, signAs(t, w.admin, service))
	}
	w.raw(t, "GET", "/?Action=DeleteTopic", "", map[string]string{"X-Amz-Target": "SNS.ListTopics"},
		signAs(t, w.admin, "sns"))
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

// TestDenyHoldsAlsoForCallsThatCannotBeNamed: ada may do everything but delete the work group; who only calls it otherwise
// must not get by.
func TestDenyHoldsAlsoForCallsThatCannotBeNamed(t *testing.T) {
	emulator := newOtherEmulator(t)
	w := newWorld(t, emulator.serves)
	var ada aws.Credentials
	w.update(t, func(tx *state.Txn) {
		var user region.User
		user, ada = putUser(t, tx, "ada", iam.AdministratorAccess)
		user.Inline = map[string]string{"deny": `{"Version":"2012-10-17","Statement":[
			{"Effect":"Deny","Action":"athena:DeleteWorkGroup","Resource":"arn:aws:athena:us-east-1:111122223333:workgroup/prod"},
			{"Effect":"Deny","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::prod/*"}]}`}
		region.Users.Put(tx, user.Name, user)
	})
	for name, c := range map[string]struct {
		method, path, service string
		header                map[string]string
		allowed               bool
	}{
		"the action":         {"GET", "/?Action=DeleteWorkGroup", "athena", nil, false},
		"another action":     {"GET", "/?Action=ListWorkGroups", "athena", nil, true},
		"twice":              {"GET", "/?Action=ListWorkGroups&Action=DeleteWorkGroup", "athena", nil, false},
		"in other letters":   {"GET", "/?Action=deleteworkgroup", "athena", nil, false},
		"by target":          {"POST", "/", "athena", withTarget("AmazonAthena.DeleteWorkGroup"), false},
		"by target, another": {"POST", "/", "athena", withTarget("AmazonAthena.ListWorkGroups"), true},
		"by both": {"POST", "/?Action=DeleteWorkGroup", "athena", withTarget("AmazonAthena.ListWorkGroups"),
			false},
		"by a path":                       {"POST", "/service/AmazonAthena/operation/DeleteWorkGroup", "athena", nil, false},
		"signed for one, sent to another": {"POST", "/", "dynamodb", withTarget("AmazonAthena.DeleteWorkGroup"), false},
		"with a target of nobody's":       {"POST", "/", "dynamodb", withTarget("Nobody.DeleteWorkGroup"), false},
		"with its own target":             {"POST", "/", "dynamodb", withTarget("DynamoDB_20120810.DeleteTable"), true},
		"REST":                            {"DELETE", "/prod/key", "s3", nil, false},
		"REST of another service":         {"GET", "/2015-03-31/functions", "lambda", nil, true},
	} {
		before := len(emulator.asked)
		response, body := w.raw(t, c.method, c.path, "", c.header, signAs(t, ada, c.service))
		if allowed := len(emulator.asked) > before; allowed != c.allowed || !allowed &&
			response.StatusCode != http.StatusForbidden && response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: passed on: %t, want %t: %d %s", name, allowed, c.allowed, response.StatusCode, body)
		}
	}
}

// withTarget is the header of a call in JSON of an operation.
func withTarget(target string) map[string]string {
	return map[string]string{"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.0"}
}

// TestPermissionForOneServiceIsNotForAnothersTarget: who may delete "queues" of DynamoDB does not delete those of SQS.
func TestPermissionForOneServiceIsNotForAnothersTarget(t *testing.T) {
	emulator := newOtherEmulator(t)
	w := newWorld(t, emulator.serves)
	var ada aws.Credentials
	w.update(t, func(tx *state.Txn) {
		var user region.User
		user, ada = putUser(t, tx, "ada")
		user.Inline = map[string]string{"tables": `{"Version":"2012-10-17","Statement":{"Effect":"Allow",` +
			`"Action":"dynamodb:DeleteWorkGroup","Resource":"*"}}`}
		region.Users.Put(tx, user.Name, user)
	})
	if response, body := w.raw(t, "POST", "/", "", withTarget("AmazonAthena.DeleteWorkGroup"),
		signAs(t, ada, "dynamodb")); len(emulator.asked) > 0 {
		t.Errorf("another service's target is passed on: %d %s", response.StatusCode, body)
	}
}
