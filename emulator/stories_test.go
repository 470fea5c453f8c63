package emulator

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	signer "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/smithy-go"

	"tripod/api"
	"tripod/internal/options"
)

// post calls a service that has no SDK here, signed as the region's administrator.
func (r *testRegion) post(t *testing.T, service, contentType, body string) (status int, answer string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), "POST", r.Status().AWSEndpoint+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	credentials, err := r.eks(t).Options().Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(body))
	if err := signer.NewSigner().SignHTTP(t.Context(), credentials, request, hex.EncodeToString(sum[:]), service,
		r.options.Region, time.Now()); err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

const form = "application/x-www-form-urlencoded"

// TestZonesAreLostInTheMiddle tells what becomes of calls when zones go.
func TestZonesAreLostInTheMiddle(t *testing.T) {
	t.Parallel() // it waits more than it works
	r := newRegion(t, filepath.Join(t.TempDir(), "region"), func(o *options.Up) { o.Cluster = "demo" })
	r.start(t)
	for _, step := range []struct {
		name string
		run  func(*testing.T, *testRegion)
	}{
		{"of a creation and of a deletion", testZoneLostInTheMiddle}, {"of many creations", testNothingAcknowledgedIsLost},
		{"and two zones stay away", testTwoZonesAway},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.run(t, r) }) {
			return
		}
	}
}

// leftovers are the files of clusters that are not among those that the region shows.
func (r *testRegion) leftovers() (found []string) {
	known := map[string]bool{}
	for _, c := range r.Status().Clusters {
		known[c.ID] = true
	}
	for _, pattern := range []string{"clusters/*", "logs/*-*.log"} {
		files, _ := filepath.Glob(r.dir.file("zones", "*", pattern))
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".log")
			if id := name[strings.LastIndex(name, "-")+1:]; len(id) == 32 && !known[id] {
				found = append(found, file)
			}
		}
	}
	return found
}

func testZoneLostInTheMiddle(t *testing.T, r *testRegion) {
	leader := "az/" + r.Status().State.Leader
	r.create(t, "halfway")
	r.do(t, "kill", leader)
	r.awaitCluster(t, "halfway", "ACTIVE")
	r.do(t, "start", leader)
	for _, zone := range r.awaitPhase(t, api.PhaseReady).Zones {
		if len(zone.Instances) != 6 {
			t.Errorf("%s was lost in the middle of a creation, and %s has %+v", leader, zone.Name, zone.Instances)
		}
	}
	r.beginRemoval(t, "halfway")
	r.do(t, "kill", leader)
	r.do(t, "start", leader)
	r.awaitCluster(t, "halfway", "")
	eventually(t, "nothing is left", func() bool { return len(r.leftovers()) == 0 }, func() any { return r.leftovers() })
	r.awaitPhase(t, api.PhaseReady)
}

// testNothingAcknowledgedIsLost makes pod identity associations, which are of no consequence but for their records, while
// one zone after the other is killed.
func testNothingAcknowledgedIsLost(t *testing.T, r *testRegion) {
	calls := r.eks(t)
	trust := url.QueryEscape(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession"],` +
		`"Principal":{"Service":"pods.eks.amazonaws.com"}}}`)
	create := "Action=CreateRole&Version=2010-05-08&RoleName=pods&AssumeRolePolicyDocument=" + trust
	if err := wantAnswer(r.post(t, "iam", form, create))("<RoleName>pods</RoleName>"); err != nil {
		t.Fatal(err)
	}
	var acknowledged []string
	var making sync.WaitGroup
	stop := make(chan struct{})
	making.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			name := fmt.Sprintf("sa%d", n)
			_, err := calls.CreatePodIdentityAssociation(context.Background(),
				&eks.CreatePodIdentityAssociationInput{ClusterName: aws.String("demo"), Namespace: aws.String("shop"),
					RoleArn: aws.String("arn:aws:iam::" + r.dir.marker.AccountID + ":role/pods"), ServiceAccount: &name},
				func(o *eks.Options) { o.RetryMaxAttempts = 10 })
			if err == nil {
				acknowledged = append(acknowledged, name)
			} else if limit := new(types.ResourceLimitExceededException); errors.As(err, &limit) {
				return
			}
		}
	})
	for _, zone := range []string{"az/a", "az/b", "az/c"} {
		r.do(t, "kill", zone)
		r.do(t, "start", zone)
		r.awaitPhase(t, api.PhaseReady)
	}
	close(stop)
	making.Wait()
	var shown []string
	pages := eks.NewListPodIdentityAssociationsPaginator(calls,
		&eks.ListPodIdentityAssociationsInput{ClusterName: aws.String("demo")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page.Associations {
			shown = append(shown, *a.ServiceAccount)
		}
	}
	have := strings.Join(shown, " ") + " "
	for _, name := range acknowledged {
		if !strings.Contains(have, name+" ") {
			t.Errorf("%s was acknowledged and is lost", name)
		}
	}
	if len(acknowledged) == 0 {
		t.Error("nothing was made")
	}
}

func testTwoZonesAway(t *testing.T, r *testRegion) {
	r.do(t, "kill", "az/a")
	r.do(t, "kill", "az/b")
	calls := r.eks(t)
	reads := map[string]func() error{
		"eks": func() error {
			_, err := calls.DescribeCluster(t.Context(), &eks.DescribeClusterInput{Name: aws.String("demo")})
			return err
		},
		"iam": func() error {
			return wantAnswer(r.post(t, "iam", form, "Action=GetUser&Version=2010-05-08"))("<UserName>admin</UserName>")
		},
		"ec2": func() error {
			return wantAnswer(r.post(t, "ec2", form, "Action=DescribeVpcs&Version=2016-11-15"))("<vpcId>")
		},
		"sts": func() error {
			return wantAnswer(r.post(t, "sts", form, "Action=GetCallerIdentity&Version=2011-06-15"))("<Account>")
		},
	}
	for service, read := range reads {
		if err := read(); err != nil {
			t.Errorf("%s does not read with one zone left: %v", service, err)
		}
	}
	var writing sync.WaitGroup // each waits for a majority, as long as it may
	defer writing.Wait()
	writing.Go(func() {
		_, err := calls.TagResource(t.Context(), &eks.TagResourceInput{ResourceArn: aws.String("arn:aws:eks:us-east-1:" +
			r.dir.marker.AccountID + ":cluster/demo"),
			Tags: map[string]string{"a": "b"}}, func(o *eks.Options) { o.RetryMaxAttempts = 1 })
		var failure smithy.APIError
		if !errors.As(err, &failure) || failure.ErrorCode() != "ServiceUnavailableException" {
			t.Errorf("eks writes: %v", err)
		}
	})
	for service, c := range map[string][2]string{
		"iam": {"Action=CreateUser&Version=2010-05-08&UserName=new", "<Code>ServiceUnavailable</Code>"},
		"ec2": {"Action=CreateSecurityGroup&Version=2016-11-15&GroupName=new&GroupDescription=new",
			"<Code>Unavailable</Code>"},
	} {
		writing.Go(func() {
			if status, text := r.post(t, service, form, c[0]); status != http.StatusServiceUnavailable ||
				!strings.Contains(text, c[1]) {
				t.Errorf("%s writes: %d %s", service, status, text)
			}
		})
	}
}

// wantAnswer checks that a call was answered with something in particular.
func wantAnswer(status int, text string) func(want string) error {
	return func(want string) error {
		if status != http.StatusOK || !strings.Contains(text, want) {
			return fmt.Errorf("%d %s, want %s", status, text, want)
		}
		return nil
	}
}

// TestFlagsOfARunningRegion shows those of `tripod up` that change what the AWS endpoint answers.
func TestFlagsOfARunningRegion(t *testing.T) {
	t.Parallel() // it waits more than it works
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "upstream got %d bytes, %v", len(body), bytes.Contains(body, []byte("ListTopics")))
	}))
	defer upstream.Close()
	r := newRegion(t, filepath.Join(t.TempDir(), "region"),
		func(o *options.Up) { o.Cluster, o.Throttle, o.Upstream = "demo", true, upstream.URL })
	r.start(t)
	if status, text := r.post(t, "sns", form, "Action=ListTopics&Version=2010-03-31"); status != http.StatusOK ||
		!strings.HasSuffix(text, "true") {
		t.Errorf("the upstream's service: %d %s", status, text)
	}
	first := r.dir.marker.PortBase + clusterOffset + 10 // the ports of the next cluster
	squatter, err := net.Listen("tcp", loopback(first+5))
	if err != nil {
		t.Fatal(err)
	}
	defer squatter.Close()
	r.create(t, "second")
	if got, want := aws.ToString(r.awaitCluster(t, "second", "ACTIVE").Endpoint),
		"https://"+loopback(first+10); got != want {
		t.Errorf("with a port taken the second cluster is at %s, want %s", got, want)
	}
	calls := r.eks(t)
	for n := range 1000 {
		_, err := calls.ListClusters(t.Context(), &eks.ListClustersInput{}, func(o *eks.Options) { o.RetryMaxAttempts = 1 })
		var failure smithy.APIError
		if errors.As(err, &failure) && failure.ErrorCode() == "ThrottlingException" {
			return
		}
		if err != nil {
			t.Fatalf("call %d: %v", n, err)
		}
	}
	t.Error("1000 calls at once are not throttled")
}
