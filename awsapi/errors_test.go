package awsapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/encoding/cbor"

	"tripod/awsapi"
	"tripod/state"
)

func TestWithoutQuorumWritesAreUnavailable(t *testing.T) {
	for _, failure := range []error{state.ErrNoQuorum, state.ErrConflict} {
		w := newWorld(t, func(f *awsapi.Front) {
			f.State = viewer(func(func(*state.Txn) error) error { return fmt.Errorf("somewhere: %w", failure) })
		})
		_, err := w.eks(w.admin).ListClusters(context.Background(), &eks.ListClustersInput{})
		wantCode(t, err, "ServiceUnavailableException", http.StatusServiceUnavailable)
		var modelled *types.ServiceUnavailableException
		if !errors.As(err, &modelled) || strings.Contains(err.Error(), "somewhere") ||
			errors.Is(failure, state.ErrNoQuorum) != strings.Contains(err.Error(), "no quorum") {
			t.Errorf("got %v", err)
		}
		_, err = w.sts(w.admin).GetCallerIdentity(context.Background(), &sts.GetCallerIdentityInput{})
		wantCode(t, err, "ServiceUnavailable", http.StatusServiceUnavailable)
		if _, body := w.raw(t, "GET", "/?Action=DescribeVpcs&Version=2016-11-15", "", nil,
			signAs(t, w.admin, "ec2")); !strings.Contains(body, "<Code>Unavailable</Code>") {
			t.Errorf("EC2: got %s", body)
		}
	}
}

// TestCallsOfAZoneThatMayHaveMissedSomethingAreRefused before anybody looks who calls: of a key, too, it may have missed what became.
func TestCallsOfAZoneThatMayHaveMissedSomethingAreRefused(t *testing.T) {
	asked := 0
	failure := state.ErrCutOff
	w := newWorld(t, func(f *awsapi.Front) {
		f.Fresh = func(context.Context) error { asked++; return failure }
	})
	unknown := w.admin
	unknown.AccessKeyID = "AKIA2222222222222222"
	for _, credentials := range []aws.Credentials{w.admin, unknown} {
		_, err := w.sts(credentials).GetCallerIdentity(context.Background(), &sts.GetCallerIdentityInput{})
		wantCode(t, err, "ServiceUnavailable", http.StatusServiceUnavailable)
		if !strings.Contains(err.Error(), "reaches no other zone") {
			t.Errorf("got %v", err)
		}
	}
	response, body := w.raw(t, "POST", "/", "Action=AssumeRoleWithWebIdentity&Version=2011-06-15", map[string]string{
		"Content-Type": "application/x-www-form-urlencoded"}, nil)
	if response.StatusCode != http.StatusServiceUnavailable || asked != 3 {
		t.Errorf("a call that nobody signs: got %s after %d questions: %s", response.Status, asked, body)
	}
	failure = nil
	if _, err := w.sts(w.admin).GetCallerIdentity(context.Background(), &sts.GetCallerIdentityInput{}); err != nil {
		t.Error(err)
	}
}

// TestErrorsHaveTheContentTypeOfTheirProtocol, without which SDKs do not look into them; and what a client that HEADs
// sees.
func TestErrorsHaveTheContentTypeOfTheirProtocol(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		method, path, service string
		header                map[string]string
		want, code            string
	}{
		{"GET", "/functions", "lambda", nil, "application/json", "UnknownOperationException"},
		{"HEAD", "/functions", "lambda", nil, "application/json", "UnknownOperationException"},
		{"POST", "/", "kinesis", map[string]string{"X-Amz-Target": "Kinesis_20131202.ListStreams",
			"Content-Type": "application/x-amz-json-1.0"}, "application/x-amz-json-1.0", "UnknownOperationException"},
		{"POST", "/", "athena", map[string]string{"X-Amz-Target": "AmazonAthena.ListWorkGroups",
			"Content-Type": "application/x-amz-json-1.1"}, "application/x-amz-json-1.1", "UnknownOperationException"},
		{"GET", "/bucket", "s3", nil, "text/xml", ""},
		{"GET", "/2013-04-01/hostedzone", "route53", nil, "text/xml", ""},
		{"GET", "/?Action=ListTopics", "sns", nil, "text/xml", ""},
		{"POST", "/thing", "unknown", map[string]string{"Content-Type": "application/xml"}, "text/xml", ""},
		{"POST", "/service/S/operation/O", "monitoring", map[string]string{"Smithy-Protocol": "rpc-v2-cbor"},
			"application/cbor", ""},
	} {
		response, body := w.raw(t, c.method, c.path, "", c.header, signAs(t, w.admin, c.service))
		if got := response.Header.Get("Content-Type"); got != c.want ||
			response.Header.Get("X-Amzn-Errortype") != c.code {
			t.Errorf("%s %s: got %s %s", c.service, c.path, got, response.Header.Get("X-Amzn-Errortype"))
		}
		if c.want == "application/cbor" {
			value, err := cbor.Decode([]byte(body))
			if document, ok := value.(cbor.Map); err != nil || !ok ||
				document["__type"] != cbor.String("UnknownOperationException") ||
				response.Header.Get("Smithy-Protocol") != "rpc-v2-cbor" {
				t.Errorf("got %v (%v)", value, err)
			}
		}
	}
}

func TestS3ErrorsHaveItsOwnCodes(t *testing.T) {
	w := newWorld(t)
	unknown := aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "x"}
	wrong := w.admin
	wrong.SecretAccessKey = "wrong"
	for want, sign := range map[string]func(*http.Request){"<Code>AccessDenied</Code>": nil,
		"<Code>InvalidAccessKeyId</Code>":    signAs(t, unknown, "s3"),
		"<Code>SignatureDoesNotMatch</Code>": signAs(t, wrong, "s3")} {
		if response, body := w.raw(t, "GET", "/bucket", "", nil, sign); sign != nil && !strings.Contains(body, want) ||
			response.StatusCode != http.StatusForbidden {
			t.Errorf("got %d %s, want %s", response.StatusCode, body, want)
		}
	}
}

func TestInternalErrorsTellNothing(t *testing.T) {
	for name, view := range map[string]func(func(*state.Txn) error) error{
		"error": func(func(*state.Txn) error) error { return errors.New("disk /secret/path is on fire") },
		"panic": func(func(*state.Txn) error) error { panic("disk /secret/path is on fire") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(f *awsapi.Front) { f.State = viewer(view) })
			_, err := w.eks(w.admin).ListClusters(context.Background(), &eks.ListClustersInput{})
			wantCode(t, err, "ServerException", http.StatusInternalServerError)
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the client was told %v", err)
			}
			_, err = w.sts(w.admin).GetCallerIdentity(context.Background(), &sts.GetCallerIdentityInput{})
			wantCode(t, err, "InternalFailure", http.StatusInternalServerError)
			if !strings.Contains(w.log.String(), "/secret/path") {
				t.Errorf("the log has not the cause: %s", w.log)
			}
		})
	}
}

type viewer func(func(*state.Txn) error) error

func (v viewer) View(fn func(*state.Txn) error) error { return v(fn) }

func (v viewer) Update(_ context.Context, fn func(*state.Txn) error) error { return v(fn) }
