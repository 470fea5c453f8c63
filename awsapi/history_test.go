package awsapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"tripod/awsapi"
	"tripod/awsapi/history"
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
	if _, err := w.eks(w.admin).CreatePodIdentityAssociation(t.Context(),
		&eks.CreatePodIdentityAssociationInput{ClusterName: aws.String("demo"),
			Namespace: aws.String("a"), ServiceAccount: aws.String("b"),
			RoleArn: aws.String("arn:aws:iam::111122223333:role/nope")}); err != nil {
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
		RoleArn: aws.String("arn:aws:iam::111122223333:role/pod"), RoleSessionName: aws.String("pod"),
		WebIdentityToken: aws.String("s3cret-web-identity")})
	w.raw(t, "GET", "/clusters/x%1b%5b2J", "", map[string]string{"User-Agent": "evil\u202e"}, signAs(t, w.admin, "eks"))
	w.raw(t, "GET", "/clusters", "", map[string]string{"X-Amz-Date": "20260304T000000Z",
		"Authorization": "AWS4-HMAC-SHA256 Credential=s3cret/20260304/us-east-1/eks/aws4_request, " +
			"SignedHeaders=host, Signature=" + strings.Repeat("0", 64)}, nil)
	w.raw(t, "GET", "/healthz", "", nil, nil)
	w.raw(t, "GET", "/id/"+clusterID+"/keys", "", nil, nil)
	records, text := read()
	var got []string
	for _, r := range records {
		got = append(got, fmt.Sprintf("%s %s %s %s %s %s", r.EventSource, r.EventName, r.ErrorCode, r.UserIdentity.Type,
			r.UserIdentity.UserName, r.RequestParameters))
		if len(r.RequestID) != 36 || len(r.EventID) != 36 || r.SourceIPAddress != "127.0.0.1" || r.Time().IsZero() ||
			!r.ReadOnly || r.Additional.Zone != "us-east-1a" {
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
	if len(got) != 6 || strings.Contains(text, "s3cret") || strings.Contains(text, "\u202e") ||
		strings.Contains(text, w.admin.SecretAccessKey) {
		t.Errorf("got %s", text)
	}
}

// TestHistoryTellsNothingOfWhatTripodDoesNotHave writes secrets under names that look harmless: only who knows an
// operation's shape knows which of its members are secrets.
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
		{w.admin, "athena", "POST", "/", `{"Name":"x","Value":"` + needle + `"}`, "PutParameter",
			target("AmazonAthena.PutParameter")},
		{w.admin, "s3", "PUT", "/bucket/key?note=" + needle, `{"greeting":"` + needle + `"}`, "Unknown", nil},
		{w.admin, "eks", "POST", "/nothing", `{"greeting":"` + needle + `"}`, "Unknown", nil},
		{w.admin, "sns", "POST", "/", "Action=Publish&Message=" + needle, "Publish", form},
		{w.admin, "iam", "POST", "/", "Action=UploadSSHPublicKey&Version=2010-05-08&Body=" + needle,
			"UploadSSHPublicKey", form},
		{w.admin, "ec2", "POST", "/", "Action=ImportImage&Version=2016-11-15&Description=" + needle, "ImportImage",
			form},
		{w.powerless, "ec2", "POST", "/", "Action=ImportImage&Version=2016-11-15&Description=" + needle, "ImportImage",
			form},
		{w.admin, "sts", "POST", "/", "Action=AssumeRoot&Version=2011-06-15&Note=" + needle, "AssumeRoot", form},
	}
	for _, c := range calls {
		if response, body := w.raw(t, c.method, c.path, c.body, c.header,
			func(r *http.Request) { signBody(r, c.body, c.by, c.service) }); response.StatusCode < 400 {
			t.Errorf("%s %s: got %d %s", c.service, c.want, response.StatusCode, body)
		}
	}
	records, text := read()
	if strings.Contains(text, needle) || len(records) != len(calls) {
		t.Errorf("got %s", text)
	}
	for i, record := range records {
		if c := calls[i]; record.Service() != c.service || record.EventName != c.want ||
			string(record.RequestParameters) != "null" || record.Additional.BytesIn != len(c.body) {
			t.Errorf("got %+v, want %s %s of %d bytes", record, c.service, c.want, len(c.body))
		}
	}
}
